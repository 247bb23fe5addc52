"""What relations would mean is said before they are kept: every promise that breaks along the chains they join, every tier that rises."""

import datetime as dt
import itertools
import random

import pytest
from guardian.shortcuts import assign_perm

from catalogue import deviating, foreseeing, impact, inheriting, relating
from catalogue.models import Relation, Service
from catalogue.relating import END, Wish
from tests.catalogue.makers import NOON, make_approver, make_author, make_service, make_user

HOUR, DAY = 3_600, dt.timedelta(days=1)
SAID = {"at": NOON, "reason": "It was agreed"}


@pytest.fixture
def chain(db):
    """WARD stops with PORTAL; ARCHIVE needs TAPES. Nothing joins the two yet."""
    made = {
        code: make_service(code, name=code.title(), rpo_s=hours * HOUR, tier=tier)
        for code, hours, tier in (("WARD", 1, 1), ("PORTAL", 4, 2), ("ARCHIVE", 26, 3), ("TAPES", 72, 4))
    }
    for consumer, provider in (("WARD", "PORTAL"), ("ARCHIVE", "TAPES")):
        relating.relate(consumer=made[consumer], provider=made[provider], kind="depends_on", strength="hard", by=make_author(), **SAID)
    return made


def foreseen(*wishes, by=None):
    return relating.foresee([Wish(*wish) for wish in wishes], by=by or make_author(), **SAID)


JOINS = ("PORTAL", "ARCHIVE", "depends_on", "hard")


def test_each_promise_that_breaks_and_each_tier_that_rises_is_named_and_nothing_is_kept(chain):
    outcomes, follows = foreseen(JOINS)
    assert [one.words for one in outcomes] == ["is new, hard"] and Relation.objects.count() == 2
    assert [(one.code, one.sentence) for one in follows.breaks] == [
        ("ARCHIVE", "Ward stops with it and promises a recovery point of 1 h: a recovery point of 26 h is too weak for that."),
        ("PORTAL", "It stops with Tapes, which promises only a recovery point of 3 d: a recovery point of 4 h cannot hold."),
        ("TAPES", "Ward stops with it and promises a recovery point of 1 h: a recovery point of 3 d is too weak for that."),
        ("WARD", "It stops with Tapes, which promises only a recovery point of 3 d: a recovery point of 1 h cannot hold."),
    ], "those that did not hold before, and those that hold by less than before"
    assert [(one.code, one.before, one.after) for one in follows.raises] == [("ARCHIVE", 3, 1), ("TAPES", 3, 1)]
    assert follows.sentences[-1] == "Tapes (TAPES) counts as tier 1, before as 3."


def test_soft_relations_and_those_that_end_break_nothing(chain):
    assert not foreseen(("PORTAL", "ARCHIVE", "depends_on", "soft"))[1].sentences
    assert not foreseen(("WARD", "PORTAL", "depends_on", END), ("ARCHIVE", "TAPES", "depends_on", "soft"))[1].sentences
    two = foreseen(("WARD", "PORTAL", "depends_on", END), JOINS)[1]
    assert "WARD" not in {one.code for one in two.breaks} and [one.after for one in two.raises] == [2, 2], "all of them together"


def test_one_that_begins_later_is_weighed_on_its_first_day(chain):
    wish = Wish(*JOINS, valid_from=NOON + 9 * DAY)
    assert {one.code for one in relating.foresee([wish], by=make_author(), **SAID)[1].breaks} == {"ARCHIVE", "PORTAL", "TAPES", "WARD"}


