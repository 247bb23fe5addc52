"""Which addresses the product may speak to: host names and networks that the one who runs it has listed."""

from __future__ import annotations

import ipaddress
import re
import socket

import msgspec

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_ENTRY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]\s:]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:/\d+)?)(?::(?P<port>\d{1,5}))?")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


class Unreachable(Exception):
    """No useful answer came; the message is a sentence without anything secret of the address."""


class Forbidden(Unreachable):
    """The address is not among those that may be spoken to."""


class _Entry(msgspec.Struct, frozen=True):
    name: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    def names(self, host: str, port: int) -> bool:
        if not self.name or self.port not in (None, port):
            return False
        return host == self.name or (self.name.startswith("*.") and host.endswith(self.name[1:]))

    def holds(self, address: Address, port: int) -> bool:
        return self.network is not None and self.port in (None, port) and address in self.network


class Allowed:
    """A list such as `veeam.example.org, *.backup.example.org:443, 10.20.0.0/16, 192.0.2.7:8007`; empty allows nothing.

    A listed name may lead to any address but the machine's own, link-local, multicast or unspecified ones: those have to be listed
    as addresses. A name that is not listed may be spoken to when its address is. Raises ValueError with a sentence for a bad entry.
    """

    def __init__(self, text: str) -> None:
        self._entries = [_entry(part) for part in re.split(r"[,\s]+", text.strip()) if part]

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of the host that may be spoken to. Raises Forbidden, or Unreachable for a name without address."""
        host = host.strip("[]").rstrip(".").lower()
        try:
            told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable(f"There is no address for the name {host}. Check it, and the name service of this machine.") from None
        found = list(dict.fromkeys(str(one[4][0]) for one in told))
        allowed = [address for address in found if self._allows(host, port, _plain(address))]
        if not allowed:
            refusal = f"{host}:{port} is not among the addresses that tools may be read from."
            raise Forbidden(f"{refusal} Whoever runs the product lists them in TOOL_ADDRESSES.")
        return allowed

    def _allows(self, host: str, port: int, address: Address) -> bool:
        if any(entry.holds(address, port) for entry in self._entries):
            return True
        special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
        return not special and any(entry.names(host, port) for entry in self._entries)


def _plain(address: str) -> Address:
    """The address itself, also where it is an IPv4 address dressed up as IPv6."""
    plain = ipaddress.ip_address(address.partition("%")[0])
    return plain.ipv4_mapped or plain if isinstance(plain, ipaddress.IPv6Address) else plain


def _entry(text: str) -> _Entry:
    wrong = ValueError(
        f"{text} is neither a host name nor an address. Write host.example.org, *.example.org, 10.0.0.0/8 or 192.0.2.7:8007."
    )
    network = _network(text)
    if network is not None:
        return _Entry(network=network)
    match = _ENTRY.fullmatch(text)
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise wrong
    host, port = match["host"].strip("[]").rstrip(".").lower(), int(match["port"]) if match["port"] else None
    network = _network(host)
    if network is not None:
        return _Entry(network=network, port=port)
    if not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
        raise wrong
    return _Entry(name=host, port=port)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
