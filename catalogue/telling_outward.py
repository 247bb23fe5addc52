"""External catalogues follow ours: what changed becomes a notice for each entry, and leaves by claim, in order, until it is taken."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery

from catalogue import presets
from catalogue.models import ExternalCatalogue, Publication, Service, ServiceVersion
from catalogue.models.outward import sources_of
from itsm_backup.common import outbox
from itsm_backup.common.http.client import Client, Unreachable
from itsm_backup.common.models import Notice

MOST_AT_ONCE = 200
TIMEOUT_S, TRIES = 10.0, 1  # the outbox tries again, later and later
CHANNEL = Notice.Channel.CATALOGUE


def notice_changes(*, at: dt.datetime) -> int:
    """A notice for every entry of which an enabled catalogue was not told the version in force, how it stands, or what affects it.

    Returns how many were written."""
    return sum(_notice(catalogue, at) for catalogue in ExternalCatalogue.objects.filter(enabled=True))


def _notice(catalogue: ExternalCatalogue, at: dt.datetime) -> int:
    versions = changed(catalogue, at)[:MOST_AT_ONCE]
    rows = versions.select_related("service__status", "service__propagated__cause", "commitment", "owner", "operations_team")
    return sum(_write(catalogue, version, at) for version in rows)


def changed(catalogue: ExternalCatalogue, at: dt.datetime) -> Any:
    """Versions in force that the catalogue was not told yet, or with another status, or by another mapping."""
    told = Publication.objects.filter(catalogue=catalogue, service=OuterRef("service"))
    rows = ServiceVersion.objects.in_force(at).filter(service__in=Service.objects.listed()).order_by("service__code")
    asked = {
        name: Subquery(told.values(field)[:1])
        for name, field in (
            ("t_version", "version"),
            ("t_status", "status"),
            ("t_map", "mapping_hash"),
            ("t_by", "affected_by"),
            ("t_affected", "affected"),
        )
    }
    new = Q(t_version=None) | ~Q(t_version=F("pk")) | ~Q(t_map=catalogue.mapping_hash)
    stands = Q(service__status__isnull=False) & ~Q(t_status=F("service__status__status"))
    reached = Q(service__propagated__isnull=False) & (
        ~Q(t_affected=F("service__propagated__status")) | Q(t_by=None) | ~Q(t_by=F("service__propagated__cause"))
    )
    over = Q(service__propagated__isnull=True) & ~Q(t_affected="")
    return rows.annotate(**asked).filter(new | stands | reached | over)


def _write(catalogue: ExternalCatalogue, version: ServiceVersion, at: dt.datetime) -> bool:
    status, reached = getattr(version.service, "status", None), getattr(version.service, "propagated", None)
    fields = presets.fields_of(catalogue.mapping, sources_of(version, settings.BASE_URL))
    body = json.dumps(fields, sort_keys=True, ensure_ascii=False)
    thread = f"catalogue/{catalogue.pk}/{version.service_id}"
    key = f"{thread}/{at:%Y%m%d%H%M%S%f}/{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    with transaction.atomic():
        outbox.supersede(thread=thread, at=at, why="What it said is old by now: a newer message takes its place.")
        outbox.write(
            key=key, thread=thread, recipient=catalogue.name, subject=f"{version.service.code} to {catalogue.name}", body=body, at=at,
            channel=CHANNEL,
        )  # fmt: skip
        said = {
            "version": version, "status": status.status if status else "unknown", "mapping_hash": catalogue.mapping_hash,
            "affected": reached.status if reached else "", "affected_by": reached.cause if reached else None,
            "notice": Notice.objects.get(key=key),
        }  # fmt: skip
        Publication.objects.update_or_create(catalogue=catalogue, service=version.service, defaults=said)
    return True


def send(*, at: dt.datetime) -> int:
    """Send what waits for external catalogues; returns how many rows were taken."""
    return outbox.send_waiting(at=at, channel=CHANNEL, deliver=lambda notice: _deliver(notice, at))


def _deliver(notice: Notice, at: dt.datetime) -> None:
    publication = Publication.objects.select_related("catalogue").filter(notice=notice).first()
    if publication is None:  # the catalogue was taken away, or told something newer
        return
    catalogue = publication.catalogue
    if not catalogue.enabled:
        raise presets.NotTaken(f"{catalogue.name} is switched off. It is told when it is switched on again.")
    try:
        with Client(allowed=settings.TOOL_ADDRESSES, timeout_s=TIMEOUT_S, tries=TRIES) as client:
            number, done = presets.put(client, catalogue, json.loads(notice.body), publication.external_id)
    except (presets.NotTaken, Unreachable, KeyError, IndexError, TypeError) as error:
        told = str(error) if isinstance(error, presets.NotTaken | Unreachable) else "The answer has another form than documented."
        Publication.objects.filter(pk=publication.pk).update(answer=told, answered_at=at, accepted=False)
        raise presets.NotTaken(told) from error
    Publication.objects.filter(pk=publication.pk).update(external_id=number, answer=f"The row was {done}.", answered_at=at, accepted=True)


def tell_again(*, catalogue: ExternalCatalogue, at: dt.datetime) -> int:
    """Have every entry told anew, as if the catalogue knew none; returns how many."""
    return Publication.objects.filter(catalogue=catalogue).update(mapping_hash="")
