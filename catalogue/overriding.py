"""The status set by hand: for a time, by an operator, with somebody who answers for it; the verdict is judged on as ever."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from catalogue import duties
from catalogue.models import Service, StatusOverride
from catalogue.refusing import NotReady, WrongState, problems_of
from itsm_backup.common.models import because


def override(
    *, service: Service, status: str, owner: Any, expires_at: dt.datetime, by: Any, at: dt.datetime, reason: str
) -> StatusOverride:
    """The service has this status until `expires_at`, whatever is computed. Raises NotAllowed, and NotReady with what is missing."""
    duties.check(by=by, act="override", on=service, at=at)
    if not reason.strip():
        raise NotReady(["Say why: it stands beside the status for everybody."])
    if expires_at <= at:
        raise NotReady(["It must end after it begins, and within 30 days."])
    row = StatusOverride(
        service=service, status=status, owner=owner, reason=reason.strip(), made_at=at, made_by=by, expires_at=expires_at
    )  # fmt: skip
    with transaction.atomic(), because(reason.strip(), by=by):
        Service.objects.select_for_update().get(pk=service.pk)  # two who set it at once are told in turn
        if problems := problems_of(row):
            raise NotReady(problems)
        row.save()
    return row


def end(*, row: StatusOverride, by: Any, at: dt.datetime, reason: str) -> StatusOverride:
    """The computed status counts again from now on. Raises NotAllowed, WrongState when it is over already."""
    duties.check(by=by, act="override", on=row.service, at=at)
    with transaction.atomic(), because(reason.strip() or "Ended.", by=by):
        held = StatusOverride.objects.select_for_update(of=("self",)).get(pk=row.pk)
        if held.ended_at is not None or held.expires_at <= at:
            raise WrongState("It is over already. Nothing was changed.")
        held.ended_at, held.ended_by = at, by
        held.save()
    return held
