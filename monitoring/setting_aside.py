"""A record in quarantine of which nothing will come is set aside by a person, with a reason that stays in its story."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue.refusing import NotReady
from monitoring import rereading
from monitoring.connectors import READERS
from monitoring.models import QuarantinedRecord, QuarantineReading

MOST_LETTERS = 500


def set_aside(*, record: QuarantinedRecord, by: Any, at: dt.datetime, reason: str) -> None:
    """It waits no more, is not read again, and does not come back when the tool tells it again as it was.

    Raises NotAllowed for somebody who may not have the tool asked, NotReady without a reason or when it does not wait.
    """
    rereading.check_reader(record.tool, by, "set aside what is in the quarantine of {tool}")
    reason = " ".join(reason.split())
    if not reason or len(reason) > MOST_LETTERS:
        raise NotReady([f"Say why nothing will come of it, in 1 to {MOST_LETTERS} characters."])
    with transaction.atomic():
        waiting = QuarantinedRecord.objects.filter(pk=record.pk, resolved_at=None)
        if not waiting.update(resolved_at=at, set_aside=True):
            raise NotReady([f"Record {record.pk} does not wait in quarantine any more."])
        QuarantineReading.objects.create(record=record, at=at, by=by, readers=READERS, readable=False, told=f"Set aside: {reason}")
