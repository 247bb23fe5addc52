"""What the demo's tools tell that nobody declared: jobs that no rule gives to a service, and a report that cannot be read. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from itsm_backup.demo.answering import instant
from itsm_backup.demo.planning import GB, ZONE, Job, zone
from itsm_backup.demo.stories import local_day
from monitoring import schedules
from monitoring.connectors.base import Answer, Step

STRAYS = Path(__file__).with_name("strays.yaml")


@lru_cache(maxsize=1)
def strays() -> dict[str, list[dict[str, Any]]]:
    return yaml.safe_load(STRAYS.read_text())


def jobs(kinds: Mapping[str, str], anchor_at: dt.datetime) -> dict[tuple[str, str], Job]:
    """The jobs, each from its first day on."""
    return {(wish["tool"], wish["id"]): _job(wish, kinds[wish["tool"]], anchor_at) for wish in strays()["jobs"]}


def _job(wish: Mapping[str, Any], kind: str, anchor_at: dt.datetime) -> Job:
    begins_on = local_day(anchor_at) - dt.timedelta(days=wish["days_ago"])
    schedule = schedules.parse(rrule="FREQ=DAILY", local_times=[wish["at"]], zone=ZONE, start_on=begins_on)
    return Job(
        tool=wish["tool"], kind=kind, name=wish["id"], schedule=schedule, size_bytes=int(wish["size_gb"] * GB), changed=wish["changed"],
        minutes=wish["minutes"],
    )  # fmt: skip


def unreadable(tool: str, anchor_at: dt.datetime, since: dt.datetime, until: dt.datetime) -> Iterator[Answer]:
    """What scripts reported for a tool in (since, until] that says no instant anybody could read."""
    for wish in strays()["unreadable"]:
        day = local_day(anchor_at) - dt.timedelta(days=wish["days_ago"])
        at = dt.datetime.combine(day, dt.time.fromisoformat(wish["time"]), zone()).astimezone(dt.UTC)
        if wish["tool"] == tool and since < at <= until:
            step = Step(name="body", stdout=json.dumps([wish["says"]]))
            yield Answer(kind="api", steps=[step], meta={"content_type": "application/json", "received_at": instant(at)})
