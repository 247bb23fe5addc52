"""The heartbeat: messages are expiring hints, PostgreSQL is the truth."""

from __future__ import annotations

import os

from celery import Celery
from celery.beat import PersistentScheduler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Beat's schedule. Each task first waits for its interval; that of the sign of life would add seconds to every start."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self.apply_async(self.schedule["show_life"], advance=False)


app = Celery("itsm_backup")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.include = ["itsm_backup.tasks"]
app.conf.beat_scheduler = Scheduler
app.conf.beat_schedule = {
    "show_life": {"task": "itsm_backup.show_life", "schedule": 5.0, "options": {"expires": 5}},
    "advance": {"task": "itsm_backup.advance", "schedule": 5.0, "options": {"expires": 5}},
    "demo": {"task": "itsm_backup.demo_feed", "schedule": 20.0, "options": {"expires": 20}},
    "report": {"task": "itsm_backup.report_due", "schedule": 300.0, "options": {"expires": 300}},
    "conditions": {"task": "itsm_backup.follow_conditions", "schedule": 300.0, "options": {"expires": 300}},
    "digest": {"task": "itsm_backup.digest", "schedule": 300.0, "options": {"expires": 300}},
    "recount": {"task": "itsm_backup.recount_reports", "schedule": 1800.0, "options": {"expires": 1800}},
    "publish": {"task": "itsm_backup.publish", "schedule": 20.0, "options": {"expires": 20}},
    "cmdbs": {"task": "itsm_backup.read_cmdbs", "schedule": 30.0, "options": {"expires": 30}},
    "reconcile": {"task": "itsm_backup.reconcile", "schedule": 20.0, "options": {"expires": 20}},
    "batches": {"task": "itsm_backup.batches", "schedule": 15.0, "options": {"expires": 15}},
    "own_database": {"task": "itsm_backup.own_database", "schedule": 20.0, "options": {"expires": 20}},
    "deadman": {"task": "itsm_backup.deadman", "schedule": 60.0, "options": {"expires": 50}},
    "tend": {"task": "itsm_backup.tend", "schedule": 3600.0, "options": {"expires": 600}},
}
