"""Volume and duration of jobs day by day, compared with the same weekday, and told as alerts while the newest day is unusual."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Protocol

import msgspec

from catalogue.models import ServiceVersion, Window
from itsm_backup.common.time import day_bounds, duration_words, local_day
from monitoring import narrating, unusual
from monitoring.asking import array, fetch
from monitoring.models import Alert, BackupJob, BackupRun, Figure, JobDay, JobState, ServiceState
from monitoring.narrating import RUNS_KEPT
from monitoring.planning import COUNTED
from monitoring.wording import size_words

GIB = 2**30
HISTORY = dt.timedelta(weeks=unusual.WEEKS)
LATELY = dt.timedelta(days=7)  # an unusual day further back than this is no news any more
CLASSES = ("volume_anomaly", "duration_anomaly")
_COUNTS = ("runs", "bytes", "took_s", "largest_run", "longest_run")
_WRITTEN = (*_COUNTS, "judged", "usual_bytes", "usual_s", "volume_unusual", "duration_unusual", "volume_figure", "duration_figure")


class Settled(Protocol):
    """A job while it is settled."""

    job: BackupJob
    state: JobState
    windows: Sequence[Window]
    zone: str


_DAYS = """
SELECT job, day, count(*), max(bytes), (array_agg(id ORDER BY bytes DESC NULLS LAST, id))[1],
  max(took_s), (array_agg(id ORDER BY took_s DESC NULLS LAST, id))[1]
FROM (
  SELECT asked.job, (r.occurred_at AT TIME ZONE asked.zone)::date AS day, r.id, coalesce(r.bytes_source, r.bytes_stored) AS bytes,
    round(extract(epoch FROM greatest(r.ended_at - r.started_at, interval '0')))::integer AS took_s
  FROM unnest(%(jobs)s::bigint[], %(since)s::timestamptz[], %(zones)s::text[]) AS asked(job, since, zone)
  JOIN monitoring_backuprun r ON r.job_id = asked.job AND r.occurred_at >= asked.since AND r.occurred_at <= %(at)s
  WHERE r.state = 'finished' AND r.operation = ANY(%(counted)s) AND r.outcome = ANY(%(good)s)) found
