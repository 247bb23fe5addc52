"""What happened to a job, told as alerts.

The alerts of a job are a function of facts alone: runs by the time they ended, occurrences that nobody came to by their
deadline, and maintenance windows. When the journey came by, how often, and in which order reports arrived does not matter:
news from before what was told already is told again from there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from catalogue.models import Window
from monitoring import flapping, workflow
from monitoring.asking import array
from monitoring.causes import Causes
from monitoring.models import Alert, BackupJob, BackupRun, JobState
from monitoring.narrating import REOPEN_WITHIN, Episode, Event, Order, Telling, heard
from monitoring.planning import COUNTED
from monitoring.recalling import BAD, News, events_of, outcomes_before

FAILED_BEFORE = dt.timedelta(days=7)  # so far back a failure counts that was going on when its tool began to be watched
ERROR_FROM = 2  # the first failure is a warning, a repeated one an error
CLASSES = ("job_failed", "job_missed", flapping.KIND)
_EVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def follow_jobs(news: Sequence[News], at: dt.datetime) -> None:
    """Bring the alerts of jobs in line with what happened to them until `at`. The caller holds the state rows of the jobs.

    Alerts that the facts no longer tell are resolved, not removed: they were shown to people.
    """
    news = [one for one in news if one.job.service_id is not None]
    if not news:
        return
    since = _beginnings(news, at)
    events = _events(news, since, at)
    alerts = _alerts(news, {job: start - REOPEN_WITHIN for job, (start, _) in since.items()}, held=True)
    thresholds = workflow.flapping(workflow.current())
    before = outcomes_before(news, since, [pk for pk in since if _may_flap(events[pk], alerts[pk])], thresholds["window"])
    causes = Causes()
    for one in news:
        pk = one.job.pk
        known = flapping.Flapping(thresholds, before=before.get(pk, ()))
        _follow(one, since[pk], events[pk], alerts[pk], known, causes, at)


def _events(news: Sequence[News], since: dict[int, Order], at: dt.datetime) -> dict[int, list[Event]]:
    """What happened since then. What goes on failing where telling begins at all is told from its first failure; `since` says so."""
    floors = {one.job.pk: one.floor for one in news}
    anew = {job for job, order in since.items() if order == (floors[job], -1)}
    found = events_of({job: (start - FAILED_BEFORE, last) if job in anew else (start, last) for job, (start, last) in since.items()}, at)
    for job in anew:
        found[job] = _going_on(found[job], floors[job])
        if found[job] and found[job][0].at < floors[job]:
            since[job] = found[job][0].at, -1
    return found


def _going_on(events: list[Event], floor: dt.datetime) -> list[Event]:
    """The events from the floor on, with the failures right before it where it goes on failing: alone they make no alert."""
    heard_of = [event for event in events if event.at >= floor]
    if not heard_of or heard_of[0].is_good:
        return heard_of
    before = list(takewhile(lambda event: not event.is_good, reversed(events[: len(events) - len(heard_of)])))
    return [*reversed(before), *heard_of]


def _may_flap(events: Iterable[Event], alerts: Iterable[Alert]) -> bool:
    """Flapping begins where something changes: without a bad event now and an alert from before there is nothing to count."""
    return any(alert.resolved_at is None for alert in alerts) or any(not event.is_good for event in events)


def _follow(
    one: News, since: Order, events: list[Event], rows: list[Alert], known: flapping.Flapping, causes: Causes, at: dt.datetime
) -> None:
    again = since[1] < 0  # from a point before what was told
    earlier = [row for row in rows if not again or row.opened_at < since[0]]
    retold = [row for row in rows if again and row.opened_at >= since[0]]
    telling = Telling(one.job, {row.alert_class: Episode.of(row) for row in earlier}, known, causes)
    _carry(one.job, telling.tell(heard(events, one.windows, at)), retold, at)
    if events:
        one.state.followed_at, one.state.followed_run = events[-1].order


def hand_over(*, job: BackupJob, state: JobState, service_id: int, at: dt.datetime) -> None:
    """End what is open of a job for the service that it leaves; its next one hears only of what is not over."""
    Alert.objects.open().filter(job=job, service=service_id).update(state="resolved", resolved_at=at)
    good = _ended(job).filter(outcome__in=BackupRun.GOOD, ended__lte=at).order_by("-ended").values_list("ended", flat=True).first()
    state.told_from, state.followed_at, state.followed_run = good or state.told_from, None, 0


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
    if episode.counted:
        row.figure = flapping.figure_of(job=job, inputs=episode.counted, kept=row.figure, at=at)
    row.cause_key, row.cause_is_specific = episode.cause.key, episode.cause.is_specific
    row.severity = "error" if episode.occurrences >= ERROR_FROM else "warning"
    if episode.resolved_at:
        row.state, row.resolving_evaluation = Alert.State.RESOLVED, None
    elif row.state in ("", Alert.State.RESOLVED):
        row.state, row.acknowledged_at, row.acknowledged_by, row.resolving_evaluation = Alert.State.FIRING, None, None, None
    row.save()
