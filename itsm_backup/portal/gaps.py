"""Gaps of ownership by their causes: all of them with their numbers, one page of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from django.utils.text import slugify

from catalogue.responsibilities import Gap
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import many

FEW = 5  # gaps of one cause that stand open


@dataclass(frozen=True, kw_only=True)
class GapRow:
    service: Link
    sentence: str


@dataclass(frozen=True, kw_only=True)
class CauseRows:
    """Gaps of one cause: how many there are in all, and those on this page."""

    cause: str
    counted: str
    open: bool
    gaps: tuple[GapRow, ...]


@dataclass(frozen=True, kw_only=True)
class CauseLink:
    """One cause with how many gaps it has, and the way to those alone."""

    link: Link
    counted: str
    here: bool


def of_cause(found: list[Gap], slug: str) -> list[Gap]:
    """Those of the cause that an address names; nothing when it names none."""
    named = {cause for cause in {gap.cause for gap in found} if slugify(cause) == slug}
    return [gap for gap in found if gap.cause in named]


def by_cause(found: list[Gap], start: int, size: int, links: Mapping[int, Link]) -> tuple[CauseRows, ...]:
    """One page of the gaps, which are in order of their causes. What fills the page by itself is open: else it would show one line."""
    counts = Counter(gap.cause for gap in found)
    shown = found[start : start + size]
    return tuple(
        CauseRows(
            cause=cause,
            counted=_counted(gaps[0], counts[cause]),
            open=counts[cause] <= FEW or len(gaps) == len(shown),
            gaps=tuple(GapRow(service=links.get(gap.service_id or 0, Link("All entries", "")), sentence=gap.sentence) for gap in gaps),
        )
        for cause, each in groupby(shown, key=lambda gap: gap.cause)
        for gaps in [list(each)]
    )


def _counted(gap: Gap, count: int) -> str:
    return many(count, "entry", "entries") if gap.service_id else many(count, "label")


def causes(found: list[Gap], chosen: str, size: int, moment: Moment) -> tuple[CauseLink, ...]:
    """Every cause with its number; nothing where one page shows them all anyway."""
    if len(found) <= size:
        return ()
    counts = Counter(gap.cause for gap in found)
    first = {gap.cause: gap for gap in reversed(found)}
    every = CauseLink(link=Link("All gaps", moment.href("ownership")), counted=f"{len(found):,}", here=not chosen)
    each = (
        CauseLink(
            link=Link(cause, moment.href("ownership", cause=slugify(cause)) + "#gaps"), counted=_counted(first[cause], count),
            here=slugify(cause) == chosen,
        )
        for cause, count in counts.items()
    )  # fmt: skip
    return (every, *each)
