"""By when an incident has to be answered: hours of work, holds, changes of clocks, and what is due next."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from incidents import assigning, targeting, working
from incidents.models import Incident, ResponseTarget, WorkingHours
from incidents.targeting import Hours, due_at
from itsm_backup.common.models import because
from tests.factories import make_team, make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate

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
def incident(db, noon):
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - 2 * HOUR, noon - HOUR)
    return Incident.objects.get()


def test_the_shipped_targets_count_from_the_opening(incident, noon):
    assert incident.priority == "P4"  # 8 and 40 working hours
    assert incident.acknowledge_by == dt.datetime(2026, 7, 15, 10, 0, tzinfo=dt.UTC)
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
