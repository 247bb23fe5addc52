"""A status set by hand: by an operator, for a time, one at a time, whoever comes first; the judgement goes on beside it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from catalogue import overriding
from catalogue.models import ServiceStatus, StatusOverride
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from itsm_backup.common.time import iso
from monitoring import judging
from monitoring.models import Evaluation
from tests.catalogue.makers import make_user
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def operator():
    return make_user("operator", "catalogue.view_service", "catalogue.override_service")


@pytest.fixture
def imaging(noon):
    service = make_service("PACS", at=noon - 9 * DAY, rpo_s=26 * 3600)
    tool = make_tool(at=noon - 9 * DAY)
    job = make_job(tool, "nightly", at=noon - 9 * DAY, service=service)
    make_schedule(job, local_times="10:00", grace_s=3600)
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon - HOUR / 2)
    journey.advance(at=noon)
    return service


def status_of(service):
    row = ServiceStatus.objects.get(service=service)
    return row.status, row.reason


def test_it_stands_in_place_of_the_computed_status_until_it_expires(imaging, operator, noon):
    assert status_of(imaging)[0] == "operational"
    said = {"service": imaging, "by": operator, "owner": operator}
    overriding.override(**said, status="outage", expires_at=noon + 3 * HOUR, at=noon, reason="The reading room is flooded")
    journey.advance(at=noon)
    assert status_of(imaging) == ("outage", "Set by hand until 14 Jul 2026, 15:00 UTC: The reading room is flooded")
    held = Evaluation.objects.latest("pk")
    assert (held.verdict, held.result["status_reason"], held.result["next_change_at"]) == ("kept", "set_by_hand", iso(noon + 3 * HOUR))
    assert judging.judge_service(held.inputs) == held.result, "it can be worked out again from what is kept"
    journey.advance(at=noon + 3 * HOUR)
    assert status_of(imaging)[0] == "operational", "it ended by itself, and at once"


def test_who_sets_it_ends_it_early(imaging, operator, noon):
    said = {"service": imaging, "by": operator, "owner": operator}
    row = overriding.override(**said, status="degraded", expires_at=noon + DAY, at=noon, reason="Slow")
    journey.advance(at=noon)
    overriding.end(row=row, by=operator, at=noon + HOUR, reason="Fast again")
    journey.advance(at=noon + HOUR)
    assert status_of(imaging)[0] == "operational"
    with pytest.raises(WrongState, match="over already"):
        overriding.end(row=row, by=operator, at=noon + 2 * HOUR, reason="Again")
    assert [one.history_change_reason for one in StatusOverride.history.order_by("history_id")] == ["Slow", "Fast again"]
    overriding.override(**said, status="outage", expires_at=noon + DAY, at=noon + 2 * HOUR, reason="Once more")


def test_refusals_say_what_to_do(imaging, operator, noon):
    said = {"service": imaging, "status": "outage", "owner": operator, "at": noon}
    with pytest.raises(NotAllowed, match="You may not set by hand the status of PACS"):
        overriding.override(**said, by=make_user("reader", "catalogue.view_service"), expires_at=noon + HOUR, reason="x")
    with pytest.raises(NotReady, match="Say why"):
        overriding.override(**said, by=operator, expires_at=noon + HOUR, reason=" ")
    for expires_at in (noon - DAY, noon, noon + 31 * DAY):
        with pytest.raises(NotReady, match="within 30 days"):
            overriding.override(**said, by=operator, expires_at=expires_at, reason="x")
    with pytest.raises(NotReady, match="unknown"):
        overriding.override(**{**said, "status": "unknown"}, by=operator, expires_at=noon + HOUR, reason="x")
    overriding.override(**said, by=operator, expires_at=noon + HOUR, reason="x")
    with pytest.raises(NotReady, match="set by hand already"):
        overriding.override(**said, by=operator, expires_at=noon + 2 * HOUR, reason="y")


def test_the_database_keeps_one_at_a_time(imaging, operator, noon):
    overriding.override(service=imaging, status="outage", owner=operator, by=operator, at=noon, expires_at=noon + HOUR, reason="x")
    copy = """INSERT INTO catalogue_statusoverride (service_id, status, reason, owner_id, made_at, made_by_id, expires_at)
              SELECT service_id, status, reason, owner_id, made_at + interval '5 minutes', made_by_id, expires_at
              FROM catalogue_statusoverride"""
    with pytest.raises(IntegrityError, match="override_one_at_a_time"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(copy)


def test_who_wrote_the_entry_does_not_set_its_status(imaging, noon):
    author = imaging.version_at(noon).author_ids[0]
    from django.contrib.auth import get_user_model
    from guardian.shortcuts import assign_perm

    person = get_user_model().objects.get(pk=author)
    assign_perm("catalogue.override_service", person, imaging)
    with pytest.raises(NotAllowed, match="does not close by hand"):
        overriding.override(service=imaging, status="outage", owner=person, by=person, at=noon, expires_at=noon + HOUR, reason="x")
