"""Who leads a major incident: declared with a manager and a communications lead, moved through its states, told of in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet

from catalogue.duties import names
from incidents import announcing, owing
from incidents.models import Incident, IncidentEntry, MajorAppointment, MajorIncident
from incidents.models.major import LONGEST_MIN, SHORTEST_MIN, TRANSITIONS
from incidents.working import NotPossible

DECLARE = "incidents.declare_majorincident"
WORK = "incidents.change_incident"
CLOSURE_WITHIN, CLOSURE_AGAIN = dt.timedelta(days=2), dt.timedelta(days=1)
PARTS = MajorAppointment.Part
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def name_of(person: Any) -> str:
    return str(person.get_full_name() or person.get_username())


def _holding(permission: str) -> QuerySet[Any]:
    people = get_user_model().objects.with_perm(permission, backend=_BACKEND, include_superusers=False)
    return people.filter(is_active=True).order_by("first_name", "last_name", "username")


def leaders() -> QuerySet[Any]:
    """People who may declare and lead major incidents; superusers, who may do anything, are not offered."""
    return _holding(DECLARE)


def communicators() -> QuerySet[Any]:
    """People who may be communications lead: who works on incidents."""
    return _holding(WORK)


def names_of(permission: str, but: Sequence[int] = ()) -> str:
    """Who else than these holds it, in words; empty for nobody."""
    return names(_holding(permission).exclude(pk__in=but)[:6])


def interval_for(priority: str) -> int:
    """How often people are told of an incident of this priority, in minutes, unless another interval is chosen."""
    return 30 if priority == "P1" else 60


@transaction.atomic
def declare(
    *, major: MajorIncident, manager: Any, communications_lead: Any, interval_min: int | None, by: Any, at: dt.datetime, reason: str = ""
) -> MajorIncident:
    """It is a major incident, led by these two people and told of at the interval (None: that of its priority).

    Raises NotPossible for what is no candidate, for who may not lead or see it, for an interval that is none, and without a
    reason for another one than that of its priority.
    """
    major = locked(major)
    _check_step(major, "declared", "")
    people = {PARTS.MANAGER: manager, PARTS.COMMUNICATIONS_LEAD: communications_lead}
    _check_people(major, people)
    major.manager, major.communications_lead = manager, communications_lead
    usual = interval_for(major.incident.priority)
    major.interval_min = _checked(usual if interval_min is None else interval_min)
    if major.interval_min != usual and not reason.strip():
        raise NotPossible(f"Say why people are told every {interval_min} minutes. For {major.incident.priority} it is every {usual}.")
    major.state, major.declared_at, major.updated_at = "declared", at, at
    due_next(major=major, since=at)
    major.save()
    Incident.objects.filter(pk=major.incident_id).update(studied_at=None)  # one that was major is a reason to seek what is behind it
    _keep(major, people, by, "", at)
    words = f"Declared a major incident by {name_of(by)}: led by {name_of(manager)}, told of by {name_of(communications_lead)}"
    why = f": {reason.strip()}" if major.interval_min != usual else ""
    tell(major, f"{words}, every {major.interval_min} minutes{why}", by, at)
    announcing.announce_major(major=major, kind="declared", people=[manager, communications_lead], at=at)
    return major


def due_next(*, major: MajorIncident, since: dt.datetime | None) -> None:
    """The next update is due one interval after `since`; None: nothing is due any more. The caller saves it."""
    if since is None or major.interval_min is None:
        major.next_update_at = major.remind_at = None
        return
    wait = CLOSURE_WITHIN if major.state in ("resolved", "review") else dt.timedelta(minutes=major.interval_min)
    major.next_update_at = major.remind_at = since + wait


@transaction.atomic
def move(*, major: MajorIncident, to: str, reason: str, by: Any, at: dt.datetime) -> MajorIncident:
    """Reject it, mitigate, resolve, go back, review, close; what is resolved owes a review.

    Raises NotPossible for a step that is none, or that lacks what it stands on.
    """
    major = locked(major)
    if to == "declared":
        raise NotPossible("Name the manager and the communications lead to declare it.")
    _check_step(major, to, reason.strip())
    before, major.state, major.updated_at = major.state, to, at
    if to == "rejected":
        major.rejection = reason.strip()
    if to == "resolved":
        major.resolved_at = at
    if to == "mitigating" and before == "resolved":
        major.resolved_at = None
    if to == "resolved" or (before, to) == ("resolved", "mitigating"):  # another step leaves what is due, or was told, as it is
        due_next(major=major, since=at)
    if to == "resolved":
        owing.owe(incident=Incident.objects.select_for_update(of=("self",)).get(pk=major.incident_id), at=at, required=True)
    if to == "closed":
        major.closed_at = at
        due_next(major=major, since=None)
    major.save()
    step = f"{major.number}: {major.get_state_display().lower()}, by {name_of(by)}"
    tell(major, step + (f": {reason.strip()}" if reason.strip() else ""), by, at)
    return major


@transaction.atomic
def appoint(*, major: MajorIncident, part: str, person: Any, reason: str, by: Any, at: dt.datetime) -> MajorIncident:
    """Somebody else takes a part over, with a reason. Raises NotPossible where nobody leads it, or for who may not."""
    major = locked(major)
    _check_led(major)
    if part not in PARTS:
        raise NotPossible("Choose which part is taken over.")
    if not reason.strip():
        raise NotPossible(f"Say why {name_of(person)} takes it over.")
    if getattr(major, f"{part}_id") == person.pk:
        raise NotPossible(f"{name_of(person)} has that part already.")
    now_in_it = {PARTS.MANAGER: major.manager, PARTS.COMMUNICATIONS_LEAD: major.communications_lead, PARTS(part): person}
    _check_people(major, now_in_it)
    setattr(major, part, person)
    major.updated_at = at
    major.save()
    _keep(major, {part: person}, by, reason.strip(), at)
    tell(major, f"{PARTS(part).label} from now on: {name_of(person)}: {reason.strip()}", by, at)
    announcing.announce_major(major=major, kind="declared", people=[person], at=at)
    return major


@transaction.atomic
def set_interval(*, major: MajorIncident, interval_min: int, reason: str, by: Any, at: dt.datetime) -> MajorIncident:
    """People are told at another interval; what is due next follows. Raises NotPossible without a reason or outside the limits."""
    major = locked(major)
    _check_led(major)
    if major.state not in ("declared", "mitigating"):
        raise NotPossible(f"{major.number} is {major.get_state_display().lower()}: only the message that closes it is due.")
    if not reason.strip():
        raise NotPossible("Say why people are told at another interval.")
    before, major.interval_min = major.interval_min or 0, _checked(interval_min)
    if major.next_update_at:
        due_next(major=major, since=major.next_update_at - dt.timedelta(minutes=before))
    major.updated_at = at
    major.save()
    tell(major, f"Told of every {interval_min} minutes, was {before}: {reason.strip()}", by, at)
    return major


def is_told_over(major: MajorIncident) -> bool:
    """Whether people were told that it is over, since it was resolved last: what came back is told of again, and ends again."""
    if major.resolved_at is None:
        return False
    return major.updates.filter(kind="closure", state="sent", sent_at__gte=major.resolved_at).exists()


def tell(major: MajorIncident, text: str, by: Any, at: dt.datetime) -> None:
    """A line of the incident's story."""
    IncidentEntry.objects.create(incident=major.incident, at=at, kind="major", text=text, by=by)


