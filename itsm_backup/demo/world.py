"""The demo's world at an instant: its jobs with their sizes, and what they did. Read from the estate file, once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from itsm_backup.demo import keeping, planning, proving, stories, strays
from itsm_backup.demo.planning import GB, ZONE, Job, Run
from itsm_backup.estate import amounts
from monitoring import schedules
from monitoring.connectors.base import Answer

ESTATE = Path(__file__).with_name("estate.yaml")
SIZES = Path(__file__).with_name("sizes.yaml")
LOOK_BACK = dt.timedelta(days=46)
FIRST_DAY = dt.date(2026, 1, 1)
SATURDAY = 5
DAYS = 90


class World(msgspec.Struct, frozen=True):
    """What happens in the demo estate that was loaded at `anchor_at`."""

    anchor_at: dt.datetime
    jobs: dict[tuple[str, str], Job]
    deviation: planning.Deviation
    repositories: dict[str, str]
    restore_tests: Callable[[str, dt.datetime, dt.datetime], Iterator[tuple[dt.datetime, Answer]]]

    def of_tool(self, tool: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.tool == tool]

    def runs(self, tool: str, since: dt.datetime, until: dt.datetime) -> Iterator[Run]:
        """Runs of a tool's jobs that ended in (since, until]; nothing happened before the history begins."""
        for job in self.of_tool(tool):
            yield from planning.runs(job, max(since, begins_at(self.anchor_at)), until, self.deviation)

    def copies(self, tool: str, *, at: dt.datetime, read_until: dt.datetime) -> list[Run]:
        """What the tool's repository holds at an instant."""
        found: list[Run] = []
        for job in self.of_tool(tool):
            keep = keeping.kept_by_levels if job.kind == "pgbackrest" else keeping.kept
            first = max(min(at - LOOK_BACK, read_until), begins_at(self.anchor_at))
            ran = planning.runs(job, first, at, self.deviation)
            found += keep(ran, at=at, read_until=read_until)
        return found

    def is_silent(self, tool: str, at: dt.datetime) -> bool:
        return tool == stories.SILENT_TOOL and at >= stories.silent_from(self.anchor_at)


def begins_at(anchor_at: dt.datetime) -> dt.datetime:
    """Six in the morning ninety days before the anchor: from here on everything is in force."""
    return day_at(anchor_at, DAYS, dt.time(6))


def day_at(anchor_at: dt.datetime, days_ago: int, time: dt.time) -> dt.datetime:
    """A time of a day before the anchor's, in the estate's zone."""
    day = stories.local_day(anchor_at) - dt.timedelta(days=days_ago)
    return dt.datetime.combine(day, time, planning.zone()).astimezone(dt.UTC)


@lru_cache(maxsize=4)
def world(anchor_at: dt.datetime) -> World:
    """The world that was loaded at this instant."""
    data = estate()
    kinds = {tool["name"]: tool["kind"] for tool in data["tools"]}
    sizes = yaml.safe_load(SIZES.read_text())
    jobs = {}
    for wish in data["jobs"]:
        tool, name = wish["tool"], wish["id"]
        size = sizes[f"{tool} {name}"]
        jobs[tool, name] = Job(
            tool=tool,
            kind=kinds[tool],
            name=name,
            schedule=_schedule(wish["schedule"]),
            size_bytes=int(size["size_gb"] * GB),
            changed=size["changed"],
            minutes=size["minutes"],
            full_on=SATURDAY if name == "warehouse" else None,
        )
    told = stories.told(jobs, anchor_at)
    repositories = {tool["name"]: tool.get("settings", {}).get("repository", "repo1") for tool in data["tools"]}
    rto_s = {
        (wish["tool"], wish["id"]): amounts.seconds(service["commitments"]["rto"])
        for wish in data["jobs"]
        for service in data["services"]
        if service["code"] == wish["service"] and "rto" in service["commitments"]
    }
    tests = proving.tests(jobs, rto_s, anchor_at)
    return World(anchor_at, {**jobs, **strays.jobs(kinds, anchor_at)}, told, repositories, tests)


@lru_cache(maxsize=1)
def estate() -> dict[str, Any]:
    """The estate file as written: what is due, where, and what it is called."""
    return yaml.safe_load(ESTATE.read_text())


def _schedule(wish: dict[str, Any]) -> schedules.Schedule:
    times = wish.get("at", [])
    return schedules.parse(
        rrule=wish.get("rrule", "FREQ=DAILY"),
        local_times=[times] if isinstance(times, str) else times,
        zone=ZONE,
        start_on=FIRST_DAY,
        grace_s=amounts.seconds(wish["grace"]),
        early_tolerance_s=amounts.seconds(wish["early"]),
    )
