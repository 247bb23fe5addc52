"""Statistics against independent definitions: score inversion, enumeration, the standard library."""

from __future__ import annotations

import statistics
from itertools import combinations, permutations
from math import comb, sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitoring.methods import MethodError, measure
from monitoring.methods.anomalies import robust_score
from monitoring.methods.statistics import (
    Z95,
    _kendall_p,
    _kendall_s,
    binomial_lower_tail,
    confidence,
    fisher_upper_tail,
    overlap_s,
    percentile,
    poisson_upper_tail,
    wilson,
)


@given(total=st.integers(1, 5_000), share=st.floats(0, 1))
def test_it_gives_the_bounds_where_the_score_test_turns(total, share):
    good = round(total * share)
    bounds = wilson(good, total)
    assert bounds is not None
    for bound in bounds:
        if 0 < bound < 1:
            assert abs(abs(good / total - bound) / sqrt(bound * (1 - bound) / total) - Z95) < 1e-6
    assert 0 <= bounds[0] <= good / total <= bounds[1] <= 1


@pytest.mark.parametrize(("target", "needed"), [(0.95, 73), (0.98, 189), (0.99, 381), (0.999, 3838)])
def test_it_confirms_a_perfect_record_only_from_enough_runs(target, needed):
    assert confidence(needed - 1, needed - 1, target) == "inconclusive"
    assert confidence(needed, needed, target) == "met_confirmed"


def test_it_refuses_more_good_than_there_are():
    with pytest.raises(MethodError, match="5 good of 3"):
        measure("BM-WILSON", {"good": 5, "total": 3, "target": 0.9})


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_it_gives_the_same_percentiles_as_the_standard_library(values):
    expected = statistics.quantiles(values, n=20, method="inclusive")
    assert percentile(values, 0.5) == pytest.approx(expected[9], abs=1e-6)
    assert percentile(values, 0.95) == pytest.approx(expected[18], abs=1e-6)


@settings(deadline=None)
@given(bad=st.integers(0, 5), total=st.integers(1, 6), other_bad=st.integers(0, 4), other_total=st.integers(1, 5))
def test_it_gives_fishers_tail_by_enumeration(bad, total, other_bad, other_total):
    assume(bad <= total and other_bad <= other_total)
    everything = range(total + other_total)
    draws = list(combinations(everything, bad + other_bad))
    worse = sum(sum(one < total for one in draw) >= bad for draw in draws)
    assert fisher_upper_tail(bad, total, other_bad, other_total) == pytest.approx(worse / len(draws))


def test_it_gives_tails_that_close_with_their_complements():
    assert binomial_lower_tail(10, 10, 0.3) == pytest.approx(1)
    assert binomial_lower_tail(0, 4, 0.25) == pytest.approx(0.75**4)
    assert binomial_lower_tail(2, 5, 0.5) == pytest.approx((1 + 5 + comb(5, 2)) / 32)
    assert poisson_upper_tail(0, 2.0) == 1.0


def test_it_counts_overlapping_intervals_once_and_cuts_them_to_the_window():
    from monitoring.methods.canonical import instant

    intervals = [[f"2026-09-01T0{a}:00:00Z", f"2026-09-01T0{b}:00:00Z"] for a, b in [(3, 5), (1, 4), (4, 5), (8, 9)]]
    assert overlap_s(intervals, instant("2026-09-01T02:00:00Z"), instant("2026-09-01T08:30:00Z")) == 3.5 * 3600


@pytest.mark.parametrize(
    ("slo", "bad", "state", "consumed"), [(0.9, 0, "within", 0.0), (0.9, 1, "exhausted", 2.0), (1.0, 0, "within", None)]
)
def test_it_says_how_much_of_the_budget_is_used(slo, bad, state, consumed):
    outcomes = [{"scheduled_for": f"2026-09-0{n}T00:00:00Z", "good": n > bad} for n in range(1, 6)]
    result = measure("BM-EB", {"slo": slo, "outcomes": outcomes})
    assert (result["state"], result["consumed"]) == (state, consumed)


def test_it_has_no_ratio_for_a_budget_of_nothing():
    result = measure("BM-EB", {"slo": 1.0, "outcomes": [{"scheduled_for": "2026-09-01T00:00:00Z", "good": False}]})
    assert (result["consumed"], result["state"]) == (None, "exhausted")
    assert measure("BM-EB", {"slo": 0.9, "outcomes": []})["consumed"] is None


def test_it_projects_no_exhaustion_while_nothing_is_used():
    period = ["2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"]
    result = measure("BM-EB", {"slo": 0.98, "period": period, "elapsed_until": period[0], "noncompliant_intervals": []})
    assert (result["burn_rate_so_far"], result["projected_exhaustion_at"]) == (None, None)


def monthly(*values: float) -> dict[str, object]:
    points = [{"period": f"2026-{month:02}", "value": value} for month, value in enumerate(values, start=1)]
    return measure("BM-TREND", {"points": points, "alpha": 0.05, "min_points": 6})