GROUP BY job, day
"""
_KNOWN = """
SELECT d.* FROM unnest(%s::bigint[], %s::date[]) AS asked(job, since)
JOIN monitoring_jobday d ON d.job_id = asked.job AND d.day >= asked.since
ORDER BY d.job_id, d.day
"""


def follow_jobs(works: Sequence[Settled], at: dt.datetime) -> None:
    """Count the days that runs touched again, compare those that can be, and bring the alerts of these jobs in line.

    The caller holds the state rows of the jobs.
    """
    if not works:
        return
    first = {work.job.pk: local_day(min(work.state.touched_from or at, at), work.zone) for work in works}
    known: dict[int, dict[dt.date, JobDay]] = {job: {} for job in first}
    for row in JobDay.objects.raw(_KNOWN, [array(first), array(day - HISTORY for day in first.values())]):
        known[row.job_id][row.day] = row
    fresh = _counted([work for work in works if work.state.touched_from], first, at)
    changed: list[JobDay] = []
    gone: list[int] = []
    told: list[Settled] = []  # those of which alerts may begin or end
    why: list[tuple[JobDay, str, Figure]] = []
    for work in works:
        rows, lost = known[work.job.pk], len(gone)
        news = _take_over(work, rows, fresh, first[work.job.pk], gone) if work.state.touched_from else set()
        compared = _judge(work, rows, at, why)
        changed += [rows[day] for day in sorted(news | compared)]
        told += [work] if compared or len(gone) > lost else []
    if gone:
        JobDay.objects.filter(pk__in=gone).delete()
    _keep_why(why, at)
    JobDay.objects.bulk_create(changed, update_conflicts=True, unique_fields=["job", "day"], update_fields=list(_WRITTEN))
    if told:
        _alert([(work, _newest(known[work.job.pk])) for work in told], at)


def _counted(works: Sequence[Settled], first: dict[int, dt.date], at: dt.datetime) -> dict[int, dict[dt.date, tuple[Any, ...]]]:
    found: dict[int, dict[dt.date, tuple[Any, ...]]] = defaultdict(dict)
    if works:
        asked = {
            "jobs": array(work.job.pk for work in works), "zones": array(work.zone for work in works), "at": at,
            "since": array(day_bounds(first[work.job.pk], work.zone)[0] for work in works),
            "counted": list(COUNTED), "good": list(BackupRun.GOOD),
        }  # fmt: skip
        for job, day, runs, size, largest, took_s, longest in fetch(_DAYS, asked):
            found[job][day] = (runs, size, took_s, largest if size is not None else None, longest if took_s is not None else None)
    return found


def _take_over(
    work: Settled, rows: dict[dt.date, JobDay], fresh: dict[int, dict[dt.date, tuple[Any, ...]]], since: dt.date, gone: list[int]
) -> set[dt.date]:
    """Carry what was counted into the rows; what comes after a changed day is compared anew. Returns the days that changed."""
    counted = fresh.get(work.job.pk, {})
    changed = {day for day, values in counted.items() if day not in rows or tuple(getattr(rows[day], name) for name in _COUNTS) != values}
    lost = [day for day in rows if day >= since and day not in counted]
    gone += [rows.pop(day).pk for day in lost]
    for day in changed:
        row = rows.setdefault(day, JobDay(job=work.job, day=day))
        row.judged = False
        for name, value in zip(_COUNTS, counted[day], strict=True):
            setattr(row, name, value)
    earliest = min([*changed, *lost], default=None)
    for day, row in rows.items():
        if earliest is not None and day > earliest:
            row.judged = False
    return changed


def _judge(work: Settled, rows: dict[dt.date, JobDay], at: dt.datetime, why: list[tuple[JobDay, str, Figure]]) -> set[dt.date]:
    """Compare the days that wait for it, oldest first, and note why one is unusual; returns those that were compared."""
    today, judged = local_day(at, work.zone), set()
    for day in sorted(day for day, row in rows.items() if not row.judged):
        row, before = rows[day], [rows[one] for one in sorted(rows) if day - HISTORY <= one < day]
        if day >= today and not (before and row.runs >= median(one.runs for one in before)):
            continue  # more may come
        volume = _compared(row, before, "bytes", "volume_unusual", GIB, unusual.VOLUME_EFFECT)
        took = _compared(row, before, "took_s", "duration_unusual", 1, unusual.DURATION_EFFECT)
        row.usual_bytes, row.usual_s = round(volume.usual * GIB) if volume else None, round(took.usual) if took else None
        row.volume_unusual = volume is not None and volume.unusual
        row.duration_unusual = took is not None and took.unusual and abs((row.took_s or 0) - took.usual) >= unusual.LEAST_S
        row.volume_figure = row.duration_figure = None
        why += [(row, "volume_figure", _figure(work, volume))] if volume and row.volume_unusual and work.job.service_id else []
        why += [(row, "duration_figure", _figure(work, took))] if took and row.duration_unusual and work.job.service_id else []
        row.judged = True
        judged.add(day)
    return judged


def _compared(row: JobDay, before: Iterable[JobDay], name: str, flag: str, unit: int, effect: float) -> unusual.Comparison | None:
    value = getattr(row, name)
    history = [(one.day, getattr(one, name) / unit) for one in before if getattr(one, name) is not None and not getattr(one, flag)]
    return unusual.compare(on=row.day, value=value / unit, history=history, effect=effect) if value is not None and history else None


def _figure(work: Settled, found: unusual.Comparison) -> Figure:
    return Figure(
        service_id=work.job.service_id,
        method_id=found.method,
        method_version=unusual.VERSION,
        inputs=found.inputs,
        inputs_hash=hashlib.sha256(msgspec.json.encode(found.inputs, order="sorted")).digest(),
        value=found.result,
    )


def _keep_why(why: list[tuple[JobDay, str, Figure]], at: dt.datetime) -> None:
    """Publish the figures of unusual days, with the version of the entry in force."""
    if not why:
        return
    versions = dict(
        ServiceVersion.objects.in_force(at).filter(service__in={figure.service_id for _, _, figure in why}).values_list("service", "pk")
    )
    for _, _, figure in why:
        figure.version_id, figure.computed_at = versions.get(figure.service_id), at
    Figure.objects.bulk_create([figure for _, _, figure in why])
    for row, name, figure in why:
        setattr(row, name, figure)


def _newest(rows: dict[dt.date, JobDay]) -> JobDay | None:
    return max((row for row in rows.values() if row.judged), key=lambda row: row.day, default=None)


def _alert(compared: Sequence[tuple[Settled, JobDay | None]], at: dt.datetime) -> None:
    """One open alert a job and class while its newest day is unusual; the next usual day ends it."""
    open_ones = Alert.objects.open().filter(job__in=[work.job.pk for work, _ in compared], alert_class__in=CLASSES)
    known = {(alert.job_id, alert.alert_class): alert for alert in open_ones.select_for_update(of=("self",))}
    for work, row in compared:
        for kind in CLASSES if work.job.service_id else ():
            alert = known.get((work.job.pk, kind))
            if row is not None and (row.volume_unusual if kind == "volume_anomaly" else row.duration_unusual):
                _raise(work, row, kind, alert, at)
            elif alert is not None:
                alert.state, alert.resolved_at = Alert.State.RESOLVED, max(at, alert.opened_at)
                alert.save(update_fields=["state", "resolved_at"])


def _raise(work: Settled, row: JobDay, kind: str, alert: Alert | None, at: dt.datetime) -> None:
    run = row.largest_run if kind == "volume_anomaly" else row.longest_run
    ends_at = min(at, day_bounds(row.day, work.zone)[1])
    floor = max(work.job.tool.monitored_from, work.state.told_from or work.job.tool.monitored_from, at - LATELY)
    if alert is None and (ends_at <= floor or narrating.hold_over(work.windows, ends_at)):
        return  # from before it was watched, no news any more, or expected in maintenance
    job = work.job
    if alert is None:
        judged = ServiceState.objects.filter(pk=job.service_id).values_list("evaluation", flat=True).first()
        alert = Alert(
            dedup_key=f"{job.service.code if job.service else ''}/{job.pk}/{kind}", alert_class=kind, service_id=job.service_id, job=job,
            state=Alert.State.FIRING, severity="warning", priority="P5", cause_key=f"unusual:{job.pk}", opened_at=ends_at, noticed_at=at,
            occurrences=0, evaluation_id=judged,
        )  # fmt: skip
    if run is not None and run in alert.run_ids:
        return
    alert.run_ids = [*alert.run_ids, *([run] if run else [])][-RUNS_KEPT:]
    alert.occurrences, alert.last_seen_at, alert.latest_run_id = alert.occurrences + 1, max(ends_at, alert.opened_at), run
    alert.title = f"{job.name} is unusual: {words(row, kind)}"[:200]
    alert.save()


def words(row: JobDay, kind: str) -> str:
    """`52.0 GB on a Saturday, usually 121 GB`, or how long it took."""
    weekday = f"on a {row.day:%A}"
    if kind == "volume_anomaly":
        return f"{size_words(row.bytes)} {weekday}, usually {size_words(row.usual_bytes)}"
    return f"took {duration_words(row.took_s or 0)} {weekday}, usually {duration_words(row.usual_s or 0)}"


def figure_of(alert: Alert) -> tuple[JobDay | None, Figure | None]:
    """The day that an alert of these classes is about, and the figure that says why; None where it has been corrected since."""
    volume = alert.alert_class == "volume_anomaly"
    run = {"largest_run": alert.latest_run_id} if volume else {"longest_run": alert.latest_run_id}
    rows = JobDay.objects.filter(job=alert.job_id, **run).select_related("job", "volume_figure", "duration_figure")
    row = rows.order_by("-day").first()
    return row, (row.volume_figure if volume else row.duration_figure) if row else None


def arithmetic_of(alert: Alert) -> list[str]:
    """The comparison behind an alert about an unusual day, in lines that a person can follow."""
    row, figure = figure_of(alert)
    if row is None or figure is None:
        return ["What it was compared with has been corrected since."]
    unit = "GiB" if alert.alert_class == "volume_anomaly" else "s"
    told = unusual.arithmetic(figure.method_id, figure.inputs, figure.value, unit)
    return [f"{row.job} {words(row, alert.alert_class)}", *told, f"kept as figure {figure.pk}"]
