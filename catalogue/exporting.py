"""Entries as a sheet: what the person may see, as it was in force, in the columns that an import reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from catalogue import columns, comparing, sheets
from catalogue.models import Service, ServiceVersion

MOST = 20_000


def entries(*, user: Any, at: dt.datetime, format: str, only: Collection[int] | None = None) -> bytes:
    """A file of the format with every entry in force at `at` that the user may see (of the services `only`, where given)."""
    seen = Service.objects.visible_to(user)  # what was retired since then is of then, too: only its version says until when
    if only is not None:
        seen = seen.filter(pk__in=only)
    rows = ServiceVersion.objects.in_force(at).filter(service__in=seen).select_related("service", "commitment")
    names = columns.Names(at)
    lines = [_line(version, names) for version in rows.prefetch_related("offerings").order_by("service__code")[:MOST]]
    return sheets.write(format, columns.COLUMNS, lines)


def _line(version: ServiceVersion, names: columns.Names) -> list[str]:
    content = comparing.content_of(version)
    return [version.service.code, str(version.number), *(columns.shown(name, content[name], names) for name in columns.FIELDS.values())]
