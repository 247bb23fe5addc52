"""Hundreds of services behind one tool, copied row by row from one that was made by the product's acts."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from typing import Any

from django.db import connection
from django.db.models import Model, OuterRef, QuerySet, Subquery

from catalogue.models import Service, ServiceVersion
from itsm_backup import journey
from monitoring.models import BackupJob, ProtectedItem, ServiceState, Tool
from monitoring.registering import furnish
from tests.factories import push, run_record
from tests.incidents.makers import HOUR, make_estate


def make_many(at: dt.datetime, number: int) -> Tool:
    """One tool with so many services, j0 on, of a job each, all with a first good copy an hour after `at`."""
    tool = make_estate(at, "j0")
    first = BackupJob.objects.select_related("service").get()
    names = [f"j{place}" for place in range(1, number)]
    services = _copies(first.service, names, lambda name: {"code": f"SVC-{name}"})
    _publish(first.service, services)
    jobs = _copies(first, names, lambda name: {"external_id": name, "name": name, "service": services[name], "ping_uuid": uuid.uuid4()})
    furnish(jobs=list(jobs.values()), at=at)
    ProtectedItem.objects.filter(service=None).update(service=Subquery(BackupJob.objects.filter(pk=OuterRef("job")).values("service")[:1]))
    ServiceState.objects.bulk_create([ServiceState(service=one, next_judgement_at=at) for one in services.values()])
    push(tool, *[run_record(name, "success", at + HOUR, minutes=0) for name in names], at=at + 2 * HOUR)
    journey.advance(at=at + 2 * HOUR)
    return tool


def _publish(first: Service, services: dict[str, Service]) -> None:
    """Each has a version like the first one's, with what it promises, in force for as long."""
    version = ServiceVersion.objects.select_related("commitment").get(service=first)
    versions = _copies(version, services, lambda name: {"service": services[name], "name": f"SVC-{name}", "state": "draft"})
    _write([_copy(version.commitment, version=one) for one in versions.values()])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_serviceversion SET state = 'approved' WHERE state = 'draft'")


def _copies(row: Any, names: Any, own: Any) -> dict[str, Any]:
    made = {name: _copy(row, **own(name)) for name in names}
    _write(list(made.values()))
    return made


def _write(rows: list[Any]) -> None:
    QuerySet(type(rows[0])).bulk_create(rows)


def _copy(row: Model, **own: Any) -> Any:
    made = copy.copy(row)
    made._state = copy.copy(row._state)
    made._state.fields_cache = {}
    made.pk, made._state.adding = None, True
    for name, value in own.items():
        setattr(made, name, value)
    return made
