"""Incidents end on evidence: every alert over, a good copy newer than the opening, and the newest copy within its promise; where
a restore test or a check stood against the copies, a later one that does not, newer than the opening, too.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue.models import Commitment, Service
from incidents import announcing, escalating, owing, targeting, waiting
from incidents.models import Incident, IncidentEntry
from itsm_backup.common.time import duration_words, parse_instant
from monitoring.carrying import each
from monitoring.models import Alert, BackupJob, BackupRun, Evaluation, ProtectedItem, RestorePoint, RestoreTest, ToolState
from monitoring.wording import restore_sentence

BATCH = 200
RETIRED = "The entry was retired: nothing is promised of it any more."


def resolve_on_evidence(*, at: dt.datetime) -> int:
    """Resolve every open incident whose evidence is complete; returns how many."""
    over = Incident.objects.open().exclude(incident_alerts__alert__state__in=["pending", "firing", "acknowledged", "suppressed"])
    return each(over.values_list("pk", flat=True)[:BATCH], lambda pk: _resolve(pk, at), "resolving incident")


@transaction.atomic
def _resolve(incident_id: int, at: dt.datetime) -> bool:
    incident = Incident.objects.open().select_for_update(skip_locked=True, of=("self",)).filter(pk=incident_id).first()
    return incident is not None and resolve_if_over(incident=incident, at=at, noticed_at=at)


def resolve_if_over(*, incident: Incident, at: dt.datetime, noticed_at: dt.datetime) -> bool:
    """Resolve the incident if it was over at `at`; True when it was. The caller holds its row.

    It ends when its last alert ended, if the evidence was complete then, whenever we came by to see it; else at `at`.
    While a neighbour's news from before that end are unread, it stays open.
    """
    alerts = list(Alert.objects.filter(incident_alert__incident=incident).select_related("resolving_evaluation"))
    if not alerts or any(alert.resolved_at is None or alert.resolved_at > at for alert in alerts):
        return False
    ended_at = max([incident.goes_on_since, *(alert.resolved_at for alert in alerts if alert.resolved_at)])
    if waiting.may_go_on(alerts, ended_at, noticed_at):
        return False
    proofs = {instant: _proof(incident, alerts, instant) for instant in (at, ended_at)}
    proof = proofs[ended_at] or proofs[at]
    if proof is None:
        return False
    evaluations = [alert.resolving_evaluation_id for alert in alerts if alert.resolving_evaluation_id]
    incident.state, incident.updated_at = Incident.State.RESOLVED, noticed_at
    incident.resolved_at = ended_at if proofs[ended_at] else at
    incident.resolved_by_evaluation = max(evaluations, default=None)
    incident.resolution, incident.breach_at = Incident.Resolution.RECOVERED, None
    targeting.end_hold(incident=incident, at=incident.resolved_at)
    incident.save()
    IncidentEntry.objects.create(incident=incident, at=incident.resolved_at, noticed_at=noticed_at, kind="state", text=f"Resolved: {proof}")
    escalating.look_again(incident=incident, at=noticed_at)
    announcing.announce_resolution(incident=incident, proof=proof, at=noticed_at)
    owing.owe(incident=incident, at=noticed_at)
    return True


def evidence(*, incident: Incident, at: dt.datetime) -> str | None:
    """What proves at `at` that it is over, in words; None while something is missing."""
    alerts = list(Alert.objects.filter(incident_alert__incident=incident).select_related("resolving_evaluation"))
    return _proof(incident, alerts, at) or None


def _proof(incident: Incident, alerts: list[Alert], at: dt.datetime) -> str | None:
    """What proves that it is over, in words; None while something is missing."""
    tools = {alert.tool_id for alert in alerts if alert.service_id is None and alert.tool_id}
    states = ToolState.objects.filter(pk__in=tools).select_related("tool")
    if any(state.latest_complete_at is None or state.latest_complete_at <= incident.goes_on_since for state in states):
        return None
    words = [f"{state.tool} answers again." for state in states]
    restores = [alert for alert in alerts if alert.alert_class == "rto_test_failed"]
    backups = [alert for alert in alerts if alert.service_id and alert.alert_class != "rto_test_failed"]
    sentences = [_restore_proof(alert, incident.goes_on_since, at) for alert in restores]
    services = {alert.service_id for alert in [*backups, *_with_copies(restores)] if alert.service_id}
    sentences += [_service_proof(pk, backups, incident, at) for pk in sorted(services)]
    return None if None in sentences else " ".join(dict.fromkeys([*words, *filter(None, sentences)]))


def _with_copies(restores: list[Alert]) -> list[Alert]:
    """Those whose service has something that copies are known of: a test that passes does not stand for a new copy."""
    known = ProtectedItem.objects.filter(service__in=[alert.service_id for alert in restores]).values_list("service", flat=True)
    found = set(known)
    return [alert for alert in restores if alert.service_id in found]


def _restore_proof(alert: Alert, since: dt.datetime, at: dt.datetime) -> str | None:
    """What was judged of the restore by then, and rests on a test or check newer than `since`; or that none is promised any more."""
    if _is_retired(alert.service_id):
        return RETIRED
    judged = Evaluation.objects.filter(service=alert.service_id, at__lte=at).order_by("-at", "-pk").first()
    if judged is None:
        return None
    claim = next((claim for claim in judged.result["claims"] if claim["claim"] == "restore"), None)
    if claim is None:
        return "The entry promises no restore any more."
    if claim["reason"] == "contradicted":
        return None
    if claim["tested_at"] and parse_instant(claim["tested_at"]) > since:
        return None if claim["detail"] in ("not_compared", "not_timed") else restore_sentence(claim)
    return _refuted_since(alert, judged.inputs["restore"], since)


def _refuted_since(alert: Alert, known: dict[str, Any], since: dt.datetime) -> str | None:
    """The later check or sample that says otherwise than the one that raised the alert; a full test is only answered by a full one."""
    against = BackupRun.objects.filter(pk__in=alert.run_ids)
    tests = RestoreTest.objects.filter(run__in=alert.run_ids)
    if tests.filter(scope=RestoreTest.Scope.FULL).exists():
        return None
    samples = [parse_instant(one["ended_at"]) for one in known["tests"] if one["scope"] == "sample" and one["outcome"] == "passed"]
    if tests.exists() and not any(instant > since for instant in samples):
        return None
    jobs = set(against.exclude(pk__in=tests.values("run")).values_list("job", flat=True))
    checks = {one["job"]: parse_instant(one["at"]) for one in known["checks"] if one["passed"] and one["job"] in jobs}
    if any(job not in checks or checks[job] <= since for job in jobs):
        return None
    told = [f"A check of {_day(instant)} found no damage." for instant in sorted(checks.values())[-1:]]
    return " ".join([*told, *(f"The restore of a sample passed on {_day(max(samples))}." for _ in tests[:1])]) or None


def _day(instant: dt.datetime) -> str:
    return f"{instant.day} {instant:%b %Y}"


def _service_proof(service_id: int, alerts: list[Alert], incident: Incident, at: dt.datetime) -> str | None:
    """A copy taken after the incident began, of every item concerned, and none older than the promise."""
    if _is_retired(service_id):
        return RETIRED
    jobs = {alert.job_id for alert in alerts if alert.service_id == service_id and alert.job_id}
    items = ProtectedItem.objects.filter(service=service_id, **({"job__in": jobs} if jobs else {}))
    rpo_s = _promised_rpo_s(service_id, at)
    if jobs and not items.exists() and not BackupJob.objects.filter(pk__in=jobs, service=service_id).exists():
        return "What failed belongs to another service now."
    if jobs and not items.exists() and ProtectedItem.objects.filter(job__in=jobs).exists():
        return "What was missed is no backup: the job only tests copies."
    oldest = None
    for item in items:
        point = RestorePoint.objects.filter(item=item).usable_at(at).order_by("-captured_at").first()
        if point is None or (point.captured_at <= incident.goes_on_since and point.available_at <= incident.goes_on_since):
            return None
        age_s = (at - point.captured_at).total_seconds()
        if rpo_s and age_s > rpo_s:
            return None
        oldest = max(oldest or 0, age_s)
    if oldest is None:
        return None
    return f"The newest copy was {duration_words(oldest)} old" + (f", promise {duration_words(rpo_s)}." if rpo_s else ".")


def _is_retired(service_id: int | None) -> bool:
    return Service.objects.filter(pk=service_id, lifecycle=Service.Lifecycle.RETIRED).exists()


def _promised_rpo_s(service_id: int, at: dt.datetime) -> int | None:
    found = Commitment.objects.filter(version__service=service_id, version__state="approved", version__effective__contains=at)
    return found.values_list("rpo_s", flat=True).first()
