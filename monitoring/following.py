"""What happened to a job, told as alerts.

The alerts of a job are a function of facts alone: runs by the time they ended, occurrences that nobody came to by their
deadline, and maintenance windows. When the journey came by, how often, and in which order reports arrived does not matter:
news from before what was told already is told again from there.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from catalogue.models import Window
from monitoring.asking import array
from monitoring.causes import Cause, read_cause
from monitoring.models import Alert, BackupJob, BackupRun, ExpectedRun, JobState
from monitoring.planning import COUNTED

REOPEN_WITHIN = dt.timedelta(hours=1)
ERROR_FROM = 2  # the first failure is a warning, a repeated one an error
RUNS_KEPT = 50
LONGEST_RUN = dt.timedelta(days=7)
BAD = ("failed", "partial", "cancelled")
CLASSES = ("job_failed", "job_missed")
Order = tuple[dt.datetime, int]
_EVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Event(msgspec.Struct, kw_only=True, frozen=True):
    """Something that happened to a job: a run that ended, or an occurrence that nobody had come to by its deadline."""

    at: dt.datetime
    run: BackupRun | None = None
    missed: ExpectedRun | None = None

    @property
    def is_good(self) -> bool:
        return self.run is not None and self.run.is_good

    @property
    def alert_class(self) -> str:
        return "job_failed" if self.run else "job_missed"

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

    @classmethod
    def of(cls, row: Alert) -> Episode:
        cause = Cause(key=row.cause_key, name=row.cause, title=row.cause_title, rule=row.cause_rule)
        same = ("alert_class", "opened_at", "last_seen_at", "title", "occurrences", "reopened", "resolved_at")
        kept = {name: getattr(row, name) for name in same}
        return cls(**kept, cause=cause, run_ids=list(row.run_ids), latest_run=row.latest_run_id, row=row)


class News(msgspec.Struct, kw_only=True):
    """A job whose alerts are to be brought in line; `news_from` is the earliest instant that something new or corrected is about."""

    job: BackupJob
    state: JobState
    windows: Sequence[Window]
    news_from: dt.datetime | None

    @property
    def floor(self) -> dt.datetime:
        watched: dt.datetime = self.job.tool.monitored_from
        return max(watched, self.state.told_from or watched)


def follow_jobs(news: Sequence[News], at: dt.datetime) -> None:
    """Bring the alerts of jobs in line with what happened to them until `at`. The caller holds the state rows of the jobs.

    Alerts that the facts no longer tell are resolved, not removed: they were shown to people.
    """
    news = [one for one in news if one.job.service_id is not None]
    if not news:
        return
    since = _beginnings(news, at)
    events, alerts = _events(since, at), _alerts(news, {job: start - REOPEN_WITHIN for job, (start, _) in since.items()}, held=True)
    for one in news:
        _follow(one, since[one.job.pk], events[one.job.pk], alerts[one.job.pk], at)


def _follow(one: News, since: Order, events: list[Event], rows: list[Alert], at: dt.datetime) -> None:
    again = since[1] < 0  # from a point before what was told
    earlier = [row for row in rows if not again or row.opened_at < since[0]]
    retold = [row for row in rows if again and row.opened_at >= since[0]]
    episodes = _tell(one, events, {row.alert_class: Episode.of(row) for row in earlier}, at)
    _carry(one.job, episodes, retold, at)
    if events:
        one.state.followed_at, one.state.followed_run = events[-1].order


def hand_over(*, job: BackupJob, state: JobState, service_id: int, at: dt.datetime) -> None:
    """End what is open of a job for the service that it leaves; its next one hears only of what is not over."""
    Alert.objects.open().filter(job=job, service=service_id).update(state="resolved", resolved_at=at)
    good = _ended(job).filter(outcome__in=BackupRun.GOOD, ended__lte=at).order_by("-ended").values_list("ended", flat=True).first()
    state.told_from, state.followed_at, state.followed_run = good or state.told_from, None, 0


def windows_of(service_ids: Iterable[int]) -> dict[int, list[Window]]:
    """The maintenance windows of each service."""
    found: dict[int, list[Window]] = defaultdict(list)
    for window in Window.objects.filter(service__in=set(service_ids)).order_by("pk"):
        found[window.service_id].append(window)
    return found


def hold_over(windows: Iterable[Window], instant: dt.datetime) -> Window | None:
    """The maintenance window that was decided before and covers the instant: it silences, and ends."""
    return max((window for window in windows if _silences(window, instant)), key=lambda window: window.ends_at, default=None)


_ALERTS = """
SELECT a.* FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS asked(job, service, since)
JOIN monitoring_alert a ON a.job_id = asked.job AND a.service_id = asked.service AND a.alert_class = ANY(%s)
  AND (a.resolved_at IS NULL OR a.resolved_at >= asked.since)
