"""The objectives of a service with their trend over thirteen months: with ten times the history, and beside SQL by hand."""

from __future__ import annotations

from collections.abc import Iterator

from itsm_backup.bench.looking import beside_longer_history, beside_sql, history
from itsm_backup.bench.measuring import Measured
from itsm_backup.bench.sizes import Size

PAGES = {"objectives and trend of a service": "/services/SVC-00007/objectives/"}


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G8 and G9."""
    usual, longer = history("looked", size.services, size.runs, template), history("looked_long", size.services, size.more_runs, template)
    yield from beside_longer_history(size, usual, longer, PAGES)
    yield from beside_sql(size, usual, PAGES)
