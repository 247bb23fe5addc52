"""Matrix, comparison and approval with the keyboard alone, in a real browser: every stop can be seen, nothing is a trap."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import publishing
from catalogue.models import Relation, ServiceVersion
from itsm_backup.common.time import now
from tests.factories import make_admin, make_service
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "The pool was moved to the second hall, and everything that stood in the first one went with it. " * 8
SEEN = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  const parts = one.type === "datetime-local"; // the browser rings day, month, year and its calendar inside the field
  return ring || parts ? "" : one.outerHTML.slice(0, 120);
}"""


def reach(page, selector, *, most=120):
    """Press Tab until the focus stands on the wanted element; whatever it passes shows where it stands."""
    unseen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        unseen.append(page.evaluate(SEEN))
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert [one for one in unseen if one] == [], "the focus is not to be seen there"
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_a_relation_is_set_in_the_matrix(tab):
    for code, name in (("PACS", "Imaging archive"), ("RIS", "Radiology reporting"), ("NET", "Network core")):
        make_service(code, name=name)
    page = tab(make_person("steward", now()))
    page.set_default_timeout(20_000)
    page.goto("/services/matrix/?edit=1&add=PACS,RIS,NET")
    reach(page, "input[name=cell]")
    for key in ("ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    cell = page.evaluate("document.activeElement.value")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.checked")
    reach(page, "#deed")
    page.keyboard.type("Set to hard")
    reach(page, "#deed-kind", most=1)
    page.keyboard.type("depends")
    reach(page, "#reason", most=1)
    page.keyboard.type("As built")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="1 would change").wait_for()
    reach(page, "button[value=keep]")
    page.keyboard.press("Enter")
    page.locator(".messages", has_text="1 relation changed").wait_for()
    made = Relation.objects.select_related("consumer", "provider").get()
    assert f"{made.consumer.code}>{made.provider.code}" == cell and (made.kind, made.strength) == ("depends_on", "hard")
    assert not page.complaints


def test_a_change_is_read_and_approved(tab):
    service, author, at = make_service("PACS", name="Imaging archive"), make_admin("author"), now() - dt.timedelta(minutes=5)
    draft = publishing.draft_version(
        service=service, content={"summary": "Pictures"}, commitment={"rpo_s": 7_200}, by=author, at=at, reason=LONG
    )
    publishing.submit(version=draft, by=author, at=at)
    page = tab(make_person("approver", now()))
    page.set_default_timeout(20_000)
    page.goto("/services/PACS/versions/")
    reach(page, "td a[href$='/versions/2/'], th a[href$='/versions/2/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/versions/2/")
    reach(page, ".clamped > summary")
    page.keyboard.press("Enter")
    assert page.inner_text(".lead >> nth=-1").strip().endswith("went with it."), "the whole reason"
    reach(page, ".diff .more > summary")
    page.keyboard.press("Enter")
    assert page.locator(".diff .more[open] tbody tr").first.is_visible()
    reach(page, "#approve-reason")
    page.keyboard.type("Agreed")
    reach(page, "button.button--primary", most=1)
    page.keyboard.press("Enter")
    page.locator(".messages", has_text="is approved").wait_for()
    done = ServiceVersion.objects.get(pk=draft.pk)
    assert done.state == "approved" and done.approver.first_name == "Approver"
    assert not page.complaints


def test_the_check_list_of_a_draft_never_covers_the_field_in_focus(tab):
    service, at = make_service("PACS", name="Imaging archive"), now()
    steward = make_person("steward", at)
    promise = {"rpo_s": 7_200, "rto_s": 3_600, "retention_days": 20, "retention_min_days": 90, "restore_test_days": 365}
    draft = publishing.draft_version(service=service, content={"summary": LONG}, commitment=promise, by=steward, at=at, reason="x")
    page = tab(steward)
    page.goto(f"/admin/catalogue/serviceversion/{draft.pk}/change/")
    page.focus("[name=name]")
    covered = []
    for _ in range(45):
        page.keyboard.press("Tab")
        covered += page.evaluate("""() => {
          const one = document.activeElement, panel = document.querySelector("#checks");
          if (!one.matches("form input, form select, form textarea") || panel.contains(one)) return [];
          const field = one.getBoundingClientRect(), over = panel.getBoundingClientRect();
          const fits = field.height < over.top; // a taller one is seen from its top
          return over.bottom >= innerHeight - 1 && (fits ? field.bottom : field.top) > over.top + 1 ? [one.name] : [];
        }""")
    assert covered == []


def test_on_a_phone_the_check_list_is_one_line_that_opens_and_stays_as_it_is_put(tab):
    service, at = make_service("PACS", name="Imaging archive"), now()
    steward = make_person("steward", at)
    promise = {"rpo_s": 7_200, "retention_days": 20, "retention_min_days": 90, "restore_test_days": 365}
    draft = publishing.draft_version(service=service, content={"summary": LONG}, commitment=promise, by=steward, at=at, reason="x")
    page = tab(steward)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/admin/catalogue/serviceversion/{draft.pk}/change/")
    page.wait_for_selector("#checks details:not([open])")
    assert "1 stops it" in page.inner_text("#checks summary")
    assert page.locator("#checks").bounding_box()["height"] <= 90
    page.locator("#checks summary").click()
    page.wait_for_selector("#checks details[open]")
    with page.expect_response(lambda answer: "/check" in answer.url):
        page.fill("[name=retention_days]", "90 d")
    page.locator("#checks summary", has_text="to consider").wait_for()
    page.locator("#checks details[open]").wait_for()
    assert "stops it" not in page.inner_text("#checks summary")
