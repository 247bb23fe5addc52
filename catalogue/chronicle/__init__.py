"""One history of an entry over all of its parts: who did what to it, when and why, newest first, as known at an instant.

It is read from the histories and rows that the parts keep anyway; floors above add theirs to `sources`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from catalogue.chronicle import parts, people, texts, versions, words
from catalogue.chronicle.events import Asked, Event, Key, Source

__all__ = ["Asked", "Event", "Key", "Source", "events", "rows_of", "sources"]

sources: list[Source] = [versions.SOURCE, *words.SOURCES, *parts.SOURCES, texts.AGREEMENTS, texts.ANALYSES, *people.SOURCES]


def rows_of(asked: Asked, *, part: str = "") -> Any:
    """Every event as a row for `events`, newest first: one question, to be counted and cut into pages. `part` asks for one part alone."""
    found = [rows for source in sources if part in ("", source.part) for rows in source.rows(asked)]
    return found[0].union(*found[1:], all=True).order_by("-e_at", "-e_rank", "e_part", "-e_key")


def events(asked: Asked, rows: Iterable[tuple[Any, ...]]) -> list[Event]:
    """What these rows tell, in their order; as many questions for many entries as for few."""
    listed = list(rows)
    wanted: dict[str, list[Key]] = defaultdict(list)
    for _, _, part, name, key in listed:
        wanted[part].append((name, key))
    told = {source.part: source.told(asked, wanted[source.part]) for source in sources if source.part in wanted}
    return [told[part][name, key]._replace(at=at) for at, _, part, name, key in listed]
