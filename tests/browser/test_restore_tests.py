"""A restore test by people in a real browser: wanted, planned, recorded by the tester, verified by somebody else, proven."""

from __future__ import annotations

import datetime as dt

import pytest
from axe_playwright_python.sync_playwright import Axe

from itsm_backup import journey
from itsm_backup.portal.words import zone
from monitoring.models import RestorePlan
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def pharmacy(present):
    service = make_service("SVC-050", name="Pharmacy", rto_s=4 * 3600, restore_test_days=90, at=present - 60 * HOUR)
    tool = make_tool(at=present - 60 * HOUR)
    make_job(tool, service=service, at=present - 60 * HOUR)
    push(tool, run_record("nightly", "success", present - 8 * HOUR), at=present - 7 * HOUR)
    journey.advance(at=present)
    return service


def typed(at):
    return f"{at.astimezone(zone()):%Y-%m-%dT%H:%M}"


def opened(tab, person):
    page = tab(person)
    page.set_default_timeout(60_000)
    page.goto("/restores/")
    return page


@pytest.mark.req("3.2")
def test_a_test_is_planned_recorded_verified_and_proves_the_promise(tab, pharmacy, present):
    planner, tester = make_person("operator", present), make_person("operator", present)
    page = opened(tab, planner)
    assert page.inner_text("h1") == "1 service wants a restore test that nobody has planned."
    assert "No test of a full restore is known" in page.inner_text("#due")
    page.click("text=Plan a test")
    page.fill("#planned_on", f"{present:%Y-%m-%d}")
    page.select_option("#tester", str(tester.pk))
    page.fill("#place", "Isolated network")
    page.click("text=Plan it")
    page.locator(".messages", has_text="The restore test is planned").wait_for()
    assert page.locator("#record").count() == 0, "only the tester records"

    mine = opened(tab, tester)
    mine.click("#open tbody a >> nth=0")
    mine.fill("#started_at", typed(present - 3 * HOUR))
    mine.fill("#ended_at", typed(present - 4 * HOUR))
    mine.select_option("#compared", "yes")
    mine.fill("#remark", "All tables of the dispensary, rows counted on both sides")
    mine.click("text=Record it")
    mine.locator("[role=alert]", has_text="It ends after it starts").wait_for()
    assert mine.input_value("#remark").startswith("All tables"), "nothing typed is lost"
    mine.fill("#ended_at", typed(present - 1 * HOUR))
    mine.click("text=Record it")
    mine.locator(".messages", has_text="Somebody else verifies it").wait_for()
    assert mine.locator("#verify").count() == 0 and "You ran this test" in mine.inner_text("main")

    page.reload()
    page.fill("#finding", "Read the counts in the log of the test")
    page.click("text=It is as recorded")
    page.locator(".messages", has_text="counts from now on").wait_for()
    assert "2 h" in page.inner_text("main") and RestorePlan.objects.get().state == "verified"
    journey.advance(at=present + dt.timedelta(minutes=5))
    page.goto("/restores/")
    assert page.inner_text("h1") == "Every promise to get copies back is proven, or a test of it is planned."
    assert "Passed in 2 h, compared and right" in page.inner_text("#done")
    page.goto("/services/SVC-050/")
    assert "Passed" in page.inner_text("#restores")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_pages_are_accessible_and_fit_the_screen(tab, pharmacy, present, size, scheme):
    operator = make_person("operator", present)
    job = pharmacy.jobs.get()
    from monitoring import testing_restores

    plan = testing_restores.plan(
        job=job, scope="full", planned_on=present.date(), tester=operator, by=operator, at=present, reason="Quarterly"
    )  # fmt: skip
    page = tab(operator, size=size, scheme=scheme)
    for path in ("/restores/", f"/restores/{plan.pk}/", "/services/SVC-050/restores/plan"):
        page.goto(path)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
        assert [one["id"] for one in Axe().run(page).response["violations"]] == [], path
    assert page.complaints == []
