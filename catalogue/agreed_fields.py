"""The fields in which catalogue, CMDB and monitoring are compared, and when two values of one field are the same."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

CATALOGUE, CMDB, MONITORING = "catalogue", "cmdb", "monitoring"
SIDES = {CATALOGUE: "catalogue", CMDB: "CMDB", MONITORING: "monitoring"}


class Field(NamedTuple):
    """One field: its name on pages, how values are compared, and who is right when nobody has decided otherwise.

    `ours` says whether a CMDB may be told it: the rest is the CMDB's own to say.
    """

    label: str
    kind: str  # word, words, number, instant
    master: str
    ours: bool = True


FIELDS = {
    "entry": Field("Catalogue entry", "word", CATALOGUE),
    "in_use": Field("In use", "word", CMDB, ours=False),
    "owner": Field("Owner", "word", CATALOGUE),
    "team": Field("Operations team", "word", CATALOGUE),
    "rpo_s": Field("Recovery point (RPO)", "number", CATALOGUE),
    "jobs": Field("Backup jobs", "words", CATALOGUE),
    "schedule": Field("Schedule", "word", CATALOGUE),
    "runs": Field("Good backups in 7 days", "number", CATALOGUE, ours=False),
    "store": Field("Backup store", "words", MONITORING),
    "status": Field("Backup status", "word", CATALOGUE),
    "last_good": Field("Last good backup", "instant", MONITORING),
}
CHOICES = [(name, field.label) for name, field in FIELDS.items()]
MOST_APART = dt.timedelta(minutes=1)  # two instants that mean the same backup


def plain(field: str, value: Any) -> Any:
    """A value as it is compared and kept as JSON; None for one that is empty, and the text itself for one that is no number or instant."""
    if value is None or value in ("", []):
        return None
    kind = FIELDS[field].kind
    if kind == "words":
        parts = value.split(",") if isinstance(value, str) else value
        return sorted({" ".join(str(part).split()) for part in parts} - {""}, key=str.casefold) or None
    text = " ".join(str(value).split())
    if kind == "number":
        return int(float(text)) if text.replace(".", "", 1).isdigit() and text.isascii() and len(text) < 16 else text
    if kind == "instant":
        return _instant(value)
    return text or None


def _instant(value: Any) -> str:
    try:
        at = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def same(field: str, one: Any, other: Any) -> bool:
    """Whether two plain values of the field mean the same."""
    if FIELDS[field].kind == "instant" and isinstance(one, str) and isinstance(other, str):
        try:
            return abs(dt.datetime.fromisoformat(one) - dt.datetime.fromisoformat(other)) <= MOST_APART
        except (ValueError, TypeError):
            return one == other
    return _folded(one) == _folded(other)


def _folded(value: Any) -> Any:
    if isinstance(value, list):
        return [str(each).casefold() for each in value]
    return value.casefold() if isinstance(value, str) else value


def column_text(field: str, value: Any) -> Any:
    """A plain value as it is written into a column of a CMDB."""
    return ", ".join(value) if FIELDS[field].kind == "words" and isinstance(value, list) else value
