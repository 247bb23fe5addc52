"""The pool asks all that are due, so many at a time; sources that hang or fail do not delay the others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection

from itsm_backup.common.http.addresses import Allowed
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import polling, pooling
from monitoring.models import ToolState
from tests.factories import make_tool

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN_S = 30


def drained(pool: pooling.Pool, asked: int) -> None:
    end = time.monotonic() + WITHIN_S
    while pool.asked < asked and time.monotonic() < end:
        pool.look()
        time.sleep(0.02)


@pytest.fixture
def pool():
    made = pooling.Pool(clock=now, places=3)
    yield made
    made.end(WITHIN_S)


@pytest.fixture
def counted(monkeypatch):
    """Every poll is noted, and how many there were at the same time; a tool named so waits until it is let go."""
    seen = {"names": [], "now": 0, "most": 0, "let_go": threading.Event()}
    lock, real = threading.Lock(), polling.poll

    def poll(*, tool, at):
        with lock:
            seen["now"] += 1
            seen["most"] = max(seen["most"], seen["now"])
        if tool.name.startswith("hangs"):
            seen["let_go"].wait(WITHIN_S)
        receipt = real(tool=tool, at=at)
        with lock:
            seen["now"] -= 1
            seen["names"].append(tool.name)
        return receipt

    monkeypatch.setattr("monitoring.pooling.polling.poll", poll)
    yield seen
    seen["let_go"].set()


def tools(count: int, name: str = "tool", **fields):
    return [make_tool("restic", name=f"{name}-{n}", at=now(), settings={"repository": "-refused"}, **fields) for n in range(count)]


def test_all_that_are_due_are_asked_once_and_no_more_than_its_places_at_a_time(pool, counted):
    made = tools(30)
    drained(pool, 30)
    assert sorted(counted["names"]) == sorted(tool.name for tool in made)
    assert 1 < counted["most"] <= 3
    assert not ToolState.objects.exclude(claimed_until=None).exists()


def test_one_that_hangs_delays_no_other(pool, counted):
    (hanging,) = tools(1, "hangs")
    others = tools(20)
    drained(pool, 20)
    assert len(counted["names"]) == len(others) and hanging.name not in counted["names"]
    more = tools(5, "later")  # due while it still hangs
    drained(pool, 25)
    assert {tool.name for tool in more} <= set(counted["names"])
    counted["let_go"].set()
    drained(pool, 26)
    assert hanging.name in counted["names"]


def test_a_place_that_waited_goes_on_with_the_tool_as_it_is_set_by_then(pool, counted):
    (tool,) = tools(1)
    drained(pool, 1)
    (lane,) = pool._lanes
    tool.name = "renamed"
    with because("It has moved."):
        tool.save()
    ToolState.objects.update(next_poll_at=now())
    drained(pool, 2)
    assert counted["names"] == ["tool-0", "renamed"] and pool._lanes == [lane]
    pool.end(WITHIN_S)
    assert not lane.is_alive()


def test_many_that_hang_again_leave_half_of_the_places_to_those_that_answer(pool, counted):
    tools(6, "hangs")
    ToolState.objects.update(consecutive_failures=1)
    others = tools(6)
    drained(pool, 6)
    assert sorted(counted["names"]) == sorted(tool.name for tool in others)


def test_no_more_of_those_that_fail_are_claimed_than_may_be_asked_at_a_time(noon):
    failing, fine = tools(4, "failing"), tools(2)
    ToolState.objects.filter(tool__in=failing).update(consecutive_failures=2)
    first = polling.claim_due(at=now(), failing_at_once=2)
    assert len(first) == 4 and {tool.pk for tool in fine} <= set(first)
    assert polling.claim_due(at=now(), failing_at_once=2) == []
    assert len(polling.claim_due(at=now(), failing_at_once=3)) == 1
    assert len(polling.claim_due(at=now())) == 1


def test_at_its_end_it_gives_back_what_it_had_claimed_and_not_asked(counted):
    tools(4, "hangs")
    pool = pooling.Pool(clock=now, places=1)
    pool.look()
    pool._claimed += polling.claim_due(at=now())  # as a place does that takes several at once
    assert polling.claim_due(at=now()) == []
    pool.end(0)
    assert len(polling.claim_due(at=now())) == 3
    counted["let_go"].set()
    pool.end(WITHIN_S)


def test_what_goes_wrong_ends_neither_the_pool_nor_its_places(pool, monkeypatch, caplog):
    tools(5)
    monkeypatch.setattr("monitoring.pooling.polling.poll", lambda **_: 1 / 0)
    drained(pool, 5)
    assert pool.asked == 5 and "could not be asked" in caplog.text
    monkeypatch.setattr("monitoring.pooling.polling.claim_due", lambda **_: 1 / 0)
    pool.look()
    assert "could not be claimed" in caplog.text


def test_a_source_that_never_answers_is_one_failure_in_words(pool, settings, monkeypatch):
    """A real connection that nobody answers, beside one that is refused at once."""
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    monkeypatch.setattr("monitoring.polling.fetching", _quick)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = {"address": f"http://127.0.0.1:{silent.getsockname()[1]}", "token_id": "a@pbs!b", "datastores": "main"}
        tool = make_tool("pbs", name="silent", at=now(), settings=where, secrets={"token": "x"})
        tools(3)
        drained(pool, 4)
    assert "did not answer in full" in ToolState.objects.get(tool=tool).problem


def _quick(**given):
    from monitoring.connectors.fetching import fetching

    return fetching(timeout_s=0.2, wait=lambda _: None, **given)


def test_the_process_asks_what_is_due_and_ends_when_it_is_told_to():
    tools(3)
    environment = {**os.environ, "DATABASE_URL": _url(), "DJANGO_SETTINGS_MODULE": "itsm_backup.settings"}
    poller = subprocess.Popen([sys.executable, "-m", "django", "poll", "--forever", "--skip-checks", "--places", "2"], env=environment)
    try:
        end = time.monotonic() + WITHIN_S
        while ToolState.objects.filter(latest_answer_at=None).exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert ToolState.objects.filter(latest_answer_at=None).count() == 0
        poller.send_signal(signal.SIGTERM)
        assert poller.wait(10) == 0
    finally:
        poller.kill()
        poller.wait()


def _url() -> str:
    name = connection.settings_dict["NAME"]
    head, _, tail = os.environ["DATABASE_URL"].rpartition("/")
    return f"{head}/{name}{'?' + tail.partition('?')[2] if '?' in tail else ''}"
