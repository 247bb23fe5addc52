"""What waits is carried on one by one or many at once: what fails is told and left waiting, and holds nothing else up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)
TOGETHER = 50  # as many share one transaction, and what they lock; more of them gain little


def each(ids: Iterable[int], act: Callable[[int], object], what: str) -> int:
    """Do the act for every id and return how many it did something for (said something true).

    Raises only when the database itself is gone or asks to begin anew: then the rest would fail alike.
    """
    return sum(_parted([pk], lambda some: bool(act(some[0])), what) for pk in list(ids))


def together(ids: Iterable[int], act: Callable[[Sequence[int]], int], what: str) -> int:
    """The same for an act that takes many ids in one transaction and returns how many it did something for.

    When it fails, it is tried with each half of them, until those that fail stand alone.
    """
    waiting = list(ids)
    return grouped((waiting[place : place + TOGETHER] for place in range(0, len(waiting), TOGETHER)), act, what)


def grouped(groups: Iterable[Sequence[int]], act: Callable[[Sequence[int]], int], what: str) -> int:
    """The same for ids that belong together in groups."""
    return sum(_parted(group, act, what) for group in groups)


def _parted(ids: Sequence[int], act: Callable[[Sequence[int]], int], what: str) -> int:
    try:
        return act(ids)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if len(ids) == 1:
            log.exception("%s %s failed and waits; the others go on.", what.capitalize(), ids[0])
            return 0
    half = len(ids) // 2
    return _parted(ids[:half], act, what) + _parted(ids[half:], act, what)
