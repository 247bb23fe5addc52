"""Who feels an incident: worked out in the database, kept by columns, and read as entries."""

import json

import pytest
from django.db import connection

from catalogue.models import Relation, Service
from incidents import feeling, reckoning
from incidents.models import Incident
from incidents.models.felt import by_columns, by_entries
from itsm_backup.common.models import Notice, because
from tests.factories import make_admin, make_service
from tests.incidents.makers import HOUR, fail, make_estate


@pytest.fixture
def start(noon):
    return noon - 24 * HOUR


pytestmark = [pytest.mark.django_db, pytest.mark.req("5.2")]


def needs(consumer: Service, provider: Service, kind: str = "depends_on") -> None:
    with because("test"):
        Relation.objects.create(consumer=consumer, provider=provider, kind=kind)


def kept(pk: int) -> dict:
    with connection.cursor() as cursor:
        cursor.execute("SELECT impact_at_opening::text FROM incidents_incident WHERE id = %s", [pk])
        return json.loads(cursor.fetchone()[0])


def test_the_copy_that_is_kept_is_the_impact_of_that_time(start, noon):
    tool, disks = make_estate(start, "a"), Service.objects.get(code="SVC-a")
    ward, desk = make_service("WARD", name="Ward", at=start, tier=1), make_service("DESK", name="Desk", at=start, tier=3)
    needs(ward, disks)
    needs(desk, ward)
    fail(tool, "a", noon - HOUR)
    fail(tool, "a", noon)
    incident = Incident.objects.get()
    assert incident.impact_at_opening == feeling.impact_of([disks.pk], at=noon)
    assert [(one["code"], one["via"], one["depth"]) for one in incident.impact_at_opening["consumers"]] == [
        ("WARD", disks.pk, 1), ("DESK", ward.pk, 2)
    ]  # fmt: skip
    assert [(one["code"], one["tier"], one["effective_tier"]) for one in incident.impact_at_opening["services"]] == [("SVC-a", 2, 1)]
    assert kept(incident.pk)["consumers"]["code"] == ["WARD", "DESK"], "names of values stand there once"
    incident.title = "Another one"
    incident.save()
    assert Incident.objects.get().impact_at_opening == incident.impact_at_opening, "a copy that was read is written as it was"


def test_what_only_keeps_its_backup_there_is_counted_as_that(start, noon, client):
    """A store fails: the ward stores there and goes on, so the desk that needs the ward is not hit; but its tier weighs."""
    tool, store = make_estate(start, "a"), Service.objects.get(code="SVC-a")
    ward, desk = make_service("WARD", name="Ward", at=start, tier=3), make_service("DESK", name="Desk", at=start, tier=1)
    needs(ward, store, "stores_to")
    needs(desk, ward)
    fail(tool, "a", noon - HOUR)
    fail(tool, "a", noon)
    incident = Incident.objects.get()
    assert incident.impact_at_opening == feeling.impact_of([store.pk], at=noon)
    assert [(one["code"], one["only_backup"]) for one in incident.impact_at_opening["consumers"]] == [("WARD", True)]
    assert incident.impact_at_opening["services"][0]["effective_tier"] == 1 and incident.impact == "high"
    steps = " ".join(reckoning.steps_of(incident, user=None))
    assert "Desk is of tier 1 and hangs on what loses its backup with it, so it counts as tier 1" in steps
    mail = Notice.objects.filter(key__contains="opened").first()
    assert "Ward (tier 3, only its backup)" in mail.body
    client.force_login(make_admin())
    page = client.get(f"/incidents/{incident.number}/").content.decode()
    assert "1 service loses its backup with it." in page and "Keeps its backup there" in page and "counts as 1" in page
    felt = client.get(f"/api/v1/incidents/{incident.number}/impact/").json()["now"]["consumers"]
    assert [(one["code"], one["only_backup"]) for one in felt] == [("WARD", True)]


def test_several_services_count_each_by_what_stops_with_it(start):
    one, two, ward = (make_service(code, at=start, tier=tier) for code, tier in (("ONE", 3), ("TWO", 4), ("WARD", 1)))
    needs(ward, two)
    felt = feeling.impact_of([one.pk, two.pk], at=start)
    assert [(row["code"], row["effective_tier"]) for row in felt["services"]] == [("ONE", 3), ("TWO", 1)]
    assert feeling.impact_of([], at=start)["consumers"] == []


def test_entries_and_columns_are_the_same():
    felt = {"at": "2026-11-28T12:00:00Z", "services": [{"code": "A", "tier": 1}, {"code": "B", "tier": 2}], "consumers": []}
    assert by_columns(felt)["services"] == {"code": ["A", "B"], "tier": [1, 2]}
    assert by_entries(by_columns(felt)) == felt
    assert by_entries({}) == by_columns({}) == {}