def test_it_sees_trends_both_ways_and_none_in_few_or_equal_values():
    assert monthly(1, 2, 3, 4, 5, 6)["verdict"] == "improving"
    assert monthly(6, 5, 4, 3, 2, 1)["p_lower"] == pytest.approx(1 / 720, abs=1e-6)
    assert monthly(1, 1, 1, 1, 1, 1)["verdict"] == "no_trend"
    assert monthly(3, 2, 1)["verdict"] == "insufficient_data"
    assert monthly(12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)["verdict"] == "worsening"


def test_it_scores_against_a_constant_history_by_tolerance():
    assert robust_score([10.0] * 14, 10.05).score == 0.0
    assert robust_score([10.0] * 14, 10.2).score is None
    history = [{"captured_at": "2026-09-01T00:00:00Z", "gib": 10}] * 14
    assert measure("BM-ANO-MAD", {"history": history, "value": 11, "threshold": 3.5})["anomalous"] is True


def test_it_calls_a_weekday_without_enough_history_insufficient_and_zero_odd():
    history = [{"captured_at": f"2026-09-{day:02}T22:00:00Z", "gib": 50 + day % 3} for day in range(1, 31)]
    inputs = {"history": history, "value": 0, "threshold": 3.5, "min_effect_ratio": 1.25, "min_per_weekday": 4}
    zero = measure("BM-ANO-WD", inputs | {"at": "2026-10-01T22:00:00Z"})
    assert (zero["anomalous"], zero["score"]) == (True, None)
    assert measure("BM-ANO-WD", inputs | {"at": "2026-10-01T22:00:00Z", "min_per_weekday": 6})["state"] == "insufficient_history"


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_it_gives_the_trends_p_by_enumeration_of_every_order(values):
    s, orders = _kendall_s(values), list(permutations(values))
    assert _kendall_p(values, s) == pytest.approx(sum(_kendall_s(order) <= s for order in orders) / len(orders))


def test_a_trend_of_more_than_eight_points_is_exact_too():
    points = [{"period": f"2026-{month:02}", "value": value} for month, value in enumerate([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, 8], start=1)]
    # of all orders of 12 values two of which are equal, counted by inserting one value after the other
    ways = {0: 1}
    for placed in range(10):  # the ten that stand once
        ways = _inserted(ways, placed)
    pairs: dict[int, int] = {}
    for first in range(11):
        for second in range(first, 11):  # both of the equal ones among the ten others, the larger than none of them
            for s, count in ways.items():
                told = s + (2 * first - 10) + (2 * second - 10)
                pairs[told] = pairs.get(told, 0) + count
    result = measure("BM-TREND", {"points": points, "alpha": 0.05, "min_points": 6})
    least = sum(count for s, count in pairs.items() if s <= result["s"]) / sum(pairs.values())
    assert result["p_lower"] == pytest.approx(least, abs=1e-6)
    assert result["verdict"] == "worsening"


def _inserted(ways: dict[int, int], placed: int) -> dict[int, int]:
    more: dict[int, int] = {}
    for s, count in ways.items():
        for before in range(placed + 1):
            told = s + 2 * before - placed
            more[told] = more.get(told, 0) + count
    return more


def test_a_trend_of_very_many_points_is_told_by_the_normal_approximation():
    points = [{"period": f"{number:04}", "value": number % 7} for number in range(250)]
    assert measure("BM-TREND", {"points": points, "alpha": 0.05, "min_points": 6})["verdict"] == "no_trend"
    assert monthly(*[1.0] * 12)["p_lower"] == 1.0


def test_an_effect_of_exactly_the_ratio_counts_in_both_directions():
    history = [{"captured_at": f"2026-09-{day:02}T22:00:00Z", "gib": 50 + day % 3 - 1} for day in range(1, 31)]
    asked = {"history": history, "at": "2026-10-05T22:00:00Z", "threshold": 3.5, "min_effect_ratio": 1.25, "min_per_weekday": 4}
    usual = measure("BM-ANO-WD", asked | {"value": 50})["weekday_median"]
    assert measure("BM-ANO-WD", asked | {"value": usual / 1.25})["anomalous"] is True
    assert measure("BM-ANO-WD", asked | {"value": usual * 1.25})["anomalous"] is True


def test_budgets_of_no_time_and_of_nothing_are_told_and_no_error():
    asked = {"slo": 0.98, "period": ["2026-09-01T00:00:00Z"] * 2, "elapsed_until": "2026-09-01T00:00:00Z", "noncompliant_intervals": []}
    assert measure("BM-EB", asked)["consumed"] is None
    with pytest.raises(MethodError, match="nothing to divide by"):
        measure(
            "BM-BURN",
            {
                "slo": 1,
                "outcomes": [{"scheduled_for": "2026-09-01T00:00:00Z", "good": True}],
                "min_bad": 2,
                "rules": [{"name": "page", "last_n": 1, "short_n": 1, "threshold": 1}],
            },
        )