ORDER BY a.opened_at, a.id
"""


def _alerts(news: Iterable[News], since: Mapping[int, dt.datetime], *, held: bool) -> dict[int, list[Alert]]:
    """By job, its alerts that are open or were until some instant of each."""
    asked = [(one.job.pk, one.job.service_id, since[one.job.pk]) for one in news if one.job.pk in since]
    found: dict[int, list[Alert]] = {job: [] for job in since}
    if asked:
        for row in Alert.objects.raw(
            f"{_ALERTS}{'FOR UPDATE OF a' if held else ''}", [*map(array, zip(*asked, strict=True)), list(CLASSES)]
        ):
            found[row.job_id or 0].append(row)
    return found


def _beginnings(news: Sequence[News], at: dt.datetime) -> dict[int, Order]:
    """By job, where telling begins: after what was told, or at the beginning of whatever earlier news may change."""
    since: dict[int, Order] = {}
    early: dict[int, dt.datetime] = {}
    for one in news:
        told = one.state.followed_at
        if told is None:
            since[one.job.pk] = one.floor, -1
            continue
        unheard = min((window.starts_at for window in one.windows if window.starts_at <= at and window.ends_at > told), default=None)
        first = min(filter(None, [one.news_from, unheard]), default=None)
        if first is None or first > told:
            since[one.job.pk] = told, one.state.followed_run
        else:
            early[one.job.pk] = first
    alerts = _alerts(news, dict.fromkeys(early, _EVER), held=False)
    for one in news:
        if first := early.get(one.job.pk):
            since[one.job.pk] = max(_reach_back(first, one.windows, alerts[one.job.pk]), one.floor), -1
    return since


def _reach_back(first: dt.datetime, windows: Sequence[Window], alerts: Sequence[Alert]) -> dt.datetime:
    """The beginning of whatever was going on at that instant, and of what was going on when that began."""
    while True:
        alive = [row.opened_at for row in alerts if row.resolved_at is None or row.resolved_at >= first]
        held = [window.starts_at for window in windows if window.starts_at < first < window.ends_at]
        earlier = min([*alive, *held, first])
        if earlier == first:
            return first
        first = earlier


def _ended(job: BackupJob) -> QuerySet:
    runs = BackupRun.objects.filter(job=job, state="finished", operation__in=COUNTED, outcome__in=[*BAD, *BackupRun.GOOD])
    return runs.annotate(ended=Coalesce("ended_at", "occurred_at"))


_RUNS = """
SELECT r.id, r.job_id, r.outcome, r.message, r.occurred_at, r.ended_at
FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[]) AS asked(job, since)
JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= asked.since - %(longest)s
WHERE r.state = 'finished' AND r.operation = ANY(%(counted)s) AND r.outcome = ANY(%(outcomes)s)
  AND coalesce(r.ended_at, r.occurred_at) BETWEEN asked.since AND %(at)s
"""
_MISSED = """
SELECT e.* FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[]) AS asked(job, since)
JOIN monitoring_expectedrun e ON e.job_id = asked.job AND e.deadline_at >= asked.since
WHERE e.deadline_at <= %(at)s AND e.state IN ('missed', 'satisfied_late') AND NOT e.backfilled AND NOT EXISTS (
  SELECT FROM monitoring_backuprun r WHERE r.job_id = e.job_id AND r.operation = ANY(%(counted)s)
    AND r.occurred_at BETWEEN e.opens_at AND e.deadline_at AND coalesce(r.outcome, '') NOT IN ('missed', 'skipped'))
