"""The executive page: one sentence, what it meant, how the year went. No tool names, no job names, no codes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from itsm_backup.common.charts import DayCount, painted, success_line
from reporting import wording
from reporting.composing import Row, frame_of, sentence_of, verdict_of
from reporting.models import Report
from reporting.wording import duration, many, percent

MOST_MEANT = 3


def executive(report: Report, rows: list[Row]) -> dict[str, Any]:
    """Everything that the executive page shows."""
    totals = report.data["totals"]
    broken = [row for row in rows if row.verdict == "broken"]
    broken.sort(key=lambda row: (row.tier, -(row.exceeded_s or 0), row.points or 0.0, row.code))
    return {
        **frame_of(report, "Backup service summary for executives"),
        "sentence": f"{sentence_of(report)}.",
        "lead": _lead(report, broken),
        "figures": _figures(report, len(broken)),
        "meant": [_meant(row, report) for row in broken[:MOST_MEANT]],
        "meant_more": len(broken) - MOST_MEANT,
        "year_chart": _year_chart(report),
        "areas": _areas(report),
        "open": _still_open(rows),
        "unknown": totals["verdicts"].get("no_data", 0),
    }


def _lead(report: Report, broken: list[Row]) -> str:
    totals = report.data["totals"]
    if not totals["services"]:
        return "There is nothing to report."
    told = []
    if broken:
        over = totals["exceeded_s"]
        told.append(f"{many(len(broken), 'service')} did not{f', for {duration(over)} in all' if over else ''}.")
    else:
        told.append("No promise was broken.")
    unknown = totals["verdicts"].get("no_data", 0)
    if unknown:
        told.append(f"Of {many(unknown, 'service')} we do not know it: no backup of {'it' if unknown == 1 else 'them'} is on record.")
    return " ".join(told)


def _figures(report: Report, broken: int) -> list[dict[str, str]]:
    totals, before = report.data["totals"], report.data["before"]
    kept = totals["verdicts"].get("kept", 0) + totals["verdicts"].get("at_risk", 0)
    note = ""
    if before:
        was = before["verdicts"].get("kept", 0) + before["verdicts"].get("at_risk", 0)
        note = f"{dt.date.fromisoformat(before['month']):%B}: {was:,} of {before['services']:,}"
    restores, passed = totals["restores"], totals["restores_passed"]
    proof = "We can get the data back" if restores and passed == restores else "Some data could not be got back"
    return [
        {
            "value": f"{kept:,} of {totals['services']:,}",
            "words": "kept every promise",
            "note": note,
            "tone": "broken" if broken else "kept",
        },
        {
            "value": duration(totals["exceeded_s"]) if totals["exceeded_s"] else "0",
            "words": "with copies older than promised",
            "note": "all services together",
        },
        {
            "value": f"{passed} of {restores}" if restores else "0",
            "words": "restore tests passed",
            "note": proof if restores else "None was recorded: getting data back is unproven",
        },
        {
            "value": f"{totals['open_incidents']:,}",
            "words": "still open at the month’s end",
            "note": f"of {many(totals['incidents'], 'incident')}",
        },
    ]


def _meant(row: Row, report: Report) -> dict[str, Any]:
    """In plain words what happened to one service and what a loss would have cost."""
    happened, lost = [], ""
    if row.exceeded_s:
        times = "once" if row.breach_count == 1 else f"{row.breach_count:,} times"
        happened.append(f"The newest copy was too old {times}.")
        over_s = (row.longest_s or 0) - (row.rpo_s or 0)
        lost = f"Up to {duration(max(over_s, 0))} of work beyond the promise of {duration(row.rpo_s)}."
    if "success_below_target" in row.reasons:
        happened.append(f"{many(row.settled - row.good, 'backup')} of {row.settled:,} did not succeed.")
    open_now = any(one["resolved_at"] is None for one in row.incidents) or any(
        breach["until"] >= report.data["period"][1] for breach in row.breaches
    )
    return {
        "name": row.name,
        "area": row.department or wording.TIERS[str(row.tier)],
        "happened": " ".join(happened),
        "lost": lost or "No copy was older than promised.",
        "now": verdict_of("broken", "Still open") if open_now else verdict_of("kept", "Over"),
    }


def _year_chart(report: Report) -> Any:
    months = [DayCount(dt.date.fromisoformat(first), good, total) for first, good, total in report.data["trend"]]
    return painted(success_line(days=months, target=report.data["totals"]["target"], width=660, unit="month").svg)


def _areas(report: Report) -> list[dict[str, Any]]:
    return [
        {"name": wording.TIERS[tier], "services": f"{services:,}", "kept": f"{kept:,}", "success": percent(good, settled)}
        for tier, services, kept, good, settled in report.data["totals"]["groups"]["tier"]
    ]


def _still_open(rows: list[Row]) -> list[dict[str, str]]:
    found = [
        {"name": row.name, "since": wording.day(one["opened_at"][:10])}
        for row in rows
        for one in row.incidents
        if one["resolved_at"] is None
    ]
    return sorted(found, key=lambda one: one["name"])[:4]
