"""The register of everything that is silenced, paused, left out or overridden, with the exposure meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue.deviating import CODES
from incidents import exposing, muting
from incidents.exposing import Exposure
from incidents.muting import Mute
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import names_of
from itsm_backup.portal.words import instant, many, person

MOST = 200


@dataclass(frozen=True, kw_only=True)
class MuteRow:
    """`mark` and `exposure` are empty on a page of the past: the copies of the present say nothing of it."""

    kind: str
    what: str
    href: str
    effect: str
    owner: str
    reason: str
    since: SafeString
    until: SafeString | None
    mark: tuple[str, str] | None
    exposure: str


@dataclass(frozen=True, kw_only=True)
class MutedPage:
    sentence: str
    counts: tuple[tuple[str, int], ...]
    rows: tuple[MuteRow, ...]
    more: int
    endless: int


def muted_page(*, user: Any, moment: Moment) -> MutedPage:
    """What the person may see of it at the moment; a fixed number of queries."""
    found = muting.mutes(user=user, at=moment.at)
    shown = found[:MOST]
    names = names_of((pk for one in shown for pk in one.services), moment)
    told = [None] * len(shown) if moment.past else exposing.exposures(shown, at=moment.at)
    counts = Counter(one.kind for one in found)
    endless = sum(one.until is None for one in found)
    return MutedPage(
        sentence=_sentence(found, told, moment),
        counts=tuple((words, counts[kind]) for kind, words in muting.KINDS.items() if counts[kind]),
        rows=tuple(_row(one, exposure, names, moment) for one, exposure in zip(shown, told, strict=True)),
        more=len(found) - len(shown),
        endless=endless,
    )


def _sentence(found: list[Mute], told: list[Any], moment: Moment) -> str:
    if not found:
        return "Nothing was muted." if moment.past else "Nothing is muted."
    past = sum(bool(one and one.past) for one in told)
    verb = "was" if moment.past else "is"
    head = f"{many(len(found), 'exception')} {verb if len(found) == 1 else 'were' if moment.past else 'are'} in force"
    if not past:
        return f"{head}."
    return f"{head}, {past} of them over services whose copies are older than promised."


def _row(one: Mute, exposure: Exposure | None, names: Mapping[int, str], moment: Moment) -> MuteRow:
    return MuteRow(
        kind=muting.KINDS[one.kind], what=told_what(one, names), href=_href(one, moment), effect=muting.EFFECTS[one.kind],
        owner=person(one.owner) if one.owner else "nobody is on record", reason=one.reason, since=instant(one.since),
        until=instant(one.until) if one.until else None, mark=_mark(exposure), exposure=_exposed(exposure),
    )  # fmt: skip


def told_what(one: Mute, names: Mapping[Any, str]) -> str:
    """A service by its name; what else there is as its fact says it."""
    if one.kind in ("maintenance", "status", "deviation", "hold"):
        _, _, rest = one.what.partition(": ")
        name = names.get(one.services[0], one.row.service.code)
        if one.kind == "deviation":
            return f"{name}: {CODES[one.row.code]}"
        return f"{name}: {rest.replace('_', ' ').lower()}" if rest else name
    return one.what


def _href(one: Mute, moment: Moment) -> str:
    row = one.row
    if one.kind in ("maintenance", "hold"):
        return moment.href("service", row.service.code)
    if one.kind == "status":
        return moment.href("status", row.service.code)
    if one.kind == "deviation":
        return moment.href("commitment", row.service.code)
    if one.kind == "tool":
        return moment.href("tool", row.name)
    if one.kind in ("incident", "problem", "risk"):
        return moment.href("incident" if one.kind == "incident" else "problem", row.number)
    if one.kind == "scope":
        return moment.href("scope_line", row.line_id)
    return moment.href("duties") if one.kind == "duties" else moment.href("escalation")


def _mark(exposure: Exposure | None) -> tuple[str, str] | None:
    if exposure is None or not exposure.words:
        return None
    if exposure.services == 1:
        return ("broken", "Past its promise") if exposure.past else ("kept", "Within its promise")
    told = f"{exposure.past} of {many(exposure.services, 'service')} past their promise"
    return ("broken", told) if exposure.past else ("kept", f"{many(exposure.services, 'service')} within their promise")


def _exposed(exposure: Exposure | None) -> str:
    if exposure is None:
        return ""
    parts = [f"{'Worst: ' if exposure.services > 1 else ''}{exposure.words}" if exposure.words else ""]
    parts += [f"{many(exposure.excused, 'due run')} excused so far" if exposure.excused else ""]
    told = "; ".join(filter(None, parts))
    return told[:1].upper() + told[1:]
