"""Everything about entries that nobody looks after: in their ownership, and changes behind them that nobody answered."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Any

from catalogue.models import Service
from catalogue.responsibilities import Gap, gaps
from monitoring.models import DetectedChange

KINDS = (
    "owner",
    "steward",
    "team",
    "review",
    "attestation",
    "wrong",
    "nothing in force",
    "retirement",
    "agreement",
    "label",
    "configuration",
)
CHANGED = "Something changed behind it"
# What is wrong stands before what is late, and that before what nobody has set yet.
WORST_FIRST = (
    "No version is in force",
    "The owner holds a duty that excludes it",
    "The steward holds a duty that excludes it",
    "The owner has left",
    "The steward has left",
    "The steward may not change it",
    "Its owner says that it is not right",
    CHANGED,
    "Its retirement is overdue",
    "An attestation is late",
    "Its agreement has a newer version",
    "Its review is overdue",
    "Its impact analysis is overdue",
    "The team has no e-mail address",
    "The owner has no e-mail address",
    "The steward has no e-mail address",
    "One person is owner and steward",
    "No review day is set",
    "A label that nobody explained",
)


def ownership_gaps(*, services: Iterable[Service] | Any, at: dt.datetime) -> list[Gap]:
    """The gaps of these entries by their cause, the worst first; the number of queries does not grow with them."""
    rank = {cause: place for place, cause in enumerate(WORST_FIRST)}
    found = [*gaps(services=services, at=at), *_changed(services, at)]
    return sorted(found, key=lambda gap: (rank.get(gap.cause, len(rank)), gap.cause))


def _changed(services: Any, at: dt.datetime) -> list[Gap]:
    """Entries behind which something changed after the version in force was approved: does it still say what is true?"""
    counts = Counter(DetectedChange.objects.waiting(at).filter(service__in=services).values_list("service_id", flat=True))
    told = "detected behind it: it needs a new version, or a word that none is needed."
    return [Gap(pk, "configuration", CHANGED, f"{count:,} change{'' if count == 1 else 's'} {told}") for pk, count in counts.items()]
