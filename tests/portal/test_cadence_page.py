"""The page on how often tools are asked: one that fails again and again is said to be left in peace, and until when."""

from __future__ import annotations

import datetime as dt

import pytest

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.cadence_page import cadence_page
from monitoring.models import ToolState
from tests.factories import make_tool

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.4")]


@pytest.mark.parametrize(
    ("failures", "told"),
    [(0, ""), (1, ""), (3, "No answer 3 times in a row; asked again today 14:00")],
    ids=["answers", "failed once", "fails again and again"],
)
def test_a_tool_that_fails_again_and_again_says_when_it_is_asked_again(root, noon, failures, told):
    tool = make_tool("restic", at=noon - dt.timedelta(days=3), settings={"repository": "/vault"})
    ToolState.objects.filter(tool=tool).update(consecutive_failures=failures, next_poll_at=noon + dt.timedelta(hours=2))
    (row,) = cadence_page(user=root, moment=Moment(at=noon, now=noon)).rows
    assert row.waits == told
    past = Moment(at=noon - dt.timedelta(hours=1), now=noon)
    assert all(not one.waits for one in cadence_page(user=root, moment=past).rows)


@pytest.mark.parametrize("path", ["/incidents/escalation/", "/incidents/on-call/"])
def test_pages_of_what_is_set_say_in_the_past_that_it_is_todays(client, root, path):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert "as they are today" in client.get(f"{path}?as_of=2026-07-01T12:00:00Z").content.decode()
    assert "as they are today" not in client.get(path).content.decode()


def test_before_any_tool_that_is_asked_was_set_up_the_page_says_so(root, noon):
    moment = Moment(at=noon - dt.timedelta(days=3650), now=noon)
    assert cadence_page(user=root, moment=moment).sentence == "No tool that is asked was set up by then."
