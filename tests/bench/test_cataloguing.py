"""The generated catalogue: as many entries and relations as asked for, no circle, wide and deep enough, and one person who sees a part."""

from __future__ import annotations

from collections import Counter

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection

from catalogue import weave
from catalogue.impact import closure, nearest_first
from catalogue.models import Relation, Service, ServiceVersion
from itsm_backup.bench import cataloguing, pattern
from itsm_backup.common.time import now

ENTRIES = 300


@pytest.mark.django_db(transaction=True)
def test_it_is_published_whole_and_without_circles():
    cataloguing.fill(pattern.make(at=now(), runs=2), entries=ENTRIES)
    in_force = ServiceVersion.objects.in_force(now()).filter(service__code__startswith="SVC-")
    assert in_force.count() == ENTRIES
    assert in_force.values("owner").distinct().count() > 20
    assert in_force.filter(department=cataloguing.LARGE).count() == ENTRIES // 10
    pairs = list(Relation.objects.values_list("consumer", "provider"))
    assert ENTRIES * 6 - 6 == len(pairs) == Relation.history.count()
    assert weave.circles(pairs) == []
    assert max(Counter(provider for _, provider in pairs).values()) >= ENTRIES // 3  # pools that very many store to
    deepest = Service.objects.get(code=cataloguing.DEEPEST)
    needed = nearest_first([deepest.pk], closure([deepest.pk], up=False, at=now()), up=False)
    assert len(needed) >= 38
    limited = get_user_model().objects.get(username=cataloguing.LIMITED)
    seen = Service.objects.visible_to(limited).values_list("pk", flat=True)
    assert set(seen) == set(in_force.filter(department=cataloguing.SMALL).values_list("service", flat=True)) != set()


@pytest.mark.django_db(transaction=True)
def test_the_database_keeps_watch_again_once_it_is_filled():
    made = pattern.make(at=now(), runs=2)
    cataloguing.fill(made, entries=20)
    tree = Relation.objects.filter(kind="part_of").order_by("pk").first()
    with pytest.raises(DatabaseError, match="part of, or supersede, itself"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalogue_relation (consumer_id, provider_id, kind, strength) VALUES (%s, %s, 'part_of', 'soft')",
            [tree.provider_id, tree.consumer_id],
        )
