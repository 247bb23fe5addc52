"""Monitoring systems of others follow where services stand: what changed becomes a notice for each entry, and leaves by claim, in order."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db import transaction

from catalogue.models import PropagatedStatus, Service, ServiceStatus, ServiceVersion
from itsm_backup.common import outbox
from itsm_backup.common.http.client import Client, Unreachable, trusting
from itsm_backup.common.models import Notice
from monitoring.models import BackupJob, ExternalMonitoring, ServiceState, StatusPublication
from monitoring.monitors import TELL, NotTaken, Place

MOST_AT_ONCE = 500
TIMEOUT_S, TRIES = 10.0, 1  # the outbox tries again, later and later
CHANNEL = Notice.Channel.MONITORING


def notice_changes(*, at: dt.datetime) -> int:
    """A notice for every entry of which an enabled monitoring system was told something else; returns how many were written."""
    targets = list(ExternalMonitoring.objects.filter(enabled=True))
    if not targets:
        return 0
    now = standings(at=at)
    return sum(_notice(target, now, at) for target in targets)


def standings(*, at: dt.datetime) -> dict[int, dict[str, Any]]:
    """Service → what is said of it, for every entry in force that was judged."""
    names = dict(ServiceVersion.objects.in_force(at).filter(service__in=Service.objects.listed()).values_list("service", "name"))
    statuses = dict(ServiceStatus.objects.filter(service__in=names).values_list("service", "status"))
    reached = {row.service_id: row for row in PropagatedStatus.objects.filter(service__in=names).select_related("cause")}
    jobs: dict[int, list[str]] = defaultdict(list)
    for service, name in (
        BackupJob.objects.filter(service__in=names, schedule__isnull=False).order_by("name").values_list("service", "name")
    ):
        jobs[service or 0].append(name)
    rows = ServiceState.objects.filter(service__in=names).select_related("service").order_by("service__code")
    return {
        row.service_id: {
            "code": row.service.code, "name": names[row.service_id], "status": statuses.get(row.service_id, "unknown"),
            "verdict": row.verdict, "last_good_at": _iso(row.captured_at), "next_due_at": _iso(row.next_due_at), "rpo_s": row.rpo_s,
            "jobs": jobs[row.service_id], "affected": _affected(reached.get(row.service_id), names),
        }
        for row in rows
    }  # fmt: skip


def _affected(reached: PropagatedStatus | None, names: dict[int, str]) -> dict[str, str] | None:
    """What a provider does to it, told beside its own status and never in its place."""
    if reached is None:
        return None
    return {"status": reached.status, "code": reached.cause.code, "name": names.get(reached.cause_id, reached.cause.code)}


def _iso(at: dt.datetime | None) -> str | None:
    return at.astimezone(dt.UTC).isoformat() if at else None


def _notice(target: ExternalMonitoring, now: dict[int, dict[str, Any]], at: dt.datetime) -> int:
    told = {
        service: said if place == target.place_hash else None
        for service, said, place in StatusPublication.objects.filter(monitoring=target).values_list("service", "said", "place_hash")
    }
    changed = [(service, said) for service, said in now.items() if told.get(service) != said]
    for service, said in changed[:MOST_AT_ONCE]:
        _write(target, service, said, at)
    return len(changed[:MOST_AT_ONCE])


def _write(target: ExternalMonitoring, service_id: int, said: dict[str, Any], at: dt.datetime) -> None:
    body = json.dumps(said, sort_keys=True, ensure_ascii=False)
    thread = f"monitoring/{target.pk}/{service_id}"
    key = f"{thread}/{at:%Y%m%d%H%M%S%f}/{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    with transaction.atomic():
        outbox.supersede(thread=thread, at=at, why="What it said is old by now: a newer message takes its place.")
        subject = f"{said['code']} to {target.name}"
        outbox.write(key=key, thread=thread, recipient=target.name, subject=subject, body=body, at=at, channel=CHANNEL)
        notice = Notice.objects.get(key=key)
        told = {"said": said, "place_hash": target.place_hash, "notice": notice}
        StatusPublication.objects.update_or_create(monitoring=target, service_id=service_id, defaults=told)


def send(*, at: dt.datetime) -> int:
    """Send what waits for monitoring systems; returns how many messages were taken."""
    return outbox.send_waiting(at=at, channel=CHANNEL, deliver=lambda notice: _deliver(notice, at))


def _deliver(notice: Notice, at: dt.datetime) -> None:
    row = StatusPublication.objects.select_related("monitoring").filter(notice=notice).first()
    if row is None:  # the system was taken away, or told something newer
        return
    target, said = row.monitoring, json.loads(notice.body)
    if not target.enabled:
        raise NotTaken(f"{target.name} is switched off. It is told when it is switched on again.")
    secrets: Any = target.secrets
    place = Place(target.address, target.account, secrets, target.host_of(said["code"]), target.item_of(said["code"]))
    try:
        verify = trusting(target.certificates)
        with Client(allowed=settings.TOOL_ADDRESSES, timeout_s=TIMEOUT_S, tries=TRIES, verify=verify) as client:
            answer = TELL[target.kind](client, place, said, notice.created_at)
    except (NotTaken, Unreachable, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        known = isinstance(error, NotTaken | Unreachable) or type(error) is ValueError
        words = str(error) if known else "The answer has another form than documented."
        StatusPublication.objects.filter(pk=row.pk).update(answer=words, answered_at=at, accepted=False)
        raise NotTaken(words) from error
    StatusPublication.objects.filter(pk=row.pk).update(answer=answer, answered_at=at, accepted=True)


def health(target: ExternalMonitoring) -> str:
    """How it takes what it is told, in a sentence."""
    if not target.enabled:
        return "It is switched off: nothing is told."
    rows = StatusPublication.objects.filter(monitoring=target)
    refused = rows.filter(accepted=False).order_by("-answered_at")
    if latest := refused.first():
        return f"It does not take {refused.count()} of {rows.count()} entries. The latest answer: {latest.answer}"
    taken = rows.filter(accepted=True).count()
    return f"It took what was said of {taken} of {rows.count()} entries." if rows else "Nothing was told yet: that begins within a minute."


def tell_again(*, target: ExternalMonitoring, at: dt.datetime) -> int:
    """Have every entry told anew; returns how many."""
    return StatusPublication.objects.filter(monitoring=target).update(place_hash="")
