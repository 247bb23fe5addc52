"""A status set by hand in a real browser: by the operator, seen by everybody with who answers for it, ended again."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue.models import StatusChange
from itsm_backup import journey
from monitoring.models import StatusWorkflow
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR = dt.timedelta(hours=1)


@pytest.mark.req("2.4")
def test_an_operator_sets_the_status_for_a_time_and_lets_the_computed_one_count_again(tab, estate_now, present):
    code = estate_now.imaging.code
    page = tab(make_person("operator", present))
    page.set_default_timeout(60_000)
    page.goto(f"/services/{code}/")
    before = page.inner_text(".title-line .pill")
    page.click(".title-line a")
    assert page.inner_text("h1").startswith("Status of")
    page.select_option("[name=status]", "maintenance")
    page.fill("[name=until]", f"{present + 40 * 24 * HOUR:%Y-%m-%dT%H:%M}")
    page.fill("[name=reason]", "The array is being moved")
    page.click("main form button")
    assert "within 30 days" in page.inner_text("[role=alert]") and page.input_value("[name=reason]") == "The array is being moved"
    page.fill("[name=until]", f"{present + 3 * HOUR:%Y-%m-%dT%H:%M}")
    page.click("main form button")
    page.locator(".messages", has_text="set by hand").wait_for()
    assert page.inner_text(".title-line .pill") == "Maintenance"
    assert "Without it, as last judged" in page.inner_text("#standing"), "right at once, before the journey takes it up"
    journey.advance()

    reader = tab(make_person("stakeholder", present))
    reader.goto(f"/services/{code}/")
    assert reader.inner_text(".title-line .pill") == "Maintenance"
    assert "Set by hand until" in reader.inner_text("main") and "The array is being moved" in reader.inner_text("main")
    reader.click(".title-line a")
    assert "You may not set by hand" not in reader.inner_text("#past") and reader.locator("main form").count() == 0
    assert reader.request.post(f"/services/{code}/status/set").status in (403, 400)

    page.fill("[name=reason]", "Done early")
    page.click("#standing button")
    page.locator(".messages", has_text="counts again").wait_for()
    assert page.inner_text(".title-line .pill") == before
    assert "ended by Operator" in page.inner_text("#past")
    journey.advance()
    assert StatusChange.objects.filter(service=estate_now.imaging).latest("pk").from_status == "maintenance"
    assert page.complaints == [one for one in page.complaints if "409" in one]


@pytest.mark.req("2.4")
def test_thresholds_are_tried_on_past_days_before_they_count(tab, estate_now, present):
    page = tab(make_person("monitoring-admin", present))
    page.set_default_timeout(60_000)
    page.goto("/services/")
    page.click("nav[aria-label='How they hang together'] >> text=Thresholds")
    page.fill("main [name=outage_factor_tier_1]", "0.2")
    page.click("text=Try them")
    assert "every factor is 1 or more" in page.inner_text("[role=alert]") and page.input_value("main [name=outage_factor_tier_1]") == "0.2"
    for tier in (1, 2, 3, 4):
        page.fill(f"main [name=outage_factor_tier_{tier}]", "99")
    page.select_option("main [name=days]", "30")
    page.click("text=Try them")
    assert "would have stood otherwise" in page.inner_text("h1")
    assert "judgements made again" in page.inner_text("#tried")
    assert StatusWorkflow.objects.get().outage_factor_tier_1 == 2, "nothing is changed by trying"
    page.fill("[name=reason]", "Agreed with Radiology")
    page.click("text=Put these thresholds in force")
    page.locator(".messages", has_text="in force").wait_for()
    assert StatusWorkflow.objects.get().outage_factor_tier_1 == 99
    assert page.complaints == []

    reader = tab(make_person("auditor", present))
    reader.goto("/thresholds/?fall_after=1&days=30")
    assert reader.locator("text=Put these thresholds in force").count() == 0
    assert tab(make_person("stakeholder", present)).goto("/thresholds/").status == 403


@pytest.mark.req("2.4")
def test_what_a_provider_does_to_a_service_stands_beside_its_own_status(tab, estate_now, present):
    journey.advance()
    page = tab(make_person("operator", present))
    page.set_default_timeout(60_000)
    page.goto("/")
    page.click("text=affected by a provider that is degraded or out")
    assert "affected by a provider" in page.inner_text("h1")
    row = page.locator("tr[data-row]")
    assert row.count() == 1 and "Operational itself, affected by" in row.inner_text()
    page.click("tr[data-row] th a")
    assert page.inner_text(".title-line .pill") == "Operational"
    page.click(".note .why")
    page.locator("text=Reached through").wait_for()
    page.click("text=Run again")
    page.locator("text=Both agree").wait_for()
    assert page.complaints == []
