"""What happened to a job, told as alerts.

The alerts of a job are a function of facts alone: runs by the time they ended, occurrences that nobody came to by their
deadline, and maintenance windows. When the journey came by, how often, and in which order reports arrived does not matter:
news from before what was told already is told again from there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from catalogue.models import Window
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


def follow_job(*, job: BackupJob, state: JobState, windows: QuerySet[Window], news_from: dt.datetime | None, at: dt.datetime) -> None:
    """Bring the alerts of a job in line with what happened to it until `at`. The caller holds the job's state row.

    `news_from` is the earliest instant that something new or corrected is about. Alerts that the facts no longer tell are
    resolved, not removed: they were shown to people.
    """
    if job.service_id is None:
        return
    since = _since(job, state, windows, news_from, at)
    events = _events(job, since, at)
    again = since[1] < 0  # from a point before what was told
    lately = Q(resolved_at=None) | Q(resolved_at__gte=since[0] - REOPEN_WITHIN)
    alerts = Alert.objects.select_for_update().filter(lately, job=job, service=job.service_id, alert_class__in=CLASSES)
    rows = list(alerts.order_by("opened_at", "pk"))
    earlier = [row for row in rows if not again or row.opened_at < since[0]]
    retold = [row for row in rows if again and row.opened_at >= since[0]]
    episodes = _tell(job, events, windows, {row.alert_class: Episode.of(row) for row in earlier}, at)
    _carry(job, episodes, retold, at)
    if events:
        state.followed_at, state.followed_run = events[-1].order


def hand_over(*, job: BackupJob, state: JobState, service_id: int, at: dt.datetime) -> None:
    """End what is open of a job for the service that it leaves; its next one hears only of what is not over."""
    Alert.objects.open().filter(job=job, service=service_id).update(state="resolved", resolved_at=at)
    good = _ended(job).filter(outcome__in=BackupRun.GOOD, ended__lte=at).order_by("-ended").values_list("ended", flat=True).first()
    state.told_from, state.followed_at, state.followed_run = good or state.told_from, None, 0


def windows_of(job: BackupJob) -> QuerySet[Window]:
    """The maintenance windows of the job's service; none at all, without asking again, where it never had one."""
    windows = Window.objects.filter(service=job.service_id)
    return windows if windows.exists() else windows.none()


def hold_over(windows: QuerySet[Window], instant: dt.datetime) -> Window | None:
    """The maintenance window that was decided before and covers the instant: it silences, and ends."""
    covering = windows.filter(starts_at__lte=instant, ends_at__gt=instant).order_by("-ends_at")
    return next((window for window in covering if _silences(window, instant)), None)


def _since(job: BackupJob, state: JobState, windows: QuerySet[Window], news_from: dt.datetime | None, at: dt.datetime) -> Order:
    """Where telling begins: after what was told, or at the beginning of whatever earlier news may change."""
    floor = max(job.tool.monitored_from, state.told_from or job.tool.monitored_from)
    if state.followed_at is None:
        return floor, -1
    unheard = windows.filter(starts_at__lte=at, ends_at__gt=state.followed_at).aggregate(first=Min("starts_at"))["first"]
    first = min(filter(None, [news_from, unheard]), default=None)
    if first is None or first > state.followed_at:
        return state.followed_at, state.followed_run
    alerts = Alert.objects.filter(job=job, service=job.service_id, alert_class__in=CLASSES)
    while True:
        alive = alerts.filter(Q(resolved_at=None) | Q(resolved_at__gte=first)).aggregate(first=Min("opened_at"))["first"]
        held = windows.filter(starts_at__lt=first, ends_at__gt=first).aggregate(first=Min("starts_at"))["first"]
        earlier = min(filter(None, [alive, held, first]))
        if earlier == first:
            return max(first, floor), -1
        first = earlier


def _ended(job: BackupJob) -> QuerySet:
    runs = BackupRun.objects.filter(job=job, state="finished", operation__in=COUNTED, outcome__in=[*BAD, *BackupRun.GOOD])
    return runs.annotate(ended=Coalesce("ended_at", "occurred_at"))


def _events(job: BackupJob, since: Order, at: dt.datetime) -> list[Event]:
    start = since[0]
    runs = _ended(job).filter(ended__gte=start, ended__lte=at, occurred_at__gte=start - LONGEST_RUN)
    begun = BackupRun.objects.filter(job=job, operation__in=COUNTED, occurred_at__range=(OuterRef("opens_at"), OuterRef("deadline_at")))
    missed = ExpectedRun.objects.filter(~Exists(begun.exclude(outcome__in=["missed", "skipped"])), job=job, backfilled=False)
    missed = missed.filter(state__in=["missed", "satisfied_late"], deadline_at__gte=start, deadline_at__lte=at)
    events = [Event(at=run.ended, run=run) for run in runs] + [Event(at=row.deadline_at, missed=row) for row in missed]
    return sorted((event for event in events if event.order > since), key=lambda event: event.order)


def _tell(job: BackupJob, events: Iterable[Event], known: QuerySet[Window], latest: dict[str, Episode], at: dt.datetime) -> list[Episode]:
    """The alerts that these events make or change (method BM-DEDUP), going on from the latest one of each class."""
    touched: dict[int, Episode] = {}
    silenced: tuple[dt.datetime, Event] | None = None
    windows = list(known.filter(starts_at__lte=at).order_by("-ends_at"))
    for event in [*events, Event(at=at)]:
        if silenced and silenced[0] <= event.at:  # maintenance ended, and it still fails
            _raise(job, msgspec.structs.replace(silenced[1], at=silenced[0]), latest, touched)
            silenced = None
        if event.run is None and event.missed is None:
            break
        if event.is_good:
            silenced = None
            for episode in latest.values():
                if episode.resolved_at is None:
                    episode.resolved_at = event.at
                    touched[id(episode)] = episode
        elif ends_at := next((one.ends_at for one in windows if _silences(one, event.at)), None):
            silenced = ends_at, event
        else:
            _raise(job, event, latest, touched)
    return sorted(touched.values(), key=lambda episode: (episode.resolved_at is None, episode.opened_at))


def _silences(window: Window, instant: dt.datetime) -> bool:
    return window.starts_at <= instant < window.ends_at and window.decided_at < instant


def _raise(job: BackupJob, event: Event, latest: dict[str, Episode], touched: dict[int, Episode]) -> None:
    kind, cause = event.alert_class, read_cause(run=event.run, job=job)
    what = f"{job.name} failed" if event.run else f"{job.name} did not run, due {event.missed.due_at:%d %b %H:%M} UTC"
    title = f"{what}: {cause.title}" if cause.title else what
    episode = latest.get(kind)
    if episode is None or (episode.resolved_at and event.at - episode.resolved_at > REOPEN_WITHIN):
        episode = Episode(alert_class=kind, opened_at=event.at, last_seen_at=event.at, cause=cause, title=title)
    elif episode.resolved_at:
        episode.reopened, episode.resolved_at = episode.reopened + 1, None
    if event.run is None or event.run.pk not in episode.run_ids:
        episode.occurrences += 1
        episode.run_ids = [*episode.run_ids, *([event.run.pk] if event.run else [])][-RUNS_KEPT:]
    if cause.is_specific or not episode.cause.is_specific:
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
