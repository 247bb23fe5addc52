"""Conditions mean what they say, and a rule set found through its equality conditions decides like one that is tried whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.conditions import IDENTITY, OPERATORS, Condition, RuleSet, all_of, check_of, problem_of

FIELDS = (*IDENTITY, "message", "outcome", "operation")
TEXTS = st.sampled_from(["", "pacs-nightly", "pacs-hourly", "endo", "db01", "Target FULL at 79%", "failed", "x"])
FACTS = st.fixed_dictionaries(dict.fromkeys(FIELDS, TEXTS))
OPERANDS = st.sampled_from(["pacs-nightly", "pacs-", "endo, db01", "full", "failed", "x, pacs-hourly, endo", "^pacs-", r"pacs-\w+$"])
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(FIELDS),
    st.sampled_from(list(OPERATORS)),
    OPERANDS,
)
RULES = st.lists(st.lists(CONDITIONS, max_size=4), max_size=12)


@settings(max_examples=400, deadline=None)
@given(RULES, FACTS)
def test_rules_found_through_their_equality_conditions_are_those_that_hold(rules, fact):
    holding = [number for number, conditions in enumerate(rules) if all_of(conditions)(fact)]
    found = RuleSet(list(enumerate(rules)))
    assert found.every(fact) == holding
    assert found.first(fact) == (holding[0] if holding else None)


@given(RULES, FACTS)
def test_order_decides(rules, fact):
    """Turned about, the last rule that holds decides."""
    holding = [number for number, conditions in enumerate(rules) if all_of(conditions)(fact)]
    assert RuleSet(list(enumerate(rules))[::-1]).first(fact) == (holding[-1] if holding else None)


@pytest.mark.parametrize(
    ("condition", "text", "holds"),
    [
        (("name", "equals", "a,b"), "a,b", True),
        (("name", "is_not", "a"), "", True),
        (("name", "one_of", "a, b"), "b", True),
        (("name", "one_of", "a, b"), "a, b", False),
        (("name", "none_of", "a, b"), "c", True),
        (("name", "starts_with_any", "pacs-, endo-"), "endo-nightly", True),
        (("name", "starts_with_any", "pacs-, endo-"), "my-endo-nightly", False),
        (("name", "any_of", "full, locked"), "was locked", True),
        (("name", "contains", "Full"), "full", False),
        (("message", "contains", "Full"), "the pool is full", True),
        (("message", "any_of", "target full, almost full"), "TARGET FULL at 79%", True),
        (("message", "matches", "no space"), "No Space left", True),
        (("message", "has_none_of", "test"), "A Test restore", False),
        (("name", "matches", "^pacs-"), "pacs-nightly", True),
        (("name", "matches", "^pacs."), "pacs", False),
    ],
)
def test_each_comparison(condition, text, holds):
    assert check_of(Condition(*condition))({condition[0]: text}) is holds


@pytest.mark.parametrize(
    ("kind", "condition", "told"),
    [
        ("attribution", ("message", "contains", "full"), "no field message"),
        ("attribution", ("name", "sounds_like", "full"), "no comparison sounds_like"),
        ("attribution", ("name", "contains", "  "), "would match everything"),
        ("attribution", ("name", "matches", ".*"), "takes every text"),
        ("attribution", ("name", "matches", "a|"), "takes every text"),
        ("attribution", ("name", "matches", "(a{1000}){1000}"), "no valid pattern"),
        ("attribution", ("name", "matches", r"(a)\1"), "no valid pattern"),
        ("attribution", ("name", "one_of", " , "), "1 to 40 words"),
        ("cause", ("outcome", "one_of", "failed, broken"), "there is no broken"),
        ("cause", ("message", "contains", "x" * 513), "At most 512".lower()),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(kind, condition, told):
    assert told in problem_of(Condition(*condition), kind)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"])
def test_a_pattern_that_ruins_other_engines_takes_time_like_its_text_only(pattern):
    """With a backtracking engine 100,000 letters would take longer than the age of the universe."""
    assert problem_of(Condition("message", "matches", pattern), "cause") == ""
    began = time.monotonic()
    all_of([Condition("message", "matches", pattern)])({"message": "a" * 100_000 + "!"})
    assert time.monotonic() - began < 5
