"""The estate's calendar: cells, good days, sums, filters, paging, CSV, and what one may see."""

import csv
import datetime as dt
import io
import re

import pytest

from catalogue.models import Propagation
from itsm_backup.portal import calendar_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.calendar_page import as_csv, shown_days
from itsm_backup.portal.calendar_page import calendar_page as page_of
from itsm_backup.portal.days import GoodDays, cell_of, cells_of, good_days
from monitoring.models import ServiceDay
from tests.catalogue.makers import take_out
from tests.factories import make_service
from tests.portal.makers import add_services, make_person

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
TODAY = NOON.date()
LETTERS = {"W": {"good": 2, "warned": 1}, "L": {"good": 2, "late": 1}, "F": {"good": 1, "failed": 1}, "M": {"missed": 1}}
LETTERS |= {"?": {"unknown": 1}, "H": {"held": 1}, "": {"good": 2}, "P": {"pending": 2}}


def fill(service, letters, last=TODAY):
    """One day cell a letter, the last of them on `last`; a dot leaves the day out."""
    days = [last - dt.timedelta(days=len(letters) - 1 - n) for n in range(len(letters))]
    ServiceDay.objects.bulk_create(
        ServiceDay(service=service, day=day, worst=letter if letter in "WLFM?H" else "", **LETTERS["" if letter == "G" else letter])
        for day, letter in zip(days, letters, strict=True)
        if letter != "·"
    )


@pytest.fixture
def story(noon):
    """Three services whose last days are known letter by letter."""
    found = {}
    for code, tier, department, letters in (
        ("SVC-001", 1, "Radiology", "GWLFM?HG·P"),
        ("SVC-002", 1, "Pharmacy", "GGGGGGGGGG"),
        ("SVC-003", 3, "", "GGGGGGHGGL"),
    ):
        found[code] = make_service(code, tier=tier, department=department, name=f"Service {code}")
        fill(found[code], letters)
    return found


def shown(user, page=1, moment=None, **asked):
    return page_of(user=user, moment=moment or Moment(at=NOON, now=NOON), asked=asked, page=page)


def rows(page):
    return {row.code: row for group in page.groups for row in group.rows}


def test_each_cell_tells_the_worst_of_its_day(root, story):
    row = rows(shown(root))["SVC-001"]
    kinds = [cell.kind for cell in row.days[-10:]]
    assert kinds == ["good", "warning", "late", "failed", "missed", "no_data", "held", "good", "not_scheduled", "pending"]
    assert [cell.kind for cell in row.days[:-10]] == ["not_scheduled"] * 21
    labels = re.findall(r'aria-label="([^"]*)">([^<]*)<', row.cells)
    assert ("Sat 11 Jul: held, 1 held", "H") in labels and ("Wed 8 Jul: failed, 1 good, 1 failed", "F") in labels
    assert ("Mon 13 Jul: not scheduled", "·") in labels and ("Tue 14 Jul: still to come, 2 still to come", "") in labels
    assert 'href="/services/SVC-001/days/2026-07-08/"' in row.cells


def test_good_days_leave_out_what_is_held_to_come_or_not_due_and_count_lateness_and_ignorance(root, story):
    found = rows(shown(root))
    assert str(found["SVC-001"].good) == "3/7"  # good, warnings, good of seven; late, failed, missed and unknown are not good
    assert str(found["SVC-002"].good) == "10/10"
    assert str(found["SVC-003"].good) == "8/9"


@pytest.mark.parametrize(
    ("good", "counted", "tone"),
    [(0, 0, ""), (31, 31, "kept"), (19, 20, "kept"), (28, 30, "at_risk"), (27, 30, "at_risk"), (26, 30, "broken")],
)
def test_the_count_is_told_in_the_colour_of_its_share(good, counted, tone):
    assert GoodDays(good, counted).tone == tone


def test_a_day_without_a_row_and_one_to_come_are_no_good_days():
    assert cell_of(TODAY, None).kind == "not_scheduled"
    assert good_days(cells_of([ServiceDay(day=TODAY, pending=3)], [TODAY])) == GoodDays(0, 0)


