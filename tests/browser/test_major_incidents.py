"""A major incident from its proposal to the message that closes it, in a real browser and with a real mail server."""

from __future__ import annotations

import pytest

from incidents import leading, nominating, publishing_status, updating, working
from incidents.models import Incident, MajorIncident
from itsm_backup import journey
from itsm_backup.common.time import now
from tests.browser.test_incidents import four_answers
from tests.incidents.test_updating import publish_review
from tests.mailbox import running_mailbox
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(estate_now, present):
    roles = {"manager": "incident-manager", "lead": "operator", "user": "stakeholder", "boss": "executive"}
    made = {name: make_person(role, present) for name, role in roles.items()}
    for name, last_name in (("manager", "Marsh"), ("lead", "Watts")):
        made[name].last_name = last_name
        made[name].save()
    return made


@pytest.mark.req("5.6")
def test_from_the_proposal_to_the_closing_message(tab, estate_now, people, settings):
    incident = Incident.objects.get()
    with running_mailbox() as (box, port):
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        journey.advance()
        box.messages.clear()
        lead = tab(people["lead"])
        lead.set_default_timeout(60_000)
        lead.goto(f"/incidents/{incident.number}/")
        lead.click("summary >> text=Propose it as a major incident")
        lead.fill("#propose-reason", "No department can work with images")
        lead.click(f"text=Propose {incident.number} as major")
        lead.locator(".messages", has_text="is proposed").wait_for()

        manager = tab(people["manager"])
        manager.set_default_timeout(60_000)
        manager.goto("/major/")
        assert "1 candidate waits to be declared or rejected." in manager.inner_text("h1")
        manager.click("tbody th a >> nth=0")
        manager.locator("#deeds-title", has_text="Decide on it").wait_for()
        manager.select_option("#manager", label="Incident-manager Marsh")
        manager.select_option("#communications_lead", label="Operator Watts")
        manager.click("text=Declare MAJ-")
        manager.locator(".messages", has_text="is declared").wait_for()
        assert "next update today" in manager.inner_text(".rail-major") and "Incident-manager Marsh" in manager.inner_text(".facts")

        major = MajorIncident.objects.get()
        lead.goto(f"/major/{major.number}/")
        lead.fill("#words", "It will work again by 14:00.")
        lead.click("text=Draft the update")
        lead.locator("[role=alert]", has_text="promises a time that nobody measured").wait_for()
        assert lead.input_value("#words") == "It will work again by 14:00."
        lead.fill("#words", "New disks are built in.")
        lead.fill("#details", "Pool NAS-02")
        lead.click("text=Draft the update")
        lead.locator(".messages", has_text="is drafted").wait_for()
        lead.click(".note--at_risk a")
        lead.locator("h1", has_text="to be approved").wait_for()
        assert "Somebody else approves it: Incident-manager Marsh" in lead.inner_text("#deeds")
        assert lead.locator("button", has_text="Approve and send").count() == 0

        manager.goto(f"/major/{major.number}/updates/1/")
        preview = manager.inner_text("main")
        assert "stakeholder who sees one of the services" in preview and "Imaging archive: not measured" in preview
        manager.click("text=Approve and send")
        manager.locator(".messages", has_text="are on their way").wait_for()
        journey.advance()
        told = {message["To"]: message for message in box.messages if "disturbed" in message["Subject"]}
        user = told[people["user"].email]
        assert "New disks are built in." in user.get_content() and "NAS-02" not in user.get_content()
        assert "Details: Pool NAS-02" in told[people["lead"].email].get_content()
        assert len([one for one in box.messages if one["To"] == people["lead"].email and "disturbed" in one["Subject"]]) == 1
        manager.reload()
        manager.locator("td", has_text="Accepted").first.wait_for()

        lead.goto(f"/incidents/{incident.number}/")
        top = lead.inner_text(".major-lead")
        assert "Incident-manager Marsh leads it, Operator Watts tells people of it" in top and "business users" in top
        assert lead.locator(".major-lead").bounding_box()["y"] < 400

        manager.goto(f"/major/{major.number}/")
        manager.click("text=It is being mitigated")
        manager.locator(".messages", has_text="mitigating").wait_for()
        manager.click("button >> text=Set it to resolved")
        manager.locator("[role=alert]", has_text="is still open").wait_for()
        ended = {"resolution": "fixed", "cause": "storage", "reason": "New disks"}
        working.move(incident=incident, to="resolved", by=people["lead"], at=now(), **ended)
        manager.click("button >> text=Set it to resolved")
        manager.locator(".messages", has_text="resolved").wait_for()
        manager.click("button >> text=Review it")
        manager.locator(".messages", has_text="in review").wait_for()
        manager.click("button >> text=Close it")
        manager.locator("[role=alert]", has_text="has to be told that it is over").wait_for()

        lead.goto(f"/major/{major.number}/")
        lead.fill("#words", "The pool has new disks. Every copy is made again.")
        lead.click("text=Draft the closing message")
        lead.locator(".messages", has_text="Closing message 2 is drafted").wait_for()
        manager.goto(f"/major/{major.number}/updates/2/")
        manager.click("text=Approve and send")
        manager.locator(".messages", has_text="are on their way").wait_for()
        journey.advance()
        told = next(one for one in box.messages if one["To"] == people["user"].email and "It is over" in one["Subject"])
        assert told["In-Reply-To"] == user["Message-ID"] and "Every copy is made again." in told.get_content()
        manager.goto(f"/major/{major.number}/")
        manager.click("button >> text=Close it")
        manager.locator("[role=alert]", has_text="is not published yet").wait_for()
        publish_review(incident, people, at=now())
        manager.click("button >> text=Close it")
        manager.locator(".facts", has_text="Closed").wait_for()
    assert [one for one in [*lead.complaints, *manager.complaints] if "409" not in one] == []