def test_a_deviation_that_bears_it_is_told_with_its_day(chain):
    asked = {"owner": make_user("olga"), "expires_on": (NOON + 30 * DAY).date(), "by": make_user("asker"), "reason": "Until the move"}
    row = deviating.ask(service=chain["PORTAL"], code="INHERITED_COMMITMENT_TOO_WEAK", at=NOON, **asked)
    act = {"consumer": chain["PORTAL"], "provider": chain["ARCHIVE"], "kind": "depends_on", "by": make_author(), **SAID}
    made = relating.relate(strength="hard", **act)
    deviating.grant(deviation=row, by=make_approver(), at=NOON, reason="Yes")
    relating.relate(strength="soft", **act)
    assert made.pk and "A deviation bears it until 13 Aug 2026." in " ".join(foreseen(JOINS)[1].sentences)


def test_entries_out_of_sight_are_counted_and_not_named(chain):
    steward = make_user("limited")
    for code in ("PORTAL", "ARCHIVE"):
        assign_perm("catalogue.view_service", steward, chain[code])
    assign_perm("catalogue.change_service", steward, chain["PORTAL"])
    follows = foreseen(JOINS, by=steward)[1]
    assert [one.code for one in follows.breaks] == ["ARCHIVE", "PORTAL"] and [one.code for one in follows.raises] == ["ARCHIVE"]
    assert (follows.hidden_breaks, follows.hidden_raises) == (2, 1)
    told = " ".join(follows.sentences)
    assert "Ward" not in told and "Tapes" not in told and "3 d" not in told and "2 services that you may not see" in told


def test_what_is_kept_through_a_form_is_weighed_in_the_same_act(chain):
    act = {"consumer": chain["PORTAL"], "provider": chain["ARCHIVE"], "kind": "depends_on", "strength": "hard", "by": make_author(), **SAID}
    row, follows = foreseeing.weigh(
        lambda: relating.relate(**act), ends=(chain["PORTAL"], chain["ARCHIVE"]), at=NOON, reader=make_author()
    )  # fmt: skip
    assert row.pk and len(follows.breaks) == 4 and len(follows.in_short().split("counts as")) == 2, "the first five, and how many more"
    assert follows.in_short().endswith("And 1 more.")


def test_it_asks_as_much_for_a_long_chain_as_for_a_short_one(chain, django_assert_max_num_queries):
    def asked():
        with django_assert_max_num_queries(60) as seen:
            foreseen(JOINS)
        return len(seen.captured_queries)

    few = asked()
    for number in range(12):
        extra = make_service(f"MORE-{number}", rpo_s=HOUR)
        relating.relate(consumer=extra, provider=chain["PORTAL"], kind="depends_on", strength="hard", by=make_author(), **SAID)
    assert asked() == few


def test_ends_of_many_chains_are_those_of_each_in_any_weave():
    """Random weaves with circles: the weakest below and the strictest above are those of a plain walk."""
    for seed in range(60):
        dice = random.Random(seed)
        services = range(1, dice.randint(3, 9))
        pairs = {(a, b) for a, b in itertools.product(services, services) if a != b and dice.random() < 0.3}
        told = {pk: {"rpo_s": dice.choice((None, 1, 2, 3, 4, 5)), "rto_s": None, "name": str(pk), "seen": True} for pk in services}
        found = inheriting.ends_of([impact.Walked(b, a, "depends_on", "hard", 0) for a, b in pairs], told)
        for pk in services:
            below, above = walked(pairs, pk), walked({(b, a) for a, b in pairs}, pk)
            ends = found.get(pk, {}).get("rpo_s", inheriting.Ends())
            values = [[told[one]["rpo_s"] for one in side if told[one]["rpo_s"] is not None] for side in (below, above)]
            assert (ends.below and ends.below.value, ends.above and ends.above.value) == (
                max(values[0], default=None), min(values[1], default=None)
            ), (seed, pk)  # fmt: skip


def walked(pairs, start):
    met, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        for one, other in pairs:
            if one == here and other not in met:
                met.add(other)
                waiting.append(other)
    return met - {start}


def test_services_without_a_version_are_passed_by(chain):
    assert Service.objects.count() == 4
    assert foreseen(("PORTAL", "ARCHIVE", "supersedes", "soft"))[1] == foreseeing.NOTHING
