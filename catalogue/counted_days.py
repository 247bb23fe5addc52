"""The measurement calendar of a promise: on which days due backups count, as people write it and as counting reads it.

It is kept as text, `Mon-Fri` or `Mon-Fri except 2026-12-25`; an empty one counts every day.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EVERY_DAY = "every day"
HINT = "Write the days that count, such as Mon-Fri or Mon, Wed, Fri; and dates that do not, such as Mon-Fri except 2026-12-25."
_ALL = frozenset(range(7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATES = re.compile(r"\d{1,2} [a-z]{3} \d{4}|[^\s,;]+")
_PARTS = re.compile(r"(.*?)(?:\b(?:except|without|but|not)\b(.*))?", re.DOTALL)


class Calendar(msgspec.Struct, frozen=True):
    """Weekdays that count, Monday 0, and dates on which nothing counts."""

    weekdays: frozenset[int] = _ALL
    dates: frozenset[dt.date] = frozenset()

    def counts(self, on: dt.date) -> bool:
        return on.weekday() in self.weekdays and on not in self.dates

    def against(self, on: dt.date) -> str:
        """What does not count about the day, `Saturday` or `25 Dec 2026`; empty when it counts."""
        if self.counts(on):
            return ""
        return WEEKDAYS[on.weekday()] if on.weekday() not in self.weekdays else _date(on)

    @property
    def text(self) -> str:
        """The one way to write it."""
        if not self.dates:
            return "" if self.weekdays == _ALL else self._days()
        return f"{self._days()} except {', '.join(on.isoformat() for on in sorted(self.dates))}"

    @property
    def words(self) -> str:
        """`Mon–Fri`, `every day but 25 Dec 2026`, as pages show it."""
        days = self._days().replace("-", "–")
        return f"{days} but {', '.join(map(_date, sorted(self.dates)))}" if self.dates else days

    def _days(self) -> str:
        if self.weekdays == _ALL:
            return EVERY_DAY
        return ", ".join(_span(*run) for run in _runs(sorted(self.weekdays)))


def _date(on: dt.date) -> str:
    return f"{on.day} {on:%b %Y}"


def _runs(days: list[int]) -> Iterator[tuple[int, int]]:
    """Three days and more that follow each other as one, the others one by one."""
    while days:
        last = next((n for n in range(1, len(days)) if days[n] != days[0] + n), len(days))
        taken = last if last >= 3 else 1
        yield days[0], days[taken - 1]
        days = days[taken:]


def _span(first: int, last: int) -> str:
    return WEEKDAYS[first][:3] if first == last else f"{WEEKDAYS[first][:3]}-{WEEKDAYS[last][:3]}"


@lru_cache(maxsize=1_000)
def calendar_of(text: str) -> Calendar:
    """What a text says. Raises ValueError, with what to write, for a text that says no days."""
    found = _PARTS.fullmatch(" ".join(text.lower().replace("–", "-").split()))
    days, dates = found.groups() if found else ("", "")
    weekdays = _weekdays(days.strip(" ,;"))
    return Calendar(weekdays, frozenset(_dates(dates)) if dates is not None else frozenset())


def _weekdays(text: str) -> frozenset[int]:
    if text in ("", EVERY_DAY, "daily", "all days"):
        return _ALL
    found: set[int] = set()
    for part in re.split(r"\s*(?:[,;]|\band\b)\s*", text):
        first, dash, last = re.sub(r"\s*(?:-|\bto\b)\s*", "-", part).partition("-")
        start = _weekday(first)
        found |= {(start + n) % 7 for n in range((_weekday(last) - start) % 7 + 1)} if dash else {start}
    return frozenset(found)


def _weekday(name: str) -> int:
    for number, known in enumerate(WEEKDAYS):
        if len(name) >= 3 and known.lower().startswith(name):
            return number
    raise ValueError(f"“{name[:30]}” is no weekday. {HINT}")


def _dates(text: str) -> Iterator[dt.date]:
    words = _DATES.findall(re.sub(r"\band\b", " ", text))
    if not words:
        raise ValueError(f"No date stands behind the days. {HINT}")
    for word in words:
        try:
            yield dt.date.fromisoformat(_as_iso(word))
        except ValueError:
            raise ValueError(f"“{word[:30]}” is no date that exists. {HINT}") from None


def _as_iso(word: str) -> str:
    """A date as pages show it, `25 dec 2026`, in the way it is kept."""
    day, month, year = [*word.split(), "", ""][:3]
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}" if month in _MONTHS else word
