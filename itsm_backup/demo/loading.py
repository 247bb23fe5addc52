"""Loading the demo estate: declared as in force ninety days ago, then its history replayed in steps. Each step is kept as it is done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from catalogue.models import Service
from itsm_backup import journey
from itsm_backup.demo import amending, handling, inventorying, learning, placing, removing, replaying, weaving
from itsm_backup.demo.models import Replay
from itsm_backup.demo.stating import stated
from itsm_backup.demo.world import DAYS, begins_at, day_at, world
from itsm_backup.estate.beginning import DEMO_PEOPLE, OWN_DATABASE
from itsm_backup.estate.loading import load
from itsm_backup.estate.reading import read
from monitoring import assessing, detecting
from monitoring.models import BackupRun, Tool
from monitoring.partitions import ensure_partitions

STANDING: dict[str, Any] = {"steward": "steward", "monitoring_admin": "monitoring-admin", "approver": "approver"}
EVENING = dt.time(23, 55)
# When the history is looked at, in days before the anchor: first when every night has run once, then every ten days in the evening,
# and each of the last nights when its latest deadline is over, so that what was missed is told in its own night.
FIRST, NOON = 89, dt.time(12)
EVENINGS = (80, 70, 60, 50, 40, 30, 20, 13)
NIGHTS, AFTER_DEADLINES = (8, 7, 6, 5, 4, 3, 2, 1, 0), dt.time(1, 10)
LOOKED_BEFORE = 5  # days before the anchor, on whose evening its entries were looked at for changes first
TRIED_BEFORE = 60  # days before the anchor on which its tools were tried first
CLOSE = (25, 20, 15, 10, 8, 7, 6, 5, 4, 3, 2, 1, 0)  # hours before the anchor: what goes on when it is loaded began in the last ones
AT_ONCE = 2  # tools; while one waits for the database, another is read
RESUME_WITHIN = dt.timedelta(hours=1)  # after this an interrupted load begins anew: its stories count from its anchor
Tell = Callable[[str], None]


def wants_demo() -> bool:
    """Whether this is a new installation with the demo's people, in which nothing was declared yet but what every one has."""
    people = get_user_model().objects.filter(username__in=DEMO_PEOPLE).count()
    return people == len(DEMO_PEOPLE) and is_new()


def is_new() -> bool:
    """Whether there is no service but the one that every new installation has: its own database."""
    shipped = [wish["code"] for wish in read(OWN_DATABASE).data["services"]]
    return not Service.objects.exclude(code__in=shipped).exists()


def load_demo(*, at: dt.datetime, tell: Tell = lambda words: None) -> None:
    """Declare the estate and replay its history up to `at`; an interrupted load goes on, or begins anew when it is old."""
    with _without_waiting_for_the_disk():
        _load(at=at, tell=tell)
    Replay.objects.update(loaded_at=at)


@contextmanager
def _without_waiting_for_the_disk() -> Iterator[None]:
    """Steps are committed in order and need not reach the disk one by one: the mark that the load is whole does, and all before it.

    After a crash in between, the load goes on from a step that was. One that fails ends with its process, and its connection."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET synchronous_commit")


def _load(*, at: dt.datetime, tell: Tell) -> None:
    mark = Replay.objects.first()
    if mark is not None and mark.loaded_at is None and at - mark.anchor_at > RESUME_WITHIN:
        tell("The demo estate was loaded only in part: starting again")
        removing.remove_demo(at=at, keeps_people=True)
        mark = None
    mark = mark or _declare(at=at, tell=tell)
    instants = list(_instants(mark.anchor_at))
    for done, instant in enumerate(instants, start=1):
        if instant <= mark.fed_until:
            continue
        step(mark=mark, at=instant)
        if instant == day_at(mark.anchor_at, TRIED_BEFORE, EVENING):
            _try_tools(at=instant)
        day = min((instant - begins_at(mark.anchor_at)).days + 1, DAYS)
        tell(f"Replaying recorded answers: day {day} of {DAYS}, {BackupRun.objects.count():,} runs, step {done} of {len(instants)}")
    _try_tools(at=at)
    placing.place(anchor_at=mark.anchor_at)
    inventorying.describe(at=at)
    weaving.see(at=at)


def _try_tools(*, at: dt.datetime) -> None:
    """Give each tool of the demo its scorecard, by the answers that it has given."""
    for tool in replaying.demo_tools():
        assessing.keep(tool=tool, by=None, at=at)


def step(*, mark: Replay, at: dt.datetime) -> None:
    """One look at the history: who took care of what was known, what was decided and told until `at`, and what followed from it."""
    handling.handle(at=at)
    amending.amend(anchor_at=mark.anchor_at, since=mark.fed_until, at=at)
    learning.learn(anchor_at=mark.anchor_at, since=mark.fed_until, at=at)
    since = mark.fed_until
    _replay_all(list(replaying.demo_tools()), anchor_at=mark.anchor_at, since=since, at=at)
    journey.advance(at=at)
    if any(since < look <= at for look in (day_at(mark.anchor_at, LOOKED_BEFORE, EVENING), mark.anchor_at)):
        detecting.detect_changes(at=at)
    mark.fed_until = at
    mark.save(update_fields=["fed_until"])


def _replay_all(tools: list[Tool], *, anchor_at: dt.datetime, since: dt.datetime, at: dt.datetime) -> None:
    """Let all tools tell what happened: two at a time, as they do when they are real, each with a connection of its own."""
    waiting, told_to = iter(tools), world(anchor_at)

    def listen(_: int) -> None:
        for tool in waiting:
            replaying.replay(tool=tool, world=told_to, since=since, at=at)

    def listen_beside(number: int) -> None:
        try:
            with _without_waiting_for_the_disk():
                listen(number)
        finally:
            connection.close()

    if connection.in_atomic_block:  # others would not see what it has not committed yet
        listen(0)
        return
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(listen_beside, range(AT_ONCE)))


def _declare(*, at: dt.datetime, tell: Tell) -> Replay:
    begins = begins_at(at)
    for days in (0, 31, 62):
        ensure_partitions(at=begins + dt.timedelta(days=days))
    tell("Declaring the estate: services, promises, tools, jobs")
    with transaction.atomic():
        loading = load(estate=stated(at), at=begins, **STANDING)
        mark = Replay.objects.create(anchor_at=at, fed_until=begins)
    tell(f"Declared {len(loading.estate.data['services'])} services and {len(loading.estate.data['jobs'])} jobs")
    return mark


def _instants(anchor_at: dt.datetime) -> Iterator[dt.datetime]:
    """When the history is looked at: on chosen days, when people did something, in the last nights, and closer to the anchor."""
    days = [day_at(anchor_at, FIRST, NOON), *(day_at(anchor_at, days_ago, EVENING) for days_ago in EVENINGS)]
    nights = [day_at(anchor_at, days_ago, AFTER_DEADLINES) for days_ago in NIGHTS]
    close = [anchor_at - dt.timedelta(hours=hours) for hours in CLOSE]
    yield from sorted(instant for instant in {*days, *learning.looks(anchor_at), *nights, *close} if instant <= anchor_at)
