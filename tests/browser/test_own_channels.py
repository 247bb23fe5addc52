"""A person's own channels in a real browser: entered, waiting for their code, and taken away; bad input loses nothing."""

from __future__ import annotations

import os

import pytest

from incidents.models import OwnChannel
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.req("3.3")]


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_a_channel_is_entered_waits_for_its_code_and_is_taken_away(tab, estate_now, present, size, scheme):
    page = tab(make_person("operator", present), size=size, scheme=scheme)
    page.set_default_timeout(60_000)
    page.goto("/digest/")
    page.fill("#channel-name", "Phone")
    page.fill("#channel-address", "nonsense")
    page.click("#channels >> text=Send a code there")
    page.wait_for_selector("#channels [role=alert]")
    assert page.input_value("#channel-name") == "Phone" and page.input_value("#channel-address") == "nonsense"
    page.complaints.clear()  # 409, as it should be
    page.fill("#channel-address", "ntfy://ntfy.example.org/mine")
    page.click("#channels >> text=Send a code there")
    page.wait_for_selector("#channels [data-row]")
    assert "Not confirmed" in page.inner_text("#channels") and "ntfy.example.org" not in page.content()
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/channels-{size}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.click("#channels >> text=Take Phone away")
    page.wait_for_selector("text=Nothing goes there any more")
    assert not OwnChannel.objects.exists() and page.complaints == []
