"""Pages: with ten times the history, beside hand-written SQL, and beside what NetBox and healthchecks take for theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import Resolver404, resolve

from itsm_backup.bench import databases, measuring, multiplying, pattern
from itsm_backup.bench.floors import paper, questions
from itsm_backup.bench.measuring import Measured, Rounds, tell
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now

CELLS_DAYS = 400
LOOKS = 3  # of a page in each round
PAGES = {
    "home": "/",
    "services list": "/services/",
    "service page": "/services/SVC-00007/",
    "calendar": "/calendar/",
}
# Measured on another machine (docs/performance.md), in milliseconds; turned into this machine's by a document that was laid out on both.
NETBOX_LIST_MS, HEALTHCHECKS_PAGE_MS, HEALTHCHECKS_PAGE_BYTES = 372.0, 355.0, 2_060_000
MOST_QUERIES = 10
OF_THE_SESSION = ('SELECT "django_session"', 'SELECT "auth_user"')  # who looks is asked on every page


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G8, G9, G10 and G11."""
    usual, longer = _history("usual", size.services, size.runs, template), _history("more", size.services, size.more_runs, template)
    pages = {name: path for name, path in PAGES.items() if _is_there(path)}
    yield from _beside_longer_history(size, usual, longer, pages)
    yield from _beside_sql(size, usual, pages)
    yield from _beside_peers(size, usual)
    for url in (usual, longer):
        databases.drop(url)


def _history(label: str, services: int, runs: int, template: str) -> str:
    """An estate whose runs reach back so far, while the day cells are equally full in both."""
    url = databases.clone(template, label)
    databases.use(url)
    tell(f"estate: a history of {services * runs:,} runs")
    multiplying.multiply(pattern.make(at=now(), runs=runs), services=services)
    multiplying.lengthen_days(days=CELLS_DAYS)
    return url


def _is_there(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


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


def _beside_longer_history(size: Size, usual: str, longer: str, pages: dict[str, str]) -> Iterator[Measured]:
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


def _beside_sql(size: Size, usual: str, pages: dict[str, str]) -> Iterator[Measured]:
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


def _beside_peers(size: Size, usual: str) -> Iterator[Measured]:
    looker = Looker(usual)
    sides = {"list": lambda: looker.took_ms("/services/"), "home": lambda: looker.took_ms("/"), "paper": paper.took_ms}
    tell("estate: beside NetBox and healthchecks, by way of a document that was laid out on both machines")
    rounds = measuring.alternate(sides, rounds=size.rounds)
    factors = [ms / paper.THERE_MS for ms in rounds["paper"]]
    note = (
        f"The peer's figure is of another machine, {{:.0f}} ms; a plain document took {paper.THERE_MS:.0f} ms to lay out there, so here "
        f"its page would take about as much longer or shorter. An estimate, not a measurement of the peer."
    )
    for goal, what, ours, peer_ms, limit in (
        ("G10", "list of 50 services beside NetBox's list of 50 devices", "list", NETBOX_LIST_MS, 0.25),
        ("G11", f"home with {size.services:,} jobs beside healthchecks' page of 1,000", "home", HEALTHCHECKS_PAGE_MS, 0.4),
    ):
        beside: Rounds = {"product": rounds[ours], "the peer, estimated": [peer_ms * factor for factor in factors]}
        yield measuring.compared(
            beside, goal=goal, what=what, product="product", base="the peer, estimated", limit=limit, at_least=False, unit="ms",
            note=note.format(peer_ms),
        )  # fmt: skip
    share = len(looker.look("/")) / HEALTHCHECKS_PAGE_BYTES
    yield measuring.counted(
        goal="G11", what="HTML of home beside healthchecks' page of 1,000 checks", value=share, limit=0.5, unit="of its bytes"
    )
