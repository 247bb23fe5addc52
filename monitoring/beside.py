"""Promised beside observed: what the entry promises and what its tools say by themselves, in the same field and the same unit."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from catalogue.models import Service, ServiceVersion
from monitoring import converting, translating
from monitoring.attributes import Told, told_by
from monitoring.converting import FIELDS
from monitoring.models import AttributeMapping, BackupJob, Tool
from monitoring.translating import Observed


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One observed value, or why there is none: which tool said so of which job, and in which attribute."""

    tool: Tool
    job: BackupJob
    attribute: Observed


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One field: what is promised, what is observed (the worst of all), and whether that is what was promised or better."""

    field: str
    promised: Any
    observed: Any
    agrees: bool | None  # None where one side is missing
    seen: tuple[Seen, ...]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One tool of the entry: the mapping that was used, the answer that was read, and what was left over."""

    tool: Tool
    mapping: AttributeMapping | None
    told: Told | None
    unmapped: int
    problems: tuple[Observed, ...]


@dataclass(frozen=True, kw_only=True)
class Beside:
    pairs: tuple[Pair, ...]
    sources: tuple[Source, ...]


def beside(*, service: Service, version: ServiceVersion | None, at: dt.datetime) -> Beside:
    """Every field that is promised or observed. As of an instant it reads the answer and the mapping of that time."""
    jobs = list(BackupJob.objects.filter(service=service, first_seen_at__lte=at).select_related("tool").order_by("tool__name", "name"))
    tools = {job.tool_id: job.tool for job in jobs}
    seen: list[Seen] = []
    sources = []
    for pk, tool in tools.items():
        row, told = translating.in_force(tool, at), told_by(tool, at)
        rows = row.rows if row else []
        found = [
            Seen(tool=tool, job=job, attribute=one)
            for job in jobs if job.tool_id == pk
            for one in translating.observe(rows=rows, told=told, zone=tool.zone, job=job.external_id) if one.field
        ]  # fmt: skip
        seen += found
        unmapped = len(told.attributes) - len({one["path"] for one in rows} & told.attributes.keys()) if told else 0
        problems = {one.attribute.path: one.attribute for one in found if one.attribute.problem}
        sources.append(Source(tool=tool, mapping=row, told=told, unmapped=unmapped, problems=tuple(problems.values())))
    promised = promises_of(version)
    pairs = [_pair(field, promised.get(field), [one for one in seen if one.attribute.field == field]) for field in FIELDS]
    return Beside(pairs=tuple(one for one in pairs if one.promised is not None or one.seen), sources=tuple(sources))


def promises_of(version: ServiceVersion | None) -> dict[str, Any]:
    """Field → what the version promises, in the unit of the field."""
    commitment = getattr(version, "commitment", None)
    if commitment is None:
        return {}
    found: dict[str, Any] = {}
    for field, meant in FIELDS.items():
        value = getattr(commitment, field, None)
        if value not in (None, ""):
            found[field] = f"{value:%H:%M}" if meant.kind == "clock" else value
    copies = re.match(r"\d+", commitment.copy_scheme)
    return {**found, "copies": int(copies[0])} if copies else found


def _pair(field: str, promised: Any, seen: list[Seen]) -> Pair:
    values = [one.attribute.value for one in seen if not one.attribute.problem]
    observed = None
    for value in values:
        if observed is None or not converting.compare(field, observed, value):
            observed = value
    agrees = None if promised is None or observed is None else converting.compare(field, promised, observed)
    return Pair(field=field, promised=promised, observed=observed, agrees=agrees, seen=tuple(seen))
