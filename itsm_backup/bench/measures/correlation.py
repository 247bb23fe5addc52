"""Rules over runs: the product's rule set beside plain closures, found through an index and tried pair by pair."""

from __future__ import annotations

import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from itsm_backup.bench import measuring
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.sizes import Size
from monitoring.conditions import Condition, RuleSet

RULES = 200
Fact = dict[str, str]
Test = Callable[[Fact], bool]
Rule = tuple[str, str, str]  # tool, operation, pattern of the host
PRODUCT, INDEXED, PAIRS = "product", "closures with Python's re, found by tool and operation", "the same closures, tried until one matches"


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G16: which rule decides about each run, the first that matches."""
    rules, facts = _world(size.services * size.runs)
    tell(f"correlation: {RULES} rules, {len(facts):,} runs")
    ruleset = RuleSet([(number, _conditions(rule)) for number, rule in enumerate(rules)])
    closures = [_closure(rule) for rule in rules]
    numbered = list(enumerate(closures))
    index: dict[tuple[str, str], list[tuple[int, Test]]] = defaultdict(list)
    for number, test in numbered:
        index[rules[number][:2]].append((number, test))
    sides: Mapping[str, Callable[[], list[int | None]]] = {
        PRODUCT: lambda: [ruleset.first(fact) for fact in facts],
        INDEXED: lambda: [_first(index.get((fact["tool"], fact["operation"]), ()), fact) for fact in facts],
        PAIRS: lambda: [_first(numbered, fact) for fact in facts],
    }
    decided = [side() for side in sides.values()]
    alike = "" if decided[0] == decided[1] == decided[2] else "The decisions are NOT equal."
    took = measuring.alternate({name: _timed(side) for name, side in sides.items()}, rounds=size.rounds)
    what = f"{RULES} rules over {len(facts):,} runs"
    yield measuring.compared(
        took, goal="G16", what=f"{what}, beside an index of closures", product=PRODUCT, base=INDEXED, limit=3.0, at_least=False,
        unit="ms", note=alike,
    )  # fmt: skip
    rates = {name: [len(facts) / one for one in found] for name, found in took.items()}
    yield measuring.compared(
        rates, goal="G16", what=f"{what}, beside trying every pair", product=PRODUCT, base=PAIRS, limit=2.5, at_least=True,
        unit="runs a ms", note=alike,
    )  # fmt: skip


def _world(runs: int, seed: int = 1) -> tuple[list[Rule], list[Fact]]:
    choose = random.Random(seed)  # noqa: S311  # the same world every time
    kinds = ("backup", "copy", "log_backup")
    rules = [(f"tool{n % 8}", choose.choice(kinds), f"^srv-{n % 100:02}") for n in range(RULES)]
    facts = [
        {
            "tool": f"tool{choose.randrange(8)}", "target_name": f"srv-{choose.randrange(100):02}-{n}", "operation": choose.choice(kinds),
            "message": "no space left on device", "outcome": "failed", "external_id": f"job-{n}", "name": "nightly", "repository_name": "",
        }
        for n in range(runs)
    ]  # fmt: skip
    return rules, facts


def _conditions(rule: Rule) -> list[Condition]:
    tool, operation, pattern = rule
    return [
        Condition("tool", "equals", tool),
        Condition("operation", "equals", operation),
        Condition("target_name", "matches", pattern),
    ]


def _closure(rule: Rule) -> Test:
    tool, operation, search = rule[0], rule[1], re.compile(rule[2]).search
    return lambda fact: fact["tool"] == tool and fact["operation"] == operation and search(fact["target_name"]) is not None


def _first(tests: Sequence[tuple[int, Test]], fact: Fact) -> int | None:
    return next((number for number, test in tests if test(fact)), None)


def _timed(side: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        began = time.perf_counter()
        side()
        return (time.perf_counter() - began) * 1_000

    return timed
