"""Conditions of rules: which fields and operators there are, what is wrong with one, and a rule set that is asked quickly. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

import re2

Fact = Mapping[str, str]
Test = Callable[[Fact], bool]
R = TypeVar("R")

IDENTITY = {
    "external_id": "job id",
    "name": "job name",
    "target_name": "protected host",
    "repository_name": "repository",
}  # fmt: skip
ABOUT_RUNS = {"message": "message", "outcome": "result", "operation": "operation"}
FIELDS = {"attribution": IDENTITY, "cause": {**ABOUT_RUNS, **IDENTITY}}
RESULTS = ("failed", "partial", "cancelled", "warning", "unknown")
OPERATIONS = ("backup", "copy", "replicate", "log_backup", "restore", "restore_test", "verify", "prune", "other")
CHOICES = {"outcome": RESULTS, "operation": OPERATIONS}  # what else these fields never say
OPERATORS = {
    "equals": "is",
    "is_not": "is not",
    "one_of": "is one of",
    "none_of": "is none of",
    "starts_with": "starts with",
    "starts_with_any": "starts with any of",
    "contains": "contains",
    "any_of": "has any of",
    "has_none_of": "has none of",
    "matches": "matches pattern",
}
LISTS = ("one_of", "none_of", "starts_with_any", "any_of", "has_none_of")  # their value is a list, parted by commas
DENYING = ("is_not", "none_of", "has_none_of")
LONGEST_VALUE, MOST_CONDITIONS, MOST_IN_A_LIST = 512, 12, 40
MOST_KEYS = 64  # a rule stands in so many buckets at most
_PLAIN_START = re.compile(r"\^([A-Za-z0-9 _:@/#%&=,;<>~\-]+)")  # a pattern that says no more than how the text begins


class Condition(NamedTuple):
    """One condition: how a field must be."""

    field: str
    operator: str
    value: str

    @property
    def parts(self) -> list[str]:
        """The words of a list."""
        return [part.strip() for part in self.value.split(",") if part.strip()]

    def words(self, kind: str = "cause") -> str:
        """`job name starts with any of pacs-, endo-`."""
        value = ", ".join(self.parts) if self.operator in LISTS else self.value
        value = plain(value) if self.field == "operation" else value
        return f"{FIELDS[kind].get(self.field, self.field)} {OPERATORS.get(self.operator, self.operator)} {value}"


def plain(operation: str) -> str:
    """`log backup`, as people write an operation."""
    return operation.replace("_", " ")


def coded(one: Mapping[str, str]) -> dict[str, str]:
    """A condition as it is kept: an operation may be written in people's words, `log backup, restore test`."""
    if one["field"] != "operation":
        return dict(one)
    return {**one, "value": re.sub(r"(?<=[a-z]) +(?=[a-z])", "_", one["value"].strip())}


def problem_of(one: Condition, kind: str) -> str:
    """What is wrong with a condition, and what to do; empty when it can be asked."""
    if one.field not in FIELDS[kind]:
        return f"There is no field {one.field or '(empty)'} for this rule. Choose one of: {', '.join(FIELDS[kind].values())}."
    name = FIELDS[kind][one.field]
    if one.operator not in OPERATORS:
        return f"{name}: there is no comparison {one.operator or '(empty)'}. Choose one of: {', '.join(OPERATORS.values())}."
    if not one.value.strip():
        return f"{name} {OPERATORS[one.operator]}: say what. An empty text would match everything."
    if len(one.value) > LONGEST_VALUE:
        return f"{name}: at most {LONGEST_VALUE} letters. Use two conditions, or a shorter pattern."
    if one.operator in LISTS and not 0 < len(one.parts) <= MOST_IN_A_LIST:
        return f"{name} {OPERATORS[one.operator]}: give 1 to {MOST_IN_A_LIST} words, parted by commas."
    exact = one.field in CHOICES and one.operator in ("equals", "is_not", "one_of", "none_of")
    if exact and (unknown := [part for part in one.parts if part not in CHOICES[one.field]]):
        return f"{name}: there is no {plain(', '.join(unknown))}. Choose of: {plain(', '.join(CHOICES[one.field]))}."
    return _problem_of_pattern(one.value, name) if one.operator == "matches" else ""


def _problem_of_pattern(pattern: str, name: str) -> str:
    if told := problem_with_pattern(pattern):
        return f"{name}: {told}"
    if _compiled(pattern, False).search("") is not None:
        return f"{name}: the pattern {pattern} takes every text, even an empty one. Say what the text must hold."
    return ""


