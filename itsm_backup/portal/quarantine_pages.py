"""What of a tool could not be read: why, what became of it when it was read again, and what reading it again would come to now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.safestring import SafeString

from catalogue.refusing import NotAllowed
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import STATUSES, instant, many, person
from monitoring import rereading
from monitoring.models import QuarantinedRecord, QuarantineReading, Tool
from monitoring.rereading import Reread

MOST_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class StoryRow:
    at: SafeString
    by: str
    readers: str
    told: str
    run: int | None


@dataclass(frozen=True, kw_only=True)
class RecordRow:
    id: int
    reason: str
    excerpt: str
    came: SafeString
    read_at: SafeString | str
    end: str
    story: tuple[StoryRow, ...]


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    record: int
    before: str
    after: str
    verdict: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class TrialShown:
    sentence: str
    rows: tuple[TrialRow, ...]
    more: int
    left_out: int
    services: tuple[tuple[str, str, tuple[str, str], tuple[str, str]], ...]


@dataclass(frozen=True, kw_only=True)
class QuarantinePage:
    tool: str
    name: str
    sentence: str
    waiting: tuple[RecordRow, ...]
    more: int
    read: tuple[RecordRow, ...]
    trial: TrialShown | None
    may_read: bool
    why_not: str


def quarantine_page(*, tool: Tool, user: Any, moment: Moment, tried: bool) -> QuarantinePage:
    """What waits and what could be read since, newest first; with `tried`, what reading what waits again would come to."""
    rows = QuarantinedRecord.objects.filter(tool=tool, created_at__lte=moment.at).order_by("-created_at", "-pk")
    open_then = rows.filter(Q(resolved_at=None) | Q(resolved_at__gt=moment.at))
    count, read = open_then.count(), rows.filter(resolved_at__lte=moment.at).order_by("-resolved_at", "-pk")[: MOST_ROWS // 4]
    why_not = _refusal(tool, user)
    may_read = not why_not and not moment.past and count > 0
    stories = _stories([*open_then[:MOST_ROWS], *read], moment)
    return QuarantinePage(
        tool=tool.name, name=str(tool), sentence=_sentence(count), waiting=_shown(open_then[:MOST_ROWS], stories, moment),
        more=max(0, count - MOST_ROWS), read=_shown(read, stories, moment), may_read=may_read, why_not="" if moment.past else why_not,
        trial=trial_shown(rereading.preview(tool=tool, by=user, at=moment.at)) if tried and may_read else None,
    )  # fmt: skip


def _refusal(tool: Tool, user: Any) -> str:
    try:
        rereading.check_reader(tool, user)
    except NotAllowed as error:
        return str(error)
    return ""


def _sentence(count: int) -> str:
    if not count:
        return "Everything that it said could be read."
    return f"{many(count, 'record')} could not be read. What stood beside {'it' if count == 1 else 'them'} in the same answer was."


def _stories(rows: Any, moment: Moment) -> dict[int, list[QuarantineReading]]:
    found: dict[int, list[QuarantineReading]] = {}
    told = (
        QuarantineReading.objects.filter(record__in=[row.pk for row in rows], at__lte=moment.at).select_related("by").order_by("at", "pk")
    )
    for one in told:
        found.setdefault(one.record_id, []).append(one)
    return found


def _shown(rows: Any, stories: dict[int, list[QuarantineReading]], moment: Moment) -> tuple[RecordRow, ...]:
    return tuple(
        RecordRow(
            id=row.pk, reason=row.reason, excerpt=row.excerpt, came=instant(row.created_at),
            read_at=instant(row.resolved_at) if row.resolved_at and row.resolved_at <= moment.at else "",
            end="set aside" if row.set_aside else "read",
            story=tuple(
                StoryRow(at=instant(one.at), by=person(one.by) if one.by else "by itself", readers=one.readers, told=one.told, run=one.run)
                for one in stories.get(row.pk, [])
            ),
        )
        for row in rows
    )  # fmt: skip


def trial_shown(found: Reread) -> TrialShown:
    """What reading again comes to, as the page shows it."""
    rows = tuple(
        TrialRow(record=one.record, before=one.before, after=one.after, verdict=_verdict(one.readable)) for one in found.lines[:MOST_ROWS]
    )
    return TrialShown(
        sentence=rereading.sentence(found), rows=rows, more=len(found.lines) - len(rows), left_out=found.left_out,
        services=tuple((one["code"], one["name"], _status(one["before"]), _status(one["after"])) for one in found.services),
    )  # fmt: skip


def _verdict(readable: bool) -> tuple[str, str]:
    return ("kept", "Can be read") if readable else ("no_data", "Still waits")


def _status(word: str) -> tuple[str, str]:
    words, verdict = STATUSES[word]
    return ("broken" if verdict == "outage" else verdict), words
