"""An acknowledgement with an end: after it the incident is nobody's again, and its escalation goes on where it stood."""

from __future__ import annotations

import datetime as dt

from incidents import targeting, timing
from incidents.models import Escalation, Incident, IncidentEntry
from monitoring.models import Alert

LONGEST = dt.timedelta(days=30)


def lapses_at(incident: Incident, escalation: Escalation) -> dt.datetime | None:
    """When whoever has it no longer does: in quiet hours at their end, for nobody would be told before. None where it does not lapse."""
    if incident.state != "in_progress" or incident.acknowledged_until is None:
        return None
    return timing.told_at(escalation.snapshot, escalation.priority, incident.acknowledged_until)


def lapse(*, incident: Incident, escalation: Escalation, at: dt.datetime) -> None:
    """Nobody has acknowledged it any more. The time of the acknowledgement does not count for what is told next.

    The caller holds both rows and saves the escalation.
    """
    since, until = incident.acknowledged_at, lapses_at(incident, escalation)
    if since is None or until is None:
        return
    _passes(escalation, since, until)
    who = incident.assignee.get_full_name() or incident.assignee.get_username() if incident.assignee else "somebody"
    _nobodys(incident, at)
    text = f"The acknowledgement of {who} lapsed, and it is not resolved: it is told as if nobody had taken it"
    IncidentEntry.objects.create(incident=incident, at=until, kind="state", text=text)


def give_away(*, incident: Incident, at: dt.datetime) -> None:
    """Whoever had it does not any more, and nobody has it yet. The caller holds the row."""
    escalation = Escalation.objects.select_for_update().filter(incident=incident, ended_at=None).first()
    if escalation and incident.acknowledged_at:
        _passes(escalation, incident.acknowledged_at, at)
        escalation.save(update_fields=["paused_s"])
    _nobodys(incident, at)


def _passes(escalation: Escalation, since: dt.datetime, until: dt.datetime) -> None:
    """The time in which somebody had it does not count for who is told next."""
    escalation.paused_s += max(0, int((until - max(since, escalation.started_at)).total_seconds()))


def _nobodys(incident: Incident, at: dt.datetime) -> None:
    incident.state, incident.updated_at = Incident.State.NEW, at
    incident.acknowledged_at = incident.acknowledged_until = None
    targeting.look_again(incident=incident)
    incident.save()
    Alert.objects.filter(incident_alert__incident=incident, state="acknowledged").update(
        state="firing", acknowledged_at=None, acknowledged_by=None
    )
