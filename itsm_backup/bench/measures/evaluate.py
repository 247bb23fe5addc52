"""Judging again what a batch touched, with ten times the history and with twice the services, and a journey with nothing to do."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import msgspec

from itsm_backup import journey
from itsm_backup.bench import databases, measuring
from itsm_backup.bench.looking import changed_history, least_ms
from itsm_backup.bench.measures.intake import JOBS_CARRIED, Feed
from itsm_backup.bench.measuring import Measured, Rounds, tell
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now
from monitoring import intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import Tool

FEW, MANY = JOBS_CARRIED // 2, JOBS_CARRIED


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G13."""
    usual = changed_history("usual", size.services, size.runs, template)
    longer = changed_history("more", size.services, size.more_runs, template)
    sides = {"usual": _Touched(usual, MANY), "longer": _Touched(longer, MANY), "fewer": _Touched(usual, FEW)}
    for side in sides.values():
        side.judged_ms()  # warm
    tell("evaluate: one batch after the other")
    rounds = measuring.alternate({name: side.judged_ms for name, side in sides.items()}, rounds=size.rounds)
    runs = f"{size.services * size.more_runs:,} runs beside {size.services * size.runs:,}"
    yield _compared(rounds, f"a batch of {MANY} runs judged, at {runs}", "longer", "usual", 1.2)
    yield _compared(rounds, f"a batch that touches {MANY} services beside one that touches {FEW}", "usual", "fewer", MANY / FEW)
    idle = measuring.alternate({"usual": sides["usual"].idle_ms, "longer": sides["longer"].idle_ms}, rounds=size.rounds)
    yield _compared(idle, f"a journey with nothing to do, at {runs}", "longer", "usual", 1.2)
    for url in (usual, longer):
        databases.drop(url)


def _compared(rounds: Rounds, what: str, product: str, base: str, limit: float) -> Measured:
    return measuring.compared(rounds, goal="G13", what=what, product=product, base=base, limit=limit, at_least=False, unit="ms")


class _Touched:
    """An estate some of whose services get one run more each time."""

    def __init__(self, url: str, jobs: int) -> None:
        databases.use(url)
        self.url, self.jobs = url, jobs
        self.tool = Tool.objects.get(name="bench")
        self.feed = Feed(jobs, now() - dt.timedelta(minutes=30 if jobs == MANY else 20))
        journey.advance()

    def judged_ms(self) -> float:
        """What the journey takes for the batch; its intake is not counted."""
        databases.use(self.url)
        body = msgspec.json.encode(self.feed.batch(self.jobs)).decode()
        answer = Answer(kind="api", steps=[Step(name="body", stdout=body)], meta={"content_type": "application/json"})
        intake.receive(tool=self.tool, answer=answer, at=now())
        began = time.perf_counter()
        journey.advance()
        return (time.perf_counter() - began) * 1000

    def idle_ms(self) -> float:
        databases.use(self.url)
        journey.advance()
        return least_ms(journey.advance)