"""


def _events(since: Mapping[int, Order], at: dt.datetime) -> dict[int, list[Event]]:
    """By job, what happened to it from where telling begins until `at`, in order."""
    asked = {
        "jobs": array(since), "since": array(start for start, _ in since.values()), "longest": LONGEST_RUN, "at": at,
        "counted": list(COUNTED), "outcomes": [*BAD, *BackupRun.GOOD],
    }  # fmt: skip
    found: dict[int, list[Event]] = {job: [] for job in since}
    for run in BackupRun.objects.raw(_RUNS, asked):
        found[run.job_id].append(Event(at=run.ended_at or run.occurred_at, run=run))
    for row in ExpectedRun.objects.raw(_MISSED, asked):
        found[row.job_id].append(Event(at=row.deadline_at, missed=row))
    return {
        job: sorted((event for event in some if event.order > since[job]), key=lambda event: event.order) for job, some in found.items()
    }


def _tell(one: News, events: Iterable[Event], latest: dict[str, Episode], at: dt.datetime) -> list[Episode]:
    """The alerts that these events make or change (method BM-DEDUP), going on from the latest one of each class."""
    touched: dict[int, Episode] = {}
    silenced: tuple[dt.datetime, Event] | None = None
    for event in [*events, Event(at=at)]:
        if silenced and silenced[0] <= event.at:  # maintenance ended, and it still fails
            _raise(one.job, msgspec.structs.replace(silenced[1], at=silenced[0]), latest, touched)
            silenced = None
        if event.run is None and event.missed is None:
            break
        if event.is_good:
            silenced = None
            for episode in latest.values():
                if episode.resolved_at is None:
                    episode.resolved_at = event.at
                    touched[id(episode)] = episode
        elif hold := hold_over(one.windows, event.at):
            silenced = hold.ends_at, event
        else:
            _raise(one.job, event, latest, touched)
    return sorted(touched.values(), key=lambda episode: (episode.resolved_at is None, episode.opened_at))


def _silences(window: Window, instant: dt.datetime) -> bool:
    return window.starts_at <= instant < window.ends_at and window.decided_at < instant


def _raise(job: BackupJob, event: Event, latest: dict[str, Episode], touched: dict[int, Episode]) -> None:
    kind, cause = event.alert_class, read_cause(run=event.run, job=job)
    what = f"{job.name} failed" if event.run else f"{job.name} did not run, due {event.missed.due_at:%d %b %H:%M} UTC"
    title = f"{what}: {cause.title}" if cause.title else what
    episode = latest.get(kind)
    anew = episode is not None and episode.resolved_at is not None
    if episode is None or (episode.resolved_at and event.at - episode.resolved_at > REOPEN_WITHIN):
        episode = Episode(alert_class=kind, opened_at=event.at, last_seen_at=event.at, cause=cause, title=title)
    elif episode.resolved_at:
        episode.reopened, episode.resolved_at = episode.reopened + 1, None
    if event.run is None or event.run.pk not in episode.run_ids:
        episode.occurrences += 1
        episode.run_ids = [*episode.run_ids, *([event.run.pk] if event.run else [])][-RUNS_KEPT:]
    if anew or cause.is_specific or not episode.cause.is_specific:  # what failed before a good run says nothing of what fails now
        episode.cause, episode.title = cause, title
    episode.last_seen_at = event.at
    episode.latest_run = event.run.pk if event.run else episode.latest_run
    latest[kind] = touched[id(episode)] = episode


def _carry(job: BackupJob, episodes: Iterable[Episode], retold: list[Alert], at: dt.datetime) -> None:
    """Write the episodes into the rows that told of them before, or into new ones; those that end come first."""
    for episode in episodes:
        episode.row = episode.row or _fitting(episode, retold)
        if episode.row in retold:
            retold.remove(episode.row)
    for row in retold:  # nothing that happened tells of it any more
        Alert.objects.open().filter(pk=row.pk).update(state="resolved", resolved_at=at)
    for episode in episodes:
        _write(job, episode, at)


def _fitting(episode: Episode, rows: list[Alert]) -> Alert | None:
    """The row that told of this: one that shares a run, or else a time, with it."""
    same = [row for row in rows if row.alert_class == episode.alert_class]
    for row in same:
        if set(row.run_ids) & set(episode.run_ids):
            return row
    end = episode.resolved_at
    return next(
        (r for r in same if (end is None or r.opened_at <= end) and (not r.resolved_at or r.resolved_at >= episode.opened_at)), None
    )


def _write(job: BackupJob, episode: Episode, at: dt.datetime) -> None:
    kind = episode.alert_class
    row = episode.row or Alert(alert_class=kind, noticed_at=at, priority="P5", job=job, service_id=job.service_id)
    row.dedup_key = row.dedup_key or f"{job.service.code}/{job.pk}/{kind}"
    for name in ("opened_at", "last_seen_at", "title", "occurrences", "reopened", "run_ids", "resolved_at"):
        setattr(row, name, getattr(episode, name))
    row.title, row.latest_run_id = episode.title[:200], episode.latest_run
    row.cause, row.cause_title, row.cause_rule = episode.cause.name, episode.cause.title, episode.cause.rule
    row.cause_key, row.cause_is_specific = episode.cause.key, episode.cause.is_specific
    row.severity = "error" if episode.occurrences >= ERROR_FROM else "warning"
    if episode.resolved_at:
        row.state, row.resolving_evaluation = Alert.State.RESOLVED, None
    elif row.state in ("", Alert.State.RESOLVED):
        row.state, row.acknowledged_at, row.acknowledged_by, row.resolving_evaluation = Alert.State.FIRING, None, None, None
    row.save()
