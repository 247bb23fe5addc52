"""A small load generator: a few connections that are kept, requests that are ready as bytes, a bounded time."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator

import msgspec


class Load(msgspec.Struct, kw_only=True):
    """What came of one load: answers a second, how long they took, and how many were not 2xx."""

    per_s: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int


def request(path: str, body: bytes = b"", *, method: str = "POST", **headers: str) -> bytes:
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """One connection, kept unless the server closes it after each answer: then it is opened anew for the next."""

    def __init__(self, port: int) -> None:
        self.port, self.is_open = port, False
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_open = True

    def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        if not self.is_open:
            self._open()
        self.socket.sendall(sent)
        got = self._more()
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._more()
        else:
            wanted = int(lowered.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            while len(body) < wanted:
                body += self._more()
        if b"connection: close" in lowered:
            self.close()
        return int(head[9:12]), body

    def _more(self) -> bytes:
        got = self.socket.recv(262_144)
        if not got:
            raise ConnectionError("The server closed the connection.")
        return got

    def close(self) -> None:
        self.socket.close()
        self.is_open = False


def load(port: int, requests: list[bytes], *, seconds: float, connections: int = 4) -> Load:
    """Send the requests round and round over so many connections for so long."""
    took_ms: list[float] = []
    errors: list[int] = []
    gate, end = threading.Barrier(connections + 1), [0.0]

    def work(start: int) -> None:
        kept, mine = Connection(port), _round(requests, start * len(requests) // connections)
        gate.wait()
        while (began := time.perf_counter()) < end[0]:
            status, _ = kept.ask(next(mine))
            took_ms.append((time.perf_counter() - began) * 1000)
            if status // 100 != 2:
                errors.append(status)
        kept.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(connections)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    end[0] = began + seconds
    gate.wait()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began
    if not took_ms:
        raise RuntimeError("Nothing was answered.")
    ordered = sorted(took_ms)
    return Load(
        per_s=len(ordered) / took_s,
        p50_ms=statistics.median(ordered),
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        answers=len(ordered),
        errors=len(errors),
    )


def _round(requests: list[bytes], start: int) -> Iterator[bytes]:
    place = start
    while True:
        yield requests[place % len(requests)]
        place += 1
