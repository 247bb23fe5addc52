"""The outside watcher hears of us only while everything lives."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from django.core.cache import cache
from django.test import Client

from itsm_backup import deadman, health
from tests.common.test_http import address, server

__all__ = ["server"]
pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 7, 14, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def alive(monkeypatch):
    cache.clear()
    monkeypatch.setattr(health, "_began", time.monotonic() - 3600)
    for process in ("worker", "beat", "poller", "journey"):
        health.beat(process)


def test_it_is_told_while_everything_is_healthy(server, settings):
    settings.DEADMAN_URL = address(server)
    assert Client().get("/healthz").json()["deadman"] == "not told yet"
    assert deadman.tell(url=address(server), at=AT) == "ok, told at 2026-07-14 12:00:00 UTC"
    assert server.asked == ["/ping/secret-word"]
    response = Client().get("/healthz")
    assert (response.status_code, response.json()["deadman"]) == (200, "ok, told at 2026-07-14 12:00:00 UTC")


@pytest.mark.parametrize("process", ["worker", "beat", "poller", "journey"])
def test_it_is_not_told_when_a_part_is_silent(server, process):
    cache.delete(f"alive:{process}")
    assert deadman.tell(url=address(server), at=AT) == f"held back, because not healthy: {process}"
    assert server.asked == []


def test_a_journey_that_stands_still_is_noticed_after_ten_minutes(server):
    cache.set("alive:journey", time.time() - 590)
    assert deadman.tell(url=address(server), at=AT).startswith("ok")
    cache.set("alive:journey", time.time() - 610)
    assert "journey" in deadman.tell(url=address(server), at=AT)


def test_it_is_not_told_when_the_broker_is_down(server, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "broker" in deadman.tell(url=address(server), at=AT)
    assert server.asked == []


def test_a_watcher_that_cannot_be_reached_stops_nothing(settings, monkeypatch):
    monkeypatch.setattr("itsm_backup.common.http.client.time.sleep", lambda seconds: None)
    settings.DEADMAN_URL = "http://127.0.0.1:1/ping/secret-word"
    assert deadman.tell(url=settings.DEADMAN_URL, at=AT).startswith("not told: 127.0.0.1 cannot be reached")
    response = Client().get("/healthz")
    assert response.status_code == 200
    assert "secret-word" not in response.content.decode()


def test_without_an_address_nothing_is_said_of_it(settings):
    settings.DEADMAN_URL = ""
    assert "deadman" not in Client().get("/healthz").json()
