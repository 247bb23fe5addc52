"""The real processes are killed again and again while runs come in: afterwards everything is as if nobody had touched them.

The undisturbed pass takes the same feed through the same acts in one process. Compared are all facts of `facts.py`: runs,
restore points, the ledger, the state of jobs and services, day cells, alerts with their counts and instants, incidents with
their alerts, notices. Left out are row ids and the instants at which somebody looked (`first_seen_at`, `noticed_at`, when a
service was judged, when an incident was opened), and the times of pings, which are those of their arrival.

What people are told on the way may depend on when somebody looked, whatever is killed: an incident that was over and began again
between two looks is one opening instead of three messages. The feed leaves more than an hour between two bad times of a job, so that
its messages are the same, too.

ITSM_CHAOS_RUNS sets how many runs come in (600 unless set).
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter

import pytest

from itsm_backup.common.time import now
from tests.launcher.conftest import copy_of_source, get, product  # noqa: F401
from tests.mailbox import Mailbox, running_mailbox
from tests.robustness import elsewhere, facts, under_fire, world

RUNS = int(os.environ.get("ITSM_CHAOS_RUNS", "600"))
SEED = 2026
FEED_S = 20 + RUNS / 32
REST_S = 180
pytestmark = pytest.mark.django_db(transaction=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def undisturbed(base, told, blocker) -> facts.Facts:
    from django.db import connection

    with (
        running_mailbox() as (_, mail_port),
        elsewhere.copy_of(connection.settings_dict["NAME"], f"{connection.settings_dict['NAME']}_quiet", blocker) as copy,
    ):
        database = copy._replace(mail_port=mail_port)
        elsewhere.done(database, world.declare, base)
        looks_after = max(4, sum(map(len, told.batches.values())) // 12)
        elsewhere.done(database, world.live_through, base, told, at=now(), looks_after=looks_after)
        return elsewhere.done(database, facts.facts, base)


def come_to_rest(fortress: under_fire.Fortress) -> None:
    """Wait until nothing is left to do; what a killed sender had claimed is sent as at the end of its claim."""
    end, calm_since, database = time.monotonic() + REST_S, time.monotonic(), fortress.database()
    while any((left := elsewhere.done(database, under_fire.waiting)).values()):
        assert time.monotonic() < end, f"it does not come to rest: {left}\n{fortress.start.said}"
        if time.monotonic() - calm_since > 20 and not any(left[name] for name in ("jobs", "services", "answers")):
            elsewhere.done(database, under_fire.send_later, at=now())
        time.sleep(1)
    time.sleep(7)  # one more look of the journey, which must find nothing
    assert not any(elsewhere.done(database, under_fire.waiting).values())


def repeats_of(mailbox: Mailbox) -> int:
    return sum(count - 1 for count in Counter(mailbox.ids).values())


def test_it_ends_as_if_nobody_had_been_killed(product, django_db_blocker):  # noqa: F811
    base = now().replace(second=0, microsecond=0)
    told = world.feed(base, runs=RUNS, seed=SEED)
    expected = undisturbed(base, told, django_db_blocker)
    print(f"\n{told.runs} runs, undisturbed", flush=True)
    with running_mailbox() as (mailbox, mail_port):
        given = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_KEYS")}
        product.environment |= {**given, "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}", "LOG_LEVEL": "WARNING"}
        began = time.monotonic()
        fortress = under_fire.Fortress(product, port=free_port(), mail_port=mail_port, seed=SEED)
        database = fortress.database()
        elsewhere.done(database, world.declare, base)
        come_to_rest(fortress)  # every service has been judged before anything is told of it
        feeder = under_fire.Feeder(fortress.address, told, elsewhere.done(database, under_fire.issue_tokens), seconds=FEED_S)
        feeder.begin()
        while feeder.is_busy:
            time.sleep(fortress.rng.uniform(0.8, 3.2))
            fortress.attack()
            if (kills := sum(fortress.kills.values())) % 25 == 0:
                print(f"{time.monotonic() - began:.0f} s: {kills} kills, {len(mailbox.ids)} mails", flush=True)
        feeder.finish()
        print(f"{time.monotonic() - began:.0f} s: everything is told", flush=True)
        come_to_rest(fortress)
        found = elsewhere.done(database, facts.facts, base)
        counts = {name: len(found[name]) for name in ("runs", "alerts", "incidents", "notices")}
        print(
            f"{told.runs} runs told, killed {dict(fortress.kills)}, sent again {dict(feeder.sent_again)}, found {counts}, "
            f"{len(mailbox.ids)} mails, {repeats_of(mailbox)} repeats, {time.monotonic() - began:.0f} s"
        )
        assert get(f"{fortress.address}/healthz") == 200
    assert facts.differences(found, expected) == ""
    assert set(fortress.kills) >= {"worker", "worker process", "web", "web process", "beat", "supervisor"}
    assert len(set(mailbox.ids)) == len(found["notices"])
    assert repeats_of(mailbox) <= fortress.senders_killed
