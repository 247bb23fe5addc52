"""When a job is due: recurrence rules expanded in the job's own time zone (method BM-SCHED). Pure: no database, no clock.

Times are wall-clock times of the zone, as RFC 5545 says: a time that the spring change skips is taken with the offset
from before the gap, a time that the autumn change repeats means the first of the two, and a date and time is due once.
Rules that repeat within the hour or every hour are the exception a reader expects: they are due in every real hour, so
the repeated hour is due twice. `HOURLY;INTERVAL=2` stays with the wall clock (0, 2, 4 … all year round).
"""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrulestr

MOST_OCCURRENCES = 100_000
_STEP = {
    "MINUTELY": dt.timedelta(minutes=1),
    "HOURLY": dt.timedelta(hours=1),
    "DAILY": dt.timedelta(days=1),
    "WEEKLY": dt.timedelta(weeks=1),
}
_COARSE = ("MONTHLY", "YEARLY")
_LONGEST_INTERVAL = {"MINUTELY": 1440, "HOURLY": 24, "DAILY": 366, "WEEKLY": 53, "MONTHLY": 12, "YEARLY": 4}
_KNOWN_PARTS = {"FREQ", "INTERVAL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSETPOS", "WKST"}
_LEAP_YEAR = 2024


class ScheduleError(ValueError):
    """A schedule that cannot be used; the message says what to change."""


class Schedule(msgspec.Struct, kw_only=True, frozen=True):
    """When a job is expected. Make one with `parse`, which refuses what cannot be expanded.

    `rrule` is RFC 5545 text without DTSTART; `start_on` is its first possible date and `until_on` the last, both local
    to `zone`. A run may start `early_tolerance_s` before it is due and should have ended `grace_s` after.
    """

    rrule: str
    local_times: tuple[str, ...]
    zone: str
    start_on: dt.date
    until_on: dt.date | None = None
    early_tolerance_s: int = 0
    grace_s: int = 0
    excluded_on: frozenset[dt.date] = frozenset()


class Occurrence(msgspec.Struct, kw_only=True, frozen=True):
    """One due occurrence, instants in UTC. Runs that start in [opens_at, cutoff_at) are its attempts.

    `deadline_at` is when a good run should have ended (never after the cutoff); `cutoff_at` is the next opening, after
    which nothing can make this occurrence good any more. `local_on` is the date the schedule speaks of.
    """

    due_at: dt.datetime
    opens_at: dt.datetime
    deadline_at: dt.datetime
    cutoff_at: dt.datetime
    local_on: dt.date


def parse(
    *,
    rrule: str,
    zone: str,
    start_on: dt.date,
    local_times: Iterable[str] = (),
    until_on: dt.date | None = None,
    early_tolerance_s: int = 0,
    grace_s: int = 0,
    excluded_on: Iterable[dt.date] = (),
) -> Schedule:
    """Return the checked schedule, times of day sorted. Raises ScheduleError with a sentence that says what to change."""
    text = rrule.strip().upper().removeprefix("RRULE:").rstrip(";")
    parts = _parts(text)
    times = tuple(sorted({_time(value).strftime("%H:%M") for value in local_times}))
    _check_parts(parts)
    _check_times(parts, times)
    _check_zone(zone)
    if until_on is not None and until_on < start_on:
        raise ScheduleError(f"The schedule ends on {until_on}, before it starts on {start_on}. Correct one of the two dates.")
    if early_tolerance_s < 0 or grace_s < 0:
        raise ScheduleError("Early tolerance and grace are numbers of seconds and cannot be negative.")
    schedule = Schedule(
        rrule=text,
        local_times=times,
        zone=zone,
        start_on=start_on,
        until_on=until_on,
        early_tolerance_s=early_tolerance_s,
        grace_s=grace_s,
        excluded_on=frozenset(excluded_on),
    )
    _check_expansion(_sampled(schedule, parts))
    return schedule


