"""The status of a service: how it stands, what is computed, and what people set by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue import duties
from catalogue.models import ServiceVersion, StatusOverride
from itsm_backup.portal.affected import told_affected, why_affected, with_cause
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.standing import standings
from itsm_backup.portal.words import STATUSES, instant, person
from monitoring import telling
from monitoring.telling import Standing

SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class OverrideRow:
    pk: int
    status: str
    words: str
    reason: str
    owner: str
    made: SafeString
    made_by: str
    until: SafeString
    state: str
    standing: bool


@dataclass(frozen=True, kw_only=True)
class StatusPage:
    code: str
    name: str
    status: str
    sentence: str
    affected: SafeString | str  # what reaches it from a provider
    why_affected: str
    computed: str  # the status without what was set by hand, in words
    why: str
    standing: OverrideRow | None
    rows: tuple[OverrideRow, ...]
    may_set: bool
    why_not: str
    choices: tuple[tuple[str, str], ...]
    typed: dict[str, str]
    problems: tuple[str, ...]


def status_page(
    *, version: ServiceVersion, user: Any, moment: Moment, typed: dict[str, str] | None = None, problems: tuple[str, ...] = ()
) -> StatusPage:
    """The page of a version in force; a fixed number of queries."""
    service = version.service
    told = telling.standing_of(service, moment.at)
    known = StatusOverride.objects.filter(service=service, made_at__lte=moment.at).select_related("owner", "made_by", "ended_by")
    rows = tuple(_row(row, moment) for row in known[:SHOWN])
    why_not = duties.refusal(by=user, act="override", on=service, at=moment.now)
    standing = next((row for row in rows if row.standing), None)
    status, sentence, computed = _told(told)
    reached = with_cause(standings(user, moment, {}).filter(pk=version.pk), user, moment).first()
    return StatusPage(
        code=service.code,
        name=version.name,
        status=status,
        sentence=sentence,
        affected=told_affected(reached, moment) if reached else "",
        why_affected=why_affected(reached, moment) if reached else "",
        computed=computed,
        why=moment.href("explain", "evaluation", told.evaluation.pk) if told.evaluation else "",
        standing=standing,
        rows=rows,
        may_set=not why_not and not moment.past,
        why_not=why_not,
        choices=tuple((each.value, each.label) for each in StatusOverride.SETTABLE),
        typed=typed or {},
        problems=problems,
    )


def _told(told: Standing) -> tuple[str, str, str]:
    """The status, why it is so, and what it would be without a word of a person."""
    if told.override is None:
        return told.status, told.sentence, ""
    by_hand = f"{person(told.override.owner)} set it by hand: {told.override.reason}"
    return told.status, by_hand, f"{STATUSES[told.computed][0]}. {told.sentence}"


def _row(row: StatusOverride, moment: Moment) -> OverrideRow:
    ended = row.ended_at is not None and row.ended_at <= moment.at
    standing = not ended and row.expires_at > moment.at
    state = f"ended by {person(row.ended_by)}" if ended else "holds" if standing else "expired"
    return OverrideRow(
        pk=row.pk, status=row.status, words=row.get_status_display(), reason=row.reason, owner=person(row.owner), made=instant(row.made_at),
        made_by=person(row.made_by), until=instant(row.ended_at if ended and row.ended_at else row.expires_at), state=state,
        standing=standing,
    )  # fmt: skip
