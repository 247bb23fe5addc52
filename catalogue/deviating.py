"""Deviations: leave to promise what an inequality forbids, for a time, with somebody who answers for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string

from catalogue import duties, telling
from catalogue.checking import UNMEASURED, Measured, borne
from catalogue.models import Deviation, Service, ServiceVersion
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common import outbox
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

REMIND_BEFORE = dt.timedelta(days=14)
LONGEST = dt.timedelta(days=366)
CODES = {
    "SCHEDULE_EXCEEDS_RPO": "The backup schedule cannot keep the recovery point",
    "RPO_EXCEEDS_BIA_TOLERANCE": "The recovery point loses more than the business tolerates",
    "RTO_PLUS_WRT_EXCEEDS_MTPD": "Recovery takes longer than the business can bear",
    "MEASURED_RESTORE_EXCEEDS_RTO": "Restore tests take longer than promised",
    "RETENTION_BELOW_MINIMUM": "Copies are kept shorter than asked for",
    "RETENTION_ABOVE_MAXIMUM": "Copies are kept longer than allowed",
    "INHERITED_COMMITMENT_TOO_WEAK": "A service it hangs on promises less",
    "COMMITMENT_WEAKER_THAN_SLA": "The entry promises less than its SLA",
    "AGREEMENT_TOO_WEAK": "An agreement behind it gives less than is promised",
    "OFFERING_STRONGER_THAN_ENTRY": "An offering promises more than the entry is judged by",
}


def ask(
    *, service: Service, code: str, owner: Any, expires_on: dt.date, by: Any, at: dt.datetime, reason: str, announce: bool = True
) -> Deviation:
    """Ask for a deviation from the inequality `code`; approvers and its owner are mailed (`announce`).

    Raises NotAllowed where a duty of `by` excludes it, NotReady for an unknown code, a day that is over, or an inactive owner.
    """
    duties.check_duty(by=by, duty="steward", doing=f"ask for a deviation of {service}", at=at)
    row = Deviation(service=service, code=code, reason=reason, owner=owner, expires_on=expires_on, asked_by=by, asked_at=at)
    problems = problems_of(row)
    if code not in CODES:
        problems.append(f"{code} is no inequality that a deviation can bear. There are: {', '.join(CODES)}.")
    if expires_on and expires_on < local_day(at, "UTC"):
        problems.append(f"{expires_on:%d %b %Y} is over already: a deviation looks ahead.")
    elif expires_on and expires_on > local_day(at, "UTC") + LONGEST:
        problems.append(f"{expires_on:%d %b %Y} is more than a year ahead. Choose an earlier day: it can be asked for again.")
    if owner and not owner.is_active:
        problems.append(f"{duties.names([owner])} has left: name an owner with a live account.")
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        row.save()
        if announce:
            able = duties.who_may("approve", service, except_ids=[owner.pk, by.pk])
            _tell(row, [owner, *able], by, "asked for", reason, at)
    return row


def grant(
    *, deviation: Deviation, by: Any, at: dt.datetime, reason: str, measured: Measured = UNMEASURED, announce: bool = True
) -> Deviation:
    """Bear, until its last day, what breaks the inequality now, in force or on its way, and nothing worse.

    `measured` is what the monitoring measured for the entry. Raises NotAllowed for its owner, for who asked, and for who is no approver;
    WrongState.
    """
    with transaction.atomic(), because(reason.strip() or "Granted.", by=by):
        row = _open(deviation)
        check_granter(row, by, at)
        if row.expires_on < local_day(at, "UTC"):
            raise NotReady([f"It would have ended on {row.expires_on:%d %b %Y}. Ask again with a later day."])
        row.approver, row.granted_at = by, at
        row.bears = {}
        for gap in borne(service=row.service, code=row.code, measured=measured, at=at):
            row.bears[gap.subject] = max(gap.size, row.bears.get(gap.subject, 0.0))
        row.save()
        if announce:
            _tell(row, [row.owner, row.asked_by], by, "granted", reason, at)
    return row


def check_granter(deviation: Deviation, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming the rule or who can, unless `by` may grant it: an approver of the service who neither owns nor asked for
    it, and did not write the promise that it bears.
    """
    able = duties.who_may("approve", deviation.service, except_ids=[deviation.owner_id, deviation.asked_by_id, by.pk])
    others = f"{duties.names(able)} can." if able else "Nobody else holds that duty yet: an administrator can grant the role approver."
    if by.pk in (deviation.owner_id, deviation.asked_by_id):
        raise NotAllowed(f"Who owns a deviation or asked for it cannot grant it. {others}")
    duties.check(by=by, act="grant", on=deviation.service, at=at)


