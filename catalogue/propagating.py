"""A status travels from provider to consumer: who is affected by a service that is degraded or out, through which relations.

Whatever is degraded or out by itself reaches everything that stops with it, directly or through others, over hard relations (`impact`).
Where only the backup of a service stops with what is out, the service is degraded at most, and nobody beyond it is affected. A service
is reached only by what is worse than its own status, by an outage before a degradation, by what it needs itself before what its
backup needs, and by the nearest one of these. Only own statuses travel, so two that need one another never hold each
other down: when the cause recovers, nobody is affected any more.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction
from django.db.models import OuterRef, Subquery

from catalogue import impact
from catalogue.models import PropagatedStatus, Propagation, Relation, Service, ServiceStatus, ServiceVersion, StatusChange
from catalogue.weave import BACKUP_STOPS, ONLY_BACKUP
from itsm_backup.common.time import iso, parse_instant

METHOD_VERSION = "propagation-2"
FIRST = "propagation-1"  # it passed on a stop over hard relations of every kind
SPREADS = ("degraded", "outage")  # what travels, worst last; planned maintenance and ignorance do not
_MOST_AT_ONCE = 1_000
# The next instant at which a relation of these services begins or ends.
_NEXT = """
UPDATE catalogue_servicestatus s SET propagate_at = (
  SELECT min(edge.at) FROM catalogue_relation r CROSS JOIN LATERAL (VALUES (r.valid_from), (r.valid_until)) edge(at)
  WHERE (r.provider_id = s.service_id OR r.consumer_id = s.service_id) AND edge.at > %(at)s)
WHERE s.service_id = ANY(%(services)s)
"""


class Reached(NamedTuple):
    """A service that a status travels to: from which cause, over which relations (ids), the service's own first."""

    status: str
    cause_id: int
    way: tuple[int, ...]


def look_again(service_ids: Iterable[int], at: dt.datetime) -> None:
    """Have it looked at whom the status of these services reaches, and what reaches them."""
    ServiceStatus.objects.filter(pk__in=set(service_ids)).update(propagate_at=at)


def propagate(*, at: dt.datetime) -> int:
    """Bring in line who is affected by whom, if a status or a relation changed; returns how many changes were taken up."""
    with transaction.atomic():
        due = ServiceStatus.objects.filter(propagate_at__lte=at).order_by("pk").select_for_update(skip_locked=True)
        ids = list(due.values_list("pk", flat=True))
        if ids:
            _write(reached_at(at), at)
            with connection.cursor() as cursor:
                cursor.execute(_NEXT, {"at": at, "services": ids})
    return len(ids)


def reached_at(at: dt.datetime) -> dict[int, Reached]:
    """Every service that is affected, as statuses and relations stand; a fixed number of questions."""
    in_force = ServiceVersion.objects.in_force(at).values("service")
    own = dict(ServiceStatus.objects.filter(status__in=SPREADS, service__in=in_force).values_list("pk", "status"))
    relations = impact.closure(own, up=True, at=at) if own else []
    ids: dict[tuple[int, int, bool], int] = {}
    for relation in reversed(relations):  # of several between the same two, the first that carries the same stays
        ids[relation.consumer_id, relation.provider_id, relation.letter == BACKUP_STOPS] = relation.id
    found: dict[int, Reached] = {}
    without_backup: dict[int, Reached] = {}
    for status in SPREADS:
        roots = [pk for pk, one in own.items() if one == status]
        known = {root: Reached(status, root, ()) for root in roots}
        for one in impact.hit(roots, relations):
            nearer = known[one.via_id]
            reached = nearer._replace(way=(ids[one.service_id, one.via_id, one.only_backup], *nearer.way))
            if not one.only_backup:
                known[one.service_id] = reached
            elif status == "outage" and is_worse("degraded", own.get(one.service_id, "")):
                without_backup[one.service_id] = reached._replace(status="degraded")
        found |= {pk: one for pk, one in known.items() if one.way and is_worse(status, own.get(pk, ""))}
    found = without_backup | found
    listed = set(ServiceVersion.objects.in_force(at).filter(service__in=found).values_list("service", flat=True))
    return {pk: one for pk, one in found.items() if pk in listed}


def is_worse(status: str, own: str) -> bool:
    """Whether a status that travels is worse than what the service is by itself."""
    return status in SPREADS and (own not in SPREADS or SPREADS.index(status) > SPREADS.index(own))


def hits_backup(inputs: Mapping[str, Any], method: str = METHOD_VERSION) -> bool:
    """Whether it is only the backup of the service that stops with the cause: by the kind of the relation that is its own."""
    return method != FIRST and bool(inputs["relations"]) and inputs["relations"][0]["kind"] in ONLY_BACKUP


