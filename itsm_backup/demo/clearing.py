"""What hangs on given rows, over every relation there is, and deleting it in one go. Knows no model by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import pgtrigger
from django.contrib.contenttypes.models import ContentType
from django.db import models
from guardian.models import GroupObjectPermission, UserObjectPermission

from itsm_backup.common.models import Tracked

Model = type[models.Model]
BATCH = 10_000


class Removal:
    """Rows that will go. Adding some adds all that cannot be without them; `detached` fields are emptied instead."""

    def __init__(self, *, detached: Collection[tuple[Model, str]] = ()) -> None:
        self.rows: dict[Model, set[Any]] = defaultdict(set)
        self._detached = set(detached)

    @property
    def total(self) -> int:
        return sum(map(len, self.rows.values()))

    def of(self, model: Model) -> set[Any]:
        return self.rows.get(model, set())

    def add(self, model: Model, rows: Iterable[models.Model]) -> None:
        """Have these rows go, and whatever points to them."""
        waiting = [(model, {row.pk for row in rows} - self.rows[model])]
        while waiting:
            kind, ids = waiting.pop()
            if not ids:
                continue
            self.rows[kind] |= ids
            for child, name in _pointing_at(kind):
                if (child, name) in self._detached or _is_loose(child, name):
                    continue
                found = set(_values(child, name, ids)) - self.rows[child]
                waiting.append((child, found))

    def is_needed(self, row: models.Model, *, ignoring: Collection[Model] = ()) -> bool:
        """Whether a row that stays points to this one; a history that only names it counts, too."""
        for child, name in _pointing_at(type(row)):
            if child in ignoring:
                continue
            pointing = set(child._base_manager.filter(**{name: row.pk}).values_list("pk", flat=True))
            if pointing - self.rows[child] - self._history_of_rows(child):
                return True
        return False

    def _history_of_rows(self, model: Model) -> set[Any]:
        """Entries of a history that go because the rows that they tell of go."""
        tracked = getattr(model, "instance_type", None)
        if tracked is None or not self.rows.get(tracked):
            return set()
        return set(_values(model, tracked._meta.pk.attname, self.rows[tracked]))

    def guards(self) -> set[str]:
        """The guards of the tables concerned, as pgtrigger names them: append-only ones, and those of approved versions."""
        concerned = {*self.rows, *(model.history.model for model in self.rows if issubclass(model, Tracked))}
        return {uri for model in concerned for uri in _guards_of(model)}

    def carry_out(self) -> Counter[str]:
        """Empty the detached fields and delete the rows with their history and grants; returns how many went of each kind."""
        for model, name in self._detached:
            target: Any = model._meta.get_field(name).related_model
            for some in batched(self.rows.get(target, ()), BATCH):
                pointing = model._base_manager.filter(**{f"{name}__in": some}).exclude(pk__in=self.of(model))
                pointing.update(**{name: None})
        for model in list(self.rows):
            self._loosen(model)
        gone: Counter[str] = Counter()
        for model, ids in self.rows.items():
            gone[str(model._meta.verbose_name_plural)] += _delete(model, "pk", ids)
            if issubclass(model, Tracked):
                _delete(model.history.model, model._meta.pk.attname, ids)
            _delete_grants(model, ids)
        return gone

    def _loosen(self, model: Model) -> None:
        for child, name in _pointing_at(model):
            if _is_loose(child, name) and not hasattr(child, "instance_type"):
                for some in batched(self.rows[model], BATCH):
                    child._base_manager.filter(**{f"{name}__in": some}).exclude(pk__in=self.of(child)).update(**{name: None})


def batched(ids: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some


def _pointing_at(model: Model) -> Iterator[tuple[Model, str]]:
    """Every (model, field) that points to the model, hidden and many-to-many ones included."""
    for relation in model._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one):
            child = relation.related_model
            if not child._meta.proxy:
                yield child, relation.field.name


def _is_loose(model: Model, name: str) -> bool:
    """Whether the field is emptied when what it points to goes."""
    points: Any = model._meta.get_field(name).remote_field
    return points.on_delete in (models.SET_NULL, models.DO_NOTHING)


def _values(model: Model, name: str, ids: Collection[Any]) -> Iterator[Any]:
    for some in batched(ids, BATCH):
        yield from model._base_manager.filter(**{f"{name}__in": some}).values_list("pk", flat=True)


def _delete(model: Model, name: str, ids: Collection[Any]) -> int:
    """Plain DELETE: what hangs on the rows is in the removal itself, and PostgreSQL checks that at the end."""
    gone = 0
    for some in batched(ids, BATCH):
        rows = model._base_manager.filter(**{f"{name}__in": some})
        gone += rows._raw_delete(rows.db)
    return gone


def _delete_grants(model: Model, ids: Collection[Any]) -> None:
    kind = ContentType.objects.get_for_model(model)
    for grants in (UserObjectPermission, GroupObjectPermission):
        for some in batched(ids, BATCH):
            grants.objects.filter(content_type=kind, object_pk__in=[str(pk) for pk in some]).delete()


def _guards_of(model: Any) -> set[str]:
    return {trigger.get_uri(model) for registered, trigger in pgtrigger.registered() if registered is model}
