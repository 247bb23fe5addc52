"""What happened in the month, in lists cut to what paper holds: breaches, incidents, restore tests and what was held."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from itsm_backup.common.charts import painted, verdict_mark
from reporting import wording
from reporting.rows import Row
from reporting.wording import duration, listed, many

MOST_BREACHES, MOST_INCIDENTS, MOST_HELD, MOST_RESTORES = 14, 8, 5, 8
MOST_LEFT_OUT = 5


def breaches_of(rows: list[Row], zone: ZoneInfo) -> dict[str, Any]:
    found = [(row, breach) for row in rows for breach in row.breaches]
    found.sort(key=lambda pair: (-pair[1]["over_s"], pair[1]["from"], pair[0].code))
    total = sum(row.breach_count for row in rows)
    told = [
        {
            "name": row.name,
            "item": breach["item"],
            "from": wording.short_instant(breach["from"], zone),
            "over": duration(breach["over_s"]),
            "record": record_of(row, breach),
        }
        for row, breach in found[:MOST_BREACHES]
    ]
    note = f"The {len(told)} longest of {total:,}; all are in the snapshot." if total > len(told) else ""
    return {"breaches": told, "breach_note": note}


def record_of(row: Row, breach: dict[str, Any]) -> str:
    """The incident that was open while the promise was exceeded, with its cause when a rule named one."""
    for one in row.incidents:
        if one["opened_at"] <= breach["until"] and (one["resolved_at"] is None or one["resolved_at"] >= breach["from"]):
            return f"{one['number']} {one['cause'] or one['title']}"
    return "No incident on record"


def incidents_of(rows: list[Row], zone: ZoneInfo) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        for one in row.incidents:
            told = found.setdefault(one["number"], {**one, "services": []})
            told["services"].append(row.name)
    ordered = sorted(found.values(), key=lambda one: (one["resolved_at"] is not None, one["opened_at"], one["number"]))
    return {
        "incidents": [
            {
                "number": one["number"],
                "title": one["title"],
                "services": listed(one["services"], most=2),
                "opened": wording.short_instant(one.get("known_at") or one["opened_at"], zone),
                "state": f"resolved {wording.short_instant(one['resolved_at'], zone)}" if one["resolved_at"] else "open at the month’s end",
            }
            for one in ordered[:MOST_INCIDENTS]
        ],
        "incident_note": f"{MOST_INCIDENTS} of {len(ordered):,} shown, open ones first." if len(ordered) > MOST_INCIDENTS else "",
    }


def restores_of(rows: list[Row], zone: ZoneInfo) -> dict[str, Any]:
    """Restore tests, those that failed first, then the newest."""
    found = [(row, test) for row in rows for test in row.restored]
    found.sort(key=lambda pair: (pair[1]["at"], pair[0].code), reverse=True)
    found.sort(key=lambda pair: pair[1]["passed"])
    told = [{"name": row.name, "at": wording.short_instant(test["at"], zone), **_restore(row, test)} for row, test in found[:MOST_RESTORES]]
    note = f"{MOST_RESTORES} of {len(found):,} shown, failed ones first." if len(found) > MOST_RESTORES else ""
    return {"restores": told, "restore_note": note}


def _restore(row: Row, test: dict[str, Any]) -> dict[str, Any]:
    """How one went: a whole restore that took longer than promised keeps the data and breaks the promise of time."""
    is_whole, took_s = test.get("scope", "full") == "full", test["took_s"]
    took = duration(took_s) if is_whole or took_s is None else f"{duration(took_s)} for a sample"
    if is_whole and took_s is not None and row.rto_s:
        took = f"{took} of {duration(row.rto_s)}"
    outcome = test.get("outcome", "passed" if test["passed"] else "failed")
    verdict, words = {"passed": ("kept", "Passed"), "failed": ("broken", "Failed")}.get(outcome, ("no_data", "Unclear"))
    if outcome == "passed" and is_whole and took_s is not None and row.rto_s and took_s > row.rto_s:
        verdict, words = "broken", "Too slow"
    elif outcome == "passed" and test.get("verified") is None:
        words = "Passed, not compared"
    return {"took": took, "result": {"name": verdict, "mark": painted(verdict_mark(verdict)), "words": words}}


def held_of(rows: list[Row], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Maintenance that held due runs."""
    return [
        {"name": row.name, "purpose": window["purpose"], "from": wording.short_instant(window["from"], zone), "excused": row.excused}
        for row in rows
        for window in row.windows[:2]
    ][:MOST_HELD]


def left_out_of(rows: list[Row]) -> list[dict[str, Any]]:
    """Services whose measurement calendar left due runs out: why, and how many; those with most of them first."""
    found = sorted((row for row in rows if row.left_out), key=lambda row: (-row.uncounted, row.code))
    return [
        {"name": row.name, "reason": listed([reason for reason, _ in row.left_out], most=3), "due": many(row.uncounted, "due run")}
        for row in found[:MOST_LEFT_OUT]
    ]
