"""Is a tool still talking to us? Judged once per tool, so that its silence is one alert and not one per service."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max

from itsm_backup.common.time import iso, parse_instant
from monitoring import alerting, workflow
from monitoring.carrying import each
from monitoring.models import BackupJob, Evaluation, ToolState
from monitoring.storing import judge_again

METHOD_VERSION = "silence-1"


def judge_tools(*, at: dt.datetime) -> int:
    """Judge every tool whose time has come; returns how many."""
    waiting = list(ToolState.objects.filter(next_judgement_at__lte=at).values_list("pk", flat=True)[:500])
    return each(waiting, lambda pk: _judge(pk, at), "judging the silence of tool")


@transaction.atomic
def _judge(tool_id: int, at: dt.datetime) -> bool:
    state = (
        ToolState.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("tool")
        .filter(pk=tool_id, next_judgement_at__lte=at)
        .first()
    )
    if state is None:
        return False
    rules = workflow.current()
    inputs = inputs_of(state, rules.silent_after_polls, at)
    result = judge_tool(inputs)
    if (state.silent_since is not None) != result["silent"]:
        evaluation = _remember(state, inputs, result, rules, at)
        state.silent_since = parse_instant(result["since"]) if result["silent"] else None
        services = list(BackupJob.objects.filter(tool=tool_id, service__isnull=False).values_list("service", flat=True).distinct())
        judge_again(services, at)
        alerting.follow_tool(evaluation=evaluation, at=at)
    state.next_judgement_at = parse_instant(result["next_change_at"]) if result["next_change_at"] else None
    state.save(update_fields=["silent_since", "next_judgement_at", "evaluation"])
    return True


def inputs_of(state: ToolState, silent_after_polls: int, at: dt.datetime) -> dict[str, Any]:
    """What the judgement reads, as canonical JSON-able values."""
    return {
        "at": iso(at),
        "tool": state.tool_id,
        "enabled": state.tool.enabled,
        "polled": state.tool.connector.polled,
        "poll_interval_s": state.asked_every_s,
        "silent_after_polls": silent_after_polls,
        "monitored_from": iso(state.tool.monitored_from),
        "latest_complete_at": iso(state.latest_complete_at),
        "problem": state.problem,
    }


def judge_tool(inputs: dict[str, Any]) -> dict[str, Any]:
    """Silent or not. A polled tool is silent when no complete reading came for `silent_after_polls` intervals.

    A tool that reports by itself is never silent as a whole: its silence is a missed run of a job. Pure.
    """
    heard = parse_instant(inputs["latest_complete_at"] or inputs["monitored_from"])
    limit = heard + dt.timedelta(seconds=inputs["poll_interval_s"] * inputs["silent_after_polls"])
    watched = inputs["polled"] and inputs["enabled"]
    silent = watched and parse_instant(inputs["at"]) > limit
    ahead = iso(limit + dt.timedelta(seconds=1)) if watched and not silent else None
    return {"silent": silent, "since": iso(heard), "limit_at": iso(limit), "problem": inputs["problem"], "next_change_at": ahead}


def _remember(state: ToolState, inputs: dict[str, Any], result: dict[str, Any], rules: Any, at: dt.datetime) -> Evaluation:
    evaluation = Evaluation.objects.create(
        tool=state.tool,
        at=at,
        workflow=rules.history.aggregate(newest=Max("history_id"))["newest"],
        method_version=METHOD_VERSION,
        inputs=inputs,
        inputs_hash=hashlib.sha256(msgspec.json.encode(inputs, order="sorted")).digest(),
        result=result,
        verdict="no_data" if result["silent"] else "kept",
        status="unknown" if result["silent"] else "operational",
    )
    state.evaluation = evaluation
    return evaluation
