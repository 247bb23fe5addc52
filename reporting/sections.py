"""Which sections a report can have, for whom, and how they stand on paper."""

from __future__ import annotations

from collections.abc import Sequence

_COMMON = {
    "checks": "Checks on the inputs",
    "breaches": "Every breach of a recovery point",
    "incidents": "Incidents",
    "restores": "Restore tests",
    "held": "Left out of the sum",
    "methods": "How the figures are made",
}
SECTIONS: dict[str, dict[str, str]] = {
    "technical": {
        "day_chart": "Run success by day",
        "variance": "Variance from the catalogue",
        "strips": "The month, day by day",
        "breaches": _COMMON["breaches"],
        "categories": "By category",
        "checks": _COMMON["checks"],
        "incidents": _COMMON["incidents"],
        "held": _COMMON["held"],
        "restores": _COMMON["restores"],
        "methods": _COMMON["methods"],
    },
    "executive": {
        "decisions": "Your decisions",
        "meant": "What it meant",
        "year": "Backup runs that succeeded, month by month",
        "areas": "By area",
        "open": "Still being worked on",
    },
    "auditor": {
        "origin": "How this report was made",
        "checks": _COMMON["checks"],
        "entries": "Entries and promises in force",
        "breaches": _COMMON["breaches"],
        "incidents": _COMMON["incidents"],
        "held": _COMMON["held"],
        "restores": _COMMON["restores"],
        "methods": _COMMON["methods"],
    },
}
_NARROW = {"categories", "checks", "areas", "open", "held", "restores"}  # two of them that follow each other share the width


def blocks(names: Sequence[str]) -> list[list[str]]:
    """Templates of the sections, row by row: one over the whole width or two side by side."""
    rows: list[list[str]] = []
    pending = ""
    for name in names:
        if name in _NARROW and pending:
            rows[-1].append(_path(name))
            pending = ""
        else:
            rows.append([_path(name)])
            pending = name if name in _NARROW else ""
    return rows


def _path(name: str) -> str:
    return f"reporting/sections/{name}.html"
