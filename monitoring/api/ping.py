"""`/ping/…`: the Healthchecks protocol. The address is the secret, so it is never logged."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from itsm_backup.common.time import now
from monitoring import pinging
from monitoring.api.bodies import read_end
from monitoring.connectors.ping_paths import BODY_LIMIT_BYTES, PingAddress, PingRefusal, read_address
from monitoring.quick_pings import Said

log = logging.getLogger(__name__)
MOST_BODY_BYTES = 32 * 1024 * 1024
PINGS_PER_MINUTE = 300
PATH = "/ping/"
HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Ping-Body-Limit": str(BODY_LIMIT_BYTES),
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
Answers = Callable[[HttpRequest], HttpResponse]


def before_all_others(answer: Answers) -> Answers:
    """Middleware that takes the pings out: they have no session, no messages and no page, so they pass nothing that serves those."""

    def answered(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PATH):
            return answer(request)
        request.get_host()  # a host that is not ours is refused here as on every other path
        return ping(request, request.path_info.removeprefix(PATH))

    return answered


def ping(request: HttpRequest, rest: str) -> HttpResponse:
    """Take one ping. What it says may be nonsense: it is recorded and answered OK, so that no script fails by reporting."""
    try:
        response = _take(request, rest)
    except Exception:  # whatever it was, the script that pings must be told to try again, and its address stays out of the log
        log.exception("A ping could not be stored")
        response = HttpResponse("not stored, please send it again", status=503)
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers["Content-Length"] = str(len(response.content))
    response._has_been_logged = True  # type: ignore[attr-defined]  # or Django would log the address of a refused ping
    return response


def _take(request: HttpRequest, rest: str) -> HttpResponse:
    address = read_address(rest, method=str(request.method), query=request.GET.dict())
    if isinstance(address, PingRefusal):
        return HttpResponse(address.text, status=address.status)
    at = now()
    if _is_too_often(address, at):
        return HttpResponse("too many pings, try again in a minute", status=429, headers={"Retry-After": "60"})
    body, left_out_bytes = read_end(request, limit_bytes=BODY_LIMIT_BYTES, most_bytes=MOST_BODY_BYTES)
    said = Said(
        suffix=address.suffix,
        rid=address.rid,
        body=body.decode("utf-8", errors="replace"),
        left_out_bytes=left_out_bytes,
        user_agent=request.headers.get("User-Agent", ""),
        at=at,
    )
    try:
        taken = pinging.receive(address=address, said=said)
    except pinging.MayNotCreate:
        return HttpResponse("this tool makes no jobs by ping", status=403)
    if taken is None:
        return HttpResponse("not found", status=404)
    return HttpResponse("Created", status=201) if taken.made_job else HttpResponse("OK")


def _is_too_often(address: PingAddress, at: Any) -> bool:
    """More pings of one address within a minute than any script sends; when they cannot be counted, none is refused.

    The first tenth is counted in this process alone, so that an ordinary ping asks the cache nothing.
    """
    minute, most = int(at.timestamp()) // 60, getattr(settings, "PINGS_PER_MINUTE", PINGS_PER_MINUTE)
    name = hashlib.sha256(f"{address.uuid} {address.ping_key} {address.slug}".encode()).hexdigest()[:32]
    if _minute.count(name, minute) <= min(most, PINGS_PER_MINUTE) // 10:
        return False
    key = f"pings:{name}:{minute}"
    try:
        if cache.add(key, 1, timeout=120):
            return False
        return cache.incr(key) > most
    except Exception as error:  # whatever the cache's client raises
        log.warning("Pings cannot be counted: %s", type(error).__name__)
        return False


class _Minute:
    """How often each address has pinged this process within one minute."""

    def __init__(self) -> None:
        self.number, self.counts = 0, Counter[str]()

    def count(self, name: str, minute: int) -> int:
        if self.number != minute:
            self.number, self.counts = minute, Counter()
        self.counts[name] += 1
        return self.counts[name]


_minute = _Minute()
