"""Agreements behind an entry and its impact analyses in its history: written, changed, approved, cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from catalogue import agreeing
from catalogue.chronicle.events import Asked, Event, Key, Source, differing, no_later_than, said_by, stayed, step, turned, with_before
from catalogue.models import Agreement, AgreementVersion, ImpactAnalysis

AGREED = ("from_on", "until_on", "rpo_s", "rto_s", "retention_days", "success_rate", "text")
BORNE = ("mtpd_s", "tolerated_loss_s", "wrt_s", "mbco", "review_due_on")
WORDS = {"drafted": "was drafted", "changed": "was changed", "approved": "was approved", "cancelled": "was cancelled"}


def _agreements(asked: Asked) -> QuerySet:
    """Versions of every agreement that a version of the entry names, as far as the person reads them."""
    named = Q()
    for kind in Agreement.Kind.values:
        named |= Q(agreement__in=asked.versions.filter(**{f"{kind}__isnull": False}).values(f"{kind}__agreement"))
    return agreeing.agreements_read_by(asked.user, at=asked.at, past=asked.past).filter(named)


def _analyses(asked: Asked) -> QuerySet:
    return agreeing.analyses_read_by(asked.user, at=asked.at, past=asked.past).filter(service=asked.service)


def _rows(model: Any, part: str, read: Callable[[Asked], QuerySet]) -> Callable[[Asked], Iterable[QuerySet]]:
    def rows(asked: Asked) -> Iterable[QuerySet]:
        history = model.history.filter(id__in=read(asked).values("pk"))
        moved = turned(history, model)
        written = no_later_than(model, "approved_at")
        yield step(history.filter(history_type="+"), asked, part=part, name="drafted", at=written)
        when = Coalesce(F("approved_at"), F("history_date"))
        yield step(moved.filter(state="approved"), asked, part=part, name="approved", at=when, rank=2)
        yield step(moved.filter(state="cancelled"), asked, part=part, name="cancelled", at="history_date", rank=2)
        if asked.reads_drafts:
            yield step(stayed(history, model), asked, part=part, name="changed", at="history_date", rank=1)

    return rows


def _told(model: Any, part: str, owner: str, fields: tuple[str, ...]) -> Callable[[Asked, list[Key]], dict[Key, Event]]:
    def told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
        found = {row.pk: (row, before) for row, before in with_before(model, [pk for _, pk in keys], owner)}
        ends = {row.id for row, _ in found.values()}
        earlier = model._base_manager.filter(**{owner: OuterRef(owner)}, state="approved", number__lt=OuterRef("number")).order_by(
            "-number"
        )
        follows = dict(model._base_manager.filter(pk__in=ends).annotate(_f=Subquery(earlier.values("pk")[:1])).values_list("pk", "_f"))
        approved = model._base_manager.in_bulk({pk for pk in follows.values() if pk})
        events = {}
        for name, pk in keys:
            row, before = found[pk]
            old = approved.get(follows.get(row.id)) if name in ("approved", "drafted") else before
            what = (
                f"Agreement {getattr(row, owner).name}, version {row.number}" if owner == "agreement" else f"Impact analysis {row.number}"
            )
            events[name, pk] = Event(
                at=row.history_date, part=part, what=f"{what} {WORDS[name]}", who=said_by(row.history_user), why=row.history_change_reason,
                changes=differing(row, old, fields), page="commitment", args=(asked.service.code,), record=(model, row.id),
            )  # fmt: skip
        return events

    return told


AGREEMENTS = Source(
    "agreement", "Agreements", _rows(AgreementVersion, "agreement", _agreements), _told(AgreementVersion, "agreement", "agreement", AGREED)
)
ANALYSES = Source(
    "analysis", "Impact analyses", _rows(ImpactAnalysis, "analysis", _analyses), _told(ImpactAnalysis, "analysis", "service", BORNE)
)
