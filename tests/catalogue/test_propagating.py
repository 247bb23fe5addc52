"""A provider's status travels over hard relations, is kept apart from the own status, and goes when its cause does."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue import propagating, status
from catalogue.models import PropagatedStatus, Propagation, Relation, ServiceStatus
from itsm_backup.common.models import because
from tests.catalogue.makers import NOON, make_service

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def relate(consumer, provider, **fields):
    with because("test"):
        return Relation.objects.create(consumer=consumer, provider=provider, **fields)


def stand(service, to, at=NOON + HOUR):
    status.change(service=service, to=to, reason="test", evaluation=1, at=at)


def affected() -> dict[str, tuple[str, str]]:
    return {row.service.code: (row.status, row.cause.code) for row in PropagatedStatus.objects.select_related("service", "cause")}


@pytest.fixture
def chain():
    """archive needs platform, platform needs power."""
    power, platform, archive = (make_service(code) for code in ("POWER", "PLATFORM", "ARCHIVE"))
    relate(platform, power, kind="hosted_on")
    relate(archive, platform)
    for one in (power, platform, archive):
        stand(one, "operational")
    return power, platform, archive


def test_it_reaches_all_that_need_it_through_others_and_goes_with_its_cause(chain):
    power, _platform, archive = chain
    stand(power, "outage", NOON + 2 * HOUR)
    assert propagating.propagate(at=NOON + 2 * HOUR) == 1
    assert affected() == {"PLATFORM": ("outage", "POWER"), "ARCHIVE": ("outage", "POWER")}
    assert set(ServiceStatus.objects.exclude(service=power).values_list("status", flat=True)) == {"operational"}, "kept apart"
    step = Propagation.objects.get(service=archive)
    assert [one["provider"] for one in step.inputs["relations"]] == ["PLATFORM", "POWER"]
    assert all(one["version"] for one in step.inputs["relations"])
    assert propagating.propagate(at=NOON + 3 * HOUR) == 0
    stand(power, "operational", NOON + 4 * HOUR)
    propagating.propagate(at=NOON + 4 * HOUR)
    assert affected() == {}
    assert [row.status for row in Propagation.objects.filter(service=archive).order_by("pk")] == ["outage", ""]


def test_services_that_need_one_another_do_not_hold_each_other_down(chain):
    power, _platform, archive = chain
    relate(power, archive)
    stand(power, "degraded", NOON + 2 * HOUR)
    propagating.propagate(at=NOON + 2 * HOUR)
    assert set(affected()) == {"PLATFORM", "ARCHIVE"}
    stand(power, "operational", NOON + 3 * HOUR)
    propagating.propagate(at=NOON + 3 * HOUR)
    assert affected() == {}


def test_only_what_is_worse_than_the_own_status_counts_and_an_outage_before_a_degradation(chain):
    power, platform, archive = chain
    stand(platform, "degraded", NOON + 2 * HOUR)
    propagating.propagate(at=NOON + 2 * HOUR)
    assert affected() == {"ARCHIVE": ("degraded", "PLATFORM")}
    stand(power, "outage", NOON + 3 * HOUR)
    stand(archive, "outage", NOON + 3 * HOUR)
    propagating.propagate(at=NOON + 3 * HOUR)
    assert affected() == {"PLATFORM": ("outage", "POWER")}


@pytest.mark.parametrize("to", ["maintenance", "unknown"])
def test_planned_work_and_ignorance_do_not_travel(chain, to):
    stand(chain[0], to, NOON + 2 * HOUR)
    assert propagating.propagate(at=NOON + 2 * HOUR) == 0
    assert affected() == {}


def test_soft_relations_pass_nothing_on_and_a_relation_counts_for_its_time(chain):
    power, _, _ = chain
    soft, later = make_service("SOFT"), make_service("LATER")
    relate(soft, power, strength="soft")
    relate(later, power, valid_from=NOON + 5 * HOUR, valid_until=NOON + 7 * HOUR)
    stand(power, "outage", NOON + 2 * HOUR)
    propagating.propagate(at=NOON + 2 * HOUR)
    assert set(affected()) == {"PLATFORM", "ARCHIVE"}
    assert propagating.propagate(at=NOON + 4 * HOUR) == 0
    assert propagating.propagate(at=NOON + 5 * HOUR) == 1, "time alone brings it"
    assert affected()["LATER"] == ("outage", "POWER")
    propagating.propagate(at=NOON + 7 * HOUR)
    assert "LATER" not in affected()


def test_since_is_kept_while_only_the_cause_changes(chain):
    power, platform, _archive = chain
    stand(power, "degraded", NOON + 2 * HOUR)
    propagating.propagate(at=NOON + 2 * HOUR)
    stand(platform, "degraded", NOON + 3 * HOUR)
    propagating.propagate(at=NOON + 3 * HOUR)
    row = PropagatedStatus.objects.get()
    assert (row.cause.code, row.since) == ("PLATFORM", NOON + 2 * HOUR)


def test_the_database_keeps_every_step_and_refuses_one_without_its_cause(chain):
    stand(chain[0], "outage", NOON + 2 * HOUR)
    propagating.propagate(at=NOON + 2 * HOUR)
    for sql in ("UPDATE catalogue_propagation SET status = ''", "DELETE FROM catalogue_propagation"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    with pytest.raises(DatabaseError, match="propagation_has_a_cause"), transaction.atomic():
        Propagation.objects.create(service=chain[0], at=NOON, status="outage", inputs={}, inputs_hash=b"", method_version="x")


def test_many_consumers_take_as_many_questions_as_few(chain, django_assert_max_num_queries):
    power = chain[0]
    for number in range(25):
        relate(make_service(f"C-{number}"), power)
    stand(power, "outage", NOON + 2 * HOUR)
    with django_assert_max_num_queries(16):
        propagating.propagate(at=NOON + 2 * HOUR)
    assert len(affected()) == 27


def test_an_outage_of_a_store_degrades_what_is_backed_up_there_and_nobody_beyond(chain):
    power, platform, archive = chain
    backed_up, reader = make_service("BACKED"), make_service("READER")
    relate(backed_up, platform, kind="stores_to")
    relate(reader, backed_up)
    for one in (backed_up, reader):
        stand(one, "operational")
    stand(power, "degraded", NOON + 2 * HOUR)
    propagating.propagate(at=NOON + 2 * HOUR)
    assert affected() == {"PLATFORM": ("degraded", "POWER"), "ARCHIVE": ("degraded", "POWER")}, "a store that is degraded still stores"
    stand(power, "outage", NOON + 3 * HOUR)
    propagating.propagate(at=NOON + 3 * HOUR)
    assert affected() == {"PLATFORM": ("outage", "POWER"), "ARCHIVE": ("outage", "POWER"), "BACKED": ("degraded", "POWER")}
    step = Propagation.objects.get(service=backed_up)
    assert propagating.reach(step.inputs) == "degraded" and propagating.hits_backup(step.inputs)
    assert propagating.reach(step.inputs, propagating.FIRST) == "outage", "what was said before is repeated as it was said"
    relate(backed_up, archive)  # what it needs itself counts before what its backup needs
    propagating.look_again([power.pk], NOON + 4 * HOUR)
    propagating.propagate(at=NOON + 4 * HOUR)
    assert affected()["BACKED"] == ("outage", "POWER")
