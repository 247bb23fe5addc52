"""The levels of an offering judged like those of its entry: from the same stored inputs, with its own targets. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from catalogue.models import Offering
from itsm_backup.common.time import iso
from monitoring.judging import judge_service
from monitoring.models import Evaluation

CLAIMS = {"rpo_s": "rpo", "rto_s": "restore", "success_rate": "success"}  # level → the claim that judges it


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


def beside(offerings: Iterable[Offering], *, evaluation: Evaluation | None, at: dt.datetime) -> dict[str, list[dict[str, Any]]]:
    """Level → what each offering that has one of its own promises of it, and how that stands by the judgement in force."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CLAIMS}
    for row in offerings:
        levels = {name: getattr(row, name) for name in CLAIMS if getattr(row, name) is not None}
        claims: dict[str, Any] = {}
        if levels and evaluation is not None and evaluation.service_id:
            claims = {claim["claim"]: claim for claim in judged(evaluation.inputs, levels, at)["claims"]}
        for name, value in levels.items():
            claim = claims.get(CLAIMS[name])
            found[name].append({"name": row.name, "target": float(value), "status": claim["verdict"] if claim else "no_data"})
    return found
