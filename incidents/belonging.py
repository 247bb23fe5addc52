"""Which alerts an incident held at an instant: merges and splits hand them on, and each time is on record as an `AlertMove`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from incidents.models import AlertMove, Incident, IncidentAlert, IncidentEntry
from monitoring.models import Alert

# How the story tells of a merge or a split, and what the incident that it names is to this one.
_RELATED = (
    (re.compile(r"^Merged into INC-(\d+)"), "Merged into"),
    (re.compile(r"^Split off from INC-(\d+)"), "Split off from"),
    (re.compile(r"^INC-(\d+) merged into this"), "Merged into this"),
    (re.compile(r"^INC-(\d+) split off"), "Split off from this"),
)


def stayed_since(at: dt.datetime) -> QuerySet[IncidentAlert]:
    """Alerts that had come into the incident by `at` which holds them now, and were not moved since."""
    moved = AlertMove.objects.filter(alert=OuterRef("alert"), at__gt=at)
    return IncidentAlert.objects.filter(~Exists(moved), attached_at__lte=at)


def left_since(at: dt.datetime) -> QuerySet[AlertMove]:
    """The first move after `at` of each alert that an incident held then: `left` is that incident."""
    sooner = AlertMove.objects.filter(
        Q(at__lt=OuterRef("at")) | Q(at=OuterRef("at"), pk__lt=OuterRef("pk")), alert=OuterRef("alert"), at__gt=at
    )
    return AlertMove.objects.filter(~Exists(sooner), at__gt=at, alert__incident_alert__attached_at__lte=at)


def held_then(incident: Incident, *, at: dt.datetime) -> Q:
    """A condition on alerts: those that the incident held at `at`, whatever was merged and split since."""
    stayed = stayed_since(at).filter(incident=incident).values("alert")
    return Q(pk__in=stayed.union(left_since(at).filter(left=incident).values("alert")))


def with_holder_then(alerts: QuerySet[Alert], *, at: dt.datetime) -> QuerySet[Alert]:
    """Each with `moved_from`: the incident that held it at `at`, where another one holds it now."""
    moves = AlertMove.objects.filter(alert=OuterRef("pk"), at__gt=at).order_by("at", "pk")
    return alerts.annotate(moved_from=Subquery(moves.values("left")[:1]))


def told_in(entries: Iterable[IncidentEntry]) -> list[tuple[str, int]]:
    """What these lines of a story tell of merges and splits: (`Merged into`, the key of the other incident), in their order."""
    lines = [entry.text for entry in entries if entry.kind in ("merged", "split")]
    return [(words, int(found[1])) for text in lines for pattern, words in _RELATED if (found := pattern.match(text))]
