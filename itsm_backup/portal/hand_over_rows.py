"""Hand-overs in lists: who passes which duty on, and how far that was at the instant that a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Q, QuerySet, Value, When
from django.utils.safestring import SafeString

from catalogue import handing_over
from catalogue.models import HandOver, ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import instant, person


@dataclass(frozen=True, kw_only=True)
class HandOverRow:
    pk: int
    service: Link
    duty: str
    giver: str
    receiver: str
    asked: SafeString
    asked_by: str
    reason: str
    state: str
    answer: str
    version: Link | None
    team: bool  # the backups, from team to team
    mine: bool


def waiting_at(moment: Moment) -> QuerySet[HandOver]:
    """Those that were not answered by then."""
    return HandOver.objects.filter(Q(answered_at=None) | Q(answered_at__gt=moment.at))


def hand_over_rows(rows: Any, links: Mapping[int, Link], user: Any, moment: Moment, *, most: int) -> tuple[HandOverRow, ...]:
    """The newest ones that were asked by then, at most so many."""
    related = ("service", "giver", "receiver", "former_team", "team", "asked_by", "version")
    known = rows.filter(asked_at__lte=moment.at).select_related(*related)
    mine = Case(When(handing_over.asked_of(user), then=Value(True)), default=Value(False))
    return tuple(_row(row, links, user, moment) for row in known.annotate(mine=mine)[:most])


def _row(row: Any, links: Mapping[int, Link], user: Any, moment: Moment) -> HandOverRow:
    code = row.service.code
    state = "waits for an answer"
    answered = row.answered_at is not None and row.answered_at <= moment.at
    if answered:
        state = "accepted" if row.accepted else "declined"
        if row.accepted and row.version and (moment.past or row.version.state != "approved"):
            state = _way_of(row.version, moment)
    return HandOverRow(
        pk=row.pk, service=links.get(row.service_id, Link(code, moment.href("entry_ownership", code))), duty=row.get_duty_display(),
        giver=row.giving, receiver=row.receiving + (f", by {person(row.receiver)}" if row.team and row.receiver and answered else ""),
        asked=instant(row.asked_at), asked_by=person(row.asked_by), team=row.team is not None,
        reason=row.reason, state=state, answer=row.answer if answered else "",
        version=_version_link(row.version, code, moment) if answered and row.version else None,
        mine=row.mine and row.answered_at is None and not moment.past and not (row.team and row.asked_by_id == user.pk),
    )  # fmt: skip


def _way_of(version: ServiceVersion, moment: Moment) -> str:
    """How far the version that names the receiver is: accepting hands it in for review."""
    if not moment.past:
        return f"accepted; {version.get_state_display()} as"
    return "accepted" if _approved_by(version, moment) else "accepted; in review as"


def _approved_by(version: ServiceVersion, moment: Moment) -> bool:
    return version.approved_at is not None and version.approved_at <= moment.at


def _version_link(version: ServiceVersion, code: str, moment: Moment) -> Link:
    """Of the past only what was approved by then can be read."""
    readable = not moment.past or _approved_by(version, moment)
    return Link(f"version {version.number}", moment.href("version", code, version.number) if readable else "")
