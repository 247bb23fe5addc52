"""Which alerts an incident held at an instant: a merge or a split hands them on, and the stories keep who had them before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q

from incidents.models import Incident, IncidentAlert, IncidentEntry
from monitoring.models import Alert

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
    held = Q(incident_alert__incident=incident) | (split_from_it & Q(Exists(split.filter(at__gt=at))))
    return held & ~Q(pk__in=brought_later)


def holders_then(alerts: Iterable[Alert], *, at: dt.datetime) -> dict[int, int]:
    """By alert, the incident that held it at `at`; nothing of those that had come into none by then."""
    links = list(IncidentAlert.objects.filter(alert__in=[one.pk for one in alerts], attached_at__lte=at).select_related("incident"))
    lines = IncidentEntry.objects.filter(alert__in=[one.alert_id for one in links], kind__in=FIRST_HELD).order_by("-at", "-pk")
    first = dict(lines.values_list("alert", "incident"))
    origin = {one.incident_id: one.incident.split_from_id for one in links}
    later = gone_later({*first.values(), *origin}, at=at)
    found = {}
    for one in links:
        holder = origin[one.incident_id] if (one.incident_id, "split") in later else one.incident_id
        begun = first.get(one.alert_id)
        found[one.alert_id] = begun if (begun, "merged") in later else holder
    return {alert: holder for alert, holder in found.items() if holder}


def gone_later(incidents: Iterable[int], *, at: dt.datetime) -> set[tuple[int, str]]:
    """Which of these were merged or split off only after `at`, as (incident, `merged` or `split`)."""
    begins = Q(text__startswith="Merged into ") | Q(text__startswith="Split off from ")
    lines = IncidentEntry.objects.filter(begins, incident__in=incidents, kind__in=["merged", "split"], at__gt=at)
    return set(lines.values_list("incident", "kind"))
