"""The scope of the catalogue, walked in a real browser: discovered, decided, orphaned, overdue, and read by those who only read."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import scoping
from catalogue.models import ScopeDecision, ScopeLine, Service
from itsm_backup import journey
from tests.catalogue.makers import take_out
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def estate(present):
    start = present - 30 * DAY
    tool = make_tool(name="vault", label="Vault control", at=start)
    for code, name in (("PACS", "Imaging archive"), ("RIS", "Radiology reporting")):
        make_job(tool, code.lower(), at=start, service=make_service(code, name=name, at=start))
    make_service("POOL", name="Storage pool", kind="backup_service", at=start)
    told = {"pacs": "s3:objects/pool", "ris": "s3:objects/pool", "mail": None}
    push(tool, *(run_record(job, "success", present - DAY, repository_name=store) for job, store in told.items()), at=present - DAY)
    journey.advance(at=present)
    return tool


@pytest.mark.req("1.1")
def test_backup_services_are_discovered_decided_and_looked_after(tab, estate, present):
    steward = make_person("steward", present)
    page = tab(steward)
    page.set_default_timeout(60_000)
    page.goto("/services/")
    page.click("nav[aria-label='How they hang together'] >> text=Scope")
    assert page.inner_text("h1") == "0 of 3 backup services are decided."
    waiting = page.inner_text("#waiting")
    assert "s3:objects/pool" in waiting and "2 services use it: Imaging archive, Radiology reporting." in waiting
    assert "The answers speak for an entry of its own." in waiting and "Storage pool" in waiting and "mail" in waiting

    # a repository becomes an entry of its own: first without what is needed, then whole
    page.click("text=Decide on s3:objects/pool")
    assert page.is_checked("[name=consumers][value=yes]") and page.input_value("#hosting") == "cloud", "what the data know is filled in"
    page.fill("#name", "Object storage backup")
    page.check("[name=outcome][value=listed]")
    page.fill("#provider", "The cloud provider")
    page.fill("#reason", "Two services write there")
    page.click("main form button >> text=Decide")
    assert "Name the entry" in page.inner_text("[role=alert]") and page.input_value("#name") == "Object storage backup"
    assert not ScopeLine.objects.exists()
    page.fill("#entry", "POOL")
    page.click("main form button >> text=Decide")
    assert "Object storage backup is listed." in page.inner_text(".messages")
    line = page.inner_text("main")
    assert "It is an entry of its own: Storage pool." in line and "Cloud, The cloud provider" in line and steward.get_full_name() in line
    assert "s3:objects/pool" in page.inner_text("#parts") and "Two services write there" in page.inner_text("#history")

    # a job is referenced through another entry, and one that no tool tells of is left out
    page.goto("/scope/")
    page.click("text=Decide on mail")
    page.fill("#name", "Mailbox backup")
    page.check("[name=outcome][value=referenced]")
    page.fill("#entry", "Radiology reporting")
    page.fill("#reason", "It comes with the reporting system")
    page.click("main form button >> text=Decide")
    assert "Mailbox backup is referenced through RIS." in page.inner_text(".messages")
    page.goto("/scope/")
    assert page.inner_text("h1") == "All 2 backup services are decided." and "Nothing waits" in page.inner_text("#waiting")
    page.click("text=Add a backup service")
    page.fill("#name", "Laptop backup")
    page.check("[name=outcome][value=excluded]")
    page.select_option("#hosting", "hybrid")
    page.fill("#reason", "Nothing is promised for laptops")
    page.click("main form button >> text=Decide")
    assert "Laptop backup is left out." in page.inner_text(".messages")

    # findings: a carrier that is retired, a review that is overdue
    laptops = ScopeLine.objects.get(name="Laptop backup")
    late = {"outcome": "excluded", "entry": None, "hosting": "hybrid", "answers": dict.fromkeys(scoping.QUESTIONS, "no")}
    old = scoping.open_line(name="Old tape robot", by=steward, at=present - 20 * DAY, reason="test")
    scoping.decide_scope(
        line=old, **late, review_on=(present - 5 * DAY).date(), by=steward, at=present - 19 * DAY, reason="To be thrown away"
    )  # fmt: skip
    take_out(Service.objects.get(code="RIS"))
    page.goto("/scope/")
    findings = page.inner_text("#findings")
    assert "Carrier gone" in findings and "Radiology reporting (RIS), is retired. Decide again." in findings
    assert "Review overdue" in findings and "5 days ago" in findings
    assert laptops.name not in findings

    # who only reads sees the proof: hosting, decision, reason, who, when, next review; and what was known then
    auditor = tab(make_person("auditor", present))
    auditor.goto("/scope/?outcome=listed")
    row = auditor.inner_text("#register tbody tr")
    newest = ScopeDecision.objects.get(line__name="Object storage backup")
    for told in ("Object storage backup", "Cloud", "Listed", "Storage pool", "Two services write there", steward.get_full_name()):
        assert told in row
    assert f"{newest.review_on.day} {newest.review_on:%b %Y}" in row
    assert auditor.locator("text=Decide on").count() == 0 and auditor.locator("text=Add a backup service").count() == 0
    assert auditor.goto(f"/scope/decide/line-{laptops.pk}/").status == 403
    auditor.goto(f"/scope/?as_of={present - 10 * DAY:%Y-%m-%dT%H:%MZ}")
    assert auditor.inner_text("h1") == "1 of 3 backup services is decided.", "then the pool and its entry waited"
    assert page.complaints == [one for one in page.complaints if "409" in one]


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_its_pages_are_accessible_and_fit_the_screen(tab, estate, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    root, found = make_admin("root"), {}
    asked = {"outcome": "referenced", "hosting": "cloud", "answers": dict.fromkeys(scoping.QUESTIONS, "no"), "entry": Service.objects.get(
        code="PACS")}  # fmt: skip
    made = scoping.decide_new(
        name="Vault", **asked, review_on=(present - DAY).date(), by=root, at=present - 9 * DAY, reason="A reason"
    )  # fmt: skip
    paths = ["/scope/", "/scope/?text=nothing", f"/scope/{made.line_id}/", f"/scope/decide/line-{made.line_id}/", "/scope/decide/new/"]
    for path in paths:
        page = tab(root, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
    assert found == {}
