"""What ten years of incidents cost the pages of today, and what opening one costs where half the catalogue stops with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import transaction

from catalogue.models import Service
from incidents import opening
from incidents.models import Incident, KnownError, Problem
from itsm_backup.bench import cataloguing, databases, measuring, pattern, remembering
from itsm_backup.bench.floors import weave
from itsm_backup.bench.looking import Looker, least_ms
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.sizes import Size
from itsm_backup.common.time import now
from monitoring.models import Alert

RUNS = 6  # of each service: the history of runs is not the question here
WORST = "SVC-00001"
TIMES = 100  # the longer history has so many times the incidents
LISTS = {
    "queue of incidents": "/incidents/",
    "incidents with nobody yet": "/incidents/?view=free",
    "incidents that are over": "/incidents/?view=resolved",
    "problems": "/incidents/problems/",
    "problems that are over": "/incidents/problems/?view=over",
    "known errors": "/incidents/known-errors/",
}


def measure(size: Size, template: str) -> Iterator[Measured]:
    """The goals of the incidents: pages do not grow with their history, and opening costs by the closure alone."""
    catalogue, made = _catalogue(size, template)
    few, many = (_remembering(catalogue, made, name, count) for name, count in (("few", _few(size)), ("many", _many(size))))
    databases.drop(catalogue)
    yield from _pages(size, few, many)
    yield _opening(size, many)
    for url in (few, many):
        databases.drop(url)


def _many(size: Size) -> int:
    """100,000 in the full size."""
    return size.entries * 10


def _few(size: Size) -> int:
    return _many(size) // TIMES


def _catalogue(size: Size, template: str) -> tuple[str, pattern.Pattern]:
    url = databases.clone(template, "incidents")
    databases.use(url)
    tell(f"incidents: {size.entries:,} entries and their relations")
    made = pattern.make(at=now(), runs=RUNS)
    cataloguing.fill(made, entries=size.entries)
    return url, made


def _remembering(catalogue: str, made: pattern.Pattern, label: str, incidents: int) -> str:
    url = databases.clone(catalogue, label)
    databases.use(url)
    tell(f"incidents: {incidents:,} of them in {remembering.YEARS} years")
    remembering.remember(made, incidents=incidents)
    return url


def _pages(size: Size, few: str, many: str) -> Iterator[Measured]:
    here, there = Looker(few), Looker(many)
    databases.use(few)
    of_one = {
        "incident": f"/incidents/{Incident.objects.open().order_by('pk')[0].number}/",
        "incident that is over": f"/incidents/{Incident.objects.filter(state='closed').order_by('pk')[0].number}/",
        "problem": f"/incidents/problems/{Problem.objects.order_by('pk')[0].number}/",
        "known error": f"/incidents/known-errors/{KnownError.objects.order_by('pk')[0].number}/",
    }
    for name, path in (LISTS | of_one).items():
        here.took_ms(path), there.took_ms(path)  # warm
        sides = {"few": lambda path=path: here.took_ms(path), "many": lambda path=path: there.took_ms(path)}
        rounds = measuring.alternate(sides, rounds=size.rounds)
        asked_here, asked_there = here.asked(path)[0], there.asked(path)[0]
        same = "equal" if asked_here == asked_there else f"NOT equal: {asked_here} and {asked_there}"
        found = measuring.compared(
            rounds, goal="incidents", what=f"{name} at {_many(size):,} incidents beside {_few(size):,}", product="many", base="few",
            limit=1.2, at_least=False, unit="ms", note=f"The number of questions is {same}.",
        )  # fmt: skip
        found.kept = found.kept and asked_here == asked_there
        yield found


def _opening(size: Size, many: str) -> Measured:
    """One alert of the entry that most others stop with, made an incident and taken back."""
    databases.use(many)
    sides = {"product": _opened_ms, "SQL by hand": lambda: least_ms(lambda: weave.ask(weave.UP, WORST))}
    rounds = measuring.alternate(sides, rounds=size.rounds)
    return measuring.compared(
        rounds, goal="incidents", what=f"opening one for the worst of {size.entries:,} entries beside its closure by hand",
        product="product", base="SQL by hand", limit=3, at_least=False, unit="ms",
    )  # fmt: skip


def _opened_ms() -> float:
    at = now()
    with transaction.atomic():
        service = Service.objects.get(code=WORST)
        alert = Alert.objects.create(
            dedup_key="worst", alert_class="job_failed", service=service, state="firing", severity="error", priority="P1",
            title="It failed", cause_key="worst", opened_at=at, last_seen_at=at, noticed_at=at,
        )  # fmt: skip
        began = time.perf_counter()
        opening.open_for_alerts(at=at)
        took_ms = (time.perf_counter() - began) * 1000
        if not Incident.objects.filter(incident_alerts__alert=alert).exists():
            raise RuntimeError("The alert opened no incident.")
        transaction.set_rollback(True)
    return took_ms