def _sampled(schedule: Schedule, parts: dict[str, str]) -> Schedule:
    """What stands for the schedule while its expansion is checked, so that the same check is not made for each first day.

    Grace and end play no part in it, and plain daily times look the same from whichever day of a year they begin.
    """
    plain = (
        schedule.start_on.replace(month=1, day=1) if parts in ({"FREQ": "DAILY"}, {"FREQ": "DAILY", "INTERVAL": "1"}) else schedule.start_on
    )
    return msgspec.structs.replace(schedule, grace_s=0, until_on=None, start_on=plain)


def occurrences(schedule: Schedule, since: dt.datetime, until: dt.datetime) -> list[Occurrence]:
    """Return the occurrences due in [since, until), in order. Raises ScheduleError above 100,000 of them."""
    dues = _dues(schedule, since, until)
    if not dues:
        return []
    # The last one's cutoff is where the next would open, even when the schedule ends with it.
    after = _next_due(schedule, dues[-1][0], beyond_end=True)
    found = []
    for (due_at, local_on), (next_due_at, _) in pairwise([*dues, after]):
        cutoff_at = next_due_at - dt.timedelta(seconds=schedule.early_tolerance_s)
        found.append(
            Occurrence(
                due_at=due_at,
                opens_at=due_at - dt.timedelta(seconds=schedule.early_tolerance_s),
                deadline_at=min(due_at + dt.timedelta(seconds=schedule.grace_s), cutoff_at),
                cutoff_at=cutoff_at,
                local_on=local_on,
            )
        )
    return found


def next_due_after(schedule: Schedule, at: dt.datetime) -> dt.datetime | None:
    """Return the first due instant strictly after `at`, or None when the schedule has ended by then."""
    due_at, _ = _next_due(schedule, at, beyond_end=False)
    return None if due_at == _NEVER else due_at


_NEVER = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


def _next_due(schedule: Schedule, at: dt.datetime, *, beyond_end: bool) -> tuple[dt.datetime, dt.date]:
    """The first (due_at, local_on) after `at`, or (_NEVER, …). Looks ahead in growing steps, so common rules stay cheap."""
    since = at + dt.timedelta(microseconds=1)
    if schedule.start_on > since.date():
        since = max(since, dt.datetime.combine(schedule.start_on, dt.time(), tzinfo=dt.UTC) - dt.timedelta(days=1))
    for days in (2, 35, 400, 4_000, 40_000):
        until = since + dt.timedelta(days=days)
        if due := next(_walk(schedule, since, until, beyond_end=beyond_end), None):
            # Around a clock change the walk is in local order, which is not quite the order of instants.
            return min(_walk(schedule, since, due[0] + dt.timedelta(microseconds=1), beyond_end=beyond_end))
    return _NEVER, _NEVER.date()


def _dues(schedule: Schedule, since: dt.datetime, until: dt.datetime) -> list[tuple[dt.datetime, dt.date]]:
    """All distinct (due_at, local_on) in [since, until), by instant; two local times that fall together count once."""
    found: dict[dt.datetime, dt.date] = {}
    for due_at, local_on in _walk(schedule, since, until, beyond_end=False):
        found.setdefault(due_at, local_on)
        if len(found) > MOST_OCCURRENCES:
            raise ScheduleError(
                f"“{schedule.rrule}” is due more than {MOST_OCCURRENCES:,} times between {since:%Y-%m-%d} and {until:%Y-%m-%d}. "
                "Ask for a shorter period, or make the rule coarser."
            )
    return sorted(found.items())


