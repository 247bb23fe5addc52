"""Which alerts an incident held at an instant: a merge or a split hands them on, and the stories keep who had them before."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef, Q

from incidents.models import Incident, IncidentEntry

FIRST_HELD = ("opened", "joined")  # lines that name the alert with which an incident began, or that joined it


def held_then(incident: Incident, *, at: dt.datetime) -> Q:
    """A condition on alerts: those that the incident held at `at`, before later merges and splits."""
    own = Q(pk__in=IncidentEntry.objects.filter(incident=incident, kind__in=FIRST_HELD, alert__isnull=False).values("alert"))
    merged_later = IncidentEntry.objects.filter(kind="merged", text__startswith="Merged into ", at__gt=at)
    split = IncidentEntry.objects.filter(incident=OuterRef("incident_alert__incident"), kind="split", text__startswith="Split off from ")
    split_from_it = Q(incident_alert__incident__split_from=incident)
    if incident.merged_into_id and merged_later.filter(incident=incident).exists():
        return own & ~(split_from_it & Q(Exists(split.filter(at__lte=at))))
    brought = merged_later.filter(incident__merged_into=incident).values("incident")
    brought_later = IncidentEntry.objects.filter(incident__in=brought, kind__in=FIRST_HELD, alert__isnull=False).values("alert")
    kept = Q(incident_alert__incident=incident) & ~Q(pk__in=brought_later)
    return kept | (split_from_it & Q(Exists(split.filter(at__gt=at))))
