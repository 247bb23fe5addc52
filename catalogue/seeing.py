"""What machines see of relations becomes proposals for people, kept in line with what is seen today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import transaction

from catalogue.models import SeenRelation


class Sighting(NamedTuple):
    """A relation that somebody's data suggest, and the sentence that says why."""

    consumer_id: int
    provider_id: int
    kind: str
    evidence: str


def keep_seen(*, kinds: Sequence[str], sightings: Iterable[Sighting], at: dt.datetime) -> int:
    """Bring the proposals of these kinds in line with the sightings, which are all that there are; returns how many came or went.

    What people answered stays.
    """
    seen = {(one.consumer_id, one.provider_id, one.kind): one for one in sightings}
    changed = 0
    with transaction.atomic():
        for row in SeenRelation.objects.select_for_update().filter(kind__in=kinds):
            sighting = seen.pop((row.consumer_id, row.provider_id, row.kind), None)
            changed += (sighting is None) != (row.gone_at is not None)
            if sighting is not None:
                row.evidence, row.last_seen_at, row.gone_at = sighting.evidence, at, None
            elif row.gone_at is None:
                row.gone_at = at
            row.save()
        fresh = [SeenRelation(**one._asdict(), first_seen_at=at, last_seen_at=at) for one in seen.values()]
        SeenRelation.objects.bulk_create(fresh, ignore_conflicts=True)
    return changed + len(fresh)
