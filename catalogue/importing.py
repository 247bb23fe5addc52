"""Entries from a sheet: every row is looked at first, with what is wrong in which column; what is good becomes a draft each."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models.functions import Lower

from catalogue import columns, comparing, duties, sheets, vocabulary, wording
from catalogue.comparing import COMMITMENT_FIELDS, CONTENT_FIELDS
from catalogue.drafting import RESERVED_CODES
from catalogue.models import Commitment, Service, ServiceVersion

_NEEDED = {"name": "a name", "tier": "a tier from 1 to 4", "commissioned_at": "the date from which its data exists"}


@dataclass
class Wish:
    """What is wanted for one entry: `values` are the fields that differ from the version in force (all that are said, for a new one)."""

    place: int
    code: str
    service: Service | None = None
    version: ServiceVersion | None = None
    values: dict[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    seen: str = ""  # the hash of the content that the wish was made about
    changed: Sequence[comparing.Change] | None = None

    @property
    def changes(self) -> Sequence[comparing.Change]:
        if self.changed is not None:
            return self.changed
        return [comparing.Change(name, self.before.get(name), value) for name, value in self.values.items()]


def may_import(user: Any) -> bool:
    """Whether the person may propose changes to any entry at all, or make new ones."""
    return user.is_active and (user.has_perm("catalogue.add_service") or Service.objects.visible_to(user, "change").exists())


def wishes(rows: Sequence[sheets.Row], *, by: Any, at: dt.datetime) -> list[Wish]:
    """What each row wants, with every problem of it; a fixed number of queries. Raises Unreadable for columns that do not exist."""
    _known_columns(rows)
    names = columns.Names(at)
    codes = [row.cells.get(columns.CODE, "") for row in rows]
    there = standing(codes, by=by)
    taken = set(Service.objects.filter(code__in=codes).values_list("code", flat=True))
    may_add = by.is_active and by.has_perm("catalogue.add_service")
    barred = duties.objection(by, ServiceVersion, at)
    count = Counter(codes)
    found = []
    for row in rows:
        wish = Wish(row.number, row.cells.get(columns.CODE, "")[:200])
        said = {columns.FIELDS[name]: cell for name, cell in row.cells.items() if name in columns.FIELDS}
        entry = there.get(wish.code)
        problem = _code_problem(wish.code, count, entry, taken, may_add)
        if barred or problem:
            wish.problems.append((columns.CODE, barred or problem))
        if entry is not None:
            wish.service, wish.before, wish.seen = entry.service, entry.content, entry.seen
        _say(wish, said, names)
        if entry is not None and not _says_nothing_new(wish):
            hindered = [(columns.CODE, told) for told in entry.problems]
            wish.problems += [*hindered, *_version_problem(row.cells.get(columns.VERSION, ""), entry.number)]
        found.append(wish)
    _alone(found, by)
    _doubt(found, vocabulary.in_use(by=by, at=at))
    return found


def _doubt(wishes: Sequence[Wish], known: Mapping[str, vocabulary.Words]) -> None:
    """Say of each word that is nearly one in use, or one of a row above, which one that is. It stands in the way of nothing."""
    for wish in wishes:
        wish.doubts = [(columns.column(name), told) for name, told in vocabulary.doubts(wish.values, known)]
        for name in (each for each in vocabulary.FIELDS if each in wish.values):
            for word in vocabulary.words_of(name, wish.values[name]):
                known[name].add(word)


def _says_nothing_new(wish: Wish) -> bool:
    """Whether the entry says all of it already: then nothing stands in its way, because nothing has to be done."""
    return bool(wish.before) and not wish.values and not wish.problems


def _alone(wishes: Sequence[Wish], by: Any) -> None:
    """Two entries never bear one short name: neither two rows of the file, nor a row and an entry that keeps its own."""
    wanted = [wish for wish in wishes if wish.values.get("short_name")]
    spoken = {wish.code for wish in wishes if "short_name" in wish.values}
    count = Counter(wish.values["short_name"].casefold() for wish in wanted)
    versions = ServiceVersion.objects.filter(state__in=["approved", "draft", "in_review"], effective__endswith__isnull=True)
    named = versions.annotate(folded=Lower("short_name")).filter(folded__in=list(count)).exclude(service__lifecycle="retired")
    held = {(folded, code) for folded, code in named.values_list("folded", "service__code") if code not in spoken}
    seen = set(Service.objects.visible_to(by).filter(code__in=[code for _, code in held]).values_list("code", flat=True)) if held else set()
    for wish in wanted:
        name, folded = wish.values["short_name"], wish.values["short_name"].casefold()
        if count[folded] > 1:
            wish.problems.append(("short_name", f"“{name}” stands in {count[folded]} rows. Give each entry a short name of its own."))
        elif others := sorted(code for each, code in held if each == folded and code != wish.code):
            whose = others[0] if others[0] in seen else "another entry"
            wish.problems.append(("short_name", f"“{name}” is the short name of {whose}. Choose another one."))


def _known_columns(rows: Sequence[sheets.Row]) -> None:
    used = {name for row in rows for name in row.cells}
    unknown = sorted(used - set(columns.COLUMNS))
    if columns.CODE not in used:
        raise sheets.Unreadable(f"The column {columns.CODE} is missing: it says which entry a row is about.")
    if unknown:
        raise sheets.Unreadable(f"There is no column {', '.join(unknown)[:200]}. Columns are {', '.join(columns.COLUMNS)}.")


@dataclass
class Standing:
    """An entry as a wish finds it: the content in force (newest approved), its number, and what stands in the way of a draft."""

    service: Service
    content: dict[str, Any]
    number: int
    problems: list[str]

    @property
    def seen(self) -> str:
        return comparing.hash_of(self.content) if self.content else ""


def standing(codes: Iterable[str], *, by: Any) -> dict[str, Standing]:
    """Code → the entry, of those that the person may see; five queries."""
    services = {row.pk: row for row in Service.objects.visible_to(by).filter(code__in=list(codes))}
    changeable = set(Service.objects.visible_to(by, "change").filter(pk__in=services).values_list("pk", flat=True))
    versions = ServiceVersion.objects.filter(service__in=services).order_by("number")
    approved = {v.service_id: v for v in versions.approved().select_related("commitment").prefetch_related("offerings")}
    unfinished = {v.service_id: v for v in versions.filter(state__in=["draft", "in_review"])}
    found = {}
    for pk, service in services.items():
        newest, open_one, problems = approved.get(pk), unfinished.get(pk), []
        if pk not in changeable:
            problems.append(f"You may not change {service.code}. Leave the row out, or ask its steward.")
        if service.lifecycle == Service.Lifecycle.RETIRED:
            problems.append(f"{service.code} is retired for good. Make a new entry that supersedes it.")
        if open_one is not None:
            problems.append(
                f"{service.code} has an open version already: number {open_one.number}, {open_one.get_state_display()}. "
                "Finish or cancel that one first."
            )
        content = comparing.content_of(newest) if newest else {}
        found[service.code] = Standing(service, content, newest.number if newest else 0, problems)
    return found


def _code_problem(code: str, count: Mapping[str, int], entry: Standing | None, taken: set[str], may_add: bool) -> str:
    if not code:
        return "The code is missing: write the code of the entry, or a new one."
    if count[code] > 1:
        return f"{code} stands in {count[code]} rows. Keep one of them."
    if entry is not None:
        return ""
    if not may_add:
        return f"There is no entry {code[:60]} that you may see, and you may make no new one. Correct the code."
    try:
        Service._meta.get_field("code").clean(code, None)
    except ValidationError as error:
        return f"{code[:60]} cannot be a code. {' '.join(error.messages)}"
    if code in taken or code.lower() in RESERVED_CODES:
        return f"The code {code[:60]} cannot be used. Choose another one."
    return ""


def _version_problem(cell: str, number: int) -> list[tuple[str, str]]:
    if not cell or cell == str(number):
        return []
    told = f"The row was written from version {cell[:20]}; version {number} is the newest by now. Export the entry again and change that."
    return [(columns.VERSION, told if number else "The entry has no approved version yet. Leave the cell empty.")]


def _say(wish: Wish, said: Mapping[str, str], names: columns.Names) -> None:
    """Fill in the values that the cells say, and every problem that they have."""
    for name, cell in said.items():
        try:
            value = columns.read(name, cell, names)
        except columns.Unclear as error:
            if wish.before and cell == columns.shown(name, wish.before[name], names):
                continue  # it stands there already, such as an owner who has left since
            wish.problems.append((columns.column(name), str(error)))
            continue
        if value != wish.before.get(name, _EMPTY[name]):
            wish.values[name] = value
    if not wish.before:
        _begin(wish, said)
    wish.problems += problems_of_values({**_EMPTY, **wish.before, **wish.values}, of=[name for name in wish.values if name in said])


def _begin(wish: Wish, said: Mapping[str, str]) -> None:
    """What a first version needs; the short name follows from the name where it fits."""
    unread = {column for column, _ in wish.problems}
    for name, what in _NEEDED.items():
        if wish.values.get(name) in (None, "") and columns.column(name) not in unread:
            wish.problems.append((columns.column(name), f"A new entry needs {what}."))
    full = wish.values.get("name") or ""
    if not wish.values.get("short_name") and full and "short_name" not in unread:
        if len(full) <= 22:
            wish.values["short_name"] = full
        else:
            wish.problems.append(("short_name", "A new entry needs a short name of at most 22 characters."))


def _empty() -> dict[str, Any]:
    fresh = comparing.put_together(ServiceVersion(), Commitment(), [])
    return {**fresh, "name": "", "short_name": ""}


_EMPTY = _empty()


def problems_of_values(content: Mapping[str, Any], *, of: Iterable[str]) -> list[tuple[str, str]]:
    """(column, what to do) for everything that the fields named do not allow, without asking the database."""
    found: list[tuple[str, str]] = []
    for name in of:
        value, known = content[name], wording.FIELDS.get(name)
        if known is None or known.is_relation:
            continue
        try:
            known.clean(value if isinstance(value, list) else known.to_python(value), None)
        except ValidationError as error:
            empty = getattr(error, "code", "") in ("blank", "null")
            found.append(
                (columns.column(name), "This is never empty: write a value." if empty else " ".join(map(_plainly, error.messages)))
            )
    touched = set(of)
    if "offerings" in touched:
        count = Counter(one["name"] for one in content["offerings"] or ())
        found += [("offerings", f"There are two offerings named {name}.") for name, times in sorted(count.items()) if times > 1]
    if touched & {"window_opens", "window_closes"} and (content["window_opens"] is None) != (content["window_closes"] is None):
        found.append(("window_opens", "A backup window needs both its opening and its closing time."))
    least, most = content["retention_min_days"], content["retention_max_days"]
    if touched & {"retention_min_days", "retention_max_days"} and least and most and least > most:
        found.append(("retention_min", "“Kept at least” cannot be longer than “kept at most”."))
    return found


def _plainly(message: str) -> str:
    return message.replace("Ensure this value is", "It must be").replace("Ensure this value has", "It must have")


def to_change(codes: Sequence[str], values: Mapping[str, Any], *, by: Any) -> list[Wish]:
    """The same JSON values wanted for several entries, each with what is in the way; a fixed number of queries."""
    there = standing(codes, by=by)
    found = []
    for place, code in enumerate(codes, 1):
        entry = there.get(code)
        if entry is None:
            found.append(Wish(place, code, problems=[(columns.CODE, f"There is no entry {code[:60]} that you may see.")]))
            continue
        wish = Wish(place, code, entry.service, before=entry.content, seen=entry.seen)
        if not entry.content:
            wish.problems.append(("", f"{code} has no approved version yet. Write its first one by itself."))
        else:
            wish.values = {name: value for name, value in values.items() if entry.content[name] != value}
            wish.problems += problems_of_values({**entry.content, **wish.values}, of=list(wish.values))
        if not _says_nothing_new(wish):
            wish.problems = [*(("", told) for told in entry.problems), *wish.problems]
        found.append(wish)
    return found


def in_words(wanted: Sequence[Wish]) -> list[str]:
    """What each wish would change, in words; the same few queries for all of them together."""
    told = iter(wording.tell(change for wish in wanted for change in wish.changes))
    return ["; ".join(_words(next(told), bool(wish.before)) for _ in wish.changes) for wish in wanted]


def _words(each: wording.Told, known: bool) -> str:
    return f"{each.label} {each.before} → {each.after}" if known else f"{each.label} {each.after}"


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of draft_version for these JSON values. Raises Unclear for what is gone."""
    found = columns.as_fields(values)
    return {
        "content": {name: value for name, value in found.items() if name in CONTENT_FIELDS},
        "commitment": {name: value for name, value in found.items() if name in COMMITMENT_FIELDS},
        "offerings": found.get("offerings"),
    }
