"""Approved versions taken back before their day, and what becomes of those that were written on top of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from catalogue import comparing, duties, publishing, reviewing, wording
from catalogue.models import Service, ServiceVersion
from catalogue.refusing import TRANSITIONS, NotReady, WrongState, locked, words_of
from itsm_backup.common.models import because

State = ServiceVersion.State


def withdraw(*, version: ServiceVersion, by: Any, at: dt.datetime, reason: str) -> ServiceVersion:
    """Take an approved version back before its day: what would have ended with it goes on, until what follows. It stays readable.

    A version in review was read against this one: it becomes a draft again, and like a draft it is told what it carries of this one.
    Raises NotAllowed for who may neither change nor approve the entry, WrongState once it has been in force, NotReady while a version
    that is planned after it says what this one brought in.
    """
    if not any(duties.may(by=by, act=act, on=version.service, at=at) for act in ("change", "approve")):
        duties.check(by=by, act="approve", on=version.service, at=at)
    with transaction.atomic(), because(publishing.reason_of("withdraw", reason), by=by):
        version = locked(version, "withdraw")
        start, end = version.effective.lower, version.effective.upper
        if start <= at:
            raise WrongState(
                f"{version} has been in force since {words_of(start)}: what was promised stays. Draft the next version instead."
            )
        if in_the_way := obstacles(version):
            raise NotReady(in_the_way)
        before, changes = _before(version), _brought_in(version)
        version.state, version.effective = TRANSITIONS["withdraw"].target, None
        version.save()
        if before is not None:
            before.effective = DateTimeTZRange(before.effective.lower, end)
            before.save()
        elif not version.service.versions.approved().exists():
            version.service.lifecycle = Service.Lifecycle.PIPELINE
            version.service.save()
        for one in _on_their_way(version):
            _tell_of(one, version, changes, by=by, at=at, reason=reason)
    return version


def obstacles(version: ServiceVersion) -> list[str]:
    """One sentence for each version planned after this one that says what this one brought in: it would take force all the same."""
    changes = _brought_in(version)
    told = []
    for later in version.service.versions.approved().filter(effective__startswith__gt=version.effective.lower).order_by("number"):
        if carried := _carried(later, changes):
            told.append(
                f"Version {later.number}, planned for {words_of(later.effective.lower)}, says the same: {wording.sentence(carried)}."
                f" Withdraw version {later.number} first, and write it anew without that."
            )
    return told


def consequences(version: ServiceVersion) -> list[str]:
    """What withdrawing does to a version on its way, in sentences."""
    changes = _brought_in(version)
    told = []
    for one in _on_their_way(version):
        carried = _carried(one, changes)
        says = f" It says the same: {wording.sentence(carried)}." if carried else ""
        becomes = "goes back to draft, because it was read against this one" if one.state == State.IN_REVIEW else "stays a draft"
        told.append(f"Version {one.number} {becomes}.{says}")
    return told


def _tell_of(
    one: ServiceVersion, withdrawn: ServiceVersion, changes: list[comparing.Change], *, by: Any, at: dt.datetime, reason: str
) -> None:
    carried = _carried(one, changes)
    text = f"Version {withdrawn.number} is withdrawn: {reason.strip()}"
    if carried:
        text += f"\nThis one still says what that brought in: {wording.sentence(carried)}. Take it out, or leave it if it is meant."
    if one.state == State.IN_REVIEW:
        publishing.return_to_draft(version=one, by=by, at=at, reason=text)
    elif carried:
        reviewing.comment(version=one, text=text, by=by, at=at)


def _before(version: ServiceVersion) -> ServiceVersion | None:
    """The one that ends with it."""
    return version.service.versions.approved().filter(effective__endswith=version.effective.lower).first()


def _brought_in(version: ServiceVersion) -> list[comparing.Change]:
    before = _before(version)
    changes = comparing.diff(comparing.content_of(before) if before else {}, comparing.content_of(version))
    return [each for each in changes if before is not None or each.after not in (None, "", [])]


def _carried(other: ServiceVersion, changes: list[comparing.Change]) -> list[comparing.Change]:
    content = comparing.content_of(other)
    return [each for each in changes if content.get(each.field) == each.after]


def _on_their_way(version: ServiceVersion) -> list[ServiceVersion]:
    return list(version.service.versions.filter(state__in=(State.DRAFT, State.IN_REVIEW)).select_related("service"))
