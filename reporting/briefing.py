"""The executive page: one sentence, what it meant, how the year went. No tool names, no job names, no codes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from itsm_backup.common.charts import DayCount, painted, success_line
from reporting import wording
from reporting.composing import frame_of, sentence_of, verdict_of
from reporting.models import Report
from reporting.rows import Row
from reporting.wording import duration, many, percent

MOST_MEANT, MOST_DECISIONS = 3, 2
OFTEN = 2  # so many times in a month the copies were too old: then it is the promise or the backups that has to change
HOUR_S = 3600


def executive(report: Report, rows: list[Row]) -> dict[str, Any]:
    """Everything that the executive page shows."""
    broken = [row for row in rows if row.verdict == "broken"]
    broken.sort(key=lambda row: (row.tier, -(row.exceeded_s or 0), row.points or 0.0, row.code))
    asked = [row for row in broken if row.breach_count >= OFTEN or _is_open(row, report)]
    return {
        **frame_of(report, "Backup service summary for executives", "executive"),
        "sentence": f"{sentence_of(report)}.{_asked_words(len(asked))}",
        "lead": _lead(report, broken),
        "figures": _figures(report, len(broken), len(asked)),
        **_decisions(report, asked),
        "meant": [_meant(row, report) for row in broken[:MOST_MEANT]],
        "meant_more": len(broken) - MOST_MEANT,
        "year_chart": _year_chart(report),
        "areas": _areas(report),
        "open": _still_open(rows),
        "revision_note": (
            f"This is revision {report.revision}. Facts that arrived later changed the one before; the technical report says which."
            if report.changes
            else ""
        ),
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
        told.append(f"We do not know it of {many(unknown, 'service')}: no backup of {'it' if unknown == 1 else 'them'} is on record.")
    return " ".join(told)


def _asked_words(asked: int) -> str:
    return f" {'One needs' if asked == 1 else f'{asked:,} need'} your decision." if asked else ""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _is_open(row: Row, report: Report) -> bool:
    """Whether its promise was still exceeded when the month ended."""
    return any(breach["until"] >= report.data["period"][1] for breach in row.breaches)


def _decisions(report: Report, asked: list[Row]) -> dict[str, Any]:
    """What only an owner can decide: keep a promise that was exceeded again and again, or promise what was kept."""
    title = "Your decisions: keep the promise or promise less?"
    if len(asked) == 1:
        title = f"Your decision: {asked[0].name}, keep the promise or promise less?"
    return {
        "decision_title": title if asked else "Your decisions",
        "decisions": [_decision(report, row) for row in asked[:MOST_DECISIONS]],
        "decision_more": f"And {len(asked) - MOST_DECISIONS:,} more in the technical report." if len(asked) > MOST_DECISIONS else "",
    }


def _decision(report: Report, row: Row) -> dict[str, Any]:
    kept_s = -(-(row.longest_s or 0) // HOUR_S) * HOUR_S
    owner = f"Owner {row.owner}." if row.owner else "The entry names no owner."
    return {
        "name": row.name,
        "keep": "Keep the promise.",
        "keep_words": f"At most {duration(row.rpo_s)} of work may be lost. Exceeded {_times(row.breach_count)}: backups have to change.",
        "change": "Promise less.",
        "change_words": f"{duration(kept_s)} would have been kept all through {report.month:%B}. Those who use it have to agree.",
        "foot": f"{owner} What either would cost is not on record here.",
    }


def _figures(report: Report, broken: int, asked: int) -> list[dict[str, str]]:
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
            "value": f"{asked:,}",
            "words": "decision for you" if asked == 1 else "decisions for you",
            "note": "below" if asked else "nothing was exceeded again and again",
            "tone": "broken" if asked else "",
        },
    ]


def _meant(row: Row, report: Report) -> dict[str, Any]:
    """In plain words what happened to one service and what a loss would have cost."""
    happened, lost = [], ""
    if row.exceeded_s:
        happened.append(f"The newest copy was too old {_times(row.breach_count)}.")
        over_s = (row.longest_s or 0) - (row.rpo_s or 0)
        lost = f"Up to {duration(max(over_s, 0))} of work beyond the promise of {duration(row.rpo_s)}."
    if "success_below_target" in row.reasons:
        happened.append(f"{many(row.settled - row.good, 'backup')} of {row.settled:,} did not succeed.")
    open_now = _is_open(row, report) or any(one["resolved_at"] is None for one in row.incidents)
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
