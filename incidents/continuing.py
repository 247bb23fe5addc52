"""What happens again in an open incident stands in its story: the first times one by one, a long series once a day with its count."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from incidents import recognising
from incidents.models import IncidentAlert, IncidentEntry
from incidents.models.incident import OPEN_STATES
from monitoring.carrying import together
from monitoring.models import Alert, BackupRun, ExpectedRun

EACH = 5  # so many are told one by one
A_DAY = dt.timedelta(days=1)
BATCH = 500
Times = dict[int, list[tuple[dt.datetime, str]]]  # by alert, oldest first: when it happened, and what


def tell_repeats(*, at: dt.datetime) -> int:
    """Write down what happened again since the story was told last; returns of how many alerts."""
    ids = _waiting().order_by("pk").values_list("pk", flat=True)[:BATCH]
    return together(ids, lambda some: _tell(some, at), "telling what happened again in")


def _waiting() -> Any:
    """Alerts of open incidents with more occurrences than are told, where their line of the day is not written yet."""
    due = Q(told_occurrences__lt=EACH) | Q(told_at=None) | Q(told_at__lte=F("alert__last_seen_at") - A_DAY)
    return IncidentAlert.objects.filter(due, incident__state__in=OPEN_STATES, alert__occurrences__gt=F("told_occurrences"))


@transaction.atomic
def _tell(ids: Sequence[int], at: dt.datetime) -> int:
    held = _waiting().filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",))
    links = list(held.select_related("alert__job", "incident").order_by("pk"))
    times = _times(links)
    IncidentEntry.objects.bulk_create([line for link in links for line in _lines(link, times.get(link.alert_id, []), at)])
    for link in links:
        link.told_occurrences, link.told_at = link.alert.occurrences, link.alert.last_seen_at
    IncidentAlert.objects.bulk_update(links, ["told_occurrences", "told_at"])
    for link in links:
        recognising.learn(link.incident, link.alert)
    return len(links)


def _lines(link: IncidentAlert, times: list[tuple[dt.datetime, str]], at: dt.datetime) -> Iterator[IncidentEntry]:
    alert, told = link.alert, link.told_occurrences
    known = times[-(alert.occurrences - told) :]
    single = known[: max(0, EACH - told)] if len(known) == alert.occurrences - told else []
    for number, (instant, what) in enumerate(single, start=told + 1):
        yield _line(link, instant, f"Happened again ({number} times so far): {what}", at)
    if more := alert.occurrences - told - len(single):
        times_more = f" {more} times more" if more > 1 else ""
        yield _line(link, alert.last_seen_at, f"Happened again{times_more} ({alert.occurrences} times so far): {alert.title}", at)


def _line(link: IncidentAlert, instant: dt.datetime, text: str, noticed_at: dt.datetime) -> IncidentEntry:
    at = max(instant, link.incident.opened_at)
    return IncidentEntry(incident=link.incident, at=at, noticed_at=noticed_at, kind="repeated", text=text, alert=link.alert)


def _times(links: Iterable[IncidentAlert]) -> Times:
    """When each of them happened after the first time, as far as runs and due times are on record."""
    alerts = [link.alert for link in links]
    newest = {link.alert_id: link.alert.run_ids[link.told_occurrences - link.alert.occurrences :] for link in links}
    runs = BackupRun.objects.only("ended_at", "occurred_at").in_bulk({pk for some in newest.values() for pk in some})
    found: Times = {alert.pk: [] for alert in alerts}
    for alert in alerts:
        ran = [runs[pk] for pk in newest[alert.pk] if pk in runs]
        found[alert.pk] = [(one.ended_at or one.occurred_at, alert.title) for one in ran]
    for alert, row in _missed([alert for alert in alerts if alert.alert_class == Alert.Class.JOB_MISSED and alert.job_id]):
        found[alert.pk].append((row.deadline_at, f"{row.job.name} did not run, due {row.due_at:%d %b %H:%M} UTC"))
    return found


def _missed(alerts: Sequence[Alert]) -> Iterator[tuple[Alert, ExpectedRun]]:
    by_job: dict[int, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_job[alert.job_id or 0].append(alert)
    if not by_job:
        return
    begun = min(alert.opened_at for alert in alerts)
    rows = ExpectedRun.objects.filter(job__in=by_job, deadline_at__gte=begun, state__in=["missed", "satisfied_late"], backfilled=False)
    for row in rows.select_related("job").order_by("deadline_at"):
        for alert in by_job[row.job_id]:
            if alert.opened_at <= row.deadline_at <= alert.last_seen_at:
                yield alert, row
