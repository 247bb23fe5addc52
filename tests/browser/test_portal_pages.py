"""The portal in a real browser: accessible, no sideways scrolling, strict policy, keys, drawer, and all of it without JavaScript."""

import pytest

from catalogue import batching, importing, publishing
from incidents.models import Incident
from monitoring.models import BackupRun
from tests.factories import make_admin
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def pages(estate):
    incident = Incident.objects.get().number
    run = BackupRun.objects.filter(service=estate.imaging).latest("occurred_at").pk
    then = f"{estate.at:%Y-%m-%dT%H:%MZ}"
    many = many_entries(estate)
    return [
        *many,
        "/",
        f"/?as_of={then}",
        "/services/",
        "/services/?text=nothing-like-this",
        "/services/SVC-003/",
        "/services/SVC-033/",
        "/services/SVC-003/runs/",
        "/calendar/",
        "/calendar/?rows=compact&by=department",
        f"/calendar/?as_of={then}",
        "/services/SVC-003/calendar/",
        f"/services/SVC-003/days/{estate.at:%Y-%m-%d}/",
        f"/services/SVC-033/days/{estate.at:%Y-%m-%d}/?as_of={then}",
        "/services/SVC-003/versions/",
        "/services/SVC-003/versions/1/",
        "/services/SVC-003/commitment/",
        "/services/SVC-003/status/",
        "/services/SVC-003/objectives/",
        "/thresholds/?fall_after=1&days=30",
        "/cadence/",
        "/reports/recounted/",
        "/restores/",
        "/incidents/muted/",
        "/incidents/messages/",
        "/digest/",
        "/deviations/",
        "/methods/",
        "/methods/BM-ANO-WD/1/",
        "/services/detected/",
        f"/runs/{run}/",
        "/incidents/",
        "/incidents/?view=resolved",
        f"/incidents/{incident}/",
        "/explain/status/SVC-003/",
        "/first-steps/",
        "/accounts/password/change/",
        "/accounts/password/reset/",
        "/search?q=imaging",
        "/services/?as_of=2026-99-99",
        "/nothing-here",
    ]


