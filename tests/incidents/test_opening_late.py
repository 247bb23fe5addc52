"""Alerts that become known late find the incident of their own time, even when their cause is open anew."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents import opening
from incidents.models import Incident, IncidentAlert
from monitoring.models import Alert
from tests.factories import make_service
from tests.incidents.makers import HOUR

pytestmark = pytest.mark.django_db
CAUSE = "repository:pool-1"


def an_alert(service, begun, over, *, severity="error", noticed=None) -> Alert:
    return Alert.objects.create(
        dedup_key=f"{severity}-{begun}", alert_class="job_failed", service=service, state="resolved" if over else "firing",
        severity=severity, priority="P4", title=f"Backup of {service.code} failed", cause_key=CAUSE, cause_is_specific=True,
        opened_at=begun, last_seen_at=over or begun, noticed_at=noticed or begun, resolved_at=over,
    )  # fmt: skip


def an_incident(service, begun, over) -> Incident:
    incident = Incident.objects.create(
        cause_key=CAUSE, cause_is_specific=True, title="The pool is full", state="resolved" if over else "new", priority="P3", impact="low",
        urgency="low", priority_reason="P3", service=service, opened_at=begun, resolved_at=over, updated_at=over or begun,
    )  # fmt: skip
    IncidentAlert.objects.create(incident=incident, alert=an_alert(service, begun, over), attached_at=begun)
    return incident


@pytest.fixture
def two(noon):
    """An incident that is over, and one of the same cause that is open since."""
    service = make_service("SVC-1", at=noon - dt.timedelta(days=5))
    return service, an_incident(service, noon - 9 * HOUR, noon - 6 * HOUR), an_incident(service, noon - 2 * HOUR, None)


@pytest.mark.parametrize("severity", ["warning", "error"])
def test_what_was_over_before_the_open_incident_began_joins_the_one_that_covers_it(two, noon, severity):
    service, earlier, present = two
    alert = an_alert(service, noon - 8 * HOUR, noon - 7 * HOUR, severity=severity, noticed=noon)
    opening.open_for_alerts(at=noon)
    assert IncidentAlert.objects.get(alert=alert).incident == earlier
    assert Incident.objects.get(pk=present.pk).incident_alerts.count() == 1


def test_it_lengthens_the_earlier_incident_without_opening_its_cause_twice(two, noon):
    service, earlier, present = two
    alert = an_alert(service, noon - 8 * HOUR, noon - 4 * HOUR, noticed=noon)
    opening.open_for_alerts(at=noon)
    earlier.refresh_from_db()
    assert IncidentAlert.objects.get(alert=alert).incident == earlier
    assert (earlier.state, earlier.resolved_at) == ("resolved", noon - 4 * HOUR)
    assert list(Incident.objects.open()) == [present]
