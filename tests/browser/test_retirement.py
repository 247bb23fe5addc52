"""An entry leaves the catalogue, in a real browser: asked by a steward, stopped, approved by an approver, gone, read by an auditor."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import relating, retiring
from catalogue.models import Relation, Retirement, Service
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from tests.admin_forms import change_url, url
from tests.factories import make_admin, make_service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def imaging(present):
    """An entry in force, another one that stops with it, and one that is to follow it."""
    start = present - 30 * DAY
    imaging = make_service("SVC-003", name="Imaging archive", at=start)
    make_service("SVC-004", name="New imaging archive", at=start)
    reporting = make_service("SVC-011", name="Radiology reporting", at=start)
    said = {"kind": "depends_on", "strength": "hard", "by": make_admin(), "at": start, "reason": "Seen"}
    relating.relate(consumer=reporting, provider=imaging, **said)
    return imaging


def done(page, words):
    """The page of an act in the admin: say why, and press its button."""
    page.fill("[name=change_reason]", "Agreed with Radiology")
    page.click(f"form[method=post] >> text={words}")
    page.wait_for_selector(".messagelist .success")


@pytest.mark.req("1.5")
def test_an_entry_leaves_the_catalogue_as_its_roles_decide(sign_in, imaging, present):
    steward_page, steward = sign_in("steward", change_url(imaging))
    steward_page.click("text=Its way out of the catalogue")
    steward_page.wait_for_url("**/services/SVC-003/retirement/")
    assert "Radiology reporting stops with it" in steward_page.inner_text("main")
    ends_on = f"{present + 3 * DAY:%Y-%m-%dT%H:%M}"
    steward_page.fill("[name=ends_at]", ends_on)
    steward_page.fill("[name=successor]", "SVC-004")
    steward_page.fill("textarea[name=reason]", "Replaced by the new archive")
    steward_page.click("main >> text=Ask for it")
    steward_page.wait_for_selector(".messages >> text=It is asked for")
    asked = Retirement.objects.get()
    assert Service.objects.get(code="SVC-003").lifecycle == "catalogue", "nothing changes before somebody agrees"
    steward_page.goto(change_url(asked))
    steward_page.wait_for_selector(".acts .blocked >> text=You asked for it")

    approver_page, approver = sign_in("approver", "/admin/")
    approver_page.click("text=Approve or refuse: retirement of SVC-003")
    approver_page.wait_for_url(f"**{change_url(asked)}")
    told = approver_page.inner_text("#content")
    assert "Replaced by the new archive" in told and "Radiology reporting stops with it" in told
    approver_page.click("text=Approve: SVC-003 leaves the catalogue")
    done(approver_page, "Approve: SVC-003 leaves the catalogue")
    assert Service.objects.get(code="SVC-003").lifecycle == "pending_retirement"

    # its day comes, and what stops with it stands in the way; without that it is gone
    later = present + 4 * DAY
    assert retiring.retire_due(at=later) == 0
    with because("Reads from the new archive", by=steward):
        relation = Relation.objects.get()
        relation.valid_until = now()
        relation.save()
    assert retiring.retire_due(at=later) == 1
    assert Service.objects.get(code="SVC-003").lifecycle == "retired"

    auditor_page, _ = sign_in("auditor", url(Retirement, "changelist"))
    auditor_page.click("#result_list >> text=SVC-003")
    auditor_page.wait_for_url(f"**{change_url(asked)}")
    read = auditor_page.inner_text("#content")
    for words in (steward.get_full_name(), approver.get_full_name(), "Agreed with Radiology", "done"):
        assert words in read
    assert "Call the retirement" not in read, "what is over is only to be read"
    assert not [*steward_page.complaints, *approver_page.complaints, *auditor_page.complaints]


@pytest.mark.req("1.5")
def test_who_changes_their_mind_keeps_the_entry_from_the_list_in_the_admin(sign_in, imaging, present):
    steward_page, _ = sign_in("steward", "/services/SVC-003/retirement/")
    steward_page.fill("textarea[name=reason]", "Replaced")
    steward_page.click("main >> text=Ask for it")
    steward_page.wait_for_selector(".messages >> text=It is asked for")
    approver_page, _ = sign_in("approver", url(Retirement, "changelist"))
    approver_page.click("#result_list >> text=SVC-003")
    approver_page.click("text=Approve: SVC-003 leaves the catalogue")
    approver_page.fill("[name=change_reason]", "Agreed")
    approver_page.click("form[method=post] >> text=Approve: SVC-003 leaves the catalogue")
    approver_page.wait_for_selector(".error-summary >> text=Radiology reporting stops with it")
    assert Retirement.objects.get().state == "asked", "at once is not possible while another entry stops with it"
    steward_page.goto(url(Retirement, "changelist"))
    steward_page.click("#result_list >> text=SVC-003")
    steward_page.click("text=Call the retirement of SVC-003 off")
    done(steward_page, "Call the retirement of SVC-003 off")
    assert Retirement.objects.get().state == "called_off"
    steward_page.click("text=See in portal")
    steward_page.wait_for_url("**/services/SVC-003/retirement/")
    assert steward_page.inner_text("h1") == "Imaging archive stays in the catalogue."
