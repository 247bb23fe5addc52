"""Many alerts of one cause join its open incident together: a storm is weighed and told once, however many services it hits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from incidents import recognising, waiting, weighing
from incidents.models import Incident, IncidentAlert, IncidentEntry
from incidents.models.incident import OPEN_STATES
from monitoring.models import Alert


def join_alike(*, incident: Incident, alerts: Sequence[int], told: bool, at: dt.datetime) -> list[int]:
    """Have those of the alerts join that go on and need not wait; returns which. One of the same cause keeps the incident open.

    With `told` false nobody knows of the incident yet, and nobody is told that it became heavier.

    What was split off from another incident stays with it, and what is over already is looked at by itself: both are left out.
    """
    rows = Alert.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=alerts, incident_alert=None, resolved_at=None)
    split_off = IncidentAlert.objects.filter(incident__state__in=OPEN_STATES, incident__split_from__isnull=False).values("alert__dedup_key")
    found = list(rows.exclude(dedup_key__in=split_off).order_by("opened_at", "pk"))
    if not (joining := waiting.ready(incident, found, at)):
        return []
    IncidentAlert.objects.bulk_create([IncidentAlert(incident=incident, alert=one, attached_at=at) for one in joining])
    IncidentEntry.objects.bulk_create(
        [
            IncidentEntry(
                incident=incident, at=max(one.opened_at, incident.opened_at), noticed_at=at, kind="joined", text=one.title, alert=one
            )
            for one in joining
        ]
    )
    incident.updated_at = at
    recognising.learns(incident, joining, at=at)
    incident.save(update_fields=["updated_at", "signature", "studied_at"])
    weighing.weigh_with(incident=incident, alerts=joining, told=told, at=at)
    return [one.pk for one in joining]
