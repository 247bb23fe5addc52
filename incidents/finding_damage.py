"""Which services have copies that a check found damaged, as long as nothing says otherwise: of these nothing is promised."""

from __future__ import annotations

from django.db.models import Q

from incidents.models import Incident
from monitoring.models import Alert
from monitoring.models.alerts import OPEN_STATES

# Where a restore is promised, damage refutes the promise and is told as that.
BY_A_CHECK = Q(alert_class=Alert.Class.INTEGRITY_ERROR) | Q(alert_class=Alert.Class.RTO_TEST_FAILED, latest_run__operation="verify")


def damaged_services(incident: Incident) -> list[int]:
    """The services of the incident whose copies are damaged, by its open alerts."""
    alerts = Alert.objects.filter(BY_A_CHECK, incident_alert__incident=incident, state__in=OPEN_STATES, service__isnull=False)
    return sorted(set(alerts.values_list("service", flat=True)))
