"""Who is affected by a provider, in words: a name only for those who may see it."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.models import Service, ServiceVersion
from catalogue.weave import ONLY_BACKUP
from itsm_backup.portal.asof import Moment

OWN = {
    "operational": "Operational itself", "degraded": "Degraded itself", "outage": "Out itself", "maintenance": "Under maintenance itself",
    "unknown": "Its own status is unknown",
}  # fmt: skip
IS = {"degraded": "is degraded", "outage": "is out"}


def with_cause(rows: QuerySet[ServiceVersion], user: Any, moment: Moment) -> QuerySet[ServiceVersion]:
    """Rows of `standings`, each with `cause_name` and `cause_code` of what affects it, None where the user may not see that."""
    mine = Service.objects.visible_to(user)
    cause = ServiceVersion.objects.in_force(moment.at).filter(service=OuterRef("reached_by"), service__in=mine)
    return rows.annotate(cause_name=Subquery(cause.values("name")[:1]), cause_code=Subquery(cause.values("service__code")[:1]))


def told_affected(row: Any, moment: Moment) -> SafeString | str:
    """A sentence that keeps apart how the service stands by itself and what reaches it; empty where nothing does."""
    if not row.reaches:
        return ""
    own, stands = OWN[row.stands], IS[row.reach_from]
    lacks = ONLY_BACKUP.get(row.reach_kind) if row.reaches != row.reach_from else None  # an outage of what only its backup needs
    if not row.cause_code and lacks:
        return f"{own}, but {lacks}: a service that you may not see {stands}."
    if not row.cause_code:
        return f"{own}, affected by a service that you may not see: it {stands}."
    cause = format_html('<a href="{}">{}</a>', moment.href("service", row.cause_code), row.cause_name)
    if lacks:
        return format_html("{}, but {}: {} {}.", own, lacks, cause, stands)
    return format_html("{}, affected by {}, which {}.", own, cause, stands)


def why_affected(row: Any, moment: Moment) -> str:
    """Where it is explained; empty where nothing reaches the service, or from where the user may not see."""
    return moment.href("explain", "propagation", row.reach) if row.reaches and row.cause_code else ""
