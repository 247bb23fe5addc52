"""How the priority of an incident came about: every step from what the catalogue promises to the priority, in words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from catalogue.impact import closure, effective_tiers, hit
from catalogue.models import Service, ServiceVersion
from incidents import prioritising
from incidents.models import Incident
from monitoring import priority, wording
from monitoring.models import Alert, Evaluation
from monitoring.models.alerts import OPEN_STATES

_HANGS = ("stops with it", "loses its backup with it", "hangs on what loses its backup with it")


def steps_of(incident: Incident, *, user: Any) -> list[str]:
    """Each step in a line, as it stood when the priority was last reckoned, naming only services that the user may see."""
    at = incident.weighed_at or incident.updated_at
    judgements = Evaluation.objects.filter(service=incident.service_id, version__isnull=False, at__lte=at)
    judged = judgements.select_related("version__service", "version__commitment").order_by("-at", "-pk").first()
    if judged is None or judged.version is None or incident.service_id is None:
        return [incident.priority_reason, *_by_hand(incident)]
    own = judged.inputs["tier"]
    tier = effective_tiers([incident.service_id], at=at).get(incident.service_id, own)
    head = [_promise(judged.version), *_tier(judged.version, own, tier, user, at)]
    for damaged in (False, True):
        asked = {
            "inputs": judged.inputs, "result": judged.result, "effective_tier": tier, "affected": _affected(incident), "damaged": damaged,
        }  # fmt: skip
        found = priority.prioritise(**asked)
        if found["reason"] == incident.priority_reason:
            return [*head, *priority.steps(found, priority.stood_on(**asked)), *_by_hand(incident)]
    return [*head, f"When it was last weighed: {incident.priority_reason}", *_by_hand(incident)]


def _promise(version: ServiceVersion) -> str:
    sentence = wording.commitment_sentence(getattr(version, "commitment", None))
    return f"{version.service.code} version {version.number} promises: {sentence}"


def _tier(version: ServiceVersion, own: int, tier: int, user: Any, at: dt.datetime) -> list[str]:
    """Why it counts as a stricter tier than its own: what hangs on it."""
    if tier == own:
        return []
    relations = closure([version.service_id], up=True, at=at)
    how = {one.consumer_id: 2 for one in relations} | {one.service_id: int(one.only_backup) for one in hit([version.service_id], relations)}
    strict = ServiceVersion.objects.in_force(at).filter(service__in=how, tier=tier)
    seen = strict.filter(service__in=Service.objects.visible_to(user)) if user else strict
    named = [(how[pk], name) for pk, name in seen.values_list("service", "name")]
    unnamed = [(how[pk], "A service") for pk in strict.values_list("service", flat=True)]
    nearest, name = min(named or unnamed, default=(0, "A service"))
    return [f"{version.service.code} is of tier {own}. {name} is of tier {tier} and {_HANGS[nearest]}, so it counts as tier {tier}"]


def _affected(incident: Incident) -> int:
    """How many services share its cause: those of its open alerts, or of all when it is over."""
    alerts = Alert.objects.filter(incident_alert__incident=incident)
    return len(prioritising.services_of(alerts.filter(state__in=OPEN_STATES)) or prioritising.services_of(alerts))


def _by_hand(incident: Incident) -> list[str]:
    if not incident.priority_set:
        return []
    return [f"Set to {incident.priority_set} by hand, when {incident.priority_set_against} was reckoned; it holds until more is reckoned"]
