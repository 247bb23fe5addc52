"""Relations of CMDBs beside those of the catalogue: agreed, missing on either side, proposed and answered."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue import cmdb_relations, inventorying, linking, relating
from catalogue.cmdbs.base import Item, Page
from catalogue.models import ConfigurationItem, ItemRelation, SeenRelation
from tests.catalogue.test_inventorying import make_cmdb
from tests.factories import make_admin, make_service

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def there(noon):
    """Two entries, each with one item of a CMDB."""
    cmdb, root = make_cmdb("http://cmdb.example.org"), make_admin("root")
    services = {code: make_service(code) for code in ("APP", "DB")}
    keep(cmdb, noon, relations=())
    for code, service in services.items():
        linking.link(item=ConfigurationItem.objects.get(name=code), service=service, by=root, at=noon, reason="test")
    return {"cmdb": cmdb, "root": root, **services}


def keep(cmdb, at, *, relations, table="device"):
    items = [Item(table=table, external_id="1", name="APP", relations=relations), Item(table=table, external_id="2", name="DB")]
    inventorying.keep(cmdb=cmdb, page=Page(items=items, rejects=[], after=None), at=at)


def ends(rows) -> list[tuple[str, str, bool]]:
    return [(row.consumer.code, row.provider.code, row.agrees) for row in rows]


def test_what_only_the_cmdb_knows_is_proposed_and_stands_once_it_is_accepted(there, noon):
    keep(there["cmdb"], noon, relations=(("depends on", "device", "2"),))
    (row,) = cmdb_relations.beside(service=there["APP"], at=noon)
    assert ends([row]) == [("APP", "DB", False)] and row.catalogue == () and row.cmdb == ("NetBox says that APP depends on DB",)
    assert cmdb_relations.see_relations(at=noon) == 1
    seen = SeenRelation.objects.unanswered(noon).get()
    assert (seen.kind, seen.evidence) == ("depends_on", "NetBox says that APP depends on DB.")
    kept = relating.accept(seen=seen, strength="hard", by=there["root"], at=noon, reason="It does")
    assert kept.origin == "discovered" and ends(cmdb_relations.beside(service=there["DB"], at=noon)) == [("APP", "DB", True)]
    assert cmdb_relations.see_relations(at=noon + HOUR) == 0 and not SeenRelation.objects.unanswered(noon + HOUR).exists()


def test_a_word_is_read_from_the_side_that_it_means(there, noon):
    keep(there["cmdb"], noon, relations=(("impacts", "device", "2"),))
    cmdb_relations.see_relations(at=noon)
    assert [(row.consumer.code, row.kind) for row in SeenRelation.objects.all()] == [("DB", "depends_on")]


def test_a_word_without_a_meaning_here_is_shown_and_not_proposed(there, noon):
    keep(there["cmdb"], noon, relations=(("exchanges letters with", "device", "2"),))
    assert cmdb_relations.see_relations(at=noon) == 0
    assert ends(cmdb_relations.beside(service=there["APP"], at=noon)) == [("APP", "DB", False)]


def test_what_only_the_catalogue_knows_is_missing_in_the_cmdb_and_an_entry_without_an_item_is_left_out(there, noon):
    said = {"strength": "hard", "by": there["root"], "at": noon, "reason": "test"}
    relating.relate(consumer=there["APP"], provider=there["DB"], kind="hosted_on", **said)
    relating.relate(consumer=there["APP"], provider=make_service("OTHER"), kind="depends_on", **said)
    rows = cmdb_relations.beside(service=there["APP"], at=noon)
    assert ends(rows) == [("APP", "DB", False)] and rows[0].catalogue == ("is hosted on",) and rows[0].cmdb == ()
    keep(there["cmdb"], noon, relations=(("depends on", "device", "2"),))
    assert cmdb_relations.see_relations(at=noon) == 0, "the catalogue knows it in another kind"
    assert ends(cmdb_relations.beside(service=there["APP"], at=noon)) == [("APP", "DB", True)]


def test_a_proposal_goes_with_the_relation_and_a_rejection_stays(there, noon):
    keep(there["cmdb"], noon, relations=(("uses", "device", "2"),))
    cmdb_relations.see_relations(at=noon)
    relating.reject(seen=SeenRelation.objects.get(), by=there["root"], at=noon, reason="Only in tests")
    assert cmdb_relations.see_relations(at=noon + HOUR) == 0 and not SeenRelation.objects.unanswered(noon).exists()
    keep(there["cmdb"], noon + HOUR, relations=())
    assert not ItemRelation.objects.exists() and cmdb_relations.see_relations(at=noon + HOUR) == 1
    assert SeenRelation.objects.get().gone_at == noon + HOUR


def test_many_relations_are_asked_for_at_once(there, noon, django_assert_max_num_queries):
    keep(there["cmdb"], noon, relations=(("uses", "device", "2"),))
    with django_assert_max_num_queries(5):
        cmdb_relations.beside(service=there["APP"], at=noon)
