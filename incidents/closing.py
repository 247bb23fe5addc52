"""What is over and stays over is closed after five days."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from incidents.models import Incident, IncidentEntry
from monitoring.carrying import each

AFTER = dt.timedelta(days=5)
BATCH = 200


def close_settled(*, at: dt.datetime) -> int:
    """Close every incident that was resolved five days ago or longer; returns how many."""
    settled = Incident.objects.filter(state=Incident.State.RESOLVED, resolved_at__lte=at - AFTER).order_by("resolved_at", "pk")
    return each(settled.values_list("pk", flat=True)[:BATCH], lambda pk: _close(pk, at), "closing incident")


@transaction.atomic
def _close(incident_id: int, at: dt.datetime) -> bool:
    rows = Incident.objects.select_for_update(skip_locked=True, of=("self",))
    incident = rows.filter(pk=incident_id, state=Incident.State.RESOLVED, resolved_at__lte=at - AFTER).first()
    if incident is None:
        return False
    incident.state, incident.closed_at, incident.updated_at = Incident.State.CLOSED, at, at
    incident.save(update_fields=["state", "closed_at", "updated_at"])
    IncidentEntry.objects.create(incident=incident, at=at, kind="state", text="Closed: it stayed over for 5 days.")
    return True
