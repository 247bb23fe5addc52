"""Whether a job keeps changing between good and bad (method BM-FLAP), and the figure that says so behind its one alert."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from catalogue.models import ServiceVersion
from itsm_backup.common.time import iso
from monitoring.methods import measure
from monitoring.models import Alert, BackupJob, Figure

KIND, METHOD, VERSION = "job_flapping", "BM-FLAP", "1"
Outcome = tuple[dt.datetime, bool, int | None]  # when it was known, whether it was good, and its run


class Flapping:
    """What a job came to, occurrence by occurrence. `is_on` says whether it flaps; the thresholds are as `workflow.flapping` gives them."""

    def __init__(self, thresholds: Mapping[str, Any], *, before: Iterable[Outcome] = (), is_on: bool = False) -> None:
        self.thresholds, self.is_on = dict(thresholds), is_on
        self.outcomes: deque[Outcome] = deque(before, maxlen=self.thresholds["window"])

    def take(self, at: dt.datetime, is_good: bool, run: int | None) -> bool:
        """Take one more occurrence; True when flapping began or ended with it."""
        self.outcomes.append((at, is_good, run))
        if not self.is_on and len({good for _, good, _ in self.outcomes}) == 1:
            return False  # mostly so, and no change needs no counting
        was, ratio = self.is_on, measure(METHOD, self.inputs(), version=VERSION)[-1]["ratio"]
        self.is_on = ratio >= self.thresholds["stop_ratio" if was else "start_ratio"] - 1e-9
        return self.is_on != was

    @property
    def bad_runs(self) -> list[int | None]:
        """The runs behind the bad ones of the latest occurrences, oldest first; none behind a missed one."""
        return [run for _, good, run in self.outcomes if not good]

    def inputs(self) -> dict[str, Any]:
        """What the method is given: the latest occurrences and the thresholds."""
        return {"outcomes": [{"at": iso(at), "good": good} for at, good, _ in self.outcomes], **self.thresholds}


def figure_of(*, job: BackupJob, inputs: dict[str, Any], kept: Figure | None, at: dt.datetime) -> Figure | None:
    """The figure of these inputs; the one that is kept already where it says the same."""
    digest = hashlib.sha256(msgspec.json.encode(inputs, order="sorted")).digest()
    if kept is not None and bytes(kept.inputs_hash) == digest:
        return kept
    version = ServiceVersion.objects.in_force(at).filter(service=job.service_id).values_list("pk", flat=True).first()
    return Figure.objects.create(
        service_id=job.service_id, version_id=version, method_id=METHOD, method_version=VERSION, inputs=inputs, inputs_hash=digest,
        value=measure(METHOD, inputs, version=VERSION), computed_at=at,
    )  # fmt: skip


def arithmetic_of(alert: Alert) -> list[str]:
    """The counting behind an alert about flapping, in lines that a person can follow."""
    figure = alert.figure
    if figure is None:
        return ["What it was counted from has been corrected since."]
    told, last, window = figure.inputs, figure.value[-1], figure.inputs["window"]
    signs = " ".join("good" if one["good"] else "bad" for one in told["outcomes"])
    until = told["outcomes"][-1]["at"][:16].replace("T", " ")
    begins = f"flapping begins at {told['start_ratio']:g} and ends below {told['stop_ratio']:g}"
    return [
        f"the latest {len(told['outcomes'])} occurrences, at most {window}, until {until} UTC: {signs}",
        f"{last['changes']} changes / ({window} − 1) = {last['ratio']:.3f}; {begins}",
        f"kept as figure {figure.pk}",
    ]


def standing_in(service_ids: Iterable[int], at: dt.datetime) -> set[int]:
    """Of these services, those with a job that flapped at `at`, as far as it was known then."""
    known = Alert.objects.filter(alert_class=KIND, service__in=list(service_ids), noticed_at__lte=at, opened_at__lte=at)
    return set(known.exclude(resolved_at__lte=at).values_list("service", flat=True))
