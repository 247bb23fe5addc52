"""Who is hurt when something fails."""

import itertools
import json
from pathlib import Path

import pytest

from catalogue import impact
from catalogue.impact import Consumer
from catalogue.models import Relation, Service, ServiceVersion
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from tests.catalogue.makers import NOON, make_service

GOLDEN = [case for case in json.loads((Path(__file__).parent.parent / "golden" / "golden-metrics.json").read_text())
          if case["method_id"] == "BM-TIER"]  # fmt: skip


def depends(consumer, provider, strength="hard", kind="depends_on"):
    with because("For a test"):
        Relation.objects.create(consumer=consumer, provider=provider, strength=strength, kind=kind)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["case"])
def test_it_agrees_with_the_golden_examples(case):
    assert impact.inherited_tiers(case["inputs"]["services"], case["inputs"]["edges"]) == case["expected"]


def test_there_are_golden_examples():
    assert GOLDEN


@pytest.mark.django_db
def test_it_finds_everything_that_stops_nearest_first():
    pool, vault, erp, hr, wiki = (make_service(code) for code in ("pool", "vault", "erp", "hr", "wiki"))
    depends(vault, pool, kind="hosted_on")
    depends(erp, vault)
    depends(hr, pool)
    depends(wiki, pool, strength="soft")
    assert impact.consumers_of([pool.pk], at=NOON) == [
        Consumer(vault.pk, pool.pk, 1), Consumer(hr.pk, pool.pk, 1), Consumer(erp.pk, vault.pk, 2)
    ]  # fmt: skip
    assert impact.consumers_of([wiki.pk], at=NOON) == []
    assert impact.consumers_of([], at=NOON) == []


@pytest.mark.django_db
@pytest.mark.req("1.6")
def test_a_lost_backup_ends_where_it_is_lost_and_a_stop_comes_before_it(django_assert_num_queries):
    """erp stores to the pool, which stands on the disks; the portal needs erp; pacs stores there and is hosted there, too."""
    disks, pool, erp, portal, pacs = (make_service(code, tier=tier) for code, tier in zip("dpeoa", (4, 4, 2, 1, 3), strict=True))
    depends(pool, disks, kind="hosted_on")
    depends(erp, pool, kind="stores_to")
    depends(portal, erp)
    depends(pacs, disks, kind="protects")
    depends(pacs, pool, kind="hosted_on")
    services, wanted = [one.pk for one in (disks, pool, erp, portal, pacs)], [
        Consumer(pool.pk, disks.pk, 1), Consumer(pacs.pk, pool.pk, 2), Consumer(erp.pk, pool.pk, 2, only_backup=True)
    ]  # fmt: skip
    with django_assert_num_queries(1):
        assert impact.consumers_of([disks.pk], at=NOON) == wanted
    for one in services:
        assert impact.hit([one], impact.closure([one], up=True, at=NOON)) == impact.consumers_of([one], at=NOON)
    below = impact.closure([portal.pk], up=False, at=NOON)
    assert impact.needed([portal.pk], below) == [Consumer(erp.pk, portal.pk, 1)], "the pool may fail"
    assert impact.needed([erp.pk], impact.closure([erp.pk], up=False, at=NOON)) == [
        Consumer(pool.pk, erp.pk, 1, only_backup=True), Consumer(disks.pk, pool.pk, 2, only_backup=True)
    ]  # fmt: skip
    assert impact.effective_tiers([disks.pk, pool.pk], at=NOON) == {disks.pk: 1, pool.pk: 1}, "what is backed up there weighs"


@pytest.mark.django_db
def test_a_cycle_ends_where_it_began():
    one, two, three = (make_service(code) for code in ("one", "two", "three"))
    depends(two, one)
    depends(three, two)
    depends(one, three)
    assert [(found.service_id, found.depth) for found in impact.consumers_of([one.pk], at=NOON)] == [(two.pk, 1), (three.pk, 2)]


@pytest.mark.django_db
def test_several_starts_are_never_their_own_victims():
    one, two, three = (make_service(code) for code in ("one", "two", "three"))
    depends(two, one)
    depends(three, two)
    assert impact.consumers_of([one.pk, two.pk], at=NOON) == [Consumer(three.pk, two.pk, 1)]


@pytest.mark.django_db
def test_a_dense_graph_stays_cheap(django_assert_num_queries):
    """A chain of ten layers of four has a million ways through it; each relation is still walked once."""
    with because("Entries without content are enough"):
        layers = [[Service.objects.create(code=f"s{layer}-{each}", created_at=NOON) for each in range(4)] for layer in range(10)]
    for lower, upper in itertools.pairwise(layers):
        for provider in lower:
            for consumer in upper:
                depends(consumer, provider)
    with django_assert_num_queries(1):
        found = impact.consumers_of([layers[0][0].pk], at=NOON)
    assert len(found) == 36 and max(each.depth for each in found) == 9


@pytest.mark.django_db
def test_a_service_inherits_the_strictest_tier_of_what_stops_with_it(django_assert_num_queries):
    pool, erp, wiki = make_service("pool", tier=4), make_service("erp", tier=1), make_service("wiki", tier=2)
    depends(erp, pool)
    depends(wiki, pool, strength="soft")
    with django_assert_num_queries(2):
        assert impact.effective_tiers([pool.pk, wiki.pk], at=NOON) == {pool.pk: 1, wiki.pk: 2}
    assert impact.effective_tiers([pool.pk], at=NOON.replace(year=2020)) == {}


@pytest.mark.django_db
@pytest.mark.req("1.6")
def test_the_column_of_the_effective_tier_says_the_same_as_the_walk_of_many():
    pool, vault, erp, hr, wiki = (
        make_service(code, tier=tier) for code, tier in zip(("pool", "vault", "erp", "hr", "wiki"), (4, 4, 1, 2, 3), strict=True)
    )
    depends(vault, pool, kind="hosted_on")
    depends(erp, vault)
    depends(hr, wiki, strength="soft")
    depends(pool, erp)  # round
    services = [one.pk for one in (pool, vault, erp, hr, wiki)]
    for known_then in (False, True):
        at = now() if known_then else NOON
        tier = impact.EffectiveTier("service_id", at=at, known_then=known_then)
        rows = dict(ServiceVersion.objects.filter(service__in=services).values_list("service_id", tier))
        assert rows == {pool.pk: 1, vault.pk: 1, erp.pk: 1, hr.pk: 2, wiki.pk: 3}
        assert rows == impact.effective_tiers(services, at=at, known_then=known_then)
    early = impact.EffectiveTier("service_id", at=NOON, known_then=True)
    assert dict(ServiceVersion.objects.filter(service=pool).values_list("service_id", early)) == {pool.pk: 4}, (
        "nobody knew of a relation then"
    )
