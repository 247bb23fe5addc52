"""What people who only depend on services are not told: names of tools and storage, paths, hosts. It is left out of what they read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from incidents import phrasing
from incidents.models import Incident
from monitoring.models import Alert

LEFT_OUT = "…"
_TOLD = ("monitoring.view_tool", "incidents.change_incident")


def is_told_all(user: Any) -> bool:
    """Whether the person reads of tools, or works on incidents."""
    return any(user.has_perm(one) for one in _TOLD)


def for_reader(user: Any, incidents: Iterable[Incident]) -> Callable[[str], str]:
    """What turns a text about these incidents into what the person may read; asks for names only where something is left out."""
    if is_told_all(user):
        return str
    names = inside_names(incidents)
    return lambda text: without(text, names)


def inside_names(incidents: Iterable[Incident]) -> list[str]:
    """How tools and storage behind the alerts are called, the longest first."""
    rows = Alert.objects.filter(incident_alert__incident__in=[one.pk for one in incidents]).order_by().distinct()
    columns = ("tool__name", "tool__label", "job__tool__name", "job__tool__label", "job__repository_name")
    return sorted({name for row in rows.values_list(*columns) for name in row if name}, key=len, reverse=True)


def without(text: str, names: Iterable[str]) -> str:
    """The text with an ellipsis for each of the names, and for whatever looks like a path, an address or a host."""
    for name in names:
        if len(name) > 2:
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", LEFT_OUT, text, flags=re.IGNORECASE)
    for found in phrasing.internal_names(text, ()):
        text = text.replace(found, LEFT_OUT)
    return text
