"""Thresholds of flapping tried on past days: the alerts of jobs told again from what happened to them. Nothing is changed by it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Q, QuerySet

from catalogue.models import Service
from monitoring import flapping, following, recalling
from monitoring.causes import Causes
from monitoring.models import Alert, BackupJob
from monitoring.narrating import Episode, Event, Order, Telling, heard

MOST_JOBS = 500


class Told(msgspec.Struct, kw_only=True):
    """The alerts of one job in the time looked at: how many of each class, and when it flapped (an open end is None)."""

    job: BackupJob
    classes: Mapping[str, int]
    flapped: Sequence[tuple[dt.datetime, dt.datetime | None]]


class Trial(msgspec.Struct, kw_only=True):
    """Every job that failed in the time looked at, told by either thresholds; `cut` where there were more."""

    before: Sequence[Told]
    after: Sequence[Told]
    cut: bool

    def alerts(self, which: str) -> int:
        return sum(sum(told.classes.values()) for told in getattr(self, which))

    def flapping(self, which: str) -> int:
        return sum(bool(told.flapped) for told in getattr(self, which))


def rehearse(
    *, services: QuerySet[Service], thresholds: Mapping[str, Any], others: Mapping[str, Any], since: dt.datetime, until: dt.datetime
) -> Trial:
    """Tell that time again by the thresholds in force and by others (as `workflow.flapping` gives them)."""
    lately = Q(resolved_at=None) | Q(resolved_at__gte=since)
    told = Alert.objects.filter(lately, opened_at__lte=until, alert_class__in=following.CLASSES, service__in=services, job__isnull=False)
    found = BackupJob.objects.filter(pk__in=told.values("job"), service__in=services).select_related("tool", "service", "state")
    jobs = list(found.order_by("name", "pk")[: MOST_JOBS + 1])
    news = recalling.news_of(jobs[:MOST_JOBS])
    starts: dict[int, Order] = {one.job.pk: (max(since, one.floor), -1) for one in news}
    events = recalling.events_of(starts, until)
    rules = Causes()
    before, after = (
        [_told(one, starts[one.job.pk], events[one.job.pk], way, known, rules, until) for one in news]
        for way, known in ((each, recalling.outcomes_before(news, starts, starts, each["window"])) for each in (thresholds, others))
    )
    return Trial(before=before, after=after, cut=len(jobs) > MOST_JOBS)


def _told(
    one: recalling.News,
    start: Order,
    events: list[Event],
    thresholds: Mapping[str, Any],
    known: Mapping[int, Sequence[flapping.Outcome]],
    rules: Causes,
    until: dt.datetime,
) -> Told:
    telling = Telling(one.job, {}, flapping.Flapping(thresholds, before=known.get(one.job.pk, ())), rules)
    episodes: list[Episode] = telling.tell(heard(events, one.windows, until))
    flapped = [(each.opened_at, each.resolved_at) for each in episodes if each.alert_class == flapping.KIND]
    return Told(job=one.job, classes=Counter(each.alert_class for each in episodes), flapped=flapped)