def end(*, deviation: Deviation, by: Any, at: dt.datetime, reason: str) -> Deviation:
    """Refuse the deviation, or take it back: from now on it bears nothing. Raises WrongState when it is over already."""
    with transaction.atomic(), because(reason, by=by):
        row = Deviation.objects.select_for_update(of=("self",)).select_related("service", "owner", "asked_by").get(pk=deviation.pk)
        if row.ended_at is not None:
            raise WrongState(f"The {row} is over already. Nothing was changed.")
        row.ended_at = at
        row.save()
        _tell(row, [row.owner, row.asked_by], by, "took back" if row.granted_at else "refused", reason, at)
    return row


def _tell(row: Deviation, people: Iterable[Any], by: Any, did: str, reason: str, at: dt.datetime) -> None:
    telling.tell(
        people=people, by=by, what=f"deviation/{row.pk}/{did.replace(' ', '-')}", subject=f"Deviation of {row.service.code}: {did}",
        said=f"{did} a deviation of {row.service.code} until {row.expires_on:%d %b %Y}: {CODES[row.code].lower()}.", reason=reason,
        address=f"/services/{row.service.code}/commitment/", at=at,
    )  # fmt: skip


def remind(*, at: dt.datetime) -> int:
    """Tell the owners of deviations that end within two weeks, once each; returns how many mails were written."""
    today = local_day(at, "UTC")
    ending = Deviation.objects.filter(granted_at__isnull=False, ended_at=None, expires_on__gte=today, expires_on__lte=today + REMIND_BEFORE)
    ending = ending.exclude(service__lifecycle=Service.Lifecycle.RETIRED)
    names = dict(ServiceVersion.objects.in_force(at).filter(service__in=ending.values("service")).values_list("service_id", "name"))
    written = 0
    for row in ending.select_related("service", "owner").exclude(owner__email=""):
        context = {
            "deviation": row, "words": CODES[row.code], "name": names.get(row.service_id, row.service.code),
            "organisation": settings.ORGANISATION, "address": f"{settings.BASE_URL}/services/{row.service.code}/commitment/",
        }  # fmt: skip
        written += outbox.write(
            key=f"deviation/{row.pk}/ends", thread=f"deviation/{row.pk}", recipient=row.owner.email,
            subject=f"Deviation of {context['name']} ends on {row.expires_on:%d %b %Y}",
            body=render_to_string("catalogue/email/deviation_ends.txt", context), at=at,
        )  # fmt: skip
    return written


def state_of(deviation: Deviation, at: dt.datetime) -> str:
    """asked, granted, expired, taken back or refused."""
    if deviation.ended_at is not None and deviation.ended_at <= at:
        return "taken back" if deviation.granted_at else "refused"
    if deviation.expires_on < local_day(at, "UTC"):
        return "expired"
    return "granted" if deviation.granted_at and deviation.granted_at <= at else "asked"


STATES = ("asked", "granted", "expired", "taken back", "refused")


def in_state(state: str, at: dt.datetime) -> Q:
    """The condition for deviations of which `state_of` says this, one of STATES, at that instant."""
    over = Q(ended_at__isnull=False, ended_at__lte=at)
    if state in ("taken back", "refused"):
        return over & Q(granted_at__isnull=state == "refused")
    last_day_over = Q(expires_on__lt=local_day(at, "UTC"))
    if state == "expired":
        return ~over & last_day_over
    granted = Q(granted_at__isnull=False, granted_at__lte=at)
    return ~over & ~last_day_over & (granted if state == "granted" else ~granted)


def _open(deviation: Deviation) -> Deviation:
    row: Deviation = Deviation.objects.select_for_update(of=("self",)).select_related("service", "owner", "asked_by").get(pk=deviation.pk)
    if row.granted_at is not None or row.ended_at is not None:
        raise WrongState(f"The {row} was decided on already. Nothing was changed; look at it again.")
    return row
