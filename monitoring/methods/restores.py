"""What restore tests prove, and how well the copies are kept: number, place, locks, encryption."""

from __future__ import annotations

import datetime as dt
from typing import Any

from monitoring.methods.canonical import Inputs, instant, instant_or_none, rate, six
from monitoring.methods.registry import method
from monitoring.methods.statistics import wilson


@method("BM-RTO", "RTO attainment")
def rto_attainment(inputs: Inputs) -> dict[str, Any]:
    """Full-scope tests that passed, with verified integrity, usable within the RTO / all full-scope tests.

    Measured from the start of the test until the service is usable; equal to the RTO attains. A failed test and failed
    integrity count as bad. Sample tests are left out: they are never extrapolated. With the Wilson interval (BM-WILSON).
    """
    rto = dt.timedelta(seconds=inputs["rto_seconds"])
    full = [test for test in inputs["tests"] if test["scope"] == "full"]
    attained = sum(_attains(test, rto) for test in full)
    bounds = wilson(attained, len(full))
    return {
        "attained": attained,
        "total": len(full),
        "rate": rate(attained, len(full)),
        "wilson_low": six(bounds[0]) if bounds else None,
        "wilson_high": six(bounds[1]) if bounds else None,
    }


def _attains(test: dict[str, Any], rto: dt.timedelta) -> bool:
    usable_at = instant_or_none(test.get("service_usable_at"))
    proven = test["result"] == "pass" and test.get("integrity_ok") is True
    return proven and usable_at is not None and usable_at - instant(test["started_at"]) <= rto


@method("BM-RTC", "Restore-test coverage")
def restore_test_coverage(inputs: Inputs) -> dict[str, Any]:
    """Items with a verified restore within the cadence of their tier / items in scope.

    Exactly as old as the cadence still counts; never tested is overdue.
    """
    at = instant(inputs["at"])
    covered: list[Any] = []
    overdue: list[Any] = []
    for item in inputs["items"]:
        if not item.get("in_scope", True):
            continue
        tested_at = instant_or_none(item.get("last_verified_restore_at"))
        cadence = dt.timedelta(days=inputs["cadence_days"][str(item["tier"])])
        (covered if tested_at is not None and at - tested_at <= cadence else overdue).append(item["id"])
    total = len(covered) + len(overdue)
    return {"covered": covered, "total": total, "rate": rate(len(covered), total), "overdue": overdue}


def _is_live(thing: dict[str, Any], at: dt.datetime) -> bool:
    expires_at = instant_or_none(thing.get("expires_at"))
    return expires_at is None or at < expires_at


@method("BM-32110", "3-2-1-1-0")
def three_two_one_one_zero(inputs: Inputs) -> dict[str, Any]:
    """Five yes-or-no questions about the live copies of an item; compliant when all five are yes.

    At least 3 copies (production counts where the policy says so), on at least 2 media, at least 1 away from the
    production site, at least 1 offline or locked *now*, and 0 errors in the latest verification, which is fresh enough.
    Expired and damaged copies are out; a lock that has ended is no lock. A scheme with other numbers gives them as `least`; of a scheme
    with fewer numbers only the first ones are read. What nobody knows is counted once as the worst and once as the best that it can
    be: a question is answered where both give the same, and not known where they differ.
    """
    least = {"copies": 3, "media": 2, "offsite": 1, "offline_or_immutable": 1, **inputs.get("least", {})}
    at = instant(inputs["at"])
    copies = [copy for copy in inputs["copies"] if copy["status"] == "ok" and _is_live(copy, at)]
    locked_until = [instant_or_none(copy.get("immutable_until")) for copy in copies]
    safe = [bool(copy.get("offline")) or (until is not None and at < until) for copy, until in zip(copies, locked_until, strict=True)]
    verifications = [check for check in inputs["verifications"] if instant(check["at"]) <= at]
    latest = max(verifications, key=lambda check: instant(check["at"]), default=None)
    oldest_valid = at - dt.timedelta(days=inputs["verification_max_age_days"])
    answers = {
        "copies": len(copies) + bool(inputs["count_production"]) >= least["copies"],
        "media": len({copy["media"] for copy in copies}) >= least["media"],
        "offsite": sum(copy["site"] != inputs["production_site"] for copy in copies) >= least["offsite"],
        "offline_or_immutable": sum(safe) >= least["offline_or_immutable"],
        "zero_errors": latest is not None and latest["errors"] == 0 and instant(latest["at"]) >= oldest_valid,
    }
    return {**answers, "passed": sum(answers.values()), "compliant": all(answers.values())}


