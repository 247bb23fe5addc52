"""Where copies lie, in a real browser: a part that nobody knows leads the steward to the place where it is said, and then it is known."""

from __future__ import annotations

import os

import pytest

from catalogue.models import TierDefault
from itsm_backup.common.models import because
from monitoring.models import Repository
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.req("3.1")]


def kept_as_picture(page, name):
    """Where PICTURES names a folder, what the page looks like stands there afterwards."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def met(page):
    return [row.split("\t")[2].strip() for row in page.locator("#places table").first.locator("tbody tr").all_inner_texts()]


def test_a_steward_says_where_copies_lie_and_each_part_is_known(tab, estate_now, present):
    with because("test"):
        TierDefault.objects.create(tier=1, rpo_s=14_400, rto_s=14_400, success_rate="0.99", rpo_attainment_rate="0.995",
                                   restore_test_days=90, copy_scheme="3-2-1-1-0")  # fmt: skip
    page = tab(make_person("steward", present))
    page.set_default_timeout(60_000)
    path = f"/services/{estate_now.imaging.code}/objectives/"
    page.goto(path)
    assert met(page) == ["Not known"] * 5
    page.click("#places td a")
    page.wait_for_selector("#id_medium")
    assert page.input_value("#id_name") == "NAS-02" and page.input_value("#id_tool") == str(estate_now.tool.pk)
    page.select_option("#id_medium", "disk")
    page.fill("#id_site", "Main hall")
    page.select_option("#id_is_offsite", "true")
    page.select_option("#id_is_offline", "false")
    page.fill("#id_lock_days", "14")
    kept_as_picture(page, "repository-form")
    page.fill("[name=change_reason]", "Seen on site")
    page.click("[name=_save]")
    page.wait_for_selector("#changelist")
    page.goto(path)
    assert met(page) == ["No", "No", "Yes", "Yes", "Not known"]
    assert "disk, Main hall, off-site, online, locked for 14 days" in page.inner_text("#places").lower().replace("main hall", "Main hall")
    kept_as_picture(page, "places-desk")
    assert Repository.objects.get().history.get().history_change_reason == "Seen on site"
    assert page.complaints == []


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
@pytest.mark.req("3.2")
def test_thirteen_months_stand_on_the_page_of_the_service(tab, estate_now, present, size, scheme):
    page = tab(make_person("stakeholder", present), size=size, scheme=scheme)
    page.set_default_timeout(60_000)
    page.goto(f"/services/{estate_now.imaging.code}/")
    shown = page.locator("#months .chart-wide" if size == "desk" else "#months .chart-narrow")
    assert shown.locator("svg").is_visible()
    kept_as_picture(page, f"months-{size}")
    shown.locator("summary").click()
    assert shown.locator("tbody tr").count() == 13
    shown.locator("tbody tr a").last.click()
    page.wait_for_url("**/calendar/?month=*")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") and page.complaints == []
