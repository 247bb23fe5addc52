"""Configuration that changed since the journey last looked, and what has to be worked out again because of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

from django.db import connection, transaction

from catalogue.models import Commitment, Service, ServiceVersion, Window
from itsm_backup.common.models import Tracked
from monitoring.models import JobSchedule, JobState, ServiceState, StatusWorkflow, Watermark
from monitoring.storing import judge_again


def notice_changes(*, at: dt.datetime) -> int:
    """Mark what each new history entry concerns; returns how many kinds of rows had news. One cheap query when nothing changed."""
    marks = dict(Watermark.objects.values_list("name", "history_id"))
    news = 0
    for model, newest in _newest().items():
        if newest > marks.get(model.__name__, 0):
            with transaction.atomic():
                Watermark.objects.get_or_create(name=model.__name__)
                mark = Watermark.objects.select_for_update().get(name=model.__name__)
                if newest > mark.history_id:
                    _CONCERNS[model](mark.history_id, at)
                    mark.history_id = newest
                    mark.save()
                    news += 1
    return news


def _newest() -> dict[type[Tracked], int]:
    models = list(_CONCERNS)
    tables = [model.history.model._meta.db_table for model in models]
    newest = [f"coalesce((SELECT max(history_id) FROM {table}), 0)" for table in tables]  # noqa: S608 - our own table names
    sql = f"SELECT {', '.join(newest)}"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(zip(models, cursor.fetchone(), strict=True))


def _versions(since: int, at: dt.datetime) -> None:
    _services(ServiceVersion.history.filter(history_id__gt=since).values_list("service_id", flat=True), at)


def _commitments(since: int, at: dt.datetime) -> None:
    versions = Commitment.history.filter(history_id__gt=since).values("version_id")
    _services(ServiceVersion.objects.filter(pk__in=versions).values_list("service_id", flat=True), at)


def _windows(since: int, at: dt.datetime) -> None:
    changed = list(Window.history.filter(history_id__gt=since).values_list("service_id", "starts_at"))
    for service, starts_at in changed:
        _touch_jobs(JobState.objects.filter(job__service=service), starts_at, at)
    _services([service for service, _ in changed], at)


def _schedules(since: int, at: dt.datetime) -> None:
    jobs = JobSchedule.history.filter(history_id__gt=since).values_list("job_id", flat=True)
    JobState.objects.filter(pk__in=list(jobs)).update(touched_at=at)


def _workflow(since: int, at: dt.datetime) -> None:
    _services(Service.objects.listed().values_list("pk", flat=True), at)


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
}
