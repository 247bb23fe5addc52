"""The levels of an offering judged like those of its entry: from the same stored inputs, with its own targets. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from itsm_backup.common.time import iso
from monitoring.judging import judge_service


def judged(inputs: Mapping[str, Any], levels: Mapping[str, Any], at: dt.datetime) -> dict[str, Any]:
    """The judgement at `at` as if the entry promised these levels and nothing else.

    `inputs` are those of the judgement in force at `at`. A recovery time that nobody promised of the entry has no tests in them, and
    is left unjudged.
    """
    restore, rto_s, success = inputs.get("restore"), levels.get("rto_s"), levels.get("success_rate")
    return judge_service({
        **inputs,
        "at": iso(at),
        "rpo_s": levels.get("rpo_s"),
        "success_target": None if success is None else float(success),
        "restore": {**restore, "rto_s": rto_s, "test_days": None} if restore and rto_s else None,
    })  # fmt: skip
