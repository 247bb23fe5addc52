"""Where the copies of a service lie, and what that comes to (BM-32110): measured copies, what people declared, and what nobody said."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Q

from itsm_backup.common.time import duration_words, iso
from monitoring.methods import measure
from monitoring.models import Repository

FRESH_DAYS = 30  # a check counts for so long where no cadence of restore tests is promised
PARTS = ("copies", "media", "offsite", "offline_or_immutable", "zero_errors")
NAMES = {
    "copies": "Copies", "media": "Media", "offsite": "Off-site", "offline_or_immutable": "Offline or locked", "zero_errors": "No errors",
}  # fmt: skip


class Part(msgspec.Struct, kw_only=True):
    """One number of the scheme: `answer` is None where it is not known; `run` is the check that it rests on."""

    key: str
    name: str
    asked: str
    answer: bool | None
    told: str
    run: int | None = None


class Place(msgspec.Struct, kw_only=True):
    """One repository that holds copies of the service. `declared` is what a person said of it, or None."""

    tool: int
    tool_name: str
    name: str
    newest_at: dt.datetime | None  # capture of the newest copy of the item that has the oldest one; None: a copy is missing
    written: bool  # by jobs of this service; else declared to hold every copy of another
    declared: Any = None

    @property
    def words(self) -> str:
        return f"{self.name or 'unnamed repository'} of {self.tool_name}"


class Placed(msgspec.Struct, kw_only=True):
    """What the scheme comes to. `passed` parts of `parts` are met; `why` says why nothing was counted."""

    parts: list[Part]
    places: list[Place]
    why: str = ""

    @property
    def passed(self) -> int:
        return sum(part.answer is True for part in self.parts)

    @property
    def status(self) -> str:
        answers = [part.answer for part in self.parts]
        return "broken" if False in answers else "kept" if answers and None not in answers else "no_data"


def least_of(scheme: str) -> dict[str, int]:
    """The numbers of `3-2-1-1-0`, `3-2-1` or `2 copies` by part; empty for anything else."""
    found = re.fullmatch(r"\s*(\d{1,2}(?:-\d{1,2}){0,4})(?:\s+copies)?\s*", scheme)
    return dict(zip(PARTS, map(int, found[1].split("-")), strict=False)) if found else {}


def placed_of(
    items: Sequence[tuple[Any, ...]], said: Mapping[tuple[int, str], Any], *, scheme: str, fresh_days: int | None, at: dt.datetime
) -> Placed:
    """Each part of the scheme for the service that stands worst by it. `said` is what `declared` gave.

    Of each item its tool, the tool's name, the repository, its newest copy that can be restored, and the newest check or restore that
    came to a result: run, instant, operation, whether it was good.
    """
    least = least_of(scheme)
    if not least:
        return Placed(parts=[], places=[], why=f"“{scheme}” is not written in numbers, such as 3-2-1-1-0")
    if not items:
        return Placed(parts=[], places=[], why="No job is mapped")
    grouped = groups(items, said)
    if not any(place.newest_at for group in grouped for place in group):
        return Placed(parts=[], places=[place for group in grouped for place in group], why="No copy that can be restored is known")
    checks = _checks(items)
    asked = {"at": iso(at), "production_site": "production", "count_production": True, "least": least, "verifications": checks}
    asked["verification_max_age_days"] = fresh_days or FRESH_DAYS
    bounds = [_bounds(group, asked) for group in grouped]
    told = _Told(groups=grouped, items=items, fresh_days=fresh_days or FRESH_DAYS, at=at)
    parts = [_part(key, number, bounds, told) for key, number in least.items()]
    return Placed(parts=parts, places=[place for group in grouped for place in group])


def groups(items: Iterable[tuple[Any, ...]], said: Mapping[tuple[int, str], Any]) -> list[list[Place]]:
    """The places of each set of copies: the repository that jobs write to first, then those that hold every copy of it.

    Of each item its tool, the tool's name, the repository and the newest copy; `said` is what `declared` gave.
    """
    written: dict[tuple[int, str], Place] = {}
    for tool, tool_name, name, captured_at, *_ in items:
        known = written.get((tool, name))
        if known is None:
            written[tool, name] = Place(
                tool=tool, tool_name=tool_name, name=name, newest_at=captured_at, written=True, declared=said.get((tool, name))
            )
        else:
            known.newest_at = min(known.newest_at, captured_at) if known.newest_at and captured_at else None
    by_id = {row.id: row for row in said.values()}
    found: dict[Any, list[Place]] = defaultdict(list)
    for place in written.values():
        found[_root(place.declared, by_id) if place.declared else (place.tool, place.name)].append(place)
    for row in said.values():
        root = _root(row, by_id)
        if row.copy_of_id and root in found and (row.tool_id, row.name) not in written:
            first = found[root][0]
            found[root].append(
                Place(tool=row.tool_id, tool_name=str(row.tool), name=row.name, newest_at=first.newest_at, written=False, declared=row)
            )
    return list(found.values())


def declared(tools: Iterable[int], known_at: dt.datetime) -> dict[tuple[int, str], Any]:
    """What was said of repositories by then, with who said it: of these tools, and of others to which they copy."""
    near_by = Q(tool__in=set(tools)) | Q(copy_of__isnull=False)
    rows = Repository.history.filter(near_by, history_date__lte=known_at)
    rows = rows.order_by("id", "-history_date", "-history_id").distinct("id")
    found = {row.id: row for row in rows.select_related("history_user", "tool") if row.history_type != "-"}
    near = {pk for pk, row in found.items() if row.tool_id in set(tools)}
    return {(row.tool_id, row.name): row for pk, row in found.items() if pk in near or _root(row, found) in near}


def _root(row: Any, by_id: Mapping[int, Any]) -> int:
    """The repository of which all in this chain hold copies."""
    for _ in range(10):
        above = by_id.get(row.copy_of_id or 0)
        if above is None:
            break
        row = above
    return int(row.id)


def _checks(items: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The newest check of each item; where one found errors, no other makes up for it."""
    found = [{"at": iso(row[5]), "errors": 0 if row[7] else 1} for row in items if row[4]]
    return [check for check in found if check["errors"]] or found


