"""The product's web server, and floors beside it, on free ports of this machine alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PRODUCT = "itsm_backup.wsgi:application"
READY_WITHIN_S = 60.0


@contextmanager
def served(application: str, *, url: str, workers: int = 2, **environment: str) -> Iterator[int]:
    """Serve a WSGI application on the database `url` with granian, as `up` does; yields the port."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    given = {**os.environ, "DATABASE_URL": url, **environment}
    server = subprocess.Popen(
        [*command, "--workers", str(workers), "--log-level", "error", application], cwd=REPOSITORY, env=given, stdin=subprocess.DEVNULL
    )
    try:
        _wait(server, port)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    """Until it answers HTTP: the port opens before the application is loaded."""
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"The web server ended with exit code {server.returncode} before it answered.")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                probe.settimeout(30)
                probe.sendall(b"GET /nothing-here HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if probe.recv(16).startswith(b"HTTP/1.1 "):
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not answer within a minute.")
