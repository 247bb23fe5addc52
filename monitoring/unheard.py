"""Until when the copies of a service are known: what came of an item since its tool fell silent nobody knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from itsm_backup.common.time import parse_instant
from monitoring.models import Evaluation, ServiceState

NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)  # of a tool that is asked and has not answered in full yet


def heard_until(evaluation: Evaluation | None) -> dict[int, dt.datetime]:
    """Of each item that stood behind a silent tool when it was judged, when that answered in full for the last time."""
    return heard_in(evaluation.inputs) if evaluation is not None and evaluation.service_id else {}


def heard_until_now(services: Iterable[int]) -> dict[int, dict[int, dt.datetime]]:
    """The same of many services, by their judgements in force. One question."""
    rows = ServiceState.objects.filter(service__in=list(services), evaluation__isnull=False).select_related("evaluation")
    return {row.pk: heard_until(row.evaluation) for row in rows}


def heard_in(inputs: Mapping[str, Any]) -> dict[int, dt.datetime]:
    """The same of what a judgement of a service stood on."""
    silent = {
        source["tool"]: parse_instant(source["silent_since"]) if source["silent_since"] else NEVER
        for source in inputs.get("sources", ())
        if source["silent"]
    }
    return {item["item"]: silent[item["tool"]] for item in inputs.get("items", ()) if item["tool"] in silent}
