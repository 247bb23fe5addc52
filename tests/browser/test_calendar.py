"""The calendar in a real browser: one tab stop, keys, the day's card, the list on a phone, and all of it without JavaScript."""

import datetime as dt

import pytest

from tests.factories import make_admin

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
DAY = dt.timedelta(days=1)


def focused(page):
    """The day that has the focus, and of which service."""
    row = page.evaluate("document.activeElement.closest('tr')?.querySelector('th')?.textContent")
    return row, page.evaluate(FOCUSED).split(":")[0]


def words(on):
    return f"{on:%a} {on.day} {on:%b}"


def test_the_grid_is_one_tab_stop_and_arrows_walk_it(tab, estate_now):
    page, today = tab(make_admin("root")), estate_now.at.date()
    page.goto("/calendar/")
    assert page.locator("table.calendar a.day").count() == 3 * 31
    assert page.locator("table.calendar a.day[tabindex='0']").count() == 1
    page.focus("table.calendar a.day[tabindex='0']")
    assert focused(page) == ("Imaging archive", words(today))
    for key, row, on in (
        ("ArrowLeft", "Imaging archive", today - DAY),
        ("ArrowDown", "Radiology reporting", today - DAY),
        ("ArrowDown", "Research file shares", today - DAY),
        ("ArrowDown", "Research file shares", today - DAY),
        ("PageUp", "Research file shares", today - 8 * DAY),
        ("Home", "Research file shares", today - 30 * DAY),
        ("ArrowUp", "Radiology reporting", today - 30 * DAY),
        ("PageDown", "Radiology reporting", today - 23 * DAY),
        ("End", "Radiology reporting", today),
        ("ArrowRight", "Radiology reporting", today),
        ("Control+Home", "Imaging archive", today - 30 * DAY),
        ("Control+End", "Research file shares", today),
    ):
        page.keyboard.press(key)
        assert focused(page) == (row, words(on)), key
    assert page.locator("table.calendar a.day[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/services/SVC-033/days/{today}/")
    assert not page.complaints


def test_f_goes_to_the_next_failure_and_e_explains_it(tab, estate_now):
    page, today = tab(make_admin("root")), estate_now.at.date()
    page.goto("/calendar/")
    page.keyboard.press("f")
    assert focused(page)[0] == "Imaging archive" and "failed" in page.evaluate(FOCUSED)
    cell = page.evaluate("document.activeElement.href")
    page.keyboard.press("e")
    page.wait_for_selector("#drawer:not([hidden]) .steps")
    assert "/explain/evaluation/" in page.url
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.url.endswith("/calendar/")
    assert page.evaluate("document.activeElement.href") == cell, "the focus comes back to the cell"
    page.goto(f"/calendar/?ending={today - 40 * DAY}")
    page.keyboard.press("f")
    assert page.inner_text("#told") == "No failed or missed day here."
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/calendar/")
    page.keyboard.press("?")
    assert "next failure" in page.inner_text("dialog#keys[open]")
    assert not page.complaints


