"""The one way out over HTTP: short, bounded, verified, and never led elsewhere."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import msgspec

TIMEOUT_S = 5.0
MOST_BYTES = 64_000
TRIES = 3
WAIT_S = 0.5  # before the second try; doubled before each further one, each with jitter
PASSING = (429, 502, 503, 504)  # what may be over in a moment


class Unreachable(Exception):
    """No useful answer came; the message is a sentence without anything secret of the address."""


class Answer(msgspec.Struct, kw_only=True, frozen=True):
    status: int
    body: bytes


def get(
    url: str,
    *,
    timeout_s: float = TIMEOUT_S,
    tries: int = TRIES,
    most_bytes: int = MOST_BYTES,
    verify: str | bool = True,
    wait: Callable[[float], None] = time.sleep,
) -> Answer:
    """The answer to a GET, of any status below 300. Raises Unreachable.

    What may pass is tried again after a pause. Certificates are verified (`verify` may name another bundle), redirects are not
    followed, and a body beyond `most_bytes` is refused.
    """
    host = urlsplit(url).hostname or "the address"
    problem = ""
    with httpx.Client(timeout=timeout_s, follow_redirects=False, verify=verify, headers={"User-Agent": "itsm-backup"}) as client:
        for turn in range(tries):
            if turn:
                wait(WAIT_S * 2 ** (turn - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            try:
                answer = _ask(client, url, host, most_bytes)
            except httpx.HTTPError as error:
                problem = f"{host} cannot be reached: {type(error).__name__}."
                continue
            if answer.status < 300:
                return answer
            if answer.status not in PASSING:
                raise Unreachable(_refusal(host, answer.status))
            problem = _refusal(host, answer.status)
    raise Unreachable(f"{problem} Tried {tries} times.")


def _ask(client: httpx.Client, url: str, host: str, most_bytes: int) -> Answer:
    with client.stream("GET", url) as response:
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > most_bytes:
                raise Unreachable(f"{host} answers with more than {most_bytes:,} bytes.")
        return Answer(status=response.status_code, body=bytes(body))


def _refusal(host: str, status: int) -> str:
    if 300 <= status < 400:
        return f"{host} answers with a redirect ({status}). Set the address that it leads to."
    return f"{host} answers with status {status}."
