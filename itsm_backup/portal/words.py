"""Words, marks and numbers as the portal shows them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import percent_words
from itsm_backup.common.time import clock_words, duration_words, instant_words, recent_words
from monitoring.serving import SERVES
from monitoring.serving import WORDS as SERVES_OTHERS
from monitoring.wording import size_words

if TYPE_CHECKING:
    from itsm_backup.portal.asof import Moment

VERDICTS = {
    "broken": "Broken", "at_risk": "At risk", "no_data": "No data", "held": "Held", SERVES: SERVES_OTHERS, "kept": "Kept"
}  # worst first  # fmt: skip
PROVEN = {"kept": "Kept", "no_data": "Unproven", "broken": "Broken"}  # what a restore test says of a promise
STATUSES = {
    "operational": ("Operational", "kept"),
    "degraded": ("Degraded", "broken"),
    "outage": ("Outage", "outage"),
    "maintenance": ("Maintenance", "held"),
    "unknown": ("Unknown", "no_data"),
}
STANDS = {  # why …?
    "operational": "is it operational", "degraded": "is it degraded", "outage": "is there an outage",
    "maintenance": "is it under maintenance", "unknown": "is its status unknown",
}  # fmt: skip
TIERS = {1: "Critical to life", 2: "Critical to care", 3: "Business", 4: "Supporting"}
OUTCOME_VERDICTS = {
    "success": ("kept", "Good"),
    "warning": ("at_risk", "Good, with warnings"),
    "partial": ("broken", "Partial"),
    "failed": ("broken", "Failed"),
    "cancelled": ("broken", "Cancelled"),
    "missed": ("broken", "Missed"),
    "skipped": ("no_data", "Skipped"),
    "unknown": ("no_data", "Unknown"),
}
DIFFERS = "What came back was compared, and it is not what was saved"
TIME = '<time datetime="{}">{}</time>'
size, percent = size_words, percent_words


def result_of(run: Any, outcome: str | None = None) -> tuple[str, str]:
    """(verdict, word) of a run, of `outcome` where another one was known then. A proof that refutes is no good run."""
    known = outcome or run.outcome
    if known is None:
        return "held", run.get_state_display().capitalize()
    if run.verified is False and known in run.GOOD:
        return "broken", "Failed, not as saved"
    return OUTCOME_VERDICTS[known]


def zone() -> ZoneInfo:
    """The zone in which the portal tells times."""
    return ZoneInfo(settings.TIME_ZONE)


def _utc(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def counts_as(own: int | None, effective: int | None) -> str:
    """`; counts as 1 through what needs it`, where a stricter tier reaches it over hard relations; else nothing."""
    return f"; counts as {effective} through what needs it" if own and effective and effective < own else ""


def instant(at: dt.datetime) -> SafeString:
    """`<time>` with date, clock and zone."""
    return format_html(TIME, _utc(at), instant_words(at, zone=zone()))


def recent(at: dt.datetime, moment: Moment) -> SafeString:
    """`<time>` as somebody on the same day says it, with the distance; with its date on a page of the past."""
    return instant(at) if moment.past else format_html(TIME, _utc(at), recent_words(at, now=moment.at, zone=zone()))


def short_instant(at: dt.datetime) -> str:
    """`8 Oct 23:55`, in a sentence about a time that the page names with its zone."""
    local = at.astimezone(zone())
    return f"{local.day} {local:%b %H:%M}"


def clock(at: dt.datetime, moment: Moment) -> SafeString:
    """`<time>` for a dense table whose head states the zone."""
    return format_html(TIME, _utc(at), clock_words(at, now=moment.at, zone=zone(), dated=moment.past))


def clock_within(at: dt.datetime, moment: Moment) -> str:
    """The same within a sentence: `today 09:42`."""
    return clock_words(at, now=moment.at, zone=zone(), dated=moment.past).replace("Today", "today")


def day(on: dt.date) -> str:
    return f"{on.day} {on:%b %Y}"


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 service`, `40 services`, `3,001 runs`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def age_of_promise(age_s: float | None, promise_s: int | None) -> str:
    """A tile's one line: "6 h 12 / 4 h", "34 min / 1 h"."""
    promise = f" / {duration_words(promise_s)}" if promise_s else ""
    if age_s is None:
        return f"unknown{promise}"
    hours, minutes = divmod(int(age_s) // 60, 60)
    return (f"{hours} h {minutes:02}" if 1 <= hours <= 48 else duration_words(age_s)) + promise


def apart(people: Iterable[Any]) -> list[tuple[Any, str]]:
    """Each of them with the words to choose by: those of one name have their user names beside."""
    listed = {one.pk: one for one in people}
    often = Counter(person(one) for one in listed.values())
    return [(one, f"{name} ({one.get_username()})" if often[name := person(one)] > 1 else name) for one in listed.values()]


def person(user: object) -> str:
    """A person as lists show one: full name if known, else the account's name."""
    full = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return full or str(user)
