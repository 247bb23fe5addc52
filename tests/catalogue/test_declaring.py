"""Teams, relations and windows as people state them."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection

from catalogue import declaring
from catalogue.models import Relation, Team, Window
from catalogue.publishing import NotReady
from tests.catalogue.makers import make_author, make_service

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def said(noon):
    return {"by": make_author(), "at": noon, "reason": "Declared in test.yaml"}


def test_a_team_is_made_changed_or_left_alone(said):
    assert declaring.declare_team(name="Databases", email="dba@example.org", **said).made
    assert not declaring.declare_team(name="Databases", email="dba@example.org", **said).wrote
    assert declaring.declare_team(name="Databases", email="db@example.org", **said).changed == {
        "email": ("dba@example.org", "db@example.org")
    }
    assert Team.objects.get(name="Databases").history.count() == 2
    with pytest.raises(NotReady, match="Email:"):
        declaring.declare_team(name="Databases", email="nowhere", **said)


def test_a_relation_is_known_by_its_ends_and_kind(said):
    ends = {"consumer": make_service("erp"), "provider": make_service("db"), "kind": "depends_on", **said}
    assert declaring.declare_relation(strength="hard", **ends).made
    assert declaring.declare_relation(strength="soft", **ends).changed == {"strength": ("hard", "soft")}
    assert Relation.objects.count() == 1


def test_a_service_never_depends_on_itself(said):
    service = make_service("erp")
    with pytest.raises(NotReady, match="cannot depend on itself"):
        declaring.declare_relation(consumer=service, provider=service, kind="depends_on", strength="hard", **said)
    with pytest.raises(IntegrityError, match="relation_not_to_itself"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalogue_relation (provider_id, consumer_id, kind, strength) VALUES (%s, %s, 'depends_on', 'hard')",
            [service.pk, service.pk],
        )


def test_nothing_is_a_part_of_its_own_part(said):
    one, two, three = (make_service(code) for code in ("one", "two", "three"))
    for part, whole in ((one, two), (two, three)):
        declaring.declare_relation(consumer=part, provider=whole, kind="part_of", strength="hard", **said)
    with pytest.raises(NotReady, match="three would be a part of itself: three → one → two → three"):
        declaring.declare_relation(consumer=three, provider=one, kind="part_of", strength="hard", **said)
    declaring.declare_relation(consumer=three, provider=one, kind="depends_on", strength="hard", **said)


def test_a_window_remembers_who_decided_and_when(said, noon):
    service, start = make_service("erp"), noon + HOUR
    declaring.declare_window(service=service, starts_at=start, ends_at=start + HOUR, purpose="Move", **said)
    later = {**said, "at": noon + HOUR / 2}
    assert not declaring.declare_window(service=service, starts_at=start, ends_at=start + HOUR, purpose="Move", **later).wrote
    assert Window.objects.get().decided_at == noon
    declaring.declare_window(service=service, starts_at=start, ends_at=start + 2 * HOUR, purpose="Move", **later)
    assert (Window.objects.get().decided_at, Window.objects.get().decided_by) == (noon + HOUR / 2, said["by"])


def test_a_window_excuses_nothing_afterwards(said, noon):
    service = make_service("erp")
    with pytest.raises(NotReady, match="over already"):
        declaring.declare_window(service=service, starts_at=noon - 2 * HOUR, ends_at=noon, purpose="Move", **said)
    with pytest.raises(NotReady, match="31 days at most"):
        declaring.declare_window(service=service, starts_at=noon, ends_at=noon + 745 * HOUR, purpose="Move", **said)
    declaring.declare_window(service=service, starts_at=noon, ends_at=noon + HOUR, purpose="Move", **said)
    after = {**said, "at": noon + 3 * HOUR}
    assert not declaring.declare_window(service=service, starts_at=noon, ends_at=noon + HOUR, purpose="Move", **after).wrote
    with pytest.raises(NotReady, match="must end after it starts"):
        declaring.declare_window(service=service, starts_at=noon + 2 * HOUR, ends_at=noon + HOUR, purpose="Move", **said)
