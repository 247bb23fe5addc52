"""From failures that come again to a problem, a known error, and its help with the next incident, in a real browser."""

from __future__ import annotations

import pytest

from incidents.models import Incident, KnownError, Problem
from itsm_backup import journey
from tests.factories import make_job, make_service, push, run_record
from tests.portal.makers import FULL, HOUR, make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def fail_alike(estate, *names: str, application_type: str = "") -> None:
    """Further services whose backups fail with the same message, each an incident of its own."""
    promise = {"tier": 3, "rpo_s": 30 * 86_400, "application_type": application_type}
    for name in names:
        service = make_service(f"SVC-{name}", at=estate.at - 48 * HOUR, name=f"Service {name}", **promise)
        make_job(estate.tool, name, at=estate.at - 48 * HOUR, service=service)
        push(estate.tool, run_record(name, "success", estate.at - 3 * HOUR), at=estate.at - 2.5 * HOUR)
    journey.advance(at=estate.at - 2.5 * HOUR)
    for name in names:
        failed = (run_record(name, "failed", estate.at - minutes * HOUR / 60, minutes=1, native_message=FULL) for minutes in (40, 20))
        push(estate.tool, *failed, at=estate.at)
    journey.advance()


@pytest.mark.req("5.3")
@pytest.mark.req("5.4")
def test_what_comes_again_becomes_a_problem_a_known_error_and_help_with_the_next(tab, estate_now, present):
    fail_alike(estate_now, "mail")
    page = tab(make_person("operator", present))
    page.set_default_timeout(30_000)
    page.goto("/incidents/")
    page.click("nav >> text=Problems")
    assert "1 problem is open." in page.inner_text("h1")
    assert "2 business services within 7 days" in page.inner_text("tbody")
    page.click("text=No space left on business services, again and again")
    page.click("text=Accept it")
    page.locator(".messages", has_text="new").wait_for()
    page.click("button >> text=Assess it")
    page.click("button >> text=Seek the root cause")
    page.click("button >> text=The cause is known")
    assert "Write down the root cause first" in page.inner_text("[role=alert]")
    page.fill("#root_cause", "The pool grows by 2 TB a month and nobody adds disks")
    page.fill("#workaround", "Prune what is older than 90 days")
    page.fill("#permanent_fix", "CHG-0017")
    page.click("text=Write it down")
    page.click("button >> text=The cause is known")
    page.click("text=Draft a known error of it")
    page.locator(".messages", has_text="is a draft").wait_for()
    assert page.input_value("#workaround") == "Prune what is older than 90 days"
    page.fill("#reason-published", "Proven twice")
    page.click("button >> text=Publish it")
    page.locator(".messages", has_text="is published").wait_for()
    fail_alike(estate_now, "wiki")
    incident = Incident.objects.latest("pk")
    page.goto(f"/incidents/{incident.number}/")
    known = page.inner_text("[aria-labelledby=known-title]")
    assert "Prune what is older than 90 days" in known and "not tried yet" in known and "PRB-" in known
    page.click("button >> text=It helped")
    page.locator(".messages", has_text="helped").wait_for()
    assert "helped 1 of 1 time (100%)" in page.inner_text("[aria-labelledby=known-title]")
    page.goto("/incidents/known-errors/?q=prune")
    assert "1 known error matches." in page.inner_text("h1")
    page.click("tbody a")
    page.fill("#reason-retired", "The pool has new disks")
    page.click("button >> text=Retire it")
    page.locator(".messages", has_text="is retired").wait_for()
    assert "Service wiki" in page.inner_text("main") and "The pool has new disks" in page.inner_text(".timeline")
    page.goto(f"/incidents/problems/{Problem.objects.get().number}/")
    page.click("button >> text=The fix is in place")
    page.click("button >> text=Close it")
    assert "30 days after the fix" in page.inner_text("[role=alert]")
    assert KnownError.objects.get().state == "retired"
    assert page.complaints == [one for one in page.complaints if "409" in one]


@pytest.mark.req("5.3")
def test_the_same_failure_on_three_databases_is_proposed_with_its_incidents_and_their_type(tab, estate_now, present):
    """One service of another type fails alike: it is none of them."""
    fail_alike(estate_now, "orders", "wards", "labels", application_type="Database")
    page = tab(make_person("operator", present))
    page.set_default_timeout(30_000)
    page.goto("/incidents/problems/")
    row = page.inner_text("tbody tr")
    assert "3 services of type Database within 7 days" in row
    page.click("text=No space left on services of type Database, again and again")
    page.wait_for_url("**/PRB-*/")
    facts = page.inner_text("dl.facts")
    assert "services of type Database" in facts and "Database: 3 incidents of 3 services" in facts
    came = page.inner_text("[aria-labelledby=came-title]")
    assert all(f"Service {name}" in came for name in ("orders", "wards", "labels")) and "Imaging archive" not in came
    page.fill("#reason-rejected", "The three are moved to new storage tonight")
    page.click("button >> text=Reject it")
    page.locator(".messages", has_text="rejected").wait_for()
    page.goto("/incidents/muted/")
    assert "No space left on services of type Database" in page.inner_text("main")
    assert page.complaints == []


@pytest.mark.req("5.3")
def test_problem_and_known_error_fit_and_are_accessible(tab, estate_now, present, look_at):
    fail_alike(estate_now, "mail")
    page = tab(make_person("operator", present))
    page.set_default_timeout(60_000)
    look_at(page, "proposed", f"/incidents/problems/{Problem.objects.get().number}/")
    page.click("text=Accept it")
    page.locator(".messages", has_text="new").wait_for()
    page.click("text=Draft a known error of it")
    page.locator(".messages", has_text="is a draft").wait_for()
    for name, address in (
        ("problems", "/incidents/problems/"),
        ("problem", f"/incidents/problems/{Problem.objects.get().number}/"),
        ("known-errors", "/incidents/known-errors/?view=draft"),
        ("known-error", f"/incidents/known-errors/{KnownError.objects.get().number}/"),
        ("incident", f"/incidents/{Incident.objects.latest('pk').number}/"),
    ):
        look_at(page, name, address)
    assert page.complaints == []
