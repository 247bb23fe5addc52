from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class CommonConfig(AppConfig):
    name = "itsm_backup.common"
    label = "common"
    verbose_name = "Messages"


class AdminDoor(admin_apps.AdminConfig):
    """Django's admin on our own site: sign-in, index, refusals."""

    default = False
    default_site = "itsm_backup.common.admin.site.Site"

    def ready(self) -> None:
        import itsm_backup.common.admin  # noqa: F401 - before the site is first used, which itself comes from there

        super().ready()
