"""Pages tell what came of a day that does not count, and leave it out of what they count."""

import datetime as dt

import pytest

from itsm_backup import journey
from itsm_backup.portal import calendar_page, day_page, objectives_page, service_calendar, service_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.days import cell_of, good_days, kind_of
from monitoring.models import ServiceDay
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.1"), pytest.mark.req("3.2")]
DAY = dt.timedelta(days=1)
SATURDAY, SUNDAY = dt.date(2026, 7, 11), dt.date(2026, 7, 12)


@pytest.fixture
def version(noon):
    """Nine good nights but the Saturday's, which failed; the entry counts from Monday to Friday."""
    start = noon - 9 * DAY
    promise = {"on_time_rate": "0.9", "measurement_calendar": "Mon-Fri"}
    service = make_service("SVC-1", at=start, rpo_s=30 * 86_400, success_rate="0.9", tier=1, promise=promise)
    tool = make_tool(at=start)
    make_schedule(make_job(tool, "job", at=start, service=service), local_times="02:00", grace_s=3600)
    nights = [noon.replace(hour=2) - n * DAY for n in range(9)]
    push(tool, *(run_record("job", "failed" if at.date() == SATURDAY else "success", at, minutes=10) for at in nights), at=noon)
    journey.advance(at=noon)
    return service.version_at(noon)


@pytest.fixture
def moment(noon):
    return Moment(at=noon, now=noon)


def test_the_page_of_the_day_says_what_came_of_it_and_why_it_is_left_out(version, root, moment):
    page = day_page.day_page(version=version, user=root, moment=moment, on=SATURDAY)
    assert (page.verdict_words, dict(page.facts)["Runs"]) == ("Failed", "1 not counted")
    (line,) = page.due
    assert (line.result, line.notes) == ("Failed", ("Left out of the rates: Saturday does not count by version 1",))
    assert "1 failed" in page.sentence
    friday = day_page.day_page(version=version, user=root, moment=moment, on=SATURDAY - DAY)
    assert not friday.due[0].notes


def test_calendars_show_the_day_and_leave_it_out_of_good_days(version, root, moment):
    rows = {row.day: row for row in ServiceDay.objects.filter(service=version.service)}
    saturday, sunday = cell_of(SATURDAY, rows[SATURDAY]), cell_of(SUNDAY, rows[SUNDAY])
    assert (saturday.spoken, saturday.letter) == ("Sat 11 Jul: failed, 1 not counted", "F")
    assert (sunday.spoken, kind_of(rows[SUNDAY])) == ("Sun 12 Jul: good, 1 not counted", "good")
    assert good_days([saturday, sunday]).counted == 0
    rows[SATURDAY].refuted = 1
    assert str(good_days([cell_of(SATURDAY, rows[SATURDAY])])) == "0/1", "a restore test says the same of a copy on any day"

    found = service_page.find(code="SVC-1", user=root, moment=moment)
    month = service_calendar.month_page(version=found, moment=moment, month="2026-07")
    assert month.sentence == "7 of 7 days good, 2 left out by the measurement calendar."
    assert [day.cell.on for day in month.trouble] == [SATURDAY], "it is still shown"
    page = calendar_page.calendar_page(user=root, moment=moment, asked={}, page=1)
    (group,) = page.groups
    assert (str(group.good), str(group.rows[0].good)) == ("7/7", "7/7")


def test_a_day_of_which_a_part_counts_is_as_good_as_that_part(version, root, moment):
    """Two jobs of one day, of which one opens before midnight: the calendar leaves out the other day's."""
    ServiceDay.objects.filter(service=version.service, day=SATURDAY).update(good=1)
    cell = cell_of(SATURDAY, ServiceDay.objects.get(service=version.service, day=SATURDAY))
    assert (cell.kind, cell.kind_counted, cell.spoken) == ("failed", "good", "Sat 11 Jul: failed, 1 good, 1 not counted")
    (group,) = calendar_page.calendar_page(user=root, moment=moment, asked={}, page=1).groups
    assert (str(group.good), str(group.rows[0].good)) == ("8/8", "8/8")
    found = service_page.find(code="SVC-1", user=root, moment=moment)
    told = service_calendar.month_page(version=found, moment=moment, month="2026-07").sentence
    assert told == "8 of 8 days good, 1 left out by the measurement calendar."
    assert "8 of 8 counted days" in service_page.service_page(version=found, user=root, moment=moment).days_note


def test_the_page_of_the_service_names_the_days_beside_both_shares(version, root, moment):
    page = service_page.service_page(version=service_page.find(code="SVC-1", user=root, moment=moment), user=root, moment=moment)
    told = {one.name: one.promised for one in page.claims}
    assert told["Run success"] == told["Done on time"] == "90.0% a month, Mon–Fri"


def test_the_objectives_name_the_calendar_beside_the_window(version, root, moment):
    page = objectives_page.objectives_page(version=objectives_page.find(code="SVC-1", user=root, moment=moment), user=root, moment=moment)
    told = {row.name: row.window for row in page.rows}
    assert told["Run success"] == told["Done on time"] == "calendar month, Mon–Fri"
    assert told["Recovery point (RPO)"] == "at any time"
    found = service_page.find(code="SVC-1", user=root, moment=moment)
    claims = {one.name: one for one in service_page.service_page(version=found, user=root, moment=moment).claims}
    assert claims["Run success"].evidence == "7 of 7 due backups, 2 left out on days that do not count"
    assert claims["Done on time"].evidence.startswith("6 of 6 due backups")
