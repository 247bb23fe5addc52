"""Where a service stands: the only writer of ServiceStatus."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue.models import Service, ServiceStatus, StatusChange
from catalogue.propagating import SPREADS


def change(*, service: Service, to: str, reason: str, evaluation: int | None, at: dt.datetime, by: Any = None) -> bool:
    """Move the service to the operational status `to` and remember the step; False when it already stands there.

    `evaluation` is the id of the judgement that decided, or None. A service without a status row gets one (its first
    step comes from no status).
    """
    with transaction.atomic():
        row, made = ServiceStatus.objects.select_for_update().get_or_create(
            service=service, defaults={"status": to, "since": at, "reason": reason, "evaluation": evaluation}
        )
        if not made and row.status == to:
            return False
        before = "" if made else row.status
        spreads = before in SPREADS or to in SPREADS
        if spreads or not made:
            row.status, row.since, row.reason, row.evaluation = to, at, reason, evaluation
            row.propagate_at = at if spreads else row.propagate_at
            row.save()
        StatusChange.objects.create(service=service, at=at, from_status=before, to_status=to, reason=reason, evaluation=evaluation, by=by)
    return True
