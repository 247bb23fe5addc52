"""Duties kept apart, walked in a real browser: refused on grant and on action, excepted for a while, and seen by the auditor."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from catalogue import legal_holds, publishing
from catalogue.models import DutyException, GrantEntry
from itsm_backup import granting
from itsm_backup.common.time import now
from tests.admin_forms import change_url, url
from tests.factories import make_admin, make_service, make_tool, make_user
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def root():
    granting.ensure_roles(at=now())
    return make_admin("root")


@pytest.mark.req("4.6")
def test_duties_are_refused_together_excepted_for_a_while_and_seen(tab, root):
    service, tool = make_service("pacs", name="Imaging archive"), make_tool(name="vault")
    max_, olga = make_user("max", first_name="Max", last_name="Ott"), make_user("olga", first_name="Olga", last_name="Falk")
    granting.grant(user=max_, role="monitoring-admin", by=root, at=now(), reason="Runs the tools")

    # on grant: a role, and a right on one row
    page = tab(root)
    page.set_default_timeout(15_000)
    page.goto(url(get_user_model(), "act", max_.pk, "give"))
    page.select_option("[name=role]", "steward")
    page.fill("[name=change_reason]", "Helps out")
    page.click("button.default")
    assert "who measures a promise never writes it" in page.inner_text("#content")
    page.goto(url(type(service), "permissions", service.pk))
    page.select_option("[name=holder]", str(max_.pk))
    page.check("input[value=approve_service]")
    page.fill("[name=change_reason]", "Helps out")
    page.click("text=Save these rights")
    assert "who measures a promise never approves it" in page.inner_text("#content")
    assert set(granting.held_by(max_)) == {granting.Scope("monitoring-admin")}

    # the exception: dated, owned, approved by somebody else
    page.goto(url(DutyException, "add"))
    page.select_option("[name=person]", str(max_.pk))
    page.select_option("[name=one]", "monitoring-admin")
    page.select_option("[name=other]", "steward")
    page.select_option("[name=owner]", str(olga.pk))
    page.fill("[name=reason]", "The second steward is on parental leave")
    page.fill("[name=change_reason]", "Agreed with Olga Falk")
    fill_instant(page, "valid_until", now() + 10 * DAY)
    page.click("input[name=_save]")
    page.wait_for_selector(".messagelist .success")
    page.goto(url(get_user_model(), "act", max_.pk, "give"))
    page.select_option("[name=role]", "steward")
    page.fill("[name=change_reason]", "Under the exception")
    page.click("button.default")
    page.wait_for_selector(".messagelist .success")

    # on action: rights that came past every door do nothing, and the rule is named
    both = make_person("operator", now())
    both.user_permissions.add(Permission.objects.get(codename="approve_service"))
    author = make_user("author")
    said = {"by": author, "at": now(), "reason": "New promise"}
    version = publishing.draft_version(service=service, content={}, commitment={"rpo_s": 7200}, **said)
    publishing.submit(version=version, **said)
    with pytest.raises(publishing.NotAllowed, match="who runs the backups never approves"):
        publishing.approve(version=version, by=both, at=now())
    both.is_staff = True
    both.save()
    both.user_permissions.add(*Permission.objects.filter(codename__in=["view_tool", "change_tool", "change_service"]))
    mixed = tab(both)
    mixed.goto(change_url(tool))
    mixed.fill("[name=change_reason]", "Mine")
    mixed.click("input[name=_save]")
    assert "exclude each other" in mixed.inner_text("#content")

    # four eyes, superusers too
    edited = publishing.edit_draft(version=version, content={}, commitment={"rpo_s": 3600}, by=root, at=now(), reason="Tighter")
    publishing.submit(version=edited, by=root, at=now())
    page.goto(url(type(edited), "act", edited.pk, "approve"))
    assert "You wrote part of" in page.inner_text("#content") and page.locator("button.default").count() == 0

    # the auditor sees all of it
    legal_holds.place(service=service, owner=olga, reason="File 7 O 12/26", by=make_admin("second"), at=now())
    auditor = tab(make_person("auditor", now()))
    auditor.goto("/")
    auditor.click("nav.nav >> text=Evidence")
    assert "conflicts of duties without an exception" in auditor.inner_text("h1")
    told = auditor.inner_text("#conflicts")
    assert "Max Ott" in told and "Excepted" in told and "Conflict" in told and "own right catalogue.approve_service" in told
    exceptions = auditor.inner_text("#exceptions")
    assert all(words in exceptions for words in ("Max Ott", "Olga Falk", "parental leave", "Ends soon"))
    assert "Under the exception" in auditor.inner_text("#record") and "outside the product" in auditor.inner_text("#record")
    assert "File 7 O 12/26" in auditor.inner_text("#holds")
    assert auditor.inner_text("#matrix").count("X") >= 18
    assert not auditor.complaints
    auditor.goto("/services/pacs/")
    assert "Legal hold. File 7 O 12/26. Olga Falk answers for it" in auditor.inner_text("main")
    assert GrantEntry.objects.filter(person=max_.pk, what="steward", by=root.pk, reason="Under the exception").count() == 1
    stakeholder = tab(make_person("stakeholder", now()))
    stakeholder.goto("/")
    assert stakeholder.locator("nav.nav >> text=Evidence").count() == 0


def fill_instant(page, name, at):
    field = page.locator(f"[name={name}]")
    field.fill(f"{at:%Y-%m-%dT%H:%M}" if field.get_attribute("type") == "datetime-local" else f"{at:%Y-%m-%d %H:%M}")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_page_is_accessible_fits_the_screen_and_obeys_the_policy(tab, root, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    both = make_user("both", first_name="Anna", last_name="Both")
    both.user_permissions.add(*Permission.objects.filter(codename__in=["change_tool", "change_service"]))
    page = tab(root, size=size, scheme=scheme)
    page.goto("/evidence/duties/")
    assert "1 conflict of duties without an exception." in page.inner_text("h1")
    assert not page.complaints and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
