"""The estate page: the sentence, who needs attention, tiles; the same few queries for any number of services."""

from decimal import Decimal

import pytest

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.estate import _common_rate, estate_page
from tests.factories import make_user
from tests.portal.makers import HOUR, add_services, make_person

pytestmark = pytest.mark.django_db


def test_the_sentence_counts_who_keeps_the_promise(estate, root):
    page = estate_page(user=root, moment=estate.moment, by="")
    assert page.sentence == "1 of 3 services keeps its backup promise."
    assert [(verdict, words) for verdict, words, _ in page.counts] == [("kept", "1 kept"), ("no_data", "1 no data"), ("broken", "1 broken")]


def test_it_claims_nothing_where_there_is_no_service(estate, root):
    before = estate_page(user=root, moment=Moment(at=estate.at - 90 * HOUR, now=estate.at), by="")
    assert (before.sentence, before.success) == ("No service of yours was in the catalogue then.", None)
    page = estate_page(user=make_user("nobody"), moment=estate.moment, by="")
    assert page.sentence == "No service is open to you."
    assert page.lead == "An administrator can give you a role over the services you work with."


def test_the_lead_names_the_worst_and_says_by_how_much(estate, root):
    page = estate_page(user=root, moment=estate.moment, by="")
    assert page.lead == (
        'Worst is <a href="/services/SVC-003/">Imaging archive</a>: its newest restorable copy is 1 h over the 4 h promise.'
    )


def test_it_lists_what_needs_attention_with_what_is_known_and_who_handles_it(estate, root):
    first, second = estate_page(user=root, moment=estate.moment, by="").attention
    assert (first.verdict, first.service.words, first.place) == ("broken", "Imaging archive", "Tier 1, Radiology")
    assert first.known.startswith("2 failed runs since today 09:02.")
    assert (first.handled.words[:4], first.handled_note) == ("INC-", "Nobody yet, 57 min"), "since it was known"
    assert (second.verdict, second.handled) == ("no_data", None)


def test_tiles_stand_by_tier_or_by_department(estate, root):
    tiers = estate_page(user=root, moment=estate.moment, by="").groups
    assert [(group.name, group.notes, len(group.tiles)) for group in tiers] == [
        ("Tier 1", ("Critical to life", "promise 4 h"), 1),
        ("Tier 2", ("Critical to care", "promise 8 h"), 1),
        ("Tier 4", ("Supporting", "promise 48 h"), 1),
    ]
    departments = estate_page(user=root, moment=estate.moment, by="department").groups
    assert [(group.name, group.notes[0]) for group in departments] == [("Radiology", "2 services"), ("Research", "1 service")]


def test_the_success_line_has_the_promise_that_all_share(estate, root):
    page = estate_page(user=root, moment=estate.moment, by="")
    assert "90%</text>" in page.success.svg
    assert len(page.success.rows) == 31
    assert page.success.rows[-1][0] == '<a href="/calendar/?ending=2026-07-14">14 Jul</a>'


def test_where_some_promise_something_else_the_line_is_that_of_most():
    some = [{"rate": Decimal("0.980"), "n": 40}, {"rate": Decimal("0.990"), "n": 1}, {"rate": None, "n": 1}]
    assert _common_rate(some, 42) == (0.98, " The line is what 40 of 42 services promise.")
    assert _common_rate(some[:1], 40) == (0.98, "")
    assert _common_rate([{"rate": Decimal("0.980"), "n": 1}, {"rate": Decimal("0.990"), "n": 1}], 2) == (None, "")


def test_the_past_shows_what_was_known_then(estate, root):
    page = estate_page(user=root, moment=Moment(at=estate.at - 4 * HOUR, now=estate.at), by="")
    assert page.sentence == "2 of 3 services keep their backup promise."
    assert "as_of=2026-07-14T08%3A00Z" in page.groups[0].tiles[0].href
    assert page.success_note.endswith("Counted as known today: corrections made since then are in.")
    assert "known today" not in estate_page(user=root, moment=Moment(at=estate.at, now=estate.at), by="").success_note


def test_a_crowded_group_shows_its_worst_and_leads_to_the_rest(estate, root, monkeypatch):
    monkeypatch.setattr("itsm_backup.portal.estate.MOST_TILES", 2)
    add_services(3, estate.at, estate.tool)
    group = next(group for group in estate_page(user=root, moment=estate.moment, by="").groups if group.name == "Tier 3")
    assert (len(group.tiles), group.more.words, group.more.href) == (2, "1 more", "/services/?tier=3")


def test_one_sees_only_ones_own(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.reporting])
    page = estate_page(user=somebody, moment=estate.moment, by="")
    assert page.sentence == "The one service keeps its backup promise."
    assert "Imaging" not in str(page)


@pytest.mark.parametrize("hours_ago", [0, 0.5, 1.2])
def test_it_asks_as_often_for_many_services_as_for_few(estate, root, django_assert_max_num_queries, hours_ago):
    moment = Moment(at=estate.at - hours_ago * HOUR, now=estate.at)
    most = 6 if moment.past else 5  # the past also asks whose judgement of then did not reach the instant
    with django_assert_max_num_queries(most) as few:
        estate_page(user=root, moment=moment, by="")
    add_services(12, estate.at, estate.tool)
    with django_assert_max_num_queries(most) as many:
        estate_page(user=root, moment=moment, by="")
    assert len(many) == len(few)
