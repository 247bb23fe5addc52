"""Rows that people configure: no change without a reason, no way to change what was recorded."""

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue.models import Team
from itsm_backup.common.models import ReasonMissing, because
from tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db


def sql(statement, *values):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing of this test is pending any more
        cursor.execute(statement, values)


def test_it_keeps_who_and_why_with_every_change():
    person, team = make_user("helga"), make_team("Storage")
    with because("  The address moved ", by=person):
        team.email = "new@example.org"
        team.save()
    newest = team.history.first()
    assert (newest.history_user, newest.history_change_reason, newest.email) == (person, "The address moved", "new@example.org")


def test_it_refuses_a_change_without_reason_and_keeps_the_row_as_it_was():
    team = make_team("Storage")
    team.email = "new@example.org"
    with pytest.raises(ReasonMissing, match="Say why team Storage changes"), transaction.atomic():
        team.save()
    assert Team.objects.get().email == "storage@example.org"
    with pytest.raises(ReasonMissing), transaction.atomic():
        team.delete()
    assert Team.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_an_empty_reason_is_none(reason):
    with pytest.raises(ReasonMissing), because(reason):
        pass


def test_a_reason_does_not_outlive_its_block():
    with because("One change"):
        team = Team.objects.create(name="One", email="one@example.org")
    with pytest.raises(ReasonMissing), transaction.atomic():
        team.save()


def test_bulk_writes_that_pass_by_the_history_are_refused():
    make_team()
    with because("Quick"):
        with pytest.raises(TypeError, match="tracked"):
            Team.objects.update(email="x@example.org")
        with pytest.raises(TypeError, match=r"tracked: make rows one by one with save\(\)"):
            Team.objects.bulk_create([Team(name="x", email="x@example.org")])
        Team(name="x", email="x@example.org").save()  # as it says
    assert Team.objects.get(name="x").history.count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalogue_historicalteam SET history_change_reason = 'nicer'",
        "DELETE FROM catalogue_historicalteam",
        "TRUNCATE catalogue_historicalteam",
    ],
)
def test_the_database_refuses_to_change_history(statement):
    team = make_team()
    with pytest.raises(DatabaseError, match="append-only"):
        sql(statement)
    assert team.history.count() == 1


@pytest.mark.parametrize("reason", ["NULL", "''", "'   '"])
def test_the_database_refuses_history_without_a_reason(reason):
    make_team()
    copy = f"""INSERT INTO catalogue_historicalteam (id, name, email, history_date, history_type, history_change_reason)
               SELECT id, name, email, now(), '~', {reason} FROM catalogue_team"""
    with pytest.raises(DatabaseError, match="a change needs a reason"):
        sql(copy)
