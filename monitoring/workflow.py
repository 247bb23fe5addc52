"""The status workflow in force: the one row of thresholds."""

from __future__ import annotations

from itsm_backup.common.models import because
from monitoring.models import StatusWorkflow


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
