"""Stating how a row of configuration shall be: it is made, changed where it differs, or left alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from catalogue import agreeing, comparing, publishing, relating
from catalogue.checking import UNMEASURED, Measured
from catalogue.models import Agreement, Label, Offering, Relation, Service, Team, Window, windows
from catalogue.publishing import NotReady, problems_of
from itsm_backup.common.models import because
from itsm_backup.common.time import local_day

AGREED = ("from_on", "until_on", "rpo_s", "rto_s", "retention_days", "success_rate", "text")
ANALYSED = ("mtpd_s", "tolerated_loss_s", "wrt_s", "mbco", "review_due_on")


@dataclass(frozen=True)
class Declared:
    """What came of a declaration: the row, whether it is new, and field → (before, after) of what was written."""

    row: Any
    made: bool = False
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def wrote(self) -> bool:
        return self.made or bool(self.changed)


def declare(row: Any, wanted: Mapping[str, Any], *, by: Any, reason: str) -> Declared:
    """Give the row these values, with history; nothing is written when it has them. Raises NotReady for values it cannot have."""
    made = row._state.adding
    changed = {name: (None, value) for name, value in wanted.items()} if made else _differences(row, wanted)
    if not made and not changed:
        return Declared(row)
    for name, (_, value) in changed.items():
        setattr(row, name, value)
    problems = problems_of(row)
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        row.save()
    return Declared(row, made, changed)


def declare_team(*, name: str, by: Any, at: dt.datetime, reason: str, **wanted: Any) -> Declared:
    """The team of this name with these fields (`email`)."""
    row = Team.objects.filter(name=name).first() or Team(name=name)
    return declare(row, wanted, by=by, reason=reason)


def declare_service(
    *,
    code: str,
    content: Mapping[str, Any],
    commitment: Mapping[str, Any],
    by: Any,
    approver: Any,
    at: dt.datetime,
    reason: str,
    offerings: Sequence[Mapping[str, Any]] | None = None,
    tier_defaults: bool = False,
    measured: Measured = UNMEASURED,
) -> Declared:
    """The entry with this content in force from `at`: a new version, written by `by` and approved by `approver`, where it differs.

    Raises NotReady when somebody's open version stands in the way, and whatever drafting and approving raise.
    """
    service = Service.objects.filter(code=code).first()
    newest = service.versions.approved().order_by("-number").first() if service else None
    made = newest is None
    changed = {} if newest is None else _differences(newest, content) | _differences(newest.commitment, commitment)
    if newest is not None and offerings is not None:
        before = [comparing.offered(row) for row in newest.offerings.all()]
        after = sorted((comparing.offered(Offering(**levels)) for levels in offerings), key=lambda levels: levels["name"])
        changed |= {} if before == after else {"offerings": ([each["name"] for each in before], [each["name"] for each in after])}
    if newest is not None and not changed:
        return Declared(service)
    with transaction.atomic():
        service = service or publishing.create_service(code=code, by=by, at=at, reason=reason)
        said = {"by": by, "at": at, "reason": reason}
        draft = publishing.draft_version(
            service=service, content=content, commitment=commitment, offerings=offerings, tier_defaults=made and tier_defaults, **said
        )
        publishing.submit(version=draft, announce=False, **said)
        publishing.approve(version=draft, by=approver, at=at, reason=reason, measured=measured)
    return Declared(service, made, changed or {name: (None, value) for name, value in {**content, **commitment}.items()})


def _differences(row: Any, wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (getattr(row, name), value) for name, value in wanted.items() if getattr(row, name) != value}


def declare_label(*, word: str, meaning: str, by: Any, at: dt.datetime, reason: str) -> Declared:
    """The classification label with this meaning."""
    return declare(Label.objects.filter(word=word).first() or Label(word=word), {"meaning": meaning}, by=by, reason=reason)


def declare_agreement(
    *, name: str, kind: str, party: str, content: Mapping[str, Any], by: Any, approver: Any, at: dt.datetime, reason: str
) -> Declared:
    """The newest version of the agreement with this content: a new one, written by `by` and approved by `approver`, where it differs."""
    agreement = declare(
        Agreement.objects.filter(name=name).first() or Agreement(name=name), {"kind": kind, "party": party}, by=by, reason=reason
    ).row
    newest = agreement.versions.filter(state="approved").order_by("-number").first()
    changed = {} if newest is None else _differences(newest, content)
    if newest is not None and not changed:
        return Declared(newest)
    kept = {field: getattr(newest, field) for field in AGREED} if newest else {"from_on": local_day(at, "UTC")}
    draft = agreeing.draft_agreement(agreement=agreement, content={**kept, **content}, by=by, at=at, reason=reason, announce=False)
    row = agreeing.approve(row=draft, by=approver, at=at, reason=reason, announce=False)
    return Declared(row, newest is None, changed or {field: (None, value) for field, value in content.items()})


def declare_analysis(*, service: Service, content: Mapping[str, Any], by: Any, approver: Any, at: dt.datetime, reason: str) -> Declared:
    """The newest impact analysis of the service with this content; a new one, approved by `approver`, where it differs."""
    newest = service.analyses.filter(state="approved").order_by("-number").first()
    changed = {} if newest is None else _differences(newest, content)
    if newest is not None and not changed:
        return Declared(newest)
    kept = {field: getattr(newest, field) for field in ANALYSED} if newest else {}
    draft = agreeing.draft_analysis(service=service, content={**kept, **content}, by=by, at=at, reason=reason, announce=False)
    row = agreeing.approve(row=draft, by=approver, at=at, reason=reason, announce=False)
    return Declared(row, newest is None, changed or {field: (None, value) for field, value in content.items()})


def declare_relation(*, consumer: Service, provider: Service, kind: str, by: Any, at: dt.datetime, reason: str, strength: str) -> Declared:
    """`consumer` depends on `provider` in this way. Raises NotReady when something would become a part of itself."""
    row = Relation.objects.filter(consumer=consumer, provider=provider, kind=kind).standing(at).first()
    if row is not None and row.strength == strength:
        return Declared(row)
    before = row.strength if row else None
    kept = relating.relate(consumer=consumer, provider=provider, kind=kind, strength=strength, by=by, at=at, reason=reason)
    return Declared(kept, row is None, {"strength": (before, strength)})


def declare_window(
    *, service: Service, starts_at: dt.datetime, ends_at: dt.datetime, purpose: str, by: Any, at: dt.datetime, reason: str
) -> Declared:
    """A maintenance window of the service, known by its start. It excuses only what opens after this decision.

    Raises NotReady for a new or changed window that is over already, which could excuse nothing, and for one that is too long.
    """
    row = Window.objects.filter(service=service, starts_at=starts_at).first()
    same = row is not None and (row.ends_at, row.purpose) == (ends_at, purpose)
    if not same and ends_at <= at:
        raise NotReady([windows.OVER])
    if row is None or row.ends_at != ends_at:
        row = row or Window(service=service, starts_at=starts_at)
        row.decided_at, row.decided_by = at, by
    return declare(row, {"ends_at": ends_at, "purpose": purpose}, by=by, reason=reason)