def _bounds(group: list[Place], asked: dict[str, Any]) -> tuple[dict[str, bool], dict[str, bool]]:
    """BM-32110 with everything that nobody said at its worst, and at its best: where both agree, it is known."""
    worst = [_copy(place, n, group, hopeful=False) for n, place in enumerate(group)]
    best = [_copy(place, n, group, hopeful=True) for n, place in enumerate(group)]
    if not any(place.declared for place in group):  # nobody said whether its storage copies it on
        best += [{**best[0], "media": f"not said {n}"} for n in (1, 2)]
    damaged = any(check["errors"] for check in asked["verifications"])
    hoped = asked["verifications"] if damaged else [{"at": asked["at"], "errors": 0}]  # what was never compared may be right
    return measure("BM-32110", {**asked, "copies": worst}), measure("BM-32110", {**asked, "copies": best, "verifications": hoped})


def _copy(place: Place, number: int, group: list[Place], *, hopeful: bool) -> dict[str, Any]:
    """The newest copy in a place as the method reads it."""
    said = place.declared
    known = next((one.declared.medium for one in group if one.declared and one.declared.medium), "not said")
    medium = (said.medium if said else "") or (f"not said {number}" if hopeful else known)
    away = said.is_offsite if said and said.is_offsite is not None else hopeful
    lock_days = said.lock_days if said and said.lock_days is not None else 36_500 if hopeful else 0
    until = place.newest_at + dt.timedelta(days=lock_days) if place.newest_at and lock_days else None
    return {
        "media": medium,
        "site": "elsewhere" if away else "production",
        "status": "ok" if place.newest_at else "missing",
        "offline": said.is_offline if said and said.is_offline is not None else hopeful,
        "immutable_until": iso(until) if until else None,
    }


class _Told(msgspec.Struct, kw_only=True):
    groups: list[list[Place]]
    items: Sequence[tuple[Any, ...]]
    fresh_days: int
    at: dt.datetime


_ASKED = {
    "copies": "At least {}, production counts", "media": "At least {}", "offsite": "At least {}", "offline_or_immutable": "At least {}",
    "zero_errors": "{} in the newest check",
}  # fmt: skip


def _part(key: str, number: int, bounds: list[tuple[dict[str, bool], dict[str, bool]]], told: _Told) -> Part:
    """One part for the set of copies that stands worst by it."""
    answers = [worst[key] if worst[key] == best[key] else None for worst, best in bounds]
    answer = False if False in answers else None if None in answers else True
    words, run = _no_errors(told) if key == "zero_errors" else (_evidence(key, told.groups[answers.index(answer)], told.at), None)
    return Part(key=key, name=NAMES[key], asked=_ASKED[key].format(number), answer=answer, told=words, run=run)


def _evidence(key: str, group: list[Place], at: dt.datetime) -> str:
    if key == "copies":
        told = ["Production", *(_copy_words(place, at) for place in group)]
        unsaid = "" if any(place.declared for place in group) else ". Nobody said whether its storage copies it on"
        return f"{', '.join(told)}{unsaid}"
    return "; ".join(f"{place.words}: {', '.join(_said(key, place))}" for place in group)


def _copy_words(place: Place, at: dt.datetime) -> str:
    if not place.written:
        return f"{place.words} (declared, seen by no tool)"
    age = f"newest copy {duration_words((at - place.newest_at).total_seconds())} old" if place.newest_at else "a copy is missing"
    return f"{place.words} ({age})"


def _said(key: str, place: Place) -> Iterator[str]:
    said = place.declared
    if key == "media":
        yield said.get_medium_display() if said and said.medium else "medium not declared"
    elif key == "offsite":
        where = f", {said.site}" if said and said.site else ""
        yield f"{_yes(said and said.is_offsite, 'off-site', 'on the same site')}{where}"
    else:
        yield _yes(said and said.is_offline, "offline", "online")
        lock = said.lock_days if said else None
        yield "lock not declared" if lock is None else f"locked for {lock} days" if lock else "not locked"


def _yes(answer: bool | None, yes: str, no: str) -> str:
    return f"{yes} not declared" if answer is None else yes if answer else no


def _no_errors(told: _Told) -> tuple[str, int | None]:
    checks = [row for row in told.items if row[4]]
    if not checks:
        return "No check and no restore test that compared anything is known", None
    _, _, _, _, run, happened_at, operation, good = max(checks, key=lambda row: (not row[7], row[5]))
    what = "Restore test" if operation == "restore_test" else "Check"
    age = duration_words((told.at - happened_at).total_seconds())
    return f"{what} {age} ago {'found no error' if good else 'found errors'}; it counts for {told.fresh_days} days", run
