"""One piece of work per requirement, done by clicking in a real browser, signed in as the role whose work it is."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from catalogue.models import ServiceVersion
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Refusal
from itsm_backup.common.time import now
from monitoring.models import BackupRun, Tool
from tests.admin_forms import change_url, url
from tests.factories import make_job, make_rule, make_schedule, make_service, make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot, take_reading

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def imaging(present):
    """A tier 2 service that promises 26 h; its nightly copy is three hours old."""
    start = present - 3 * DAY
    service = make_service("SVC-003", at=start, rpo_s=26 * 3600, tier=2, name="Imaging archive")
    tool = make_tool(at=start, name="scripts")
    make_job(tool, "pacs-nightly", at=start, service=service)
    push(tool, run_record("pacs-nightly", "success", present - 3 * HOUR), at=present - 2 * HOUR)
    journey.advance(at=present)
    return service


@pytest.mark.req("1.5")
def test_a_tighter_promise_is_written_by_the_steward_and_takes_force_by_the_approver(sign_in, imaging):
    page, steward = sign_in("steward", "/services/SVC-003/")
    page.click("text=Edit entry")
    page.click("text=Make version 2")
    page.fill("[name=rpo_s]", "2 h")
    page.fill("[name=change_reason]", "Radiology reads around the clock now")
    page.click("input[name=_save]")
    page.click("#result_list tr:has-text('draft') a")
    page.click("text=Submit version 2 for approval")
    page.fill("[name=change_reason]", "Agreed with Radiology")
    page.click("form[method=post] >> text=Submit version 2 for approval")
    assert "waits for approval" in page.inner_text(".messagelist")
    page.goto(url(ServiceVersion, "act", ServiceVersion.objects.get(number=2).pk, "approve"))
    assert page.locator("main form >> text=Approve version 2").count() == 0, "no author approves"

    page, approver = sign_in("approver", "/admin/")
    page.click("text=Approve or return")
    page.click("text=Approve version 2")
    assert "26 h" in page.inner_text("#content del") and "2 h" in page.inner_text("#content ins")
    page.fill("[name=change_reason]", "Agreed")
    page.click("form[method=post] >> text=Approve version 2")
    page.wait_for_selector(".messagelist .success")
    journey.advance()
    page.goto("/services/SVC-003/")
    assert "2 h or less" in page.inner_text("#promise") and "Broken" in page.inner_text("#promise")
    history = page.inner_text("#history")
    assert "Version 2 approved" in history and "Version 1 approved" in history
    page.goto("/services/SVC-003/?as_of=" + f"{now() - DAY:%Y-%m-%dT%H:%MZ}")
    assert "26 h or less" in page.inner_text("#promise")
    version = ServiceVersion.objects.get(number=2)
    assert (version.author_ids, version.approver) == ([steward.pk], approver)


@pytest.mark.req("2.3")
def test_a_record_that_cannot_be_read_is_seen_with_its_reason(sign_in, imaging, present):
    broken = {**run_record("pacs-nightly", "success", present), "external_id": "broken", "bytes_stored": -5}
    push(Tool.objects.get(), broken, run_record("pacs-nightly", "success", present - HOUR), at=present)
    page, _ = sign_in("monitoring-admin", "/admin/")
    page.click("text=Quarantine")
    page.click("#result_list a >> text=bytes_stored")
    shown = page.inner_text("#content")
    assert "bytes_stored" in shown and "-5" in shown and "scripts" in shown
    assert BackupRun.objects.count() == 2, "the good record beside it is a run"


@pytest.mark.req("2.4")
def test_a_missed_night_and_a_silent_tool_are_told_apart(sign_in, imaging, present):
    tool = make_tool("restic", at=present - DAY, name="vault", settings={"repository": "/srv/vault"})
    take_reading(tool, poll_answer(snapshot(present - 5 * HOUR, host="ward01")), at=present - 4 * HOUR)
    wards = make_service("SVC-014", at=present - DAY, rpo_s=26 * 3600, name="Ward files")
    job = tool.jobs.get()
    make_rule(wards, tool, job.external_id, at=present - DAY)
    for due in (job, imaging.jobs.get()):
        make_schedule(due, local_times=f"{present - 2 * HOUR:%H:%M}", grace_s=1800, early_tolerance_s=60)
    take_reading(tool, no_answer(), at=present - HOUR)
    journey.advance(at=present)
    page, _ = sign_in("operator", "/services/SVC-003/")
    assert "did not run" in page.inner_text("#problems")
    assert "M" in page.inner_text("#proof .section-strip").split()
    page.goto("/services/SVC-014/")
    assert "Unknown" in page.inner_text(".service-head")
    assert "did not run" not in page.inner_text("#problems")
    strip = page.inner_text("#proof .section-strip").split()
    assert "?" in strip and "M" not in strip
    page.click("#promise .section-head >> text=Why")
    page.wait_for_selector("#drawer:not([hidden]) .steps")
    assert "Its backup tool has not answered" in page.inner_text("#drawer")


@pytest.mark.req("2.6")
def test_a_changed_setting_shows_who_changed_what_and_why_and_only_who_may_changes_it(sign_in, imaging):
    tool = make_tool("restic", name="vault", settings={"repository": "/srv/vault"}, secrets={"password": "a very secret word"})
    page, person = sign_in("monitoring-admin", change_url(tool))
    assert "a very secret word" not in page.content()
    page.fill("[name=setting_repository]", "/srv/vault-2")
    page.fill("[name=change_reason]", "The array was replaced")
    page.click("input[name=_save]")
    page.wait_for_selector(".messagelist .success")
    page.goto(url(Tool, "history", tool.pk))
    told = page.inner_text("#content")
    assert person.get_full_name() in told and "The array was replaced" in told
    assert "/srv/vault" in page.locator("#content del").all_inner_texts()[0]
    assert "/srv/vault-2" in page.locator("#content ins").all_inner_texts()[0]
    assert "a very secret word" not in page.content()
    page, _ = sign_in("auditor", change_url(tool))
    assert page.locator("input[name=_save]").count() == 0 and page.locator("[name=setting_repository]").count() == 0
    assert "/srv/vault-2" in page.inner_text("#content")


@pytest.mark.req("2.6")
def test_who_may_only_see_a_tool_is_refused_in_every_door_and_the_auditor_reads_of_it(sign_in, imaging):
    tool = make_tool("restic", name="vault", settings={"repository": "/srv/vault"}, secrets={"password": "a very secret word"})
    page, person = sign_in("operator", "/tools/vault/words/")
    assert page.locator("text=Keep as draft").count() == 0
    send = """async (path) => (await fetch(path, {method: "POST", headers: {
      "X-CSRFToken": document.cookie.match(/csrftoken=([^;]+)/)[1], "Content-Type": "application/x-www-form-urlencoded"},
      body: "reason=try"})).status"""
    page.goto("/tools/vault/")  # a page with a form, so that there is a token
    assert page.evaluate(send, "/tools/vault/words/draft") == 403
    assert page.evaluate(send, "/api/v1/tools/vault/status-map/") in (403, 415)
    page, _ = sign_in("auditor", url(Refusal, "changelist"))
    told = page.inner_text("#result_list")
    assert person.username in told and "/tools/vault/words/draft" in told and "127.0.0.1" in told and "You may not" in told
    assert "a very secret word" not in page.content() and tool.status_maps.count() == 0


@pytest.mark.req("3.2")
def test_a_stakeholder_reads_promise_and_proof_and_what_is_behind_a_figure(sign_in, imaging):
    page, _ = sign_in("stakeholder", services=[imaging])
    page.goto("/services/")
    page.click("main >> text=Imaging archive")
    promise = page.inner_text("#promise")
    assert "26 h or less" in promise and "Kept" in promise
    assert re.search(r"\b3 h( \d+ min)? now", promise)  # the clock goes on while the browser starts
    assert page.locator("text=Edit entry").count() == 0
    page.locator("#promise td a[data-explain]").first.click()
    page.wait_for_selector("#drawer:not([hidden]) .steps")
    drawer = page.inner_text("#drawer")
    run = BackupRun.objects.get()
    assert f"run {run.pk}" in drawer and "26 h" in drawer and "SVC-003" in drawer
    page.click(f"#drawer >> text=run {run.pk}")
    page.wait_for_url(f"**/runs/{run.pk}/")
    assert "pacs-nightly" in page.inner_text("main")


@pytest.mark.req("5.1")
def test_an_operator_takes_the_incident_writes_and_hands_it_back_resolved_by_evidence(sign_in, imaging, present):
    tool = Tool.objects.get()
    for minutes in (40, 20):
        failed = run_record("pacs-nightly", "failed", present - minutes * HOUR / 60, minutes=1, native_message="no space left on device")
        push(tool, failed, at=present)
    journey.advance()
    page, person = sign_in("operator")
    page.click("nav.nav >> text=Incidents")
    page.click("main >> text=pacs-nightly")
    assert "New" in page.inner_text("main") and "pacs-nightly" in page.inner_text("main")
    page.click("text=Acknowledge INC-")
    assert "You have taken INC-" in page.inner_text(".messages")
    page.fill("textarea[name=text]", "Freed 2 TB, the next run is at noon")
    page.click("text=Add the note")
    push(tool, run_record("pacs-nightly", "success", now(), minutes=0), at=now())
    journey.advance()
    page.reload()
    story = page.inner_text("[aria-labelledby=story-title] .timeline")
    assert "Freed 2 TB" in story and person.get_full_name() in story and "Resolved: The newest copy was" in story
    assert "Resolved" in page.inner_text("main")
    assert page.locator("text=Acknowledge INC-").count() == 0
    assert Incident.objects.get().state == "resolved"
