"""Why two sides differ, as far as the records tell, and what puts it right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.text import capfirst

from catalogue.agreed_fields import CATALOGUE, CMDB, FIELDS, MONITORING, SIDES
from monitoring.models import ConflictDecision, WriteBack, WriteConflict
from monitoring.sides import SEEN_WITHIN


class Advice(NamedTuple):
    """A sentence, and the deed: decide, wait, cmdb, entry, jobs, days, explain; empty where nothing is to be done."""

    reason: str
    deed: str


class Told(NamedTuple):
    """What is known of the CMDB's items of the entry, by item: the conflicts of the field, and what came of writing."""

    conflicts: Mapping[int, WriteConflict]
    written: Mapping[int, WriteBack]
    writes: bool


def advise(row: Mapping[str, Any], told: Told) -> Advice:
    """For one row of a comparison in which the sides differ."""
    items = [int(one) for one in row["odd"] if one not in (CATALOGUE, MONITORING)]
    if items:
        return _cmdb(row, items, told)
    special = {"jobs": _jobs, "runs": _runs, "in_use": _in_use, "status": _status}.get(row["field"])
    if special:
        return special(row)
    behind = row["odd"][0]
    return Advice(
        f"The {SIDES[behind]} says otherwise than the {SIDES[row['master']]}, which is the master.",
        "entry" if behind == CATALOGUE else "jobs",
    )


def _cmdb(row: Mapping[str, Any], items: list[int], told: Told) -> Advice:
    found = [told.conflicts[item] for item in items if item in told.conflicts]
    if any(one.ended_at is None for one in found):
        why = next(one for one in found if one.ended_at is None)
        return Advice(f"{capfirst(why.get_why_display())}.", "decide")
    left = next((one.decision for one in found if _left(one)), None)
    if left:
        return Advice(f"Left as it is by {left.by.get_full_name() or left.by}: {left.reason}", "")
    if row["master"] == CMDB:
        return Advice("Items of the CMDB say different things about the same entry.", "cmdb")
    if not told.writes or not FIELDS[row["field"]].ours:
        return Advice("The CMDB says otherwise, and nothing is written there from here.", "cmdb")
    refused = next((told.written[item] for item in items if item in told.written and told.written[item].accepted is False), None)
    if refused:
        return Advice(f"It was not taken: {refused.answer}", "cmdb")
    return Advice("It is written to the CMDB within a minute.", "wait")


def _left(one: WriteConflict) -> bool:
    return hasattr(one, "decision") and one.decision.choice == ConflictDecision.Choice.THEIRS


def _jobs(row: Mapping[str, Any]) -> Advice:
    agreed, seen = set(row[CATALOGUE] or ()), set(row[MONITORING] or ())
    told = []
    if seen - agreed:
        told.append(f"Nobody agreed on a schedule for {', '.join(sorted(seen - agreed)[:5])}.")
    if agreed - seen:
        told.append(f"No run of {', '.join(sorted(agreed - seen)[:5])} in {SEEN_WITHIN.days} days.")
    return Advice(" ".join(told) or "The jobs differ.", "jobs")


def _runs(row: Mapping[str, Any]) -> Advice:
    missing = (row[CATALOGUE] or 0) - (row[MONITORING] or 0)
    return Advice(f"{missing} due backup{'s' if missing != 1 else ''} of the last 7 days did not come right.", "days")


def _in_use(row: Mapping[str, Any]) -> Advice:
    retired = "no" in row[CMDB].values() and "yes" not in row[CMDB].values()
    if retired and CATALOGUE in row["odd"]:
        return Advice("The CMDB says that it is retired; the entry stands in the catalogue.", "entry")
    if retired:
        return Advice("The CMDB says that it is retired; its jobs still run.", "jobs")
    if CATALOGUE in row["odd"]:
        return Advice("The CMDB says that it is in use; the entry is retired.", "entry")
    return Advice(f"It is in use, and none of its jobs ran in {SEEN_WITHIN.days} days.", "jobs")


def _status(row: Mapping[str, Any]) -> Advice:
    return Advice("One more good or bad backup may be needed before the status follows the latest judgement.", "explain")
