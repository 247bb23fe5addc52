"""Conditions that no single run makes and that last: looked at as a whole every few minutes, one open alert for each while it lasts.

They are warnings that open no incident, because what makes them was told when it happened; only damage, which nothing else
tells of where no restore is promised, is an error.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from django.db import transaction

from catalogue.models import ServiceVersion, Window
from monitoring import alerting, burning, locking, noted
from monitoring.causes import Cause
from monitoring.methods import measure
from monitoring.models import Alert, Evaluation, Figure, ServiceState
from monitoring.noted import Noted

CLASSES = ("integrity_error", "unencrypted", "lock_missing", "unmapped_job", "drift", "slo_burn")
NEVER_SILENCED = ("integrity_error",)


def follow_conditions(*, at: dt.datetime) -> int:
    """Raise what is new, tell anew what changed its words, and clear what is over; returns how many alerts changed."""
    found = {one.key: one for one in _conditions(at)}
    with transaction.atomic():
        standing = Alert.objects.open().filter(alert_class__in=CLASSES).select_for_update(of=("self",))
        open_ones = {alert.dedup_key: alert for alert in standing}
        held = _held([one for key, one in found.items() if key not in open_ones], at)
        fresh = [one for key, one in found.items() if key not in open_ones and not _silenced(one, held)]
        judged = dict(ServiceState.objects.filter(pk__in=[one.service for one in fresh if one.service]).values_list("pk", "evaluation"))
        for one in fresh:
            _raise(one, judged, at)
        if evaluations := list(Evaluation.objects.filter(pk__in=[pk for pk in judged.values() if pk])):
            theirs = Alert.objects.open().filter(service__in=[one.service_id for one in evaluations])
            alerting.prioritise(evaluations, theirs, at)
        changed = [_told(alert, found[key], at) for key, alert in open_ones.items() if key in found]
        over = [alert.pk for key, alert in open_ones.items() if key not in found]
        Alert.objects.filter(pk__in=over).update(state="resolved", resolved_at=at)
    return len(fresh) + sum(changed) + len(over)


def _conditions(at: dt.datetime) -> Iterable[Noted]:
    yield from noted.damaged(at)
    yield from noted.unencrypted(at)
    yield from locking.missing(at)
    yield from noted.unmapped(at)
    yield from noted.drifted(at)
    yield from burning.burning(at)


def _held(conditions: Iterable[Noted], at: dt.datetime) -> set[int]:
    """The services of these that maintenance silences now."""
    services = {one.service for one in conditions if one.service}
    windows: Any = Window.objects.filter(service__in=services, decided_at__lte=at)
    return set(windows.holding(at).values_list("service", flat=True))


def _silenced(one: Noted, held: set[int]) -> bool:
    return one.service in held and one.alert_class not in NEVER_SILENCED


def _raise(one: Noted, judged: Mapping[int, int | None], at: dt.datetime) -> None:
    alert = Alert(
        dedup_key=one.key, alert_class=one.alert_class, service_id=one.service, tool_id=one.tool, job_id=one.job,
        evaluation_id=judged.get(one.service or 0), figure=_figure(one, at),
    )  # fmt: skip
    cause = Cause(key=f"{one.alert_class}:{one.service or one.tool}")
    alerting.raise_alert(alert, title=one.title, cause=cause, severity=one.severity, happened_at=at, at=at)


def _told(alert: Alert, one: Noted, at: dt.datetime) -> bool:
    """The same condition with other words, such as another number of jobs, is said as it is now."""
    title = one.title[:200]
    if (alert.title, alert.severity) == (title, one.severity):
        return False
    alert.title, alert.severity, alert.last_seen_at = title, one.severity, max(at, alert.last_seen_at)
    alert.figure = _figure(one, at) or alert.figure
    alert.save(update_fields=["title", "severity", "last_seen_at", "figure"])
    return True


def _figure(one: Noted, at: dt.datetime) -> Figure | None:
    """What the condition was counted from, kept so that it can be worked out again; None where nothing was counted."""
    if one.counted is None or one.service is None:
        return None
    method, version, inputs = one.counted
    entry = ServiceVersion.objects.in_force(at).filter(service=one.service).values_list("pk", flat=True).first()
    return Figure.objects.create(
        service_id=one.service, version_id=entry, method_id=method, method_version=version, inputs=inputs, computed_at=at,
        inputs_hash=hashlib.sha256(msgspec.json.encode(inputs, order="sorted")).digest(), value=measure(method, inputs, version=version),
    )  # fmt: skip
