"""By when an incident has to be answered: hours of work, holds, changes of clocks, and what is due next."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from incidents import assigning, merging, targeting, working
from incidents.api.incidents import detail_of
from incidents.models import Incident, ResponseTarget, WorkingHours
from incidents.targeting import Hours, due_at
from itsm_backup.common.models import because
from itsm_backup.common.time import iso
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_list import incidents_page
from itsm_backup.portal.incident_page import find, incident_page
from itsm_backup.portal.trouble import alerts_of, handled_in
from tests.factories import make_admin, make_team, make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate, recover

LONDON = Hours(zone="Europe/London")
FRIDAY = dt.datetime(2026, 3, 27, 16, 0, tzinfo=dt.UTC)  # the clocks go forward on Sunday


@pytest.mark.parametrize(
    ("minutes", "hours", "expected"),
    [
        (30, LONDON, dt.datetime(2026, 3, 27, 16, 30, tzinfo=dt.UTC)),
        (60, LONDON, dt.datetime(2026, 3, 27, 17, 0, tzinfo=dt.UTC)),  # the end of the day is inside it
        (61, LONDON, dt.datetime(2026, 3, 30, 8, 1, tzinfo=dt.UTC)),  # Monday, 9:01 in summer time
        (960, LONDON, dt.datetime(2026, 3, 31, 15, 0, tzinfo=dt.UTC)),
        (960, None, dt.datetime(2026, 3, 28, 8, 0, tzinfo=dt.UTC)),
        (61, Hours(zone="Europe/London", free_days=frozenset({dt.date(2026, 3, 30)})), dt.datetime(2026, 3, 31, 8, 1, tzinfo=dt.UTC)),
        (None, LONDON, None),
    ],
)
def test_time_counts_while_the_team_works(minutes, hours, expected):
    assert due_at(FRIDAY, minutes, hours=hours) == expected


def test_what_is_held_does_not_count():
    held = [(FRIDAY + 10 * MINUTE, FRIDAY + 40 * MINUTE)]
    assert due_at(FRIDAY, 30, hours=None, held=held) == FRIDAY + HOUR
    assert due_at(FRIDAY, 60, hours=LONDON, held=held) == dt.datetime(2026, 3, 30, 8, 30, tzinfo=dt.UTC)
    overlapping = [*held, (FRIDAY + 20 * MINUTE, FRIDAY + 50 * MINUTE)]
    assert due_at(FRIDAY, 30, hours=None, held=overlapping) == FRIDAY + 70 * MINUTE


def test_a_target_that_no_hour_reaches_has_no_time():
    never = Hours(free_days=frozenset(FRIDAY.date() + dt.timedelta(days=n) for n in range(800)))
    assert due_at(FRIDAY, 1, hours=never) is None


@pytest.fixture
def root(db):
    return make_admin("root")


@pytest.fixture
def incident(db, noon):
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - 2 * HOUR, noon - HOUR)
    return Incident.objects.get()


def test_the_shipped_targets_count_from_when_it_was_known(incident, noon):
    assert incident.priority == "P4"  # 8 and 40 working hours
    assert (incident.opened_at, incident.known_at) == (noon - 2 * HOUR, noon - HOUR), "the first failure opened none"
    assert incident.acknowledge_by == dt.datetime(2026, 7, 15, 11, 0, tzinfo=dt.UTC)
    assert incident.breach_at == incident.acknowledge_by < incident.resolve_by
    assert ResponseTarget.objects.count() == 5


def test_what_is_due_next_follows_what_people_do(incident, noon):
    person = make_user()
    taken = working.take(incident=incident, by=person, at=noon)
    assert taken.breach_at == taken.resolve_by
    due = taken.resolve_by
    held = working.move(incident=incident, to="on_hold", reason="waits for a disk", by=person, at=noon)
    assert held.breach_at is None
    gone_on = working.move(incident=incident, to="in_progress", reason="", by=person, at=noon + 2 * HOUR)
    assert gone_on.breach_at == due + 2 * HOUR
    over = working.move(
        incident=incident, to="resolved", resolution="fixed", cause="hardware", reason="new disk", by=person, at=noon + 3 * HOUR
    )
    assert over.breach_at is None
    again = working.move(incident=incident, to="in_progress", reason="wrong disk", by=person, at=noon + 4 * HOUR)
    assert (again.breach_at, again.reopened) == (due + 3 * HOUR, 1)


def test_a_team_answers_in_its_own_hours_and_is_told(incident, noon):
    with because("test"):
        team = make_team("Night shift")
        WorkingHours.objects.create(team=team, starts=dt.time(20), ends=dt.time(23))
    handed = assigning.assign_team(incident=incident, team=team, by=make_user(), at=noon)
    assert handed.acknowledge_by == dt.datetime(2026, 7, 16, 22, 0, tzinfo=dt.UTC)
    assert (handed.team, handed.assignee) == (team, None)
    assert handed.entries.filter(text="Handed to Night shift, was with Storage").exists()
    with pytest.raises(working.NotPossible, match="already"):
        assigning.assign_team(incident=incident, team=team, by=make_user(), at=noon)


def test_nonsense_is_refused_by_the_database(incident):
    with because("test"):
        for wrong in ({"days": []}, {"days": [8]}, {"starts": dt.time(9), "ends": dt.time(9)}):
            with pytest.raises(IntegrityError), transaction.atomic():
                WorkingHours.objects.create(team=incident.team, **wrong)
        row = ResponseTarget.objects.get(priority="P1")
        row.acknowledge_min, row.resolve_min = 60, 30
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()


def test_a_priority_without_target_is_due_at_no_time(incident, noon):
    incident.priority = "P5"
    targeting.set_targets(incident=incident, at=noon)
    assert (incident.acknowledge_by, incident.resolve_by, incident.breach_at) == (None, None, None)


def test_what_the_second_night_opens_is_not_late_from_its_birth(root, noon):
    """Failed yesterday and today: nobody could acknowledge yesterday what was opened today."""
    tool = make_estate(noon - 72 * HOUR, "a")
    fail(tool, "a", noon - 26 * HOUR)
    fail(tool, "a", noon - 2 * HOUR, at=noon - HOUR)
    incident = Incident.objects.get()
    assert (incident.opened_at, incident.known_at) == (noon - 26 * HOUR, noon - HOUR)
    moment = Moment(at=noon, now=noon)
    (row,) = incidents_page(user=root, moment=moment, view="", page=1).rows
    assert row.due.words == "Acknowledge in 23 h" and "10:00" not in row.opened and "1 h ago" in row.opened
    page = incident_page(incident=find(number=incident.number, user=root, moment=moment), user=root, moment=moment)
    facts = {label: str(value) for label, value, _ in page.facts}
    assert "Mon 13 Jul" in facts["Failing since"] and "1 h ago" in facts["Opened"] and facts["Due"] == row.due.words
    service = incident.service
    assert handled_in(alerts_of([service.pk], user=root, moment=moment)[service.pk], moment)[1] == "Nobody yet, 1 h"
    assert detail_of(root, incident.number)["known_at"].startswith("2026-07-14T11:00")


def test_a_split_wins_no_time(root, noon):
    tool = make_estate(noon - 72 * HOUR, "a", "b")
    for name in ("a", "b"):
        fail(tool, name, noon - 3 * HOUR, noon - 2 * HOUR)
    first, second = Incident.objects.order_by("pk")
    merging.merge(incident=second, into=first, reason="one switch", by=root, at=noon - HOUR)
    alert = first.incident_alerts.order_by("pk").last().alert_id
    made = merging.split(incident=first, alerts=[alert], reason="two switches", by=root, at=noon)
    assert (made.known_at, made.resolve_by) == (second.known_at, second.resolve_by)


def test_evidence_ends_a_hold_so_that_time_counts_again_after_a_reopening(root, noon):
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 3 * HOUR, noon - 2 * HOUR)
    incident = Incident.objects.get()
    working.move(incident=incident, to="on_hold", reason="waits for a disk", by=root, at=noon - HOUR)
    recover(tool, "a", noon)
    incident.refresh_from_db()
    assert (incident.state, incident.holds[-1][1]) == ("resolved", iso(noon))
    again = working.move(incident=incident, to="in_progress", reason="not over", by=root, at=noon + HOUR)
    targeting.set_targets(incident=again, at=noon + 9 * HOUR)
    assert again.resolve_by == targeting.due_at(
        again.known_at, 2_400, hours=targeting.hours_of(again.team_id), held=[(noon - HOUR, noon + HOUR)]
    )
