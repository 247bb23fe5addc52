"""The figures of a service in a month: pure, from the inputs that the report keeps, by published methods."""

from __future__ import annotations

import datetime as dt
from typing import Any

from itsm_backup.common.time import iso
from monitoring.methods import measure, rpo
from monitoring.methods.canonical import instant, instant_or_none, rate
from monitoring.methods.success import windows

METHODS = {"BM-SR-WIN": "1", "BM-RPO-TW": "1", "BM-VAR": "1", "BM-DQ": "1"}
MOST_BREACHES = 40


def figures_of(line: dict[str, Any], *, at_risk_fraction: float) -> dict[str, Any]:
    """Success, recovery point and verdict of the month.

    The success target is that of the last version in force; each stretch of the month is held against the RPO promised in it.
    """
    success = _success(line)
    recovery = _recovery(line)
    verdict, reasons = _verdict(line, success, recovery, at_risk_fraction)
    offerings = _offerings(line, success, at_risk_fraction)
    beside = {"offerings": offerings} if offerings else {}
    return {"success": success, "recovery": recovery, "verdict": verdict, "reasons": reasons, **beside}


def _offerings(line: dict[str, Any], success: dict[str, Any], at_risk_fraction: float) -> list[dict[str, Any]]:
    """What each offering of the last version in force promises of its own, against the same runs and copies as its entry.

    Its recovery point holds, as that of the entry, for the stretches of the month in which a version promised it.
    """
    told = []
    for one in line["promises"][-1].get("offerings", []) if line["promises"] else []:
        parts = [
            {**part, "rpo_s": same["rpo_s"]}
            for part in line["promises"] for same in part.get("offerings", [])
            if same["name"] == one["name"] and same["rpo_s"] is not None
        ]  # fmt: skip
        recovery = _recovery({**line, "promises": parts if one["rpo_s"] is not None else []})
        recovery.pop("breaches")
        promised = {**success, "target": one["success_rate"]}
        verdict, reasons = _verdict(line, promised, recovery, at_risk_fraction)
        told.append({"name": one["name"], "target": one["success_rate"], **recovery, "verdict": verdict, "reasons": reasons})
    return told


def _success(line: dict[str, Any]) -> dict[str, Any]:
    """BM-SR-WIN over the ledger of the month, with its distance to the promise and to the months before (BM-VAR)."""
    counted = windows((state, settled) for state, settled, count in line["ledger"] for _ in range(count))
    target = line["promises"][-1]["success_rate"] if line["promises"] else None
    found: dict[str, Any] = {
        "good": counted.good,
        "settled": counted.settled,
        "pending": counted.pending,
        "excused": counted.excused,
        "unconfirmed": counted.unconfirmed,
        "late": sum(count for state, _, count in line["ledger"] if state == "satisfied_late"),
        **({"uncounted": counted.uncounted} if counted.uncounted else {}),
        "rate": counted.rate,
        "target": target,
        "variance": None,
    }
    if target is not None and counted.settled:
        good, total = line["baseline"]
        given = {"good": counted.good, "total": counted.settled, "target": target, "higher_is_better": True}
        found["variance"] = measure("BM-VAR", {**given, "baseline_good": good, "baseline_total": total})
    return found


def _recovery(line: dict[str, Any]) -> dict[str, Any]:
    """BM-RPO-TW of the worst item, and every time the promise was exceeded."""
    parts = [part for part in line["promises"] if part["rpo_s"] is not None]
    found: dict[str, Any] = {
        "rpo_s": parts[-1]["rpo_s"] if parts else None,
        "attainment": None,
        "exceeded_s": None,
        "longest_s": None,
        "breaches": [],
    }
    if not parts or not line["items"]:
        return found
    per_item = [_item(item, parts, line["commissioned_at"]) for item in line["items"]]
    worst = max(per_item, key=lambda item: (item["exceeded_s"], item["longest_s"]))
    breaches = sorted((breach for item in per_item for breach in item["breaches"]), key=lambda breach: (breach["from"], breach["item"]))
    return {
        **found,
        "attainment": worst["attainment"],
        "exceeded_s": worst["exceeded_s"],
        "longest_s": max(item["longest_s"] for item in per_item),
        "breach_count": len(breaches),
        "breaches": breaches[:MOST_BREACHES],
    }


def _item(item: dict[str, Any], parts: list[dict[str, Any]], commissioned_at: str) -> dict[str, Any]:
    points = [{"captured_at": captured, "available_at": available, "expires_at": until} for captured, available, until in item["points"]]
    period_s = exceeded_s = longest_s = 0
    breaches: list[dict[str, Any]] = []
    for part in parts:
        given = {
            "period": [part["from"], part["until"]],
            "rpo_seconds": part["rpo_s"],
            "points": points,
            "commissioned_at": commissioned_at,
        }
        counted = measure("BM-RPO-TW", given)
        period_s += counted["period_seconds"]
        exceeded_s += counted["noncompliant_seconds"]
        longest_s = max(longest_s, counted["max_exposure_seconds"] or 0)
        if counted["noncompliant_seconds"]:
            breaches += _breaches(item["name"], points, part, instant(commissioned_at))
    return {
        "attainment": rate(period_s - exceeded_s, period_s),
        "exceeded_s": exceeded_s,
        "longest_s": longest_s,
        "breaches": breaches,
    }


def _breaches(name: str, points: list[dict[str, Any]], part: dict[str, Any], commissioned_at: dt.datetime) -> list[dict[str, Any]]:
    """Each time, from when to when, that the newest copy was older than promised, and by how much at most."""
    since, until, limit = instant(part["from"]), instant(part["until"]), dt.timedelta(seconds=part["rpo_s"])
    usable = [
        rpo.Point(
            captured_at=instant(point["captured_at"]),
            available_at=instant(point["available_at"]),
            expires_at=instant_or_none(point["expires_at"]),
        )
        for point in points
    ]
    found = rpo.breaches(usable, since, until, limit=limit, commissioned_at=commissioned_at)
    return [{"item": name, "from": iso(one.starts_at), "until": iso(one.ends_at), "over_s": one.over_s} for one in found]


def _verdict(line: dict[str, Any], success: dict[str, Any], recovery: dict[str, Any], at_risk_fraction: float) -> tuple[str, list[str]]:
    """Broken by any promise of the month; then no data, at risk, held, kept."""
    target, settled = success["target"], success["settled"]
    if not line["promises"] or (recovery["rpo_s"] is None and target is None):
        return "no_data", ["no_promise"]
    broken = ["rpo_exceeded"] if recovery["exceeded_s"] else []
    if target is not None and settled and success["good"] < target * settled - 1e-9:
        broken.append("success_below_target")
    if broken:
        return "broken", broken
    missing = ["no_copies_known"] if recovery["rpo_s"] is not None and not line["items"] else []
    if target is not None and not settled and not success["excused"]:
        missing.append("nothing_settled")
    if missing:
        return "no_data", missing
    if success["excused"] and not settled:
        return "held", ["held_all_month"]
    near = ["rpo_nearly_used"] if recovery["longest_s"] and recovery["longest_s"] > at_risk_fraction * recovery["rpo_s"] else []
    bad = settled - success["good"]
    if target is not None and bad and bad > at_risk_fraction * (1 - target) * settled:
        near.append("budget_nearly_used")
    return ("at_risk", near) if near else ("kept", [])
