"""Exceptions from the separation of duties: dated, owned, approved by somebody else, and ended early with a reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from catalogue import duties
from catalogue.duties import NotAllowed
from catalogue.models.duties import DutyException
from catalogue.publishing import NotReady, problems_of
from itsm_backup.common.models import because

MAY_EXCEPT = "catalogue.add_dutyexception"


def except_duties(
    *, person: Any, one: str, other: str, owner: Any, reason: str, valid_until: dt.datetime, by: Any, at: dt.datetime,
    valid_from: dt.datetime | None = None,
) -> DutyException:  # fmt: skip
    """`person` may hold both duties until then; `by` approves it and `owner` answers for it, and neither of them is the person.

    Raises NotAllowed for who may approve none, NotReady for duties that go together anyway, and for times that cannot be.
    """
    if not by.is_active or not by.has_perm(MAY_EXCEPT):
        raise NotAllowed("Exceptions are approved by administrators. Ask one of them.")
    row = DutyException(
        person=person, one=one, other=other, owner=owner, reason=reason.strip(), approver=by, approved_at=at,
        valid_from=valid_from or at, valid_until=valid_until,
    )  # fmt: skip
    problems = problems_of(row) + _problems(row, at)
    if problems:
        raise NotReady(list(dict.fromkeys(problems)))
    row._history_date = at  # type: ignore[attr-defined]  # what was known when follows the act's own time
    with transaction.atomic(), because(reason, by=by):
        row.save()
    return row


def end(*, exception: DutyException, by: Any, at: dt.datetime, reason: str) -> DutyException:
    """The exception ends now. Who still holds both duties then is refused what either of them does."""
    if not by.is_active or not by.has_perm(MAY_EXCEPT):
        raise NotAllowed("Exceptions are ended by administrators. Ask one of them.")
    with transaction.atomic(), because(reason, by=by):
        held = DutyException.objects.select_for_update().get(pk=exception.pk)
        if not held.valid_from < at < held.valid_until:
            raise NotReady([f"The exception {held} is not in force. Nothing was changed."])
        held.valid_until = at
        held._history_date = at  # type: ignore[attr-defined]
        held.save()
    return held


def ends_known(rows: Iterable[DutyException], at: dt.datetime) -> dict[int, dt.datetime]:
    """The end of each as it was known at that instant: one that was ended early later on still ended on its day."""
    known: dict[int, dt.datetime] = {}
    entries = DutyException.history.filter(id__in=[row.pk for row in rows]).order_by("history_date", "history_id")
    for pk, since, until in entries.values_list("id", "history_date", "valid_until"):
        if pk not in known or since <= at:
            known[pk] = until
    return known


def _problems(row: DutyException, at: dt.datetime) -> list[str]:
    """What no field knows by itself."""
    found = []
    if row.one and row.other and duties.rule_between(row.one, row.other) is None:
        found.append(f"{row.one} and {row.other} may be held together: no exception is needed.")
    if row.approver_id == row.person_id:
        found.append("Nobody approves an exception for themselves: ask another administrator.")
    if row.owner_id is not None and row.owner_id == row.person_id:
        found.append("Nobody owns an exception of their own: name somebody who looks at what is done under it.")
    if row.valid_from < at:
        found.append("It begins with its approval, not before: leave the beginning empty for now, or choose one that is still to come.")
    if row.valid_until and row.valid_until <= at:
        found.append("It would be over already: choose an end that is still to come.")
    return found
