"""Wake a worker now instead of at its next tick. Only a hint: if it is lost, the tick does the same work."""

from __future__ import annotations

import logging
import time

from celery import current_app
from django.core.cache import cache
from django.db import transaction

log = logging.getLogger(__name__)
ONE_HINT_PER_S = 1
QUIET_S = 0.25  # after a hint of anybody's this process does not ask again for so long: a busy door would ask at every call
HINT_EXPIRES_S = 20
_quiet_until = [0.0]


def wake() -> None:
    """Ask a worker to advance the journey. Never fails its caller: what was stored stays stored."""
    if time.monotonic() < _quiet_until[0]:
        return
    try:
        _quiet_until[0] = time.monotonic() + QUIET_S
        if cache.add("journey-woken", 1, timeout=ONE_HINT_PER_S):
            _quiet_until[0] = time.monotonic() + ONE_HINT_PER_S  # until then the cache would say no to everybody
            current_app.send_task("itsm_backup.advance", expires=HINT_EXPIRES_S, retry=False)
    except Exception as error:  # whatever the broker's client raises: the tick will come
        log.warning("The journey could not be woken and waits for its tick: %s", error)


def hand_out(batch_id: int) -> None:
    """Give work on many entries to a worker, once what started it is stored. A lost message costs half a minute."""

    def send() -> None:
        try:
            current_app.send_task("itsm_backup.batch", (batch_id,), expires=600, retry=False)
        except Exception as error:  # whatever the broker's client raises
            log.warning("Batch %s waits for the heartbeat: %s", batch_id, error)

    transaction.on_commit(send)
