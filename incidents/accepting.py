"""Accepting a risk: asked for by one person with an owner and a last day, granted by another, and asked about again when it is over."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string

from incidents.models import Problem, ProblemEntry, RiskAcceptance
from incidents.working import NotPossible
from itsm_backup.common import outbox
from itsm_backup.common.time import local_day
from monitoring.carrying import each

FROM = ("root_cause_analysis", "fix_in_progress")
LONGEST = dt.timedelta(days=366)
REASON = 2_000


@transaction.atomic
def ask(*, problem: Problem, owner: Any, until: dt.date | None, reason: str, by: Any, at: dt.datetime) -> RiskAcceptance:
    """Ask that the risk is accepted. Raises NotPossible without reason, owner or day, in another state, and while one waits already."""
    problem = Problem.objects.select_for_update().get(pk=problem.pk)
    if problem.state not in FROM:
        raise NotPossible(f"{problem.number} is {problem.get_state_display().lower()}. A risk is accepted once the problem was assessed.")
    if problem.acceptances.filter(granted=None).exists():
        raise NotPossible("It is asked for already. Somebody else grants or refuses it first.")
    if not reason.strip() or len(reason.strip()) > REASON:
        raise NotPossible(f"Say why the risk is borne, and what helps meanwhile, in at most {REASON:,} characters.")
    today = local_day(at, "UTC")
    if until is None or not today < until <= today + LONGEST:
        raise NotPossible("Choose the last day on which it holds: later than today, and within a year.")
    if owner is None or not owner.is_active or not Problem.objects.visible_to(owner).filter(pk=problem.pk).exists():
        raise NotPossible("Choose who answers for the risk: somebody with a live account who may see the problem.")
    made = RiskAcceptance.objects.create(problem=problem, reason=reason.strip(), owner=owner, until=until, asked_by=by, asked_at=at)
    _tell(problem, f"Asked to accept the risk until {_day(until)}, owned by {_name(owner)}: {reason.strip()}", by, at)
    return made


@transaction.atomic
def answer(*, acceptance: RiskAcceptance, granted: bool, reason: str, by: Any, at: dt.datetime) -> RiskAcceptance:
    """Grant it, which closes the problem, or refuse it with a reason.

    Raises NotPossible for who asked or owns it, and once it is answered.
    """
    problem = Problem.objects.select_for_update().get(pk=acceptance.problem_id)
    row = RiskAcceptance.objects.select_for_update(of=("self",)).select_related("owner", "asked_by").get(pk=acceptance.pk)
    if row.granted is not None:
        raise NotPossible("It was answered meanwhile.")
    if not granted:
        return _refuse(row, problem, reason, by, at)
    if by.pk in (row.asked_by_id, row.owner_id):
        raise NotPossible(f"Neither who asked for it ({_name(row.asked_by)}) nor who owns the risk ({_name(row.owner)}) can grant it.")
    if problem.state not in FROM:
        raise NotPossible(f"{problem.number} is {problem.get_state_display().lower()} meanwhile. Refuse it, and ask again if need be.")
    if row.until < local_day(at, "UTC"):
        raise NotPossible("Its last day is over. Refuse it, and ask again.")
    row.granted, row.answered_by, row.answered_at = True, by, at
    row.save()
    problem.state, problem.outcome = Problem.State.CLOSED, Problem.Outcome.RISK_ACCEPTED
    problem.closed_at = problem.updated_at = at
    problem.save()
    told = f"the risk is accepted until {_day(row.until)}, owned by {_name(row.owner)}, granted by {_name(by)}: {row.reason}"
    _tell(problem, f"{problem.get_state_display()}: {told}", by, at)
    return row


def _refuse(row: RiskAcceptance, problem: Problem, reason: str, by: Any, at: dt.datetime) -> RiskAcceptance:
    if not reason.strip():
        raise NotPossible("Say why the risk is not accepted.")
    row.granted, row.answered_by, row.answered_at = False, by, at
    row.save()
    _tell(problem, f"The risk is not accepted: {reason.strip()}", by, at)
    return row


def look_again(*, at: dt.datetime) -> int:
    """Have risks whose last day is over decided again: assessed anew, and told to who owns and asked for it. Returns how many."""
    over = RiskAcceptance.objects.filter(granted=True, ended_at=None, until__lt=local_day(at, "UTC"))
    return each(over.order_by("until", "pk").values_list("pk", flat=True), lambda pk: _end(pk, at), "ending the acceptance of risk")


@transaction.atomic
def _end(pk: int, at: dt.datetime) -> bool:
    row = RiskAcceptance.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, granted=True, ended_at=None).first()
    if row is None:
        return False
    row.ended_at = at
    row.save()
    problem = Problem.objects.select_for_update().get(pk=row.problem_id)
    kind = {"signature": problem.signature, "service_type__iexact": problem.service_type}
    words = f"the risk was accepted until {_day(row.until)}. Decide again"
    if Problem.objects.live().filter(**kind).exists():  # another one of its kind is worked on already
        _tell(problem, f"No longer accepted: {words.partition('.')[0]}", None, at)
    else:
        problem.state, problem.outcome, problem.closed_at, problem.updated_at = Problem.State.ASSESS, "", None, at
        problem.save()
        _tell(problem, f"{problem.get_state_display()}: {words}", None, at)
    for person in {row.owner, row.asked_by}:
        _mail(row, problem, person, at)
    return True


def _mail(row: RiskAcceptance, problem: Problem, person: Any, at: dt.datetime) -> None:
    if not person.is_active or not person.email or not Problem.objects.visible_to(person).filter(pk=problem.pk).exists():
        return
    context = {"problem": problem, "risk": row, "organisation": settings.ORGANISATION}
    context["address"] = f"{settings.BASE_URL}/incidents/problems/{problem.number}/"
    outbox.write(
        key=f"problem/{problem.pk}/risk/{row.pk}/{person.pk}",
        thread=f"problem/{problem.pk}/person/{person.pk}",
        recipient=person.email,
        subject=f"[{problem.number}] Decide again: {problem.title}",
        body=render_to_string("incidents/email/risk_over.txt", context),
        at=at,
    )


def _tell(problem: Problem, text: str, by: Any, at: dt.datetime) -> None:
    ProblemEntry.objects.create(problem=problem, at=at, text=text, by=by)


def _day(day: dt.date) -> str:
    return f"{day:%d %b %Y}"


def _name(person: Any) -> str:
    return str(person.get_full_name() or person.get_username())
