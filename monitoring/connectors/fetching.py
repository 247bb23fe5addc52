"""Make HTTP requests for a connector: only to allowed addresses, bounded in time and size, and told as steps of an answer."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from itsm_backup.common.http.addresses import Allowed, Unreachable
from itsm_backup.common.http.client import Client
from monitoring.connectors.base import Fetch, Step

TIMEOUT_S = 30.0
CAP_BYTES = 16 * 1024 * 1024
KEPT_HEADERS = ("content-type", "retry-after", "link", "x-total-count", "location")


@contextmanager
def fetching(
    *, allowed: Allowed, verify: ssl.SSLContext | bool = True, timeout_s: float = TIMEOUT_S, wait: Callable[[float], None] = time.sleep
) -> Iterator[Fetch]:
    """A `Fetch` for one poll, which keeps its connections and closes them at the end."""
    with Client(allowed=allowed, verify=verify, timeout_s=timeout_s, most_bytes=CAP_BYTES, wait=wait) as client:

        def fetch(name: str, method: str, url: str, *, headers: Mapping[str, str], body: Any = None, listen_s: float | None = None) -> Step:
            step = Step(name=name, command=f"{method} {url}", started_at=dt.datetime.now(dt.UTC))
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            try:
                if listen_s is None:
                    answer = client.send(method, url, headers=headers, body=raw)
                else:
                    answer = client.listen(method, url, headers=headers, body=raw, for_s=listen_s)
            except Unreachable as error:
                step.stderr = str(error)
            else:
                step.exit_code = answer.status
                step.stdout = answer.body.decode("utf-8", errors="replace")
                step.headers = {key: answer.headers[key][:500] for key in KEPT_HEADERS if key in answer.headers}
            step.finished_at = dt.datetime.now(dt.UTC)
            return step

        yield fetch
