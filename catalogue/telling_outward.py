"""External catalogues follow ours: what changes or ends becomes a notice for each entry, sent by claim, in order, until it is taken."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields.ranges import RangeEndsWith
from django.db import transaction
from django.db.models import DateTimeField, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from catalogue import presets
from catalogue.models import ExternalCatalogue, Publication, Retirement, Service, ServiceVersion
from catalogue.models.outward import sources_of
from itsm_backup.common import outbox
from itsm_backup.common.http.client import Client, Unreachable
from itsm_backup.common.models import Notice

MOST_AT_ONCE = 200
TIMEOUT_S, TRIES = 10.0, 1  # the outbox tries again, later and later
CHANNEL = Notice.Channel.CATALOGUE
NEVER = Value(dt.datetime.max.replace(tzinfo=dt.UTC), output_field=DateTimeField())  # so that no day and no day are the same


def notice_changes(*, at: dt.datetime) -> int:
    """A notice for every entry of which an enabled catalogue was not told the version in force, status, cause or end.

    Returns how many were written."""
    return sum(_notice(catalogue, at) for catalogue in ExternalCatalogue.objects.filter(enabled=True))


def _notice(catalogue: ExternalCatalogue, at: dt.datetime) -> int:
    with_it = ("service__status", "service__propagated__cause", "commitment", "owner", "operations_team")
    questions = (changed(catalogue, at), left(catalogue))
    return sum(_write(catalogue, version, at) for rows in questions for version in rows.select_related(*with_it)[:MOST_AT_ONCE])


def changed(catalogue: ExternalCatalogue, at: dt.datetime) -> Any:
    """Versions in force that the catalogue was not told yet, or with another status or way out, or by another mapping."""
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
            ("t_life", "lifecycle"),
            ("t_leaves", "leaves_at"),
        )
    }
    planned = Retirement.objects.filter(service=OuterRef("service"), state=Retirement.State.PLANNED)
    asked["leaves_at"] = Subquery(planned.values("ends_at")[:1])
    new = Q(t_version=None) | ~Q(t_version=F("pk")) | ~Q(t_map=catalogue.mapping_hash)
    stands = Q(service__status__isnull=False) & ~Q(t_status=F("service__status__status"))
    reached = Q(service__propagated__isnull=False) & (
        ~Q(t_affected=F("service__propagated__status")) | Q(t_by=None) | ~Q(t_by=F("service__propagated__cause"))
    )
    over = Q(service__propagated__isnull=True) & ~Q(t_affected="")
    leaves = ~Q(t_life=F("service__lifecycle")) | ~Q(leaves=Coalesce("t_leaves", NEVER))
    return rows.annotate(**asked, leaves=Coalesce("leaves_at", NEVER)).filter(new | stands | reached | over | leaves)


def left(catalogue: ExternalCatalogue) -> Any:
    """The last versions of retired entries that the catalogue knows and was not told to be over, or by another mapping."""
    told = Publication.objects.filter(catalogue=catalogue, service__lifecycle=Service.Lifecycle.RETIRED)
    untold = told.exclude(lifecycle=Service.Lifecycle.RETIRED, mapping_hash=catalogue.mapping_hash)
    newest = ServiceVersion.objects.approved().filter(service=OuterRef("service")).order_by("-number")
    rows = ServiceVersion.objects.approved().filter(service__in=untold.values("service"), pk=Subquery(newest.values("pk")[:1]))
    return rows.annotate(leaves_at=RangeEndsWith("effective")).order_by("service__code")


def waiting(catalogue: ExternalCatalogue, at: dt.datetime) -> int:
    """How many entries differ from what the catalogue was told."""
    return int(changed(catalogue, at).count() + left(catalogue).count())


def _write(catalogue: ExternalCatalogue, version: ServiceVersion, at: dt.datetime) -> bool:
    status, reached = getattr(version.service, "status", None), getattr(version.service, "propagated", None)
    leaves_at = version.leaves_at  # type: ignore[attr-defined]  # both questions bring it along
    fields = presets.fields_of(catalogue.mapping, sources_of(version, settings.BASE_URL, leaves_at))
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
            "lifecycle": version.service.lifecycle, "leaves_at": leaves_at, "notice": Notice.objects.get(key=key),
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
