"""What a report says of all its services together, added up line by line, and the months before from the archive."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db.models import Sum
from django.db.models.functions import TruncMonth

from monitoring.models import ServiceDay
from reporting.models import Report
from reporting.scoping import Month

MONTHS = 12
SUMS = (
    "good",
    "settled",
    "pending",
    "excused",
    "unconfirmed",
    "late",
    "breaches",
    "exceeded_s",
    "moved_bytes",
    "restores",
    "restores_passed",
)


class Totals:
    """Adds up the lines of a report."""

    def __init__(self) -> None:
        self.verdicts: dict[str, int] = defaultdict(int)
        self.sums = dict.fromkeys(SUMS, 0)
        self.days: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.groups: dict[str, dict[str, list[int]]] = {"tier": {}, "application_type": {}, "department": {}}
        self.longest: list[tuple[int, str]] = []
        self.restore_times_s: list[int] = []
        self.promised = [0, 0, 0.0]  # of services that promise success: good, settled, and as many as were promised
        self.incidents: set[str] = set()
        self.open_incidents: set[str] = set()

    def add(self, line: dict[str, Any], figures: dict[str, Any]) -> None:
        success, recovery = figures["success"], figures["recovery"]
        self.verdicts[figures["verdict"]] += 1
        for name in ("good", "settled", "pending", "excused", "unconfirmed", "late"):
            self.sums[name] += success[name]
        if success.get("uncounted"):
            self.sums["uncounted"] = self.sums.get("uncounted", 0) + success["uncounted"]
        self.sums["breaches"] += recovery.get("breach_count", 0)
        self.sums["exceeded_s"] += recovery["exceeded_s"] or 0
        self.sums["moved_bytes"] += line["runs"]["moved_bytes"]
        self.sums["restores"] += len(line["restores"])
        self.sums["restores_passed"] += sum(test["passed"] for test in line["restores"])
        self.restore_times_s += [test["took_s"] for test in line["restores"] if test["passed"] and test["took_s"] is not None]
        if success["target"] is not None:
            for place, count in enumerate((success["good"], success["settled"], success["target"] * success["settled"])):
                self.promised[place] += count
        self.incidents |= {one["number"] for one in line["incidents"]}
        self.open_incidents |= {one["number"] for one in line["incidents"] if one["resolved_at"] is None}
        for day, (good, total) in line.get("by_day", {}).items():
            self.days[day][0] += good
            self.days[day][1] += total
        for name, groups in self.groups.items():
            group = groups.setdefault(str(line["service"][name] or "Not stated"), [0, 0, 0, 0])
            kept = figures["verdict"] in ("kept", "at_risk")
            for place, count in enumerate((1, kept, success["good"], success["settled"])):
                group[place] += count

    def data(self, month: Month) -> dict[str, Any]:
        """As the report keeps it; days without anything due are left out."""
        ordered = sorted(self.restore_times_s)
        return {
            "services": sum(self.verdicts.values()),
            "verdicts": dict(sorted(self.verdicts.items())),
            **self.sums,
            "restore_median_s": ordered[(len(ordered) - 1) // 2] if ordered else None,
            "incidents": len(self.incidents),
            "open_incidents": len(self.open_incidents),
            "target": round(self.promised[2] / self.promised[1], 6) if self.promised[1] else None,
            "promised_good": self.promised[0],
            "promised_settled": self.promised[1],
            "days": [[day.isoformat(), *self.days.get(day.isoformat(), [0, 0])] for day in month.days],
            "groups": {name: [[group, *counts] for group, counts in sorted(groups.items())] for name, groups in self.groups.items()},
        }


def trend(*, series: str, services: list[int], month: Month, totals: dict[str, Any]) -> list[list[Any]]:
    """Twelve months up to this one as [first day, good, settled]: archived reports of the series where there are any,
    else the day cells."""
    first = month.first
    for _ in range(MONTHS - 1):
        first = (first - dt.timedelta(days=1)).replace(day=1)
    told: dict[str, list[Any]] = {}
    cells = ServiceDay.objects.filter(service__in=services, day__gte=first, day__lt=month.first).annotate(of=TruncMonth("day"))
    for found in cells.values("of").annotate(all_good=Sum("good"), bad=Sum("failed") + Sum("missed")).order_by("of"):
        told[found["of"].isoformat()] = [found["of"].isoformat(), found["all_good"], found["all_good"] + found["bad"]]
    for report in archived(series).filter(month__gte=first, month__lt=month.first):
        kept = report.data["totals"]
        told[report.month.isoformat()] = [report.month.isoformat(), kept["good"], kept["settled"]]
    told[month.first.isoformat()] = [month.first.isoformat(), totals["good"], totals["settled"]]
    return [told[key] for key in sorted(told)]


def archived(series: str) -> Any:
    """The latest revisions of the series that were issued."""
    return Report.objects.filter(series=series).newest_of_each().exclude(state=Report.State.BLOCKED).order_by("month")


def before(*, series: str, month: Month) -> dict[str, Any] | None:
    """What the report of the month before said in all; None when there is none."""
    previous = (month.first - dt.timedelta(days=1)).replace(day=1)
    report = archived(series).filter(month=previous).first()
    if report is None:
        return None
    kept = report.data["totals"]
    names = ("services", "verdicts", "good", "settled", "breaches", "exceeded_s", "moved_bytes")
    return {"month": previous.isoformat(), **{name: kept[name] for name in names}}
