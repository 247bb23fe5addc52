"""The sign of life to an outside watcher: while it comes, the product lives; when it stops, somebody else must look."""

from __future__ import annotations

import datetime as dt

from django.core.cache import cache

from itsm_backup import health
from itsm_backup.common.http import client as http

KEPT_S = 600


def tell(*, url: str, at: dt.datetime) -> str:
    """Call the address if everything is healthy; returns, and keeps for `/healthz`, what came of it in words."""
    down = [name for name, state in (health.parts() | {"journey": health.journey()}).items() if state != "ok"]
    if down:
        words = f"held back, because not healthy: {', '.join(down)}"
    else:
        try:
            http.get(url)
            words = f"ok, told at {at:%Y-%m-%d %H:%M:%S} UTC"
        except http.Unreachable as error:
            words = f"not told: {error}"
    cache.set(health.DEADMAN_KEY, words, timeout=KEPT_S)
    return words
