"""The register of mutes: read from the facts that mute, with owner, reason, end, and the exposure meanwhile."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from catalogue import legal_holds, overriding
from catalogue.models import DutyException, Window
from incidents import exposing, muting, solving, working
from incidents.models import Channel, Incident, Problem
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from tests.factories import make_admin, make_user
from tests.portal.makers import HOUR, make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


@pytest.fixture
def estate():
    return make_estate(now().replace(microsecond=0))


def window(service, at, **more):
    fields = {"starts_at": at - HOUR, "ends_at": at + HOUR, "purpose": "New disks", "decided_at": at - 2 * HOUR, **more}
    with because("test"):
        return Window.objects.create(service=service, decided_by=make_user(first_name="Ada", last_name="Berg"), **fields)


def told(user, at):
    found = muting.mutes(user=user, at=at)
    return {one.kind: (one, exposure) for one, exposure in zip(found, exposing.exposures(found, at=at), strict=True)}


def test_a_hold_that_ended_is_listed_for_as_long_as_it_was(estate):
    at, admin, incident = estate.at, make_admin(), Incident.objects.open().first()
    working.move(incident=incident, to="on_hold", reason="Waits for the supplier", by=admin, at=at)
    working.move(incident=incident, to="in_progress", reason="The disks are here", by=admin, at=at + HOUR)
    working.move(incident=incident, to="on_hold", reason="Waits again", by=admin, at=at + 2 * HOUR)

    def held(minutes):
        found = muting.mutes(user=admin, at=at + dt.timedelta(minutes=minutes))
        return [(one.reason, one.since) for one in found if one.kind == "incident"]

    assert held(-1) == held(60) == held(90) == []
    assert held(59) == [("Waits for the supplier", at)] and held(121) == [("Waits again", at + 2 * HOUR)]


def test_every_kind_is_listed_with_owner_reason_end_and_exposure(estate):
    at, admin = estate.at, make_admin()
    window(estate.imaging, at)
    overriding.override(
        service=estate.reporting, status="operational", owner=admin, expires_at=at + HOUR, by=admin, at=at, reason="Read by hand"
    )  # fmt: skip
    legal_holds.place(service=estate.research, owner=admin, reason="File 7", by=admin, at=at)
    with because("Being replaced", by=admin):
        estate.tool.enabled = False
        estate.tool.save()
        Channel.objects.create(name="Chat", kind="webhook", secrets={"address": "https://chat.example.org"}, enabled=False)
    working.move(incident=Incident.objects.open().first(), to="on_hold", reason="Waits for the supplier", by=admin, at=at)
    problem = Problem.objects.create(signature="job_failed: x", title="No space left", proposed_at=at, updated_at=at)
    solving.move(problem=problem, to="rejected", reason="Known to the supplier", by=admin, at=at)
    with because("test"):
        DutyException.objects.create(
            person=make_user(), one="operator", other="approver", reason="Night shift", owner=admin, approver=make_admin(), approved_at=at,
            valid_from=at, valid_until=at + HOUR,
        )  # fmt: skip
    found = told(admin, now() + dt.timedelta(seconds=1))
    assert set(found) == {"maintenance", "status", "hold", "tool", "channel", "incident", "problem", "duties"}
    one, exposure = found["maintenance"]
    assert (one.owner.get_full_name(), one.reason, one.until) == ("Ada Berg", "New disks", at + HOUR)
    assert "only damage and, in tier 1, a broken recovery point become alerts" in muting.EFFECTS[one.kind]
    assert exposure.past == 1 and re.fullmatch(r"newest copy 5 h( \d min)? old, promised 4 h", exposure.words)
    one, exposure = found["tool"]
    assert (one.owner, one.reason, one.until) == (admin, "Being replaced", None)
    assert (exposure.services, exposure.past) == (2, 1), "what hangs on the tool, and what of it is past its promise"
    assert (found["incident"][0].reason, found["incident"][0].owner) == ("Waits for the supplier", admin)
    one, exposure = found["problem"]
    assert (one.reason, one.owner, one.until, exposure.words) == ("Known to the supplier", admin, at + solving.MUTED, "")
    assert found["hold"][1].words == "no copy at all, promised 48 h"
    kinds = [each.kind for each in muting.mutes(user=admin, at=now())]
    assert set(kinds[:4]) == {"tool", "channel", "incident", "hold"}, "what has no end comes first"


def test_what_is_over_or_not_begun_is_not_listed_and_the_past_shows_what_held_then(estate):
    at, admin = estate.at, make_admin()
    row = window(estate.imaging, at, starts_at=at - 3 * HOUR, ends_at=at - HOUR, decided_at=at - 4 * HOUR)
    window(estate.reporting, at, starts_at=at + HOUR, ends_at=at + 2 * HOUR)
    assert muting.mutes(user=admin, at=at) == []
    then = muting.mutes(user=admin, at=at - 2 * HOUR)
    assert [(one.kind, one.row) for one in then] == [("maintenance", row)]
    assert muting.mutes(user=admin, at=row.decided_at - HOUR) == []


def test_a_tool_that_is_switched_on_again_is_gone_and_off_twice_counts_from_the_second_time(estate):
    admin = make_admin()
    for enabled, reason in ((False, "Moved"), (False, "Still moved"), (True, "Back"), (False, "Broken")):
        with because(reason, by=admin):
            estate.tool.enabled = enabled
            estate.tool.save()
        off = [one.reason for one in muting.mutes(user=admin, at=now())]
        assert off == {"Moved": ["Moved"], "Still moved": ["Moved"], "Back": [], "Broken": ["Broken"]}[reason]


def test_a_window_says_how_many_due_runs_it_has_excused(estate):
    at = estate.at
    window(estate.imaging, at, starts_at=at + HOUR, ends_at=at + 9 * HOUR)
    journey.advance(at=at + 6 * HOUR)
    _, exposure = told(make_admin(), at + 6 * HOUR)["maintenance"]
    assert exposure.excused >= 1


def test_each_person_sees_what_they_may_see(estate):
    window(estate.imaging, estate.at)
    window(estate.research, estate.at)
    limited = make_person("stakeholder", estate.at, services=[estate.research])
    assert [one.row.service for one in muting.mutes(user=limited, at=estate.at)] == [estate.research]
    assert muting.mutes(user=make_user(), at=estate.at) == []


def test_questions_do_not_grow_with_what_is_muted(estate, django_assert_max_num_queries):
    admin = make_admin()
    for hours in range(2, 9):
        window(estate.imaging, estate.at, ends_at=estate.at + hours * HOUR)
    with django_assert_max_num_queries(14):
        found = muting.mutes(user=admin, at=estate.at)
        exposing.exposures(found, at=estate.at)
    assert len(found) == 7