def test_the_sentence_counts_service_days(root, story):
    sentence = shown(root).sentence
    assert sentence == (
        "One cell per service and day (UTC), 14 Jun to 14 Jul 2026, showing the worst run. "
        "1 failed, 1 missed, 2 late, 1 without data of 29 service days."
    )


def test_groups_tell_what_all_their_services_come_to(root, story):
    first, second = shown(root).groups
    assert (first.name, first.note, str(first.good)) == (
        "Tier 1, critical to life", "2 services, 1 failed, 1 missed, 1 late, 1 without data", "13/17",
    )  # fmt: skip
    assert (second.name, second.note) == ("Tier 3, business", "1 service, 1 late")
    assert [group.name for group in shown(root, by="department").groups] == ["No department", "Pharmacy", "Radiology"]


def test_it_filters_by_department_tier_and_trouble(root, story):
    assert list(rows(shown(root, department="Pharmacy"))) == ["SVC-002"]
    assert list(rows(shown(root, tier="1"))) == ["SVC-001", "SVC-002"]
    assert list(rows(shown(root, trouble="yes"))) == ["SVC-001", "SVC-003"]
    assert list(rows(shown(root, trouble="yes", ending="2026-07-13"))) == ["SVC-001"], "only trouble in the days shown"
    assert shown(root, tier="9").groups == shown(root, tier="12").groups == ()
    assert shown(root, trouble="yes").sentence.endswith("of 19 service days."), "what is counted is what is filtered"


def test_it_pages_by_31_days_thirteen_months_back(root, story):
    now = shown(root)
    assert (now.heads[0].on, now.heads[-1].on, now.later) == (dt.date(2026, 6, 14), TODAY, "")
    assert now.earlier == "/calendar/?ending=2026-06-13"
    before = shown(root, ending="2026-06-13", tier="1")
    assert before.heads[-1].on == dt.date(2026, 6, 13) and before.later == "/calendar/?tier=1"
    assert shown(root, ending="2026-05-01").later == "/calendar/?ending=2026-06-01"
    oldest = shown(root, ending="1999-01-01")
    assert oldest.heads[-1].on == TODAY - dt.timedelta(days=396) and oldest.earlier == ""


@pytest.mark.parametrize("asked", ["", "x", "2026-02-30", "2999-01-01"])
def test_an_unreadable_or_future_end_is_the_newest_day(asked):
    assert shown_days(asked, Moment(at=NOON, now=NOON))[-1] == TODAY


def test_the_past_ends_at_its_own_day_and_says_how_it_counts(root, story):
    then = Moment(at=NOON - dt.timedelta(days=3), now=NOON)
    page = shown(root, moment=then)
    assert page.heads[-1].on == dt.date(2026, 7, 11)
    assert page.sentence.endswith("Counted as known today: corrections made since then are in.")
    assert "/services/SVC-001/days/2026-07-08/?as_of=2026-07-11T12:00Z" in rows(page)["SVC-001"].cells.replace("%3A", ":")
    assert "as_of" in page.earlier


def test_more_services_than_a_page_holds_are_paged_and_still_counted(root, story, monkeypatch):
    monkeypatch.setattr(calendar_page, "PAGE", 2)
    first, second = shown(root), shown(root, page=2)
    assert list(rows(first)) == ["SVC-001", "SVC-002"] and list(rows(second)) == ["SVC-003"]
    assert first.paging.words == "1 to 2 of 3" and first.paging.later == "/calendar/?page=2"
    assert first.sentence == second.sentence, "the sums are those of all pages"
    assert list(rows(shown(root, page=99))) == ["SVC-003"]
    monkeypatch.setattr(calendar_page, "PAGE", 1)
    assert shown(root, page=2).groups[0].note.startswith("2 services"), "a group that goes on over the page is counted whole"


def test_zones_are_named_once(root, story):
    assert "(UTC)" in shown(root).sentence
    make_service("SVC-009", zone="Europe/London")
    assert "(each service's own zone)" in shown(root).sentence
    assert "(BST)" in shown(root, tier="2").sentence


