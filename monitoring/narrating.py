"""The alerts that what happened to a job makes, told from its events in order. Nothing is kept, and nothing but the cause rules is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from catalogue.models import Window
from monitoring.causes import Cause, Causes
from monitoring.flapping import KIND as FLAPPING
from monitoring.flapping import Flapping, Outcome
from monitoring.models import Alert, BackupJob, BackupRun, ExpectedRun

REOPEN_WITHIN = dt.timedelta(hours=1)
RUNS_KEPT = 50
MISSED = "job_missed"
Order = tuple[dt.datetime, int]


class Event(msgspec.Struct, kw_only=True, frozen=True):
    """Something that happened to a job: a run that ended, or an occurrence that nobody had come to by its deadline."""

    at: dt.datetime
    run: BackupRun | None = None
    missed: ExpectedRun | None = None

    @property
    def is_good(self) -> bool:
        return self.run is not None and self.run.is_good

    @property
    def counts(self) -> bool:
        """Whether it is an outcome of its own: an occurrence that was made good late is told by its good run."""
        return self.missed is None or self.missed.state != "satisfied_late"

    @property
    def outcome(self) -> Outcome:
        return self.at, self.is_good, self.run.pk if self.run else None

    @property
    def alert_class(self) -> str:
        return "job_failed" if self.run else MISSED

    @property
    def order(self) -> Order:
        return self.at, self.run.pk if self.run else 0


class Episode(msgspec.Struct, kw_only=True):
    """One alert as the facts tell it, from its first sight to its end."""

    alert_class: str
    opened_at: dt.datetime
    last_seen_at: dt.datetime
    cause: Cause
    title: str
    occurrences: int = 0
    reopened: int = 0
    run_ids: list[int] = []
    latest_run: int | None = None
    resolved_at: dt.datetime | None = None
    row: Alert | None = None
    counted: dict[str, Any] | None = None  # of flapping: what the method was given when it began or ended

    @classmethod
    def of(cls, row: Alert) -> Episode:
        cause = Cause(key=row.cause_key, name=row.cause, title=row.cause_title, rule=row.cause_rule)
        same = ("alert_class", "opened_at", "last_seen_at", "title", "occurrences", "reopened", "resolved_at")
        kept = {name: getattr(row, name) for name in same}
        return cls(**kept, cause=cause, run_ids=list(row.run_ids), latest_run=row.latest_run_id, row=row)


class Telling:
    """The alerts of one job while its events are told, going on from the latest one of each class (method BM-DEDUP).

    While the job flaps (method BM-FLAP), one alert says so in the place of one for each failure: a good run does not end it.
    """

    def __init__(self, job: BackupJob, latest: Mapping[str, Episode], flapping: Flapping, causes: Causes) -> None:
        self.job, self.latest, self.flapping, self.causes = job, dict(latest), flapping, causes
        self.flapping.is_on = FLAPPING in latest and latest[FLAPPING].resolved_at is None
        self.touched: dict[int, Episode] = {}

    def tell(self, events: Iterable[Event]) -> list[Episode]:
        """What these events, as `heard` gives them, make or change; those that end come first."""
        for event in events:
            turned = event.counts and self.flapping.take(*event.outcome)
            begins, ends = turned and self.flapping.is_on, turned and not self.flapping.is_on
            if event.is_good or begins or ends:
                self._end(event.at, flapping=ends)
            if begins:
                self._begin_flapping(event)
            elif not event.is_good and (event.counts or not self.flapping.is_on):
                self._raise(event, FLAPPING if self.flapping.is_on else event.alert_class)
        return sorted(self.touched.values(), key=lambda episode: (episode.resolved_at is None, episode.opened_at))

    def _end(self, at: dt.datetime, *, flapping: bool) -> None:
        for kind, episode in self.latest.items():
            if episode.resolved_at is None and (flapping or kind != FLAPPING):
                episode.resolved_at = at
                episode.counted = self.flapping.inputs() if kind == FLAPPING else None
                self.touched[id(episode)] = episode

    def _begin_flapping(self, event: Event) -> None:
        """The failures that were told one by one until now are the first occurrences of the one alert."""
        told = [episode for kind, episode in self.latest.items() if kind != FLAPPING]
        newest = max(told, key=lambda episode: episode.last_seen_at, default=None)
        cause = newest.cause if newest and event.is_good else self.causes.of(run=None if event.is_good else event.run, job=self.job)
        episode = self._opened(FLAPPING, event.at, cause, self._flaps(cause))
        bad = self.flapping.bad_runs
        episode.counted, episode.occurrences = self.flapping.inputs(), episode.occurrences + len(bad)
        episode.run_ids = [*episode.run_ids, *(run for run in bad if run and run not in episode.run_ids)][-RUNS_KEPT:]
        episode.latest_run = next((run for run in reversed(bad) if run), None)

    def _flaps(self, cause: Cause) -> str:
        what = f"{self.job.name} keeps failing and recovering"
        return f"{what}: {cause.title}" if cause.title else what

    def _opened(self, kind: str, at: dt.datetime, cause: Cause, title: str) -> Episode:
        """The latest episode of the class where it goes on or ended within the hour, else a new one."""
        episode = self.latest.get(kind)
        anew = episode is not None and episode.resolved_at is not None
        if episode is None or (episode.resolved_at and at - episode.resolved_at > REOPEN_WITHIN):
            episode = Episode(alert_class=kind, opened_at=at, last_seen_at=at, cause=cause, title=title)
        elif episode.resolved_at:
            episode.reopened, episode.resolved_at = episode.reopened + 1, None
        if anew or cause.is_specific or not episode.cause.is_specific:  # what failed before a good run says nothing of what fails now
            goes_on = kind == MISSED and not anew and episode.occurrences > 0
            episode.cause, episode.title = cause, episode.title if goes_on else title  # it began with the first that was due
        episode.last_seen_at = at
        self.latest[kind] = self.touched[id(episode)] = episode
        return episode

    def _raise(self, event: Event, kind: str) -> None:
        cause = self.causes.of(run=event.run, job=self.job)
        what = f"{self.job.name} failed" if event.run else f"{self.job.name} did not run, due {event.missed.due_at:%d %b %H:%M} UTC"
        title = f"{what}: {cause.title}" if cause.title else what
        episode = self._opened(kind, event.at, cause, self._flaps(cause) if kind == FLAPPING else title)
        if event.run is None or event.run.pk not in episode.run_ids:
            episode.occurrences += 1
            episode.run_ids = [*episode.run_ids, *([event.run.pk] if event.run else [])][-RUNS_KEPT:]
        episode.latest_run = event.run.pk if event.run else episode.latest_run


def heard(events: Iterable[Event], windows: Sequence[Window], at: dt.datetime) -> Iterator[Event]:
    """The events that speak until `at`: a failure in maintenance speaks at its end, unless a good run came before that."""
    silenced: tuple[dt.datetime, Event] | None = None
    for event in [*events, Event(at=at)]:
        if silenced and silenced[0] <= event.at:  # maintenance ended, and it still fails
            yield msgspec.structs.replace(silenced[1], at=silenced[0])
            silenced = None
        if event.run is None and event.missed is None:
            return
        if event.is_good:
            silenced = None
            yield event
        elif hold := hold_over(windows, event.at):
            silenced = hold.ends_at, event
        else:
            yield event


def hold_over(windows: Iterable[Window], instant: dt.datetime) -> Window | None:
    """The maintenance window that was decided before and covers the instant: it silences, and ends."""
    return max((window for window in windows if _silences(window, instant)), key=lambda window: window.ends_at, default=None)


def _silences(window: Window, instant: dt.datetime) -> bool:
    return window.starts_at <= instant < window.ends_at and window.decided_at < instant
