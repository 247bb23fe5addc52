"""The records that a pushed body holds, each still as bytes: JSON array, JSON lines, one object, or CloudEvents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

MAX_RECORDS = 5_000
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines")

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{},]', re.DOTALL)
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_raw = msgspec.json.Decoder(msgspec.Raw).decode


class Element(msgspec.Struct):
    """One record of a body: its bytes, or why they are no JSON."""

    raw: bytes
    fault: str | None = None


class NoJson(ValueError):
    """Nothing in the body is JSON; the sentence says what was expected."""


class TooMany(ValueError):
    """The body holds more records than one call may bring."""


def elements(body: str, content_type: str = "") -> list[Element]:
    """The records of a body in their order; one that is damaged carries its fault, the others are not lost with it.

    Raises NoJson when nothing in the body could be read as JSON, TooMany beyond 5,000 records.
    """
    data = body.strip("\ufeff \t\r\n").encode("utf-8", errors="replace")
    found = list(islice(_elements(data, content_type.partition(";")[0].strip().lower()), MAX_RECORDS + 1))
    if not data or (found and all(each.fault for each in found)):
        told = found[0].fault if found else "it is empty"
        raise NoJson(f"The body is no JSON: {told}. Send a JSON array, one JSON object a line, or CloudEvents. Nothing was stored.")
    if len(found) > MAX_RECORDS:
        raise TooMany(f"The body holds more than {MAX_RECORDS:,} records. Send them in several calls. Nothing was stored.")
    return found


def _elements(data: bytes, kind: str) -> Iterator[Element]:
    if kind in LINES:
        return _lines(data)
    if data.startswith(b"["):
        try:
            return (Element(bytes(raw)) for raw in _raws(data))
        except (msgspec.MsgspecError, RecursionError):
            return (_checked(raw) for raw in _split(data))
    if data.startswith(b"{") and (one := _checked(data)).fault is None:
        return iter([one])
    return _lines(data)


def _lines(data: bytes) -> Iterator[Element]:
    return (_checked(line) for line in data.split(b"\n") if line.strip())


def _checked(data: bytes) -> Element:
    try:
        _raw(data)
    except RecursionError:
        return Element(data, "it is nested too deeply")
    except msgspec.MsgspecError as error:
        told = str(error).removeprefix("JSON is malformed: ")
        return Element(data, "it is cut off, or holds half of a surrogate pair" if "truncated" in told else told)
    return Element(data)


def _split(data: bytes) -> Iterator[bytes]:
    """The elements of a JSON array that cannot be decoded as a whole, found by their brackets alone."""
    depth, start = 0, 1
    for match in _TOKEN.finditer(data):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
        elif token in (b"]", b"}"):
            depth -= 1
        if (token == b"," and depth == 1) or depth == 0:
            if piece := data[start : match.start()].strip():
                yield piece
            start = match.end()
        if depth == 0:
            break
    if rest := data[start:].strip():
        yield rest
