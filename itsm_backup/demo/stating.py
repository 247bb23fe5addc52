"""The demo's estate as the estate loader reads it: what is written in days from the anchor becomes instants, or days."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

from itsm_backup.common.time import iso
from itsm_backup.demo import stories
from itsm_backup.demo.world import ESTATE, day_at, estate
from itsm_backup.estate.reading import Estate

_FROM_ANCHOR = re.compile(r"(day )?D([+-]\d{1,4})(?:T(\d\d):(\d\d))?")


def stated(anchor_at: dt.datetime) -> Estate:
    """What is in force from the first day on."""
    return _as_estate(ESTATE, estate(), anchor_at)


def _as_estate(path: Path, data: Any, anchor_at: dt.datetime) -> Estate:
    return Estate(path, _filled(data, anchor_at), {})


def _filled(value: Any, anchor_at: dt.datetime) -> Any:
    if isinstance(value, dict):
        return {key: _filled(part, anchor_at) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, anchor_at) for part in value]
    if isinstance(value, str) and (found := _FROM_ANCHOR.fullmatch(value)):
        days, hour, minute = (int(part or 0) for part in found.groups()[1:])
        instant = day_at(anchor_at, -days, dt.time(hour, minute))
        return f"{stories.local_day(instant)}" if found[1] else iso(instant)
    return value
