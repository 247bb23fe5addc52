"""From a figure to how it is counted, in a real browser."""

from __future__ import annotations

import pytest

from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.req("3.5")
def test_a_figure_leads_to_its_formula_its_edge_cases_and_an_example_that_holds(tab, estate_now, present):
    page = tab(make_person("stakeholder", present))
    page.set_default_timeout(60_000)
    page.goto(f"/services/{estate_now.imaging.code}/")
    page.click("text=How it is counted >> nth=0")
    assert page.inner_text("h1") == "RPO exposure at an instant"
    assert "max{captured_at of the points usable at t}" in page.inner_text("#formula")
    assert "never_protected" in page.inner_text("main")
    page.locator(".verdict--kept", has_text="as published").wait_for()
    assert "exposure" in page.inner_text("#result")
    page.click("text=Methods >> nth=0")
    assert page.inner_text("h1").startswith("Every figure is counted by one of")
    page.click('th a:text-is("Error budget")')
    assert page.inner_text("h1") == "Error budget"
    assert page.complaints == []


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_the_pages_of_methods_fit(tab, estate_now, present, size, tmp_path):
    page = tab(make_person("stakeholder", present), size=size)
    page.set_default_timeout(60_000)
    for address in ("/methods/", "/methods/BM-SR-WIN/1/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
