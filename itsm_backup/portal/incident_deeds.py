"""What a person may do with an incident now: the forms of its page that would be taken if they were sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalogue.duties import names
from incidents import assigning, working
from incidents.models import Incident
from incidents.models.escalation import PRIORITIES
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_list import whom
from itsm_backup.portal.service_list import Choice
from monitoring.models import Alert

RESOLVE = "incidents.resolve_incident"
_HOLD = ("Put it on hold", "Nobody is told, and its time stands still, until it goes on.")
_REOPEN = ("Reopen it", "It goes on as the same incident; possible for 7 days after its end.")
_CANCEL = ("Cancel it", "It was no incident. It comes back if it happens again; if it is the same as another one, merge it.")
FOR_HOURS = {"1": "an hour", "4": "4 hours", "8": "8 hours", "24": "a day", "72": "3 days"}
STEPS = {  # what can be done by hand, beside acknowledging and resolving
    ("new", "on_hold"): _HOLD,
    ("in_progress", "on_hold"): _HOLD,
    ("on_hold", "in_progress"): ("Go on with it", "Its time counts again."),
    ("new", "cancelled"): _CANCEL,
    ("in_progress", "cancelled"): _CANCEL,
    ("on_hold", "cancelled"): _CANCEL,
    ("resolved", "closed"): ("Close it", "You confirm that it is over. By itself it closes after 5 days."),
    ("resolved", "in_progress"): _REOPEN,
    ("closed", "in_progress"): _REOPEN,
    ("cancelled", "in_progress"): _REOPEN,
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step to another state that can be taken now."""

    to: str
    words: str
    says: str  # what it does
    needs_reason: bool


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """What this person may do with this incident now; `refusal` says why there is nothing to do, and who can."""

    acknowledge: bool = False
    how_long: tuple[Choice, ...] = ()  # it may be acknowledged
    review: bool = False
    whom: tuple[tuple[str, tuple[Choice, ...]], ...] = ()
    whose: str = ""  # whom it is with now, as the form carries it
    note: bool = False
    resolve: bool = False
    resolutions: tuple[Choice, ...] = ()
    causes: tuple[Choice, ...] = ()
    steps: tuple[Step, ...] = ()
    priorities: tuple[Choice, ...] = ()
    merge: bool = False
    propose: bool = False  # as a major incident
    alerts: tuple[Choice, ...] = ()  # its alerts, where some can be split off
    refusal: str = ""

    @property
    def any(self) -> bool:
        """Whether there is a form at all."""
        return self.review or self.note or bool(self.steps)

    def says_why(self, failed: Mapping[str, Any]) -> bool:
        """Whether the form that was refused is there still, and tells in it why."""
        shown = {
            "acknowledge": self.acknowledge, "assign": bool(self.whom), "note": self.note, "resolve": self.resolve,
            "step": any(one.to == failed["sent"].get("to") and one.needs_reason for one in self.steps),
            "priority": bool(self.priorities), "propose": self.propose, "merge": self.merge, "split": bool(self.alerts),
        }  # fmt: skip
        return shown.get(failed["form"], False)


def deeds_of(*, incident: Any, alerts: list[Alert], user: Any, moment: Moment) -> Deeds:
    """Forms that would be taken if sent now. The past has none; who lacks the right is told who has it."""
    if moment.past:
        return Deeds(refusal="You are looking at the past. Go back to now to work on it.")
    if not user.has_perm(assigning.CHANGE):
        who = names(assigning.workers_on(incident))
        return Deeds(refusal=f"Operators can work on this. {who} can." if who else "Operators can work on this.")
    steps = _steps(incident, moment)
    if not incident.is_open:
        may_review = incident.state != "cancelled" and incident.review_state in (None, "proposed", "declined")
        may_review = may_review and user.has_perm("incidents.add_postincidentreview")
        return Deeds(note=True, review=may_review, steps=steps, refusal=f"{incident.number} is {incident.get_state_display().lower()}.")
    return Deeds(
        acknowledge=incident.state == "new",
        how_long=_HOW_LONG,
        whom=whom(user, incident),
        whose=assigning.whose(incident),
        note=True,
        resolve=user.has_perm(RESOLVE),
        resolutions=tuple(Choice(value=one.value, words=one.label, chosen=False) for one in working.BY_HAND),
        causes=tuple(Choice(value=value, words=words, chosen=False) for value, words in Incident.CauseCategory.choices),
        steps=steps,
        priorities=tuple(Choice(value=one, words=one, chosen=one == incident.priority) for one in PRIORITIES),
        merge=True,
        propose=not incident.is_led,
        alerts=tuple(Choice(value=str(one.pk), words=one.title, chosen=False) for one in alerts) if len(alerts) > 1 else (),
    )


_HOW_LONG = (
    Choice(value="", words="until it is over", chosen=True),
    *(Choice(value=value, words=f"for {words}", chosen=False) for value, words in FOR_HOURS.items()),
)


def _steps(incident: Incident, moment: Moment) -> tuple[Step, ...]:
    if incident.merged_into_id:
        return ()
    too_late = not incident.is_open and moment.at > incident.ended_at + working.REOPEN_WITHIN
    return tuple(
        Step(to=to, words=words, says=says, needs_reason=working.TRANSITIONS[incident.state, to])
        for (before, to), (words, says) in STEPS.items()
        if before == incident.state and not (to == "in_progress" and too_late)
    )
