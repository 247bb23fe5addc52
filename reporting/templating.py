"""The templates in force: what each audience's report holds now, with its version."""

from __future__ import annotations

from typing import Any

from itsm_backup.common.models import because
from reporting.models import ReportTemplate
from reporting.sections import SECTIONS


def templates() -> list[ReportTemplate]:
    """One for each audience; a fresh installation starts with the shipped ones."""
    found = {row.audience: row for row in ReportTemplate.objects.all()}
    for audience, shipped in SECTIONS.items():
        if audience not in found:
            with because("Shipped template"):
                found[audience], _ = ReportTemplate.objects.get_or_create(audience=audience, defaults={"sections": list(shipped)})
    return [found[audience] for audience in SECTIONS]


def in_force() -> dict[str, Any]:
    """As a report keeps them: sections and version by audience."""
    return {row.audience: {"version": row.version, "sections": row.sections} for row in templates()}


def shipped() -> dict[str, Any]:
    """What reports were laid out by before there was a choice."""
    return {audience: {"version": 0, "sections": list(names)} for audience, names in SECTIONS.items()}
