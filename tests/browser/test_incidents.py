"""Incidents as operators work on them: the queue by keys and many at once, and who feels it, in a real browser."""

from __future__ import annotations

import pytest

from catalogue.models import Relation
from incidents import leading, nominating, updating
from incidents.models import Incident, IncidentEntry
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring.models import Alert
from tests.factories import make_job, make_service, make_team, push, run_record
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def fail_more(estate, *names: str) -> None:
    """A further incident for each name, of a service of tier 3."""
    for name in names:
        service = make_service(f"SVC-{name}", at=estate.at - 48 * HOUR, tier=3, name=f"Service {name}", rpo_s=30 * 86_400)
        make_job(estate.tool, name, at=estate.at - 48 * HOUR, service=service)
        push(estate.tool, run_record(name, "success", estate.at - 3 * HOUR), at=estate.at - 2.5 * HOUR)
        journey.advance(at=estate.at - 2.5 * HOUR)
        push(estate.tool, *(run_record(name, "failed", estate.at - minutes * HOUR / 60, minutes=1) for minutes in (40, 20)), at=estate.at)
    journey.advance()


@pytest.mark.req("5.1")
def test_an_operator_works_through_the_queue(tab, estate_now, present):
    fail_more(estate_now, "mail", "wiki")
    with because("test"):
        network = make_team("Network")
    first, mail, wiki = Incident.objects.order_by("pk")
    page = tab(make_person("operator", present))
    page.set_default_timeout(30_000)
    page.goto("/incidents/")
    rows = page.locator("tbody tr[data-row]")
    assert first.number in rows.nth(0).inner_text() and "late" in rows.nth(0).inner_text()  # P1 has 15 minutes
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("n")
    page.keyboard.type("Looking at both")
    page.click("button[value=comment]")
    page.locator(".messages", has_text="2 incidents commented on.").wait_for()
    for number in (mail.number, wiki.number):
        page.check(f"input[value={number}]")
    page.keyboard.press("a")
    page.locator(".messages", has_text="2 incidents acknowledged.").wait_for()
    page.check(f"input[value={first.number}]")
    page.select_option("[name=whom]", label="Network")
    page.click("button[value=assign]")
    page.locator(".messages", has_text="1 incident handed over.").wait_for()
    first.refresh_from_db()
    assert (first.team, first.assignee) == (network, None)
    page.goto(f"/incidents/{wiki.number}/")
    page.click("text=Merge it into another one")
    page.fill("[name=into]", mail.number)
    page.fill("#merge-reason", "One switch behind both")
    page.click(f"text=Merge {wiki.number}")
    page.locator(".messages", has_text=f"is part of {mail.number} now").wait_for()
    page.click(f".table-foot >> text={mail.number}")
    assert page.inner_text("#alerts-title") == "Alerts in this incident"
    page.click("text=Split alerts off")
    page.check(f"[name=alert][value='{Alert.objects.filter(job__external_id='wiki').latest('pk').pk}']")
    page.fill("#split-reason", "It was not the switch after all")
    page.click("text=Split them off")
    page.locator(".messages", has_text="was split off and is with you").wait_for()
    page.click("summary >> text=Put it on hold")
    page.fill("#reason-on_hold", "A disk is on its way")
    page.click("button >> text=Put it on hold")
    page.click("summary >> text=Resolve it by hand")
    page.select_option("#resolution", "fixed")
    page.select_option("#cause", "network")
    page.fill("#reason", "Switch replaced")
    page.click(f"text=Set {mail.number} to Resolved")
    page.locator(".messages", has_text="is resolved").wait_for()
    assert "Fixed, network" in page.inner_text(".facts")
    page.click("summary >> text=Reopen it")
    page.fill("#reason-in_progress", "It was the other switch")
    page.click("button >> text=Reopen it")
    page.locator(".messages", has_text="is in progress").wait_for()
    story = page.inner_text("[aria-labelledby=story-title] .timeline")
    for line in (
        "Looking at both",
        f"{wiki.number} merged into this: One switch",
        "split off: It was not",
        "A disk is on its way",
        "Switch replaced",
    ):
        assert line in story
    assert page.complaints == []


