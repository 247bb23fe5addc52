"""Open incidents are weighed again when what their priority stands on changed: a judgement, a relation, an entry, the hour."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Sum

from incidents import announcing, escalating, prioritising, targeting, weighing
from incidents.models import Incident
from incidents.reaching import Recipient
from monitoring.carrying import each
from monitoring.models import Alert, ServiceState, Watermark
from monitoring.models.alerts import OPEN_STATES

AGAIN_AFTER = dt.timedelta(minutes=5)  # what time alone changes: a relation or a version that begins or ends
BATCH = 200
_STANDS_ON = ("Relation", "Service", "ServiceVersion")


def weigh_changed(*, at: dt.datetime) -> int:
    """Weigh every open incident that something changed for; returns how many have another priority now."""
    mark = _catalogue_mark()
    return each(_due(mark, at), lambda pk: _weigh(pk, mark, at), "weighing incident")


def _catalogue_mark() -> int:
    """A number that is another one after every change of the catalogue that a priority stands on."""
    return int(Watermark.objects.filter(name__in=_STANDS_ON).aggregate(mark=Sum("history_id"))["mark"] or 0)


def _due(mark: int, at: dt.datetime) -> list[int]:
    alerts = Alert.objects.filter(incident_alert__incident=OuterRef(OuterRef("pk"))).values("service")
    judged = ServiceState.objects.filter(service__in=alerts, evaluation__gt=OuterRef("weighed_evaluation"))
    changed = Q(weighed_at=None) | Q(weighed_at__lte=at - AGAIN_AFTER) | ~Q(weighed_catalogue=mark) | Exists(judged)
    rows = Incident.objects.open().filter(changed).order_by(F("weighed_at").asc(nulls_first=True), "pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def _weigh(incident_id: int, mark: int, at: dt.datetime) -> bool:
    incident = Incident.objects.open().select_for_update(skip_locked=True, of=("self",)).filter(pk=incident_id).first()
    if incident is None:
        return False
    alerts = Alert.objects.filter(incident_alert__incident=incident)
    all_of_it = prioritising.services_of(alerts)
    services = prioritising.services_of(alerts.filter(state__in=OPEN_STATES)) or all_of_it  # a person said that it is not over
    states = list(ServiceState.objects.filter(pk__in=all_of_it).select_related("evaluation"))
    if incident.weighed_at is None:
        targeting.set_targets(incident=incident, at=at)
    incident.weighed_at, incident.weighed_catalogue = at, mark
    incident.weighed_evaluation = max([incident.weighed_evaluation, *(state.evaluation_id or 0 for state in states)])
    changed = bool(services) and _take(incident, services, {state.pk for state in states if _is_known(state)}, at)
    incident.save()
    return changed


def _is_known(state: ServiceState) -> bool:
    """Whether the age of its newest copy is: then it may lack what a priority does not stand on, such as a schedule."""
    if state.verdict != "no_data" or state.evaluation is None:
        return state.verdict != "no_data"
    claim = next((one for one in state.evaluation.result["claims"] if one["claim"] == "rpo"), None)
    return claim is not None and claim["verdict"] != "no_data" and state.captured_at is not None


def _take(incident: Incident, services: list[int], known: set[int], at: dt.datetime) -> bool:
    """What is true now. It rises by itself; it sinks only where everything is known, so that ignorance makes nothing light."""
    found = prioritising.weigh(services, at=at)
    before, impact_before, hit_before = incident.priority, incident.impact, incident.service_id
    if found["priority"] > before and any(pk not in known for pk in services):
        return False
    title_before = incident.title
    weighing.take(incident, found)
    incident.title = weighing.named(incident, services)
    if incident.title == title_before:
        incident.service_id = hit_before  # the title names it, and is shown to who may see it
    if incident.priority == before:
        return False
    weighing.tell(incident, before, announcing.first_alert(incident), at)
    targeting.set_targets(incident=incident, at=at)
    if incident.priority < before:
        _tell_of_rise(incident, before, impact_before, at)
    return True


def _tell_of_rise(incident: Incident, before: str, impact_before: str, at: dt.datetime) -> None:
    """A higher urgency has alerts of its own, which are told; what the catalogue made of it is told here."""
    told: list[Recipient] = []
    if weighing.weightier(incident.impact, impact_before):
        told = announcing.announce_rise(incident=incident, alert=None, before=before, at=at)
    escalating.follow_priority(incident=incident, at=at, already=told)