def test_the_csv_holds_what_the_page_shows(root, story):
    found = list(csv.DictReader(io.StringIO(as_csv(user=root, moment=Moment(at=NOON, now=NOON), asked={"trouble": "yes"}, page=1))))
    assert [(row["code"], row["good_days"], row["counted_days"]) for row in found] == [("SVC-001", "3", "7"), ("SVC-003", "8", "9")]
    assert [found[0][f"2026-07-{day:02}"] for day in range(5, 15)] == ["G", "W", "L", "F", "M", "?", "H", "G", "", "P"]
    assert len(found[0]) == 4 + 31 + 2


def test_one_sees_only_ones_own_in_rows_sums_choices_and_csv(story, noon):
    somebody = make_person("stakeholder", noon, services=[story["SVC-002"]])
    page = shown(somebody)
    assert list(rows(page)) == ["SVC-002"]
    assert "None failed, missed or late of 10 service days." in page.sentence
    assert [choice.value for choice in page.departments] == ["Pharmacy"]
    assert "SVC-001" not in as_csv(user=somebody, moment=Moment(at=NOON, now=NOON), asked={}, page=1)


def test_a_retired_entry_stands_in_the_past_only(root, story):
    take_out(story["SVC-002"], at=NOON)
    assert "SVC-002" not in rows(shown(root))
    assert "SVC-002" in rows(shown(root, moment=Moment(at=NOON - dt.timedelta(days=1), now=NOON)))


def reach(service, at, status, cause=None):
    Propagation.objects.create(service=service, at=at, status=status, cause=cause, inputs={}, inputs_hash=b"", method_version="1")


def test_the_days_on_which_a_provider_reached_a_service_are_marked_and_change_nothing_else(root, story):
    reached, provider, other = (story[code] for code in ("SVC-001", "SVC-002", "SVC-003"))
    before = rows(shown(root))
    hour = dt.timedelta(hours=1)
    reach(reached, NOON - 45 * 24 * hour, "degraded", provider)  # before the days that are shown, and into them
    reach(reached, NOON - 29 * 24 * hour, "")
    reach(reached, NOON - 3 * 24 * hour, "outage", provider)
    reach(reached, NOON - 3 * 24 * hour + hour, "degraded", provider)
    reach(reached, NOON - 2 * 24 * hour, "")
    reach(other, NOON - hour, "outage", provider)  # still so
    page = shown(root)
    told = {code: [cell.on.isoformat() for cell in row.days if cell.reached] for code, row in rows(page).items()}
    assert told == {"SVC-001": ["2026-06-14", "2026-06-15", "2026-07-11", "2026-07-12"], "SVC-002": [], "SVC-003": ["2026-07-14"]}
    assert ("reached", "Affected by a provider") in page.legend
    assert [cell.kind for cell in rows(page)["SVC-001"].days] == [cell.kind for cell in before["SVC-001"].days]
    assert rows(page)["SVC-001"].good == before["SVC-001"].good
    assert "day--reached" in rows(page)["SVC-003"].cells and "affected by a provider" in rows(page)["SVC-003"].cells
    assert "day--reached" not in rows(page)["SVC-002"].cells
    past = rows(shown(root, moment=Moment(at=NOON - 2 * hour, now=NOON)))
    assert not any(cell.reached for cell in past["SVC-003"].days)


def test_without_such_days_the_legend_says_nothing_of_them(root, story):
    assert ("reached", "Affected by a provider") not in shown(root).legend


def test_it_asks_as_often_for_many_services_as_for_few_and_never_for_runs(estate, root, django_assert_max_num_queries):
    def page():
        return page_of(user=root, moment=estate.moment, asked={"trouble": ""}, page=1)

    with django_assert_max_num_queries(5) as few:
        assert len(rows(page())) == 3
    add_services(27, estate.at, estate.tool)
    with django_assert_max_num_queries(5) as many:
        assert len(rows(page())) == 30
    assert len(many) == len(few)
    assert not any("backuprun" in query["sql"] or "expectedrun" in query["sql"] for query in many.captured_queries)
