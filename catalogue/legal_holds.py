"""Legal holds: placed on a service, shown on its entry, in the way of its retirement until they are released."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from catalogue import duties, telling
from catalogue.models import LegalHold, Retirement, Service
from catalogue.refusing import NotAllowed, NotReady, problems_of
from itsm_backup.common.models import because


def place(
    *, service: Service, owner: Any, reason: str, by: Any, at: dt.datetime, held_from: dt.datetime | None = None,
    held_until: dt.datetime | None = None,
) -> LegalHold:  # fmt: skip
    """Nothing of the service goes from now on; its owner and steward are mailed.

    Raises NotAllowed for who approves nothing of it, NotReady for a retired one.
    """
    duties.check(by=by, act="hold", on=service, at=at)
    if service.lifecycle == Service.Lifecycle.RETIRED:
        raise NotReady([f"{service.code} is retired already; a hold on it comes too late."])
    row = LegalHold(service=service, owner=owner, reason=reason.strip(), held_from=held_from or at, held_until=held_until)
    problems = problems_of(row)
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        row.save()
        version = service.version_at(at)
        people = [owner, *([version.owner, version.steward] if version else [])]
        said = f"placed a legal hold on {service.code}: nothing of it may go until it is released."
        telling.tell(
            people=people, by=by, what=f"legal-hold/{row.pk}", subject=f"Legal hold on {service.code}", said=said, reason=reason,
            address=f"/services/{service.code}/", at=at,
        )  # fmt: skip
    return row


def release(*, hold: LegalHold, by: Any, at: dt.datetime, reason: str) -> LegalHold:
    """The hold binds no longer; who was mailed of it, placed it or answers for it is mailed so.

    Nobody releases it who wrote the entry in force, or asked for its retirement: whoever would retire it does not free it.
    """
    duties.check(by=by, act="release", on=hold.service, at=at)
    if hold.service.retirements.filter(state__in=Retirement.OPEN, asked_by=by).exists():
        able = duties.names(duties.who_may("approve", hold.service, except_ids=[by.pk]))
        raise NotAllowed(f"You asked for the retirement that this hold stops, so somebody else releases it. {able or 'Nobody yet'} can.")
    with transaction.atomic(), because(reason, by=by):
        held = LegalHold.objects.select_for_update(of=("self",)).select_related("service", "released_by").get(pk=hold.pk)
        if held.released_at is not None:
            raise NotReady([f"{held} was released by {duties.names([held.released_by])} already. Nothing was changed."])
        held.released_at, held.released_by = at, by
        held.save()
        others = len(in_force(held.service, at))
        still = f" {others} other {'holds bind' if others > 1 else 'hold binds'} the service still." if others else ""
        telling.tell(
            people=_who_knows(held), by=by, what=f"legal-hold/{held.pk}-released", subject=f"Legal hold on {held.service.code} released",
            said=f"released the legal hold on {held.service.code}: it binds no longer.{still}", reason=reason,
            address=f"/services/{held.service.code}/", at=at,
        )  # fmt: skip
    return held


def _who_knows(hold: LegalHold) -> list[Any]:
    """Who was told of it, who placed it, and who answers for it."""
    told = telling.told_of(f"legal-hold/{hold.pk}")
    placed = hold.history.order_by("history_id").values_list("history_user", flat=True)[:1]  # type: ignore[attr-defined]
    return list(get_user_model().objects.filter(pk__in=[*told, *filter(None, placed), hold.owner_id]).order_by("pk"))


def in_force(service: Service, at: dt.datetime) -> list[LegalHold]:
    """The holds that bind the service at `at`, oldest first."""
    known = service.legal_holds.filter(held_from__lte=at).select_related("owner", "released_by").order_by("held_from")
    return [
        hold for hold in known if (hold.held_until is None or hold.held_until > at) and (hold.released_at is None or hold.released_at > at)
    ]
