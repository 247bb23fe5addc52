"""Following up what a recount found: a person explains why the published figure stands."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue.refusing import NotAllowed, NotReady
from reporting.models import Discrepancy, Settlement

SETTLE = "reporting.settle_discrepancy"


def explain(*, discrepancy: Discrepancy, by: Any, at: dt.datetime, reason: str) -> Settlement:
    """The report stands, for this reason. What is found to differ otherwise later is told anew. Raises NotAllowed, NotReady."""
    if not by.is_active or not by.has_perm(SETTLE):
        raise NotAllowed("Following up what differs takes the role steward or operator.")
    if not reason.strip():
        raise NotReady(["Say why the published figure stands: an auditor reads it beside both figures."])
    with transaction.atomic():
        row = Discrepancy.objects.select_for_update().get(pk=discrepancy.pk)
        if Settlement.objects.filter(discrepancy=row).exists():
            raise NotReady(["It has been followed up meanwhile. Look at it again."])
        return Settlement.objects.create(discrepancy=row, how=Settlement.How.EXPLAINED, by=by, at=at, reason=reason.strip())
