"""The objectives of a service in a real browser: from its page to targets, counts, budget, trend, and the runs behind them."""

from __future__ import annotations

import pytest

from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.req("3.1")
@pytest.mark.req("3.2")
def test_a_service_shows_its_objectives_and_every_figure_leads_to_its_method_and_runs(tab, estate_now, present):
    code = estate_now.imaging.code
    page = tab(make_person("stakeholder", present))
    page.set_default_timeout(60_000)
    page.goto(f"/services/{code}/")
    page.click("#promise >> text=Objectives")
    assert "recovery point" in page.inner_text("h1") and "broken" in page.inner_text("h1")
    success = page.locator("#objectives tr", has_text="Run success")
    assert "90%" in success.inner_text() and "Inconclusive" in success.inner_text() and "runs can tell" in success.inner_text()
    success.locator("text=BM-SR-WIN").click()
    assert page.inner_text("h1") == "Success rate by window (headline)"
    page.go_back()
    page.locator("#objectives tr", has_text="Recovery point (RPO)").locator("text=Runs").last.click()
    assert "/runs/" in page.url
    page.go_back()
    assert "No trend is told" in page.inner_text("#trend")
    page.click("#trend .chart-wide summary")
    assert page.locator("#trend .chart-wide .as-table tbody tr").count() == 13
    assert "two bad ones at least" in page.inner_text("#budget")
    assert page.complaints == []