@pytest.mark.req("5.1")
def test_a_narrowed_queue_is_worked_through_by_keys_and_stays_narrowed(tab, estate_now, present):
    fail_more(estate_now, "mail", "wiki")
    page = tab(make_person("operator", present))
    page.set_default_timeout(30_000)
    page.goto("/incidents/")
    page.keyboard.press("f")
    page.keyboard.type("mail")
    page.keyboard.press("Enter")
    page.wait_for_url("**service=mail**")
    mail = Incident.objects.get(service__code="SVC-mail")
    assert page.inner_text("h1") == "1 incident matches." and mail.number in page.inner_text("tbody")
    page.locator("tbody a").first.focus()
    page.keyboard.press("x")
    page.keyboard.press("n")
    page.keyboard.type("Seen by keyboard")
    page.keyboard.press("Enter")
    page.locator(".messages", has_text="1 incident commented on.").wait_for()
    assert "service=mail" in page.url and page.inner_text("h1") == "1 incident matches."
    mail.refresh_from_db()
    assert mail.state == "new" and mail.entries.filter(text="Seen by keyboard").exists()
    page.check(f"input[value={mail.number}]")
    page.locator("tbody a").first.focus()
    page.keyboard.press("a")
    page.locator(".messages", has_text="1 incident acknowledged.").wait_for()
    page.select_option("#state", label="New")
    page.click("text=Filter")
    page.wait_for_url("**state=new**")
    assert page.inner_text("h1") == "0 incidents match." and page.input_value("#service") == "mail"
    page.click("text=Show all")
    page.locator("h1", has_text="3 incidents are open.").wait_for()
    page.select_option("#assignee", label="Me")
    page.click("text=Filter")
    page.wait_for_url("**assignee=me**")
    assert mail.number in page.inner_text("tbody")
    assert page.complaints == []


@pytest.mark.req("5.1")
@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "dark"), ("narrow", "light")])
def test_queue_and_incident_fit(tab, estate_now, present, size, scheme, tmp_path):
    fail_more(estate_now, "mail", "wiki")
    page = tab(make_person("operator", present), size=size, scheme=scheme)
    page.set_default_timeout(30_000)
    for name, address in (("queue", "/incidents/"), ("incident", f"/incidents/{Incident.objects.order_by('pk').first().number}/")):
        page.goto(address)
        for summary in page.locator("main details > summary").all():
            summary.click()
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    assert page.complaints == []


@pytest.mark.req("5.2")
def test_who_feels_it_follows_the_catalogue_and_the_copy_of_the_opening_stays(tab, estate_now, present):
    incident = Incident.objects.get()
    operator = make_person("operator", present)
    page = tab(operator)
    page.set_default_timeout(30_000)
    page.goto(f"/incidents/{incident.number}/")
    impact = page.inner_text("[aria-labelledby=impact-title]")
    assert "If Imaging archive failed now, its data of the last 5 h" in impact and "promised is at most 4 h" in impact
    assert "SVC-011" in impact  # its short name, in the tree
    page.click("text=How the priority is reckoned")
    assert page.inner_text(".reckoning .here").startswith("P1")
    surgery = make_service("SVC-050", at=estate_now.at - 48 * HOUR, tier=1, name="Theatre scheduling", department="Surgery", rpo_s=86_400)
    with because("test"):
        Relation.objects.create(provider=estate_now.reporting, consumer=surgery)
    page.reload()
    impact = page.inner_text("[aria-labelledby=impact-title]")
    assert "1 more than when it opened" in impact and "SVC-050" in impact and "Surgery" in impact
    page.click("text=As it was when it opened")
    page.wait_for_url("**impact=opening")
    impact = page.inner_text("[aria-labelledby=impact-title]")
    assert "when it became known here; it began " in impact and "SVC-050" not in impact
    page.click("text=Show as a list")
    assert "Tier 1, copy" in page.inner_text(".tree-list")
    push(estate_now.tool, run_record("pacs-2h", "success", now(), minutes=0), at=now())
    journey.advance()
    page.goto(f"/incidents/{incident.number}/")
    assert "Resolved" in page.inner_text(".facts") and "Recovered by itself, proven" in page.inner_text(".facts")
    assert "Imaging archive" in page.inner_text("[aria-labelledby=impact-title]")
    assert page.complaints == []


