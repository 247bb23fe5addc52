"""The services of a report as what is shown of them: one small row each, so that all of them fit into memory."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from reporting.models import Report

MOST_BREACHES = 14


@dataclass(frozen=True, kw_only=True)
class Row:
    """One service of the report, small enough that all of them fit into memory."""

    name: str
    code: str
    tier: int
    department: str
    application_type: str
    version: int
    owner: str
    approved_by: str
    approved_at: str | None
    verdict: str
    reasons: tuple[str, ...]
    good: int
    settled: int
    late: int
    excused: int
    unconfirmed: int
    uncounted: int
    target: float | None
    points: float | None
    confidence: str
    rpo_s: int | None
    rto_s: int | None
    longest_s: int | None
    exceeded_s: int | None
    attainment: float | None
    breach_count: int
    moved_bytes: int
    restores: int
    restores_passed: int
    restored_on: frozenset[str]
    days: str
    breaches: tuple[dict[str, Any], ...] = field(repr=False)
    incidents: tuple[dict[str, Any], ...] = field(repr=False)
    windows: tuple[dict[str, Any], ...] = field(repr=False)
    left_out: tuple[tuple[str, int], ...] = field(repr=False)  # by the measurement calendar: why, and how many due runs
    restored: tuple[dict[str, Any], ...] = field(repr=False)
    offerings: tuple[dict[str, Any], ...] = field(repr=False, default=())


def rows_of(report: Report) -> list[Row]:
    """Every service of the report, by code."""
    stored = report.services.order_by("position").values_list("data", flat=True)
    return [_row(data) for data in stored.iterator(chunk_size=200)]


def _row(data: dict[str, Any]) -> Row:
    line, figures = data["inputs"], data["figures"]
    service, success, recovery = line["service"], figures["success"], figures["recovery"]
    variance = success["variance"] or {}
    zone = ZoneInfo(service["zone"])
    passed = [test for test in line["restores"] if test["passed"]]
    return Row(
        name=service["name"],
        code=service["code"],
        tier=service["tier"],
        department=service["department"],
        application_type=service["application_type"],
        version=line["version"]["number"],
        owner=line["version"].get("owner", ""),
        approved_by=line["version"].get("approved_by", ""),
        approved_at=line["version"].get("approved_at"),
        verdict=figures["verdict"],
        reasons=tuple(figures["reasons"]),
        **{name: success[name] for name in ("good", "settled", "late", "excused", "unconfirmed", "target")},
        uncounted=success.get("uncounted", 0),
        points=variance.get("variance_to_target_pp"),
        confidence=variance.get("target_confidence", ""),
        **{name: recovery[name] for name in ("rpo_s", "longest_s", "exceeded_s", "attainment")},
        rto_s=line["promises"][-1].get("rto_s") if line["promises"] else None,
        breach_count=recovery.get("breach_count", 0),
        moved_bytes=line["runs"]["moved_bytes"],
        restores=len(line["restores"]),
        restores_passed=len(passed),
        restored_on=frozenset(dt.datetime.fromisoformat(test["at"]).astimezone(zone).date().isoformat() for test in passed),
        days=line["days"],
        breaches=tuple(recovery["breaches"][:MOST_BREACHES]),
        incidents=tuple(line["incidents"]),
        windows=tuple(line["windows"]),
        left_out=tuple((reason, count) for reason, count in line.get("uncounted", ())),
        restored=tuple(line["restores"]),
        offerings=tuple(figures.get("offerings", ())),
    )
