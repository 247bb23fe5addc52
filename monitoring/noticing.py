"""Configuration that changed since the journey last looked, and what has to be worked out again because of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable

from django.db import connection, transaction
from django.db.models import Min

from catalogue import propagating
from catalogue.models import Commitment, Relation, Service, ServiceVersion, StatusOverride, Window
from itsm_backup.common.models import Tracked
from monitoring.models import JobSchedule, JobState, ServiceState, StatusWorkflow, Tool, ToolState, Watermark
from monitoring.storing import judge_again

LATEST = 1_000  # how far back an entry may still come in, because its transaction took its time


def notice_changes(*, at: dt.datetime) -> int:
    """Mark what each new history entry concerns; returns how many kinds of rows had news. One cheap query when nothing changed."""
    marks = {mark.name: mark for mark in Watermark.objects.all()}
    news = {model: seen for model, seen in _seen(marks).items() if seen != _remembered(marks.get(model.__name__))}
    for model in news:
        _notice(model, at)
    return len(news)


@transaction.atomic
def _notice(model: type[Tracked], at: dt.datetime) -> None:
    Watermark.objects.get_or_create(name=model.__name__)
    mark = Watermark.objects.select_for_update().get(name=model.__name__)
    newest, before = _seen({model.__name__: mark})[model]
    came_late = before != mark.latest_entries
    since = mark.history_id - LATEST if came_late else mark.history_id
    mark.history_id = newest
    mark.latest_entries = _seen({model.__name__: mark})[model][1]
    mark.save()
    _CONCERNS[model](since, at)


def _remembered(mark: Watermark | None) -> tuple[int, int]:
    return (mark.history_id, mark.latest_entries) if mark else (0, 0)


def _seen(marks: dict[str, Watermark]) -> dict[type[Tracked], tuple[int, int]]:
    """Of each kind of row, the newest history entry and how many of the latest entries up to the mark there are."""
    columns = []
    for model in _CONCERNS:
        table = model.history.model._meta.db_table
        mark = marks[model.__name__].history_id if model.__name__ in marks else 0
        columns.append(f"coalesce((SELECT max(history_id) FROM {table}), 0)")  # noqa: S608 - our own table names
        columns.append(f"(SELECT count(*) FROM {table} WHERE history_id > {mark - LATEST} AND history_id <= {mark})")  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)}")
        found = cursor.fetchone()
    return {model: (found[2 * place], found[2 * place + 1]) for place, model in enumerate(_CONCERNS)}


def _versions(since: int, at: dt.datetime) -> None:
    changed = set(ServiceVersion.history.filter(history_id__gt=since).values_list("service_id", flat=True))
    _services(changed, at)
    _count_ahead(changed, at)
    propagating.look_again(changed, at)


def _count_ahead(services: Collection[int], at: dt.datetime) -> None:
    """What is due already belongs to the calendar in force when it opens: jobs of entries that have one look at what lies ahead."""
    by_calendar = ServiceVersion.objects.approved().filter(service__in=services, commitment__measurement_calendar__gt="")
    jobs = JobState.objects.filter(job__service__in=by_calendar.values("service")).order_by("pk")
    _touch_jobs(jobs.select_for_update(of=("self",)), at, at)


def _commitments(since: int, at: dt.datetime) -> None:
    versions = Commitment.history.filter(history_id__gt=since).values("version_id")
    _services(ServiceVersion.objects.filter(pk__in=versions).values_list("service_id", flat=True), at)


def _windows(since: int, at: dt.datetime) -> None:
    """A window that moved concerns the time that it covered before, too."""
    changed = Window.history.filter(history_id__gt=since).values("id")
    services = (
        Window.history.filter(id__in=changed).values("service_id").annotate(first=Min("starts_at")).values_list("service_id", "first")
    )
    for service, starts_at in services:
        _touch_jobs(JobState.objects.filter(job__service=service).order_by("pk").select_for_update(of=("self",)), starts_at, at)
    _services([service for service, _ in services], at)


def _schedules(since: int, at: dt.datetime) -> None:
    jobs = JobSchedule.history.filter(history_id__gt=since).values_list("job_id", flat=True)
    JobState.objects.filter(pk__in=list(jobs)).update(touched_at=at)


def _workflow(since: int, at: dt.datetime) -> None:
    _services(Service.objects.listed().values_list("pk", flat=True), at)


def _overrides(since: int, at: dt.datetime) -> None:
    _services(StatusOverride.history.filter(history_id__gt=since).values_list("service_id", flat=True), at)


def _relations(since: int, at: dt.datetime) -> None:
    changed = Relation.history.filter(history_id__gt=since)
    propagating.look_again({pk for ends in changed.values_list("consumer_id", "provider_id") for pk in ends}, at)


def _tools(since: int, at: dt.datetime) -> None:
    tools = Tool.history.filter(history_id__gt=since).values("id")
    ToolState.objects.filter(pk__in=tools).update(next_judgement_at=at)


def _services(ids: Iterable[int], at: dt.datetime) -> None:
    """Services that have an approved version get a state row, and are judged again."""
    listed = ServiceVersion.objects.approved().filter(service__in=set(ids)).values_list("service_id", flat=True).distinct()
    ServiceState.objects.bulk_create([ServiceState(service_id=pk, next_judgement_at=at) for pk in listed], ignore_conflicts=True)
    judge_again(listed, at)


def _touch_jobs(states: Iterable[JobState], since: dt.datetime, at: dt.datetime) -> None:
    for state in states:
        state.touched_at = at
        state.touched_from = min(since, state.touched_from or since)
        state.save(update_fields=["touched_at", "touched_from"])


_CONCERNS: dict[type[Tracked], Callable[[int, dt.datetime], None]] = {
    ServiceVersion: _versions,
    Commitment: _commitments,
    Window: _windows,
    JobSchedule: _schedules,
    StatusWorkflow: _workflow,
    Tool: _tools,
    StatusOverride: _overrides,
    Relation: _relations,
}
