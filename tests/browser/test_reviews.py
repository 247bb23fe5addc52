"""From a resolved incident to a published review, its action and a version of the entry, in a real browser as its roles."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents.models import EntryProposal, Incident, PostIncidentReview
from itsm_backup import journey
from tests.factories import push, run_record
from tests.incidents.test_reviewing import published
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.req("5.5")]
QUESTIONS = ("rpo", "rto", "retention", "dependencies", "tier", "contacts", "status", "restore")


@pytest.fixture
def resolved(estate_now) -> Incident:
    """The incident of the imaging archive, mended at the present minute."""
    push(estate_now.tool, run_record("pacs-2h", "success", estate_now.at, minutes=0), at=estate_now.at)
    journey.advance()
    found = Incident.objects.get()
    assert found.state == "resolved"
    return found


def person_of(role: str, present: dt.datetime, **limits):
    person = make_person(role, present, **limits)
    person.is_staff = role == "steward"
    person.save()
    return person


def test_a_review_is_written_published_acted_on_and_amends_the_entry(tab, estate_now, resolved, present):
    operator, owner = person_of("operator", present), person_of("stakeholder", present, services=[estate_now.imaging])
    page = tab(operator)
    page.set_default_timeout(30_000)
    page.goto("/reviews/")
    assert "1 review is on its way." in page.inner_text("h1")
    assert "has to be reviewed" in page.inner_text("tbody")
    page.goto(f"/incidents/{resolved.number}/")
    page.click("button >> text=Start the review")
    page.locator(".messages", has_text="is a draft").wait_for()
    number = PostIncidentReview.objects.get().number
    real = page.inner_text("[aria-labelledby=stood-title]")
    assert "4 h" in real and "beyond the promise for" in real and "never measured" in real
    assert "The data say no. It was beyond the promise for" in page.inner_text("[aria-labelledby=right-title]")
    assert "degraded" in page.inner_text("[aria-labelledby=timeline-title]")
    assert "storage@example.org" in page.inner_text("[aria-labelledby=told-title]")
    for question in QUESTIONS:
        page.check(f"[name=answer-{question}][value={'no' if question == 'rpo' else 'yes'}]")
    page.click("button >> text=Keep the answers")
    page.locator("[role=alert]", has_text="what the entry should say instead").wait_for()
    assert page.is_checked("[name=answer-tier][value=yes]")
    page.fill("[name=note-rpo]", "8 h, until the pool has more disks")
    page.click("button >> text=Keep the answers")
    page.locator(".messages", has_text="8 answers kept").wait_for()
    page.click("button >> text=Hand it in")
    page.locator("[role=alert]", has_text="Write what caused it").wait_for()
    page.fill("#cause", "The pool was full")
    page.fill("#went_wrong", "Nobody watched it grow")
    page.click("button >> text=Write it down")
    page.locator(".messages", has_text="says more now").wait_for()
    page.fill("#what", "Watch the pool")
    page.select_option("#owner", str(owner.pk))
    page.fill("#due_on", f"{present.date() + dt.timedelta(days=14)}")
    page.click("button >> text=Add it")
    page.locator(".messages", has_text="does it by").wait_for()
    page.click("button >> text=Hand it in")
    page.locator(".messages", has_text="in review").wait_for()
    assert "somebody else publishes it" in page.inner_text("#deeds") and not page.locator("text=Publish it").count()

    reader = tab(owner)
    assert reader.goto(f"/reviews/{number}/").status == 404
    manager = tab(person_of("change-manager", present))
    manager.goto(f"/reviews/{number}/")
    manager.click("button >> text=Publish it")
    manager.locator(".messages", has_text="published").wait_for()
    assert "Waits for the steward" in manager.inner_text("[aria-labelledby=right-title]")

    reader.goto("/reviews/?view=mine")
    assert "1 action is open with you." in reader.inner_text("h1")
    reader.click("tbody a")
    reader.locator("h1", has_text="Review:").wait_for()
    reader.click("summary >> text=It is done")
    reader.fill("[name=outcome]", "An alert at 80 %")
    reader.click("button >> text=It is done")
    reader.locator(".messages", has_text="is done").wait_for()

    steward = tab(person_of("steward", present))
    steward.goto("/services/SVC-003/")
    assert "8 h, until the pool has more disks" in steward.inner_text("[aria-labelledby=reviews-title]")
    steward.click("[aria-labelledby=reviews-title] a")
    steward.locator("button", has_text="Draft a version of SVC-003").click()
    steward.locator(".messages", has_text="is a draft").wait_for()
    steward.click("text=Version 2 is a draft")
    steward.locator("h1", has_text="version 2").wait_for()
    assert number in steward.inner_text("main") and "8 h, until the pool has more disks" in steward.inner_text("main")
    assert EntryProposal.objects.get().version.state == "draft"
    reader.goto("/reviews/?view=published&q=pool")
    assert "1 review is published with these words." in reader.inner_text("h1")
    assert page.complaints == [one for one in page.complaints if "409" in one]
    assert manager.complaints == steward.complaints == []


def test_reviews_fit_and_are_accessible(tab, estate_now, resolved, present, look_at):
    operator, manager = person_of("operator", present), person_of("change-manager", present)
    page = tab(operator)
    page.set_default_timeout(60_000)
    page.goto(f"/incidents/{resolved.number}/")
    page.click("button >> text=Start the review")
    page.locator(".messages", has_text="is a draft").wait_for()
    review = PostIncidentReview.objects.get()
    look_at(page, "draft", f"/reviews/{review.number}/")
    look_at(page, "open", "/reviews/")
    published(review, operator, manager, present, rpo="8 h, until the pool has more disks")
    look_at(page, "published", f"/reviews/{review.number}/")
    look_at(page, "library", "/reviews/?view=published")
    look_at(page, "actions", "/reviews/?view=actions")
    look_at(page, "service", "/services/SVC-003/")
    look_at(page, "incident", f"/incidents/{resolved.number}/")
    assert page.complaints == []
