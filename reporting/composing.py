"""From the snapshot to what pages and files show: rows, sentences and charts. Reads nothing but the snapshot."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString

from itsm_backup.common.charts import DayCell, DayCount, day_strip, deviation_bar, painted, success_line, verdict_mark
from itsm_backup.common.time import instant_words
from reporting import sections, templating, wording
from reporting.models import Report
from reporting.recounting import breaches_of, held_of, incidents_of, left_out_of, restores_of
from reporting.rows import Row
from reporting.wording import VERDICTS, duration, listed, many, percent

MOST_VARIANCES, MOST_STRIPS, MOST_GROUPS = 8, 6, 7
KINDS = {"W": "warning", "L": "late", "F": "failed", "M": "missed", "?": "no_data", "H": "held", "·": "not_scheduled", "G": "good"}
CHECK_MARKS = {"passed": "kept", "qualified": "at_risk", "blocked": "broken"}
URGENCY = list(VERDICTS)
METHODS = {"success": "BM-SR-WIN", "recovery": "BM-RPO-TW", "variance": "BM-VAR", "checks": "BM-DQ"}


def frame_of(report: Report, kind: str, audience: str = "") -> dict[str, Any]:
    """What every page of the report carries: head, foot, the audience's sections, and the banner of a report that was marked or stopped."""
    data, zone = report.data, ZoneInfo(report.data["zone"])
    revision = f", revision {report.revision}" if report.revision > 1 else ""
    return {
        "report": report,
        "organisation": data["organisation"],
        "kind": kind,
        "scope": data["scope"]["words"],
        "month": f"{report.month:%B %Y}",
        "month_name": f"{report.month:%B}",
        "foot": (
            f"Catalogue version {data['catalogue_version']}, snapshot {report.number}{revision}. "
            f"Made {instant_words(report.made_at, zone=zone)}. Seal {report.seal_words}."
        ),
        "banner": _banner(report),
        "checked": _checked(report),
        "watermark": "Not validated: issued by override" if report.state == Report.State.OVERRIDDEN else "",
        "changes": report.changes,
        "blocks": sections.blocks(_sections(report, audience)),
    }


def _sections(report: Report, audience: str) -> list[str]:
    template = (report.data.get("templates") or templating.shipped()).get(audience, {"sections": []})
    return [*(["changes"] if report.changes and audience != "executive" else []), *template["sections"]]


def _checked(report: Report) -> str:
    checks = report.data["checks"]["checks"]
    passed = sum(check["state"] == "passed" for check in checks)
    return f"Checks of the inputs before this report was made: {passed} of {len(checks)} passed."


def _banner(report: Report) -> str:
    failed = [check for check in report.data["checks"]["checks"] if check["state"] != "passed"]
    if not failed:
        return ""
    told = ", ".join(f"{check['words'].lower()} ({check['good']:,} of {check['total']:,})" for check in failed)
    if report.state == Report.State.BLOCKED:
        return f"Stopped before it was made: the inputs do not carry a report. Failed: {told}."
    if override := report.data.get("override"):
        on = instant_words(dt.datetime.fromisoformat(override["at"]), zone=ZoneInfo(report.data["zone"]))
        return (
            f"Not validated. {override['by']} issued it on {on}, although its inputs do not carry it: {override['reason']} Failed: {told}."
        )
    if report.data["checks"]["result"] == "blocked":
        return f"Read with care: the inputs do not carry this report; its policy says never to stop it. Failed: {told}."
    return f"Read with care: a check of the inputs failed. {told[:1].upper()}{told[1:]}."


def sentence_of(report: Report) -> str:
    """`37 of 40 services kept every promise in June`; the library's line and the first of the report."""
    verdicts, total = report.data["totals"]["verdicts"], report.data["totals"]["services"]
    kept = verdicts.get("kept", 0) + verdicts.get("at_risk", 0)
    if not total:
        return f"No service was in force in {report.month:%B}"
    return f"{kept:,} of {many(total, 'service')} kept every promise in {report.month:%B}"


def lead_of(report: Report, rows: list[Row]) -> str:
    """Success against the promise, who exceeded the recovery point, and what is not known."""
    totals = report.data["totals"]
    told = [_success_words(totals, {row.target for row in rows if row.target is not None and row.settled})]
    over = sorted((row for row in rows if row.exceeded_s), key=lambda row: -(row.exceeded_s or 0))
    if over:
        told.append(
            f"{many(len(over), 'service')} exceeded {'its' if len(over) == 1 else 'their'} recovery point: "
            f"{listed([row.name for row in over])}."
        )
    unknown = totals["verdicts"].get("no_data", 0)
    if unknown:
        told.append(f"Nothing is known of {many(unknown, 'service')}.")
    return " ".join(told)