def four_answers(page) -> None:
    """What happened, who feels it, what do we do, what was told to whom: on the first screen, in the typefaces of the product."""
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].filter((one) => one.status === 'loaded').length") >= 3
    for heading in ("#story-title", "#impact-title", "#now-title", "#told-now-title"):
        box = page.locator(heading).bounding_box()
        assert box and box["y"] + box["height"] < 900, heading


@pytest.mark.req("5.1")
def test_the_page_answers_four_questions_without_scrolling(tab, estate_now, present):
    """At 1440 by 900: new, with several mails, with many services that depend on it, and as a major incident."""
    incident = Incident.objects.get()
    operator, manager = make_person("operator", present), make_person("incident-manager", present)
    page = tab(operator)
    page.goto(f"/incidents/{incident.number}/")
    four_answers(page)
    assert page.locator(".incident-now").bounding_box()["y"] < 400
    page.click(".incident-now >> text=Acknowledge or hand over")
    assert page.locator("#deeds").bounding_box()["y"] < 900
    for number, department in enumerate(("Surgery", "Emergency", "Cardiology", "Labs", "Wards", "Pharmacy", "Outpatients")):
        ward = make_service(f"WARD-{number}", at=estate_now.at - 3 * HOUR, tier=1, name=f"Ward {number}", department=department)
        with because("test"):
            Relation.objects.create(provider=estate_now.imaging, consumer=ward)
    for minute in range(3):
        text = f"[{incident.number}] P1 Imaging archive is past its recovery point"
        told = f"Mail to radiology-duty-{minute}@northmoor-hospitals.example: {text}"
        IncidentEntry.objects.create(incident=incident, at=now(), kind="mail", text=told)
    page.goto(f"/incidents/{incident.number}/")
    four_answers(page)
    major = nominating.propose(incident=incident, reason="No images for anybody", by=operator, at=now())
    people = {"manager": manager, "communications_lead": operator}
    leading.declare(major=major, interval_min=None, by=manager, at=now(), **people)
    words = "New disks are built in, and every copy that is missing is made again. " * 2
    said = {"words": words, "details": "", "audiences": ["responders", "owners", "executives", "business"]}
    updating.send(update=updating.draft(major=major, by=operator, at=now(), **said), by=manager, at=now())
    for address in (f"/incidents/{incident.number}/", f"/major/{major.number}/"):
        page.goto(address)
        four_answers(page)
    assert page.complaints == []


@pytest.mark.req("5.2")
def test_on_a_phone_who_feels_it_and_what_is_done_with_those_chosen_are_at_hand(tab, estate_now, present):
    fail_more(estate_now, "mail", "wiki")
    page = tab(make_person("operator", present), size="phone", scripts=False)
    incident = Incident.objects.order_by("pk").first()
    page.goto(f"/incidents/{incident.number}/")
    assert not page.is_visible(".tree-wide")
    felt = page.inner_text("#impact-list")
    assert "Imaging archive" in felt and "Radiology reporting" in felt and "Radiology" in felt
    page.goto("/incidents/")
    bar = page.locator(".queue-acts")
    assert bar.bounding_box()["y"] > 844
    page.check(f"input[value={incident.number}]")
    box = bar.bounding_box()
    assert box["y"] + box["height"] <= 845 and page.is_visible("button[value=acknowledge]")
