from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    verbose_name = "What really happens"

    def ready(self) -> None:
        """Who sets what is measured of a service is known here, so that the catalogue can keep the duties apart."""
        from catalogue import duties
        from monitoring import measuring

        duties.deeds.setdefault("monitoring-admin", []).append(measuring.has_set)
