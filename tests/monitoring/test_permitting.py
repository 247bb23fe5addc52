"""The panel of who may says what every door says: the same people as the refusals name."""

from __future__ import annotations

import pytest
from guardian.shortcuts import assign_perm

from catalogue import duties
from catalogue.refusing import NotAllowed
from monitoring import permitting, redefining
from tests.factories import make_admin, make_tool, make_user
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db


@pytest.mark.req("2.6")
def test_it_names_whom_the_doors_let_in(noon, client):
    tool, other = make_tool("push", name="scripts", at=noon), make_tool("push", name="other", at=noon)
    everywhere = [make_person(role, noon) for role in ("monitoring-admin", "operator", "approver", "auditor", "steward")]
    mine, theirs = make_person("monitoring-admin", noon, tools=[tool]), make_person("monitoring-admin", noon, tools=[other])
    granted, gone = make_user(), make_person("monitoring-admin", noon)
    assign_perm("monitoring.poll_tool", granted, tool)
    type(gone).objects.filter(pk=gone.pk).update(is_active=False)
    make_admin("root")
    told = {deed.right: people for deed, people in permitting.who_may(tool)}
    for action in ("view", "poll", "change"):
        assert told[f"{action}_tool"] == duties.who_may(action, tool), action
    assert (
        mine in told["change_tool"] and theirs not in told["view_tool"] and granted in told["poll_tool"] and gone not in told["view_tool"]
    )
    author = everywhere[0]
    row = redefining.draft_map(tool=tool, words={"odd": "failed"}, units={}, by=author, at=noon, reason="Try")
    may = [person for person in [*everywhere, mine, theirs, granted] if _may_approve(row, person)]
    assert may == [person for person in told["approve_statusmap"] if person != author] and may


def _may_approve(row, person):
    try:
        redefining.check_approver_of(row, type(person).objects.get(pk=person.pk))
    except NotAllowed:
        return False
    return True


def test_the_page_of_a_tool_shows_it(noon, client):
    tool = make_tool("push", name="scripts", at=noon)
    admin = make_person("monitoring-admin", noon)
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/tools/{tool.name}/").content.decode()
    assert "Who may" in page and "Change its settings and jobs" in page and admin.get_full_name() in page
    assert "Who may" not in client.get(f"/tools/{tool.name}/?as_of=2026-07-01T00:00Z").content.decode()
