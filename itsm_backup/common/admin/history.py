"""Who changed what, when and why, field by field; and the way back to an earlier content, with a reason of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from simple_history.admin import SimpleHistoryAdmin

from itsm_backup.common.admin.fields import label_of, value_words
from itsm_backup.common.admin.reasons import ReasonedAdmin, saying
from itsm_backup.common.admin.rights import LoggedAdmin, log_refusal, words_of
from itsm_backup.common.crypto import SecretsField

KINDS = {"+": "made", "~": "changed", "-": "deleted"}


@dataclass(frozen=True)
class Difference:
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    """One line of a history. `what` names the row when it is a part of the one shown."""

    record: Any
    kind: str
    what: str = ""
    differences: list[Difference] = field(default_factory=list)


def differences(record: Any, before: Any, *, masked: tuple[str, ...] = ()) -> list[Difference]:
    """What changed from one history record to the next, in words. Secrets and `masked` fields only tell that they changed."""
    found: list[Difference] = []
    for each in record.tracked_fields:
        old, new = getattr(before, each.attname), getattr(record, each.attname)
        if old == new:
            continue
        if each.name in masked:
            found.append(Difference(label_of(each), "•••" if old else "–", _secret(new)))
            continue
        if isinstance(each, SecretsField):
            names = sorted(key for key in {**old, **new} if old.get(key) != new.get(key))
            found += [
                Difference(f"{capfirst(name)} (secret)", "–" if not old.get(name) else "•••", _secret(new.get(name))) for name in names
            ]
        elif isinstance(old, dict) and isinstance(new, dict):
            names = sorted(key for key in {**old, **new} if old.get(key) != new.get(key))
            found += [Difference(f"{label_of(each)}: {name}", str(old.get(name, "–")), str(new.get(name, "–"))) for name in names]
        else:
            found.append(Difference(label_of(each), _words(before, each), _words(record, each)))
    return found


def _secret(value: Any) -> str:
    return "••• (a new one)" if value else "removed"


def _words(record: Any, each: models.Field) -> str:
    if isinstance(each, models.ForeignKey):
        try:
            return str(value_words(each, getattr(record, each.name)))
        except ObjectDoesNotExist:
            return f"number {getattr(record, each.attname)} (deleted)"
    return str(value_words(each, getattr(record, each.attname)))


def entries(records: list[Any], *, what: str = "", masked: tuple[str, ...] = ()) -> list[Entry]:
    """History records of one row, newest first, each with its difference from the one before."""
    before = [*records[1:], None]
    return [
        Entry(record, KINDS[record.history_type], what, differences(record, earlier, masked=masked) if earlier is not None else [])
        for record, earlier in zip(records, before, strict=True)
    ]


class HistoryAdmin(LoggedAdmin, ReasonedAdmin, SimpleHistoryAdmin):
    """SimpleHistoryAdmin whose history shows reasons, differences and the parts of a row; nobody edits it."""

    object_history_template = "admin/history.html"
    object_history_form_template = "admin/history_form.html"
    history_parts: tuple[Any, ...] = ()  # tracked models whose rows are parts of this one, edited with it
    history_masked: tuple[str, ...] = ()  # fields whose values nobody reads in a history
    history_list_per_page = 50

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        paginator = Paginator(self._entries(obj), self.history_list_per_page)
        page = paginator.get_page(request.GET.get("p"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {obj}",
            "object": obj,
            "original": obj,
            "opts": self.opts,
            "heading": self.heading,
            "page_obj": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "newest": self.model.history.filter(**self._key(obj)).values_list("pk", flat=True).first(),
            "may_revert": self.may_revert(request, obj),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)

    def _key(self, obj: Any) -> dict[str, Any]:
        return {self.opts.pk.attname: obj.pk}

    def _entries(self, obj: Any) -> list[Entry]:
        told = entries(list(self.model.history.filter(**self._key(obj)).select_related("history_user")), masked=self.history_masked)
        for part in self.history_parts:
            key = next(f for f in part._meta.concrete_fields if f.related_model is self.model)
            rows: dict[Any, list[Any]] = {}
            for record in part.history.filter(**{key.attname: obj.pk}).select_related("history_user"):
                rows.setdefault(getattr(record, part._meta.pk.attname), []).append(record)
            for records in rows.values():
                told += entries(records, what=capfirst(part._meta.verbose_name))
        return sorted(told, key=lambda entry: (entry.record.history_date, entry.record.history_id), reverse=True)

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        """Whether this person may bring an earlier content of the row back."""
        return self.has_change_permission(request, obj)

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or not self.may_revert(request, obj)

    def history_form_view(self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None) -> HttpResponse:
        """One earlier content, to bring back with a reason; needs the right to change the row as it is today."""
        today = self.get_object(request, unquote(object_id))
        if today is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.may_revert(request, today):
            log_refusal(request, action="revert", what=words_of(self.model, today.pk))
            raise PermissionDenied(f"You may look at the history of {today}, but not bring an earlier content back.")
        request.reverting = True  # type: ignore[attr-defined]
        with saying(request):
            return super().history_form_view(request, object_id, version_id, {"today": today, **(extra_context or {})})
