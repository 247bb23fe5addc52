"""What happened in the labs, night by night: the truth, which no tool is shown."""

from __future__ import annotations

import datetime as dt
import socket
from typing import Any, Protocol

from monitoring.connectors.base import Answer, Runner, Step

END = dt.date(2026, 7, 14)
NIGHTS = [END - dt.timedelta(days=back) for back in range(7, -1, -1)]
AT = dt.time(1, 30, tzinfo=dt.UTC)
SERVICES: dict[str, dict[int, str]] = {  # what went wrong so many nights before the end; all other nights were good
    "steady": {},
    "skips": {6: "missed", 4: "missed", 3: "missed"},
    "breaks": {4: "failed", 0: "failed"},
    "stops": {2: "missed", 1: "missed", 0: "missed"},
}


def what_happened(service: str) -> dict[dt.date, str]:
    """Success, failed or missed for every night of the service."""
    return {night: SERVICES[service].get((END - night).days, "success") for night in NIGHTS}


def begins_at(night: dt.date) -> dt.datetime:
    """When the backup of this night is due, and begins."""
    return dt.datetime.combine(night, AT)


def reported(step: Step, night: dt.date) -> Answer:
    """What a wrapper around this call, made in that night, would send."""
    step.started_at = begins_at(night)
    step.finished_at = step.started_at + dt.timedelta(seconds=5)
    return Answer(kind="push", steps=[step], host=socket.gethostname(), zone="UTC")


class Lab(Protocol):
    """A tool with this history, made by the real program."""

    kind: str
    secrets: dict[str, str]
    run: Runner
    kept: dict[dt.date, str]  # failed nights that the tool itself keeps, and what it calls them

    def make(self) -> None:
        """Make the history. The other members are of use after it."""

    def sources(self) -> list[dict[str, Any]]:
        """The settings of each tool to ask: one for each service, or one that has them all."""

    def reports(self) -> dict[dt.date, Answer]:
        """What the wrapper around each failed run of the service that breaks would send."""

    def stop(self) -> None:
        """End what runs."""
