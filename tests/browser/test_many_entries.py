"""Work on many entries, done by clicking in a real browser as the steward and the approver whose work it is."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from catalogue import publishing, sheets, working_through
from catalogue.models import Batch, Service, ServiceVersion
from itsm_backup.common.time import now
from monitoring.capability import measured
from tests.admin_forms import url
from tests.catalogue.makers import make_author, make_draft
from tests.factories import make_service, make_team

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WHY = "[name=change_reason]"


@pytest.fixture
def entries(present):
    start = present - dt.timedelta(days=3)
    departments = ("Radiology", "Radiology", "Surgery")
    return [make_service(f"SVC-{n:03}", at=start, name=f"Service {n}", department=departments[n], tier=3) for n in range(3)]


def do_the_work():
    """What a worker does when the button is pressed."""
    working_through.work(batch=Batch.objects.running().get(), clock=now, measure=measured)


@pytest.mark.req("1.5")
def test_a_file_becomes_drafts_and_somebody_else_approves_them_in_one_go(sign_in, entries, tmp_path):
    make_team()
    page, steward = sign_in("steward", "/services/")
    with page.expect_download() as download:
        page.click("text=Export entries as XLSX")
    rows = sheets.read(download.value.path().read_bytes())
    columns = [*rows[0].cells]
    changed = [[*({**row.cells, "rpo": "12 h", "owner": steward.username, "steward": steward.username}).values()] for row in rows]
    changed[2][columns.index("tier")] = "7"
    fresh = {"code": "SVC-900", "name": "Bed planning", "tier": "3", "commissioned_at": "2026-01-01", "operations_team": "Storage"}
    changed.append(
        [{**dict.fromkeys(columns, ""), **fresh, "zone": "UTC", "kind": "business_service", "hosting": "cloud"}[c] for c in columns]
    )
    file = tmp_path / "entries.xlsx"
    file.write_bytes(sheets.write("xlsx", columns, changed))

    page.click("text=Import and other work on many entries")
    page.click("main >> text=Import")
    page.set_input_files("[name=file]", file)
    page.fill("[name=reason]", "Yearly check of the catalogue")
    page.click("text=Look at it first")
    page.locator("h1", has_text="3 of 4 entries can be done, 1 cannot be done as it is").wait_for()
    looked = page.inner_text("#batch")
    assert "tier" in looked and "less than or equal to 4" in looked and "Recovery point (RPO) 26 h → 12 h" in looked
    assert not ServiceVersion.objects.filter(state="draft").exists(), "nothing was kept by looking"
    page.click("button:has-text('Only the 3 good')")
    page.wait_for_selector("progress")
    do_the_work()
    page.locator("h1", has_text="3 of 4 made, 1 not").wait_for()  # the page follows by itself
    page.click("text=Submit 3 drafts for approval")
    page.locator("h1", has_text="Submission: Import of entries.xlsx: 2 of 3 entries can be done, 1 cannot").wait_for()
    page.click("button:has-text('Only the 2 good')")
    page.wait_for_selector("progress")
    do_the_work()
    page.locator("h1", has_text="submitted").wait_for()
    told = page.inner_text("#batch")
    assert "2 of 3 submitted, 1 not" in told and "It needs one accountable owner" in told, "an incomplete one is named"

    boss_page, boss = sign_in("approver", "/approvals/")
    assert "2 versions wait for approval" in boss_page.inner_text("h1")
    boss_page.fill("[name=reason]", "Agreed in the board")
    boss_page.click("text=Look at all 2")
    boss_page.click("text=Approve 2 versions")
    boss_page.wait_for_selector("progress")
    do_the_work()
    boss_page.locator("h1", has_text="2 of 2 approved").wait_for()
    live = [Service.objects.get(code=f"SVC-00{n}").version_at(now()) for n in range(3)]
    assert [(row.commitment.rpo_s, row.number) for row in live] == [(43_200, 2), (43_200, 2), (93_600, 1)]
    assert (live[0].author_ids, live[0].approver, live[0].reason) == ([steward.pk], boss, "Yearly check of the catalogue")


@pytest.mark.req("1.5")
def test_a_steward_changes_a_field_of_many_entries_and_what_is_in_force_stays(sign_in, entries):
    page, _ = sign_in("steward", url(Service, "changelist"))
    page.click("#changelist-filter summary:has-text('Department')")
    page.click("#changelist-filter a:has-text('Radiology')")
    page.fill("[name=name]", "Radiology alone")
    page.click("text=Keep >> nth=-1")
    page.wait_for_selector(".messagelist .success")
    page.goto(url(Service, "changelist"))
    page.click(".saved-filters >> text=Radiology alone")
    page.wait_for_selector(".saved-filters [aria-current]")
    assert page.locator("#result_list tbody tr").count() == 2
    page.check("#action-toggle")
    page.select_option("[name=action]", "edit_many")
    page.click("button[name=index]")
    page.check("input[name=change][value=supplier]")
    page.fill("[name=supplier]", "Archive Ltd")
    page.fill("[name=department]", "This is not ticked")
    page.fill(WHY, "New contract")
    page.click("text=Look at it first")
    page.wait_for_selector("text=You wrote here without ticking")
    page.fill("[name=department]", "")
    page.click("text=Look at it first")
    page.locator("h1", has_text="2 of 2 entries can be done").wait_for()
    assert "Supplier – → Archive Ltd" in page.inner_text("#batch")
    page.click("text=Make 2 drafts")
    page.wait_for_selector("progress")
    do_the_work()
    page.locator("h1", has_text="2 of 2 made").wait_for()
    drafts = ServiceVersion.objects.filter(state="draft")
    assert {(row.supplier, row.department) for row in drafts} == {("Archive Ltd", "Radiology")}
    assert {row.service.version_at(now()).supplier for row in drafts} == {""}
    assert re.search(r"Change of supplier of 2 entries", page.inner_text("h1"))


@pytest.mark.req("1.5")
def test_five_hundred_drafts_are_approved_in_one_go_which_can_be_left_stopped_and_gone_on_with(sign_in, present):
    at = present - dt.timedelta(hours=1)
    for n in range(500):
        publishing.submit(version=make_draft(f"SVC-{n:03}", at=at), by=make_author(), at=at, announce=False)
    page, boss = sign_in("approver", "/approvals/")
    assert "500 versions wait for approval" in page.inner_text("h1")
    page.fill("[name=reason]", "Agreed in the board")
    page.click("text=Look at all 500")
    page.click("text=Approve 500 versions")
    page.wait_for_selector("progress")
    batch = Batch.objects.running().get()
    working_through.work(batch=batch, clock=now, measure=measured, most=120)
    page.locator("label", has_text="120 of 500 decided").wait_for()  # the page follows by itself
    assert page.locator("progress").get_attribute("value") == "120"
    page.goto("/")  # left
    working_through.work(batch=batch, clock=now, measure=measured, most=80)
    page.goto(f"/batches/{batch.pk}/")
    page.locator("label", has_text="200 of 500 decided").wait_for()
    page.click("text=Stop after the entry at hand")
    page.locator("h1", has_text="Stopped").wait_for()
    assert working_through.work(batch=batch, clock=now, measure=measured) == 0
    page.click("text=Go on: Approve 300 versions")
    page.wait_for_selector("progress")
    assert working_through.work(batch=batch, clock=now, measure=measured) == 300
    page.locator("h1", has_text="500 of 500 approved").wait_for()
    done = ServiceVersion.objects.approved()
    assert done.count() == 500 and set(done.values_list("approver", flat=True)) == {boss.pk}
