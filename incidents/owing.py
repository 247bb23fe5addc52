"""Which incidents owe a review: it is proposed where a heavy one is resolved, and asked for before a major one is closed."""

from __future__ import annotations

import datetime as dt

from incidents.models import Escalation, Incident, PostIncidentReview
from itsm_backup.common.models import because

REQUIRED, PROPOSED = ("P1",), ("P1", "P2")


def owe(*, incident: Incident, at: dt.datetime, required: bool = False) -> PostIncidentReview | None:
    """Propose the review of a resolved incident that was ever of priority 1 or 2, once; None where nothing calls for one.

    `required` is for those that are reviewed whatever their priority, such as major incidents. The caller holds the incident's row.
    """
    heaviest = min([incident.priority, *Escalation.objects.filter(incident=incident).values_list("priority", flat=True)])
    required = required or heaviest in REQUIRED
    if not required and heaviest not in PROPOSED:
        return None
    found = PostIncidentReview.objects.filter(incident=incident).order_by("-revision").first()
    why = f"Proposed: {incident.number} was of priority {heaviest}"
    if found is None:
        found = PostIncidentReview(incident=incident, required=required, proposed_at=at)
    elif found.state == PostIncidentReview.State.PUBLISHED or found.required >= required:
        return found
    else:
        found.required, why = True, "Required now"
        found.state = PostIncidentReview.State.PROPOSED if found.state == PostIncidentReview.State.DECLINED else found.state
    found._history_date = at  # type: ignore[attr-defined]
    with because(why):
        found.save()
    return found


def is_complete(incident: Incident) -> bool:
    """Whether the review of the incident is published, and no correction of it is on its way."""
    states = set(PostIncidentReview.objects.filter(incident=incident).values_list("state", flat=True))
    return PostIncidentReview.State.PUBLISHED in states and states <= {PostIncidentReview.State.PUBLISHED}
