"""What is said of a major incident wherever it is named: its state, who leads it, and when people are told again."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from incidents import announcing, publishing_status
from incidents.models import Audience, Incident, IncidentEntry, MajorAppointment, MajorIncident, MajorUpdate
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_told import MOST_TOLD, MessageRow
from itsm_backup.portal.words import clock, clock_within, person


@dataclass(frozen=True, kw_only=True)
class Due:
    """When people are told again, and whether that is late."""

    words: str
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Lead:
    """What the page of an incident says on top: that it is a major one, who leads it, and when people are told again."""

    link: Link
    state: str
    manager: str
    lead: str
    due: Due | None
    told: tuple[str, Link, str, str] | None  # when people were last told, the update, whom, and how many messages did not arrive yet
    doing: str  # what was said to be done
    messages: tuple[MessageRow, ...]  # the newest updates of any major incident of it, and how many of each a mail server took
    earlier: tuple[Link, ...]  # major incidents that it was before


def state_then(row: MajorIncident, moment: Moment, steps: dict[str, str] | None = None) -> str:
    """The state; in the past, as its steps in the story of the incident tell it: `steps` of many rows, or read here for this one."""
    if not moment.past:
        return str(row.get_state_display())
    told = (steps_then([row], moment) if steps is None else steps).get(row.number)
    if told:
        return told
    return "Declared" if row.declared_at and row.declared_at <= moment.at else "Candidate"


def steps_then(rows: Sequence[MajorIncident], moment: Moment) -> dict[str, str]:
    """By number, the state that each was moved to last by then; nothing of what was not moved since it was proposed or declared."""
    entries = IncidentEntry.objects.filter(incident__in=[row.incident_id for row in rows], kind="major", at__lte=moment.at)
    labels = {str(label).lower(): str(label) for label in MajorIncident.State.labels}
    found = {}
    for text in entries.filter(text__regex=_STEP.pattern).order_by("at", "pk").values_list("text", flat=True):
        if (step := _STEP.match(text)) and step[2] in labels:
            found[step[1]] = labels[step[2]]
    return found


_STEP = re.compile(r"^(MAJ-[0-9]+): ([a-z ]+), by ")  # how `leading.move` tells a step


def due_of(row: MajorIncident, moment: Moment) -> Due | None:
    """When people are told again; None where nothing is due."""
    due_at = due_then(row, moment) if moment.past else row.next_update_at
    if due_at is None:
        return None
    left_s = (due_at - moment.at).total_seconds()
    if left_s < 0:
        return Due(words=f"{clock_within(due_at, moment)}, {duration_words(-left_s)} overdue", verdict="broken")
    return Due(words=f"{clock_within(due_at, moment)}, in {duration_words(left_s)}", verdict="kept" if left_s > 600 else "at_risk")


def due_then(row: MajorIncident, moment: Moment) -> dt.datetime | None:
    """When people were to be told again, of one that went on then: as the newest update said, or an interval after it was declared."""
    if row.declared_at is None or state_then(row, moment) not in ("Declared", "Mitigating"):
        return None
    told = row.updates.filter(sent_at__lte=moment.at, kind="update").order_by("-sent_at", "-number").first()
    if told:
        return told.next_update_at
    if row.incident.entries.filter(kind="major", at__gt=moment.at, text__startswith="Told of every ").exists():
        return None  # it had another interval then
    return row.declared_at + dt.timedelta(minutes=row.interval_min or 0)


def verdict_class(due: Due) -> str:
    return {"broken": "bad", "at_risk": "risk"}.get(due.verdict, "")


def lead_of(*, incident: Incident, user: Any, moment: Moment) -> Lead | None:
    """Of the newest major incident that was not rejected; None where it is none. Its words are what the user may read.

    What people were told of it under an earlier one is told on: who decides about the newest has to know it.
    """
    known = MajorIncident.objects.filter(incident=incident, proposed_at__lte=moment.at).exclude(state="rejected")
    row, *earlier = known.select_related("manager", "communications_lead").order_by("-pk") or (None,)
    if row is None:
        return None
    read = publishing_status.readable_by(user)
    updates = list(_sent([row, *earlier], read, moment).select_related("major")[:MOST_TOLD])
    led = leaders_then(row, moment) if moment.past else {"manager": row.manager, "communications_lead": row.communications_lead}
    return Lead(
        link=Link(row.number, moment.href("major", row.number)),
        state=state_then(row, moment),
        manager=person(led["manager"]) if led.get("manager") else "",
        lead=person(led["communications_lead"]) if led.get("communications_lead") else "",
        due=due_of(row, moment),
        told=_last_told(row, updates[0], read, moment) if updates else None,
        doing=updates[0].words if updates and updates[0].major_id == row.pk else "",
        messages=tuple(message_of(one, read, moment, of="" if one.major_id == row.pk else one.major.number) for one in updates),
        earlier=tuple(Link(one.number, moment.href("major", one.number)) for one in earlier),
    )


def leaders_then(row: MajorIncident, moment: Moment) -> dict[str, Any]:
    """Who had which part then."""
    found = MajorAppointment.objects.filter(major=row, at__lte=moment.at).select_related("person").order_by("at", "pk")
    return {one.part: one.person for one in found}


def sent_updates(row: MajorIncident, read: list[Audience], moment: Moment) -> QuerySet[MajorUpdate]:
    """Those that an audience among these was told by then, newest first."""
    return _sent([row], read, moment)


def _sent(majors: Sequence[MajorIncident], read: list[Audience], moment: Moment) -> QuerySet[MajorUpdate]:
    rows = MajorUpdate.objects.filter(major__in=majors, sent_at__lte=moment.at, audiences__overlap=read)
    return with_taken(rows, moment).order_by("-sent_at", "-major", "-number")


def with_taken(rows: QuerySet[MajorUpdate], moment: Moment) -> QuerySet[MajorUpdate]:
    """Each with how many messages were `written`, how many of them a mail server had `taken` by then, and how many never leave us."""
    taken = Count("deliveries", filter=Q(deliveries__notice__sent_at__lte=moment.at))
    withheld = Count("deliveries", filter=Q(deliveries__notice__latest_error=announcing.REPLAYED))
    return rows.annotate(written=Count("deliveries"), taken=taken, withheld=withheld)


def message_of(update: Any, read: list[Audience], moment: Moment, *, of: str = "") -> MessageRow:
    """An update of `with_taken` as one message, `of` the major incident that is named with it."""
    verdict = "kept" if update.taken == update.written else "no_data" if update.withheld == update.written else "at_risk"
    name, words = f"{update.get_kind_display()} {update.number}" + (f" of {of}" if of else ""), whom(update, read)
    who = words[:1].upper() + words[1:]
    told = {"who": who, "how": name, "verdict": verdict, "became": taken_of(update)}
    return MessageRow(when=clock(update.sent_at, moment), at=update.sent_at, whole=True, **told)


def whom(update: MajorUpdate, read: list[Audience]) -> str:
    return ", ".join(Audience(one).label.lower() for one in update.audiences if one in read)


def _last_told(row: MajorIncident, update: Any, read: list[Audience], moment: Moment) -> tuple[str, Link, str, str] | None:
    if update.sent_at is None:
        return None
    of = update.major.number
    words = f"{update.get_kind_display()} {update.number}" + (f" of {of}" if of != row.number else "")
    link = Link(words, moment.href("major_update", of, update.number))
    arrived = "" if update.taken == update.written else f"{update.taken:,} of {update.written:,} sent"
    return clock_within(update.sent_at, moment), link, whom(update, read), arrived


def taken_of(update: Any) -> str:
    """How many messages of an update of `with_taken` arrived at a mail server, or that none was to."""
    if update.written and update.withheld == update.written:
        return announcing.REPLAYED.rstrip(".")
    return f"{update.taken:,} of {update.written:,} taken by the mail server"
