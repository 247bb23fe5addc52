"""What was on record about an incident when its review is written: a copy to be kept, with where each part can be looked up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from catalogue.impact import consumers_of, effective_tiers
from catalogue.models import Commitment, SeenRelation, ServiceVersion
from catalogue.models.status import StatusChange, StatusOverride
from incidents import prioritising, retelling
from incidents.models import Incident, IncidentEntry, Telling
from itsm_backup.common.time import iso
from monitoring.methods import measure, rpo
from monitoring.models import Alert, Evaluation, RestorePoint, RestoreTest
from monitoring.restorable import Copy, copies_of
from monitoring.wording import restore_sentence

PROMISES = ("rpo_s", "rto_s", "retention_days", "success_rate", "restore_test_days")
MOST_LINES, MOST_POINTS = 500, 5_000


def recollect(incident: Incident, *, at: dt.datetime) -> dict[str, Any]:
    """Timeline, who was told, and of each service concerned what was promised when it began and what was so, until it was over.

    JSON. Lines that tell of an alert name it, so that they are shown to who may see that alert.
    """
    services = prioritising.services_of(Alert.objects.filter(incident_alert__incident=incident))
    if incident.service_id and incident.service_id not in services:
        services.append(incident.service_id)
    until = incident.resolved_at or at
    tiers = effective_tiers(services, at=incident.opened_at)
    versions = ServiceVersion.objects.in_force(incident.opened_at).filter(service__in=services)
    told = versions.select_related("service", "owner", "steward", "operations_team", "commitment").order_by("tier", "service__code")
    return {
        "since": iso(incident.opened_at),
        "began_at": iso(_began_at(incident)),
        "known_at": iso(incident.known_at),
        "until": iso(until),
        "acknowledged_at": iso(incident.acknowledged_at),
        "acknowledge_by": iso(incident.acknowledge_by),
        "timeline": _timeline(incident, services, until),
        "told": retelling.messages_about(incident),
        "instead": _instead(incident),
        "services": [_service(one, tiers.get(one.service_id, one.tier), incident, until, at) for one in told],
        "dependencies": _dependencies(incident, services, at),
    }


def _began_at(incident: Incident) -> dt.datetime:
    """When the first failed of what it is about, which may be before what opened it."""
    first = Alert.objects.filter(incident_alert__incident=incident).order_by("opened_at").values_list("opened_at", flat=True).first()
    return min(incident.opened_at, first or incident.opened_at)


def _timeline(incident: Incident, services: Iterable[int], until: dt.datetime) -> list[dict[str, Any]]:
    """What happened, oldest first: the lines of the incident, and the steps of the status of its services meanwhile."""
    entries = IncidentEntry.objects.filter(incident=incident).exclude(kind="mail").select_related("by").order_by("at", "pk")[:MOST_LINES]
    lines = [
        {"at": iso(one.at), "text": one.text, "who": _name(one.by), "kind": one.kind, "alert": one.alert_id, "service": None}
        for one in entries
    ]
    steps = StatusChange.objects.filter(service__in=services, at__gte=incident.opened_at, at__lte=until).select_related("service", "by")
    lines += [
        {
            "at": iso(one.at), "text": f"{one.service.code} {one.get_to_status_display().lower()}: {one.reason}", "who": _name(one.by),
            "kind": "status", "alert": None, "service": one.service_id,
        }
        for one in steps.order_by("at", "pk")[:MOST_LINES]
    ]  # fmt: skip
    return sorted(lines, key=lambda line: str(line["at"]))


def _instead(incident: Incident) -> list[str]:
    """Whom messages went to instead of who was meant: `Team (instead of A. Berg, who is not there)`."""
    tellings = Telling.objects.filter(escalation__incident=incident).values_list("recipients", flat=True)
    found = {f"{one['who']} ({one['why']})" for recipients in tellings for one in recipients if one.get("why")}
    return sorted(found)


def _service(version: ServiceVersion, tier: int, incident: Incident, until: dt.datetime, at: dt.datetime) -> dict[str, Any]:
    promise = getattr(version, "commitment", None) or Commitment()
    promised = {name: getattr(promise, name) for name in PROMISES}
    promised["success_rate"] = str(promise.success_rate) if promise.success_rate is not None else None
    judged = Evaluation.objects.filter(service=version.service_id)
    at_opening = judged.filter(at__lte=incident.opened_at).order_by("-at", "-pk").first()
    before = judged.filter(at__lt=incident.opened_at).order_by("-at", "-pk").first() or at_opening  # the one that opened it says what came
    return {
        "service": version.service_id,
        "code": version.service.code,
        "name": version.name,
        "version": version.number,
        "tier": version.tier,
        "effective_tier": tier,
        "promised": promised,
        "exposure": _exposure(version, promise.rpo_s, incident.opened_at, until, at),
        "retention": _retention(version, promise.retention_days, incident.opened_at),
        "restore": _restore(before),
        "refuted": _refuted([at_opening, *judged.filter(at__gt=incident.opened_at, at__lte=until).order_by("at", "pk")[:MOST_LINES]]),
        "tests": _tests(version.service_id, incident.opened_at),
        "failed_test": _failed_test(version.service_id, incident.opened_at, until),
        "status": _status(version.service_id, incident.opened_at, until),
        "by_hand": _by_hand(version.service_id, incident.opened_at, until),
        "evaluation": before.pk if before else None,
        "people": _people(version),
    }


def _exposure(version: ServiceVersion, rpo_s: int | None, since: dt.datetime, until: dt.datetime, at: dt.datetime) -> dict[str, Any] | None:
    """By BM-RPO-TW of the worst item: the greatest age of its newest copy and when that was, and how long it was beyond the promise.

    Counted from its opening until it was over. None where no item is known.
    """
    copies = copies_of(service_id=version.service_id, start=since, end=until, known_at=at, most=MOST_POINTS)
    if not copies or since >= until:
        return None
    counted = {item: _counted(some, version, rpo_s, since, until) for item, some in copies.items()}
    return max(counted.values(), key=lambda one: (one["beyond_s"] or 0, one["worst_s"]))


def _counted(copies: list[Copy], version: ServiceVersion, rpo_s: int | None, since: dt.datetime, until: dt.datetime) -> dict[str, Any]:
    points = [rpo.Point(captured_at=one.captured_at, available_at=one.available_at, expires_at=one.ends_at) for one in copies]
    worst = max(rpo.stretches(points, since, until, version.commissioned_at), key=lambda one: one.greatest)
    found = {"worst_s": int(worst.greatest.total_seconds()), "worst_at": iso(worst.ends_at), "copy_at": iso(worst.base)}
    if not rpo_s:
        return {**found, "beyond_s": None, "beyond_since": None}
    asked = {
        "period": [iso(since), iso(until)], "rpo_seconds": rpo_s, "commissioned_at": iso(version.commissioned_at),
        "points": [{name: iso(getattr(one, name)) for name in ("captured_at", "available_at", "expires_at")} for one in points],
    }  # fmt: skip
    limit = dt.timedelta(seconds=rpo_s)
    broken = rpo.breaches(points, since, until, limit=limit, commissioned_at=version.commissioned_at)
    begun = iso(broken[0].starts_at) if broken else None
    return {**found, "beyond_s": measure("BM-RPO-TW", asked)["noncompliant_seconds"], "beyond_since": begun}


def _retention(version: ServiceVersion, days: int | None, at: dt.datetime) -> dict[str, Any] | None:
    """The oldest copy that could be restored when it began, and one that should have been there still; None without promise or copies."""
    points = RestorePoint.objects.filter(item__service=version.service_id, captured_at__lte=at).order_by("captured_at")
    oldest = points.usable_at(at).first()  # type: ignore[attr-defined]
    if not days or oldest is None:
        return None
    begins = at - dt.timedelta(days=days)
    lost = points.filter(captured_at__gte=begins, captured_at__lt=oldest.captured_at).first()
    return {
        "oldest_at": iso(oldest.captured_at),
        "whole": points.filter(captured_at__lte=begins).exists(),
        "lost_at": iso(lost.captured_at) if lost else None,
    }


def _restore(before: Evaluation | None) -> dict[str, Any] | None:
    """What the judgement in force when it began said of restores."""
    claims = before.result["claims"] if before else []
    claim = next((one for one in claims if one["claim"] == "restore"), None)
    keep = ("verdict", "detail", "measured_s", "target_s", "tested_at", "run")
    return {**{name: claim[name] for name in keep}, "words": restore_sentence(claim)} if claim else None


def _refuted(judged: list[Evaluation | None]) -> dict[str, Any] | None:
    """When it was first known, from the judgement at its opening on, that a test or a check stands against the promised restore."""
    for one in filter(None, judged):
        claim = next((claim for claim in one.result["claims"] if claim["claim"] == "restore"), None)
        if claim and claim["reason"] == "contradicted":
            return {"at": iso(one.at), "detail": claim["detail"], "words": restore_sentence(claim), "evaluation": one.pk}
    return None


def _tests(service_id: int, at: dt.datetime) -> list[dict[str, Any]]:
    rows = RestoreTest.objects.filter(job__service=service_id, ended_at__lte=at).order_by("-ended_at")[:5]
    return [
        {
            "at": iso(one.ended_at), "scope": one.scope, "outcome": "failed" if one.verified is False else one.outcome,
            "duration_s": one.duration_s, "run": one.run_id,
        }
        for one in rows
    ]  # fmt: skip


def _failed_test(service_id: int, since: dt.datetime, until: dt.datetime) -> dict[str, Any] | None:
    """The restore test that stood against its copies: the newest one when it began, or else the first that failed meanwhile."""
    failed = Q(outcome="failed") | Q(verified=False)
    tests = RestoreTest.objects.filter(failed | Q(scope="full", outcome="passed"), job__service=service_id)  # a sample proves nothing
    found = tests.filter(ended_at__lte=since).order_by("-ended_at", "-pk").first()
    if found is None or not (found.outcome == "failed" or found.verified is False):
        found = tests.filter(failed, ended_at__gt=since, ended_at__lte=until).order_by("ended_at", "pk").first()
    return {"at": iso(found.ended_at), "scope": found.scope, "run": found.run_id} if found else None


def _status(service_id: int, since: dt.datetime, until: dt.datetime) -> list[dict[str, Any]]:
    """Its status when it began, and every step until it was over."""
    rows = StatusChange.objects.filter(service=service_id)
    first = rows.filter(at__lte=since).order_by("-at", "-pk").first()
    steps = list(rows.filter(at__gt=since, at__lte=until).order_by("at", "pk")[:MOST_LINES])
    return [{"at": iso(one.at), "to": one.to_status, "reason": one.reason} for one in ([first, *steps] if first else steps)]


def _by_hand(service_id: int, since: dt.datetime, until: dt.datetime) -> bool:
    """Whether a person set it operational meanwhile."""
    rows = StatusOverride.objects.filter(service=service_id, status="operational", made_at__lt=until, expires_at__gt=since)
    return any(one.ended_at is None or one.ended_at > since for one in rows)


def _people(version: ServiceVersion) -> dict[str, Any]:
    """Who answered for it then, and whether they can be reached."""
    found: dict[str, Any] = {}
    for duty in ("owner", "steward"):
        person = getattr(version, duty)
        found[duty] = {"name": _name(person), "reached": bool(person and person.is_active and person.email)}
    team = version.operations_team
    found["team"] = {"name": str(team) if team else "", "reached": bool(team and team.email)}
    return found


def _dependencies(incident: Incident, services: list[int], at: dt.datetime) -> dict[str, Any]:
    """What is hit with those that failed first: known when it opened, learned since, and seen but not confirmed by anybody."""
    opening = incident.impact_at_opening
    first = [one["service"] for one in opening.get("services", [])]
    known = {one["service"] for one in opening.get("consumers", [])} | set(first)
    now = {one.service_id for one in consumers_of(first, at=at)}
    ends = Q(consumer__in=services) | Q(provider__in=services)
    seen = SeenRelation.objects.unanswered(at).filter(ends).select_related("consumer", "provider").order_by("pk")
    learned = ServiceVersion.objects.in_force(at).filter(service__in=now - known).order_by("name").values_list("service", "name")
    return {
        "known": len(known) - len(first),
        "learned": [{"service": pk, "name": name} for pk, name in learned[:20]],
        "seen": [{"words": f"{one}: {one.evidence}", "services": [one.consumer_id, one.provider_id]} for one in seen[:20]],
    }


def _name(person: Any) -> str:
    return str(person.get_full_name() or person.get_username()) if person else ""
