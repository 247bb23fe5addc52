"""What small numbers can prove: intervals, error budgets, burn rates, trends and exact tails."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb, exp, factorial, sqrt
from statistics import NormalDist, median
from typing import Any

from monitoring.methods.canonical import Inputs, in_utc, instant, interval, six, text, whole
from monitoring.methods.registry import method

Z95 = 1.959963984540054
TOLERANCE = 1e-9
MOST_EXACT = 200  # points of a trend; a second or two of arithmetic


def wilson(good: int, total: int, z: float = Z95) -> tuple[float, float] | None:
    """Return the Wilson score interval (low, high) of a proportion, or None without observations."""
    if not 0 <= good <= total:
        raise ValueError(f"{good} good of {total} is not a proportion")
    if total == 0:
        return None
    centre = good + z * z / 2
    spread = z * sqrt(good * (total - good) / total + z * z / 4)
    low, high = (centre - spread) / (total + z * z), (centre + spread) / (total + z * z)
    return (0.0 if good == 0 else low), (1.0 if good == total else high)


def confidence(good: int, total: int, target: float, z: float = Z95) -> str:
    """Return met_confirmed, breach_confirmed, inconclusive or insufficient_data."""
    bounds = wilson(good, total, z)
    if bounds is None:
        return "insufficient_data"
    low, high = bounds
    if low >= target - TOLERANCE:
        return "met_confirmed"
    return "breach_confirmed" if high < target - TOLERANCE else "inconclusive"


def binomial_lower_tail(good: int, total: int, probability: float) -> float:
    """P(X ≤ good) for X binomial(total, probability), exact."""
    return min(1.0, sum(comb(total, k) * probability**k * (1 - probability) ** (total - k) for k in range(good + 1)))


def poisson_upper_tail(count: int, expected: float) -> float:
    """P(X ≥ count) for X Poisson(expected)."""
    return max(0.0, 1.0 - sum(exp(-expected) * expected**k / factorial(k) for k in range(count)))


def fisher_upper_tail(bad: int, total: int, other_bad: int, other_total: int) -> float:
    """P(at least `bad` of the bad ones fall into the first group), Fisher's exact one-sided test."""
    all_bad, everything = bad + other_bad, total + other_total
    ways = sum(comb(total, k) * comb(other_total, all_bad - k) for k in range(bad, min(total, all_bad) + 1))
    return ways / comb(everything, all_bad)


def percentile(values: Iterable[float], fraction: float) -> float:
    """The type-7 percentile (linear interpolation), the same as SQL's percentile_cont."""
    ordered = sorted(values)
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _count_good(inputs: Inputs) -> tuple[int, int]:
    if "outcomes" in inputs:
        outcomes = inputs["outcomes"]
        return sum(bool(outcome["good"]) for outcome in outcomes), len(outcomes)
    return int(inputs["good"]), int(inputs["total"])


@method("BM-WILSON", "Confidence of a rate")
def wilson_interval(inputs: Inputs) -> dict[str, Any]:
    """The Wilson score interval of good / total and what it says about the target.

    With p = good/n: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), z = 1.959963984540054 for 95 %. `met_confirmed`
    when the lower bound reaches the target, `breach_confirmed` when the upper stays below it, else `inconclusive`;
    `insufficient_data` for n = 0. Whether the point estimate meets the target is told apart: 30 of 30 meets 95 %, but
    confirms it only from n = 73 on.
    """
    good, total = _count_good(inputs)
    z, target = inputs.get("z", Z95), inputs["target"]
    bounds = wilson(good, total, z)
    return {
        "low": six(bounds[0]) if bounds else None,
        "high": six(bounds[1]) if bounds else None,
        "decision": confidence(good, total, target, z),
        "point_met": good / total >= target - TOLERANCE if total else None,
    }


