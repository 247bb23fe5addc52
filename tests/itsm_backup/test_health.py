"""GET /healthz names the part that is down."""

from __future__ import annotations

import os
import time

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from itsm_backup import health
from itsm_backup.common import pdf

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _long_since_started(monkeypatch):
    cache.clear()
    monkeypatch.setattr(health, "_began", time.monotonic() - 3600)


def test_it_is_ok_when_every_part_is():
    for process in ("worker", "beat", "poller"):
        health.beat(process)
    response = Client().get("/healthz")
    assert response.status_code == 200
    told = response.json()
    assert told.pop("pdf") == (pdf.why_off() or "ok")  # what cannot be printed stops nothing
    assert told == {"status": "ok", "database": "ok", "broker": "ok", "worker": "ok", "beat": "ok", "poller": "ok"}
    assert "no-store" in response["Cache-Control"]


def test_it_names_the_process_that_gives_no_sign_of_life():
    health.beat("beat")
    response = Client().get("/healthz")
    assert response.status_code == 503
    assert response.json()["worker"] == "down: no sign of life"
    assert response.json()["beat"] == "ok"


def test_it_says_for_how_long_a_process_has_been_silent():
    health.beat("beat")
    cache.set("alive:worker", time.time() - 83, timeout=3600)
    assert Client().get("/healthz").json()["worker"] == "down: no sign of life for 83 s"


def test_it_is_honest_while_processes_are_still_starting(monkeypatch):
    monkeypatch.setattr(health, "_began", time.monotonic())
    response = Client().get("/healthz")
    assert response.status_code == 503
    assert response.json()["worker"] == "starting"


def test_it_names_a_broker_that_cannot_be_reached(settings):
    health.beat("worker")
    health.beat("beat")
    settings.REDIS_URL = "redis://:hunter22@127.0.0.1:1/0"
    response = Client().get("/healthz")
    assert response.status_code == 503
    assert response.json()["broker"] == "down: it cannot be reached"
    assert "hunter22" not in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_it_names_a_database_that_cannot_be_reached():
    health.beat("worker")
    health.beat("beat")
    connection.close()
    good = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
    connection.settings_dict["HOST"], connection.settings_dict["PORT"] = "127.0.0.1", "1"
    try:
        response = Client().get("/healthz")
    finally:
        connection.settings_dict["HOST"], connection.settings_dict["PORT"] = good
        connection.close()
    assert response.status_code == 503
    assert response.json()["database"] == "down: it cannot be reached"


def test_it_never_fails_whoever_gives_a_sign_of_life(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}
    health.beat("worker")
    assert Client().get("/healthz").json()["worker"] == "down: its signs of life cannot be read"


def test_it_writes_signs_of_life_that_another_process_reads(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}}
    health.beat("worker")
    assert Client().get("/healthz").json()["worker"] == "ok"
