"""How relations come to stand, and what the database itself refuses."""

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from catalogue import impact, relating, weave
from catalogue.duties import NotAllowed
from catalogue.models import Relation
from catalogue.publishing import NotReady
from catalogue.relating import Wish
from itsm_backup.common.models import because
from tests.catalogue.makers import NOON, make_author, make_service, make_user, take_out

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
Kind = Relation.Kind


@pytest.fixture
def three():
    return tuple(make_service(code) for code in ("erp", "vault", "pool"))


def relate(consumer, provider, kind="depends_on", strength="hard", at=NOON, by=None, **more):
    said = {"by": by or make_author(), "at": at, "reason": "It was agreed"}
    return relating.relate(consumer=consumer, provider=provider, kind=kind, strength=strength, **said, **more)


def insert(consumer, provider, kind="part_of", strength="hard", valid_from=None, valid_until=None):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalogue_relation (consumer_id, provider_id, kind, strength, origin, valid_from, valid_until)"
            " VALUES (%s, %s, %s, %s, 'declared', %s, %s) RETURNING id",
            [consumer.pk, provider.pk, kind, strength, valid_from, valid_until],
        )
        return cursor.fetchone()[0]


def test_it_is_made_changed_confirmed_and_ended_each_with_who_and_why(three):
    erp, vault, _ = three
    row = relate(erp, vault)
    assert relate(erp, vault, strength="soft", at=NOON + HOUR).pk == row.pk
    said = {"relation": row, "by": make_author(), "reason": "Looked at it"}
    assert relating.confirm(at=NOON + 2 * HOUR, **said).confirmed_by == make_author()
    relating.end(at=NOON + 3 * HOUR, **said)
    assert [(past.history_date, past.strength) for past in row.history.order_by("history_date")] == [
        (NOON, "hard"), (NOON + HOUR, "soft"), (NOON + 2 * HOUR, "soft"), (NOON + 3 * HOUR, "soft")
    ]  # fmt: skip
    assert list(Relation.objects.standing(NOON + 2 * HOUR)) == [row] and not Relation.objects.standing(NOON + 3 * HOUR)
    with pytest.raises(NotReady, match="no longer stands"):
        relating.end(at=NOON + 4 * HOUR, **said)
    assert relate(erp, vault, at=NOON + 5 * HOUR, valid_from=NOON + 5 * HOUR).pk != row.pk, "what ended can stand anew"


def test_only_who_may_change_the_consumer_relates_it(three):
    with pytest.raises(NotAllowed, match="You may not change the relations of erp"):
        relate(three[0], three[1], by=make_user("reader", "catalogue.view_service"))
    assert not Relation.objects.exists()


def test_a_circle_of_parts_is_refused_in_words_with_its_way(three):
    erp, vault, pool = three
    relate(erp, vault, kind="part_of")
    relate(vault, pool, kind="part_of")
    with pytest.raises(NotReady, match="pool would be a part of itself: pool → erp → vault → pool"):
        relate(pool, erp, kind="part_of")
    relate(pool, erp)  # other kinds may close a circle; it is only flagged


