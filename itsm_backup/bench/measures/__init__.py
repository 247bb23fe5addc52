"""One file for each benchmark: `measure(size, template)` yields what it measured, on clones of the migrated template database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from itsm_backup.bench.measures import (
    calendar,
    catalogue,
    correlation,
    estate,
    evaluate,
    exposure,
    incidents,
    intake,
    ping,
    poll,
    report,
    trend,
)
from itsm_backup.bench.measuring import Measured
from itsm_backup.bench.sizes import Size

MEASURES: dict[str, Callable[[Size, str], Iterator[Measured]]] = {
    "intake": intake.measure,
    "ping": ping.measure,
    "estate": estate.measure,
    "calendar": calendar.measure,
    "trend": trend.measure,
    "exposure": exposure.measure,
    "evaluate": evaluate.measure,
    "report": report.measure,
    "catalogue": catalogue.measure,
    "correlation": correlation.measure,
    "poll": poll.measure,
    "incidents": incidents.measure,
}