@method("BM-EB", "Error budget")
def error_budget(inputs: Inputs) -> dict[str, Any]:
    """allowed = (1 − SLO)·N; consumed = bad / allowed. With `outcomes` it counts events, with a `period` seconds.

    By events the state is `exhausted` when consumed > 1, `at_risk` above 0.9, else `within`. By time the burn rate so far
    is consumed / (elapsed / period), and the exhaustion is projected with it; it is null while nothing was used.
    A budget of nothing (SLO 1, or no events) has no ratio: consumed is null, and any bad event exhausts it.
    """
    return _budget_of_events(inputs) if "outcomes" in inputs else _budget_of_time(inputs)


def _budget_of_events(inputs: Inputs) -> dict[str, Any]:
    good, total = _count_good(inputs)
    bad, allowed = total - good, (1 - inputs["slo"]) * total
    consumed = bad / allowed if allowed > TOLERANCE else None
    if (consumed is None and bad) or (consumed is not None and consumed > 1 + TOLERANCE):
        state = "exhausted"
    else:
        state = "at_risk" if consumed is not None and consumed > 0.9 + TOLERANCE else "within"
    ratio = None if consumed is None else six(consumed)
    # Over complete events the burn rate, bad fraction / (1 − SLO), is the same number.
    return {
        "allowed_bad": six(allowed),
        "bad": bad,
        "consumed": ratio,
        "remaining_events": six(allowed - bad),
        "burn_rate": ratio,
        "state": state,
    }


def _budget_of_time(inputs: Inputs) -> dict[str, Any]:
    since, until = interval(inputs["period"])
    now = instant(inputs["elapsed_until"])
    budget_s = (1 - inputs["slo"]) * (until - since).total_seconds()
    used_s = overlap_s(inputs["noncompliant_intervals"], since, min(now, until))
    consumed = used_s / budget_s if budget_s > TOLERANCE else None
    burn = consumed / ((now - since) / (until - since)) if consumed is not None and now > since else None
    exhausted_at = since + dt.timedelta(seconds=budget_s / used_s * (now - since).total_seconds()) if used_s else None
    return {
        "budget_seconds": whole(budget_s),
        "used_seconds": whole(used_s),
        "consumed": None if consumed is None else six(consumed),
        "burn_rate_so_far": None if burn is None else six(burn),
        "projected_exhaustion_at": text(exhausted_at) if exhausted_at else None,
    }


def overlap_s(intervals: Iterable[Any], since: dt.datetime, until: dt.datetime) -> float:
    """Seconds of [since, until) covered by the union of the intervals."""
    covered, reached = 0.0, since
    for start, end in sorted(map(interval, intervals)):
        if (begun := max(start, reached)) < (over := min(end, until)):
            covered += (over - begun).total_seconds()
            reached = over
    return covered


@method("BM-BURN", "Burn-rate alerts")
def burn_rate(inputs: Inputs) -> list[dict[str, Any]]:
    """Burn = bad fraction of a window / (1 − SLO). A rule fires when its long and its short window both reach its threshold.

    With `noncompliant_intervals` the windows are seconds before each instant: threshold = budget fraction × period / long
    window (page: 25 % in 24 h → 7.5; ticket: 30 % in 3 d → 3). With `outcomes` they are the last N settled occurrences
    after each of the last three, and at least `min_bad` bad ones are required: one bad night alone never pages.
    """
    return _burn_by_count(inputs) if "outcomes" in inputs else _burn_by_time(inputs)


def _burn_by_time(inputs: Inputs) -> list[dict[str, Any]]:
    def burn(at: dt.datetime, seconds: float) -> float:
        used_s = overlap_s(inputs["noncompliant_intervals"], at - dt.timedelta(seconds=seconds), at)
        return used_s / seconds / (1 - float(inputs["slo"]))

    results = []
    for at in map(instant, inputs["instants"]):
        result: dict[str, Any] = {"at": text(at)}
        for rule in inputs["rules"]:
            long, short = burn(at, rule["long_seconds"]), burn(at, rule["short_seconds"])
            result[rule["name"]] = {"long": six(long), "short": six(short), "fires": _both_reach(long, short, rule["threshold"])}
        results.append(result)
    return results


