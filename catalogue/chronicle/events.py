"""What the parts of an entry have in common where its history is told: a row of the list, and what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import CharField, DateTimeField, ExpressionWrapper, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Least

from catalogue import duties
from catalogue.models import Service, ServiceVersion
from catalogue.wording import Told
from itsm_backup.common.admin.fields import label_of, value_words

COLUMNS = ("e_at", "e_rank", "e_part", "e_step", "e_key")
Key = tuple[str, int]  # what happened, and the number of the row that tells it


@dataclass(frozen=True)
class Asked:
    """Whose history it is, who reads it, and as of when; in the past only what was known then."""

    service: Service
    user: Any
    at: dt.datetime
    past: bool

    @cached_property
    def reads_drafts(self) -> bool:
        """Whether the person reads each step of what was being written: who may change or approve the entry, and the administration."""
        if self.user.is_superuser or (self.user.is_active and self.user.is_staff):
            return True
        mine = Service.objects.filter(pk=self.service.pk)
        return any(mine.visible_to(self.user, right).exists() for right in ("change", "approve"))

    @cached_property
    def versions(self) -> QuerySet:
        """Versions of the entry that the person may read."""
        return ServiceVersion.objects.filter(service=self.service).read_by(self.user, at=self.at, past=self.past)


class Event(NamedTuple):
    """One thing that was done to an entry. `page` and its `args` name the portal's page of the difference; `record` the row."""

    at: dt.datetime
    part: str
    what: str
    who: str = ""
    why: str = ""
    changes: tuple[Told, ...] = ()
    page: str = ""
    args: tuple[Any, ...] = ()
    record: Any = None  # (model, number) of a row whose history the administration shows field by field


@dataclass(frozen=True)
class Source:
    """One part of an entry: `rows` are its events as columns (made by `step`), `told` says what those of a page are."""

    part: str
    words: str
    rows: Callable[[Asked], Iterable[QuerySet]]
    told: Callable[[Asked, list[Key]], Mapping[Key, Event]]


def step(rows: Any, asked: Asked, *, part: str, name: str, at: Any, rank: int = 0) -> Any:
    """The rows as columns of the list; of one instant, what has the higher rank came later."""
    instant = F(at) if isinstance(at, str) else at
    return (
        rows.order_by()
        .annotate(
            e_at=ExpressionWrapper(instant, output_field=DateTimeField()),
            e_rank=Value(rank, output_field=IntegerField()),
            e_part=Value(part, output_field=CharField()),
            e_step=Value(name, output_field=CharField()),
            e_key=Cast("pk", IntegerField()),
        )
        .filter(e_at__lte=asked.at)
        .values_list(*COLUMNS)
    )


def earlier(model: Any, field: str) -> Subquery:
    """Of a row of a history, what the row before it of the same thing says in that field."""
    rows = model.history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    return Subquery(rows.values(field)[:1])


def became(rows: Any, model: Any, field: str) -> Any:
    """Rows of a history with which an empty field was filled."""
    return rows.filter(**{f"{field}__isnull": False}).alias(_was=earlier(model, field)).filter(_was=None)


def turned(rows: Any, model: Any) -> Any:
    """Rows of a history with which the state became another one."""
    return rows.alias(_was=Coalesce(earlier(model, "state"), Value(""))).exclude(_was=F("state"))


def stayed(rows: Any, model: Any) -> Any:
    """Rows of a history that changed something and left the state as it was."""
    return rows.filter(history_type="~").alias(_was=earlier(model, "state")).filter(_was=F("state"))


def no_later_than(model: Any, field: str) -> Any:
    """When a row of a history was written; where the thing itself tells of an earlier time (a declared estate), that one."""
    return Least(F("history_date"), Subquery(model._base_manager.filter(pk=OuterRef("id")).values(field)[:1]))


def with_before(model: Any, keys: Iterable[int], *related: str) -> list[tuple[Any, Any]]:
    """Rows of a history by their numbers, each with the row before it of the same thing; two questions."""
    rows = list(
        model.history.filter(pk__in=list(keys)).select_related("history_user", *related).annotate(_before=earlier(model, "history_id"))
    )
    before = model.history.in_bulk({row._before for row in rows} - {None})
    return [(row, before.get(row._before)) for row in rows]


def differing(new: Any, old: Any, fields: Iterable[str]) -> tuple[Told, ...]:
    """The fields that differ, in words; `fields` lead to no other rows, so that nothing more is asked."""
    if old is None:
        return ()
    found = []
    for name in fields:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            field = new._meta.get_field(name)
            found.append(Told(name, label_of(field), str(value_words(field, before)), str(value_words(field, after))))
    return tuple(found)


def said_by(person: Any) -> str:
    return duties.names([person]) if person else ""


def either_end(codes: Any, *paths: str) -> Q:
    """Rows of which all these lead to an entry in sight."""
    found = Q()
    for path in paths:
        found &= Q(**{f"{path}__in": codes})
    return found
