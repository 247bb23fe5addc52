"""Attestation: owners say, by a day, whether their entries are still right. Who has not answered is reminded."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.template.loader import render_to_string

from catalogue import duties
from catalogue.models import Attestation, AttestationRound, Service, ServiceVersion
from catalogue.refusing import NotReady
from itsm_backup.common import outbox
from itsm_backup.common.time import local_day

WEEK = dt.timedelta(days=7)


def askable(*, by: Any, department: str, at: dt.datetime) -> QuerySet[Service]:
    """Entries about which the person may ask their owners, of one department where one is named."""
    services = Service.objects.visible_to(by, "change")
    if department:
        services = services.filter(pk__in=ServiceVersion.objects.in_force(at).filter(department=department).values("service"))
    return services


def open_round(*, services: Iterable[Service], title: str, due_on: dt.date, by: Any, at: dt.datetime) -> AttestationRound:
    """Ask the owner of each of these entries; every owner gets one mail with all of theirs.

    Raises NotAllowed where a duty of `by` excludes it, NotReady when that cannot be.
    """
    duties.check_duty(by=by, duty="steward", doing="ask owners to attest", at=at)
    versions = list(ServiceVersion.objects.in_force(at).filter(service__in=[service.pk for service in services]).select_related("owner"))
    problems = []
    if not title.strip():
        problems.append("Give it a title that owners understand, such as “Yearly check of the catalogue”.")
    if due_on < local_day(at, "UTC"):
        problems.append(f"{due_on:%d %b %Y} is over already.")
    if not versions:
        problems.append("None of these entries is in force, so there is nothing to ask about.")
    if problems:
        raise NotReady(problems)
    with transaction.atomic():
        made = AttestationRound.objects.create(title=title.strip(), due_on=due_on, opened_by=by, opened_at=at)
        rows = [Attestation(round=made, service_id=each.service_id, version=each, person=each.owner) for each in versions]
        Attestation.objects.bulk_create(rows)
        _write(made, "asked", at)
    return made


def answer(
    *, round: AttestationRound, right: Collection[int], wrong: Mapping[int, str], by: Any, at: dt.datetime,
    read: Mapping[int, int] | None = None,
) -> int:  # fmt: skip
    """Answer for one's own entries, several at once: `right` are services, `wrong` maps a service to what is not right, `read` to the
    number of the version that the person read, where that is not the one that they were asked about.

    Returns how many were answered. Entries of others and answered ones are left alone. Raises NotReady for a remark that is missing, and
    where another version or another owner is in force by now: then nothing is answered, and whoever answers for it is asked about that.
    """
    silent = [pk for pk, remark in wrong.items() if not remark.strip()]
    if silent:
        raise NotReady(["Say what is not right, so that the steward can mend it."])
    chosen = round.attestations.filter(answered_at=None, service__in=[*right, *wrong])
    known = {**dict(chosen.filter(person=by).values_list("service", "version__number")), **(read or {})}
    _renew(chosen, at)
    with transaction.atomic():
        # No version of these takes force meanwhile: approving holds the entry, too.
        list(Service.objects.select_for_update().filter(pk__in=chosen.values("service")).order_by("pk"))
        rows = list(chosen.select_for_update(of=("self",)).select_related("version", "person"))
        if problems := _not_of_now(rows, known, by, at):
            raise NotReady(problems)
        mine = [row for row in rows if row.person_id == by.pk]
        for row in mine:
            row.answered_at, row.right, row.remark = at, row.service_id not in wrong, wrong.get(row.service_id, "").strip()
            row.save()
        return len(mine)


def _not_of_now(rows: Iterable[Attestation], known: Mapping[int, int], by: Any, at: dt.datetime) -> list[str]:
    """Why some of these cannot be answered by the person, who knows the version of this number of each service."""
    live = dict(ServiceVersion.objects.in_force(at).filter(service__in=[row.service_id for row in rows]).values_list("service", "number"))
    found = []
    for row in rows:
        name, number = row.version.name, live.get(row.service_id)
        if row.person_id != by.pk:
            if row.service_id in known:
                found.append(f"{duties.names([row.person])} answers for {name} by now, and is asked instead.")
        elif number is None:
            found.append(f"No version of {name} is in force any more: there is nothing to say of it.")
        elif number != known.get(row.service_id):
            found.append(f"Version {number} of {name} is in force by now: read that, then say whether it is right.")
    return found


def asked_now(rows: Iterable[Attestation], at: dt.datetime) -> list[Attestation]:
    """The rows, each that is open as it would be asked now: about the version in force, of its owner. Nothing is written; one query."""
    told: list[Any] = list(rows)
    waiting = [row.service_id for row in told if row.answered_at is None]
    versions = ServiceVersion.objects.in_force(at).filter(service__in=waiting).select_related("owner")
    live = {version.service_id: version for version in versions}
    for row in told:
        if row.answered_at is None and row.service_id in live:
            row.version, row.person = live[row.service_id], live[row.service_id].owner
    return told


def follow_owners(*, at: dt.datetime) -> int:
    """What was not answered is asked of the owner in force, about the version in force; returns how many changed.

    Whoever answers for an entry since a hand-over gets one mail for each round.
    """
    return _renew(Attestation.objects.filter(answered_at=None), at)


def _renew(open_ones: QuerySet[Attestation], at: dt.datetime) -> int:
    in_force = ServiceVersion.objects.in_force(at).filter(service=OuterRef("service"))
    newest = {"newest": Subquery(in_force.values("pk")[:1]), "owner": Subquery(in_force.values("owner")[:1])}
    waiting = open_ones.annotate(**newest).exclude(owner=None).exclude(owner=F("person"), newest=F("version"))
    handed: dict[AttestationRound, set[int]] = defaultdict(set)
    with transaction.atomic():
        rows: list[Any] = list(waiting.select_for_update(of=("self",)).select_related("round"))
        for row in rows:
            if row.person_id != row.owner:
                handed[row.round].add(row.owner)
            row.version_id, row.person_id = row.newest, row.owner
            row.save(update_fields=["version", "person"])
        for round, people in handed.items():
            _write(round, f"handed on {at:%Y-%m-%d %H:%M}", at, only=people)
    return len(rows)


def remind(*, at: dt.datetime) -> int:
    """Remind who has not answered: a week before the day, on it, and every week after it; returns how many mails were written."""
    today = local_day(at, "UTC")
    written = 0
    for row in AttestationRound.objects.filter(due_on__lte=today + WEEK, attestations__answered_at=None).distinct():
        weeks = (today - row.due_on).days // 7
        written += _write(row, f"reminder {weeks}", at)
    return written


def _write(round: AttestationRound, kind: str, at: dt.datetime, only: Collection[int] | None = None) -> int:
    waiting: dict[Any, list[str]] = defaultdict(list)
    rows = round.attestations.filter(answered_at=None).exclude(service__lifecycle=Service.Lifecycle.RETIRED)
    for row in rows.select_related("person", "version").order_by("version__name"):
        if only is None or row.person_id in only:
            waiting[row.person].append(row.version.name)
    late = round.due_on < local_day(at, "UTC")
    written = 0
    for person, names in waiting.items():
        context = {
            "round": round, "names": names, "late": late, "organisation": settings.ORGANISATION,
            "address": f"{settings.BASE_URL}/attestations/{round.pk}/",
        }  # fmt: skip
        written += bool(person.email and person.is_active) and outbox.write(
            key=f"attestation/{round.pk}/{person.pk}/{kind}", thread=f"attestation/{round.pk}/{person.pk}", recipient=person.email,
            subject=f"{'Overdue: ' if late else ''}{round.title}: {len(names)} to confirm", at=at,
            body=render_to_string("catalogue/email/attest.txt", context),
        )  # fmt: skip
    return written
