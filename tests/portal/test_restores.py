"""The service page says what restore tests proved: the measured time, its date, and how the promise stands."""

import datetime as dt

import pytest

from itsm_backup import journey
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_page import find, service_page
from monitoring.models import ServiceState
from tests.factories import make_job, make_service, make_tool, push, restore_record, run_record
from tests.portal.makers import HOUR

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2")]
TESTED = dt.datetime(2026, 6, 23, 9, 0, tzinfo=dt.UTC)


@pytest.fixture
def tool(noon):
    tool = make_tool(at=noon - dt.timedelta(days=200))
    service = make_service("SVC-003", at=noon - dt.timedelta(days=200), rpo_s=26 * 3600, rto_s=8 * 3600, restore_test_days=90)
    make_job(tool, "nightly", at=noon - dt.timedelta(days=200), service=service)
    push(tool, run_record("nightly", "success", noon - 3 * HOUR), at=noon)
    return tool


def page_of(user, noon, **at):
    moment = Moment(at=noon, now=noon, **at)
    return service_page(version=find(code="SVC-003", user=user, moment=moment), user=user, moment=moment)


def rows(page) -> dict[str, tuple[str, ...]]:
    return {claim.name: (claim.promised, claim.measured, claim.evidence, claim.verdict_words) for claim in page.claims}


def test_a_proven_promise_shows_what_was_measured_and_when(tool, root, noon):
    push(tool, restore_record("nightly", "success", TESTED, minutes=320, rows_total=1_234, bytes_source=99_000_000), at=noon)
    journey.advance(at=noon)
    page = page_of(root, noon)
    assert rows(page)["Recovery time (RTO)"] == ("8 h or less", "5 h 20 min", "Restore test, 23 Jun 2026", "Kept")
    assert rows(page)["Restore test"] == ("every 90 d", "20 d 21 h ago", "Restore test, 23 Jun 2026", "Kept")
    (test,) = page.restores
    assert (test.result, test.scope, test.took, test.amount) == ("Passed", "Everything", "5 h 20 min", "1,234 rows, 99.0 MB")
    assert test.href.startswith("/runs/")


def test_what_nobody_tested_is_unproven_and_pulls_nothing(tool, root, noon):
    journey.advance(at=noon)
    page = page_of(root, noon)
    assert rows(page)["Recovery time (RTO)"] == ("8 h or less", "Not measured", "No full restore test is known", "Unproven")
    assert rows(page)["Restore test"] == ("every 90 d", "Never", "No full restore test is known", "Unproven")
    assert (page.status, page.restores, page.restores_promised) == ("operational", (), True)


def test_a_failed_test_contradicts(tool, root, noon):
    push(tool, restore_record("nightly", "failed", TESTED, native_message="checksum differs"), at=noon)
    journey.advance(at=noon)
    page = page_of(root, noon)
    assert rows(page)["Recovery time (RTO)"][2:] == ("Restore test failed, 23 Jun 2026", "Broken")
    assert page.restores[0].note == "checksum differs"
    assert ServiceState.objects.get().verdict == "broken"


def test_a_test_that_came_back_differently_says_so(tool, root, noon):
    push(tool, restore_record("nightly", "success", TESTED, minutes=293, verification_state="failed"), at=noon)
    journey.advance(at=noon)
    (test,) = page_of(root, noon).restores
    assert (test.result, test.took, test.note) == ("Failed", "4 h 53 min", "What came back was compared, and it is not what was saved")


def test_a_slow_test_contradicts_the_time_but_keeps_the_interval(tool, root, noon):
    push(tool, restore_record("nightly", "success", TESTED, minutes=600), at=noon)
    journey.advance(at=noon)
    found = rows(page_of(root, noon))
    assert found["Recovery time (RTO)"] == ("8 h or less", "10 h", "Restore test, 23 Jun 2026", "Broken")
    assert found["Restore test"][3] == "Kept"


def test_the_past_shows_the_tests_that_were_known_then(tool, root, noon):
    journey.advance(at=noon)
    push(tool, restore_record("nightly", "success", TESTED), at=noon + HOUR)
    journey.advance(at=noon + HOUR)
    then = Moment(at=noon, now=noon + HOUR)
    assert service_page(version=find(code="SVC-003", user=root, moment=then), user=root, moment=then).restores == ()
    assert len(page_of(root, noon + HOUR).restores) == 1


def test_the_day_strip_marks_the_day_of_a_passed_test(tool, root, noon):
    push(tool, restore_record("nightly", "success", TESTED), at=noon)
    journey.advance(at=noon)
    days = page_of(root, noon).days
    assert 'aria-label="Tue 23 Jun: not scheduled, 1 restore test passed"' in days
    assert days.count("day--restored") == 1


def test_the_page_links_each_test_to_its_run(tool, root, noon, client):
    push(tool, restore_record("nightly", "success", TESTED), at=noon)
    journey.advance(at=noon)
    client.force_login(root)
    html = client.get("/services/SVC-003/").content.decode()
    run = ServiceState.objects.get().evaluation.inputs["restore"]["tests"][0]["run"]
    assert "<caption>Restore tests</caption>" in html
    assert f'href="/runs/{run}/"' in html
