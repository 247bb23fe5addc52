"""One service's calendar: weeks as rows, thirteen months to choose from, one question."""

import datetime as dt

import pytest

from itsm_backup.portal import service_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_calendar import month_page
from monitoring.models import ServiceDay
from tests.factories import make_service
from tests.portal.test_calendar_page import NOON, fill, reach

pytestmark = pytest.mark.django_db


@pytest.fixture
def service():
    found = make_service("SVC-001", name="Imaging", at=NOON - dt.timedelta(days=500))
    fill(found, "GGWLF", last=dt.date(2026, 7, 14))
    fill(found, "GM", last=dt.date(2026, 6, 30))
    return found


def shown(user, month="", at=NOON, now=NOON):
    moment = Moment(at=at, now=now)
    return month_page(version=service_page.find(code="SVC-001", user=user, moment=moment), moment=moment, month=month)


def test_weeks_are_rows_from_monday_and_end_with_the_newest_day(root, service):
    page = shown(root)
    assert page.title == "July 2026"
    first, *_, last = page.weeks
    assert [square and square.cell.on.day for square in first] == [None, None, 1, 2, 3, 4, 5]
    assert [square and square.cell.on.day for square in last] == [13, 14, None, None, None, None, None]
    assert last[1].newest and last[1].href == "/services/SVC-001/days/2026-07-14/"
    assert [square.cell.kind for square in last[:2]] == ["late", "failed"]
    assert page.sentence == "3 of 5 days good, 1 failed, 1 late."
    assert [day.cell.spoken for day in page.trouble] == ["Mon 13 Jul: late, 2 good, 1 late", "Tue 14 Jul: failed, 1 good, 1 failed"]


def test_months_lead_back_a_year_and_a_month(root, service):
    page = shown(root)
    assert len(page.months) == 14
    assert [(month.month.words, str(month.good)) for month in page.months[:2]] == [("Jul 2026", "3/5"), ("Jun 2026", "1/2")]
    assert page.months[-1].month.words == "Jun 2025"
    assert (page.later, page.earlier) == ("", "/services/SVC-001/calendar/?month=2026-06")
    oldest = shown(root, "2025-06")
    assert (oldest.earlier, oldest.later) == ("", "/services/SVC-001/calendar/?month=2025-07")
    assert oldest.sentence.startswith("No day counts")


@pytest.mark.parametrize(
    ("asked", "title"), [("x", "July 2026"), ("2999-01", "July 2026"), ("1999-01", "June 2025"), ("2026-13", "July 2026")]
)
def test_any_month_asked_for_is_the_nearest_there_is(root, service, asked, title):
    assert shown(root, asked).title == title


def test_the_past_ends_at_its_day_and_keeps_to_itself(root, service):
    page = shown(root, at=NOON - dt.timedelta(days=4))
    assert page.weeks[-1][4].cell.on == dt.date(2026, 7, 10) and page.weeks[-1][5] is None
    assert page.sentence.endswith("corrections made since then are in.")
    assert "as_of=" in page.weeks[-1][4].href and "as_of=" in page.earlier


def test_days_on_which_a_provider_reached_it_are_marked(root, service):
    reach(service, dt.datetime(2026, 7, 11, 21, 30, tzinfo=dt.UTC), "outage", make_service("SVC-002"))
    reach(service, dt.datetime(2026, 7, 12, 5, tzinfo=dt.UTC), "")
    page = shown(root)
    days = [square.cell for week in page.weeks for square in week if square]
    assert [cell.on.day for cell in days if cell.reached] == [11, 12]
    assert ("reached", "Affected by a provider") in page.legend
    assert page.sentence == "3 of 5 days good, 1 failed, 1 late."


def test_it_asks_once_however_long_the_history_is(root, service, django_assert_num_queries):
    ServiceDay.objects.all().delete()
    fill(service, "G" * 400)
    with django_assert_num_queries(2):  # the entry, and its days
        assert str(shown(root).months[1].good) == "30/30"
