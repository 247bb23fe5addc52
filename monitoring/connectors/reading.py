"""How connectors read what tools print: forgiving about garbage around a value, strict about what becomes a value.

Every function here takes anything and returns either a value that the database and the arithmetic can hold, or None.
"""

from __future__ import annotations

import codecs
import datetime as dt
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from monitoring.connectors.base import TimeQuality

MAX_MESSAGE_BYTES = 64 * 1024
MAX_NAME_LENGTH = 500
MAX_EXCERPT_LENGTH = 200
EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
LONGEST_RUN_S = 10 * 365 * 24 * 3600.0

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,12})?)?(Z|z|[+-]\d\d:?\d\d)?")
_JOURNAL = re.compile(
    r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))"
    r" \S{1,255} [\w.@/-]{1,80}\[\d{1,10}\]: "
)
_JSON_BEGINS = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)
MOST_MISSES = 20  # lines that begin like JSON and are none, before a text is taken for one without any
_decode = msgspec.json.Decoder().decode


class Told(NamedTuple):
    """An instant as a tool told it, in UTC, and how far its zone can be trusted."""

    at: dt.datetime
    quality: TimeQuality


def decoded(raw: bytes) -> str:
    """The text of a file as a program wrote it: UTF-8, or what PowerShell makes of `> file`."""
    sixteen = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return raw.decode("utf-16" if sixteen else "utf-8-sig", errors="replace")


def plain(text: str, *, limit: int = MAX_MESSAGE_BYTES) -> str:
    """The text without terminal codes and characters a database refuses, at most `limit` bytes of UTF-8."""
    text = _TERMINAL_CODES.sub("", text).replace("\x00", "\ufffd")
    return text.encode("utf-8", errors="replace")[:limit].decode("utf-8", errors="ignore")


def name(value: object) -> str | None:
    """A non-empty single-line name of at most 500 characters; longer ones keep their head and get a hash as tail."""
    if not isinstance(value, str) or not (text := " ".join(plain(value).split())):
        return None
    if len(text) <= MAX_NAME_LENGTH:
        return text
    return f"{text[: MAX_NAME_LENGTH - 17]}…{hashlib.sha256(value.encode('utf-8', errors='replace')).hexdigest()[:16]}"


def count(value: object) -> int | None:
    """A count or a number of bytes: a whole number from 0 to 2**63 - 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        return None
    return value


def seconds(value: object) -> float | None:
    """A duration in seconds, from 0 to ten years: tools print nonsense such as -9223372036.85 when a clock is missing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        duration = float(value)
    except OverflowError:
        return None
    return round(duration, 3) if math.isfinite(duration) and 0 <= duration <= LONGEST_RUN_S else None


def instant(value: object, zone: str = "UTC") -> Told | None:
    """The instant of an RFC 3339 text or a datetime; without offset it is taken in `zone`. None outside 1990 to 2099."""
    moment = value if isinstance(value, dt.datetime) else _parsed(value)
    if moment is None:
        return None
    quality: TimeQuality = "exact"
    try:
        if moment.utcoffset() is None:
            moment, quality = moment.replace(tzinfo=ZoneInfo(zone)), "assumed_zone"
        moment = moment.astimezone(dt.UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    return Told(moment, quality) if EARLIEST <= moment < LATEST else None


def epoch(value: object, *, per_s: int = 1) -> dt.datetime | None:
    """The instant of a number (or text of digits) of seconds since 1970, or of fractions of them (`per_s` 1000: milliseconds)."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,19}(\.\d{1,12})?", value, re.ASCII):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        moment = dt.datetime.fromtimestamp(value / per_s, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def _parsed(value: object) -> dt.datetime | None:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return None
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        return None


def span_s(started_at: dt.datetime | None, ended_at: dt.datetime | None) -> float | None:
    """Seconds between two instants, or None when one is missing or the end lies before the start."""
    if started_at is None or ended_at is None:
        return None
    return seconds((ended_at - started_at).total_seconds())


def document(text: str) -> Any:
    """The JSON document that `text` is. Raises ValueError with a sentence when it is none."""
    text = text.removeprefix("\ufeff")  # PowerShell begins its files with it
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:  # slower, but survives one number that is out of range in an otherwise good document
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not valid JSON ({error})") from None


def leading_document(text: str) -> Any:
    """The JSON document at the start of `text`, whatever follows it. Raises ValueError with a sentence when there is none."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it does not start with valid JSON ({error})") from None


def holds_json(text: str | None) -> bool:
    """Whether a line of the text begins like JSON."""
    return bool(_JSON_BEGINS.search((text or "").removeprefix("\ufeff")))


def begins_json(text: str | None) -> bool:
    """Whether the text begins like JSON: what is for people does not."""
    return (text or "").removeprefix("\ufeff").lstrip().startswith(("[", "{"))


def document_within(text: str, fits: Callable[[Any], bool]) -> tuple[Any, str]:
    """The JSON document that `text` is, or the first that fits and stands on lines of its own in it, and the text around that.

    Wrappers that write both streams into one put messages before and behind the answer. Raises ValueError with a sentence.
    """
    try:
        return document(text), ""
    except ValueError as error:
        told = error
    decoder, at, misses = json.JSONDecoder(), 0, 0
    while misses < MOST_MISSES and (match := _JSON_BEGINS.search(text, at)):
        try:
            found, end = decoder.raw_decode(text, match.end())
        except (ValueError, RecursionError):
            found, end, misses = None, match.end() + 1, misses + 1
        line_end = text.find("\n", end)
        at = line_end if line_end >= 0 else len(text)
        if found is not None and not text[end:at].strip() and fits(found):
            return found, f"{text[: match.start()]}{text[at:]}"
    raise told


def lines(text: str | None) -> Iterator[str]:
    """The lines a person would see: terminal codes removed, progress rewrites (carriage returns) split, empty lines left out.

    What syslog or the journal put before a line (time, host, program) is left out, too.
    """
    for line in _TERMINAL_CODES.sub("", text or "").replace("\r", "\n").split("\n"):
        if line and not line.isspace():
            yield _JOURNAL.sub("", line, count=1)


def excerpt(value: object) -> str:
    """What something unreadable looked like, short enough for a list."""
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False, default=str)
        except (ValueError, RecursionError):
            value = repr(type(value))
    text = plain(value, limit=4 * MAX_EXCERPT_LENGTH)
    return text if len(text) <= MAX_EXCERPT_LENGTH else text[: MAX_EXCERPT_LENGTH - 1] + "…"


def idempotency_key(kind: str, identity: tuple[str, ...]) -> str:
    """SHA-256 (hex) over the kind of tool and the identity of a record; no two different tuples give the same text."""
    return hashlib.sha256(json.dumps([kind, *identity], ensure_ascii=True).encode()).hexdigest()
