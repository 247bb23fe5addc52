"""The auditor's report: what the figures rest on, who approved which promise, and how to prove that nothing was changed since."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from itsm_backup.common.time import instant_words
from reporting import composing, wording
from reporting.models import Report, ReportSchedule
from reporting.rows import Row

MOST_ENTRIES = 40


def auditor(report: Report, rows: list[Row]) -> dict[str, Any]:
    """Everything that the auditor's report shows."""
    zone = ZoneInfo(report.data["zone"])
    ordered = sorted(rows, key=lambda row: (composing.URGENCY.index(row.verdict), row.code))
    return {
        **composing.technical(report, rows),
        **composing.frame_of(report, "Backup service report for auditors", "auditor"),
        "origin": _origin(report, zone),
        "entries": [_entry(row, zone) for row in ordered[:MOST_ENTRIES]],
        "entry_note": _entry_note(len(rows)),
    }


def _entry(row: Row, zone: ZoneInfo) -> dict[str, Any]:
    approved = dt.datetime.fromisoformat(row.approved_at).astimezone(zone) if row.approved_at else None
    return {
        "name": row.name,
        "code": row.code,
        "version": row.version,
        "approved": f"{approved.day} {approved:%b %Y}" if approved else "–",
        "by": row.approved_by or "–",
        "rpo": wording.duration(row.rpo_s),
        "success": wording.share(row.target),
        "verdict": composing.verdict_of(row.verdict),
    }


def _entry_note(total: int) -> str:
    if total <= MOST_ENTRIES:
        return ""
    return f"{MOST_ENTRIES} of {total:,} shown, what is not kept first. All {total:,} are in the CSV attached to this report."


def _origin(report: Report, zone: ZoneInfo) -> list[dict[str, Any]]:
    data, override = report.data, report.data.get("override")
    since, until = report.period
    methods = ", ".join(f"{name} version {version}" for name, version in sorted(data["methods"].items()))
    template = (data.get("templates") or {}).get("auditor", {}).get("version", 0)
    told = [
        ("Period", f"{instant_words(since, zone=zone)} to {instant_words(until, zone=zone)}"),
        ("Snapshot", f"{report.number}, revision {report.revision}, made {instant_words(report.made_at, zone=zone)}"),
        ("Catalogue version", f"{data['catalogue_version']:,}"),
        ("Methods", methods),
        ("At risk", f"when more than {data['at_risk_fraction']:.0%} of a promise is used"),
        ("A failed check", ReportSchedule.Policy(data["policy"]).label),
        ("Result of the checks", f"{report.get_state_display()} ({data['checks']['method']} version {data['checks']['version']})"),
        ("Override", f"{override['by']}: {override['reason']}" if override else "None"),
        ("Layout", f"version {data['layout']}, this template version {template}"),
    ]
    digests = [
        ("Seal (SHA-256 of data and versions)", bytes(report.seal).hex()),
        ("Manifest (SHA-256)", bytes(report.manifest_digest or b"").hex() or "none"),
        ("Manifest of the report before", report.manifest.get("previous") or "none: this report is the first of its series"),
    ]
    return [{"words": words, "value": value} for words, value in told] + [
        {"words": words, "value": value, "is_digest": True} for words, value in digests
    ]
