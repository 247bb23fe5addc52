"""Whom a target of a level means at an instant, and at which address they are reached."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.auth import get_user_model

from catalogue.models import ServiceVersion, Team
from incidents.models import Incident
from incidents.models.escalation import Tell


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One addressee. `thread` keeps the order of what they get; `why` says for whom they stand in, empty for the one named."""

    who: str
    address: str
    thread: str = ""
    why: str = ""

    @property
    def words(self) -> str:
        return f"{self.who} ({self.why})" if self.why else self.who

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def reach(targets: list[dict[str, Any]], *, incident: Incident, at: dt.datetime) -> list[Recipient]:
    """Who is told for these targets, each address once.

    A person who is gone, has no address, or may not see the incident is stood in for by the operations team.
    Empty where nobody at all can be reached.
    """
    found: dict[str, Recipient] = {}
    for target in targets:
        if (one := _reach_one(target, incident, at)) is not None:
            found.setdefault(one.address, one)
    return list(found.values())


def _reach_one(target: dict[str, Any], incident: Incident, at: dt.datetime) -> Recipient | None:
    tell = target["tell"]
    if tell == Tell.OPERATIONS_TEAM:
        return operations_team(incident)
    if tell == Tell.TEAM:
        team = Team.objects.filter(pk=target["team"]).first()
        return _team(team) if team else operations_team(incident, why=f"instead of {target['name']}, which is gone")
    person = _person(target, incident, at)
    words = target.get("name") or Tell(tell).label
    if person is None or not person.is_active:
        return operations_team(incident, why=f"instead of {words}, who is not there")
    name = person.get_full_name() or person.get_username()
    if not person.email:
        return operations_team(incident, why=f"instead of {name}, who has no address")
    if not Incident.objects.visible_to(person).filter(pk=incident.pk).exists():
        return operations_team(incident, why=f"instead of {name}, who may not see the incident")
    return Recipient(who=name, address=person.email, thread=f"person/{person.pk}")


def _person(target: dict[str, Any], incident: Incident, at: dt.datetime) -> Any:
    if target["tell"] == Tell.PERSON:
        return get_user_model().objects.filter(pk=target["person"]).first()
    version = ServiceVersion.objects.in_force(at).filter(service=incident.service_id).select_related("owner", "steward").first()
    return getattr(version, target["tell"], None)


def _team(team: Team) -> Recipient:
    return Recipient(who=team.name, address=team.email, thread=f"team/{team.pk}")


def operations_team(incident: Incident, why: str = "") -> Recipient | None:
    """The team that runs the backups of the service hit hardest; None where no entry names one."""
    return Recipient(who=incident.team.name, address=incident.team.email, why=why) if incident.team else None