def reach(inputs: Mapping[str, Any], method: str = METHOD_VERSION) -> str:
    """Pure: the status that reaches the service by these inputs; empty when none does, because it recovered, or no way leads there."""
    cause, here, at = inputs["cause"], inputs["service"], parse_instant(inputs["at"])
    only_backup = hits_backup(inputs, method)
    for step, relation in enumerate(inputs["relations"]):
        begins, ends = (parse_instant(edge) if edge else None for edge in (relation["from"], relation["until"]))
        stands = (begins is None or begins <= at) and (ends is None or ends > at)
        if relation["consumer"] != here or relation["strength"] != Relation.Strength.HARD or not stands:
            return ""
        if method != FIRST and step and relation["kind"] in ONLY_BACKUP:
            return ""  # whose backup stops goes on, and so does what needs it
        here = relation["provider"]
    leads = cause is not None and bool(inputs["relations"]) and here == cause["service"]
    if not leads or (only_backup and cause["status"] != "outage"):
        return ""
    status: str = "degraded" if only_backup else cause["status"]
    return status if is_worse(status, inputs["own"]["status"]) else ""


def _write(wanted: Mapping[int, Reached], at: dt.datetime) -> None:
    """Keep what is new as steps, and the rows of now in line with them."""
    now = {row.pk: row for row in PropagatedStatus.objects.select_related("step").select_for_update(of=("self",))}
    inputs = _inputs(wanted, now, at)
    steps = {}
    for pk, asked in inputs.items():
        digest = hash_of(asked)
        one = wanted.get(pk)
        if one is None or pk not in now or bytes(now[pk].step.inputs_hash) != digest or now[pk].status != one.status:
            steps[pk] = Propagation(
                service_id=pk, at=at, status=one.status if one else "", cause_id=one.cause_id if one else None, inputs=asked,
                inputs_hash=digest, method_version=METHOD_VERSION,
            )  # fmt: skip
    Propagation.objects.bulk_create(steps.values(), batch_size=_MOST_AT_ONCE)
    PropagatedStatus.objects.filter(pk__in=[pk for pk in now if pk not in wanted]).delete()
    rows = [_row(pk, wanted[pk], step, now.get(pk), at) for pk, step in steps.items() if pk in wanted]
    fields = ["status", "since", "cause", "step"]
    PropagatedStatus.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["service"], update_fields=fields, batch_size=_MOST_AT_ONCE
    )


def _row(pk: int, one: Reached, step: Propagation, before: PropagatedStatus | None, at: dt.datetime) -> PropagatedStatus:
    since = before.since if before and before.status == one.status else at
    return PropagatedStatus(service_id=pk, status=one.status, since=since, cause_id=one.cause_id, step=step)


def hash_of(inputs: Mapping[str, Any]) -> bytes:
    """SHA-256 over the canonical JSON of the inputs (sorted keys), without the instant, which moves with every look."""
    return hashlib.sha256(msgspec.json.encode({**inputs, "at": None}, order="sorted")).digest()


def _inputs(wanted: Mapping[int, Reached], now: Mapping[int, PropagatedStatus], at: dt.datetime) -> dict[int, dict[str, Any]]:
    """What each step says: of those that are affected, and of those that were (then the former cause, without a way from it)."""
    causes = {pk: one.cause_id for pk, one in wanted.items()} | {pk: row.cause_id for pk, row in now.items() if pk not in wanted}
    standing = _standing({*causes, *causes.values()})
    relations = _relations({relation for one in wanted.values() for relation in one.way})
    return {
        pk: {
            "at": iso(at),
            "service": standing[pk]["service"],
            "own": {name: standing[pk][name] for name in ("status", "step")},
            "cause": standing[cause],
            "relations": [relations[relation] for relation in (wanted[pk].way if pk in wanted else ())],
        }
        for pk, cause in causes.items()
    }


def _standing(service_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Code and own status of each, with the step of its history and the judgement that decided."""
    latest = StatusChange.objects.filter(service=OuterRef("pk")).order_by("-at", "-id").values("pk")[:1]
    rows = Service.objects.filter(pk__in=service_ids).annotate(step=Subquery(latest))
    told = rows.values_list("pk", "code", "status__status", "status__since", "step", "status__evaluation")
    return {
        pk: {"service": code, "status": status or "unknown", "since": iso(since), "step": step, "evaluation": evaluation}
        for pk, code, status, since, step, evaluation in told
    }


def _relations(ids: Sequence[int] | set[int]) -> dict[int, dict[str, Any]]:
    newest = Relation.history.filter(id=OuterRef("pk")).order_by("-history_date", "-history_id").values("history_id")[:1]
    rows = Relation.objects.filter(pk__in=ids).annotate(version=Subquery(newest)).select_related("consumer", "provider")
    return {
        row.pk: {
            "relation": row.pk, "version": row.version, "consumer": row.consumer.code, "provider": row.provider.code, "kind": row.kind,
            "strength": row.strength, "from": iso(row.valid_from), "until": iso(row.valid_until),
        }
        for row in rows
    }  # fmt: skip
