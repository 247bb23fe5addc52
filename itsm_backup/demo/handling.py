"""What the demo's operator does about incidents of the history: takes them after a while, as people do."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth import get_user_model
from django.db.models import Q

from incidents import working
from incidents.models import Incident

REACTION = dt.timedelta(minutes=25)
OPERATOR = "operator"


def handle(*, at: dt.datetime) -> int:
    """Have the operator take every new incident of the replayed history that was known long enough by `at`; returns how many."""
    operator = get_user_model().objects.filter(username=OPERATOR).first()
    if operator is None:
        return 0
    replayed = Q(incident_alerts__alert__job__tool__replayed=True) | Q(incident_alerts__alert__tool__replayed=True)
    taken = list(Incident.objects.filter(replayed, state="new", known_at__lte=at - REACTION).distinct().order_by("known_at", "pk"))
    for incident in taken:
        working.take(incident=incident, by=operator, at=incident.known_at + REACTION)
    return len(taken)
