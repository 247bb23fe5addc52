"""How often each audience is told of a major incident: whose turn it is with the next update. A person chooses who is told."""

from __future__ import annotations

import datetime as dt

from incidents.models import Audience, MajorIncident

EVERY: dict[str, dt.timedelta | None] = {  # None: when it begins and when it is over
    Audience.RESPONDERS: dt.timedelta(0),
    Audience.OWNERS: dt.timedelta(hours=1),
    Audience.COMPLIANCE: None,
    Audience.EXECUTIVES: dt.timedelta(hours=2),
    Audience.BUSINESS: None,
}


def last_told(major: MajorIncident, *, until: dt.datetime) -> dict[str, dt.datetime]:
    """When each audience was told last; without those who were not told yet."""
    sent = major.updates.filter(state="sent", sent_at__lte=until).order_by("sent_at", "pk").values_list("sent_at", "audiences")
    return {audience: at for at, audiences in sent for audience in audiences}


def whose_turn(major: MajorIncident, *, at: dt.datetime) -> list[str]:
    """Whom an update at `at` is for: who was not told yet, and who would wait too long for the one after it."""
    told = last_told(major, until=at)
    if major.state in ("resolved", "review"):
        return [one for one in Audience.values if one in told] or list(Audience.values)
    following = at + dt.timedelta(minutes=major.interval_min or 0)
    over = max(major.updates.filter(kind="closure", state="sent", sent_at__lte=at).values_list("sent_at", flat=True), default=None)
    told = {one: when for one, when in told.items() if over is None or when > over}  # who heard that it is over hears that it came back
    return [one for one in Audience.values if one not in told or ((every := EVERY[one]) is not None and told[one] + every < following)]
