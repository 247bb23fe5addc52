"""Promised, and real: what an entry said when an incident began, and what was so until it was over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incidents.appraising import failed_test
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link


@dataclass(frozen=True, kw_only=True)
class Stood:
    """One entry: a promise beside what was so, row by row."""

    entry: Link
    version: Link
    today: str
    rows: tuple[tuple[str, str, str, str], ...]  # what, promised, real, verdict or ""


def stood_of(one: dict[str, Any], moment: Moment) -> Stood:
    """One entry of the facts of a review."""
    promised, kept, restore, failed = one["promised"], one["retention"], one["restore"], failed_test(one)
    days = promised["retention_days"]
    oldest = f"oldest copy of {written(kept['oldest_at'])}" if kept else "not known"
    before = restore["words"] if restore else "Nothing on record"
    rows = [
        *_recovery_point(promised["rpo_s"], one["exposure"], failed),
        _recovery_time(promised["rto_s"], restore["measured_s"] if restore else None, failed),
        ("Retention", f"{days} d" if days else "not promised", oldest, ""),
        ("Restore proven before", _cadence(promised["restore_test_days"]), before, ""),
    ]
    if failed:
        rows.append(("Restore that failed", "–", failed, "broken"))
    return Stood(
        entry=Link(one["name"], moment.href("service", one["code"])),
        version=Link(f"Version {one['version']}", moment.href("version", one["code"], one["version"])),
        today=f"tier {one['tier']}" + (f", carries tier {one['effective_tier']}" if one["effective_tier"] < one["tier"] else ""),
        rows=tuple(rows),
    )


Row = tuple[str, str, str, str]


def _recovery_point(promised: int | None, exposure: dict[str, Any] | None, failed: str) -> list[Row]:
    """A copy that a restore stands against is no proof that it could have been got back."""
    if not exposure:
        return [("Age of the newest copy (RPO)", _span(promised), "no copy known", "no_data")]
    worst = f"up to {duration_words(exposure['worst_s'])}, at {written(exposure['worst_at'])}"
    over = exposure["beyond_s"]
    worst += f"; beyond the promise for {duration_words(over)}" if over else ""
    worst += "; what could be restored is not known" if failed else ""
    lost = "not known" if failed else f"what was done since {written(exposure['copy_at'])}"
    return [
        ("Age of the newest copy (RPO)", _span(promised), worst, "no_data" if failed and not over else _kept(over)),
        ("Work that could have been lost", "–", lost, ""),
    ]


def _recovery_time(promised: int | None, took: int | None, failed: str) -> Row:
    measured = duration_words(took) if took is not None else "never measured"
    if failed:
        return "Time of a restore (RTO)", _span(promised), f"not known; {measured} before" if took is not None else "not known", "no_data"
    slow = took is not None and promised is not None and took > promised > 0
    return "Time of a restore (RTO)", _span(promised), measured, "no_data" if took is None else _kept(int(slow))


def _span(seconds: int | None) -> str:
    return duration_words(seconds) if seconds else "not promised"


def _cadence(days: int | None) -> str:
    return f"a test every {days} d" if days else "not promised"


def _kept(over: int | None) -> str:
    return "" if over is None else "broken" if over else "kept"


def written(text: str) -> str:
    """An instant of the facts, in words."""
    at = parse_instant(text)
    return f"{at.day} {at:%b %H:%M} UTC"
