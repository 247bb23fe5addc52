"""What is said of a major incident wherever it is named: its state, who leads it, and when people are told again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incidents import publishing_status
from incidents.models import Audience, Incident, MajorIncident, MajorUpdate
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import clock_within, person


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
    told: tuple[str, Link, str] | None  # when people were last told, the update, whom
    doing: str  # what was said to be done


def state_then(row: MajorIncident, moment: Moment) -> str:
    """The state; in the past, only what instants on record prove."""
    if not moment.past:
        return str(row.get_state_display())
    for instant, words in ((row.closed_at, "Closed"), (row.resolved_at, "Resolved"), (row.declared_at, "Declared")):
        if instant and instant <= moment.at:
            return words
    return "Candidate"


def due_of(row: MajorIncident, moment: Moment) -> Due | None:
    """When people are told again; None in the past, and where nothing is due."""
    if moment.past or row.next_update_at is None:
        return None
    left_s = (row.next_update_at - moment.at).total_seconds()
    if left_s < 0:
        return Due(words=f"{clock_within(row.next_update_at, moment)}, {duration_words(-left_s)} overdue", verdict="broken")
    return Due(
        words=f"{clock_within(row.next_update_at, moment)}, in {duration_words(left_s)}", verdict="kept" if left_s > 600 else "at_risk"
    )


def verdict_class(due: Due) -> str:
    return {"broken": "bad", "at_risk": "risk"}.get(due.verdict, "")


def lead_of(*, incident: Incident, user: Any, moment: Moment) -> Lead | None:
    """Of the newest major incident that was not rejected; None where it is none. Its words are what the user may read."""
    rows = MajorIncident.objects.filter(incident=incident, proposed_at__lte=moment.at).exclude(state="rejected")
    row = rows.select_related("manager", "communications_lead").order_by("-pk").first()
    if row is None:
        return None
    read = publishing_status.readable_by(user)
    update = row.updates.filter(sent_at__lte=moment.at, audiences__overlap=read).order_by("-sent_at", "-number").first()
    return Lead(
        link=Link(row.number, moment.href("major", row.number)),
        state=state_then(row, moment),
        manager=person(row.manager) if row.manager and not moment.past else "",
        lead=person(row.communications_lead) if row.communications_lead and not moment.past else "",
        due=due_of(row, moment),
        told=_last_told(row, update, read, moment),
        doing=update.words if update else "",
    )


def _last_told(row: MajorIncident, update: MajorUpdate | None, read: list[Audience], moment: Moment) -> tuple[str, Link, str] | None:
    if update is None or update.sent_at is None:
        return None
    link = Link(f"{update.get_kind_display()} {update.number}", moment.href("major_update", row.number, update.number))
    return clock_within(update.sent_at, moment), link, ", ".join(Audience(one).label.lower() for one in update.audiences if one in read)
