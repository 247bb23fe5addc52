"""The product's web server, and floors beside it, on free ports of this machine alone."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from itsm_backup.common.time import now

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PRODUCT = "itsm_backup.wsgi:application"
READY_WITHIN_S = 60.0


class Identity(NamedTuple):
    """What a server of this machine shows over TLS: its own certificate, which whoever asks has to trust, and the key of it."""

    certificate: Path
    key: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@contextmanager
def served(application: str, *, url: str, workers: int = 2, identity: Identity | None = None, **environment: str) -> Iterator[int]:
    """Serve a WSGI application on the database `url` with granian, as `up` does; yields the port. With an identity over TLS."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    if identity:
        command += ["--ssl-certificate", str(identity.certificate), "--ssl-keyfile", str(identity.key)]
    given = {**os.environ, "DATABASE_URL": url, **environment}
    server = subprocess.Popen(
        [*command, "--workers", str(workers), "--log-level", "error", application], cwd=REPOSITORY, env=given, stdin=subprocess.DEVNULL
    )
    try:
        _wait(server, port, identity)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def identity_in(folder: Path) -> Identity:
    """A new identity for 127.0.0.1, with a key on the curve that such servers use today."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made, began = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key()), now()
    made = made.serial_number(x509.random_serial_number()).not_valid_before(began).not_valid_after(began + dt.timedelta(days=2))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    told = Identity(folder / "certificate.pem", folder / "key.pem")
    told.certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    packed = serialization.PrivateFormat.PKCS8
    told.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, packed, serialization.NoEncryption()))
    return told


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int, identity: Identity | None) -> None:
    """Until it answers HTTP: the port opens before the application is loaded."""
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"The web server ended with exit code {server.returncode} before it answered.")
        try:
            if _answers(port, identity):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not answer within a minute.")


def _answers(port: int, identity: Identity | None) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.settimeout(30)
        probe = (
            ssl.create_default_context(cafile=str(identity.certificate)).wrap_socket(plain, server_hostname="127.0.0.1")
            if identity
            else plain
        )
        probe.sendall(b"GET /nothing-here HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return probe.recv(16).startswith(b"HTTP/1.1 ")