@method("BM-ENC", "Encryption coverage")
def encryption_coverage(inputs: Inputs) -> dict[str, Any]:
    """Live points known to be encrypted at rest / live points, by number and by stored bytes.

    Unknown is not covered and is counted apart. Expired points are out.
    """
    live = [point for point in inputs["points"] if _is_live(point, instant(inputs["at"]))]
    covered = [point for point in live if point.get("encrypted_at_rest") is True]
    return {
        "covered": len(covered),
        "total": len(live),
        "unknown": sum(point.get("encrypted_at_rest") is None for point in live),
        "rate": rate(len(covered), len(live)),
        "bytes_rate": rate(sum(point.get("bytes_stored") or 0 for point in covered), sum(point.get("bytes_stored") or 0 for point in live)),
    }


@method("BM-IMM", "Immutability coverage")
def immutability_coverage(inputs: Inputs) -> dict[str, Any]:
    """Live points locked at least until min(expiry, capture + required days) / live points.

    Expired points are out.
    """
    required = dt.timedelta(days=inputs["required_lock_days"])
    live = [point for point in inputs["points"] if _is_live(point, instant(inputs["at"]))]
    covered = [point["id"] for point in live if _is_locked_long_enough(point, required)]
    return {"covered": covered, "total": len(live), "rate": rate(len(covered), len(live))}


def _is_locked_long_enough(point: dict[str, Any], required: dt.timedelta) -> bool:
    locked_until, expires_at = instant_or_none(point.get("immutable_until")), instant_or_none(point.get("expires_at"))
    needed = instant(point["captured_at"]) + required
    return locked_until is not None and locked_until >= (min(needed, expires_at) if expires_at else needed)


NEARLY = 1.1  # of the distance to the next copy: runs do not begin on the minute


@method("BM-RET", "Retention reached")
def retention_reached(inputs: Inputs) -> dict[str, Any]:
    """Items whose copies reach back as far as promised / items.

    Copies reach back to the oldest one that can still be restored. With one copy a day and a promise of 35 days the oldest is
    between 34 and 35 days old, so the promise is kept while the next older copy would be too old: age of the oldest + 1.1 × its
    distance to the second oldest ≥ promised days. Thinned copies in between do not matter. Of an item of which nobody says which
    copies are still held, which has none, or whose oldest copy is the first one that was ever seen and not old enough, it is not
    known. Otherwise older copies are gone too early: short.
    """
    at, required = instant(inputs["at"]), dt.timedelta(days=inputs["required_days"])
    answers: dict[str, list[Any]] = {"kept": [], "short": [], "unknown": []}
    for item in inputs["items"]:
        answers[_reaches(item, at, required)].append(item["id"])
    total = len(inputs["items"])
    return {**answers, "total": total, "rate": rate(len(answers["kept"]), total)}


def _reaches(item: dict[str, Any], at: dt.datetime, required: dt.timedelta) -> str:
    oldest, second = instant_or_none(item["oldest_at"]), instant_or_none(item["second_oldest_at"])
    if oldest is None or not item["tells_what_is_held"]:
        return "unknown"
    distance = second - oldest if second else dt.timedelta(0)
    if at - oldest + NEARLY * distance >= required:
        return "kept"
    return "unknown" if instant(item["first_seen_copy_at"]) >= oldest else "short"
