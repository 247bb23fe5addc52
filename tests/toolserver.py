"""A local HTTP server that stands for a tool: it answers as the test says, and can throttle, drip, break off or lie about its type."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from itsm_backup.common.http.addresses import Allowed
from monitoring.connectors.base import Answer
from monitoring.connectors.fetching import fetching


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Says(NamedTuple):
    """One answer: a status, a body (text as it is, anything else as JSON) and how it is sent."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = {}
    kind: str = "application/json"
    half: bool = False  # breaks off in the middle
    slow_s: float = 0.0  # before each byte


Replies = Callable[[Asked], Says]


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {key.lower(): value for key, value in self.headers.items()}
        asked = Asked(self.command, parts.path, query, headers, self.rfile.read(length).decode())
        self.server.asked.append(asked)
        says = self.server.replies(asked)
        raw = (says.body if isinstance(says.body, str) else json.dumps(says.body)).encode()
        self.send_response(says.status)
        for name, value in {"Content-Type": says.kind, "Content-Length": str(len(raw)), **says.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for at in range(len(raw)) if says.slow_s else ():
                time.sleep(says.slow_s)
                self.wfile.write(raw[at : at + 1])
            if not says.slow_s:
                self.wfile.write(raw[: len(raw) // 2] if says.half else raw)
        except OSError:
            pass
        self.close_connection = self.close_connection or says.half

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any

    def log_message(self, *args: object) -> None:
        pass


class ToolServer:
    """`replies` may be changed while it runs; `asked` holds every request in order."""

    def __init__(self, replies: Replies, certificate: Path | None = None) -> None:
        self._server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # a caller that hangs up is no error of ours
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.asked: list[Asked] = []
        self._server.asked, self._server.replies = self.asked, replies
        self.address = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def replies(self) -> Replies:
        return self._server.replies

    @replies.setter
    def replies(self, replies: Replies) -> None:
        self._server.replies = replies

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def tool_server(replies: Replies, certificate: Path | None = None) -> Iterator[ToolServer]:
    server = ToolServer(replies, certificate)
    try:
        yield server
    finally:
        server.close()


def own_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that no authority knows, with its key, in one file."""
    made = folder / "server.pem"
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_text(key.read_text() + certificate.read_text())
    return made


class Waits(list):
    """Notes how long the client meant to wait, without waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


NOON = "2026-07-14T12:00:00+00:00"


def ask(
    connector: Any,
    *,
    settings: dict[str, str],
    secrets: dict[str, str] | None = None,
    cursor: dict[str, Any] | None = None,
    timeout_s: float = 5.0,
    waits: Waits | None = None,
    at: str = NOON,
) -> Answer:
    """One poll of a connector through the real client, which may speak to this machine alone."""
    with fetching(allowed=Allowed("127.0.0.1"), timeout_s=timeout_s, wait=Waits() if waits is None else waits) as fetch:
        return connector.ask(settings=settings, secrets=secrets or {}, fetch=fetch, cursor={**(cursor or {}), "at": at})
