"""One waiting thing after another: what fails is told and left waiting, and holds nothing else up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)


def each(ids: Iterable[int], act: Callable[[int], object], what: str) -> int:
    """Do the act for every id and return how many it did something for (said something true).

    Raises only when the database itself is gone or asks to begin anew: then the rest would fail alike.
    """
    done = 0
    for pk in list(ids):
        try:
            done += bool(act(pk))
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("%s %s failed and waits; the others go on.", what.capitalize(), pk)
    return done
