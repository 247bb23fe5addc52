"""Deciding on the scope: what the rule says, who may decide, what the database refuses, and what a decision must say."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from guardian.shortcuts import assign_perm

from catalogue import scoping
from catalogue.models import ScopeDecision, ScopeLine
from catalogue.refusing import NotAllowed, NotReady, WrongState
from tests.catalogue.makers import NOON, make_service, make_user, take_out

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
NOTHING = dict.fromkeys(scoping.QUESTIONS, "no")
RIGHTS = ("catalogue.view_service", "catalogue.change_service", "catalogue.view_scopeline", "catalogue.add_scopedecision")


@pytest.fixture
def steward():
    return make_user("stella", *RIGHTS)


@pytest.fixture
def pool():
    return make_service("pool", name="Storage pool")


def decide(steward, name="Vault", at=NOON, **other):
    asked = {"outcome": "excluded", "entry": None, "hosting": "cloud", "answers": NOTHING, "review_on": (NOON + 90 * DAY).date()}
    said = {"by": steward, "at": at, "reason": "Looked at"}
    return scoping.decide_new(name=name, **{**asked, **said, **other})


def again(line, steward, at, **other):
    asked = {"outcome": "excluded", "entry": None, "hosting": "cloud", "answers": NOTHING, "review_on": (NOON + 90 * DAY).date()}
    return scoping.decide_scope(line=line, **{**asked, "by": steward, "at": at, "reason": "Again", **other})


def test_one_yes_speaks_for_an_entry_of_its_own_and_none_for_a_reference():
    assert scoping.propose(NOTHING) == ("referenced", (), ())
    assert scoping.propose({**NOTHING, "regulated": "yes"}) == ("listed", ("regulated",), ())
    assert scoping.propose({**NOTHING, "customers": "unknown"}) == ("referenced", (), ("customers",))


def test_the_data_answer_what_they_can():
    one, other = (make_service(code, name=code, regulations=rules).version_at(NOON) for code, rules in (("a", []), ("b", ["GDPR"])))
    said = scoping.evidence(consumers=[one, other, one])
    assert {name: each.answer for name, each in said.items()} == {
        "customers": "unknown", "agreement": "unknown", "commitments": "unknown", "consumers": "yes", "regulated": "yes",
    }  # fmt: skip
    assert said["consumers"].because == "2 services use it: a, b." and "b must comply with GDPR" in said["regulated"].because
    alone = scoping.evidence(consumers=[one], bears_name=one)
    assert (alone["consumers"].answer, alone["regulated"].answer, alone["agreement"].answer) == ("no", "no", "no")


def test_a_decision_keeps_who_when_why_and_the_answers(steward, pool):
    made = decide(steward, outcome="referenced", entry=pool)
    assert (made.line.name, made.entry, made.decided_by, made.decided_at, made.answers) == ("Vault", pool, steward, NOON, NOTHING)
    assert made.history.get().history_change_reason == "Looked at"
    later = again(made.line, steward, NOON + DAY)
    assert list(ScopeDecision.objects.current(NOON)) == [made], "known then"
    assert list(ScopeDecision.objects.current(NOON + DAY)) == [later]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"outcome": "referenced"}, "Name the entry"),
        ({"outcome": "listed"}, "Name the entry"),
        ({"answers": {"customers": "no"}}, "Answer every question"),
        ({"answers": {**NOTHING, "regulated": "perhaps"}}, "Answer every question"),
        ({"review_on": NOON.date()}, "still to come"),
        ({"hosting": "elsewhere"}, "elsewhere"),
        ({"name": ""}, "blank"),
    ],
)
def test_it_says_what_is_missing_and_keeps_nothing(steward, change, told):
    with pytest.raises(NotReady, match=told):
        decide(steward, **change)
    assert not ScopeLine.objects.exists()


def test_the_entry_must_be_published(steward):
    retired = take_out(make_service("old"))
    with pytest.raises(NotReady, match="not in the catalogue"):
        decide(steward, outcome="referenced", entry=retired)
    early = make_service("new", at=NOON + DAY)
    with pytest.raises(NotReady, match="not in the catalogue"):
        decide(steward, outcome="listed", entry=early)


def test_an_entry_stands_for_one_backup_service_and_may_carry_many(steward, pool):
    decide(steward, outcome="listed", entry=pool)
    with pytest.raises(NotReady, match="stands for “Vault” already"):
        decide(steward, "Other vault", outcome="listed", entry=pool)
    assert decide(steward, "Third vault", outcome="referenced", entry=pool)
    with pytest.raises(NotReady, match="stands in the register already"):
        decide(steward, "vault")


def test_who_read_another_decision_is_told(steward):
    made = decide(steward)
    newer = again(made.line, steward, NOON + DAY, seen=made.pk)
    with pytest.raises(WrongState, match="stella decided on Vault meanwhile: left out"):
        again(made.line, steward, NOON + 2 * DAY, seen=made.pk)
    assert again(made.line, steward, NOON + 2 * DAY, seen=newer.pk)


def test_it_takes_the_right_on_every_entry_concerned(steward, pool):
    made = decide(steward, outcome="referenced", entry=pool)
    limited = make_user("lena")
    for right in ("view_service", "change_service"):
        assign_perm(f"catalogue.{right}", limited, pool)
    assert again(made.line, limited, NOON + DAY, outcome="referenced", entry=pool)
    other = make_service("net")
    with pytest.raises(NotAllowed, match=r"You may not decide the scope of net\. author or stella can"):
        again(made.line, limited, NOON + 2 * DAY, outcome="referenced", entry=other)
    with pytest.raises(NotAllowed, match="You may not decide on the scope"):
        decide(limited, "Something else")
    with pytest.raises(NotAllowed):
        decide(make_user("nobody"), "Anything")
    assert list(ScopeLine.objects.visible_to(limited)) == [made.line]
    left_out = decide(steward, "Left out")
    assert left_out.line not in ScopeLine.objects.visible_to(limited) and left_out.line in ScopeLine.objects.visible_to(steward)
    again(made.line, steward, NOON + 3 * DAY, outcome="referenced", entry=other)
    assert not ScopeLine.objects.visible_to(limited).exists(), "it belongs to another entry now"


def test_who_measures_does_not_decide(pool):
    both = make_user("max", *RIGHTS, "monitoring.change_tool")
    with pytest.raises(NotAllowed, match="who measures a promise never writes it"):
        decide(both)


def _refused(sql: str) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    return str(caught.value)


def _copy(pk: int, **changes: str) -> str:
    names = ["line_id", "outcome", "entry_id", "hosting", "provider", "answers", "reason", "review_on", "decided_by_id", "decided_at"]
    values = [changes.get(name, name) for name in names]
    return (
        f"INSERT INTO catalogue_scopedecision ({', '.join(names)}) SELECT {', '.join(values)} FROM catalogue_scopedecision WHERE id = {pk}"
    )


def test_the_database_refuses_what_cannot_be(steward, pool):
    made = decide(steward, outcome="listed", entry=pool)
    other = decide(steward, "Other")
    later = "decided_at + interval '1 day'"
    assert "append-only" in _refused(f"UPDATE catalogue_scopedecision SET reason = 'x' WHERE id = {made.pk}")
    assert "append-only" in _refused(f"DELETE FROM catalogue_scopedecision WHERE id = {made.pk}")
    assert "scope_names_its_entry" in _refused(_copy(made.pk, decided_at=later, entry_id="NULL"))
    assert "scope_answers_every_question" in _refused(_copy(made.pk, decided_at=later, answers="'{}'"))
    assert "follow one another" in _refused(_copy(made.pk))
    assert "lies after it" in _refused(_copy(made.pk, decided_at=later, review_on="'2026-07-01'"))
    assert "stands for another" in _refused(_copy(made.pk, decided_at=later, line_id=str(other.line_id)))
    early = "timestamptz '2020-01-01 00:00Z'"
    assert "published" in _refused(_copy(made.pk, decided_at=f"{early}", line_id=str(scoping.open_line(
        name="New", by=steward, at=NOON, reason="x").pk), outcome="'referenced'"))  # fmt: skip
