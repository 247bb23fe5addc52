"""How heavy an incident is with all that joined it: its priority, whom it hits hardest, and the sentence that names it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from incidents import announcing, escalating, prioritising, targeting
from incidents.models import Incident, IncidentEntry
from monitoring.models import Alert
from monitoring.models.alerts import OPEN_STATES

_RANKS = ("low", "medium", "high")


def weigh_with(*, incident: Incident, alerts: Sequence[Alert], at: dt.datetime, told: bool = True) -> None:
    """Alerts joined: where it weighs more with them, the incident rises, and names the service that is hit hardest now.

    An incident never gets lighter by what joins. Who was `told` of it is told, once, when other services made it heavier.
    """
    services = prioritising.services_of([*_open_alerts(incident), *alerts])
    found = prioritising.weigh(services, at=at)
    alert = next((one for one in alerts if one.service_id == found["service"]), alerts[-1])
    before, hit_before, impact_before = incident.priority, incident.service_id, incident.impact
    found["priority"] = by_hand(incident, found["priority"])
    level = found["priority"] == before and _is_stricter(found["service"], hit_before, at)
    if found["priority"] < before or level:
        take(incident, found)
        targeting.set_targets(incident=incident, at=at)
        tell(incident, before, alert, at)
    incident.title = named(incident, services)
    incident.save()
    reached = []
    wider = incident.service_id != hit_before or weightier(incident.impact, impact_before)
    if told and incident.priority < before and wider:
        reached = announcing.announce_rise(incident=incident, alert=alert, before=before, at=at)
    if incident.priority < before or level:
        escalating.follow_priority(incident=incident, at=at, already=reached)


def weigh_again(*, incident: Incident, alert: Alert, at: dt.datetime) -> None:
    """It happens again by `alert`: what the incident says of itself is what is true now. The caller saves it."""
    services = prioritising.services_of([*_open_alerts(incident), alert])
    take(incident, prioritising.weigh(services, at=at))
    targeting.set_targets(incident=incident, at=at)
    incident.title = told = title_of(alert)
    incident.title = named(incident, services)
    if incident.title == told and alert.service_id:
        incident.service_id = alert.service_id  # the title names it, and is shown to who may see the service of the incident


def tell(incident: Incident, before: str, alert: Alert | None, at: dt.datetime) -> None:
    """The line of the story at the instant at which it was reckoned: its figures are of then, whenever the alert began."""
    changed = f"{incident.priority}, was {before}. " if incident.priority != before else ""
    IncidentEntry.objects.create(incident=incident, at=at, kind="priority", text=f"{changed}{incident.priority_reason}", alert=alert)


def title_of(alert: Alert) -> str:
    """The sentence that names the incident: what fails, and why as far as a rule knows it."""
    if _is_of_backups(alert) and alert.service_id:
        return _fails_because(prioritising.name_of(alert.service_id), 0, alert.cause_title)
    return alert.title[:240]


def weightier(impact: str, before: str) -> bool:
    """Whether one impact is above the other."""
    return _RANKS.index(impact) > _RANKS.index(before)


def by_hand(incident: Incident, reckoned: str) -> str:
    """The priority that counts: what a person set holds until more than they knew of is reckoned."""
    if incident.priority_set and reckoned >= incident.priority_set_against:
        return incident.priority_set
    incident.priority_set = incident.priority_set_against = ""
    return reckoned


def take(incident: Incident, found: dict[str, Any]) -> None:
    """Have the incident say what `prioritising.weigh` found. The caller saves it."""
    incident.priority, incident.impact, incident.urgency = by_hand(incident, found["priority"]), found["impact"], found["urgency"]
    incident.priority_reason, incident.service_id, incident.judged_at = found["reason"], found["service"], found["judged_at"]


def named(incident: Incident, services: list[int]) -> str:
    """The title with the service hit hardest and how many more, where one recognised cause makes backups of several fail."""
    told = incident.incident_alerts.filter(alert__service=incident.service_id).exclude(alert__cause_title="")
    link = told.select_related("alert").order_by("-attached_at", "-pk").first()
    if len(services) < 2 or link is None or incident.service_id is None or not _is_of_backups(link.alert):
        return incident.title
    return _fails_because(prioritising.name_of(incident.service_id), len(services) - 1, link.alert.cause_title)


def _fails_because(name: str, more: int, cause: str) -> str:
    others = f" and {more} more service{'s' if more > 1 else ''}" if more else ""
    return f"Backups of {name}{others} fail because {cause}"[:240]


def _is_of_backups(alert: Alert) -> bool:
    return bool(alert.cause_title) and alert.alert_class != "rto_test_failed"


def _is_stricter(service: int | None, other: int | None, at: dt.datetime) -> bool:
    return service != other and prioritising.tier_of(service, at=at) < prioritising.tier_of(other, at=at)


def _open_alerts(incident: Incident) -> list[Alert]:
    return list(Alert.objects.filter(incident_alert__incident=incident, state__in=OPEN_STATES))
