"""An update of a major incident that is overdue: its communications lead is reminded, after a further interval its manager, too."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from incidents import announcing
from incidents.leading import CLOSURE_AGAIN
from incidents.models import MajorIncident
from monitoring.carrying import each

BATCH = 200


def remind_due(*, at: dt.datetime) -> int:
    """Remind once for each interval that an update is overdue; returns of how many major incidents somebody was reminded."""
    due = MajorIncident.objects.filter(remind_at__lte=at).order_by("remind_at", "pk").values_list("pk", flat=True)
    return each(due[:BATCH], lambda pk: _remind(pk, at), "reminding of an update")


@transaction.atomic
def _remind(major_id: int, at: dt.datetime) -> bool:
    rows = MajorIncident.objects.select_for_update(skip_locked=True, of=("self",)).select_related(
        "incident", "manager", "communications_lead"
    )
    major = rows.filter(pk=major_id, remind_at__lte=at).first()
    if major is None or major.next_update_at is None or major.interval_min is None:
        return False
    every = CLOSURE_AGAIN if major.state in ("resolved", "review") else dt.timedelta(minutes=major.interval_min)
    missed = (at - major.next_update_at) // every  # intervals that went by since it was due; those that nobody looked at are told once
    people = [major.communications_lead, *([major.manager] if missed else [])]
    announcing.announce_major(major=major, kind="overdue", people=people, at=at, key=f"{major.next_update_at:%Y%m%d%H%M%S}/{missed}")
    major.remind_at = major.next_update_at + (missed + 1) * every
    major.save(update_fields=["remind_at"])
    return True
