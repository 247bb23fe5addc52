"""Figures against target, history and peers; whether data and reports can be trusted; when an entry should go."""

from __future__ import annotations

import datetime as dt
from typing import Any

from monitoring.methods.anomalies import is_beyond, robust_score
from monitoring.methods.canonical import SECOND, Inputs, instant, instant_or_none, rate, six
from monitoring.methods.registry import method
from monitoring.methods.statistics import TOLERANCE, binomial_lower_tail, confidence, fisher_upper_tail, wilson

SIGNIFICANT_SCORE = 3.5
RETIREMENT_WEIGHTS = {"usage": 30, "reliability": 20, "obsolescence": 20, "cost": 15, "overlap": 15}


@method("BM-VAR", "Variance")
def variance(inputs: Inputs) -> dict[str, Any]:
    """The distance of a figure from its target and from its baseline, and whether it proves anything.

    A rate (`good` of `total`): percentage points and relative distance to the target, Wilson against the target
    (BM-WILSON), Fisher's exact one-sided test of more bad ones than in the baseline. A quantity (`actual`): distance to
    the median of its history, robust score (BM-ANO-MAD), significant beyond 3.5. Adverse or favourable by the metric's
    sense: a rate against its target, a quantity against its baseline; equal is `none`. A rate of nothing has neither distance nor
    proof: null and `insufficient_data`.
    """
    return _rate_variance(inputs) if "good" in inputs else _quantity_variance(inputs)


def _direction(difference: float, higher_is_better: bool) -> str:
    if abs(difference) <= TOLERANCE:
        return "none"
    return "favourable" if (difference > 0) == higher_is_better else "adverse"


_RATE_OF_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("actual", "variance_to_target_pp", "relative_to_target", "variance_to_baseline_pp", "wilson_low", "wilson_high")),
    "target_status": None,
    "target_confidence": "insufficient_data",
    "fisher_one_sided_p": None,
    "direction": "none",
}


def _rate_variance(inputs: Inputs) -> dict[str, Any]:
    good, total, target = inputs["good"], inputs["total"], inputs["target"]
    other_good, other_total = inputs["baseline_good"], inputs["baseline_total"]
    bounds = wilson(good, total)
    if bounds is None:
        return dict(_RATE_OF_NOTHING)
    actual = good / total
    baseline = other_good / other_total if other_total else None
    return {
        "actual": six(actual),
        "variance_to_target_pp": six((actual - target) * 100),
        "relative_to_target": rate(actual - target, target),
        "variance_to_baseline_pp": None if baseline is None else six((actual - baseline) * 100),
        "wilson_low": six(bounds[0]),
        "wilson_high": six(bounds[1]),
        "target_status": "met" if actual >= target - TOLERANCE else "missed",
        "target_confidence": confidence(good, total, target),
        "fisher_one_sided_p": six(fisher_upper_tail(total - good, total, other_total - other_good, other_total)),
        "direction": _direction(actual - target, inputs["higher_is_better"]),
    }


def _quantity_variance(inputs: Inputs) -> dict[str, Any]:
    actual, higher_is_better = inputs["actual"], inputs["higher_is_better"]
    found = robust_score(inputs["monthly_history"], actual)
    bound = inputs.get("target_min" if higher_is_better else "target_max")
    missed = bound is not None and (actual < bound if higher_is_better else actual > bound)
    return {
        "baseline_median": six(found.median),
        "variance": six(actual - found.median),
        "relative": rate(actual - found.median, found.median),
        "score": None if found.score is None else six(found.score),
        "scale": found.scale,
        "significant": is_beyond(found.score, SIGNIFICANT_SCORE),
        "direction": _direction(actual - found.median, higher_is_better),
        "target_status": None if bound is None else "missed" if missed else "met",
    }


@method("BM-FUNNEL", "Funnel comparison of peers")
def funnel(inputs: Inputs) -> list[dict[str, Any]]:
    """P(at most so many good ones) for a service if it were like the pooled rest, exact binomial lower tail.

    Below `alpha_low` (0.001) it is an `outlier`, below `alpha_warn` (0.025) `watch`, else `typical`. Groups below
    `min_group` (8) are suppressed: no comparison. Never rank by the raw rate: 0.90 of 30 may be typical.
    """
    peers = inputs["peers"]
    comparable = len(peers) >= inputs["min_group"]
    all_good, all_total = sum(peer["good"] for peer in peers), sum(peer["total"] for peer in peers)
    results = []
    for peer in peers:
        others = rate(all_good - peer["good"], all_total - peer["total"]) if comparable else None
        p = None
        if others is not None and peer["total"]:
            p = binomial_lower_tail(peer["good"], peer["total"], (all_good - peer["good"]) / (all_total - peer["total"]))
        results.append(
            {
                "service": peer["service"],
                "rate": rate(peer["good"], peer["total"]),
                "peer_rate": others,
                "lower_tail_p": None if p is None else six(p),
                "verdict": _funnel_verdict(p, comparable, inputs),
            }
        )
    return results


def _funnel_verdict(p: float | None, comparable: bool, inputs: Inputs) -> str:
    if not comparable:
        return "suppressed_small_group"
    if p is None:
        return "insufficient_data"
    if p < inputs["alpha_low"]:
        return "outlier"
    return "watch" if p < inputs["alpha_warn"] else "typical"


