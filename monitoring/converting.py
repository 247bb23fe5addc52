"""From what a tool says to the catalogue's field, in the catalogue's unit. Pure: every refusal is a sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

DAY_S = 86_400


class NotConvertible(ValueError):
    """The value cannot become the field's; the message says why."""


@dataclass(frozen=True)
class Field:
    """A standard field of the catalogue: its name, what kind of value it holds, the one unit it is kept in, and when enough is enough."""

    label: str
    kind: str  # duration, clock, word or count
    unit: str
    better: str  # more, less or same: how what is observed may differ from what is promised


FIELDS = {
    "rpo_s": Field("Recovery point (RPO)", "duration", "s", "less"),
    "rto_s": Field("Recovery time (RTO)", "duration", "s", "less"),
    "retention_days": Field("Retention", "duration", "d", "more"),
    "immutability_days": Field("Copies locked for", "duration", "d", "more"),
    "restore_test_days": Field("Restore test at least every", "duration", "d", "less"),
    "window_opens": Field("Backup window opens", "clock", "clock", "more"),
    "window_closes": Field("Backup window closes", "clock", "clock", "less"),
    "encryption": Field("Encryption", "word", "word", "more"),
    "copies": Field("Copies", "count", "count", "more"),
}
SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": DAY_S, "w": 7 * DAY_S}
UNITS = {
    **{unit: f"number, in {unit}" for unit in SECONDS},
    "instant": "instants",
    "clock": "times of day",
    "word": "words",
    "count": "number",
}
TRANSFORMS = {
    "value": "the value itself, the worst of several",
    "oldest_age": "age of the oldest",
    "longest_gap": "longest time between two",
    "time_left": "time until the last",
    "earliest_clock": "earliest time of day",
    "latest_clock": "latest time of day",
    "distinct": "how many different ones",
    "words": "by these words",
}
SPANS = ("oldest_age", "longest_gap", "time_left")
ENCRYPTIONS = ("none", "at_rest", "everywhere")


def problem_of(row: Mapping[str, Any]) -> str:
    """Why no value could ever be converted like this; empty when it can."""
    field = FIELDS.get(row.get("field", ""))
    if field is None:
        return f"{row.get('field')} is no field of the catalogue. Fields: {', '.join(FIELDS)}."
    unit, transform = row.get("unit", ""), row.get("transform", "")
    if unit not in UNITS or transform not in TRANSFORMS:
        return f"{row.get('path')}: choose a unit and a transform that exist."
    fits = {
        "duration": (unit in SECONDS and transform == "value") or (unit == "instant" and transform in SPANS),
        "clock": (unit == "instant" and transform in ("earliest_clock", "latest_clock")) or (unit == "clock" and transform == "value"),
        "count": (unit == "count" and transform == "value") or transform == "distinct",
        "word": unit == "word" and transform in ("value", "words"),
    }  # fmt: skip
    if not fits[field.kind]:
        return f"{row.get('path')}: {UNITS[unit]} by “{TRANSFORMS[transform]}” make no {field.label}."
    if transform == "words" and not row.get("words"):
        return f"{row.get('path')}: say which word means what, e.g. repokey=at_rest."
    wrong = sorted(set(row.get("words", {}).values()) - set(ENCRYPTIONS))
    return f"{row.get('path')}: {', '.join(wrong)} is none of {', '.join(ENCRYPTIONS)}." if wrong else ""


def convert(row: Mapping[str, Any], values: Sequence[Any], *, at: dt.datetime, zone: str) -> Any:
    """The values as one value of the field, in its unit: seconds or days as a number, a clock as 02:30. Raises NotConvertible."""
    told = problem_of(row)
    if told:
        raise NotConvertible(told)
    if not values:
        raise NotConvertible("The tool said nothing under this name.")
    field, unit, transform = FIELDS[row["field"]], row["unit"], row["transform"]
    if transform == "distinct":
        return len({str(value) for value in values})
    if unit == "instant":
        return _of_instants(sorted(_instant(value, zone) for value in values), field, transform, at, zone)
    if field.kind == "word":
        return _worst_word([_word(value, row.get("words", {}) if transform == "words" else {}) for value in values])
    if field.kind == "clock":
        clocks = sorted(_clock(value) for value in values)
        return clocks[0] if field.better == "more" else clocks[-1]
    numbers = [_number(value) * SECONDS.get(unit, 1) / SECONDS.get(field.unit, 1) for value in values]
    return _tidy(min(numbers) if field.better == "more" else max(numbers))


def _of_instants(instants: list[dt.datetime], field: Field, transform: str, at: dt.datetime, zone: str) -> Any:
    if transform in ("earliest_clock", "latest_clock"):
        clocks = sorted(f"{one.astimezone(ZoneInfo(zone)):%H:%M}" for one in instants)
        return clocks[0] if transform == "earliest_clock" else clocks[-1]
    if transform == "longest_gap":
        if len(instants) < 2:
            raise NotConvertible("One instant alone has no distance to another.")
        span = max(later - earlier for earlier, later in pairwise(instants))
    else:
        span = at - instants[0] if transform == "oldest_age" else instants[-1] - at
    return _tidy(max(0.0, span.total_seconds()) / SECONDS[field.unit])


def _instant(value: Any, zone: str) -> dt.datetime:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value, dt.UTC)
        found = dt.datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        raise NotConvertible(f"“{str(value)[:60]}” is no instant.") from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise NotConvertible(f"“{str(value)[:60]}” is no number.") from None


def _clock(value: Any) -> str:
    try:
        return f"{dt.time.fromisoformat(str(value)):%H:%M}"
    except ValueError:
        raise NotConvertible(f"“{str(value)[:60]}” is no time of day.") from None


def _word(value: Any, words: Mapping[str, str]) -> str:
    said = str(value).lower() if isinstance(value, bool) else str(value)
    found = words.get(said, said if said in ENCRYPTIONS else words.get("*"))
    if found is None:
        raise NotConvertible(f"Nothing says what “{said[:60]}” means.")
    return found


def _worst_word(found: Sequence[str]) -> str:
    return min(found, key=ENCRYPTIONS.index)


def _tidy(number: float) -> float | int:
    rounded = round(number, 2)
    return int(rounded) if rounded == int(rounded) else rounded


def compare(field: str, promised: Any, observed: Any) -> bool:
    """Whether what is observed is what is promised, or better."""
    if FIELDS[field].kind == "word":
        promised, observed = ENCRYPTIONS.index(promised), ENCRYPTIONS.index(observed)
    return bool({"more": observed >= promised, "less": observed <= promised}.get(FIELDS[field].better, observed == promised))
