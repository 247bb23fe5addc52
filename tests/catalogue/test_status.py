"""The only writer of a service's status."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue import status
from catalogue.models import Service, ServiceStatus, StatusChange
from tests.catalogue.makers import NOON, make_service

pytestmark = pytest.mark.django_db
LATER = NOON + dt.timedelta(hours=1)


def test_it_moves_the_status_and_remembers_the_step():
    service = make_service()
    assert status.change(service=service, to="degraded", reason="RPO broken", evaluation=7, at=LATER)
    row = ServiceStatus.objects.get()
    assert (row.status, row.since, row.reason, row.evaluation) == ("degraded", LATER, "RPO broken", 7)
    step = StatusChange.objects.latest("id")
    assert (step.from_status, step.to_status, step.at, step.evaluation, step.by) == ("unknown", "degraded", LATER, 7, None)


def test_it_does_nothing_when_the_service_stands_there_already():
    service = make_service()
    status.change(service=service, to="degraded", reason="RPO broken", evaluation=7, at=LATER)
    steps = StatusChange.objects.count()
    assert not status.change(service=service, to="degraded", reason="Another", evaluation=8, at=LATER + dt.timedelta(hours=1))
    assert (StatusChange.objects.count(), ServiceStatus.objects.get().since) == (steps, LATER)


def test_it_makes_the_first_status_of_a_service():
    service = Service.objects.get(pk=make_service().pk)
    service.status.delete()
    assert status.change(service=service, to="operational", reason="Fresh copy", evaluation=1, at=LATER)
    assert StatusChange.objects.latest("id").from_status == ""


@pytest.mark.parametrize("sql", ["UPDATE catalogue_statuschange SET reason = 'x'", "DELETE FROM catalogue_statuschange",
                                 "TRUNCATE catalogue_statuschange"])  # fmt: skip
def test_the_database_keeps_every_step(sql):
    make_service()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql)