def _success_words(totals: dict[str, Any], targets: set[float]) -> str:
    good, settled, target = totals["good"], totals["settled"], totals["target"]
    if not settled:
        return "No run was due and settled in the month."
    base = f"Run success was {percent(good, settled)}, {good:,} of {many(settled, 'due run')}"
    if target is None:
        return f"{base}."
    distance = round((totals.get("promised_good", good) / totals.get("promised_settled", settled) - target) * 100, 1)
    if not distance:
        return f"{base}, as promised."
    side = "above" if distance > 0 else "below"
    promise = f"the {wording.share(target)} promise" if len(targets) == 1 else f"the {target * 100:.1f}% that all services together promise"
    return f"{base}, {abs(distance):.1f} points {side} {promise}."


def figures_of(report: Report) -> list[dict[str, str]]:
    """The four numbers at the top, each with its base and the month before."""
    totals, before = report.data["totals"], report.data["before"]
    name = f"{dt.date.fromisoformat(before['month']):%B}" if before else ""
    earlier = percent(before["good"], before["settled"]) if before else ""
    restores = f"{totals['restores_passed']} of {totals['restores']}" if totals["restores"] else "0"
    median = totals["restore_median_s"]
    moved = totals["moved_bytes"]
    change = ""
    if before and before["moved_bytes"]:
        change = f"{wording.points((moved / before['moved_bytes'] - 1) * 100)}% on {name}"
    in_all = f"{duration(totals['exceeded_s'])} in all" if totals["exceeded_s"] else "none in the month"
    return [
        {
            "value": percent(totals["good"], totals["settled"]),
            "words": "run success",
            "note": _joined(f"of {many(totals['settled'], 'due run')}", f"{name} {earlier}" if before else ""),
        },
        {
            "value": f"{totals['breaches']:,}",
            "words": "recovery point breaches",
            "note": _joined(in_all, f"{name} {before['breaches']:,}" if before else ""),
        },
        {
            "value": restores,
            "words": "restore tests passed",
            "note": f"median {duration(median)}"
            if median is not None
            else ("time not told" if totals["restores"] else "none was recorded"),
        },
        {"value": wording.size(moved), "words": "data moved", "note": change or "by good runs"},
    ]


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def verdict_of(name: str, words: str = "") -> dict[str, Any]:
    return {"name": name, "mark": painted(verdict_mark(name)), "words": words or VERDICTS[name]}


def technical(report: Report, rows: list[Row]) -> dict[str, Any]:
    """Everything that the technical report shows."""
    zone = ZoneInfo(report.data["zone"])
    odd = sorted((row for row in rows if row.verdict != "kept"), key=_worst_first)
    shown = odd + sorted((row for row in rows if row.verdict == "kept"), key=lambda row: (row.tier, row.points or 0.0, row.code))
    chosen = shown[:MOST_VARIANCES]
    widest = max((abs(row.points) for row in chosen if row.points is not None), default=0.0)
    return {
        **frame_of(report, "Backup service report, technical", "technical"),
        "sentence": sentence_of(report),
        "lead": lead_of(report, rows),
        "figures": figures_of(report),
        "day_chart": _day_chart(report),
        "variances": [_variance(row, widest) for row in chosen],
        "variance_note": _variance_note(len(chosen), len(rows)),
        "offerings": offerings_of(rows),
        "strips": [{"name": row.name, "svg": _strip(report, row)} for row in chosen[:MOST_STRIPS]],
        "strip_note": _strip_note(report),
        **breaches_of(rows, zone),
        "groups": _groups(report, "application_type"),
        "checks": checks_of(report),
        "check_notes": report.data["checks"]["notes"],
        **incidents_of(rows, zone),
        **restores_of(rows, zone),
        "held": held_of(rows, zone),
        "left_out": left_out_of(rows),
        "uncounted": report.data["totals"].get("uncounted", 0),
        "excused": report.data["totals"]["excused"],
        "unconfirmed": report.data["totals"]["unconfirmed"],
        "zone_name": _zone_name(report, zone),
        **{f"version_{name}": report.data["methods"][method] for name, method in METHODS.items()},
    }


