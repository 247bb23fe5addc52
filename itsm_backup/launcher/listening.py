"""Where the web answers: a port that can be had, the names it is reached by, and whether it is healthy."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import urllib.error
import urllib.request

from itsm_backup.launcher.trouble import Trouble

ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 only compared with
USE_HOSTS = "Use --host 127.0.0.1 (this machine only) or --host 0.0.0.0 (the whole network)."


def take_port(host: str, port: int) -> int:
    """The port to listen on, a free one for 0. Raises Trouble when it cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror:
        raise Trouble(f"{host} is no address of this machine. Nothing was started.\n{USE_HOSTS}") from None
    except OSError as error:
        raise Trouble(_why_not(host, port, error)) from None


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = _free_port_after(host, port)
        return (
            f"Port {port} on {host} is already used by another program. Nothing was started.\n"
            f"Stop that program, or use another port: python3 manage.py up --port {other}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} is reserved for root. Nothing was started.\nUse another port: python3 manage.py up --port 8000"
    return f"{host} cannot be listened on: {error.strerror}. Nothing was started.\n{USE_HOSTS}"


def _free_port_after(host: str, port: int) -> int:
    for candidate in range(port + 1, min(port + 50, 65536)):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, candidate))
            return candidate
    return 0  # `--port 0` takes any free one


def address_of(host: str, port: int) -> str:
    """The address a person opens."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def names_of(host: str) -> list[str]:
    """The names and addresses that requests may carry in their Host header."""
    names = ["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host]
    if host in ALL_ADDRESSES:
        names += [socket.gethostname(), socket.getfqdn()]
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing; only asks which of our addresses would be used
            names.append(str(probe.getsockname()[0]))
    return list(dict.fromkeys(names))


def health(address: str) -> tuple[bool, str]:
    """(Whether /healthz answers 200, what it says otherwise)."""
    url = address.replace("//0.0.0.0", "//127.0.0.1").replace("//[::]", "//[::1]") + "healthz"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as answer:
            return answer.status == 200, ""
    except urllib.error.HTTPError as error:
        return False, _short(error.read())
    except OSError as error:
        return False, str(error)


def _short(body: bytes) -> str:
    try:
        return ", ".join(f"{part}: {state}" for part, state in json.loads(body).items())
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace")
