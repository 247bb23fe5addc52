"""Every published method against the golden examples: numbers to 1e-6, instants to one second."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitoring.methods import METHODS, MethodError, find, measure

CASES = json.loads((Path(__file__).parents[2] / "golden" / "golden-metrics.json").read_text())


def differences(actual: Any, expected: Any, where: str = "") -> list[str]:
    """Where two results differ, as paths; empty when they agree."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = [f"{where}: keys {sorted(actual)} instead of {sorted(expected)}"] if actual.keys() != expected.keys() else []
        return found + [
            line for key in expected.keys() & actual.keys() for line in differences(actual[key], expected[key], f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(actual) == len(expected):
        return [line for i, pair in enumerate(zip(actual, expected, strict=True)) for line in differences(*pair, f"{where}[{i}]")]
    return [] if _agree(actual, expected) else [f"{where}: {actual!r} instead of {expected!r}"]


def _agree(actual: Any, expected: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return actual is expected
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return abs(actual - expected) <= 1e-6
    if isinstance(expected, str) and isinstance(actual, str) and re.match(r"\d{4}-\d\d-\d\dT", expected):
        return abs(dt.datetime.fromisoformat(actual) - dt.datetime.fromisoformat(expected)) <= dt.timedelta(seconds=1)
    return bool(actual == expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method_id']}:{case['case']}")
def test_it_agrees_with_the_golden_example(case):
    assert differences(measure(case["method_id"], case["inputs"], version=case["version"]), case["expected"]) == []


def test_it_answers_in_json_and_leaves_its_inputs_alone():
    for case in CASES:
        before = json.dumps(case["inputs"])
        json.dumps(measure(case["method_id"], case["inputs"]), allow_nan=False)
        assert json.dumps(case["inputs"]) == before


def test_it_publishes_every_method_with_a_text():
    assert {case["method_id"] for case in CASES} <= {name for name, _ in METHODS}
    assert [name for (name, _), found in METHODS.items() if len(found.published) < 40] == []


def test_it_names_what_is_missing():
    with pytest.raises(MethodError, match="lack “points”"):
        measure("BM-RPO-EXP", {"instants": []})
    with pytest.raises(MethodError, match="no method BM-NOPE"):
        find("BM-NOPE")
    with pytest.raises(MethodError, match="Versions: 1"):
        find("BM-EB", "9")
    with pytest.raises(MethodError, match="one JSON object"):
        measure("BM-EB", [])  # type: ignore[arg-type]
    with pytest.raises(MethodError, match="not an instant"):
        measure("BM-SUPRPO", {"period": [1, 2]})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method_id']}:{case['case']}")
def test_it_refuses_spoilt_inputs_with_a_sentence_or_answers(case):
    """Each input left out, nulled, or replaced by nonsense: a MethodError or a result, never another exception."""
    for name in case["inputs"]:
        for spoilt in ({}, {name: None}, {name: "nonsense"}, {name: [None]}, {name: {}}, {name: -1}):
            inputs = {key: value for key, value in case["inputs"].items() if key != name} | spoilt
            try:
                measure(case["method_id"], inputs)
            except MethodError as error:
                assert case["method_id"] in str(error)