def _worst_first(row: Row) -> tuple[Any, ...]:
    return URGENCY.index(row.verdict), row.points if row.points is not None else 0.0, -(row.exceeded_s or 0), row.tier, row.code


def _zone_name(report: Report, zone: ZoneInfo) -> str:
    return report.period[0].astimezone(zone).tzname() or str(zone)


def _day_chart(report: Report) -> SafeString:
    totals = report.data["totals"]
    days = [DayCount(dt.date.fromisoformat(day), good, total) for day, good, total in totals["days"]]
    known = [day for day in days if day.rate is not None]
    worst = min(known, key=lambda day: (day.rate, day.on), default=None)
    if worst is not None and worst.rate is not None and worst.rate < (totals["target"] or 1.0) and worst != known[-1]:
        note = f"{wording.day(worst.on.isoformat())}, {many(worst.total - worst.good, 'bad run')}"
        days = [DayCount(day.on, day.good, day.total, note if day == worst else "") for day in days]
    return painted(success_line(days=days, target=totals["target"], width=740).svg)


def _variance(row: Row, widest: float) -> dict[str, Any]:
    return {
        "name": row.name,
        "tier": row.tier,
        "promised": wording.share(row.target),
        "measured": percent(row.good, row.settled),
        "points": "–" if row.points is None else wording.points(row.points),
        "bar": painted(deviation_bar(points=row.points, widest=widest)) if row.points is not None else "",
        "rpo": duration(row.rpo_s),
        "longest": duration(row.longest_s),
        "verdict": verdict_of(row.verdict),
        "why": wording.REASONS[row.reasons[0]] if row.verdict == "no_data" else "",  # the others show in their figures
    }


def offerings_of(rows: list[Row]) -> list[dict[str, Any]]:
    """Every offering with levels of its own, beside the figures of its entry; services as they stand in the report."""
    return [
        {
            "service": row.name, "name": one["name"], "promised": wording.share(one["target"]), "measured": percent(row.good, row.settled),
            "rpo": duration(one["rpo_s"]), "longest": duration(one["longest_s"]), "verdict": verdict_of(one["verdict"]),
        }
        for row in rows
        for one in row.offerings
    ]  # fmt: skip


def _variance_note(shown: int, total: int) -> str:
    if shown == total:
        return f"All {many(total, 'service')}. The CSV attached to this report holds every figure."
    return f"{shown} of {total:,} shown: what is not kept first, then by tier. All {total:,} are in the CSV attached to this report."


def _strip(report: Report, row: Row) -> SafeString:
    cells = []
    for number, letter in enumerate(row.days):
        on = report.month + dt.timedelta(days=number)
        kind = KINDS[letter]
        cells.append(DayCell(on, kind, kind.replace("_", " "), restore_passed=on.isoformat() in row.restored_on))
    return painted(day_strip(cells=cells).svg)


def _strip_note(report: Report) -> str:
    last = dt.date.fromisoformat(report.data["totals"]["days"][-1][0]).day
    return (
        f"1 to {last} {report.month:%B}. F failed, M missed, L late, W with warnings, H held, ? not known, · nothing due, "
        "blue corner: restore test passed, plain: all runs good."
    )


def _groups(report: Report, name: str) -> dict[str, Any]:
    groups = report.data["totals"]["groups"][name]
    told = [
        {
            "name": wording.TIERS.get(group, group) if name == "tier" else group,
            "services": f"{services:,}",
            "kept": f"{kept:,}",
            "success": percent(good, settled),
        }
        for group, services, kept, good, settled in sorted(groups, key=lambda group: (-group[1], group[0]) if name != "tier" else group[0])
    ]
    rest = len(told) - MOST_GROUPS
    return {
        "head": wording.GROUPS[name],
        "rows": told[:MOST_GROUPS],
        "note": f"And {many(rest, 'smaller one')}, in the CSV." if rest > 0 else "",
    }


def checks_of(report: Report) -> list[dict[str, Any]]:
    """Each check of the inputs with its counts and mark."""
    return [
        {
            "words": check["words"],
            "result": verdict_of(CHECK_MARKS[check["state"]], _counted(check)),
            "state": check["state"],
        }
        for check in report.data["checks"]["checks"]
    ]


def _counted(check: dict[str, Any]) -> str:
    return f"{check['good']:,} of {check['total']:,}" if check["total"] else "none to check"
