"""The Diff component: two contents side by side, field by field, the words that changed in bold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from catalogue import comparing, wording
from catalogue.comparing import Change, Content

Piece = tuple[str, bool]  # a piece of text, and whether it changed
MOST, BEFORE = 360, 80  # characters of a long text that show at once, and how many of them stand before the first change


@dataclass(frozen=True, kw_only=True)
class Row:
    field: str
    label: str
    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    @property
    def sides(self) -> tuple[tuple[str, tuple[Piece, ...], tuple[Piece, ...]], ...]:
        """(name of the side, its pieces, of a long text what shows at once), before and after."""
        return tuple((name, pieces, beginning_of(pieces)) for name, pieces in (("before", self.before), ("after", self.after)))


@dataclass(frozen=True, kw_only=True)
class Diff:
    """`same` are the fields that did not change; `sentence` says how many did."""

    rows: tuple[Row, ...]
    same: tuple[wording.Told, ...]
    sentence: str
    level: str = ""


def diff_of(old: Content, new: Content) -> Diff:
    """What to show of two contents; people and teams by name, with a handful of queries."""
    changes = comparing.diff(old, new)
    changed = {change.field for change in changes}
    rest = [Change(name, new.get(name), new.get(name)) for name in comparing.ALL_FIELDS if name not in changed]
    told = wording.tell([*changes, *rest])
    count = len(changes)
    fields = f"{count} of {len(comparing.ALL_FIELDS)} fields changed." if count else "Nothing differs between them."
    return Diff(rows=tuple(_rows(told[:count])), same=tuple(told[count:]), sentence=fields, level=comparing.level_of(changes))


def _rows(told: Iterable[wording.Told]) -> Iterable[Row]:
    for each in told:
        before, after = _pieces(each.before, each.after)
        yield Row(field=each.field, label=each.label, before=before, after=after)


def _pieces(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts cut where they differ, by words."""
    one, two = (re.findall(r"\s+|[^\s]+", text) for text in (old, new))
    before: list[Piece] = []
    after: list[Piece] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        for pieces, words in ((before, one[i1:i2]), (after, two[j1:j2])):
            if words:
                pieces.append(("".join(words), kind != "equal"))
    return tuple(before), tuple(after)


def beginning_of(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """What shows at once of a long text: some words before its first change, and as much as fits. Nothing for a text that is short."""
    whole = "".join(text for text, _ in pieces)
    if len(whole) <= MOST:
        return ()
    start = _start(pieces)
    shown, place, left = [("… ", False)] if start else [], 0, MOST
    for text, changed in pieces:
        kept = text[max(0, start - place) :][:left]
        place, left = place + len(text), left - len(kept)
        if kept:
            shown.append((kept, changed))
    return tuple(shown)


def _start(pieces: tuple[Piece, ...]) -> int:
    """Where the shown part begins: at a word a little before the first change, or with the text."""
    unchanged = pieces[0][0] if pieces and not pieces[0][1] and len(pieces) > 1 else ""
    if len(unchanged) <= BEFORE:
        return 0
    return unchanged.find(" ", len(unchanged) - BEFORE) + 1 or len(unchanged) - BEFORE
