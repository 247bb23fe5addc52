"""What the demo's jobs tell of relations that nobody declared: a steward took one up, another waits for a word."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth import get_user_model

from catalogue import relating
from catalogue.models import SeenRelation
from monitoring import sighting

TAKEN_UP = ("SVC-011", "BKP-01")  # consumer and provider
REASON = "Its jobs write there: the reports lie beside the pictures."


def see(*, at: dt.datetime) -> None:
    """Look where the jobs write, and take one proposal up as the steward would. The same again changes nothing."""
    sighting.see_relations(at=at)
    consumer, provider = TAKEN_UP
    waiting = SeenRelation.objects.unanswered(at).filter(consumer__code=consumer, provider__code=provider)
    steward = get_user_model().objects.get(username="steward")
    for seen in waiting.select_related("consumer", "provider"):
        relating.accept(seen=seen, strength="hard", by=steward, at=at, reason=REASON)
