"""What people do with a problem: accept or reject what is proposed, find the cause, have it fixed, and close it when it stayed away."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.db import transaction
from django.db.models import Q

from incidents.models import Incident, Problem, ProblemEntry
from incidents.models.incident import IncidentQuerySet
from incidents.working import NotPossible

STAYS_AWAY = MUTED = dt.timedelta(days=30)
# from → to: whether a reason is required. Everything else is refused.
TRANSITIONS: dict[tuple[str, str], bool] = {
    ("proposed", "new"): False,
    ("proposed", "rejected"): True,
    ("new", "assess"): False,
    ("assess", "root_cause_analysis"): False,
    ("assess", "closed"): True,
    ("root_cause_analysis", "fix_in_progress"): False,
    ("fix_in_progress", "resolved"): False,
    ("resolved", "fix_in_progress"): True,
    ("resolved", "closed"): False,
}


@transaction.atomic
def move(*, problem: Problem, to: str, reason: str, by: Any, at: dt.datetime) -> Problem:
    """Move the problem on. Raises NotPossible for a step that the table does not have, or that lacks what it stands on."""
    problem = Problem.objects.select_for_update().get(pk=problem.pk)
    needs_reason = TRANSITIONS.get((problem.state, to))
    if to == "closed" and problem.state in ("root_cause_analysis", "fix_in_progress"):
        raise NotPossible("A risk is accepted until a day, with an owner, and granted by somebody else. Ask for that.")
    if needs_reason is None:
        raise NotPossible(f"{problem.number} is {problem.get_state_display().lower()}. Choose one of the steps that are offered.")
    if needs_reason and not reason.strip():
        raise NotPossible(f"Say why {problem.number} becomes {Problem.State(to).label.lower()}.")
    _check(problem, to, at)
    before, problem.state, problem.updated_at = problem.state, to, at
    problem.assignee = problem.assignee or (by if to == "new" else None)
    problem.muted_until = at + MUTED if to == "rejected" else problem.muted_until
    problem.fixed_at = at if to == "resolved" else (problem.fixed_at if to == "closed" else None)
    if to == "closed":
        problem.closed_at, problem.outcome = at, outcome_of(before)
    problem.save()
    _tell(problem, f"{problem.get_state_display()}" + (f": {reason.strip()}" if reason.strip() else ""), by, at)
    return problem


def _check(problem: Problem, to: str, at: dt.datetime) -> None:
    """Raises NotPossible where something is missing that the state stands on."""
    if to == "fix_in_progress" and not problem.root_cause:
        raise NotPossible("Write down the root cause first: a fix is of something that is known.")
    if to == "resolved" and not problem.permanent_fix:
        raise NotPossible("Name the change that removes the cause, by its number or address.")
    if to != "closed" or problem.state != "resolved" or problem.fixed_at is None:
        return
    if at < problem.fixed_at + STAYS_AWAY:
        raise NotPossible(f"It is closed when it has not come back by {problem.fixed_at + STAYS_AWAY:%d %b %Y}, 30 days after the fix.")
    alike = Incident.objects.of_kind(problem.signature, problem.service_type)
    if alike.filter(Q(opened_at__gt=problem.fixed_at) | Q(incident_alerts__alert__last_seen_at__gt=problem.fixed_at)).exists():
        raise NotPossible("It came back after the fix. Go on with the fix.")
    if still := alike.open().order_by("pk").first():
        raise NotPossible(f"{still.number} is open, and of the same kind. Close the problem when that is over, too.")


def standing_against(problem: Problem) -> IncidentQuerySet:
    """Open incidents of its kind: what fails in them after the fix is in place says that it came back."""
    return Incident.objects.of_kind(problem.signature, problem.service_type).open().order_by("pk")


def outcome_of(before: str) -> str:
    """How a problem ended that is closed from this state."""
    outcomes = dict.fromkeys(("proposed", "new", "assess"), Problem.Outcome.NO_PROBLEM) | {"resolved": Problem.Outcome.FIXED}
    return outcomes.get(before, Problem.Outcome.RISK_ACCEPTED)


# A change is looked up by its number, or read at its address; other words prove nothing.
_CHANGE = re.compile(r"https?://[^\s/]+\S*|(?=[^:]*\d)[A-Za-z0-9][\w .#/-]*")
FIELDS = {"root_cause": 4_000, "workaround": 4_000, "permanent_fix": 200}
TAKEN_BACK = "taken back"
WORDS = {"root_cause": "Root cause", "workaround": "Workaround", "permanent_fix": "Permanent fix"}


@transaction.atomic
def write(*, problem: Problem, by: Any, at: dt.datetime, **texts: str) -> Problem:
    """Write down root cause, workaround or the change that fixes it; each that is new stands in the story.

    Raises NotPossible when it is over, when nothing is new, or when a text is longer than what is kept.
    """
    problem = Problem.objects.select_for_update().get(pk=problem.pk)
    if problem.state in ("proposed", "rejected", "closed"):
        raise NotPossible(f"{problem.number} is {problem.get_state_display().lower()}. Accept it before you work on it.")
    new = {name: text.strip() for name, text in texts.items() if name in FIELDS and text.strip() != getattr(problem, name)}
    for name, text in new.items():
        if len(text) > FIELDS[name]:
            raise NotPossible(f"{WORDS[name]} has {len(text):,} characters, and {FIELDS[name]:,} fit. Shorten it.")
    if not new:
        raise NotPossible("Nothing is new. Change one of the texts.")
    if new.get("permanent_fix") and not _CHANGE.fullmatch(new["permanent_fix"]):
        raise NotPossible("Name the change by its number, such as CHG-0042, or by its address that begins with https://.")
    if problem.state == "resolved" and not all(new.get(name, "x") for name in ("root_cause", "permanent_fix")):
        raise NotPossible("What is resolved keeps its cause and its fix. Go on with the fix first.")
    for name, text in new.items():
        setattr(problem, name, text)
        _tell(problem, f"{WORDS[name]}: {text or TAKEN_BACK}", by, at)
    problem.updated_at = at
    problem.save()
    return problem


def _tell(problem: Problem, text: str, by: Any, at: dt.datetime) -> None:
    ProblemEntry.objects.create(problem=problem, at=at, text=text, by=by)
