"""Attributes of a tool mapped to the catalogue's fields in a real browser, approved by somebody else, and seen beside the promise."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue.models import Service
from itsm_backup import journey
from monitoring import intake
from monitoring.models import AttributeMapping, BackupJob
from tests.factories import make_admin, make_rule, make_service, make_tool
from tests.monitoring.test_translating import answer
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def tool(present):
    tool = make_tool("borg", name="vault", label="Vault", at=present - 60 * DAY, settings={"repository": "/srv/vault"})
    intake.receive(tool=tool, answer=answer(present, alpha=(30, 1)), at=present)
    service = make_service("PACS", name="Imaging archive", at=present - 60 * DAY)
    make_rule(service, tool, BackupJob.objects.get().external_id, at=present - 60 * DAY)
    journey.advance(at=present)
    return tool


def promise(present, **more):
    """The same entry with further promises, as a second version."""
    from catalogue import publishing
    from tests.factories import make_user

    author, service = make_user(), Service.objects.get(code="PACS")
    version = publishing.draft_version(service=service, content={}, commitment=more, by=author, at=present, reason="More")
    publishing.submit(version=version, by=author, at=present)
    publishing.approve(version=version, by=make_admin(), at=present)


@pytest.mark.req("1.2")
def test_attributes_are_mapped_tried_approved_and_stand_beside_the_promise(tab, tool, present):
    promise(present, retention_days=35, encryption="at_rest")
    mona, peter = make_person("monitoring-admin", present), make_person("approver", present)
    page = tab(mona)
    page.set_default_timeout(60_000)
    page.goto("/services/")
    page.click("nav[aria-label='How they hang together'] >> text=Mappings")
    assert page.inner_text("h1") == "0 of 1 tool have a mapping."
    page.click("text=Vault")
    assert "list.archives[].start" in page.inner_text("#unmapped") and "list.encryption.mode" in page.inner_text("#unmapped")

    # written, refused, mended, tried on what the tool really said
    def choose(path, field, unit, transform, words=""):
        number = page.get_attribute(f"input[value='{path}']", "name").removeprefix("path-")
        for name, value in (("field", field), ("unit", unit), ("transform", transform)):
            page.select_option(f"[name={name}-{number}]", value)
        page.fill(f"[name=words-{number}]", words)

    choose("list.archives[].start", "retention_days", "d", "value")
    choose("list.encryption.mode", "encryption", "word", "words", "keyfile=at_rest")
    page.fill("#draft-reason", "What borg tells")
    page.click("text=Keep as draft and try it")
    page.wait_for_selector("#mapped tbody tr")
    mapped = page.inner_text("#mapped")
    assert "is no number" in mapped and "Nothing says what “repokey” means" in mapped, "what cannot be converted is listed"
    choose("list.archives[].start", "retention_days", "word", "value")
    page.click("text=Keep as draft and try it")
    assert "make no Retention" in page.inner_text("[role=alert]")
    choose("list.archives[].start", "retention_days", "instant", "oldest_age")
    choose("list.encryption.mode", "encryption", "word", "words", "repokey=at_rest")
    page.click("text=Keep as draft and try it")
    page.wait_for_selector("text=30 d")
    assert "at rest" in page.inner_text("#mapped") and "so somebody else must approve it" in page.inner_text("main")
    assert page.locator("text=Put version 1 in force").count() == 0, "its author does not approve it"
    assert AttributeMapping.objects.get().state == "draft"

    approver = tab(peter)
    approver.set_default_timeout(60_000)
    approver.goto("/mappings/vault/")
    approver.fill("#approve-reason", "Read and understood")
    approver.click("text=Put version 1 in force")
    assert "Version 1 is in force." in approver.inner_text(".messages")
    assert peter.get_full_name() in approver.inner_text("#versions") and "What borg tells" in approver.inner_text("#versions")

    # the proof: promised beside observed, in one unit; the rest is listed
    reader = tab(make_person("auditor", present))
    reader.set_default_timeout(60_000)
    reader.goto("/services/PACS/")
    reader.click("text=Promised beside observed")
    rows = {row.split("\t")[0].strip(): row for row in reader.locator("section[aria-label=Fields] tbody tr").all_inner_texts()}
    retention, encryption = rows["Retention"], rows["Encryption"]
    assert "35 d" in retention and "30 d" in retention and "Less than promised" in retention
    assert encryption.count("at rest") >= 2 and "As promised" in encryption
    assert "Not observed" in rows["Recovery point (RPO)"]
    assert "version 1" in reader.inner_text("main")
    left = int(reader.inner_text("a[href$='#unmapped']").split()[0])
    reader.click("a[href$='#unmapped']")
    reader.wait_for_selector("#unmapped tbody tr")
    assert reader.locator("#unmapped tbody tr").count() == left > 5
    assert reader.locator("text=Keep as draft").count() == 0
    reader.goto(f"/services/PACS/observed/?as_of={present - 20 * DAY:%Y-%m-%dT%H:%MZ}")
    assert "Nothing that is promised can be compared" in reader.inner_text("main"), "then no mapping was in force"


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_its_pages_are_accessible_and_fit_the_screen(tab, tool, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    root, found = make_admin("root"), {}
    for path in ("/mappings/", "/mappings/vault/", "/services/PACS/observed/"):
        page = tab(root, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
    assert found == {}
