"""Who needs whom, walked in a real browser as the roles whose work it is."""

from __future__ import annotations

import pytest

from catalogue import impact, relating
from catalogue.models import Relation, SeenRelation, Service
from itsm_backup.common.time import now
from monitoring import sighting
from tests.factories import make_job, make_service, make_tool
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def estate():
    tool = make_tool(name="scripts")
    made = {}
    for code, name, department in (
        ("PACS", "Imaging archive", "Radiology"), ("RIS", "Radiology reporting", "Radiology"), ("NAS-02", "Pool NAS-02", "Digital"),
        ("NET", "Network core", "Digital"),
    ):  # fmt: skip
        made[code] = make_service(code, name=name, department=department)
    job = make_job(tool, "pacs-nightly", service=made["PACS"], repository_name="NAS-02")
    job.service = made["PACS"]
    job.save()
    sighting.see_relations(at=now())
    return made


@pytest.mark.req("1.6")
def test_relations_are_seen_decided_changed_in_the_matrix_and_carry_impact(tab, estate):
    page = tab(make_person("steward", now()))
    page.set_default_timeout(10_000)
    page.goto("/services/")
    page.click("nav[aria-label='How they hang together'] >> text=Matrix")
    assert "1 to be decided" in page.inner_text("h1")
    page.click("nav[aria-label=Relations] >> text=To be decided")
    assert "Imaging archive stores to Pool NAS-02" in page.inner_text("#proposals") and "pacs-nightly" in page.inner_text("#proposals")
    assert "Network core" in page.inner_text("main"), "it stands alone"
    page.fill("#proposals [name=reason]", "The pool was taken over in May")
    page.click("#proposals button >> text=Confirm")
    assert "it stands in the catalogue" in page.inner_text(".messages")

    page.goto("/services/matrix/?edit=1&add=PACS,NET")
    page.focus("table [tabindex='0']")
    first = page.evaluate("document.activeElement.value")
    for key in ("ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    reached = page.evaluate("document.activeElement.value")
    assert all(one != other for one, other in zip(first.split(">"), reached.split(">"), strict=True)), "one row down, one column right"
    for cell in ("RIS>PACS", "NAS-02>NET"):
        page.check(f"input[value='{cell}']")
    page.select_option("#deed-kind", "depends_on")
    page.fill("#reason", "As built")
    page.click("text=Look at it first")
    assert "2 would change" in page.inner_text("h1") and Relation.objects.count() == 1, "looked at, not kept"
    page.click("text=Keep 2 changes")
    assert "2 relations changed" in page.inner_text(".messages")

    page.goto("/services/matrix/")
    page.click("thead a[title='Network core']")
    assert "1 service stops, 1 more loses its backup further on." in page.inner_text("#beside")
    page.click("text=Open as a full graph")
    assert "1 service stops with it and 1 loses its backup, of 3 that need it" in page.inner_text("h1")
    assert "Radiology reporting" in page.inner_text("section[aria-label='What needs Network core']")

    page.goto("/services/matrix/?edit=1&add=PACS,RIS")
    page.check("input[value='NET>RIS']")
    page.select_option("#deed-kind", "supplied_by")
    page.fill("#reason", "The console of the network runs there")
    page.click("text=Look at it first")
    page.click("text=Keep 1 change")
    page.goto("/services/relations/")
    assert "the way leads back" in page.inner_text("main"), "a circle is flagged"
    assert not page.complaints

    reader = tab(make_person("stakeholder", now()), size="phone")
    reader.goto("/services/matrix/")
    assert reader.locator("text=Change relations").count() == 0
    assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
    reader.goto("/services/NET/graph/")
    assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")

    # the closure that the pages show is the one that impact analysis uses
    found = impact.consumers_of([Service.objects.get(code="NAS-02").pk], at=now())
    told = {Service.objects.get(pk=one.service_id).code: one.only_backup for one in found}
    assert told == {"PACS": True}, "its backup stops, and nothing that depends on it does"
    assert SeenRelation.objects.unanswered(now()).count() == 0
    kept = Relation.objects.get(kind="stores_to")
    assert (kept.origin, kept.confirmed_by.first_name) == ("discovered", "Steward")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_pages_of_relations_are_accessible_fit_the_screen_and_obey_the_policy(tab, estate, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    steward, found = make_person("steward", now()), {}
    said = {"by": steward, "at": now(), "reason": "test"}
    for consumer, provider, strength in (("RIS", "PACS", "hard"), ("PACS", "NET", "soft"), ("RIS", "NET", "hard")):
        relating.relate(consumer=estate[consumer], provider=estate[provider], kind="depends_on", strength=strength, **said)
    for path in (
        "/services/matrix/?column=NET",
        "/services/matrix/?edit=1",
        "/services/PACS/graph/",
        "/services/graph/",
        "/services/relations/",
    ):
        page = tab(steward, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)  # axe itself adds styles that the policy then refuses
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
        page.context.close()
    assert not found
