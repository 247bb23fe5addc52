"""Filing a report: sealed, with a manifest that names what it was made of and the manifest before it, so that none can be left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from reporting import sealing
from reporting.models import Report, ReportedService, ReportSchedule


def file_report(
    *,
    report_id: int,
    series: str,
    schedule: ReportSchedule | None,
    title: str,
    month: dt.date,
    revision: int,
    state: str,
    data: dict[str, Any],
    seal: bytes,
    changes: list[str],
    at: dt.datetime,
) -> Report:
    """The stored report, whose services were stored before it. The caller holds the lock of the series."""
    before = Report.objects.filter(series=series).exclude(manifest_digest=None).order_by("-pk").first()
    report = Report(
        pk=report_id,
        series=series,
        schedule=schedule,
        title=title,
        month=month,
        revision=revision,
        state=state,
        made_at=at,
        data=data,
        seal=seal,
        changes=changes,
        follows=before,
    )
    report.manifest = manifest_of(report, before=before)
    report.manifest_digest = sealing.digest_of(report.manifest)
    report.save(force_insert=True)
    return report


def manifest_of(report: Report, *, before: Report | None) -> dict[str, Any]:
    """What a report consists of, by digests and versions, in JSON values."""
    data = report.data
    versions = ReportedService.objects.filter(report=report.pk).order_by("position").values_list("version_id", flat=True)
    return {
        "snapshot": report.number,
        "series": report.series,
        "title": report.title,
        "revision": report.revision,
        "state": report.state,
        "made_at": report.made_at.isoformat(),
        "seal": bytes(report.seal).hex(),
        "entry_versions": list(versions),
        **{name: data.get(name) for name in ("period", "zone", "scope", "catalogue_version", "methods", "policy", "layout", "override")},
        "templates": {audience: template["version"] for audience, template in data.get("templates", {}).items()},
        "checks": {name: data["checks"][name] for name in ("method", "version", "result")},
        "previous": bytes(before.manifest_digest).hex() if before and before.manifest_digest else None,
    }


class Chain(msgspec.Struct, frozen=True):
    """How many reports of the series stand before this one, itself included, and where their chain is broken (`""`: nowhere)."""

    length: int
    broken_at: str


def chain_of(report: Report) -> Chain:
    """From the first report of the series to this one: each manifest must have its digest, its report's seal and the one before it."""
    earlier = Report.objects.filter(series=report.series, pk__lte=report.pk).exclude(manifest_digest=None).order_by("pk")
    return _walked(earlier.only("pk", "month", "seal", "manifest", "manifest_digest").iterator(chunk_size=50))


def _walked(reports: Iterable[Report]) -> Chain:
    length, previous = 0, None
    for report in reports:
        length += 1
        digest = bytes(report.manifest_digest or b"")
        sound = sealing.digest_of(report.manifest) == digest and report.manifest["seal"] == bytes(report.seal).hex()
        if not sound or report.manifest["previous"] != previous:
            return Chain(length, report.number)
        previous = digest.hex()
    return Chain(length, "")
