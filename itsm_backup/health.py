"""Is the product alive? One answer for load balancers, supervisors and people: GET /healthz."""

from __future__ import annotations

import logging
import time

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from itsm_backup.common import pdf
from itsm_backup.common.time import now

log = logging.getLogger(__name__)
STALE_S = 60  # the journey ticks every 5 s
STARTING_S = 30
JOURNEY_STALE_S = 600  # one turn may carry a whole estate
PROCESSES = ("worker", "beat", "poller")
DEADMAN_KEY = "deadman"  # what came of the latest call to the outside watcher
_began = time.monotonic()


def beat(process: str) -> None:
    """A sign of life of `worker`, `beat`, `poller` or `journey`. Never fails its caller."""
    try:
        cache.set(f"alive:{process}", now().timestamp(), timeout=24 * 3600)
    except Exception as error:  # whatever the cache's client raises
        log.warning("The sign of life of the %s could not be written: %s", process, type(error).__name__)


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Each part as `ok`, `starting` or `down: …`; 200 when all are ok, else 503; `pdf` only says so. Tells nothing that is secret."""
    found = parts()
    fine = all(state == "ok" for state in found.values())
    # What is off, or not heard outside, stops nothing: it is told, and the answer stays 200.
    told = {**found, "pdf": pdf.why_off() or "ok"} | ({"deadman": _deadman()} if settings.DEADMAN_URL else {})
    response = JsonResponse({"status": "ok" if fine else "down", **told}, status=200 if fine else 503)
    response._has_been_logged = True  # type: ignore[attr-defined]  # or every probe would write an error into the log
    return response


def parts() -> dict[str, str]:
    """Each part as `ok`, `starting` or `down: …`."""
    return {"database": _database(), "broker": _broker()} | {name: _process(name) for name in PROCESSES}


def journey() -> str:
    """Whether the worker carries the story on; it is not told by `/healthz`, because one long turn is no reason to restart anything."""
    return _process("journey", JOURNEY_STALE_S)


def _deadman() -> str:
    try:
        return cache.get(DEADMAN_KEY) or "not told yet"
    except Exception:  # whatever the cache's client raises; the broker's own line says why
        return "unknown: the broker cannot be read"


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # whatever the driver raises
        log.warning("healthz: the database cannot be reached: %s", type(error).__name__)
        return "down: it cannot be reached"
    return "ok"


def _broker() -> str:
    try:
        with redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except Exception as error:  # whatever the client raises
        log.warning("healthz: the broker cannot be reached: %s", type(error).__name__)
        return "down: it cannot be reached"
    return "ok"


def _process(name: str, stale_s: float = STALE_S) -> str:
    try:
        seen = cache.get(f"alive:{name}")
    except Exception:  # whatever the cache's client raises; the broker's own line says why
        return "down: its signs of life cannot be read"
    age_s = now().timestamp() - seen if seen else None
    if age_s is not None and age_s <= stale_s:
        return "ok"
    if time.monotonic() - _began < STARTING_S:
        return "starting"
    return f"down: no sign of life for {age_s:.0f} s" if age_s is not None else "down: no sign of life"
