"""Compiling a report: checks first, then service by service into a sealed snapshot; nothing new when nothing changed."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from catalogue.models import ServiceVersion
from itsm_backup.common.time import iso
from monitoring import workflow
from reporting import checking, collecting, comparing, filing, measuring, sealing, templating, totalling
from reporting.models import Report, ReportedService, ReportSchedule
from reporting.scoping import Month, NotYet, Scope, versions_of

BATCH = 100  # services in memory at a time
LAYOUT = "2"  # of templates and files: another look of the same data is another version


class Busy(Exception):
    """Somebody else compiles the same report right now; nothing was done, and theirs will be found in the library."""


def compile_month(
    *,
    month: Month,
    scope: Scope,
    at: dt.datetime,
    schedule: ReportSchedule | None = None,
    policy: str = "block",
    with_new_templates: bool = False,
) -> tuple[Report, bool]:
    """The report of the month and whether it is new: a first one, or a revision that says what changed since the one before.

    When the same facts give the same seal, the report that exists is returned. A revision keeps the templates of the one before,
    unless `with_new_templates`. Raises NotYet while the month lasts, Busy when the same report is being compiled.
    """
    if month.ends_at > at:
        raise NotYet(f"{month.words} is not over. Its report can be made from {month.following} on.")
    series = f"schedule {schedule.pk}" if schedule else scope.series()
    with transaction.atomic():
        hold(series)
        previous = Report.objects.filter(series=series, month=month.first).order_by("-revision").first()
        with transaction.atomic():  # undone when nothing is new
            draft = _Draft(month=month, scope=scope, series=series, policy=policy)
            draft.collect()
            kept = previous.data if previous else {}
            has_kept = bool(kept.get("templates")) and not with_new_templates
            data = draft.data(templates=kept["templates"] if has_kept else templating.in_force())
            if previous is None or not _is_told(previous, data, draft.digests):
                return draft.store(schedule=schedule, previous=previous, data=data, at=at), True
            transaction.set_rollback(True)
    return previous, False


def _is_told(previous: Report, data: dict[str, Any], digests: list[bytes]) -> bool:
    """Whether the newest report says just this; an override stands for as long as the data do not change."""
    same = {**data, "override": previous.data.get("override")}
    return sealing.seal_of(same, digests) == bytes(previous.seal)


def hold(series: str) -> None:
    """One writer of a series at a time, and one view of the facts for all of its queries. Raises Busy."""
    lock = int.from_bytes(hashlib.sha256(series.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0:  # else the transaction is the caller's
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        if not cursor.fetchone()[0]:
            raise Busy("A report of this series is being made right now. Look in the library in a minute.")


class _Draft:
    """A report being made: its services are written as they are read, so that memory holds one batch."""

    def __init__(self, *, month: Month, scope: Scope, series: str, policy: str) -> None:
        self.month, self.scope, self.series, self.policy = month, scope, series, policy
        self.report_id = next_id()
        self.digests: list[bytes] = []
        self.services: list[int] = []
        self.counted, self.totals = checking.Counted(), totalling.Totals()
        self.at_risk_fraction = float(workflow.current().at_risk_fraction)

    def collect(self) -> None:
        versions = versions_of(self.scope, self.month)
        for first in range(0, len(versions), BATCH):
            self._keep(collecting.read(versions=versions[first : first + BATCH], month=self.month))

    def _keep(self, lines: list[dict[str, Any]]) -> None:
        rows = []
        for line in lines:
            figures = measuring.figures_of(line, at_risk_fraction=self.at_risk_fraction)
            self.counted.add(line)
            self.totals.add(line, figures)
            line.pop("by_day", None)  # in the totals; the letters stay
            kept = {"inputs": line, "figures": figures}
            digest = sealing.digest_of(kept)
            rows.append(
                ReportedService(
                    report_id=self.report_id,
                    position=len(self.digests),
                    service_id=line["service"]["id"],
                    version_id=line["version"]["id"],
                    verdict=figures["verdict"],
                    data=kept,
                    digest=digest,
                )
            )
            self.digests.append(digest)
            self.services.append(line["service"]["id"])
        ReportedService.objects.bulk_create(rows)  # the report itself follows: its key is checked at the commit

    def data(self, *, templates: dict[str, Any]) -> dict[str, Any]:
        """What all services share: checks, totals, trend, and every version that had a say."""
        month, totals = self.month, self.totals.data(self.month)
        jobs = checking.unmapped_jobs(month=month) if self.scope.everything else None
        return {
            "layout": LAYOUT,
            "organisation": settings.ORGANISATION,
            "month": month.first.isoformat(),
            "zone": month.zone,
            "period": [iso(month.starts_at), iso(month.ends_at)],
            "scope": {
                "words": self.scope.words,
                "department": self.scope.department,
                "application_type": self.scope.application_type,
                "tier": self.scope.tier,
                "label": self.scope.label,
            },
            "catalogue_version": ServiceVersion.objects.approved().filter(approved_at__lt=month.ends_at).count(),
            "methods": measuring.METHODS,
            "at_risk_fraction": self.at_risk_fraction,
            "policy": self.policy,
            "override": None,
            "templates": templates,
            "checks": checking.result_of(self.counted, tools=checking.tools_heard(services=self.services, month=month), jobs=jobs),
            "totals": totals,
            "trend": totalling.trend(series=self.series, services=self.services, month=month, totals=totals),
            "before": totalling.before(series=self.series, month=month),
        }

    def store(self, *, schedule: ReportSchedule | None, previous: Report | None, data: dict[str, Any], at: dt.datetime) -> Report:
        return filing.file_report(
            report_id=self.report_id,
            series=self.series,
            schedule=schedule,
            title=schedule.name if schedule else "Backup service report",
            month=self.month.first,
            revision=previous.revision + 1 if previous else 1,
            state=checking.state_for(data["checks"]["result"], policy=self.policy),
            data=data,
            seal=sealing.seal_of(data, self.digests),
            changes=comparing.changes(before=previous, after_id=self.report_id, data=data) if previous else [],
            at=at,
        )


def next_id() -> int:
    """The id of a report whose services are stored before it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('reporting_report', 'id'))")
        return int(cursor.fetchone()[0])


def scope_of(schedule: ReportSchedule) -> Scope:
    """The services that a schedule reports on."""
    return Scope(department=schedule.department, application_type=schedule.application_type, tier=schedule.tier, label=schedule.label)
