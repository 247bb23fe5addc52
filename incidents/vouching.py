"""Whether our mail server stands behind the sender of a message: Authentication-Results (RFC 8601), read as it is written. Pure."""

from __future__ import annotations

import re
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser

_LONGEST = 10_000  # of a header that is read
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_METHOD = re.compile(r"\s*([a-z0-9-]+)\s*(?:/\s*\d+\s*)?=\s*([a-z0-9-]+)(?=\s|$)", re.IGNORECASE)
_PROPERTY = re.compile(
    r'\s+([a-z0-9-]+(?:\s*\.\s*[a-z0-9_-]+)?)\s*=\s*((?:"(?:[^"\\]|\\.)*"|[^\s"])+)(?=\s|$)',
    re.IGNORECASE | re.DOTALL,
)


def sender_of(message: EmailMessage) -> str:
    """The address in its one From header; empty where there is none, or more than one of either."""
    try:
        headers = message.get_all("From", [])
        addresses = [one.addr_spec.lower() for header in headers for one in header.addresses]
    except Exception:  # a header that the library cannot parse is one that is not there
        return ""
    sender = str(addresses[0]).encode("utf-8", "surrogateescape").decode("utf-8", "replace") if len(headers) == len(addresses) == 1 else ""
    return sender if sender.isprintable() else ""


def vouches(raw: bytes, *, server: str, sender: str) -> bool:
    """Whether the topmost result is of our server and says that DMARC passed for the domain of the sender.

    The header is read as it came: what the library decodes in it, the sender may have written.
    """
    domain = _domain(sender.rpartition("@")[2])
    if not server or not domain:
        return False
    headers: Message = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)
    told = _parts(str((headers.get_all("Authentication-Results") or [""])[0]))
    if not told or _unquoted((told[0].split() or [""])[0]).lower() != server.lower():
        return False
    found = [one for part in told[1:] if (one := _result(part)) and one[0] == "dmarc"]
    return len(found) == 1 and found[0][1] == "pass" and _domain(found[0][2].get("header.from", "")) == domain


def _parts(header: str) -> list[str]:
    """What stands between its semicolons, comments left out; empty for one that is too long or not well formed."""
    if len(header) > _LONGEST:
        return []
    parts, depth, place = [""], 0, 0
    while place < len(header):
        one = header[place]
        quoted = _QUOTED.match(header, place) if one == '"' and not depth else None
        if one == '"' and not depth and quoted is None:
            return []
        step = quoted[0] if quoted else header[place : place + 2] if one == "\\" else one
        if one == ")" and not depth:
            return []
        if one == "(":
            depth += 1
            parts[-1] += " "
        elif one == ")":
            depth -= 1
        elif not depth and one == ";":
            parts.append("")
        elif not depth:
            parts[-1] += step
        place += len(step)
    return [] if depth else parts


def _result(part: str) -> tuple[str, str, dict[str, str]] | None:
    """Method, result and properties of one part; a property that is said twice, or words beside them, make it none."""
    method = _METHOD.match(part)
    if method is None:
        return None
    said: dict[str, str] = {}
    place = method.end()
    while one := _PROPERTY.match(part, place):
        name = re.sub(r"\s", "", one[1]).lower()
        if name in said:
            return None
        said[name], place = _unquoted(one[2]), one.end()
    return None if part[place:].strip() else (method[1].lower(), method[2].lower(), said)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if _QUOTED.fullmatch(value) else value


def _domain(name: str) -> str:
    """As it is compared: lower case, and as it goes over the wire."""
    try:
        return name.strip().rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        return ""