@method("BM-PEER", "Percentile among peers")
def peer_percentile(inputs: Inputs) -> dict[str, Any]:
    """The share of the other services with a lower rate, ties counted half.

    Suppressed (`suppressed_small_group`) when the group, the subject included, is smaller than `min_group` (5).
    """
    values = {value["service"]: value["rate"] for value in inputs["values"]}
    own = values[inputs["subject"]]
    if len(values) < inputs["min_group"] or len(values) < 2:
        return {"percentile": None, "group": len(values), "state": "suppressed_small_group"}
    others = [value for service, value in values.items() if service != inputs["subject"]]
    below = sum((value < own - TOLERANCE) + 0.5 * (abs(value - own) <= TOLERANCE) for value in others)
    return {"percentile": six(below / len(others)), "group": len(values)}


@method("BM-DQ", "Data quality gate")
def data_quality(inputs: Inputs) -> dict[str, Any]:
    """Whether the data of a period can carry a report.

    Completeness = distinct occurrences received / expected. Uniqueness = distinct (source, external id, attempt) /
    received. Referential = distinct records with a mapped job and a valid entry version / distinct records. Skew = records
    that ended before they started, or more than the limit after they were received. `blocked` when completeness or
    referential is below 90 % or unknown, or the data is stale; `qualified` when any of the three is below 99 % or there is
    skew; else `passed`.
    """
    received = inputs["received"]
    distinct = {(record["source"], record["external_id"], record.get("attempt", 1)): record for record in received}.values()
    occurrences = {record["occurrence"] for record in distinct if record["occurrence"] is not None}
    sound = sum(bool(record["job_mapped"] and record["entry_version_valid"]) for record in distinct)
    ingested_at = instant_or_none(inputs["last_ingested_at"])
    age = instant(inputs["evaluated_at"]) - ingested_at if ingested_at else dt.timedelta.max
    limit = dt.timedelta(seconds=inputs["skew_limit_seconds"])
    completeness = rate(len(occurrences), inputs["expected_occurrences"])
    uniqueness, referential = rate(len(distinct), len(received)), rate(sound, len(distinct))
    fresh, skewed = age <= inputs["freshness_limit_seconds"] * SECOND, sum(_is_skewed(record, limit) for record in distinct)
    return {
        "completeness": completeness,
        "fresh": fresh,
        "uniqueness": uniqueness,
        "referential": referential,
        "skew_violations": skewed,
        "gate": gate(completeness=completeness, referential=referential, uniqueness=uniqueness, fresh=fresh, skewed=skewed),
    }


def gate(*, completeness: float | None, referential: float | None, uniqueness: float | None, fresh: bool, skewed: int) -> str:
    """BM-DQ's decision from its ratios: blocked, qualified or passed. For callers that count in the database."""
    ratios = [completeness or 0.0, referential or 0.0, uniqueness or 0.0]
    if min(ratios[:2]) < 0.9 - TOLERANCE or not fresh:
        return "blocked"
    return "qualified" if min(ratios) < 0.99 - TOLERANCE or skewed else "passed"


def _is_skewed(record: dict[str, Any], limit: dt.timedelta) -> bool:
    started_at, ended_at, received_at = (instant_or_none(record.get(name)) for name in ("started_at", "ended_at", "received_at"))
    if ended_at is None:
        return False
    return bool((started_at and ended_at < started_at) or (received_at and ended_at - received_at > limit))


@method("BM-RECON", "Reconciliation of monitoring and report")
def reconciliation(inputs: Inputs) -> dict[str, Any]:
    """Compares two sets of judged occurrences one by one, not only their rates.

    Names what only one of them has and where outcomes differ; delta = report rate − monitoring rate, in percentage
    points. `agree` when nothing differs, `within_tolerance` when the rates still agree within `tolerance_pp`, else
    `discrepancy`.
    """
    ours = {entry["occurrence"]: bool(entry["good"]) for entry in inputs["monitoring"]}
    theirs = {entry["occurrence"]: bool(entry["good"]) for entry in inputs["sla_report"]}
    only_ours, only_theirs = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    mismatch = sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])
    delta = 100 * (sum(theirs.values()) / len(theirs) - sum(ours.values()) / len(ours)) if ours and theirs else None
    if not (only_ours or only_theirs or mismatch):
        status = "agree"
    else:
        near = delta is not None and abs(delta) <= inputs["tolerance_pp"] + TOLERANCE
        status = "within_tolerance" if near else "discrepancy"
    return {
        "monitoring_rate": rate(sum(ours.values()), len(ours)),
        "report_rate": rate(sum(theirs.values()), len(theirs)),
        "delta_pp": None if delta is None else six(delta),
        "only_in_monitoring": only_ours,
        "only_in_report": only_theirs,
        "outcome_mismatch": mismatch,
        "status": status,
    }


@method("BM-RETIRE", "Retirement score")
def retirement(inputs: Inputs) -> dict[str, Any]:
    """Usage 30, reliability 20, obsolescence 20, cost 15, overlap 15, each score from 0 to 1 where 1 speaks for retirement.

    From 70 on a `retire_candidate`, from 45 on `review`, else `keep`; any hard blocker (legal hold, mandatory retention,
    live dependants, only copy, open incident) makes it `blocked`. A person decides.
    """
    scores = inputs["scores"]
    if not all(0 <= scores[name] <= 1 for name in RETIREMENT_WEIGHTS):
        raise ValueError("scores run from 0 to 1")
    score = sum(weight * scores[name] for name, weight in RETIREMENT_WEIGHTS.items())
    reached = "retire_candidate" if score >= 70 - TOLERANCE else "review" if score >= 45 - TOLERANCE else "keep"
    return {"score": six(score), "recommendation": "blocked" if inputs["blockers"] else reached}
