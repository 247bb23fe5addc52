"""The measurement calendar of an entry: one way to keep it, and every door by which it comes in and goes out."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from catalogue import columns, comparing, publishing, wording
from catalogue.admin.drafts import DraftForm
from catalogue.counted_days import Calendar, calendar_of
from catalogue.models import Commitment
from itsm_backup.common.time import now
from itsm_backup.estate.entries import commitment_of
from monitoring.api.versions import _written
from tests.catalogue.makers import make_approver, make_author, make_service

pytestmark = [pytest.mark.req("3.1"), pytest.mark.req("1.2")]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", ""), ("every day", ""), ("Mon-Sun", ""), ("mon–fri", "Mon-Fri"), ("Monday to Friday", "Mon-Fri"),
        ("fri, mon;wed", "Mon, Wed, Fri"),
        ("Sat and Sun", "Sat, Sun"), ("Fri-Mon", "Mon, Fri-Sun"),
        ("Mon - Fri except 2026-12-25 2026-12-24", "Mon-Fri except 2026-12-24, 2026-12-25"),
        ("every day but 25 Dec 2026, 1 Jan 2027", "every day except 2026-12-25, 2027-01-01"),
        ("Mon-Fri except 2026-12-25 and 2027-01-01", "Mon-Fri except 2026-12-25, 2027-01-01"),
        ("except 2026-12-25", "every day except 2026-12-25"), ("every day, not 2026-12-25", "every day except 2026-12-25"),
    ],
)  # fmt: skip
def test_what_people_write_is_kept_in_one_way(written, kept):
    assert calendar_of(written).text == kept
    assert Commitment._meta.get_field("measurement_calendar").clean(written, None) == kept


@pytest.mark.parametrize(
    "written",
    ["Moonday", "M-F", "Mon-", "Mon-Fri except", "Mon-Fri except 2026-02-30", "Mon-Fri except Christmas", "Mon-Fri but 31 Feb 2026", "5"],
)
def test_what_says_no_days_is_refused_with_what_to_write(written):
    with pytest.raises(ValidationError, match="Write the days that count, such as Mon-Fri"):
        Commitment._meta.get_field("measurement_calendar").clean(written, None)


calendars = st.builds(
    Calendar, st.frozensets(st.integers(0, 6), min_size=1), st.frozensets(st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)), max_size=6)
)


@given(calendars)
def test_it_reads_back_what_it_writes(calendar):
    assert calendar_of(calendar.text) == calendar


@given(calendars, st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)))
def test_a_day_counts_or_says_why_not(calendar, on):
    assert calendar.counts(on) is (on.weekday() in calendar.weekdays and on not in calendar.dates)
    assert bool(calendar.against(on)) is not calendar.counts(on)


def test_a_change_of_it_is_a_major_one_and_told_in_words():
    old, new = {"measurement_calendar": ""}, {"measurement_calendar": "Mon-Fri"}
    changes = comparing.diff({}, new)
    assert comparing.level_of(changes) == "major" and comparing.diff({}, old) == []
    assert wording.sentence(changes) == "Measurement calendar every day → Mon-Fri"
    assert wording.sentence(comparing.diff(new, old)) == "Measurement calendar Mon-Fri → every day"
    assert comparing.hash_of({"tier": 1, **old}) == comparing.hash_of({"tier": 1}), "what was approved before keeps its hash"


@pytest.mark.django_db
def test_it_is_drafted_approved_and_carried_on():
    at = now()
    service = make_service("erp", at=at - dt.timedelta(days=9))
    asked = {"service": service, "by": make_author(), "reason": "x", "content": {}}
    draft = publishing.draft_version(**asked, commitment={"measurement_calendar": "Mon-Fri except 2026-12-25"}, at=at)
    assert draft.level == "major"
    publishing.submit(version=draft, by=make_author(), at=at)
    publishing.approve(version=draft, by=make_approver(), at=at)
    later = publishing.draft_version(**asked, commitment={"rpo_s": 3_600}, at=at)
    assert later.commitment.measurement_calendar == "Mon-Fri except 2026-12-25"
    back = publishing.cancel(version=later, by=make_author(), at=at, reason="x") and publishing.roll_back(
        to=service.versions.get(number=1), by=make_author(), at=at, reason="Back"
    )  # fmt: skip
    assert back.commitment.measurement_calendar == ""


@pytest.mark.django_db
def test_a_sheet_says_it_as_people_do():
    names = columns.Names(now())
    assert columns.read("measurement_calendar", "monday to friday", names) == "Mon-Fri"
    assert columns.read("measurement_calendar", "", names) == ""
    assert columns.shown("measurement_calendar", "Mon-Fri", names) == "Mon-Fri"
    with pytest.raises(columns.Unclear, match="is no weekday"):
        columns.read("measurement_calendar", "workdays", names)


def test_forms_the_api_and_estate_files_take_it_in_the_same_words():
    assert DraftForm.base_fields["measurement_calendar"].clean("monday to friday") == "Mon-Fri"
    assert _written({"measurement_calendar": "monday to friday"})["commitment"] == {"measurement_calendar": "Mon-Fri"}
    assert commitment_of({"measurement_calendar": "monday to friday"}) == {"measurement_calendar": "Mon-Fri"}
    assert commitment_of({"measurement_calendar": ""}) == {"measurement_calendar": ""}
    form = DraftForm.base_fields["measurement_calendar"]
    for refused, door in ((ValidationError, form.clean), (ValueError, _declared), (ParseError, _sent)):
        with pytest.raises(refused, match=r"is no weekday\. Write the days that count"):
            door("workdays")


def _declared(text):
    return commitment_of({"measurement_calendar": text})


def _sent(text):
    return _written({"measurement_calendar": text})
