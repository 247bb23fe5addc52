"""Whom an audience means: from the catalogue, the roles and the template, each with the reason; whoever is in two is told once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth import get_user_model

from catalogue.models import Service, ServiceVersion
from incidents.models import Audience, AudienceTemplate, MajorIncident

# People of a role are told where they may see one of the services.
ROLE = {"business": "stakeholder", "executives": "executive", "compliance": "auditor"}
Recipient = dict[str, Any]  # who, address, person, thread, why, instead


def recipients_of(
    major: MajorIncident, figures: dict[str, Any], templates: dict[str, AudienceTemplate], *, at: dt.datetime
) -> dict[str, list[Recipient]]:
    """Audience → who belongs to it. `instead` names the audience that says more, as which somebody is told; empty: as this one."""
    told: dict[str, str] = {}
    found: dict[str, list[Recipient]] = {}
    for audience in [one for one in Audience.values if one in templates]:
        rows: dict[str, Recipient] = {}
        for one in _belonging(audience, major, figures, templates[audience], at):
            rows.setdefault(one["address"].lower(), one)
        for key, one in rows.items():
            one["instead"] = told.get(key, "")
            told.setdefault(key, audience)
        found[audience] = list(rows.values())
    return found


def _belonging(
    audience: str, major: MajorIncident, figures: dict[str, Any], template: AudienceTemplate, at: dt.datetime
) -> Iterator[Recipient]:
    struck = [one["service"] for one in figures["services"]]
    every = [*struck, *(one["service"] for one in figures["consumers"])]
    if audience == Audience.RESPONDERS:
        yield from _responders(major, struck, at)
    elif audience == Audience.OWNERS:
        for version in _struck_first(struck, every, at):
            yield from _people((version.owner, f"owner of {version.name}"), (version.steward, f"steward of {version.name}"))
    else:
        yield from _of_role(ROLE[audience], every)
    for address in template.addresses:
        yield _to(address, address, None, f"address/{_short(address)}", "named in the template")


def _struck_first(struck: list[int], every: list[int], at: dt.datetime) -> list[ServiceVersion]:
    """Versions in force by name, those of the services in breach first: somebody in both is told for what is in breach."""
    rows = ServiceVersion.objects.in_force(at).filter(service__in=every).select_related("owner", "steward").order_by("name")
    return sorted(rows, key=lambda one: one.service_id not in struck)


def _responders(major: MajorIncident, struck: list[int], at: dt.datetime) -> Iterator[Recipient]:
    versions = ServiceVersion.objects.in_force(at).filter(service__in=struck).select_related("operations_team").order_by("name")
    teams = {one.operations_team: f"runs the backups of {one.name}" for one in reversed(list(versions)) if one.operations_team}
    if major.incident.team:
        teams.setdefault(major.incident.team, "has the incident")
    for team, why in sorted(teams.items(), key=lambda pair: pair[0].name):
        yield _to(team.name, team.email, None, f"team/{team.pk}", why)
    yield from _people(
        (major.manager, "leads it"), (major.communications_lead, "tells people of it"), (major.incident.assignee, "works on the incident")
    )


def _of_role(role: str, services: Iterable[int]) -> Iterator[Recipient]:
    """People who hold the role, over the whole estate or limited, and may see one of the services."""
    people = get_user_model().objects.filter(groups__name__regex=rf"^{role}($| on | of )", is_active=True).distinct()
    for person in people.order_by("first_name", "last_name", "username"):
        if Service.objects.visible_to(person).filter(pk__in=list(services)).exists():
            yield from _people((person, f"{role} who sees one of the services"))


def _people(*told: tuple[Any, str]) -> Iterator[Recipient]:
    for person, why in told:
        if person is not None and person.is_active and person.email:
            yield _to(person.get_full_name() or person.get_username(), person.email, person.pk, f"person/{person.pk}", why)


def _to(who: str, address: str, person: int | None, thread: str, why: str) -> Recipient:
    return {"who": who[:200], "address": address, "person": person, "thread": thread, "why": why[:200], "instead": ""}


def _short(address: str) -> str:
    return hashlib.sha256(address.lower().encode()).hexdigest()[:16]
