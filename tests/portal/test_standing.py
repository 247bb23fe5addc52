"""Where services stand: exposure in words and as a bar, now and then."""

import datetime as dt

import pytest

from itsm_backup import journey
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.standing import exposure, standings, worst_first
from monitoring.models import ServiceState, ToolState
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record
from tests.portal.makers import HOUR, make_person

NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
NOW = Moment(at=NOON, now=NOON)


def test_an_exposure_tells_age_and_promise():
    found = exposure("broken", NOON - dt.timedelta(hours=6, minutes=12), 4 * 3600, NOW)
    assert (found.age, found.promise, found.tile) == ("6 h 12 min", "4 h", "6 h 12 / 4 h")
    assert "<title>Newest restorable copy: 6 h 12 min old, promise 4 h. Broken.</title>" in found.bar
    assert found.captured == "2026-07-14T05:48:00Z"


def test_a_young_copy_is_shown_as_good_where_something_else_is_broken():
    young, old = (exposure("broken", NOON - hours * HOUR, 4 * 3600, NOW) for hours in (1, 5))
    assert (young.verdict, young.of_age, old.of_age) == ("broken", "kept", "broken")
    assert "bar--kept" in young.bar and "bar--broken" in old.bar


def test_no_data_is_unknown_where_no_copy_is_known():
    found = exposure("no_data", None, 48 * 3600, NOW)
    assert (found.age, found.tile, found.known, found.captured) == ("Unknown", "unknown / 48 h", False, "")
    assert "bar-empty" in found.bar


def test_a_copy_that_is_known_is_told_where_only_the_schedule_is_missing():
    young, old = (exposure("no_data", NOON - hours * HOUR, 4 * 3600, NOW) for hours in (1, 3.9))
    assert (young.age, young.known, young.of_age, old.of_age) == ("1 h", True, "kept", "at_risk")
    assert "<title>Newest restorable copy: 1 h old, promise 4 h. Kept.</title>" in young.bar


@pytest.mark.django_db
def test_no_age_is_told_while_one_of_several_items_is_behind_a_silent_tool(noon):
    known, silent = (make_tool(at=noon - 48 * HOUR, name=name) for name in ("known", "silent"))
    service = make_service("SVC-1", at=noon - 48 * HOUR, rpo_s=4 * 3600)
    for tool in (known, silent):
        make_job(tool, tool.name, at=noon - 48 * HOUR, service=service)
        push(tool, run_record(tool.name, "success", noon - HOUR), at=noon - HOUR / 2)
    journey.advance(at=noon)
    here = {"user": make_admin(), "moment": Moment(at=noon, now=noon)}
    assert standings(**here).get().captured_at == noon - HOUR
    ToolState.objects.filter(tool=silent).update(silent_since=noon)
    ServiceState.objects.update(next_judgement_at=noon)
    journey.advance(at=noon + HOUR / 60)
    claim = ServiceState.objects.get().evaluation.result["claims"][0]
    assert claim["reason"] == "source_silent" and claim["captured_at"], "one copy is known, the other one is not"
    assert standings(**here).get().captured_at is None
    then = Moment(at=noon + HOUR / 60, now=noon + HOUR / 50)
    assert standings(here["user"], then).get().captured_at is None


def test_a_service_that_was_never_protected_has_no_copy_and_a_full_bar():
    found = exposure("broken", None, 4 * 3600, NOW)
    assert (found.age, found.tile) == ("No copy", "no copy / 4 h")
    assert 'width="100%" height="7"></rect><line' in found.bar


def test_a_young_service_that_owes_no_copy_yet_has_an_empty_bar():
    found = exposure("kept", None, 4 * 3600, NOW)
    assert (found.tile, "bar-empty" in found.bar, "bar-fill" in found.bar) == ("no copy / 4 h", True, False)


def test_an_entry_that_promises_no_recovery_point_lacks_no_copy():
    found = exposure("kept", None, None, NOW)
    assert (found.age, found.tile, found.known) == ("Not promised", "not promised", False)
    assert "No recovery point is promised; what is promised is kept." in found.bar
    assert exposure("broken", None, None, NOW).age == "No copy"


def test_the_past_does_not_count_on():
    assert exposure("kept", NOON - HOUR, 3600, Moment(at=NOON, now=NOON + HOUR)).captured == ""


@pytest.mark.django_db
def test_it_puts_the_worst_first(estate, root):
    rows = list(worst_first(standings(root, estate.moment)))
    assert [(row.service.code, row.verdict, row.stands) for row in rows] == [
        ("SVC-003", "broken", "degraded"),
        ("SVC-033", "no_data", "unknown"),
        ("SVC-011", "kept", "operational"),
    ]


@pytest.mark.django_db
def test_it_knows_what_was_known_then(estate, root):
    then = Moment(at=estate.at - 4 * HOUR, now=estate.at)
    rows = {row.service.code: row for row in standings(root, then)}
    assert (rows["SVC-003"].verdict, rows["SVC-003"].stands) == ("kept", "operational")
    assert rows["SVC-003"].captured_at == estate.at - 5 * HOUR
    assert rows["SVC-003"].promised_s == 4 * 3600


@pytest.mark.django_db
def test_before_the_entry_there_is_no_row(estate, root):
    assert not standings(root, Moment(at=estate.at - dt.timedelta(days=30), now=estate.at)).exists()


@pytest.mark.django_db
def test_it_shows_only_what_one_may_see(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.reporting])
    assert [row.service.code for row in standings(somebody, estate.moment)] == ["SVC-011"]
    assert [row.service.code for row in standings(somebody, Moment(at=estate.at - HOUR, now=estate.at))] == ["SVC-011"]
