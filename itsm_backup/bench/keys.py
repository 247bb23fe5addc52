"""What a benchmark leaves in the cache and the broker, under keys of its own."""

from __future__ import annotations

import redis
from django.conf import settings

KEY_PREFIX = "itsm-backup-bench:"


def remove() -> None:
    """Forget it all; the product's own keys are never touched."""
    with redis.from_url(settings.REDIS_URL, socket_timeout=10) as client:
        for pattern in (f"*{KEY_PREFIX}*",):
            for key in client.scan_iter(match=pattern, count=1_000):
                client.delete(key)
