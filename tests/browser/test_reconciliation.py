"""A published figure that comes out otherwise, in a real browser: found by the recount, read with its cause, followed up."""

from __future__ import annotations

import datetime as dt

import pytest
from axe_playwright_python.sync_playwright import Axe

from reporting import compiling, reconciling
from reporting.models import Settlement
from reporting.scoping import Scope
from tests.factories import make_admin
from tests.portal.makers import make_person
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_estate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def recounted():
    estate = make_estate()
    report = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)[0]
    late_run_arrives(estate)
    reconciling.reconcile_due(at=JULY_1 + 2 * DAY)
    return report


@pytest.mark.req("3.6")
def test_what_differs_is_read_with_its_cause_explained_and_told_by_a_revision(tab, recounted):
    page = tab(make_person("steward", JULY_1))
    page.set_default_timeout(60_000)
    page.goto("/reports/")
    page.click("text=Recounted")
    assert page.inner_text("h1") == "2 published figures come out otherwise now."
    success = page.locator("#differs tbody tr", has_text="Run success")
    words = success.inner_text()
    assert "28 of 30" in words and "29 of 30" in words and "Data arrived later" in words
    success.locator("summary", has_text="What happened").click()
    assert "because its run arrived later" in success.inner_text()
    assert "4 of 5 services" in page.inner_text("#recounts") and "Differs" in page.inner_text("#recounts")

    success.locator("summary", has_text="It stands").click()
    success.locator("textarea").fill("   ")
    success.locator("text=Keep it so").click()
    page.locator("[role=alert]", has_text="Say why the published figure stands").wait_for()
    again = page.locator("#differs tbody tr", has_text="Run success")
    again.locator("textarea").fill("The board has read it as it is")
    again.locator("text=Keep it so").click()
    page.locator(".messages", has_text="The published figure stands").wait_for()
    assert page.inner_text("h1") == "1 published figure comes out otherwise now."
    assert "The board has read it as it is" in page.inner_text("#followed")

    revision = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1 + 3 * DAY)[0]
    reconciling.reconcile(report=revision, at=JULY_1 + 4 * DAY)
    page.goto("/reports/recounted/")
    assert page.inner_text("h1") == "Every published figure comes out the same from the raw runs."
    assert "A revision tells it" in page.inner_text("#followed") and Settlement.objects.count() == 2
    page.goto(f"/reports/recounted/?as_of={JULY_1 + 2 * DAY + dt.timedelta(minutes=1):%Y-%m-%dT%H:%MZ}")
    assert page.inner_text("h1") == "2 published figures come out otherwise now." and page.locator("#followed").count() == 0
    assert page.complaints == [one for one in page.complaints if "409" in one]

    reader = tab(make_person("stakeholder", JULY_1))
    assert reader.goto("/reports/recounted/").status == 200 and reader.locator("textarea").count() == 0


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_page_is_accessible_and_fits_the_screen(tab, recounted, size, scheme):
    page = tab(make_admin(), size=size, scheme=scheme)
    page.goto("/reports/recounted/")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == [] and page.complaints == []
