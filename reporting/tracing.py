"""Why a published figure comes out otherwise now, as far as the records tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from catalogue.models import Window
from monitoring.models import BackupJob, BackupRun, RunRevision
from monitoring.relisting import Line
from reporting.models import Discrepancy

Cause = Discrepancy.Cause


def causes(*, service: int, made_at: dt.datetime, old: dict[str, Any], new: dict[str, Any], lines: Iterable[Line]) -> list[str]:
    """Every cause on record since the report was made at `made_at`, the strongest first; `unknown` alone when there is none.

    `old` and `new` are what the report keeps of the service and the same as it is now; `lines` are its occurrences by the raw runs.
    """
    since, until = (dt.datetime.fromisoformat(text) for text in new["inputs"]["period"])
    runs = BackupRun.objects.filter(service=service, occurred_at__gte=since, occurred_at__lt=until)
    revised = RunRevision.objects.filter(run__service=service, run__occurred_at__gte=since, run__occurred_at__lt=until, at__gt=made_at)
    windows = Window.objects.filter(service=service, decided_at__gt=made_at, starts_at__lt=until, ends_at__gt=since)
    left = old["inputs"]["jobs"] > new["inputs"]["jobs"]  # a job that belongs elsewhere now took its runs along: none is gone by that
    found = {
        Cause.LEDGER: any(not line.agrees for line in lines),
        Cause.ENTRY: old["inputs"]["promises"] != new["inputs"]["promises"],
        Cause.LATE: runs.filter(first_seen_at__gt=made_at).exists(),
        Cause.CORRECTED: revised.exists(),
        Cause.WINDOW: windows.exists(),
        Cause.RULE: left or BackupJob.objects.filter(service=service, attributed_at__gt=made_at).exists(),
        Cause.DELETED: not left and _received(new) < _received(old),
    }
    return [cause.value for cause, holds in found.items() if holds] or [Cause.UNKNOWN.value]


def _received(line: dict[str, Any]) -> int:
    """Runs that were read of the month."""
    return int((line["inputs"].get("runs") or {}).get("received", 0))
