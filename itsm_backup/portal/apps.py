from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "itsm_backup.portal"
    label = "portal"

    def ready(self) -> None:
        """Make the configured Celery app the current one, so that floors below can send hints by name."""
        from itsm_backup import celery  # noqa: F401
