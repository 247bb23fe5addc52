from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    name = "catalogue"
    verbose_name = "What we promise"

    def ready(self) -> None:
        """Duties that exclude each other stand against changes and grants in every door of the admin."""
        from catalogue import duties
        from itsm_backup.common.admin import objections

        objections.to_changes.append(duties.objection)
        objections.to_rights.append(duties.objection_to_rights)
