"""What the demo's operator does about incidents of the history: takes them after a while, as people do."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth import get_user_model

from incidents import working
from incidents.models import Incident

REACTION = dt.timedelta(minutes=25)
OPERATOR = "operator"


def handle(*, since: dt.datetime, at: dt.datetime) -> int:
    """Have the operator take every new incident of the replayed history that is old enough; returns how many."""
    operator = get_user_model().objects.filter(username=OPERATOR).first()
    if operator is None:
        return 0
    waiting = Incident.objects.filter(state="new", opened_at__lte=at - REACTION, incident_alerts__alert__job__tool__replayed=True)
    waiting |= Incident.objects.filter(state="new", opened_at__lte=at - REACTION, incident_alerts__alert__tool__replayed=True)
    taken = list(waiting.distinct())
    for incident in taken:
        working.take(incident=incident, by=operator, at=max(incident.opened_at + REACTION, since))
    return len(taken)
