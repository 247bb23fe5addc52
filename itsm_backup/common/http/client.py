"""The one way out over HTTP: short, bounded, verified, never led elsewhere, and to tools only at addresses that were allowed."""

from __future__ import annotations

import functools
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpcore
import httpx
import msgspec

from itsm_backup.common.http.addresses import Allowed, Forbidden, Unreachable

__all__ = ["Allowed", "Answer", "Client", "Forbidden", "Unreachable", "get", "trusting"]

TIMEOUT_S = 5.0
MOST_BYTES = 64_000
TRIES = 3
WAIT_S = 0.5  # before the second try; doubled before each further one, each with jitter
LONGEST_WAIT_S = 60.0  # a longer Retry-After is left to the next round
_E = TypeVar("_E", bound=BaseException)
PASSING = (429, 502, 503, 504)  # what may be over in a moment


class Answer(msgspec.Struct, kw_only=True, frozen=True):
    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class _Checked(httpcore.SyncBackend):
    """Connects only where that is allowed: to the very address that was checked, so that no name can turn elsewhere meanwhile."""

    def __init__(self, allowed: Allowed) -> None:
        super().__init__()
        self._allowed = allowed

    def connect_tcp(self, host: str, port: int, *args: object, **kwargs: object) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in self._allowed.addresses(host, port):
            try:
                return super().connect_tcp(address, port, *args, **kwargs)  # type: ignore[arg-type]
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")


