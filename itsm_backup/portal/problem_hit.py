"""Which services the incidents of a problem hit, all of them: those that the reader may see by name, the rest by their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from catalogue.models import Service, ServiceVersion
from incidents import hitting
from incidents.models import Incident, Problem, ProblemIncident
from itsm_backup.portal import incident_past
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import many

MOST, MOST_COUNTED, NAMED = 100, 500, 3


@dataclass(frozen=True, kw_only=True)
class Hit:
    """`words` tells all of it; `incidents` are the newest ones that the reader may see, `of` what one of them hit."""

    words: str
    incidents: tuple[Any, ...]
    services: dict[int, set[int]]
    links: dict[int, Link]  # of the services that the reader may see

    def of(self, incident: Any) -> tuple[tuple[Link, ...], str]:
        """Links to what it hit, the one hit hardest first, and how many more there are."""
        hit = sorted(self.services[incident.pk], key=lambda pk: (pk != incident.service_id, pk))
        seen = [self.links[pk] for pk in hit if pk in self.links]
        more = [f"{len(seen) - NAMED:,} more"] if len(seen) > NAMED else []
        more += [f"{hidden:,} that you may not see"] if (hidden := len(hit) - len(seen)) else []
        return tuple(seen[:NAMED]), ("and " if seen else "") + " and ".join(more) if more else ""


def counted(moment: Moment) -> QuerySet[ProblemIncident]:
    """Incidents of problems as known at the moment: one that was cancelled by then, such as merged into another, was none."""
    none = Q(incident__state="cancelled", incident__updated_at__lte=moment.at)
    return ProblemIncident.objects.filter(attached_at__lte=moment.at).exclude(none)


def hit_by(problem: Problem, user: Any, moment: Moment) -> Hit:
    """Of the incidents that the user may see."""
    theirs = counted(moment).filter(problem=problem).values("incident")
    rows: QuerySet[Any] = Incident.objects.told_to(user).filter(pk__in=theirs).order_by("-known_at", "-pk")
    if moment.past:
        rows = incident_past.with_end_then(rows, at=moment.at)
    incidents = list(rows[:MOST_COUNTED])
    services = hitting.services_hit(incidents, by=moment.at if moment.past else None)
    links = _links(_all(services, incidents), user, moment)
    return Hit(words=_words(incidents, services, links), incidents=tuple(incidents[:MOST]), services=services, links=links)


def _links(services: set[int], user: Any, moment: Moment) -> dict[int, Link]:
    name = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("pk")).values("name")[:1]
    rows = Service.objects.visible_to(user).filter(pk__in=services).annotate(told=Coalesce(Subquery(name), F("code")))
    return {pk: Link(told, moment.href("service", code)) for pk, told, code in rows.order_by("told").values_list("pk", "told", "code")}


def _words(incidents: list[Any], services: dict[int, set[int]], links: dict[int, Link]) -> str:
    """`Archive: 2 incidents of 3 services: Echo, Imaging and 1 that you may not see`, the types of incidents apart."""
    by_type: dict[str, list[Any]] = {}
    for one in incidents:
        by_type.setdefault(one.service_type or "of no known type", []).append(one)
    told = "; ".join(
        f"{kind}: {many(len(rows), 'incident')} of {many(len(_all(services, rows)), 'service')}"
        for kind, rows in sorted(by_type.items(), key=lambda row: (-len(row[1]), row[0]))
    )
    hit = _all(services, incidents)
    seen = [link.words for pk, link in links.items() if pk in hit]
    hidden = len(hit) - len(seen)
    named = ", ".join(seen[:MOST]) + (f"{' and ' if seen else ''}{hidden:,} that you may not see" if hidden else "")
    newest = f"Of the newest {MOST_COUNTED}: " if len(incidents) == MOST_COUNTED else ""
    return newest + told[:1].upper() + told[1:] + (f": {named}" if named else "")


def _all(services: dict[int, set[int]], incidents: list[Any]) -> set[int]:
    return set().union(*(services[one.pk] for one in incidents))
