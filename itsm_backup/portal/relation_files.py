"""Relations as people send them: a CSV file, or cells chosen in the matrix, turned into wishes with the row that each came from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from catalogue.models import Relation
from catalogue.relating import CONFIRM, END, Wish
from catalogue.sheets import named
from itsm_backup.common.time import now, parse_instant

MOST_ROWS, MOST_BYTES = 5_000, 1_000_000
KINDS = {named(words): str(kind) for kind, label in Relation.Kind.choices for words in (kind, label)}  # as people write them
NEEDED = ("consumer", "provider", "kind", "strength")


class Unreadable(ValueError):
    """The file as a whole cannot be read; the message says how it must look."""


def wishes_of_csv(content: str) -> tuple[list[tuple[int, Wish]], list[tuple[int, str]]]:
    """(line, wish) of every row that reads, (line, problem) of every other. Raises Unreadable for what is no such file."""
    text = content.lstrip("\ufeff")
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=text.lstrip().split("\n", 1)[0].count))
    reader.fieldnames = [named(name) for name in reader.fieldnames or ()]
    missing = [name for name in NEEDED if name not in reader.fieldnames]
    if missing:
        raise Unreadable(f"The first line must name the columns {', '.join(NEEDED)}; {', '.join(missing)} is missing.")
    wishes: list[tuple[int, Wish]] = []
    problems: list[tuple[int, str]] = []
    try:
        for row in reader:
            if len(wishes) + len(problems) >= MOST_ROWS:
                raise Unreadable(f"The file has more than {MOST_ROWS:,} rows. Send it in parts.")
            try:
                wishes.append((reader.line_num, _wish(row)))
            except ValueError as error:
                problems.append((reader.line_num, str(error)))
    except csv.Error as error:
        raise Unreadable(f"Line {reader.line_num} is no CSV: {error}.") from None
    return _once(wishes, problems)


def _once(wishes: list[tuple[int, Wish]], problems: list[tuple[int, str]]) -> tuple[list[tuple[int, Wish]], list[tuple[int, str]]]:
    """Each relation in one row: of two rows for one of them, the later is a problem, whatever it says."""
    first: dict[tuple[str, str, str], int] = {}
    kept: list[tuple[int, Wish]] = []
    for line, wish in wishes:
        earlier = first.setdefault((wish.consumer, wish.provider, wish.kind), line)
        if earlier == line:
            kept.append((line, wish))
        else:
            problems.append((line, f"Line {earlier} is about the same relation. Keep one of the two."))
    return kept, sorted(problems)


def _wish(row: dict[str, Any]) -> Wish:
    if None in row:
        raise ValueError("The row has more fields than the first line names.")
    text = {name: (row.get(name) or "").strip().replace("\x00", "") for name in (*NEEDED, "valid_from", "valid_until")}
    instants = {name: _instant(name, text[name]) for name in ("valid_from", "valid_until")}
    if instants["valid_until"] and instants["valid_from"] and instants["valid_until"] <= instants["valid_from"]:
        raise ValueError("The relation must end after it begins.")
    if not text["strength"]:
        raise ValueError(f"The strength is missing: write hard or soft, or {END} to end the relation.")
    return Wish(text["consumer"], text["provider"], KINDS.get(named(text["kind"]), text["kind"]), text["strength"].casefold(), **instants)


def _instant(name: str, text: str) -> Any:
    try:
        return parse_instant(text) if text else None
    except (ValueError, OverflowError):
        raise ValueError(f"{name} {text[:40]} is no instant with a zone. Write it like 2026-11-23T09:42Z.") from None


def wishes_of_cells(cells: Sequence[str], *, kind: str, deed: str) -> tuple[list[Wish], list[str]]:
    """What the deed (hard, soft, end, confirm) means for each `consumer>provider`; without a kind, for whatever stands there."""
    pairs = [cell.split(">") for cell in dict.fromkeys(cells) if cell.count(">") == 1]
    if kind:
        return [Wish(consumer, provider, kind, deed) for consumer, provider in pairs], []
    codes = {code for pair in pairs for code in pair}
    standing = Relation.objects.standing(now()).filter(consumer__code__in=codes, provider__code__in=codes)
    there: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for consumer, provider, its_kind, until in standing.values_list("consumer__code", "provider__code", "kind", "valid_until"):
        there.setdefault((consumer, provider), []).append((its_kind, until))
    wishes, problems = [], []
    for consumer, provider in pairs:
        found = there.get((consumer, provider), [])
        wishes += [Wish(consumer, provider, its_kind, deed, valid_until=until) for its_kind, until in found]
        if not found:
            told = "there is nothing to end" if deed == END else "there is nothing to confirm" if deed == CONFIRM else "choose a kind"
            problems.append(f"Nothing stands between {consumer} and {provider}: {told}.")
    return wishes, problems
