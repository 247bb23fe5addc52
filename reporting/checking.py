"""Whether the data of a month can carry a report (BM-DQ), counted before anything else is calculated and printed in the report."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from monitoring.methods.canonical import rate
from monitoring.methods.comparison import gate
from monitoring.models import BackupJob, Tool
from reporting.collecting import SKEW_S
from reporting.scoping import Month

FRESH_WITHIN = dt.timedelta(hours=24)


class Counted(msgspec.Struct):
    """What the checks count over all services of a report; `add` takes the inputs of one service."""

    services: int = 0
    expected: int = 0
    known: int = 0
    received: int = 0
    distinct: int = 0
    sound: int = 0
    skewed: int = 0
    compared: int = 0
    agreeing: int = 0
    judged: int = 0
    aligned: int = 0
    unchanged: int = 0
    changed_names: list[str] = []
    disagreeing_names: list[str] = []
    misjudged_names: list[str] = []

    def add(self, line: dict[str, Any]) -> None:
        self.services += 1
        for state, settled, count in line["ledger"]:
            if state in ("excused", "uncounted"):
                continue
            self.expected += count
            self.known += count if settled and state != "unconfirmed" else 0
        runs = line["runs"]
        self.received += runs["received"]
        self.distinct += runs["distinct"]
        self.sound += min(runs["sound"], runs["distinct"])
        self.skewed += runs["skewed"]
        self._compare(line)
        self._align(line)

    def _compare(self, line: dict[str, Any]) -> None:
        if not line["unscheduled_jobs"] and line["jobs"]:
            self.compared += 1
            if line["cells"] == line["cells_due"]:
                self.agreeing += 1
            else:
                self.disagreeing_names.append(line["service"]["name"])

    def _align(self, line: dict[str, Any]) -> None:
        if line["judged_by"] is not None:
            self.judged += 1
            if line["judged_by"]["version_id"] == line["version"]["id"]:
                self.aligned += 1
            else:
                self.misjudged_names.append(line["service"]["name"])
        promised = {(part["rpo_s"], part["success_rate"]) for part in line["promises"]}
        if len(promised) > 1:
            self.changed_names.append(line["service"]["name"])
        else:
            self.unchanged += 1


def tools_heard(*, services: list[int], month: Month) -> tuple[int, int]:
    """(polled tools heard completely up to the month's end, all polled tools that back the services up).

    A tool that reports by itself has no reading to be complete: its silence shows as missed runs.
    """
    tools = Tool.objects.filter(enabled=True, jobs__service__in=services, jobs__first_seen_at__lt=month.ends_at).distinct()
    polled = [tool for tool in tools.select_related("state") if tool.connector.polled]
    needed = month.ends_at - FRESH_WITHIN
    heard = [tool for tool in polled if tool.state.latest_complete_at and tool.state.latest_complete_at >= needed]
    return len(heard), len(polled)


def unmapped_jobs(*, month: Month) -> tuple[int, int]:
    """(jobs that belong to a service, all jobs known by the month's end)."""
    jobs = BackupJob.objects.filter(first_seen_at__lt=month.ends_at)
    return jobs.filter(service__isnull=False).count(), jobs.count()


def result_of(counted: Counted, *, tools: tuple[int, int], jobs: tuple[int, int] | None) -> dict[str, Any]:
    """BM-DQ's gate and every check with its counts; each check's `state` is passed, qualified (marks) or blocked."""
    completeness = rate(counted.known, counted.expected)
    uniqueness = rate(counted.distinct, counted.received)
    referential = rate(counted.sound, counted.distinct)
    heard, polled = tools
    checks = [
        _ratio("completeness", "Every due run is accounted for", counted.known, counted.expected, least=0.9),
        _all("freshness", "Tools heard up to the end of the month", heard, polled, failed="blocked"),
        _ratio("uniqueness", "No run is counted twice", counted.distinct, counted.received, least=None),
        _ratio("referential", "Every run has a service and a version in force", counted.sound, counted.distinct, least=0.9),
        _all("skew", f"Clocks agree within {SKEW_S // 60} min", counted.received - counted.skewed, counted.received),
        _all("sources", "Day cells and ledger agree", counted.agreeing, counted.compared),
        _all("alignment", "Judged by the version in force", counted.aligned, counted.judged),
        {**_all("promises", "Promise unchanged in the month", counted.unchanged, counted.services), "state": "passed"},
    ]
    if jobs is not None:
        checks.insert(4, _all("mapping", "Every job maps to a service", *jobs))
    by_method = gate(
        completeness=completeness, referential=referential, uniqueness=uniqueness, fresh=heard == polled, skewed=counted.skewed
    )
    result = "qualified" if by_method == "passed" and any(check["state"] != "passed" for check in checks) else by_method
    return {
        "method": "BM-DQ",
        "version": "1",
        "completeness": completeness,
        "uniqueness": uniqueness,
        "referential": referential,
        "skew_violations": counted.skewed,
        "fresh": heard == polled,
        "gate": by_method,
        "result": result,
        "checks": checks,
        "notes": _notes(counted),
    }


def _ratio(name: str, words: str, good: int, total: int, *, least: float | None) -> dict[str, Any]:
    share = rate(good, total) or 0.0
    state = "passed" if share >= 0.99 - 1e-9 else "qualified"
    if least is not None and share < least - 1e-9:
        state = "blocked"
    return {"check": name, "words": words, "good": good, "total": total, "state": state}


def _all(name: str, words: str, good: int, total: int, *, failed: str = "qualified") -> dict[str, Any]:
    return {"check": name, "words": words, "good": good, "total": total, "state": "passed" if good == total else failed}


def _notes(counted: Counted) -> list[str]:
    told = []
    for names, words in (
        (counted.changed_names, "The promise changed within the month; each day is held against the promise of that day"),
        (counted.disagreeing_names, "Day cells and ledger differ; the ledger is used"),
        (counted.misjudged_names, "The last judgement of the month used another version than the one in force"),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            told.append(f"{words}: {', '.join(names[:5])}{more}.")
    return told


def state_for(result: str, *, policy: str) -> str:
    """Whether a report with this result is issued, issued but marked (qualified), or stopped (blocked), by the policy."""
    if result == "passed":
        return "issued"
    if policy == "strict":
        return "blocked"
    return "blocked" if result == "blocked" and policy == "block" else "qualified"
