"""The status workflow in force: the one row of thresholds, and how it is changed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from catalogue import duties
from catalogue.refusing import NotAllowed, NotReady, problems_of
from itsm_backup.common.models import because
from monitoring.models import StatusWorkflow

FIELDS = (
    "at_risk_fraction", "outage_factor_tier_1", "outage_factor_tier_2", "outage_factor_tier_3", "outage_factor_tier_4", "fall_after",
    "rise_after", "flap_window", "flap_start_ratio", "flap_stop_ratio",
)  # fmt: skip


LABELS = {
    "at_risk_fraction": "At risk from",
    **{f"outage_factor_tier_{tier}": f"Outage, tier {tier}" for tier in (1, 2, 3, 4)},
    "fall_after": "Falls after",
    "rise_after": "Rises after",
    "flap_window": "Flapping among",
    "flap_start_ratio": "Flapping begins at",
    "flap_stop_ratio": "Flapping ends below",
}
_SHARES = ("at_risk_fraction", "flap_start_ratio", "flap_stop_ratio")
_KINDS = {  # how people write it, the longest that is kept, what to write instead
    "share": (r"[01]?(\.\d{1,3})?", 1.0, "write a share from 0 to 1 with at most three decimals, such as 0.9 for 90%"),
    "factor": (r"\d{1,3}(\.\d{1,2})?", 999.99, "write a number of times the recovery point with at most two decimals, such as 2.5"),
    "count": (r"\d{1,4}", 9_999.0, "write a whole number, such as 3"),
}


def current() -> StatusWorkflow:
    """The thresholds; a fresh installation starts with the shipped ones."""
    row = StatusWorkflow.objects.filter(pk=1).first()
    if row is None:
        with because("Shipped thresholds"):
            row, _ = StatusWorkflow.objects.get_or_create(pk=1)
    return row


def thresholds(row: StatusWorkflow) -> dict[str, object]:
    """As the judgement reads them."""
    return {
        "at_risk_fraction": float(row.at_risk_fraction),
        "outage_factor": {str(tier): float(getattr(row, f"outage_factor_tier_{tier}")) for tier in (1, 2, 3, 4)},
        "fall_after": row.fall_after,
        "rise_after": row.rise_after,
    }


def flapping(row: StatusWorkflow) -> dict[str, Any]:
    """As method BM-FLAP reads them."""
    return {"window": row.flap_window, "start_ratio": float(row.flap_start_ratio), "stop_ratio": float(row.flap_stop_ratio)}


def drafted(values: Mapping[str, Any]) -> StatusWorkflow:
    """The row with these thresholds, not kept. Raises NotReady with what is wrong with them."""
    row = current()
    problems = [told for name in FIELDS if name in values and (told := _misread(name, str(values[name]).strip()))]
    if problems:
        raise NotReady(problems)
    for name in FIELDS:
        if name in values:
            setattr(row, name, values[name])
    if problems := problems_of(row):
        raise NotReady(problems)
    return row


def _misread(name: str, text: str) -> str:
    """Why what was typed is no such threshold, and how to write one; empty where it is."""
    kind = "share" if name in _SHARES else "factor" if name.startswith("outage_factor") else "count"
    pattern, most, remedy = _KINDS[kind]
    if text and re.fullmatch(pattern, text) and float(text) <= most:
        return ""
    return f"{LABELS[name]}: {remedy}. {f'“{text[:20]}” is none' if text else 'It is empty'}."


def put_in_force(*, values: Mapping[str, Any], by: Any, at: dt.datetime, reason: str) -> StatusWorkflow:
    """These thresholds count from the next judgement on. Raises NotAllowed, NotReady."""
    if told := duties.objection(by, StatusWorkflow, at):
        raise NotAllowed(told)
    if not by.is_active or not by.has_perm("monitoring.change_statusworkflow"):
        raise NotAllowed("You may not change the thresholds: monitoring administrators do.")
    if not reason.strip():
        raise NotReady(["Say why: every judgement names the version of the thresholds, and an auditor reads this beside it."])
    with transaction.atomic(), because(reason.strip(), by=by):
        StatusWorkflow.objects.select_for_update().get(pk=current().pk)
        row = drafted(values)
        row.save()
    return row
