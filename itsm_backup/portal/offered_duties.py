"""To whom the duties of an entry can be offered."""

from __future__ import annotations

from catalogue import naming
from catalogue.models import Service, ServiceVersion, Team
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import person


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
