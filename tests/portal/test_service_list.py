"""The services list: filters, pages, CSV."""

import csv
import io

import pytest

from catalogue.models import ServiceVersion
from itsm_backup.portal import service_list
from itsm_backup.portal.service_list import as_csv, services_page
from tests.portal.makers import add_services, make_person

pytestmark = pytest.mark.django_db


def codes(estate, user, page=1, **asked):
    return [row.code for row in services_page(user=user, moment=estate.moment, asked=asked, page=page).rows]


def test_it_filters_by_what_people_ask_for(estate, root):
    assert codes(estate, root) == ["SVC-003", "SVC-033", "SVC-011"]
    assert codes(estate, root, tier="1") == ["SVC-003"]
    assert codes(estate, root, department="Radiology") == ["SVC-003", "SVC-011"]
    assert codes(estate, root, verdict="no_data") == ["SVC-033"]
    assert codes(estate, root, watched="no") == ["SVC-033"]
    assert (
        codes(estate, root, text="imaging") == codes(estate, root, text="svc-003") == codes(estate, root, text="patient d") == ["SVC-003"]
    )


@pytest.mark.parametrize("asked", [{"tier": "9"}, {"tier": "12"}, {"tier": "x"}, {"verdict": "fine"}, {"department": "Nobody"}])
def test_an_unknown_value_matches_nothing_and_breaks_nothing(estate, root, asked):
    page = services_page(user=root, moment=estate.moment, asked=asked, page=1)
    assert (page.rows, page.sentence, page.filtered, page.paging.words) == ((), "0 services match.", True, "None")


def test_it_pages_and_keeps_the_filters(estate, root, monkeypatch):
    monkeypatch.setattr(service_list, "PAGE", 2)
    first = services_page(user=root, moment=estate.moment, asked={"text": "SVC"}, page=1)
    assert (first.paging.words, first.paging.earlier) == ("1 to 2 of 3", "")
    assert first.paging.later == "/services/?text=SVC&page=2"
    assert codes(estate, root, page=2) == ["SVC-011"]
    assert codes(estate, root, page=99) == ["SVC-011"], "a page beyond the end is the last one"


def test_a_row_tells_who_handles_it(estate, root):
    first = services_page(user=root, moment=estate.moment, asked={}, page=1).rows[0]
    assert first.incident.words.startswith("INC-")
    assert (first.status, first.tier, first.department) == ("degraded", 1, "Radiology")


def test_the_csv_holds_every_service_of_the_filters_with_plain_numbers(estate, root):
    rows = list(csv.DictReader(io.StringIO(as_csv(user=root, moment=estate.moment, asked={"tier": "1"}))))
    assert [(row["code"], row["verdict"], row["age_s"], row["rpo_s"]) for row in rows] == [("SVC-003", "broken", "18000", "14400")]


def test_the_csv_gives_a_spreadsheet_no_formula():
    assert service_list.harmless("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert service_list.harmless("Radiology") == "Radiology"
    assert service_list.harmless(-5) == -5


def test_one_sees_only_ones_own_in_list_csv_and_choices(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.research])
    page = services_page(user=somebody, moment=estate.moment, asked={}, page=1)
    assert [row.code for row in page.rows] == ["SVC-033"]
    assert [choice.value for choice in page.departments] == ["Research"]
    assert "SVC-003" not in as_csv(user=somebody, moment=estate.moment, asked={})


def test_it_asks_as_often_for_many_services_as_for_few(estate, root, django_assert_max_num_queries):
    with django_assert_max_num_queries(5) as few:
        services_page(user=root, moment=estate.moment, asked={}, page=1)
    add_services(8, estate.at, estate.tool)
    assert ServiceVersion.objects.count() == 11
    with django_assert_max_num_queries(5) as many:
        services_page(user=root, moment=estate.moment, asked={}, page=1)
    assert len(many) == len(few)


def test_a_list_that_was_not_counted_to_its_end_says_so():
    assert service_list.paging_of(50, 50, 10_000, 50, str, at_least=True).words == "51 to 100 of at least 10,000"