def _burn_by_count(inputs: Inputs) -> list[dict[str, Any]]:
    outcomes = sorted(inputs["outcomes"], key=lambda outcome: instant(outcome["scheduled_for"]))

    def bad_of(latest: Sequence[dict[str, Any]]) -> tuple[int, float]:
        bad = sum(not outcome["good"] for outcome in latest)
        return bad, (bad / len(latest) / (1 - inputs["slo"]) if latest else 0.0)

    results = []
    for length in range(max(1, len(outcomes) - 2), len(outcomes) + 1):
        known = outcomes[:length]
        result: dict[str, Any] = {"after": in_utc(known[-1]["scheduled_for"])}
        for rule in inputs["rules"]:
            (bad, long), (_, short) = bad_of(known[-rule["last_n"] :]), bad_of(known[-rule["short_n"] :])
            fires = _both_reach(long, short, rule["threshold"]) and bad >= inputs["min_bad"]
            result[rule["name"]] = {"long": six(long), "short": six(short), "bad": bad, "fires": fires}
        results.append(result)
    return results


def _both_reach(long: float, short: float, threshold: float) -> bool:
    return long >= threshold - TOLERANCE and short >= threshold - TOLERANCE


@method("BM-TREND", "Trend of a monthly rate")
def trend(inputs: Inputs) -> dict[str, Any]:
    """Mann–Kendall's S with its exact one-sided p (every order of the values equally likely) and the Theil–Sen slope.

    `worsening` when p_lower < alpha, `improving` when the mirrored p is, else `no_trend`; fewer than `min_points` is
    `insufficient_data`. The p is exact up to 200 points, equal values included; beyond, the normal approximation with continuity
    and tie correction.
    """
    values = [point["value"] for point in sorted(inputs["points"], key=lambda point: point["period"])]
    if len(values) < inputs["min_points"]:
        return {"s": None, "p_lower": None, "theil_sen_per_period": None, "verdict": "insufficient_data"}
    s = _kendall_s(values)
    p_lower, p_upper = _kendall_p(values, s), _kendall_p([-value for value in values], -s)
    slope = median((values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2))
    verdict = "worsening" if p_lower < inputs["alpha"] else "improving" if p_upper < inputs["alpha"] else "no_trend"
    return {"s": s, "p_lower": six(p_lower), "theil_sen_per_period": six(slope), "verdict": verdict}


def _kendall_s(values: Sequence[float]) -> int:
    return sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))


def _kendall_p(values: Sequence[float], s: int) -> float:
    """P(S ≤ s) if every order of the values were equally likely."""
    n, equals = len(values), list(Counter(values).values())
    if n <= MOST_EXACT:
        orders = _orders_by_inversions(equals)
        # S is the number of unequal pairs less twice the inversions, so S ≤ s asks for at least so many of them.
        least = (len(orders) - 1 - s + 1) // 2
        return sum(orders[least:]) / sum(orders)
    ties = sum(t * (t - 1) * (2 * t + 5) for t in equals)
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    return NormalDist().cdf((s + 1) / sqrt(variance)) if variance > 0 else 1.0


def _orders_by_inversions(equals: Sequence[int]) -> list[int]:
    """How many different orders of values have 0, 1, 2 … inversions, given how many of them are equal to each other.

    The coefficients of the Gaussian multinomial ∏(1 − q^i) / ∏∏(1 − q^j): each factor is multiplied or divided in one pass.
    """
    orders, placed = [1], 0
    for times in equals:
        for one in range(1, times + 1):
            placed += 1
            longer = orders + [0] * placed
            for place in range(len(longer) - 1, placed - 1, -1):
                longer[place] -= longer[place - placed]
            for place in range(one, len(longer)):
                longer[place] += longer[place - one]
            orders = longer[: len(longer) - one]
    return orders
