"""Many senders at once: the same facts as one after the other."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from itsm_backup.common.time import now
from monitoring import pinging
from monitoring.connectors.ping_paths import PingAddress
from monitoring.models import BackupJob, BackupRun
from tests.factories import make_job, make_tool, push, run_record

pytestmark = pytest.mark.django_db(transaction=True)
SENDERS = 6


def at_once(do: Callable[[int], object]) -> list[object]:
    """Run `do(number)` in several threads that begin at the same instant; raises what any of them raised."""
    barrier = Barrier(SENDERS)

    def one(number: int) -> object:
        try:
            barrier.wait(timeout=30)
            return do(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(SENDERS) as pool:
        return list(pool.map(one, range(SENDERS)))


def test_it_leaves_one_open_run_when_many_start_at_once():
    job = make_job(make_tool("ping"), at=now())
    start = now()
    at_once(lambda n: pinging.take(job=job, suffix="start", rid=None, body="", at=start + dt.timedelta(microseconds=n)))
    assert Counter(BackupRun.objects.values_list("outcome", flat=True)) == {None: 1, "unknown": SENDERS - 1}


def test_it_ends_an_open_run_once_and_takes_the_other_ends_as_runs_of_their_own():
    job = make_job(make_tool("ping"), at=now())
    start = now()
    pinging.take(job=job, suffix="start", rid=None, body="", at=start)
    at_once(lambda n: pinging.take(job=job, suffix="", rid=None, body="", at=start + dt.timedelta(seconds=60 + n)))
    assert BackupRun.objects.filter(started_at=start).count() == 1
    assert BackupRun.objects.filter(state="finished", outcome="success").count() == SENDERS


def test_it_makes_one_job_of_many_first_pings():
    make_tool("ping", ping_key="key-0123456789")
    address = PingAddress(suffix="", ping_key="key-0123456789", slug="new", create=True)
    found = at_once(lambda _: pinging.create_job(address=address, at=now()).pk)
    assert len(set(found)) == BackupJob.objects.count() == 1


def test_it_stores_the_same_batch_once_whoever_sends_it_first():
    tool, present = make_tool("push"), now()
    batch = [run_record(f"job-{n % 7}", "success", present - dt.timedelta(minutes=n)) for n in range(1, 60)]
    receipts = at_once(lambda n: push(tool, *(reversed(batch) if n % 2 else batch), at=present))
    assert BackupRun.objects.count() == len(batch)
    assert BackupJob.objects.count() == 7
    stored = Counter(result.status for receipt in receipts for result in receipt.results)
    assert stored["quarantined"] == 0
    assert stored["stored"] + stored["unchanged"] == SENDERS * len(batch)
