"""Incidents that come again: each is given its signature, and what is behind many of them is proposed as a problem."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from incidents import prioritising, reasoning, recognising, signing
from incidents.models import Incident, Problem, ProblemEntry, ProblemIncident, RiskAcceptance
from incidents.models.problems import LIVE_STATES
from itsm_backup.common.time import parse_instant
from monitoring.carrying import each

LOOK_BACK = reasoning.MONTHS * reasoning.A_MONTH
BATCH = 200


def study_incidents(*, at: dt.datetime) -> int:
    """Give every incident that is new, or open again, its signature and its problem; returns how many were looked at."""
    waiting = list(Incident.objects.filter(studied_at=None).order_by("opened_at", "pk").values_list("pk", flat=True)[:BATCH])
    if len(waiting) > 1:  # what came together is counted together
        each(waiting, _tell_kind, "telling the kind of incident")
    return each(waiting, lambda pk: _study(pk, at), "studying incident")


def _tell_kind(incident_id: int) -> bool:
    with transaction.atomic():
        incident = _waiting(incident_id)
        if incident is not None:
            _take_kind(incident)
            incident.save(update_fields=["signature", "service_type"])
        return incident is not None


def _waiting(incident_id: int) -> Incident | None:
    rows = Incident.objects.select_for_update(skip_locked=True, of=("self",))
    return rows.filter(pk=incident_id, studied_at=None).first()


def _take_kind(incident: Incident) -> None:
    incident.signature = incident.signature or recognising.signature_of(incident)
    incident.service_type = prioritising.type_of(incident.service_id, at=incident.opened_at)


def _study(incident_id: int, at: dt.datetime) -> bool:
    try:
        with transaction.atomic():
            incident = _waiting(incident_id)
            if incident is None:
                return False
            _take_kind(incident)
            incident.studied_at = at
            incident.save(update_fields=["signature", "service_type", "studied_at"])
            if incident.signature and incident.state != Incident.State.CANCELLED:
                _consider(incident, at)
            return True
    except IntegrityError:
        return False  # another worker proposed the problem of this kind first; the next pass joins it


def _consider(incident: Incident, at: dt.datetime) -> None:
    """Join the live problem of its kind, or propose one where there are reasons and nobody muted it.

    One whose risk is accepted is joined, too: while that holds, nobody is asked again.

    A problem of the type of its service goes before one of all types: what fails alike on databases may have another cause elsewhere.
    Failures over several types are one only of those that have no problem of their type, and whose type nobody muted. That something
    fails or is late, without a word of why, is no reason that several have in common.
    """
    if incident.signature in signing.OF_NO_CAUSE:
        return
    accepted = RiskAcceptance.objects.in_force(at).values("problem")
    told = Problem.objects.filter(Q(state__in=LIVE_STATES) | Q(muted_until__gt=at) | Q(pk__in=accepted))
    known = list(told.filter(signature=incident.signature).select_for_update(of=("self",)).order_by("pk"))
    live = {one.service_type.casefold(): one for one in known if one.is_live or one.outcome == Problem.Outcome.RISK_ACCEPTED}
    own = incident.service_type.casefold()
    if problem := live.get(own) or live.get(""):
        _join(problem, incident, at)
        return
    taken = {one.service_type.casefold() for one in known}
    if "" in taken or own in taken:
        return
    unknown = Q(studied_at=None, service_type="", service__isnull=False)  # of what type it is, is told when it is studied
    rows = Incident.objects.of_kind(incident.signature).exclude(unknown)
    alike = list(rows.filter(opened_at__gte=at - LOOK_BACK).order_by("opened_at"))
    of_type = [one for one in alike if one.service_type.casefold() == own]
    others = [one for one in alike if one.service_type.casefold() not in taken]
    if own and (reasons := reasoning.reasons_of(of_type, at=at, service_type=incident.service_type)):
        _propose(incident, of_type, reasons, at, service_type=incident.service_type)
    elif (not own or len(others) > len(of_type)) and (reasons := reasoning.reasons_of(others, at=at)):
        _propose(incident, others, reasons, at)


def _propose(incident: Incident, alike: list[Incident], reasons: list[dict[str, Any]], at: dt.datetime, *, service_type: str = "") -> None:
    kind = signing.words_of(incident.signature)
    where = f" on {reasoning.services_words(service_type)}" if service_type else ""
    problem = Problem.objects.create(
        signature=incident.signature, service_type=service_type, title=f"{kind}{where}, {_how(reasons)}"[:240], because=reasons,
        proposed_at=at, updated_at=at,
    )  # fmt: skip
    ProblemIncident.objects.bulk_create([ProblemIncident(problem=problem, incident=one, attached_at=at) for one in alike])
    told = "; ".join(reason["words"] for reason in reasons)
    ProblemEntry.objects.create(problem=problem, at=at, text=f"Proposed with {len(alike)} incidents: {told}")


def _how(reasons: list[dict[str, Any]]) -> str:
    """What came once, and was grave, did not come again."""
    return "a major incident" if {reason["rule"] for reason in reasons} == {"major"} else "again and again"


def _count_again(problem: Problem, at: dt.datetime) -> str:
    """While nobody decided, a proposal says what is counted now; returns what is new of it, for its story. The caller saves it."""
    theirs = list(Incident.objects.filter(problem_incidents__problem=problem).exclude(state="cancelled").order_by("opened_at"))
    reasons = reasoning.reasons_of(theirs, at=at, service_type=problem.service_type)
    if not reasons or reasons == problem.because:
        return ""
    problem.because = reasons
    return ": " + "; ".join(reason["words"] for reason in reasons)


def _join(problem: Problem, incident: Incident, at: dt.datetime) -> None:
    _, joined = ProblemIncident.objects.get_or_create(problem=problem, incident=incident, defaults={"attached_at": at})
    if joined:
        told = _count_again(problem, at) if problem.state == Problem.State.PROPOSED else ""
        ProblemEntry.objects.create(problem=problem, at=at, text=f"{incident.number} came of it, too{told}")
    again_at = parse_instant(incident.holds[-1][1]) if incident.reopened and incident.holds and incident.holds[-1][1] else None
    began_at = again_at or incident.opened_at
    if problem.state == Problem.State.RESOLVED and problem.fixed_at and began_at > problem.fixed_at:
        problem.state, problem.fixed_at = Problem.State.FIX_IN_PROGRESS, None
        opened = "opened again" if again_at else "opened"
        ProblemEntry.objects.create(problem=problem, at=at, text=f"It came back: {incident.number} {opened} after the fix was in place")
    problem.updated_at = at
    problem.save()
