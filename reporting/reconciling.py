"""Published figures recounted from the raw runs: what differs is put beside them, with its cause, until it is followed up."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from itsm_backup.common.time import iso
from monitoring import relisting
from monitoring.methods import measure
from monitoring.relisting import Line
from reporting import collecting, comparing, compiling, measuring, sealing, tracing
from reporting.models import Discrepancy, Reconciliation, Report, ReportedService, Settlement
from reporting.scoping import Month

log = logging.getLogger(__name__)
BATCH = 50
EVERY = dt.timedelta(hours=20)
MONTHS = 13
TOLERANCE_PP = 0.5
Figure = Discrepancy.Figure
_OF = {
    Figure.SUCCESS: ("success", ("good", "settled")),
    Figure.RECOVERY: ("recovery", ("attainment", "exceeded_s", "longest_s")),
}


def reconcile_due(*, at: dt.datetime, limit: int = 20) -> int:
    """Recount the newest revision of every report of the last thirteen months that was not recounted today; returns how many."""
    recent = (at - dt.timedelta(days=31 * MONTHS)).date()
    lately = Reconciliation.objects.filter(at__gt=at - EVERY).values("report")
    waiting = Report.objects.newest_of_each().filter(month__gte=recent, made_at__lte=at - EVERY).exclude(state=Report.State.BLOCKED)
    done = 0
    for report in waiting.exclude(pk__in=lately).order_by("-month", "-pk")[:limit]:
        try:
            reconcile(report=report, at=at)
            done += 1
        except compiling.Busy:
            log.info("%s is being made right now; it is recounted next time.", report)
    return done


@transaction.atomic
def reconcile(*, report: Report, at: dt.datetime) -> Reconciliation:
    """Recount the report, note what differs, and settle what does no more. Changes no report. Raises compiling.Busy."""
    compiling.hold(report.series)
    open_before = {(one.service_id, one.figure): one for one in _open(report)}
    count = _Count(report=report, at=at)
    for batch in _batches(report):
        count.add(batch)
    found = [count.keep(one) for one in count.found]
    _settle(open_before, {(one.service_id, one.figure): one for one in found}, report, at)
    events = {"monitoring": count.ours, "sla_report": count.theirs, "tolerance_pp": TOLERANCE_PP}
    differing = len({one.service_id for one in found})
    return Reconciliation.objects.create(
        report=report, at=at, agreeing=count.services - differing, differing=differing, result=measure("BM-RECON", events)
    )


def _open(report: Report) -> Iterable[Discrepancy]:
    """What nobody followed up yet, of every revision of this report."""
    return Discrepancy.objects.filter(report__series=report.series, report__month=report.month, settlement=None).order_by("pk")


def _batches(report: Report) -> Iterator[list[ReportedService]]:
    count = report.services.count()
    for first in range(0, count, BATCH):
        yield list(report.services.order_by("position")[first : first + BATCH])


class _Count:
    """One recount: `found` are the discrepancies, not kept yet; `ours` and `theirs` the occurrences for BM-RECON."""

    def __init__(self, *, report: Report, at: dt.datetime) -> None:
        self.report, self.at = report, at
        self.month, self.zone = Month(first=report.month, zone=report.data["zone"]), ZoneInfo(report.data["zone"])
        self.services = 0
        self.found: list[Discrepancy] = []
        self.ours: list[dict[str, Any]] = []
        self.theirs: list[dict[str, Any]] = []

    def add(self, rows: list[ReportedService]) -> None:
        now = {line["service"]["id"]: line for line in collecting.read(versions=[row.version_id for row in rows], month=self.month)}
        periods = {pk: tuple(map(dt.datetime.fromisoformat, line["period"])) for pk, line in now.items()}
        lines = relisting.again(periods=periods, at=self.at)  # type: ignore[arg-type]
        for row in rows:
            self._compare(row, now[row.service_id], lines[row.service_id])
        self.services += len(rows)

    def _compare(self, row: ReportedService, line: dict[str, Any], lines: list[Line]) -> None:
        line.pop("by_day", None)
        new = {"inputs": line, "figures": measuring.figures_of(line, at_risk_fraction=self.report.data["at_risk_fraction"])}
        self._add_events(line["service"]["code"], row.data["inputs"]["unusual"], lines)
        differing = dict(_differing(row.data["figures"], new["figures"], lines))
        if differing:
            due = {(one.job, iso(one.due_at) or "") for one in lines}
            told = comparing.differences(row.data, new, self.zone, due)
            causes = tracing.causes(service=row.service_id, made_at=self.report.made_at, old=row.data, new=new, lines=lines)
            said = {"report": self.report, "service_id": row.service_id, "causes": causes, "told": told, "at": self.at}
            self.found += [
                Discrepancy(figure=figure, published=published, found=found, **said) for figure, (published, found) in differing.items()
            ]

    def _add_events(self, code: str, unusual: list[dict[str, Any]], lines: list[Line]) -> None:
        """What the report said of each occurrence follows from what it listed as unusual: the rest was good."""
        said = {(one["job"], one["due_at"]): one["state"] for one in unusual}
        for line in lines:
            key = (line.job, iso(line.due_at))
            name, state = " ".join((code, *key)), said.get(key)
            if line.good is not None:
                self.ours.append({"occurrence": name, "good": line.good})
            if state in ("missed", "failed", "satisfied_late") or (state is None and line.good is not None):
                self.theirs.append({"occurrence": name, "good": state in (None, "satisfied_late")})

    def keep(self, one: Discrepancy) -> Discrepancy:
        """The finding as a row; the same finding that is open already is that row."""
        earlier = Discrepancy.objects.filter(report=one.report, service=one.service_id, figure=one.figure)
        settled = earlier.filter(settlement__isnull=False).exclude(settlement__how=Settlement.How.EXPLAINED).count()
        one.digest = sealing.digest_of([one.published, one.found, settled])
        known = earlier.filter(digest=one.digest).first()
        if known is None:
            one.save()
        return known or one


def _differing(old: dict[str, Any], new: dict[str, Any], lines: list[Line]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for figure, (part, names) in _OF.items():
        was, now = ({name: side[part][name] for name in names} for side in (old, new))
        if was != now:
            yield figure, (was, now)
    if old["verdict"] != new["verdict"]:
        yield Figure.VERDICT, (old["verdict"], new["verdict"])
    odd = [line for line in lines if not line.agrees][: collecting.MOST_LISTED]
    if odd:
        kept = [[line.job, iso(line.due_at), line.in_ledger] for line in odd]
        yield Figure.LEDGER, (kept, [[line.job, iso(line.due_at), line.by_runs] for line in odd])


def _settle(before: dict[tuple[int, str], Discrepancy], found: dict[tuple[int, str], Discrepancy], report: Report, at: dt.datetime) -> None:
    """What does not differ any more is settled, and so is what was found again with other figures or of a newer revision."""
    for key, one in before.items():
        again = found.get(key)
        if again is not None and again.pk == one.pk:
            continue
        how = Settlement.How.SUPERSEDED if again else Settlement.How.REVISED if one.report_id != report.pk else Settlement.How.AGREES
        revision = report if how == Settlement.How.REVISED else None
        Settlement.objects.create(discrepancy=one, how=how, at=at, report=revision)
