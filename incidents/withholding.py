"""What people who only depend on services are not told: names of tools and storage, paths, hosts. It is left out of what they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Q, QuerySet

from incidents.models import AlertMove, Incident, IncidentAlert
from monitoring.models import Alert
from monitoring.naming import is_told_all, leaving_out

MOST_READ = 200  # titles that are read for one search, the newest first


def for_reader(user: Any, incidents: Iterable[Incident]) -> Callable[[str], str]:
    """What turns a text about these incidents into what the person may read; asks for names only where something is left out."""
    if is_told_all(user):
        return str
    return leaving_out(inside_names(incidents))


def retitle(user: Any, incidents: Iterable[Any]) -> None:
    """Have rows that `told_to` gave tell titles that the person may read."""
    rows = list(incidents)
    if not rows or is_told_all(user):
        return
    plain = leaving_out(inside_names(rows))
    for one in rows:
        one.told_title = plain(one.told_title)


def titled(user: Any, rows: QuerySet[Any], text: str) -> Q:
    """Which of these rows of `told_to` have titles that hold the text as the person reads them: what they are not told finds nothing."""
    if is_told_all(user):
        return Q(told_title__icontains=text)
    some = list(rows.filter(told_title__icontains=text).order_by("-opened_at", "-pk")[:MOST_READ])
    plain = leaving_out(inside_names(some)) if some else str
    return Q(pk__in=[one.pk for one in some if text.lower() in plain(one.told_title).lower()])


def inside_names(incidents: Iterable[Incident]) -> list[str]:
    """How tools, storage and hosts behind the alerts are called, the longest first; a host called like its service is not left out."""
    ids = [one.pk for one in incidents]
    left = AlertMove.objects.filter(left__in=ids).values("alert")  # its story names what went to another incident since
    held = IncidentAlert.objects.filter(incident__in=ids).values("alert").union(left)
    rows = Alert.objects.filter(pk__in=held).order_by().distinct()
    columns = ("tool__name", "tool__label", "job__tool__name", "job__tool__label", "job__repository_name")
    found = set()
    for service, job, host, *names in rows.values_list("evaluation__version__name", "job__name", "job__target_name", *columns):
        found |= {name for name in names if name} | ({job} if job and "/" in job else set())
        if host and host.lower() not in (service or "").lower():
            found.add(host)
    return sorted(found, key=len, reverse=True)
