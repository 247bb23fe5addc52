"""healthchecks itself, when somebody runs it on this machine: a further base for pings (docs/performance.md says how)."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import urlsplit
from uuid import UUID

from itsm_backup.bench import loading

VARIABLES = {
    "healthchecks": "BENCH_HEALTHCHECKS",
    "healthchecks_kept": "BENCH_HEALTHCHECKS_KEPT",
}  # option: how the measuring process knows
CHECKS = 1_000


class Unfit(Exception):
    """Nothing can be measured against that address; the message says what to do."""


def codes(count: int) -> list[UUID]:
    """The ping addresses of the jobs that are measured: the same on every side and in every run."""
    return [UUID(hashlib.md5(f"bench{n}".encode(), usedforsecurity=False).hexdigest()) for n in range(1, count + 1)]


def port_of(address: str) -> int:
    """The port of a healthchecks on this machine that takes the pings of a benchmark; raises Unfit."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost") or not parts.port:
        raise Unfit(f"{address} is no address like http://127.0.0.1:8111. healthchecks must run on this machine, beside the product.")
    for code in (codes(CHECKS)[0], codes(CHECKS)[-1]):
        try:
            status, _ = loading.Connection(parts.port).ask(loading.request(f"/ping/{code}"))
        except (OSError, ValueError) as error:
            raise Unfit(f"Nothing at {address} answers a ping: {error}. Start healthchecks there first.") from None
        if status != 200:
            raise Unfit(f"{address}/ping/{code} is answered with {status}. Make the {CHECKS:,} checks that docs/performance.md names.")
    return parts.port


def given(option: str) -> int | None:
    """The port of what was named, in the measuring process; None where nothing was."""
    port = os.environ.get(VARIABLES[option])
    return int(port) if port else None
