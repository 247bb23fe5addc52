"""Incidents that one was merged into or split off from, and the other way round; in the past, as its story told by then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from incidents import belonging
from incidents.models import Incident, IncidentEntry
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link

MOST = 50
MERGED_INTO = "Merged into"
ORDER = (MERGED_INTO, "Split off from", "Merged into this", "Split off from this")


def related(incident: Incident, entries: Sequence[IncidentEntry], user: Any, moment: Moment) -> tuple[tuple[str, Link], ...]:
    """(`Merged into`, the other incident), of those that the user may see; `entries` is the story as known at the moment."""
    told = set(belonging.told_in(entries))
    if not told:
        return ()
    asked = Q(pk__in=[pk for _, pk in told])
    if not moment.past:  # what was merged into one that was merged here came here with it
        asked |= Q(pk__in=[incident.merged_into_id, incident.split_from_id]) | Q(merged_into=incident.pk) | Q(split_from=incident.pk)
    rows = list(Incident.objects.visible_to(user).filter(asked).order_by("pk")[:MOST])
    fits = told if moment.past else {(words, row.pk) for row in rows for words in _now(incident, row)}
    return tuple(
        (words, Link(row.number, moment.href("incident", row.number))) for words in ORDER for row in rows if (words, row.pk) in fits
    )


def _now(incident: Incident, row: Incident) -> list[str]:
    found = {
        MERGED_INTO: row.pk == incident.merged_into_id,
        "Split off from": row.pk == incident.split_from_id,
        "Merged into this": row.merged_into_id == incident.pk,
        "Split off from this": row.split_from_id == incident.pk,
    }
    return [words for words, fits in found.items() if fits]


def alerts_went_to(links: tuple[tuple[str, Link], ...]) -> Link | None:
    """Of one that was merged: who feels it, and why, stands there."""
    return next((link for words, link in links if words == MERGED_INTO), None)