@pytest.mark.parametrize("kind", ["part_of", "supersedes"])
def test_the_database_refuses_a_circle_by_raw_sql_too(three, kind):
    erp, vault, pool = three
    insert(erp, vault, kind, "soft")
    insert(vault, pool, kind, "soft")
    with pytest.raises(IntegrityError, match="itself through others"):
        insert(pool, erp, kind, "soft")
    with pytest.raises(IntegrityError, match="itself"):
        insert(erp, erp, kind, "soft")
    insert(pool, erp, "depends_on")
    with pytest.raises(IntegrityError, match="keeps its two services"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_relation SET kind = %s WHERE kind = 'depends_on'", [kind])


def test_an_ended_half_closes_no_circle(three):
    erp, vault, _ = three
    insert(erp, vault, valid_until=NOON)
    insert(vault, erp, valid_from=NOON)
    with pytest.raises(IntegrityError, match="itself through others"):
        insert(erp, vault, valid_from=NOON + HOUR)


def test_the_database_refuses_the_same_relation_twice_in_one_time_and_ends_before_beginnings(three):
    erp, vault, _ = three
    insert(erp, vault, "stores_to", valid_until=NOON)
    insert(erp, vault, "stores_to", valid_from=NOON)
    with pytest.raises(IntegrityError, match="stands already"):
        insert(erp, vault, "stores_to", valid_from=NOON - HOUR, valid_until=NOON + HOUR)
    with pytest.raises(DatabaseError, match="ends after it begins"):
        insert(erp, vault, "hosted_on", valid_from=NOON, valid_until=NOON)
    with pytest.raises(IntegrityError, match="relation_supersedes_is_soft"):
        insert(erp, vault, "supersedes", "hard")


def test_nothing_new_leads_to_a_retired_service_but_its_successor(three):
    erp, vault, _ = three
    take_out(vault)
    with pytest.raises(NotReady, match="vault is retired"):
        relate(erp, vault)
    assert relate(erp, vault, kind="supersedes", strength="soft")


def test_many_are_looked_at_first_and_nothing_is_kept(three):
    wishes = [
        Wish("erp", "vault", "part_of", "hard"),
        Wish("vault", "erp", "part_of", "hard"),
        Wish("erp", "nowhere", "depends_on", "hard"),
        Wish("erp", "vault", "likes", "hard"),
        Wish("erp", "vault", "depends_on", "rather"),
        Wish("erp", "pool", "depends_on", "end"),
    ]
    said = {"by": make_author(), "at": NOON, "reason": "Moved"}
    told = relating.carry_out(wishes, keep=False, **said)
    assert [(one.words, one.problem[:46]) for one in told] == [
        ("is new, hard", ""),
        ("", "vault would be a part of itself: vault → erp →"),
        ("", "There is no service nowhere. Correct the provi"),
        ("", "likes is no kind of relation. Kinds: protects,"),
        ("", "rather is no strength. Write hard or soft, or "),
        ("does not stand; nothing to do", ""),
    ]
    assert not Relation.objects.exists()
    relating.carry_out(wishes, **said)
    assert not Relation.objects.exists(), "all or nothing"
    relating.carry_out(wishes, partly=True, **said)
    assert Relation.objects.get().kind == "part_of"
    assert [one.words for one in relating.carry_out([wishes[0], Wish("erp", "vault", "part_of", "soft")], **said)] == [
        "stands already, hard", "hard → soft"
    ]  # fmt: skip


def test_among_many_each_takes_the_right_to_its_own_consumer(three):
    from guardian.shortcuts import assign_perm

    limited = make_user("limited", "catalogue.view_service")
    assign_perm("catalogue.change_service", limited, three[0])
    wishes = [Wish("erp", "pool", "depends_on", "hard"), Wish("vault", "pool", "depends_on", "hard")]
    told = relating.carry_out(wishes, by=limited, at=NOON, reason="Moved", partly=True)
    assert [bool(one.problem) for one in told] == [False, True] and "author" in told[1].problem
    assert Relation.objects.get().consumer == three[0]


def test_as_of_an_instant_is_what_was_known_then(three):
    erp, vault, pool = three
    relate(erp, vault, at=NOON)
    relate(erp, vault, strength="soft", at=NOON + HOUR)
    late = relate(vault, pool, at=NOON + 2 * HOUR)

    def known(at, hard_only=False):
        return [row[:2] for row in impact.closure([erp.pk], up=False, at=at, hard_only=hard_only, known_then=True)]

    assert known(NOON - HOUR) == []
    assert known(NOON, hard_only=True) == [(vault.pk, erp.pk)]
    assert known(NOON + HOUR, hard_only=True) == [] and known(NOON + HOUR) == [(vault.pk, erp.pk)]
    assert len(known(NOON + 2 * HOUR)) == 2
    with because("A mistake"):
        late._history_date = NOON + 3 * HOUR
        late.delete()
    assert len(known(NOON + 2 * HOUR)) == 2 and len(known(NOON + 3 * HOUR)) == 1


def test_downwards_it_finds_everything_that_a_service_needs(three):
    erp, vault, pool = three
    relate(erp, vault, kind="stores_to")
    relate(vault, pool, kind="hosted_on", strength="soft")
    rows = impact.closure([erp.pk], up=False, at=NOON, hard_only=False)
    assert [(row.kind, row.strength) for row in rows] == [("stores_to", "hard"), ("hosted_on", "soft")] or len(rows) == 2
    found = impact.nearest_first([erp.pk], rows, up=False)
    assert [(one.service_id, one.via_id, one.depth) for one in found] == [(vault.pk, erp.pk, 1), (pool.pk, vault.pk, 2)]
    assert len(impact.closure([erp.pk], up=False, at=NOON)) == 1


def test_what_begins_later_is_changed_or_taken_back_until_then(three):
    erp, vault, pool = three
    planned = relate(erp, vault, valid_from=NOON + 5 * HOUR)
    said = {"by": make_author(), "at": NOON + HOUR, "reason": "Put off"}
    row = relating.change(relation=planned, strength="soft", valid_from=NOON + 6 * HOUR, **said)
    assert (row.strength, row.valid_from) == ("soft", NOON + 6 * HOUR)
    with pytest.raises(NotReady, match="has not begun yet"):
        relating.confirm(relation=row, **said)
    assert [one.id for one in weave.relations_at(NOON + HOUR, known_then=True, planned=True)] == [row.pk]
    pk = row.pk
    relating.end(relation=row, **{**said, "at": NOON + 2 * HOUR})
    assert not Relation.objects.exists() and weave.relations_at(NOON + 2 * HOUR, known_then=True, planned=True) == []
    assert [one.id for one in weave.relations_at(NOON + HOUR, known_then=True, planned=True)] == [pk], "it was planned then"
    standing = relate(erp, pool, valid_from=NOON - HOUR)
    with pytest.raises(NotReady, match="its beginning stays"):
        relating.change(relation=standing, valid_from=NOON, **said)


def test_a_circle_along_relations_with_an_end_is_told_with_its_way_and_what_to_do(three):
    erp, vault, _ = three
    relate(erp, vault, kind="part_of", valid_until=NOON + 5 * HOUR)
    with pytest.raises(NotReady, match=r"vault would be a part of itself: vault → erp → vault\. End one of these"):
        relate(vault, erp, kind="part_of", valid_from=NOON + HOUR)
    assert relate(vault, erp, kind="part_of", valid_from=NOON + 5 * HOUR)