def test_the_card_shows_the_day_on_focus_and_hover_and_goes_with_escape(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/calendar/")
    page.keyboard.press("f")
    page.wait_for_selector("#day-card:not([hidden])")
    card = page.inner_text("#day-card")
    first_failure, breach = (estate_now.at - dt.timedelta(hours=hours) for hours in (3, 1))
    promise = "RPO 4 h, broken for" if breach.date() == first_failure.date() else "RPO 4 h, kept that day"  # the breach may follow midnight
    assert "Imaging archive" in card and "Failed" in card and promise in card and "no space left" in card
    page.keyboard.press("Escape")
    assert page.is_hidden("#day-card")
    page.hover("tr:has-text('Radiology reporting') a.day >> nth=30")
    page.wait_for_selector("#day-card:not([hidden]) >> text=Radiology reporting")
    page.hover("#day-card h2")
    page.wait_for_timeout(400)
    assert page.is_visible("#day-card"), "the pointer may move onto the card"
    page.click("#day-card >> text=Explain this cell")
    page.wait_for_selector("#drawer:not([hidden]) .steps")
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.evaluate("document.activeElement.classList.contains('day')")
    assert not page.complaints


def test_the_card_is_accessible_in_both_themes(tab, estate_now):
    from axe_playwright_python.sync_playwright import Axe

    root = make_admin("root")
    for scheme in ("light", "dark"):
        page = tab(root, scheme=scheme)
        page.goto("/calendar/")
        page.keyboard.press("f")
        page.wait_for_selector("#day-card:not([hidden])")
        assert not [one["id"] for one in Axe().run(page).response["violations"]], scheme
        page.context.close()


def test_letter_keys_rest_when_they_are_switched_off(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/calendar/")
    page.evaluate("document.documentElement.dataset.letterKeys = 'off'")
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement === document.body")


def test_a_services_month_is_walked_by_days_weeks_and_months(tab, estate_now):
    page, today = tab(make_admin("root")), estate_now.at.date()
    page.goto("/services/SVC-003/calendar/")
    page.focus("table.month a.day[tabindex='0']")
    assert focused(page)[1] == words(today)
    page.keyboard.press("Home")
    week = today - today.weekday() * DAY
    assert focused(page)[1] == words(max(week, today.replace(day=1)))
    page.keyboard.press("PageUp")
    page.wait_for_url("**month=*")
    assert page.locator("table.month a.day").count() == (today.replace(day=1) - DAY).day
    page.focus("table.month a.day[tabindex='0']")
    page.keyboard.press("ArrowUp")
    assert focused(page)[1] == words(today.replace(day=1) - 8 * DAY)
    page.keyboard.press("PageDown")
    page.wait_for_url(f"**month={today:%Y-%m}")
    assert not page.complaints


def test_rows_are_high_enough_to_hit_and_compact_ones_are_asked_for(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/calendar/")
    heights = "[...document.querySelectorAll('table.calendar td:has(a.day)')].map(cell => cell.getBoundingClientRect().height)"
    assert set(page.evaluate(heights)) == {24}
    page.click("text=Compact rows")
    page.wait_for_url("**rows=compact*")
    assert set(page.evaluate(heights)) == {15}
    assert page.get_attribute("text=Compact rows", "aria-current") == "true"


def test_on_a_phone_a_row_is_a_strip_and_a_tap_leads_to_the_service(tab, estate_now):
    page = tab(make_admin("root"), size="phone")
    page.goto("/calendar/")
    strip = page.locator("tr:has-text('Imaging archive')")
    assert strip.locator("a.day").count() == 31
    box = strip.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20)
    page.wait_for_url("**/services/SVC-003/calendar/")
    assert min(page.evaluate("[...document.querySelectorAll('.month a.day')].map(day => day.getBoundingClientRect().height)")) >= 44
    page.locator("table.month a.day").last.click()
    page.wait_for_url("**/days/**")
    assert "due backup" in page.inner_text("main")
    assert not page.complaints


@pytest.mark.req("3.2")
def test_everything_works_without_javascript(tab, estate_now):
    page, today = tab(make_admin("root"), scripts=False), estate_now.at.date()
    page.goto("/")
    page.click("nav.nav >> text=Calendar")
    page.select_option("select[name=tier]", "1")
    page.click("text=Filter")
    assert page.locator("table.calendar a.day").count() == 31
    page.click("text=← Earlier")
    page.click("text=Later →")
    page.locator("a.day--failed").last.click()
    assert page.url.endswith("/") and "/days/" in page.url
    assert "failed" in page.inner_text("p.lead")
    page.click("text=← Day before")
    assert f"{today - DAY}" in page.url or "/days/" in page.url
    page.goto("/services/SVC-003/")
    page.locator(".day-strip a").last.click()
    page.wait_for_url(f"**/services/SVC-003/days/{today}/")
    page.click(".why")
    assert page.locator("h1#explain-title").count() == 1
    assert not page.complaints
