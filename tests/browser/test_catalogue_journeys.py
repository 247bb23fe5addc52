"""The catalogue's requirements, done by clicking in a real browser, signed in as the role whose work it is."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from catalogue.models import Agreement, AgreementVersion, Attestation, Deviation, HandOver, ImpactAnalysis, Service, ServiceVersion
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from monitoring.models import Tool
from tests.admin_forms import change_url, url
from tests.factories import make_job, make_rule, make_schedule, make_service, make_tool, push, run_record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
WHY = "[name=change_reason]"


@pytest.fixture
def imaging(present):
    """A tier 2 service that promises 26 h; its nightly backup takes two hours and ended three hours ago."""
    start = present - 3 * DAY
    service = make_service("SVC-003", at=start, rpo_s=26 * 3600, tier=2, name="Imaging archive", department="Radiology")
    tool = make_tool(at=start, name="scripts")
    job = make_job(tool, "pacs-nightly", at=start, service=service)
    make_schedule(job, local_times=f"{present - 5 * HOUR:%H:%M}", grace_s=4 * 3600)
    push(tool, run_record("pacs-nightly", "success", present - 5 * HOUR, minutes=120), at=present - 2 * HOUR)
    journey.advance(at=present)
    return service


def saved(page):
    page.click("input[name=_save]")
    page.wait_for_selector(".messagelist .success")


def done(page, words):
    """The page of an act: say why, and press its button."""
    page.fill(WHY, "Agreed with Radiology")
    page.click(f"form[method=post] >> text={words}")
    page.wait_for_selector(".messagelist .success")


def choose(page, name, words):
    page.select_option(f"[name={name}]", label=page.locator(f"[name={name}] option", has_text=words).first.inner_text())


@pytest.mark.req("1.4")
def test_a_promise_that_cannot_hold_is_not_published_without_a_deviation_that_somebody_owns(sign_in, imaging, present):
    steward_page, steward = sign_in("steward", url(ImpactAnalysis, "add"))
    choose(steward_page, "service", "SVC-003")
    for name, text in (("mtpd_s", "8 h"), ("tolerated_loss_s", "24 h"), ("wrt_s", "2 h"), ("mbco", "Emergency pictures")):
        steward_page.fill(f"[name={name}]", text)
    steward_page.fill("[name=review_due_on]", f"{present + 300 * DAY:%Y-%m-%d}")
    steward_page.fill(WHY, "Asked the wards")
    saved(steward_page)
    steward_page.goto(url(Agreement, "add"))
    steward_page.select_option("[name=kind]", "sla")
    steward_page.fill("[name=name]", "Radiology SLA")
    steward_page.fill("[name=party]", "Radiology")
    steward_page.fill(WHY, "New contract")
    saved(steward_page)
    steward_page.goto(url(AgreementVersion, "add"))
    choose(steward_page, "agreement", "Radiology SLA")
    steward_page.fill("[name=from_on]", f"{present:%Y-%m-%d}")
    steward_page.fill("[name=rpo_s]", "24 h")
    steward_page.fill(WHY, "New contract")
    saved(steward_page)

    approver_page, approver = sign_in("approver", change_url(ImpactAnalysis.objects.get()))
    approver_page.click("text=Approve impact analysis 1")
    done(approver_page, "Approve impact analysis 1")
    approver_page.goto(change_url(AgreementVersion.objects.get()))
    approver_page.click("text=Approve Radiology SLA, version 1")
    done(approver_page, "Approve Radiology SLA, version 1")

    steward_page.goto("/services/SVC-003/")
    steward_page.click("text=Edit entry")
    steward_page.click("text=Make version 2")
    choose(steward_page, "sla", "Radiology SLA")
    steward_page.fill("[name=rto_s]", "7 h")
    steward_page.locator("#checks", has_text="RTO_PLUS_WRT_EXCEEDS_MTPD").wait_for()  # the check list follows what is typed
    steward_page.fill("[name=rto_s]", "6 h")
    steward_page.fill("[name=rpo_s]", "24 h")
    steward_page.locator("#checks", has_text="SCHEDULE_EXCEEDS_RPO").wait_for()
    checks = steward_page.inner_text("#checks")
    assert (
        "RTO_PLUS_WRT" not in checks
        and "WEAKER_THAN_SLA" not in checks
        and "takes up to 2 h" in checks
        and "RESTORE_TIME_UNMEASURED" in checks
    )
    steward_page.fill(WHY, "Radiology asks for a day")
    saved(steward_page)
    version = ServiceVersion.objects.get(number=2)
    steward_page.goto(url(ServiceVersion, "act", version.pk, "submit"))
    assert "It cannot be approved as it is" in steward_page.inner_text("#content")
    done(steward_page, "Submit version 2 for approval")

    approver_page.goto("/services/SVC-003/versions/2/")
    approver_page.click("button:has-text('Approve version 2')")
    approver_page.wait_for_selector(".messages")
    assert "SCHEDULE_EXCEEDS_RPO" in approver_page.inner_text(".messages")
    assert ServiceVersion.objects.get(pk=version.pk).state == "in_review"

    steward_page.goto(url(Deviation, "add"))
    choose(steward_page, "service", "SVC-003")
    steward_page.select_option("[name=wanted]", "SCHEDULE_EXCEEDS_RPO")
    steward_page.fill("[name=reason]", "The second backup a day starts with the new array")
    choose(steward_page, "owner", version.owner.get_full_name() or version.owner.username)
    steward_page.fill("[name=expires_on]", f"{present + 30 * DAY:%Y-%m-%d}")
    steward_page.fill(WHY, "Until the array is there")
    saved(steward_page)
    deviation = Deviation.objects.get()
    steward_page.goto(url(Deviation, "act", deviation.pk, "grant"))
    assert "cannot grant it" in steward_page.inner_text("#content"), "who asks never grants"
    approver_page.goto("/admin/")
    approver_page.click("text=Grant or refuse")
    approver_page.click("text=Grant the deviation")
    done(approver_page, "Grant the deviation")
    approver_page.goto("/services/SVC-003/versions/2/")
    approver_page.click("button:has-text('Approve version 2')")
    approver_page.locator(".messages", has_text="is approved").wait_for()

    reader, _ = sign_in("stakeholder", "/services/SVC-003/")
    shown = reader.inner_text("#promise")
    assert "It is borne until" in shown and "24 h" in shown
    reader.click("text=What stands behind the promise")
    behind = reader.inner_text("main")
    assert "Longest tolerable outage (MTPD)" in behind and "Radiology SLA, version 1" in behind and "Borne until" in behind
    reader.click("text=All deviations")
    listed = reader.inner_text("main")
    assert "1 deviation is borne" in listed and "Imaging archive" in listed and approver.get_full_name() in listed
    deviation.refresh_from_db()
    assert (deviation.asked_by, deviation.approver, ServiceVersion.objects.get(number=2).sla.rpo_s) == (steward, approver, 24 * 3600)


@pytest.mark.req("1.5")
def test_two_stewards_write_one_draft_and_the_approver_decides_on_exactly_what_was_read(sign_in, imaging):
    first, hanna = sign_in("steward", f"{url(ServiceVersion, 'add')}?service={imaging.pk}")
    first.fill("[name=rpo_s]", "40 h")
    first.fill(WHY, "Radiology reads at night now")
    saved(first)
    version = ServiceVersion.objects.get(number=2)
    assert (version.release, version.level) == ("2.0.0", "major")
    second, ruth = sign_in("steward", change_url(version))
    first.goto(change_url(version))
    first.fill("[name=summary]", "Pictures")
    first.click(".acts >> text=Submit version 2")
    assert "What you typed below is not saved" in first.inner_text(".acts-unsaved"), "an act does not lose what was typed"
    first.fill("[name=summary]", "Pictures and reports")
    first.fill(WHY, "Say what it is")
    saved(first)
    second.fill("[name=rpo_s]", "36 h")
    second.fill(WHY, "Agreed in the meeting")
    second.click("input[name=_save]")
    second.wait_for_selector(".error-summary")
    assert "saved this draft while you were writing" in second.inner_text(".error-summary")
    assert "Pictures and reports" in second.inner_text(".changes")
    assert second.input_value("[name=rpo_s]") == "36 h" and second.input_value("[name=summary]") == "Pictures and reports"
    saved(second)
    version.refresh_from_db()
    assert (version.commitment.rpo_s, version.summary, version.author_ids) == (
        36 * 3600,
        "Pictures and reports",
        sorted([hanna.pk, ruth.pk]),
    )

    approver_page, approver = sign_in("approver", "/services/SVC-003/versions/2/")
    approver_page.fill("[name=text]", "Is the night shift staffed?")
    approver_page.click("button:has-text('Comment')")
    second.goto(url(ServiceVersion, "act", version.pk, "submit"))
    done(second, "Submit version 2 for approval")
    mail = Notice.objects.filter(recipient=approver.email, key__contains="/submitted/").latest("pk")
    link = re.search(r"/services/SVC-003/versions/2/\?seen=\w+", mail.body)[0]
    approver_page.goto(link)
    shown = approver_page.inner_text(".diff")
    assert "26 h" in shown and "36 h" in shown and "Pictures and reports" in shown
    first.goto(url(ServiceVersion, "act", version.pk, "return"))
    done(first, "Return version 2 to draft")
    first.goto(change_url(version))
    first.fill("[name=rpo_s]", "30 h")
    first.fill(WHY, "Tighter")
    saved(first)
    first.goto(url(ServiceVersion, "act", version.pk, "submit"))
    done(first, "Submit version 2 for approval")
    approver_page.click("button:has-text('Approve version 2')")  # what stands on the page is old by now
    approver_page.wait_for_selector(".messages .note--broken")
    assert "is not what you read any more" in approver_page.inner_text(".messages")
    assert "Is the night shift staffed?" in approver_page.inner_text("main")
    approver_page.fill("[name=effective_from]", f"{now().astimezone(dt.UTC) + 2 * DAY:%Y-%m-%dT%H:%M}")
    approver_page.click("button:has-text('Approve version 2')")
    approver_page.locator(".messages", has_text="is approved").wait_for()
    assert imaging.version_at(now()).number == 1 and imaging.version_at(now() + 3 * DAY).number == 2

    second.goto("/services/SVC-003/versions/")
    assert "takes effect later" in second.inner_text("main")
    second.click("button:has-text('Compare')")
    compared = second.inner_text("main")
    assert "Version 1 (1.0.0)" in compared and "26 h" in compared and "30 h" in compared and "Show all" in compared
    second.goto(f"/services/SVC-003/versions/?as_of={now() - HOUR:%Y-%m-%dT%H:%MZ}")
    assert "version 2" not in second.inner_text("main")


@pytest.mark.req("1.5")
def test_an_earlier_content_comes_back_as_a_new_version(sign_in, present):
    service = make_service("SVC-003", at=present - 3 * DAY, tier=3, name="Imaging archive")
    make_next(service, present - DAY, tier=1)
    page, _ = sign_in("steward", "/services/SVC-003/versions/1/")
    page.fill("[name=reason]", "Tier 1 cannot be paid for")
    page.click("text=Draft a version with this content")
    page.locator(".messages", has_text="Version 3 is a draft").wait_for()
    three = service.versions.get(number=3)
    assert (three.tier, three.state, three.level, three.reason) == (3, "draft", "major", "Tier 1 cannot be paid for")
    assert service.version_at(now()).tier == 1


def make_next(service, at, **content):
    from catalogue import publishing
    from tests.factories import make_admin, make_user

    author = make_user()
    draft = publishing.draft_version(service=service, content=content, commitment={}, by=author, at=at, reason="test")
    publishing.submit(version=draft, by=author, at=at)
    publishing.approve(version=draft, by=make_admin(), at=at)


@pytest.mark.req("1.3")
def test_a_duty_is_handed_over_and_owners_attest_and_gaps_and_double_claims_are_seen(sign_in, imaging, present):
    other = make_service("SVC-014", at=present - 3 * DAY, name="Ward files", owner=imaging.version_at(present).owner)
    tool = Tool.objects.get()
    make_rule(other, tool, "pacs-nightly", at=present - DAY)
    page, _ = sign_in("steward", "/ownership/")
    gaps, doubles = page.inner_text("#gaps"), page.inner_text("#doubles")
    assert "Nobody set a day by which it is read again" in gaps and "is owner and steward at once" in gaps
    assert "pacs-nightly" in doubles and "Ward files" in doubles
    receiver_page, receiver = sign_in("stakeholder")

    page.click("#gaps >> text=Imaging archive")
    page.wait_for_url("**/services/SVC-003/ownership/")
    assert "Storage" in page.inner_text("main") and "A/R" in page.inner_text(".raci")
    page.select_option("[name=duty]", "owner")
    page.select_option("[name=receiver]", str(receiver.pk))
    page.fill("[name=reason]", "The head of radiology changed")
    page.click("text=Ask them to take it over")
    page.locator(".messages", has_text="Nothing moves before they accept").wait_for()
    assert Notice.objects.get(key__startswith="hand-over/").recipient == receiver.email
    receiver_page.goto("/services/SVC-003/ownership/")
    receiver_page.click("text=Accept: be owner of Imaging archive")
    receiver_page.locator(".messages", has_text="as soon as version 2 is approved").wait_for()
    approver_page, _ = sign_in("approver", "/services/SVC-003/versions/2/")
    assert "A minor change" in approver_page.inner_text("main")
    approver_page.click("button:has-text('Approve version 2')")
    approver_page.locator(".messages", has_text="is approved").wait_for()
    page.goto("/services/SVC-003/ownership/")
    told = page.inner_text("main")
    assert "Accepted" in told and "The head of radiology changed" in told and receiver.get_full_name() in told
    assert Service.objects.get(code="SVC-003").version_at(now()).owner == receiver and HandOver.objects.get().accepted

    page.goto("/ownership/")
    page.fill("[name=title]", "Yearly check of the catalogue")
    page.fill("[name=due_on]", f"{present + 30 * DAY:%Y-%m-%d}")
    page.click("text=Ask the owners")
    page.locator(".messages", has_text="2 entries are asked about").wait_for()
    mail = Notice.objects.get(key__startswith="attestation/", recipient=receiver.email)
    receiver_page.goto(re.search(r"/attestations/\d+/", mail.body)[0])
    receiver_page.check("text=Imaging archive is right")
    receiver_page.click("text=Send these answers")
    receiver_page.locator(".messages", has_text="1 answered").wait_for()
    page.goto("/ownership/")
    assert "1 of 2" in page.inner_text("main")
    assert set(Attestation.objects.values_list("service__code", "right")) == {("SVC-003", True), ("SVC-014", None)}
