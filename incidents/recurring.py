"""Incidents that come again: each is given its signature, and what is behind many of them is proposed as a problem."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction

from incidents import signing
from incidents.models import Incident, MajorIncident, Problem, ProblemEntry, ProblemIncident
from itsm_backup.common.time import iso, parse_instant
from monitoring import methods
from monitoring.carrying import each
from monitoring.models import Alert, BackupRun

WINDOW, BASELINE = dt.timedelta(days=30), dt.timedelta(days=90)
TOGETHER = dt.timedelta(days=7)
MIN_COUNT, ALPHA, TREND_ALPHA = 3, 0.01, 0.05
MONTHS, A_MONTH = 6, dt.timedelta(days=30)
OFTEN_REOPENED = 2
BATCH = 200


def study_incidents(*, at: dt.datetime) -> int:
    """Give every incident that is new, or open again, its signature and its problem; returns how many were looked at."""
    waiting = Incident.objects.filter(studied_at=None).order_by("opened_at", "pk")
    return each(waiting.values_list("pk", flat=True)[:BATCH], lambda pk: _study(pk, at), "studying incident")


def _study(incident_id: int, at: dt.datetime) -> bool:
    try:
        with transaction.atomic():
            rows = Incident.objects.select_for_update(skip_locked=True, of=("self",))
            incident = rows.filter(pk=incident_id, studied_at=None).first()
            if incident is None:
                return False
            incident.signature = incident.signature or signature_of(incident)
            incident.studied_at = at
            incident.save(update_fields=["signature", "studied_at"])
            if incident.signature and incident.state != Incident.State.CANCELLED:
                _consider(incident, at)
            return True
    except IntegrityError:
        return False  # another worker proposed the problem of this signature first; the next pass joins it


def signature_of(incident: Incident) -> str:
    """Class of alert and kind of failure, by the message of the newest run behind the alert that opened it."""
    alert = Alert.objects.filter(incident_alert__incident=incident).order_by("incident_alert__attached_at", "pk").first()
    if alert is None:
        return ""
    run = BackupRun.objects.filter(pk__in=alert.run_ids).exclude(message=None).order_by("-pk").first()
    told = alert.cause or signing.signature_of((run.message or "") if run else "")
    return f"{alert.alert_class}: {told}" if told else alert.alert_class


def _consider(incident: Incident, at: dt.datetime) -> None:
    """Join the live problem of the signature, or propose one where there are reasons and nobody muted it."""
    problem = Problem.objects.live().select_for_update().filter(signature=incident.signature).first()
    if problem is not None:
        _join(problem, incident, at)
        return
    if Problem.objects.filter(signature=incident.signature, muted_until__gt=at).exists():
        return
    since = at - MONTHS * A_MONTH
    alike = list(
        Incident.objects.filter(signature=incident.signature, opened_at__gte=since).exclude(state="cancelled").order_by("opened_at")
    )
    if reasons := reasons_of(alike, at=at):
        _propose(incident, alike, reasons, at)


def reasons_of(alike: list[Incident], *, at: dt.datetime) -> list[dict[str, Any]]:
    """Why incidents of one signature ask for a problem, each reason in words with its counts; empty where none does."""
    instants = [iso(one.opened_at) for one in alike]
    reasons = []
    asked = {
        "now": iso(at + dt.timedelta(microseconds=1)), "incidents": instants, "window_days": WINDOW.days, "baseline_days": BASELINE.days,
        "min_count": MIN_COUNT, "alpha": ALPHA,
    }  # fmt: skip
    found = methods.measure("BM-RECUR", asked)
    if found["candidate_problem"]:
        words = f"{found['count']} incidents in {WINDOW.days} days, {found['expected']:.1f} expected (p = {found['p_value']:.4f})"
        reasons.append({"rule": "recurrence", "words": words, **found})
    services = {one.service_id for one in alike if one.service_id and one.opened_at >= at - TOGETHER}
    if len(services) > 1:
        reasons.append(
            {"rule": "several_services", "words": f"{len(services)} services within {TOGETHER.days} days", "count": len(services)}
        )
    often = max((one.reopened for one in alike), default=0)
    if often >= OFTEN_REOPENED:
        reasons.append({"rule": "reopened", "words": f"one incident reopened {often} times", "count": often})
    if graves := MajorIncident.objects.filter(incident__in=alike, declared_at__isnull=False).count():
        reasons.append({"rule": "major", "words": f"{graves} of them {'was' if graves == 1 else 'were'} declared major", "count": graves})
    if trend := _worsening(alike, at):
        reasons.append(trend)
    return reasons


def _worsening(alike: list[Incident], at: dt.datetime) -> dict[str, Any] | None:
    """More from month to month over half a year; BM-TREND looks for what falls, so it is asked about what stayed away.

    Months before the first incident of any kind are not known to have had none: they count for nothing, not as 0.
    """
    began = Incident.objects.order_by("opened_at").values_list("opened_at", flat=True).first()
    known = [n for n in reversed(range(MONTHS)) if began and at - n * A_MONTH > began]
    counts = [sum(at - (n + 1) * A_MONTH < one.opened_at <= at - n * A_MONTH for one in alike) for n in known]
    if not any(counts):
        return None
    points = [{"period": month, "value": -count} for month, count in enumerate(counts)]
    found = methods.measure("BM-TREND", {"points": points, "min_points": MONTHS, "alpha": TREND_ALPHA})
    if found["verdict"] != "worsening":
        return None
    told = ", ".join(str(count) for count in counts)
    return {"rule": "worsening", "words": f"more from month to month: {told}", "counts": counts, "p_value": found["p_lower"]}


def _propose(incident: Incident, alike: list[Incident], reasons: list[dict[str, Any]], at: dt.datetime) -> None:
    kind = signing.words_of(incident.signature)
    problem = Problem.objects.create(
        signature=incident.signature, title=f"{kind}, again and again"[:240], because=reasons, proposed_at=at, updated_at=at
    )
    ProblemIncident.objects.bulk_create([ProblemIncident(problem=problem, incident=one, attached_at=at) for one in alike])
    told = "; ".join(reason["words"] for reason in reasons)
    ProblemEntry.objects.create(problem=problem, at=at, text=f"Proposed with {len(alike)} incidents: {told}")


def _join(problem: Problem, incident: Incident, at: dt.datetime) -> None:
    _, joined = ProblemIncident.objects.get_or_create(problem=problem, incident=incident, defaults={"attached_at": at})
    if joined:
        ProblemEntry.objects.create(problem=problem, at=at, text=f"{incident.number} came of it, too")
    again_at = parse_instant(incident.holds[-1][1]) if incident.reopened and incident.holds and incident.holds[-1][1] else None
    began_at = again_at or incident.opened_at
    if problem.state == Problem.State.RESOLVED and problem.fixed_at and began_at > problem.fixed_at:
        problem.state, problem.fixed_at = Problem.State.FIX_IN_PROGRESS, None
        opened = "opened again" if again_at else "opened"
        ProblemEntry.objects.create(problem=problem, at=at, text=f"It came back: {incident.number} {opened} after the fix was in place")
    problem.updated_at = at
    problem.save()
