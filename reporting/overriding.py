"""Issuing a report that a check stopped: by a named person, for a reason, marked as such on every page and in the seal."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection, transaction

from itsm_backup.common.time import iso
from reporting import compiling, filing, sealing
from reporting.models import Report


class NotStopped(ValueError):
    """There is nothing to override; the message says why."""


@transaction.atomic
def issue(*, report: Report, by: Any, reason: str, at: dt.datetime) -> Report:
    """The new revision: the same data, and who let it out and why. It holds for these data only: other facts are checked anew."""
    if not reason.strip():
        raise NotStopped("Say why the report may be read although its inputs failed a check.")
    compiling.hold(report.series)
    newest = Report.objects.filter(series=report.series, month=report.month).order_by("-revision").first()
    if newest is None or newest.pk != report.pk or report.state != Report.State.BLOCKED:
        raise NotStopped(
            f"Revision {newest.revision if newest else 1} of this report is the newest; only a stopped newest one can be issued."
        )
    override = {"by": by.get_full_name() or by.get_username(), "user": by.pk, "at": iso(at), "reason": reason.strip()}
    data = {**report.data, "override": override}
    report_id = compiling.next_id()
    _copy_services(report, report_id)
    digests = report.services.order_by("position").values_list("digest", flat=True)
    return filing.file_report(
        report_id=report_id,
        series=report.series,
        schedule=report.schedule,
        title=report.title,
        month=report.month,
        revision=report.revision + 1,
        state=Report.State.OVERRIDDEN,
        data=data,
        seal=sealing.seal_of(data, map(bytes, digests)),
        changes=[f"The report was issued although a check had stopped it, by {override['by']}: {override['reason']}"],
        at=at,
    )


def _copy_services(report: Report, report_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reporting_reportedservice (report_id, position, service_id, version_id, verdict, data, digest)"
            " SELECT %s, position, service_id, version_id, verdict, data, digest FROM reporting_reportedservice WHERE report_id = %s",
            [report_id, report.pk],
        )
