"""What people do with an incident: take it, note, hold, resolve with code, cause and reason, reopen, close."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue import duties
from incidents import announcing, escalating, owing, resolving, targeting
from incidents.lapsing import LONGEST
from incidents.models import Incident, IncidentEntry, MajorIncident
from incidents.models.incident import ENDED_STATES
from itsm_backup.common.time import iso
from monitoring.models import Alert

# from → to: whether a reason is required. Everything else is refused.
TRANSITIONS: dict[tuple[str, str], bool] = {
    ("new", "in_progress"): False,
    ("new", "on_hold"): True,
    ("new", "cancelled"): True,
    ("new", "resolved"): True,
    ("in_progress", "on_hold"): True,
    ("in_progress", "resolved"): True,
    ("in_progress", "cancelled"): True,
    ("on_hold", "in_progress"): False,
    ("on_hold", "resolved"): True,
    ("on_hold", "cancelled"): True,
    ("resolved", "closed"): False,
    ("resolved", "in_progress"): True,
    ("closed", "in_progress"): True,
    ("cancelled", "in_progress"): True,
}
REOPEN_WITHIN = dt.timedelta(days=7)
BY_HAND = [one for one in Incident.Resolution if one != Incident.Resolution.RECOVERED]  # recovered is proven, never said


class NotPossible(Exception):
    """The incident does not allow this now; the message says why and what is possible, `field` which of what was sent is wrong."""

    def __init__(self, told: str, *, field: str = "") -> None:
        super().__init__(told)
        self.field = field


def take(*, incident: Incident, by: Any, at: dt.datetime, until: dt.datetime | None = None) -> Incident:
    """Acknowledge: the incident is in progress and assigned to `by`; the alerts that it had by then are acknowledged.

    With `until` the acknowledgement lapses then, unless it is over or on hold: what was told next is told after all. Raises
    NotPossible for an instant that is past, or more than thirty days ahead.
    """
    if until is not None and not at < until <= at + LONGEST:
        raise NotPossible("An acknowledgement lapses later than now, and within 30 days. Give another instant.")
    incident = move(incident=incident, to="in_progress", reason="", by=by, at=at, assignee=by, until=until)
    Alert.objects.filter(incident_alert__incident=incident, incident_alert__attached_at__lte=at, state="firing").update(
        state="acknowledged", acknowledged_at=at, acknowledged_by=by
    )
    return incident


@transaction.atomic
def move(
    *, incident: Incident, to: str, reason: str, by: Any, at: dt.datetime, assignee: Any = None, resolution: str = "", cause: str = "",
    until: dt.datetime | None = None,
) -> Incident:  # fmt: skip
    """Move the incident to another state; `resolution` and `cause` say how it ended, where it is resolved, `until` when taking it lapses.

    Raises NotPossible for a step that the table does not have, that lacks what it asks for, or that another duty forbids.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    before = incident.state
    again = before in ENDED_STATES and to == "in_progress"
    _check(incident, to, reason.strip(), at)
    if to == "resolved":
        _check_resolution(incident, resolution, cause, by, at)
    elif again:
        _reopen(incident, at)
    incident.state, incident.updated_at = to, at
    if to == "resolved":
        incident.resolution, incident.cause_category = resolution, cause
    incident.resolved_at = at if to == "resolved" else (incident.resolved_at if to == "closed" else None)
    incident.closed_at = at if to == "closed" else None
    incident.acknowledged_at = incident.acknowledged_at or (at if to == "in_progress" else None)
    incident.acknowledged_until = until
    incident.assignee = assignee or incident.assignee
    _count_time(incident, before, at)
    incident.save()
    IncidentEntry.objects.create(incident=incident, at=at, kind="state", text=_told(incident, by, reason.strip(), at, again=again), by=by)
    escalating.look_again(incident=incident, at=at)
    if to == "cancelled":
        _leave_alerts_to_nobody(incident)
    if to == "resolved":
        announcing.announce_resolution(incident=incident, proof=f"Resolved by hand: {reason.strip()}", at=at)
        owing.owe(incident=incident, at=at)
    elif again:
        announcing.announce_reopening_by_hand(incident=incident, by=by, reason=reason.strip(), at=at)
    return incident