def make_declared(people) -> MajorIncident:
    made = nominating.propose(incident=Incident.objects.get(), reason="No images for anybody", by=people["lead"], at=now())
    said = {"manager": people["manager"], "communications_lead": people["lead"], "interval_min": 45, "reason": "Slow work"}
    return leading.declare(major=made, by=people["manager"], at=now(), **said)


@pytest.mark.req("5.6")
def test_its_pages_fit_are_accessible_and_answer_four_questions_without_scrolling(tab, estate_now, people, look_at):
    major = make_declared(people)
    words = {"words": "New disks are built in.", "details": "Pool NAS-02", "audiences": ["responders", "owners", "business"]}
    sent = updating.draft(major=major, by=people["lead"], at=now(), **words)
    updating.send(update=sent, by=people["manager"], at=now())
    draft = updating.draft(major=major, by=people["lead"], at=now(), **words)
    updating.reword(update=draft, words="More disks are built in.", details="", by=people["lead"], at=now())
    page = tab(people["manager"])
    page.set_default_timeout(60_000)
    for name, address in (
        ("majors", "/major/"),
        ("major", f"/major/{major.number}/"),
        ("draft", f"/major/{major.number}/updates/2/"),
        ("sent", f"/major/{major.number}/updates/1/"),
        ("incident", f"/incidents/{major.incident.number}/"),
        ("business", "/major/status/business/"),
    ):
        look_at(page, name, address)
    for address in (f"/major/{major.number}/", f"/incidents/{major.incident.number}/"):
        page.goto(address)
        four_answers(page)
    assert "New disks are built in." in page.inner_text(".major-lead") and "Update 1" in page.inner_text(".incident-now")
    page.goto(f"/major/{major.number}/")
    felt = page.inner_text(".incident-felt")
    assert "If Imaging archive failed now" in felt and "copy 5 h" in felt and "Radiology" in felt
    assert "What is done: New disks are built in." in page.inner_text(".incident-now")
    page.goto(f"/major/{major.number}/updates/2/")
    assert "New disks are built in." in page.inner_text("[aria-labelledby=wordings-title]")
    assert page.complaints == []


@pytest.mark.req("5.6")
@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_whoever_has_the_address_reads_what_was_told_without_scripts(tab, estate_now, people, size, scheme, tmp_path):
    major = make_declared(people)
    words = {"words": "New disks are built in.", "details": "Pool NAS-02", "audiences": ["responders", "business"]}
    update = updating.draft(major=major, by=people["lead"], at=now(), **words)
    updating.send(update=update, by=people["manager"], at=now())
    _, token = publishing_status.make_link(label="Ward screens", by=people["manager"], at=now())
    page = tab(size=size, scheme=scheme, scripts=False)
    page.goto(f"/status/{token}/")
    page.screenshot(path=tmp_path / "public.png", full_page=True)
    told = page.inner_text("main")
    assert "1 major incident goes on." in told and "New disks are built in." in told and "NAS-02" not in told
    page.goto(f"/status/{token}/?as_of={major.declared_at - HOUR:%Y-%m-%dT%H:%MZ}")
    assert "Nothing was told yet" in page.inner_text("main")
    page.click("text=Back to now")
    page.locator("article", has_text="New disks").wait_for()
    assert page.locator(".masthead form").count() == 0 and page.complaints == []
