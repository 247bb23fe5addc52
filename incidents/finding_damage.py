"""Which services have copies that a check found damaged, as long as nothing says otherwise: of these nothing is promised."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max, Q

from incidents.models import Incident
from itsm_backup.common.time import iso
from monitoring.models import Alert, RestoreTest
from monitoring.models.alerts import OPEN_STATES

# Where a restore is promised, damage refutes the promise and is told as that.
BY_A_CHECK = Q(alert_class=Alert.Class.INTEGRITY_ERROR) | Q(alert_class=Alert.Class.RTO_TEST_FAILED, latest_run__operation="verify")


def damaged_services(incident: Incident) -> list[int]:
    """The services of the incident whose copies are damaged, by its open alerts."""
    alerts = Alert.objects.filter(BY_A_CHECK, incident_alert__incident=incident, state__in=OPEN_STATES, service__isnull=False)
    return sorted(set(alerts.values_list("service", flat=True)))


def failed_restores(services: Sequence[int]) -> list[dict[str, str | int]]:
    """Services whose newest restore test stands against their copies, and when it ended: later than any full one that passed."""
    tests = RestoreTest.objects.filter(job__service__in=services).values("job__service").order_by("job__service")
    failed, passed = Max("ended_at", filter=Q(outcome="failed")), Max("ended_at", filter=Q(outcome="passed", scope="full"))
    rows = tests.annotate(failed=failed, passed=passed).filter(failed__isnull=False)
    return [
        {"service": row["job__service"], "ended_at": iso(row["failed"])}
        for row in rows
        if row["passed"] is None or row["passed"] < row["failed"]
    ]