def many_entries(estate):
    """Work on many entries: the form, what is looked at, what runs, the list, and what waits for approval."""
    by = estate.imaging.versions.get().owner
    draft = publishing.draft_version(service=estate.research, content={"supplier": "A"}, commitment={}, by=by, at=estate.at, reason="New")
    publishing.submit(version=draft, by=by, at=estate.at, announce=False)
    batches = []
    for values in ({"supplier": "Archive Ltd"}, {"tier": 9}):
        wishes = importing.to_change(["SVC-003", "SVC-011", "SVC-033"], values, by=make_admin())
        said = {"by": by, "at": estate.at, "reason": "New contract"}
        batches.append(batching.propose(act="draft", title="Change of 3 entries", wishes=wishes, **said))
    batching.start(batch=batches[0], by=by, at=estate.at, partly=True)
    return ["/services/import/", "/batches/", *(f"/batches/{batch.pk}/" for batch in batches), "/approvals/"]


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_every_page_is_accessible_fits_the_screen_and_obeys_the_policy(tab, estate_now, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    root, found = make_admin("root"), {}
    for path in pages(estate_now):
        page = tab(root, size=size, scheme=scheme)
        answer = page.goto(path)
        seen = [told for told in page.complaints if answer.status == 200]  # axe itself adds styles that the policy then refuses
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
        page.context.close()
    assert not found


def test_everything_fits_on_the_narrowest_screen(tab, estate_now):
    page, wide = tab(make_admin("root"), size="narrow"), []
    for path in pages(estate_now):
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert not wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signing_in_is_accessible_and_tells_what_went_wrong(tab, estate_now, scheme):
    from axe_playwright_python.sync_playwright import Axe

    make_admin("root")
    page = tab(scheme=scheme)
    page.goto("/services/")
    page.fill("[name=login]", "root")
    page.fill("[name=password]", "wrong")
    page.click("main button")
    assert "You are not signed in." in page.inner_text("[role=alert]")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert not page.complaints
    assert not Axe().run(page).response["violations"]
    page.fill("[name=password]", "a long enough password")
    page.click("main button")
    assert page.url.endswith("/services/")


def test_the_drawer_opens_beside_the_page_has_its_own_address_and_gives_the_focus_back(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/services/SVC-003/")
    link = page.locator("a[data-explain]").first
    link.click()
    page.wait_for_selector("#drawer:not([hidden]) .steps")
    assert "/explain/evaluation/" in page.url
    assert page.evaluate("document.activeElement.id") == "explain-title"
    assert page.locator("#drawer .steps > li").count() == 5
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.url.endswith("/services/SVC-003/")
    assert link.evaluate("link => link === document.activeElement")
    page.go_forward()
    page.wait_for_selector("#drawer:not([hidden]) .steps")
    page.reload()
    assert page.locator("h1#explain-title").count() == 1, "the address of the drawer is a page"
    assert not page.complaints


def test_the_drawer_judges_again_and_can_be_cited(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/services/SVC-003/")
    page.locator("a[data-explain]").first.click()
    page.click("#drawer >> text=Run again")
    page.wait_for_selector("#drawer >> text=From the runs as they are now: the same.")
    assert "Both agree." in page.inner_text("#drawer [role=status]")
    page.click("#drawer >> text=Cite")
    assert "/explain/evaluation/" in page.input_value("#drawer #cite-address")
    page.click("#drawer [data-close]")
    page.wait_for_selector("#drawer", state="hidden")
    assert not page.complaints


def test_on_a_phone_an_explanation_is_a_page(tab, estate_now):
    page = tab(make_admin("root"), size="phone")
    page.goto("/services/SVC-003/")
    page.locator("a[data-explain]").first.click()
    page.wait_for_selector("h1#explain-title")


def test_keys_find_go_walk_and_explain(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("gs?")
    assert page.input_value("#find") == "gs?", "letters typed into a field are letters"
    page.locator("h1").click()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "Imaging archive"
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "Research file shares"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "Imaging archive"
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/services/")
    page.goto("/services/SVC-003/")
    page.keyboard.press("4")
    page.wait_for_url("**#history")
    page.keyboard.press("e")
    page.wait_for_selector("#drawer:not([hidden])")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog#keys[open]").count() == 1
    assert not page.complaints


def test_letter_keys_can_be_switched_off_and_the_theme_chosen(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/")
    page.click("details.account > summary")
    page.click("text=Dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("button[name=letter_keys][value=off]")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "find"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the server knows it too"
    page.keyboard.press("?")
    assert page.locator("dialog#keys[open]").count() == 0
    assert not page.complaints


def test_ages_count_on_silently_and_a_passed_promise_is_told(tab, estate_now):
    page = tab(make_admin("root"))
    page.clock.install()
    page.goto("/")
    age = page.locator(".tile", has_text="SVC-011").or_(page.locator("a.tile[href*='SVC-011'] [data-tile]")).last
    assert age.inner_text().startswith("2 h 0")
    assert page.inner_text("#told") == ""
    page.clock.fast_forward("03:00:00")
    assert age.inner_text().startswith("5 h 0")
    page.clock.fast_forward("04:00:00")
    assert "the newest restorable copy is now older than promised." in page.inner_text("#told")


def test_the_slider_goes_to_the_past_by_keyboard_and_back(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/services/?tier=1")
    page.focus("form[data-asof] input[type=range]")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**as_of=*")
    assert "tier=1" in page.url
    assert "You are looking at" in page.inner_text(".rail")
    page.wait_for_function("document.activeElement.matches('form[data-asof] input[type=range]')")
    page.click("text=Back to now")
    page.wait_for_url("**/services/?tier=1")
    page.focus("form[data-asof] input[type=range]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "as-of"


def test_the_menu_opens_on_a_phone(tab, estate_now):
    page = tab(make_admin("root"), size="phone")
    page.goto("/")
    assert not page.is_visible("nav.nav >> text=Services")
    page.click(".menu-button")
    assert page.get_attribute(".menu-button", "aria-expanded") == "true"
    page.click("nav.nav >> text=Services")
    page.wait_for_url("**/services/")


def test_the_skip_link_leads_into_the_page(tab, estate_now):
    page = tab(make_admin("root"))
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_an_operator_works_an_incident_without_javascript(tab, estate_now):
    page = tab(make_person("operator", estate_now.at), scripts=False)
    page.goto("/")
    page.click("text=INC-")
    page.click("text=Acknowledge INC-")
    assert "You have taken INC-" in page.inner_text(".messages")
    page.fill("textarea[name=text]", "Freed 2 TB")
    page.click("text=Add the note")
    assert "Freed 2 TB" in page.inner_text("[aria-labelledby=story-title] .timeline")
    page.click("text=Why this incident?")
    page.click("text=Run again")
    assert "From the stored inputs: the same." in page.inner_text("main")
    assert not page.complaints


def test_filters_time_menu_and_theme_work_without_javascript(tab, estate_now):
    page = tab(make_admin("root"), scripts=False, size="phone")
    page.goto("/")
    page.click(".menu-button")
    page.click("nav.nav >> text=Services")
    page.select_option("select[name=tier]", "1")
    page.click("text=Filter")
    assert "1 service matches." in page.inner_text("h1")
    page.fill("input[name=as_of]", f"{estate_now.at.date().replace(day=1)}")
    page.click("form[data-asof] >> text=Show")
    assert "Back to now" in page.inner_text(".rail") or estate_now.at.day == 1
    page.goto("/")
    page.click("details.account > summary")
    page.click("text=Dark")
    assert page.get_attribute("html", "data-theme") == "dark"
