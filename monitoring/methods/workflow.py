"""How alerts behave: when a status flips, how urgent something is, who is told when, and what counts as the same."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from monitoring.methods.canonical import Inputs, in_utc, instant, instant_or_none, six, text
from monitoring.methods.registry import method
from monitoring.methods.statistics import TOLERANCE, poisson_upper_tail

MOST_REPEATS = 10_000
MOMENT = dt.timedelta(microseconds=1)  # what is due at the very end of a time is due
PRIORITIES = {
    ("high", "high"): "P1",
    ("high", "medium"): "P2",
    ("high", "low"): "P3",
    ("medium", "high"): "P2",
    ("medium", "medium"): "P3",
    ("medium", "low"): "P4",
    ("low", "high"): "P3",
    ("low", "medium"): "P4",
    ("low", "low"): "P5",
}


@method("BM-FLAP", "Flapping")
def flapping(inputs: Inputs) -> list[dict[str, Any]]:
    """Changes of outcome among the latest `window` occurrences / (window − 1), the denominator fixed.

    Flapping starts when the ratio reaches the start ratio (0.4) and stops when it falls below the stop ratio (0.2).
    While a job flaps, one alert takes the place of one for each failure.
    """
    window, is_flapping = inputs["window"], False
    outcomes = sorted(inputs["outcomes"], key=lambda outcome: instant(outcome["at"]))
    results = []
    for number, outcome in enumerate(outcomes, start=1):
        latest = [bool(known["good"]) for known in outcomes[max(0, number - window) : number]]
        changes = sum(earlier != later for earlier, later in pairwise(latest))
        ratio = changes / (window - 1)
        is_flapping = ratio >= (inputs["stop_ratio"] if is_flapping else inputs["start_ratio"]) - TOLERANCE
        results.append({"at": in_utc(outcome["at"]), "changes": changes, "ratio": six(ratio), "flapping": is_flapping})
    return results


@method("BM-HYST", "Hysteresis of the status")
def hysteresis(inputs: Inputs) -> list[dict[str, str]]:
    """Degraded after `enter_after` breached evaluations in a row, operational again after `leave_after` clean ones in a row.

    A breach of the RPO does not wait: it acts at once, outside of this method.
    """
    state, streak = "operational", 0
    results = []
    for evaluation in sorted(inputs["evaluations"], key=lambda evaluation: instant(evaluation["at"])):
        against = evaluation["breached"] == (state == "operational")
        streak = streak + 1 if against else 0
        if streak >= (inputs["enter_after"] if state == "operational" else inputs["leave_after"]):
            state, streak = ("degraded" if state == "operational" else "operational"), 0
        results.append({"at": in_utc(evaluation["at"]), "state": state})
    return results


@method("BM-PRIO", "Priority")
def priority(inputs: Inputs) -> dict[str, str]:
    """Priority = impact × urgency.

    Impact from the effective tier (1 high, 2 medium, 3 and 4 low), one step up when at least `wide_threshold` services
    share the cause (10, or a quarter of all services if that is fewer). Urgency: high when exposure / RPO > 1 or a real
    restore is failing; medium from 0.75 on, or when the exposure at the next possible completion, where it is known, would exceed the RPO;
    else low. High-high is P1, each step down in either direction is one priority lower, low-low is P5.
    """
    steps = ["low", "medium", "high"]
    rank = {1: 2, 2: 1}.get(inputs["effective_tier"], 0)
    if inputs["affected_services"] >= inputs["wide_threshold"]:
        rank = min(2, rank + 1)
    exposure_s, rpo_s = inputs["exposure_seconds"], inputs["rpo_seconds"]
    if exposure_s > rpo_s or inputs.get("restore_in_progress_failed"):
        urgency = "high"
    else:
        soon = exposure_s >= 0.75 * rpo_s or (inputs["exposure_at_next_completion_seconds"] or 0) > rpo_s
        urgency = "medium" if soon else "low"
    return {"impact": steps[rank], "urgency": urgency, "priority": PRIORITIES[steps[rank], urgency]}


@method("BM-TIER", "Effective tier")
def effective_tier(inputs: Inputs) -> dict[str, int]:
    """The strictest of a service's own tier and the effective tiers of all services that depend hard on it.

    Edges are [consumer, provider, strength]; soft ones pass nothing on. Cycles are safe.
    """
    tiers = {service: int(tier) for service, tier in inputs["services"].items()}
    hard = [(consumer, provider) for consumer, provider, strength in inputs["edges"] if strength == "hard"]
    changed = True
    while changed:
        changed = False
        for consumer, provider in hard:
            if tiers[consumer] < tiers[provider]:
                tiers[provider], changed = tiers[consumer], True
    return tiers


@method("BM-ESC", "Escalation")
def escalation(inputs: Inputs) -> list[dict[str, Any]]:
    """Who is told when: each level once, `after_seconds` from the opening, while nobody has acknowledged.

    The first is a `notify`, later ones `escalate`. Then the latest level reached is repeated every `repeat_seconds`: counted
    from the last level while nobody has acknowledged, and from the acknowledgement after it. Resolution ends everything.
    """
    opened_at, until = instant(inputs["opened_at"]), instant(inputs["evaluated_until"])
    acknowledged_at, resolved_at = instant_or_none(inputs.get("acknowledged_at")), instant_or_none(inputs.get("resolved_at"))
    steps: list[dict[str, Any]] = []
    for level in sorted(inputs["levels"], key=lambda level: level["after_seconds"]):
        at = opened_at + dt.timedelta(seconds=level["after_seconds"])
        stopped = any(end is not None and at >= end for end in (acknowledged_at, resolved_at))
        if stopped or at > until:
            break
        steps.append({"at": text(at), "level": level["level"], "kind": "escalate" if steps else "notify"})
    everyone_told = len(steps) == len(inputs["levels"])
    if not steps or not inputs["repeat_seconds"]:
        return steps
    repeat = dt.timedelta(seconds=inputs["repeat_seconds"])
    if repeat <= dt.timedelta(0):
        raise ValueError("repeat_seconds is not a positive number")
    latest, ends = steps[-1], [end for end in (resolved_at, until + MOMENT) if end is not None]
    spans = [(instant(latest["at"]), min([*ends, acknowledged_at] if acknowledged_at else ends))] if everyone_told else []
    spans += [(acknowledged_at, min(ends))] if acknowledged_at else []
    for since, end in spans:
        at = since + repeat
        while at < end and len(steps) < MOST_REPEATS:
            steps.append({"at": text(at), "level": latest["level"], "kind": "repeat"})
            at += repeat
    return steps


@method("BM-QUIET", "Quiet hours")
def quiet_hours(inputs: Inputs) -> list[str]:
    """When each alert is delivered: at once outside quiet hours and for the priorities that bypass them, else at their end.

    Quiet hours run from `from` to `to` in local time, over midnight where `from` is later, and over whole Saturdays and
    Sundays where so set. Alerts are deferred, never dropped.
    """
    return [text(_deliver_at(alert, inputs)) for alert in inputs["alerts"]]


def _deliver_at(alert: dict[str, Any], inputs: Inputs) -> dt.datetime:
    at, zone, quiet = instant(alert["at"]), ZoneInfo(inputs["timezone"]), inputs["quiet"]
    if alert["priority"] in inputs["bypass_priorities"]:
        return at
    begins, ends = dt.time.fromisoformat(quiet["from"]), dt.time.fromisoformat(quiet["to"])
    local = start = at.astimezone(zone).replace(tzinfo=None)
    for _ in range(8):
        if quiet.get("weekends_all_day") and local.weekday() >= 5:
            local = dt.datetime.combine(local.date() + dt.timedelta(days=1), dt.time())
        elif begins > ends and local.time() >= begins:
            local = dt.datetime.combine(local.date() + dt.timedelta(days=1), ends)
        elif (begins > ends and local.time() < ends) or begins <= local.time() < ends:
            local = dt.datetime.combine(local.date(), ends)
        else:
            break
    if local == start:
        return at
    first = local.replace(tzinfo=zone).astimezone(dt.UTC)
    # In the hour that autumn repeats, quiet hours that end there end at the first such time for who waited until then, else at the second.
    return first if first >= at else local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)


@method("BM-DEDUP", "Deduplication of alerts")
def deduplication(inputs: Inputs) -> dict[str, Any]:
    """One open alert per key: a repeated trigger counts as an occurrence of it.

    A trigger within `reopen_within_seconds` of the resolution reopens the alert, a later one opens a new alert. A
    resolution without an open alert is counted and ignored.
    """
    within = dt.timedelta(seconds=inputs["reopen_within_seconds"])
    alerts: list[dict[str, Any]] = []
    latest: dict[str, dict[str, Any]] = {}
    ignored = 0
    for event in sorted(inputs["events"], key=lambda event: instant(event["at"])):
        alert, at = latest.get(event["key"]), instant(event["at"])
        is_open = alert is not None and alert["resolved_at"] is None
        if event["kind"] == "resolve":
            if alert is None or not is_open:
                ignored += 1
            else:
                alert["resolved_at"] = in_utc(event["at"])
        elif alert is not None and (is_open or at - instant(alert["resolved_at"]) <= within):
            alert["occurrences"] += 1
            alert["reopened"] += not is_open
            alert["resolved_at"] = None
        else:
            alert = {"key": event["key"], "opened_at": in_utc(event["at"]), "occurrences": 1, "reopened": 0, "resolved_at": None}
            latest[event["key"]] = alert
            alerts.append(alert)
    return {"alerts": alerts, "ignored_resolves": ignored}


@method("BM-RECUR", "Recurrence")
def recurrence(inputs: Inputs) -> dict[str, Any]:
    """Whether incidents of one signature come unusually often: P(X ≥ count) for X Poisson with the baseline's rate.

    Count in the last `window_days`, baseline in the `baseline_days` before those; a baseline without incidents is taken
    as one. A candidate problem needs at least `min_count` incidents and p < alpha.
    """
    now = instant(inputs["now"])
    since = now - dt.timedelta(days=inputs["window_days"])
    before = since - dt.timedelta(days=inputs["baseline_days"])
    instants = [instant(incident) for incident in inputs["incidents"]]
    count = sum(since <= at < now for at in instants)
    baseline = sum(before <= at < since for at in instants)
    expected = max(1, baseline) * inputs["window_days"] / inputs["baseline_days"]
    p_value = poisson_upper_tail(count, expected)
    return {
        "count": count,
        "baseline_count": baseline,
        "expected": six(expected),
        "p_value": six(p_value),
        "candidate_problem": count >= inputs["min_count"] and p_value < inputs["alpha"],
    }
