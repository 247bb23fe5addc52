from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    verbose_name = "What really happens"

    def ready(self) -> None:
        """Who sets what is measured of a service is known here, so that the catalogue keeps the duties apart, and which jobs run
        for it, and have been claimed for it."""
        from catalogue import chronicle, duties, retiring
        from monitoring import claimed, leaving, measuring

        duties.deeds.setdefault("monitoring-admin", []).append(measuring.has_set)
        retiring.guards.append(leaving.jobs_at_work)
        chronicle.sources.extend(one for one in claimed.SOURCES if one not in chronicle.sources)