def _check(incident: Incident, to: str, reason: str, at: dt.datetime) -> None:
    """Raises NotPossible where the table, the reason or the time stands against the step."""
    needs_reason = TRANSITIONS.get((incident.state, to))
    label = Incident.State(to).label.lower()
    if incident.state == to and not incident.merged_into_id:
        whose = f", with {incident.assignee.get_full_name() or incident.assignee.get_username()}" if incident.assignee else ""
        raise NotPossible(f"{incident.number} is {label} already{whose}.")
    if needs_reason is None or incident.merged_into_id:
        raise NotPossible(f"{incident.number} is {incident.get_state_display().lower()} and cannot become {label}.")
    if needs_reason and not reason:
        raise NotPossible(f"Say why {incident.number} becomes {label}.")
    if to == "cancelled" and (major := MajorIncident.objects.live().filter(incident=incident).first()):
        raise NotPossible(
            f"{incident.number} is behind {major.number}, which is {major.get_state_display().lower()}. Reject or close that one first, "
            "or resolve this one: then it is said how it ended."
        )
    if incident.state not in ENDED_STATES or to != "in_progress":
        return
    if at > incident.ended_at + REOPEN_WITHIN:
        raise NotPossible(f"{incident.number} has been over for more than 7 days. Open a new one.")
    current = Incident.objects.open().filter(cause_key=incident.cause_key).first()
    if current:
        raise NotPossible(f"The same cause is open again as {current.number}. Work on that one.")


def _check_resolution(incident: Incident, resolution: str, cause: str, by: Any, at: dt.datetime) -> None:
    """Raises NotPossible without code and category, and for who wrote the promise or set what is measured."""
    if resolution not in BY_HAND:
        raise NotPossible(f"Say how {incident.number} ended: {', '.join(one.label.lower() for one in BY_HAND)}.")
    if cause not in Incident.CauseCategory:
        raise NotPossible(f"Say what kind of cause {incident.number} had; that it is not known is an answer, too.")
    if incident.service is not None and (told := duties.clash(by=by, act="resolve", on=incident.service, at=at)):
        raise NotPossible(told)


def _reopen(incident: Incident, at: dt.datetime) -> None:
    """The time in which it was over does not count against its targets."""
    incident.holds = [*incident.holds, [iso(incident.ended_at), iso(at)]]
    incident.reopened += 1
    incident.reopened_at = at
    incident.studied_at = incident.weighed_at = None  # what it was before it ended says nothing of now
    incident.resolution = incident.cause_category = ""
    incident.resolved_by_evaluation = None


def _leave_alerts_to_nobody(incident: Incident) -> None:
    """Nobody works on what goes on behind it: where it happens again, the incident comes back."""
    Alert.objects.filter(incident_alert__incident=incident, state="acknowledged").update(
        state="firing", acknowledged_at=None, acknowledged_by=None
    )


def _count_time(incident: Incident, before: str, at: dt.datetime) -> None:
    if incident.state == "on_hold":
        targeting.hold(incident=incident, at=at)
    elif before in ("on_hold", *ENDED_STATES):
        targeting.go_on(incident=incident, at=at)
    else:
        targeting.look_again(incident=incident)


def _told(incident: Incident, by: Any, reason: str, at: dt.datetime, *, again: bool) -> str:
    """The line of the story: who, what, how it ended and on what evidence, why."""
    words = f"{'Reopened' if again else incident.get_state_display()} by {by.get_full_name() or by.get_username()}"
    if incident.acknowledged_until:
        words += f" until {incident.acknowledged_until.astimezone(dt.UTC):%d %b %H:%M} UTC"
    if incident.state == "resolved":
        proof = resolving.evidence(incident=incident, at=at) or "no good copy newer than the opening was known"
        words += f" ({incident.get_resolution_display()}; {incident.get_cause_category_display()}; {proof.rstrip('.')})"
    return words + (f": {reason}" if reason else "")


def note(*, incident: Incident, text: str, by: Any, at: dt.datetime) -> IncidentEntry:
    """Write a line into the timeline; raises NotPossible for an empty one."""
    if not text.strip():
        raise NotPossible("The note is empty.")
    return IncidentEntry.objects.create(incident=incident, at=at, kind="note", text=text.strip(), by=by)
