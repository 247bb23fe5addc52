"""What is known of a major incident at an instant: the figures that every text about it is made from, and what changed in them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from django.db.models import Case, CharField, Count, Value, When
from django.db.models.functions import Coalesce

from catalogue.models import ServiceVersion
from incidents import feeling, prioritising
from incidents.finding_damage import damaged_services, failed_restores
from incidents.models import Incident, MajorIncident
from itsm_backup.common.time import iso
from monitoring.models import Alert, RestoreTest
from monitoring.models.alerts import OPEN_STATES

_WORDS = {
    "incident": "the incident", "services": "services in breach or their newest copies", "consumers": "what depends on them",
    "measured": "measured restores", "damaged": "damage that a check found",
    "failed_restores": "restore tests that failed", "about": "what it is about",
    "around": "services of the departments concerned",
    "disturbed": "whose backups are disturbed still",
    "labels": "classification", "regulations": "regulations", "cause": "the cause", "alerts": "alerts",
    "people": "who leads it",
}  # fmt: skip


def figures_of(major: MajorIncident, *, at: dt.datetime) -> dict[str, Any]:
    """Facts only, as JSON, without anything that the clock alone changes: equal figures mean that nothing happened."""
    incident = major.incident
    impact = feeling.impact_now(incident, at=at)
    ids = [one["service"] for one in impact["services"]]
    felt = [*impact["services"], *impact["consumers"]]
    alerts = list(Alert.objects.filter(incident_alert__incident=incident).select_related("job", "tool").order_by("opened_at", "pk"))
    versions = list(ServiceVersion.objects.in_force(at).filter(service__in=ids))
    return {
        "incident": {**_incident(major), "begun_at": iso(min([incident.opened_at, *(one.opened_at for one in alerts)]))},
        "services": [_service(one) for one in impact["services"]],
        "consumers": [
            {**{name: one[name] for name in ("service", "code", "name", "tier", "department", "only_backup")}, "verdict": _stand(one)}
            for one in impact["consumers"]
        ],
        "around": _around({one["department"] for one in felt if one["department"]}, at),
        "damaged": damaged_services(incident),
        "failed_restores": failed_restores(ids),
        "disturbed": _disturbed(incident, impact["services"], alerts),
        "about": "restores" if _are_of_restores(alerts) else "backups",
        "measured": _measured(ids),
        "labels": sorted({label for one in versions for label in one.labels}),
        "regulations": sorted({rule for one in versions for rule in one.regulations}),
        "cause": next((alert.cause_title for alert in alerts if alert.cause_title), ""),
        "alerts": [f"{alert.title}{'' if alert.resolved_at is None else ' (over)'}" for alert in alerts],
        "people": {"manager": major.manager_id, "communications_lead": major.communications_lead_id},
    }


def _incident(major: MajorIncident) -> dict[str, Any]:
    incident = major.incident
    return {
        "number": incident.number,
        "priority": incident.priority,
        "is_open": incident.is_open,
        "opened_at": iso(incident.opened_at),
        "resolved_at": iso(incident.resolved_at),
        "resolution": incident.get_resolution_display(),
        "major": major.state,
    }


def _service(one: dict[str, Any]) -> dict[str, Any]:
    kept = {name: one[name] for name in ("service", "code", "name", "tier", "department", "captured_at", "rpo_s")}
    return {**kept, "verdict": _stand(one)}


def _stand(one: dict[str, Any]) -> str:
    """Its verdict; of no data where only something else than its copy is not known: nobody said when its backups are due."""
    return "copy_kept" if one["verdict"] == "no_data" and one["captured_at"] else str(one["verdict"])


def _disturbed(incident: Incident, struck: list[dict[str, Any]], alerts: list[Alert]) -> list[int]:
    """Of the services that the headline names, those whose backups go on failing, or whose copies get old, while it is open."""
    if not incident.is_open or _are_of_restores(alerts):
        return []
    still = [one for one in alerts if one.state in OPEN_STATES and one.alert_class != Alert.Class.RTO_TEST_FAILED]
    hit = set(prioritising.services_of(still))
    return sorted(one["service"] for one in struck if one["service"] in hit or one["verdict"] == "at_risk")


def _are_of_restores(alerts: list[Alert]) -> bool:
    return bool(alerts) and all(one.alert_class == Alert.Class.RTO_TEST_FAILED for one in alerts)


def _around(departments: set[str], at: dt.datetime) -> list[dict[str, Any]]:
    """How many services of each of these departments stand how, by the newest judgement: what still works, counted."""
    rows = ServiceVersion.objects.in_force(at).filter(department__in=departments)
    copied = When(service__judged__verdict="no_data", service__judged__captured_at__isnull=False, then=Value("copy_kept"))
    stand = Case(copied, default=Coalesce("service__judged__verdict", Value("no_data")), output_field=CharField())
    counts: dict[str, dict[str, int]] = {}
    for department, verdict, count in rows.values_list("department", stand).annotate(count=Count("pk")).order_by("department"):
        counts.setdefault(department, {})[verdict] = count
    return [{"department": name, "counts": dict(sorted(found.items()))} for name, found in sorted(counts.items())]


def _measured(services: list[int]) -> list[dict[str, Any]]:
    """The newest full restore of each service that was tried and took a known time; no other time is ever told."""
    tests = RestoreTest.objects.filter(job__service__in=services, outcome="passed", scope="full", duration_s__isnull=False)
    newest = (
        tests.order_by("job__service", "-ended_at", "-pk").distinct("job__service").values_list("job__service", "duration_s", "ended_at")
    )
    return [{"service": service, "duration_s": duration, "ended_at": iso(ended)} for service, duration, ended in newest]


def internal_names_of(major: MajorIncident) -> list[str]:
    """How jobs, tools and storage behind its alerts are called: nobody outside is told these."""
    rows = Alert.objects.filter(incident_alert__incident=major.incident).values_list(
        "job__name", "job__external_id", "job__repository_name", "job__tool__name", "tool__name"
    )
    return sorted({name for row in rows for name in row if name})


def hash_of(content: Any) -> str:
    """SHA-256 of the content in one canonical form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs, in words."""
    return [words for name, words in _WORDS.items() if before.get(name) != after.get(name)]
