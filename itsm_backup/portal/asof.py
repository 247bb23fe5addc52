"""Time as a control: which instant a page shows, and how links keep to it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from itsm_backup.common.time import NoZone, day_bounds, is_tellable, parse_instant
from itsm_backup.portal.words import zone

PARAMETER = "as_of"
FORMAT = "%Y-%m-%dT%H:%MZ"


class BadInstant(ValueError):
    """The as_of parameter cannot be read; the message says how to write it."""


@dataclass(frozen=True)
class Moment:
    """`at` is the instant shown, `now` the present one; they differ when the page shows the past."""

    at: dt.datetime
    now: dt.datetime

    @property
    def past(self) -> bool:
        return self.at < self.now

    @property
    def as_known_today(self) -> str:
        """What a page of the past says about day cells, which are kept as known today; empty at present."""
        return " Counted as known today: corrections made since then are in." if self.past else ""

    @property
    def value(self) -> str:
        return f"{self.at.astimezone(dt.UTC):{FORMAT}}" if self.past else ""

    def href(self, name: str, *args: Any, **query: Any) -> str:
        """The address of a portal page that shows the same instant; empty query values are left out."""
        kept = {key: value for key, value in query.items() if value not in ("", None)}
        if self.past:
            kept[PARAMETER] = self.value
        return reverse(f"portal:{name}", args=args) + (f"?{urlencode(kept)}" if kept else "")


def read(text: str, *, now: dt.datetime) -> Moment:
    """The moment that `2026-06-30T22:59Z` or `2026-06-30` (the end of that day here) asks for; empty text and today are now.

    Raises BadInstant for anything else and for the future.
    """
    text = text.strip()
    if not text:
        return Moment(at=now, now=now)
    try:
        if len(text) == 10:
            at = day_bounds(dt.date.fromisoformat(text), str(zone()))[1] - dt.timedelta(minutes=1)
            if dt.date.fromisoformat(text) == now.astimezone(zone()).date():
                return Moment(at=now, now=now)
        else:
            at = parse_instant(text.replace(" ", "+"))  # a plus sign in an address arrives as a space
    except NoZone as error:
        raise BadInstant(f"{error} Only the day is understood, too: {text[:10]}.") from None
    except (ValueError, OverflowError):
        raise BadInstant(f"“{text[:40]}” is no instant. Write it like 2026-06-30T22:59Z, or only the day: 2026-06-30.") from None
    if not is_tellable(at):
        raise BadInstant(f"{text[:40]} lies outside the years 1970 to 8999. Choose an instant at which backups were watched.")
    if at > now:
        raise BadInstant(f"{text[:40]} lies in the future. The portal shows what was known; choose an earlier instant.")
    return Moment(at=at, now=now)