def problem_with_pattern(pattern: str) -> str:
    """Why the pattern cannot be used: RE2 needs time that grows with the text alone, and refuses what would need too much memory."""
    try:
        _compiled(pattern, False)
    except re2.error as error:
        told = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        return f"This is no valid pattern (RE2 syntax): {told}"
    return ""


@lru_cache(maxsize=4_096)
def _compiled(pattern: str, any_case: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    options.case_sensitive = not any_case
    return re2.compile(pattern, options=options)


def check_of(one: Condition) -> Test:
    """A function that tells whether a fact fulfils the condition. Messages are compared in any case, everything else exactly.

    What the tool did not tell fulfils no condition but one that denies. Raises re2.error for a pattern that cannot be read.
    """
    field = one.field
    if one.operator == "matches":
        return _matching(field, one.value)
    folded = field == "message"
    value = one.value.casefold() if folded else one.value
    listed = tuple(part.casefold() if folded else part for part in one.parts)
    words = set(listed)
    plain: dict[str, Callable[[str], bool]] = {
        "equals": lambda text: text == value,
        "is_not": lambda text: text != value,
        "one_of": lambda text: text in words,
        "none_of": lambda text: text not in words,
        "starts_with": lambda text: text.startswith(value),
        "starts_with_any": lambda text: text.startswith(listed),
        "contains": lambda text: value in text,
        "any_of": lambda text: any(part in text for part in listed),
        "has_none_of": lambda text: not any(part in text for part in listed),
    }
    holds = plain[one.operator]
    return (lambda fact: holds(fact[field].casefold())) if folded else (lambda fact: holds(fact[field]))


def _matching(field: str, pattern: str) -> Test:
    start = _PLAIN_START.fullmatch(pattern)
    if start and field != "message":
        prefix = start[1]
        return lambda fact: fact[field].startswith(prefix)
    search = _compiled(pattern, field == "message").search
    return lambda fact: search(fact[field]) is not None


def all_of(conditions: Iterable[Condition]) -> Test:
    """A function that tells whether a fact fulfils all of them; of none it fulfils all."""
    tests = [check_of(one) for one in conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda fact: all(test(fact) for test in tests)


class _Entry(NamedTuple):
    rank: int
    rule: Any
    rest: Test | None  # what the bucket has not decided yet


class RuleSet(Generic[R]):
    """Rules in their order. A fact is compared only with those whose equality conditions it fulfils: they are found by these values."""

    def __init__(self, rules: Iterable[tuple[R, Sequence[Condition]]]) -> None:
        buckets: dict[tuple[str, ...], dict[Hashable, list[_Entry]]] = {}
        self._always: list[_Entry] = []
        for rank, (rule, conditions) in enumerate(rules):
            terms, rest = _parted(conditions)
            entry = _Entry(rank, rule, all_of(rest) if rest else None)
            fields = tuple(sorted(terms))
            if not fields:
                self._always.append(entry)
                continue
            found = buckets.setdefault(fields, {})
            for values in itertools.product(*(terms[field] for field in fields)):
                found.setdefault(values if len(fields) > 1 else values[0], []).append(entry)
        self._buckets = [(itemgetter(*fields), found.get) for fields, found in buckets.items()]

    def first(self, fact: Fact) -> R | None:
        """The first rule that the fact fulfils."""
        best = _first(self._always, fact, None)
        for key, get in self._buckets:
            if entries := get(key(fact)):
                best = _first(entries, fact, best)
        return best.rule if best else None

    def every(self, fact: Fact) -> list[R]:
        """All rules that the fact fulfils, in their order."""
        entries = [*self._always, *(one for key, get in self._buckets for one in get(key(fact)) or ())]
        return [one.rule for one in sorted(entries, key=itemgetter(0)) if one.rest is None or one.rest(fact)]


def _first(entries: list[_Entry], fact: Fact, best: _Entry | None) -> _Entry | None:
    for entry in entries:
        rank, _, rest = entry
        if best is not None and rank > best[0]:
            return best
        if rest is None or rest(fact):
            return entry
    return best


def _parted(conditions: Sequence[Condition]) -> tuple[dict[str, list[str]], list[Condition]]:
    """The values by which the rule is found, field by field, and the conditions that are left to try."""
    terms: dict[str, list[str]] = {}
    rest, keys = [], 1
    for one in conditions:
        values = [one.value] if one.operator == "equals" else list(dict.fromkeys(one.parts)) if one.operator == "one_of" else []
        if values and one.field not in terms and one.field != "message" and keys * len(values) <= MOST_KEYS:
            terms[one.field] = values
            keys *= len(values)
        else:
            rest.append(one)
    return terms, rest
