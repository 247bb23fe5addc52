from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "itsm_backup.common"
    label = "common"
    verbose_name = "Messages"
