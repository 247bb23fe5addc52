from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "itsm_backup.demo"
    label = "demo"
    verbose_name = "Demo estate"
