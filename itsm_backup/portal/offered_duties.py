"""To whom a duty can be offered, and what is offered to a person: they read and answer it also where they may not see the entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalogue import handing_over, naming
from catalogue.models import HandOver, Service, ServiceVersion, Team
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import person

MOST = 50


@dataclass(frozen=True, kw_only=True)
class Offer:
    pk: int
    code: str
    name: str  # of the entry
    duty: str
    giver: str
    receiver: str
    asked_by: str
    reason: str
    team: bool  # the backups, from team to team


def people(service: Service, moment: Moment) -> tuple[tuple[int, str], ...]:
    """Those who can take one of the two duties over: as owner who may see the entry, as steward who may change it."""
    able = set(naming.offerable(service, "steward", moment.at).values_list("pk", flat=True))
    owners = naming.offerable(service, "owner", moment.at)
    return tuple((each.pk, person(each) if each.pk in able else f"{person(each)} (as owner)") for each in owners)


def teams(version: ServiceVersion, moment: Moment) -> tuple[tuple[int, str], ...]:
    """Other teams that have members who could accept."""
    fit = naming.candidates("operator", moment.at)
    rows = Team.objects.filter(members__person__in=fit.order_by()).exclude(pk=version.operations_team_id)
    return tuple(rows.distinct().values_list("pk", "name"))


def offers(user: Any, moment: Moment) -> tuple[Offer, ...]:
    """What waits for this person's answer, as somebody asked or as a member of a team; nothing in the past."""
    if moment.past:
        return ()
    waiting = HandOver.objects.filter(handing_over.asked_of(user), answered_at=None).exclude(team__isnull=False, asked_by=user)
    rows = waiting.select_related("service", "giver", "receiver", "former_team", "team", "asked_by")[:MOST]
    known = ServiceVersion.objects.in_force(moment.at).filter(service__in=[row.service_id for row in rows])
    names = dict(known.values_list("service", "name")) if rows else {}
    return tuple(
        Offer(
            pk=row.pk, code=row.service.code, name=names.get(row.service_id, row.service.code), duty=row.get_duty_display(),
            giver=row.giving, receiver=row.receiving, asked_by=person(row.asked_by), reason=row.reason, team=row.team is not None,
        )
        for row in rows
    )  # fmt: skip