def locked(major: MajorIncident) -> MajorIncident:
    """The row, locked, with its incident and who leads it."""
    return (
        MajorIncident.objects.select_for_update(of=("self",)).select_related("incident", "manager", "communications_lead").get(pk=major.pk)
    )


def _check_step(major: MajorIncident, to: str, reason: str) -> None:
    needs_reason = TRANSITIONS.get((major.state, to))
    if needs_reason is None:
        raise NotPossible(f"{major.number} is {major.get_state_display().lower()}. Choose one of the steps that are offered.")
    if needs_reason and not reason:
        raise NotPossible(f"Say why {major.number} becomes {MajorIncident.State(to).label.lower()}.")
    if to == "closed":
        _check_closing(major)
    if to == "resolved" and major.incident.is_open:
        raise NotPossible(f"{major.incident.number} is still open. Evidence ends it, or a person with a reason.")


def _check_closing(major: MajorIncident) -> None:
    """Raises NotPossible until people were told that it is over, and its review is published."""
    if not is_told_over(major):
        raise NotPossible("Whoever was told of it has to be told that it is over: write the closing message, and have it approved.")
    if not owing.is_complete(major.incident):
        raise NotPossible(f"The review of {major.incident.number} is not published yet. That comes first.")


def _check_led(major: MajorIncident) -> None:
    if major.manager_id is None or not major.is_live:
        raise NotPossible(f"{major.number} is {major.get_state_display().lower()}: nobody leads it.")


def _checked(interval_min: int) -> int:
    if not SHORTEST_MIN <= interval_min <= LONGEST_MIN:
        raise NotPossible(f"People are told every {SHORTEST_MIN} to {LONGEST_MIN} minutes.")
    return interval_min


def _check_people(major: MajorIncident, people: dict[Any, Any]) -> None:
    """Raises NotPossible unless both are named, differ, may do their part and see the incident."""
    if any(person is None for person in people.values()):
        raise NotPossible("Name both: who leads it, and who tells people of it.")
    if len({person.pk for person in people.values()}) < len(people):
        raise NotPossible("Name two people: who leads a major incident has no time to tell of it.")
    able = {PARTS.MANAGER: leaders(), PARTS.COMMUNICATIONS_LEAD: communicators()}
    for part, person in people.items():
        may_see = Incident.objects.visible_to(person).filter(pk=major.incident_id).exists()
        if not able[part].filter(pk=person.pk).exists() or not may_see:
            raise NotPossible(f"{name_of(person)} may not be {PARTS(part).label.lower()} here. Name somebody else.")


def _keep(major: MajorIncident, people: dict[Any, Any], by: Any, reason: str, at: dt.datetime) -> None:
    rows = [MajorAppointment(major=major, part=part, person=person, at=at, by=by, reason=reason) for part, person in people.items()]
    MajorAppointment.objects.bulk_create(rows)
