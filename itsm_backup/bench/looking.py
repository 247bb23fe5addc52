"""Looking at pages in two estates: how long one takes and what it asks, with ten times the history and beside SQL by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from itsm_backup.bench import databases, measuring, multiplying, pattern
from itsm_backup.bench.floors import questions
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now

CELLS_DAYS = 400
LOOKS = 3  # of a page in each round
MOST_QUERIES = 10
OF_THE_SESSION = ('SELECT "django_session"', 'SELECT "auth_user"')  # who looks is asked on every page


@cache
def history(label: str, services: int, runs: int, template: str) -> str:
    """An estate whose runs reach back so far, while the day cells are equally full however far that is.

    Whoever only looks shares it with the others that do; it goes with all other throw-away databases.
    """
    return changed_history(label, services, runs, template)


def changed_history(label: str, services: int, runs: int, template: str) -> str:
    """The same for one that changes it and drops it."""
    url = databases.clone(template, label)
    databases.use(url)
    tell(f"estates: a history of {services * runs:,} runs")
    multiplying.multiply(pattern.make(at=now(), runs=runs), services=services)
    multiplying.lengthen_days(days=CELLS_DAYS)
    return url


class Looker:
    """Somebody looking at pages: one who may see everything, unless another one is named."""

    def __init__(self, url: str, username: str = "root") -> None:
        databases.use(url)
        self.url, self.client = url, Client()
        self.client.force_login(get_user_model().objects.get(username=username))

    def look(self, path: str) -> bytes:
        databases.use(self.url)
        answer = self.client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} was answered with {answer.status_code}.")
        return bytes(answer.content)

    def took_ms(self, path: str) -> float:
        return least_ms(lambda: self.look(path))

    def asked(self, path: str) -> tuple[int, float]:
        """How many questions the page asks, without those of the session, and how long PostgreSQL takes for them."""
        databases.use(self.url)
        found = [self._asked_once(path) for _ in range(LOOKS)]
        return max(count for count, _ in found), min(ms for _, ms in found)

    def _asked_once(self, path: str) -> tuple[int, float]:
        seen: list[float] = []

        def watched(execute: Callable[..., Any], statement: str, given: Any, many: bool, context: Any) -> Any:
            began = time.perf_counter()
            try:
                return execute(statement, given, many, context)
            finally:
                if not statement.startswith(OF_THE_SESSION):
                    seen.append((time.perf_counter() - began) * 1000)

        with connection.execute_wrapper(watched):
            self.look(path)
        return len(seen), sum(seen)


def least_ms(act: Callable[[], object]) -> float:
    """The quickest of a few in a row: what the page costs, not what else the machine did."""
    found = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        act()
        found.append((time.perf_counter() - began) * 1000)
    return min(found)


def beside_longer_history(size: Size, usual: str, longer: str, pages: Mapping[str, str]) -> Iterator[Measured]:
    """G8: each page with ten times the history, and that it asks as much."""
    here, there = Looker(usual), Looker(longer)
    for name, path in pages.items():
        here.took_ms(path), there.took_ms(path)  # warm
        sides = {"usual": lambda path=path: here.took_ms(path), "longer": lambda path=path: there.took_ms(path)}
        rounds = measuring.alternate(sides, rounds=size.rounds)
        questions_here, questions_there = here.asked(path)[0], there.asked(path)[0]
        same = "equal" if questions_here == questions_there else f"NOT equal: {questions_here} and {questions_there}"
        found = measuring.compared(
            rounds, goal="G8", what=f"{name} at {size.services * size.more_runs:,} runs beside {size.services * size.runs:,}",
            product="longer", base="usual", limit=1.2, at_least=False, unit="ms", note=f"The number of questions is {same}.",
        )  # fmt: skip
        found.kept = found.kept and questions_here == questions_there
        yield found


def beside_sql(size: Size, usual: str, pages: Mapping[str, str]) -> Iterator[Measured]:
    """G9: what PostgreSQL takes for the questions of each page that has a twin by hand, and how many they are."""
    looker = Looker(usual)
    for name, path in pages.items():
        if name not in questions.BY_HAND:
            continue
        count = looker.asked(path)[0]
        sides = {
            "product": lambda path=path: looker.asked(path)[1],
            "SQL by hand": lambda name=name: least_ms(lambda: questions.ask(name)),
        }
        rounds = measuring.alternate(sides, rounds=size.rounds)
        found = measuring.compared(
            rounds, goal="G9", what=f"SQL of the {name} beside the same by hand", product="product", base="SQL by hand",
            limit=3, at_least=False, unit="ms", note=f"{count} questions, at most {MOST_QUERIES} are allowed.",
        )  # fmt: skip
        found.kept = found.kept and count <= MOST_QUERIES
        yield found
