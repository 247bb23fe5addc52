from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "itsm_backup.portal"
    label = "portal"