class Client:
    """A conversation with one server. Connections are kept between requests; use it as a context manager.

    `timeout_s` is the limit for a whole request, `most_bytes` for a body. Certificates are verified (`verify` may hold another
    trust), redirects are never followed, and with `allowed` only these addresses are spoken to, past every proxy.
    """

    def __init__(
        self,
        *,
        allowed: Allowed | None = None,
        timeout_s: float = TIMEOUT_S,
        tries: int = TRIES,
        most_bytes: int = MOST_BYTES,
        verify: ssl.SSLContext | str | bool = True,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_s, self._tries, self._most_bytes, self._wait = timeout_s, tries, most_bytes, wait
        headers = {"User-Agent": "itsm-backup"}
        transport = None
        if allowed is not None:
            transport = httpx.HTTPTransport(verify=verify, trust_env=False)
            transport._pool._network_backend = _Checked(allowed)  # type: ignore[attr-defined] # httpx has no public way in
        self._client = httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            verify=verify,
            headers=headers,
            transport=transport,
            trust_env=allowed is None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """The answer, of whatever status. What may pass is tried again, as late as the server asks for. Raises Unreachable."""
        host = urlsplit(url).hostname or "the address"
        problem, answer, pause_s = "", None, 0.0
        for turn in range(self._tries):
            if turn:
                self._wait(max(WAIT_S * 2 ** (turn - 1) * random.uniform(0.5, 1.5), pause_s))  # noqa: S311 - jitter, no secret
            try:
                answer = self._once(method, url, host, headers or {}, body)
            except httpx.InvalidURL:
                raise Unreachable(f"{host} is no address that can be asked. Write it like https://server.example.org:9419.") from None
            except (httpx.HTTPError, httpcore.NetworkError, httpcore.TimeoutException) as error:
                problem, answer = _failure(host, error, self._timeout_s), None
                if _behind(error, ssl.SSLCertVerificationError):
                    raise Unreachable(problem) from None
                continue
            pause_s = _retry_after_s(answer)
            if answer.status not in PASSING or pause_s > LONGEST_WAIT_S:
                return answer
        if answer is not None:
            return answer
        raise Unreachable(f"{problem} Tried {self._tries} times.")

    def listen(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None, for_s: float) -> Answer:
        """What a stream that never ends tells for so long, or until it breaks off. Raises Unreachable when it cannot be opened."""
        host = urlsplit(url).hostname or "the address"
        got = bytearray()
        waits = httpx.Timeout(self._timeout_s, read=for_s)
        try:
            with self._client.stream(method, url, headers=dict(headers or {}), content=body, timeout=waits) as response:
                told, ends = response, threading.Timer(for_s, _hang_up, [response])
                ends.daemon = True
                ends.start()
                try:
                    for part in response.iter_bytes():
                        got += part
                        if len(got) > self._most_bytes:
                            break
                except (httpx.HTTPError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
                    pass  # ended, by us or by a drop: what came until then counts
                finally:
                    ends.cancel()
        except (httpx.HTTPError, httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise Unreachable(_failure(host, error, self._timeout_s)) from None
        return Answer(status=told.status_code, body=bytes(got[: self._most_bytes]), headers=dict(told.headers))

    def _once(self, method: str, url: str, host: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        ends_at = time.monotonic() + self._timeout_s
        with self._client.stream(method, url, headers=dict(headers), content=body) as response:
            got = bytearray()
            for part in response.iter_bytes():
                got += part
                if len(got) > self._most_bytes:
                    raise Unreachable(f"{host} answers with more than {self._most_bytes:,} bytes.")
                if time.monotonic() > ends_at:
                    raise httpx.ReadTimeout("the body did not end")
            return Answer(status=response.status_code, body=bytes(got), headers=dict(response.headers))


def get(
    url: str,
    *,
    timeout_s: float = TIMEOUT_S,
    tries: int = TRIES,
    most_bytes: int = MOST_BYTES,
    verify: ssl.SSLContext | str | bool = True,
    wait: Callable[[float], None] = time.sleep,
) -> Answer:
    """The answer to one GET at an address that the environment gives, of any status below 300. Raises Unreachable."""
    host = urlsplit(url).hostname or "the address"
    with Client(timeout_s=timeout_s, tries=tries, most_bytes=most_bytes, verify=verify, wait=wait) as client:
        answer = client.send("GET", url)
    if answer.status < 300:
        return answer
    raise Unreachable(_refusal(host, answer.status) + (f" Tried {tries} times." if answer.status in PASSING else ""))


@functools.lru_cache(maxsize=64)
def trusting(certificates: str) -> ssl.SSLContext:
    """Trust in the usual authorities and in these certificates (PEM), made once. Raises ValueError with a sentence."""
    context = ssl.create_default_context()
    if certificates.strip():
        try:
            context.load_verify_locations(cadata=certificates)
        except (ssl.SSLError, ValueError):
            raise ValueError(
                "The trusted certificates cannot be read: give PEM text that starts with -----BEGIN CERTIFICATE-----."
            ) from None
    return context


def _refusal(host: str, status: int) -> str:
    if 300 <= status < 400:
        return f"{host} answers with a redirect ({status}). Set the address that it leads to."
    return f"{host} answers with status {status}."


def _hang_up(response: httpx.Response) -> None:
    """End the connection under a reader that waits: it sees the end of the stream."""
    found = response.extensions["network_stream"].get_extra_info("socket")
    try:
        with socket.socket(fileno=os.dup(found.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has just ended


def _retry_after_s(answer: Answer) -> float:
    told = answer.headers.get("retry-after", "").strip()
    return float(told) if told.isascii() and told.isdigit() and len(told) < 9 else 0.0


def _behind(error: BaseException | None, kind: type[_E]) -> _E | None:
    """The error of this kind that is why the request failed, if there is one."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _unreached(error: Exception) -> str:
    """Why no connection came about, and what to look at."""
    if _behind(error, ConnectionRefusedError):
        return "nothing answers at this port. Check address and port, and whether the service runs."
    if _behind(error, socket.gaierror):
        return "its name leads to no address. Check the name, and the name servers of this machine."
    if _behind(error, ssl.SSLError):
        return "it does not speak TLS as we do. Check whether the address begins with http or https, and its port."
    system = _behind(error, OSError)
    return f"{system.strerror or type(error).__name__ if system else type(error).__name__}. Check the address, and the network between."


def _failure(host: str, error: Exception, timeout_s: float) -> str:
    if untrusted := _behind(error, ssl.SSLCertVerificationError):
        told = untrusted.verify_message
        return f"The certificate of {host} is not trusted ({told}). Give the certificate of its authority, or its own, in the settings."
    if isinstance(error, httpx.TimeoutException | httpcore.TimeoutException):
        return f"{host} did not answer in full within {timeout_s:g} s."
    if isinstance(error, httpx.RemoteProtocolError):
        return f"{host} broke off in the middle of its answer."
    return f"{host} cannot be reached: {_unreached(error)}"
