"""A configuration that changed says which entry needs a new version, in a real browser, from the steward's mail to the new version."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from catalogue.models import ServiceVersion
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import now
from monitoring import detecting
from monitoring.models import BackupJob, DetectedChange
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def backed_up(tool, at, **more):
    push(tool, run_record("pacs-nightly", "success", at - HOUR, **{"repository_name": "/srv/pool", "encrypted": True, **more}), at=at)
    journey.advance(at=at)


@pytest.fixture
def changed(present):
    """Since it was approved, its copies go to another place, unencrypted, and only once a week."""
    steward = make_person("steward", present - 9 * DAY)
    service = make_service("PACS", name="Imaging archive", at=present - 9 * DAY, rpo_s=26 * 3600, steward=steward)
    tool = make_tool(at=present - 9 * DAY, name="vault")
    job = make_job(tool, "pacs-nightly", at=present - 9 * DAY, service=service)
    schedule = make_schedule(job, local_times=f"{present - 2 * HOUR:%H:%M}", grace_s=4 * 3600)
    backed_up(tool, present - 2 * DAY)
    detecting.detect_changes(at=present - DAY)
    with because("Only once a week", by=make_admin()):
        schedule.rrule = "FREQ=WEEKLY;BYDAY=SU"
        schedule.save()
    backed_up(tool, present - HOUR, repository_name="s3:bucket", encrypted=False)
    detecting.detect_changes(at=present)
    return steward


@pytest.mark.req("1.5")
def test_a_detected_change_leads_to_a_new_version_or_to_a_word_that_none_is_needed(tab, changed, present):
    mail = Notice.objects.get(key__startswith="detected/", recipient=changed.email)
    assert "Copies of pacs-nightly: encrypted before, not encrypted" in mail.body
    page = tab(changed)
    page.set_default_timeout(60_000)
    page.goto(re.search(r"/services/detected/\S+", mail.body)[0])
    assert page.inner_text("h1") == "1 entry needs a new version, or a word that none is needed."
    told = page.inner_text("#waiting")
    for words in ("/srv/pool", "s3:bucket", "not encrypted", "Weekly on Sun", "after version 1", "Imaging archive"):
        assert words in told

    # one needs no new version, and it is kept who said so; without a reason nothing happens
    page.click("#waiting tr:has-text('s3:bucket') summary")
    page.click("#waiting tr:has-text('s3:bucket') button")
    assert DetectedChange.objects.waiting(now()).count() == 4, "the browser asks for a reason first"
    page.fill("#waiting tr:has-text('s3:bucket') input[name=reason]", "The entry names no place")
    page.click("#waiting tr:has-text('s3:bucket') button")
    page.wait_for_selector(".messages")
    assert "s3:bucket" not in page.inner_text("#waiting") and "The entry names no place" in page.inner_text("#past")

    # others see it, and cannot answer for the steward
    reader = tab(make_person("auditor", present))
    reader.goto("/ownership/")
    assert "3 changes detected behind it" in reader.inner_text("#gaps")
    reader.goto("/services/PACS/versions/")
    assert "not encrypted" in reader.inner_text("main") and "Its steward decides." in reader.inner_text("main")
    assert reader.locator("summary:has-text('No new version')").count() == 0
    reader.goto(f"/services/detected/?as_of={present - 2 * HOUR:%Y-%m-%dT%H:%MZ}")
    assert reader.inner_text("h1") == "Nothing changed that an entry does not know."

    # the new version takes the rest up
    page.goto("/services/detected/?service=PACS")
    page.click("#waiting >> text=Draft a new version >> nth=0")
    page.fill("[name=rpo_s]", "8 d")
    page.fill("[name=change_reason]", "Weekly is enough for it")
    page.click("input[name=_save]")
    page.wait_for_selector(".messagelist .success")
    page.goto("/services/detected/")
    assert "version 2 is draft" in page.inner_text("#waiting").lower()
    version = ServiceVersion.objects.get(number=2)
    page.goto(f"/admin/catalogue/serviceversion/{version.pk}/act/submit/")
    page.fill("[name=change_reason]", "Please read")
    page.click("form[method=post] >> text=Submit version 2 for approval")
    page.wait_for_selector(".messagelist .success")
    approver = tab(make_person("approver", present))
    approver.set_default_timeout(60_000)
    approver.goto("/services/PACS/versions/2/")
    approver.click("button:has-text('Approve version 2')")
    approver.locator(".messages", has_text="is approved").wait_for()
    page.goto("/services/detected/")
    assert page.inner_text("h1") == "Nothing changed that an entry does not know."
    assert page.inner_text("#past").count("Taken up by version 2.") == 3
    assert not page.complaints and not reader.complaints


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_pages_are_accessible_and_fit_the_screen(tab, changed, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    found = {}
    assert BackupJob.objects.count() == 1
    for path in ("/services/detected/", "/services/PACS/versions/", "/services/detected/?service=NONE"):
        page = tab(changed, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
    assert found == {}
