from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    verbose_name = "What really happens"

    def ready(self) -> None:
        """Who sets what is measured of a service is known here, so that the catalogue keeps the duties apart, and which jobs run for it."""
        from catalogue import duties, retiring
        from monitoring import leaving, measuring

        duties.deeds.setdefault("monitoring-admin", []).append(measuring.has_set)
        retiring.guards.append(leaving.jobs_at_work)
