"""A person's own digest in a real browser: read, chosen, refused with what was typed."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from incidents.models import DigestPreference
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.req("3.3")
def test_it_shows_what_it_would_say_and_keeps_what_is_chosen(tab, estate_now, present):
    page = tab(make_person("operator", present))
    page.set_default_timeout(60_000)
    page.goto("/")
    page.click("details.account summary")
    page.click("text=Your digest")
    assert page.locator("#zone").bounding_box()["width"] < 640, "a field is no wider than what is typed into it"
    now = page.inner_text("#now")
    assert "Imaging archive: broken" in now and now.index("Services that do not keep") < now.index("Open incidents")
    page.check("[value=P4]")
    page.click("text=Keep it so")
    page.locator("[role=alert]", has_text="What waits needs a digest to wait for").wait_for()
    assert page.is_checked("[value=P4]"), "nothing that was chosen is lost"
    page.select_option("#digest", "exceptions")
    page.fill("#told_at", "06:30")
    page.click("text=Keep it so")
    page.locator(".messages", has_text="It is kept").wait_for()
    row = DigestPreference.objects.get()
    assert (row.digest, f"{row.told_at:%H:%M}", row.waits) == ("exceptions", "06:30", ["P4"])


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_page_is_accessible_and_fits_the_screen(tab, estate_now, present, size, scheme):
    page = tab(make_person("operator", present), size=size, scheme=scheme)
    page.goto("/digest/")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == [] and page.complaints == []