def _walk(schedule: Schedule, since: dt.datetime, until: dt.datetime, *, beyond_end: bool) -> Iterator[tuple[dt.datetime, dt.date]]:
    zone = ZoneInfo(schedule.zone)
    parts = _parts(schedule.rrule)
    twice = _is_due_every_real_hour(parts)
    # A day on either side: an instant's local time and the rule's local time differ by less than that at a clock change.
    lower, upper = (_local(since, zone) - dt.timedelta(days=1), _local(until, zone) + dt.timedelta(days=1))
    for time in schedule.local_times or ("00:00",):
        first = dt.datetime.combine(schedule.start_on, _time(time))
        for local in rrulestr(schedule.rrule, dtstart=_wound_on(first, lower, parts)):
            if local > upper or (not beyond_end and schedule.until_on is not None and local.date() > schedule.until_on):
                break
            if local < max(first, lower) or local.date() in schedule.excluded_on:
                continue
            for due_at in _instants(local, zone, twice=twice):
                if since <= due_at < until:
                    yield due_at, local.date()


def _local(at: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _instants(local: dt.datetime, zone: ZoneInfo, *, twice: bool) -> list[dt.datetime]:
    """Instants of a wall-clock time: fold=0 is RFC 5545's reading of both a skipped and a repeated time."""
    first = local.replace(tzinfo=zone).astimezone(dt.UTC)
    if not twice:
        return [first]
    second = local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    return [first, second] if second > first else [first]


def _wound_on(first: dt.datetime, lower: dt.datetime, parts: dict[str, str]) -> dt.datetime:
    """A start in phase with `first` but close to `lower`, so that an old schedule costs no more than a new one."""
    freq = parts["FREQ"]
    if freq in _COARSE or lower <= first:
        return first
    step = _STEP[freq] * int(parts.get("INTERVAL", "1"))
    return first + (lower - first) // step * step


def _is_due_every_real_hour(parts: dict[str, str]) -> bool:
    step = _STEP.get(parts["FREQ"])
    return step is not None and step * int(parts.get("INTERVAL", "1")) <= dt.timedelta(hours=1)


def _parts(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(";") if part]
    if not pairs or any(not value for _, _, value in pairs):
        raise ScheduleError(f"“{text}” is not a recurrence rule. Write for example FREQ=DAILY or FREQ=WEEKLY;BYDAY=MO,WE,FR.")
    names = [name for name, _, _ in pairs]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ScheduleError(f"The rule says {repeated[0]} more than once. Keep one.")
    return {name: value for name, _, value in pairs}


def _time(value: str) -> dt.time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ScheduleError(f"“{value}” is not a time of day. Write hours and minutes with two digits, for example 01:30.")
    return dt.time.fromisoformat(value)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(f"“{zone}” is not a time zone of the IANA database. Write for example Europe/Paris or UTC.") from error


def _check_parts(parts: dict[str, str]) -> None:
    freq = parts.get("FREQ")
    if freq == "SECONDLY":
        raise ScheduleError("A rule finer than one minute cannot be monitored. Use FREQ=MINUTELY or coarser.")
    if freq not in _STEP and freq not in _COARSE:
        raise ScheduleError("The rule needs FREQ=MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY.")
    if {"COUNT", "UNTIL"} & parts.keys():
        raise ScheduleError("Leave COUNT and UNTIL out of the rule and set the schedule's end date instead.")
    if unknown := sorted(parts.keys() - _KNOWN_PARTS):
        raise ScheduleError(f"{unknown[0]} is not supported in a schedule. Supported: {', '.join(sorted(_KNOWN_PARTS))}.")
    interval = parts.get("INTERVAL", "1")
    if not re.fullmatch(r"[1-9]\d{0,3}", interval) or int(interval) > _LONGEST_INTERVAL[freq]:
        raise ScheduleError(f"With FREQ={freq} INTERVAL is a whole number from 1 to {_LONGEST_INTERVAL[freq]}; “{interval}” is not.")
    _check_it_can_happen(freq, int(interval), parts)


def _check_it_can_happen(freq: str, interval: int, parts: dict[str, str]) -> None:
    """Refuse rules that would never be due: expanding those would search in vain until the year 9999."""
    picks_days = {"BYMONTHDAY", "BYMONTH"} | ({"BYDAY"} if freq == "DAILY" else set())
    if freq in ("DAILY", "WEEKLY") and interval > 1 and picks_days & parts.keys():
        raise ScheduleError(
            "Every so many days or weeks and certain dates together may never meet. Use FREQ=MONTHLY, or WEEKLY with BYDAY."
        )
    if re.search(r"\d", parts.get("BYDAY", "")) and (freq not in _COARSE or "BYMONTHDAY" in parts):
        raise ScheduleError("A numbered weekday such as 1MO needs FREQ=MONTHLY or YEARLY, without BYMONTHDAY.")
    if "BYSETPOS" in parts and freq not in _COARSE:
        raise ScheduleError("BYSETPOS needs FREQ=MONTHLY or YEARLY.")
    months = _numbers(parts, "BYMONTH", least=1, most=12) or [1]
    days = [abs(day) for day in _numbers(parts, "BYMONTHDAY", least=-31, most=31)]
    if days and not any(1 <= day <= monthrange(_LEAP_YEAR, month)[1] for month in months for day in days):
        raise ScheduleError("No month of the rule has such a day, so it would never be due. Correct BYMONTHDAY or BYMONTH.")
    _numbers(parts, "BYHOUR", least=0, most=23)
    _numbers(parts, "BYMINUTE", least=0, most=59)


def _numbers(parts: dict[str, str], name: str, *, least: int, most: int) -> list[int]:
    if name not in parts:
        return []
    numbers = [int(text) for text in parts[name].split(",") if re.fullmatch(r"[+-]?\d{1,3}", text)]
    if len(numbers) != parts[name].count(",") + 1 or not all(least <= number <= most for number in numbers):
        raise ScheduleError(f"{name}={parts[name]} is not a list of whole numbers from {least} to {most}.")
    return numbers


def _check_times(parts: dict[str, str], times: tuple[str, ...]) -> None:
    if parts["FREQ"] in ("MINUTELY", "HOURLY"):
        if len(times) > 1:
            raise ScheduleError("A rule within the day takes at most one time: the first due time of its first day.")
    elif "BYHOUR" in parts or "BYMINUTE" in parts:
        if times:
            raise ScheduleError("Say the time once: either as times of day or as BYHOUR and BYMINUTE in the rule.")
        if "BYHOUR" not in parts:
            raise ScheduleError("BYMINUTE needs BYHOUR beside it. Simpler: leave it out and give times of day such as 01:30.")
    elif not times:
        raise ScheduleError("Give at least one time of day such as 01:30.")


@lru_cache(maxsize=4_096)  # a schedule is read at every settlement; expanding two years of it each time would dominate
def _check_expansion(schedule: Schedule) -> None:
    first = dt.datetime.combine(schedule.start_on, _time((*schedule.local_times, "00:00")[0]))
    try:
        earliest = next(iter(rrulestr(schedule.rrule, dtstart=first)), None)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise ScheduleError(f"“{schedule.rrule}” cannot be expanded. Check its values against RFC 5545.") from error
    if earliest is None:
        raise ScheduleError(f"“{schedule.rrule}” is never due. Check its values.")
    since = earliest.replace(tzinfo=dt.UTC) - dt.timedelta(days=1)
    sample = islice(_walk(schedule, since, since + dt.timedelta(days=800), beyond_end=True), 1_000 * max(1, len(schedule.local_times)))
    dues = sorted({due_at for due_at, _ in sample})
    smallest = min((later - earlier for earlier, later in pairwise(dues)), default=None)
    if smallest is not None and dt.timedelta(seconds=schedule.early_tolerance_s) >= smallest:
        raise ScheduleError(
            f"An early tolerance of {schedule.early_tolerance_s} s is as long as the time between two due times ({smallest}): "
            "a run would count for the next one. Make it shorter."
        )
