"""One small estate and what its tools tell of it: the same for the disturbed and the undisturbed pass.

Everything is told relative to one instant, `base`: runs happened in the days before it, and no deadline, recovery-point limit
or end of a week lies in the hours after it. So it makes no difference to the facts how long a pass takes.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, NamedTuple

from itsm_backup import journey
from monitoring import pinging
from monitoring.models import BackupJob, Tool
from monitoring.shipping import ship_rules
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
EVERY = 5 * MINUTE
LONGEST = 30 * DAY  # no history reaches back as far as a recovery-point limit does
BAD_TIMES = (1, 2, 3, 3, 5)
LONG_S = 60 * 86_400
FULL, UNREACHABLE = "Fatal: no space left on device", "dial tcp: connection refused"
DATABASE_DOWN, DENIED = "could not connect to server: timeout", "open /srv/data: permission denied"
PING_KEY = "robustness-ping-key-0001"


class Plan(NamedTuple):
    """How a job behaves: `words` are what its failures say in turn; without words it never fails."""

    tool: str
    words: tuple[str | None, ...] = ()
    fails_at_end: bool = False
    rpo_s: int = LONG_S
    thinned: int = 1  # so many times fewer runs
    every: dt.timedelta = EVERY
    bad_times: tuple[int, ...] = BAD_TIMES


PLANS = {
    "n1": Plan("north", (FULL,)),  # these four share a repository, and so the cause of their failures
    "n2": Plan("north", (FULL, UNREACHABLE), fails_at_end=True),
    "n3": Plan("north", (FULL,)),
    "n4": Plan("north", (FULL,)),
    "s1": Plan("south", (DATABASE_DOWN,), fails_at_end=True),
    "s2": Plan("south", (None,)),
    "s3": Plan("south", (None, DENIED)),  # the cause is known from the second failure on
    "s4": Plan("south", ("it did not work",)),
    "e1": Plan("east", rpo_s=600),  # its copies are older than it promises, from the beginning to the end
    # a lone failure joins the incident that is open for the age of the copies, if somebody looks before it is over: so there is none
    "e2": Plan("east", (DENIED,), rpo_s=600, bad_times=(3, 3, 5)),
    "l1": Plan("ledger", (FULL,), thinned=4, every=4 * HOUR),
    "l2": Plan("ledger", (), thinned=4, every=4 * HOUR),
}
TOOLS = ("north", "south", "east", "ledger", "clock", "scripts")
PINGED = {"p1": 3 * 3600, "p2": LONG_S}
Batch = list[dict[str, Any]]


class Ping(NamedTuple):
    slug: str
    suffix: str
    rid: str
    body: str


class Feed(NamedTuple):
    """What is told, per tool in the order it happened; `last` comes when everything else was told."""

    batches: dict[str, list[Batch]]
    pings: dict[str, list[Ping]]
    last: tuple[str, Batch]

    @property
    def runs(self) -> int:
        told = sum(len(batch) for batches in self.batches.values() for batch in batches)
        return told + len({ping.rid for pings in self.pings.values() for ping in pings}) + len(self.last[1])


def declare(base: dt.datetime, names: Iterable[str] = tuple(PLANS)) -> None:
    """Services with commitments, tools and jobs (all, or those named); nothing has run yet."""
    ship_rules(at=base)
    began = base - 40 * DAY
    watched = {"ledger": base, "clock": base - 3 * DAY}  # what was due before a tool is watched makes no alerts
    for name in TOOLS:
        kind, more = ("ping", {"ping_key": PING_KEY}) if name == "scripts" else ("push", {})
        make_tool(kind, name=name, at=watched.get(name, began), **more)
    for name, plan in _chosen(names):
        job = _declare(name, plan.tool, plan.rpo_s, began, success_rate="0.95" if plan.tool == "ledger" else None)
        BackupJob.objects.filter(pk=job.pk).update(repository_name=f"vault-{plan.tool}" if plan.tool == "north" else f"vault-{name}")
        if plan.tool == "ledger":
            make_schedule(job, local_times=_times(base, 1, 5, 9, 13, 17), grace_s=1_800)
    missing = _declare("m1", "clock", LONG_S, began)
    make_schedule(missing, local_times=_times(base, 5), grace_s=3_600)
    for name, rpo_s in PINGED.items():
        _declare(name, "scripts", rpo_s, began)


def _declare(name: str, tool: str, rpo_s: int, began: dt.datetime, success_rate: str | None = None) -> BackupJob:
    service = make_service(f"SVC-{name.upper()}", at=began, rpo_s=rpo_s, success_rate=success_rate, tier=1 + len(name + tool) % 3)
    return make_job(Tool.objects.get(name=tool), name, at=began, service=service)


def _times(base: dt.datetime, *hours_before: int) -> str:
    return ",".join(f"{base - hours * HOUR:%H:%M}" for hours in hours_before)


def _chosen(names: Iterable[str]) -> list[tuple[str, Plan]]:
    return [(name, PLANS[name]) for name in names]


def feed(base: dt.datetime, *, runs: int, seed: int, names: Iterable[str] = tuple(PLANS)) -> Feed:
    """About so many runs, the same for the same seed."""
    rng = random.Random(seed)
    each = max(24, round(runs / sum(1 / plan.thinned for _, plan in _chosen(names))))
    told: dict[str, Batch] = {}
    for name, plan in _chosen(names):
        count = min(each // plan.thinned, LONGEST // plan.every)
        told.setdefault(plan.tool, []).extend(_history(name, plan, base, _outcomes(name, plan, count, seed), rng))
    batches = {tool: _cut(sorted(records, key=lambda record: record["ended_at"]), rng) for tool, records in told.items()}
    ends = [("p1", "1", DENIED)] * 3 + [("p1", "", "")] + [("p2", "", "")] * max(3, runs // 200)
    pings: dict[str, list[Ping]] = {}
    for number, (slug, suffix, body) in enumerate(ends):
        rid = f"00000000-0000-4000-8000-{number:012}"
        pings.setdefault(slug, []).extend([Ping(slug, "start", rid, ""), Ping(slug, suffix, rid, body)])
    return Feed(batches, pings, ("clock", [run_record("m1", "success", base - 10 * MINUTE, minutes=2)]))


def _outcomes(name: str, plan: Plan, count: int, seed: int) -> list[str]:
    """How the runs of a job end; what shares a repository fails at the same times, so that their incident has no gaps in it."""
    rng = random.Random(f"{seed} {plan.tool if plan.tool == 'north' else name}")
    outcomes: list[str] = []
    while len(outcomes) < count:  # between two bad times lies more than the hour within which an alert is opened again
        outcomes += ["success"] * rng.randint(14, 20) + (["bad"] * rng.choice(plan.bad_times) if plan.words else [])
    outcomes = outcomes[:count]
    outcomes[-18:] = ["success"] * 15 + (["bad"] * 3 if plan.fails_at_end else ["success"] * 3)
    return outcomes


def _history(name: str, plan: Plan, base: dt.datetime, outcomes: list[str], rng: random.Random) -> Batch:
    records, bad, count = [], 0, len(outcomes)
    for number, outcome in enumerate(outcomes):
        bad = bad + 1 if outcome == "bad" else 0
        if plan.tool == "ledger" and 4 < number % 12 < 8:
            continue  # nothing ran for half a day
        at = base - 10 * MINUTE - (count - number) * plan.every + rng.randint(0, 60) * dt.timedelta(seconds=1)
        words = plan.words[min(bad, len(plan.words)) - 1] if bad else None
        told = {"native_message": words} if words else {}
        kind = rng.choice(["failed", "failed", "partial", "cancelled"]) if bad else rng.choice(["success", "success", "warning"])
        records.append(run_record(name, kind, at - (3 * HOUR if plan.rpo_s < 3600 else 0 * HOUR), minutes=2, **told))
    return records


def _cut(records: Batch, rng: random.Random) -> list[Batch]:
    batches, start = [], 0
    while start < len(records):
        size = rng.randint(5, 40)
        batches.append(records[start : start + size])
        start += size
    return batches


def tell(batch: tuple[str, Batch], *, at: dt.datetime) -> None:
    """Take one batch as the bulk door does."""
    tool, records = batch
    receipt = push(Tool.objects.get(name=tool), *records, at=at)
    assert not receipt.problems, receipt.problems
    assert all(result.status != "quarantined" for result in receipt.results), receipt.results


def ping(one: Ping, *, at: dt.datetime) -> None:
    """Take one ping as its door does."""
    job = BackupJob.objects.select_related("tool").get(external_id=one.slug, tool__name="scripts")
    pinging.take(job=job, suffix=one.suffix, rid=one.rid, body=one.body, at=at)


def in_turn(told: Feed) -> list[tuple[str, Batch]]:
    """The batches of all tools, one of each after the other."""
    named = [[(tool, batch) for batch in batches] for tool, batches in told.batches.items()]
    return [batch for turn in zip_longest(*named) for batch in turn if batch]


def live_through(base: dt.datetime, told: Feed, *, at: dt.datetime, looks_after: int) -> None:
    """An undisturbed life from the declaration to the end; the journey comes by after every so many batches."""
    journey.advance(at=at)
    for number, batch in enumerate(in_turn(told)):
        tell(batch, at=at)
        if number % looks_after == looks_after - 1:
            journey.advance(at=at)
    for pings in told.pings.values():
        for one in pings:
            at += dt.timedelta(seconds=1)
            ping(one, at=at)
        journey.advance(at=at)
    tell(told.last, at=at)
    journey.advance(at=at + MINUTE)
