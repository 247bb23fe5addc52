"""Pings: beside the least that Django can do for one, and beside what healthchecks does for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock
from uuid import UUID

import psycopg
from django.test import Client

from itsm_backup.bench import databases, loading, measuring, multiplying, pattern, peers
from itsm_backup.bench.floors import django_floor
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.serving import PRODUCT, served
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now

FLOOR = "itsm_backup.bench.floors.django_floor:application"
BODY = (
    b"Backup of /srv/data finished. 182 000 files, 2.4 GB new, 158 GB in all, took 9 min 41 s. Nothing was skipped, nothing was locked.\n"
    * 2
)
NO_STATEMENTS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
OWN, SHIPPED, KEPT = "product", "healthchecks' statements, a connection each", "healthchecks' statements, connections kept"
REAL_SHIPPED, REAL_KEPT = "healthchecks itself, as shipped", "healthchecks itself, connections kept"
LEAST = "run and state in one statement, usual middleware"
ITSELF = "The base is the healthchecks that was named, with all that it does for a ping, behind the web server that it was started with."
STAND_IN = (
    "The base is our own Django view with healthchecks' four statements for a ping; healthchecks itself does more around them, "
    "so it would be slower and the ratio higher."
)


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G1, G2 and G3."""
    url = databases.clone(template, "ping")
    databases.use(url)
    multiplying.multiply(pattern.make(at=now(), runs=20), services=size.services)
    django_floor.make_tables(jobs=size.services)
    codes = peers.codes(size.services)
    yield from _statements(codes)
    with (
        served(PRODUCT, url=url) as product,
        served(FLOOR, url=url) as kept,
        served(FLOOR, url=url, FLOOR_CONNECTIONS="each") as each,
    ):
        sides = {OWN: (product, "ping"), LEAST: (kept, "run"), KEPT: (kept, "check"), SHIPPED: (each, "check")}
        themselves = {REAL_SHIPPED: peers.given("healthchecks"), REAL_KEPT: peers.given("healthchecks_kept")}
        yield from _rates(size, codes, sides | {name: (port, "ping") for name, port in themselves.items() if port})
    databases.drop(url)


def _rates(size: Size, codes: list[UUID], sides: dict[str, tuple[int, str]]) -> Iterator[Measured]:
    loads: dict[str, list[loading.Load]] = {name: [] for name in sides}

    def once(name: str) -> float:
        port, path = sides[name]
        requests = [loading.request(f"/{path}/{code}", BODY, User_Agent="curl/8.14.1") for code in codes]
        found = loading.load(port, requests, seconds=size.seconds)
        if found.errors:
            raise RuntimeError(f"{found.errors} of {found.answers} requests to {name} were refused.")
        loads[name].append(found)
        return found.per_s

    for name in sides:  # warm
        once(name)
    loads = {name: [] for name in sides}
    tell(f"ping: {size.rounds} rounds of {size.seconds:g} s for each of {len(sides)}")
    rounds = measuring.alternate({name: partial(once, name) for name in sides}, rounds=size.rounds)
    rate: dict[str, Any] = {"product": OWN, "at_least": True, "unit": "pings/s"}
    for base, limit, note in ((REAL_SHIPPED, 7, ITSELF), (REAL_KEPT, 2, ITSELF), (SHIPPED, 7, STAND_IN), (KEPT, 2, STAND_IN)):
        if base in rounds:
            yield measuring.compared(rounds, goal="G1", what=f"ping beside {base}", base=base, limit=limit, note=note, **rate)
    yield measuring.compared(rounds, goal="G2", what="ping beside the least in Django", base=LEAST, limit=0.6, **rate)
    slowest = {name: [load.p99_ms for load in found] for name, found in loads.items()}
    yield measuring.compared(
        slowest, goal="G2", what="slowest of a hundred pings (p99)", product=OWN, base=LEAST, limit=2, at_least=False, unit="ms"
    )


def _statements(codes: list[UUID]) -> Iterator[Measured]:
    """How many statements each kind of ping takes; a job that pings for the hundredth time takes as many as at first."""
    client, most = Client(), 0
    for suffix in ("", "/start", "", "/fail", "/3", "/log"):
        for code in codes[:3]:
            with _statements_seen() as seen:
                answer = client.post(f"/ping/{code}{suffix}", BODY, content_type="text/plain")
            if answer.status_code != 200:
                raise RuntimeError(f"A ping was refused: {answer.status_code} {answer.content[:200]!r}")
            most = max(most, sum(not statement.startswith(NO_STATEMENTS) for statement in seen))
    yield measuring.counted(
        goal="G3", what="statements of a ping, at most", value=most, limit=3, unit="statements", note="Without BEGIN and COMMIT."
    )


@contextmanager
def _statements_seen() -> Iterator[list[str]]:
    """Every statement that goes to PostgreSQL through any cursor: Django's own log does not see prepared ones and COPY."""
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def watched(self: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        seen.append(str(query).lstrip())
        return execute(self, query, *arguments, **named)

    with mock.patch.object(psycopg.Cursor, "execute", watched):
        yield seen
