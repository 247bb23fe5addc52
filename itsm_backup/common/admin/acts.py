"""Acts that people do from the admin: a page that says what will happen and asks why, for one row or for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import capfirst

from itsm_backup.common.admin.reasons import Impossible, ReasonedAdmin, ReasonForm, given_reason, with_reason
from itsm_backup.common.admin.rights import LoggedAdmin, log_refusal, words_of
from itsm_backup.common.models import because


@dataclass(frozen=True)
class Act:
    """One button beside a row.

    `words(row)` is the text of the button and names the row; `told(request, row)` are the sentences of its page; `do(request,
    row, form)` acts and returns the sentence that tells it, or raises Impossible; `fits(row)` says whether the row's state
    allows it; `blocked(request, row)` returns why this person cannot do it (empty when they can). Without `blocked` it takes the
    right to change the row.
    """

    name: str
    words: Callable[[Any], str]
    do: Callable[[HttpRequest, Any, forms.Form], str]
    fits: Callable[[Any], bool]
    told: Callable[[HttpRequest, Any], Sequence[str]] = lambda request, row: ()
    blocked: Callable[[HttpRequest, Any], str] | None = None
    form: type[forms.Form] = ReasonForm
    primary: bool = False


class ActingAdmin(LoggedAdmin, ReasonedAdmin):
    """Buttons beside a row, each with a page of its own that works without JavaScript."""

    acts: tuple[Act, ...] = ()

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<path:object_id>/act/<slug:act>/", self.admin_site.admin_view(self.act_view), name=name), *super().get_urls()]

    def offered(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        """Buttons for the row: words, address, and why a button is blocked."""
        fitting = [act for act in self.acts if act.fits(obj)]
        return [
            {"words": act.words(obj), "href": self._act_url(obj, act), "blocked": self.why_not(request, obj, act), "primary": act.primary}
            for act in fitting
        ]

    def why_not(self, request: HttpRequest, obj: Any, act: Act) -> str:
        """Why this person cannot do the act to the row; empty when they can."""
        if act.blocked is not None:
            return act.blocked(request, obj)
        return "" if self.has_change_permission(request, obj) else f"You may not change {obj}."

    def _act_url(self, obj: Any, act: Act) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=[obj.pk, act.name])

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        offered = self.offered(request, obj) if obj is not None else []
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "acts": offered})

    def act_form(self, request: HttpRequest, obj: Any, act: Act) -> forms.Form:
        return act.form(request.POST if request.method == "POST" else None)

    def act_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """More for the page of an act, such as the `changes` it brings into force."""
        return {}

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        chosen = next((each for each in self.acts if each.name == act), None)
        if chosen is None:
            raise Http404(f"There is no act {act}.")
        self._no_objection(request)
        form = self.act_form(request, obj, chosen)
        blocked = self._blocked(request, obj, chosen)
        if request.method == "POST" and not blocked and form.is_valid():
            done = self._done(request, obj, chosen, form)
            if done is not None:
                return done
        return self._act_page(request, obj, chosen, form, blocked)

    def _blocked(self, request: HttpRequest, obj: Any, act: Act) -> str:
        blocked = self.why_not(request, obj, act)
        if blocked and request.method == "POST":
            log_refusal(request, action=act.name, what=words_of(self.model, obj.pk))
        if not blocked and not act.fits(obj):
            return f"{obj} is no longer in a state that allows this: it was done meanwhile. Nothing was changed; look at it again."
        return blocked

    def _done(self, request: HttpRequest, obj: Any, act: Act, form: forms.Form) -> HttpResponse | None:
        try:
            told = act.do(request, obj, form)
        except Impossible as error:
            form.add_error(None, str(error))
            return None
        self.log_change(request, obj, act.words(obj) + ".")
        messages.success(request, told)
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk]))

    def _act_page(self, request: HttpRequest, obj: Any, act: Act, form: forms.Form, blocked: str) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": act.words(obj),
            "opts": self.opts,
            "heading": self.heading,
            "original": obj,
            "told": act.told(request, obj),
            "blocked": blocked,
            "form": form,
            "words": act.words(obj),
            "media": self.media,
            **self.act_context(request, obj),
        }
        return TemplateResponse(request, "admin/act.html", context, status=403 if blocked and request.method == "POST" else 200)


def bulk_act(*, name: str, words: str, permission: str = "change") -> Callable[[Callable[[Any, HttpRequest, Any], bool]], Any]:
    """Decorator: `act(self, request, row)` for each selected row, with one reason; returns whether the row changed.

    Rows on which the person lacks `permission` are left alone, named and logged. All rows change, or none.
    """

    def made(act: Callable[[Any, HttpRequest, Any], bool]) -> Any:
        def action(self: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
            rows = list(queryset)
            allowed = [row for row in rows if getattr(self, f"has_{permission}_permission")(request, row)]
            confirmed = bool(request.POST.get("post"))
            form = ReasonForm(request.POST if confirmed else None)
            if not confirmed or not form.is_valid():
                return _bulk_page(
                    self, request, name=name, words=words, rows=allowed, refused=[r for r in rows if r not in allowed], form=form
                )
            for row in rows:
                if row not in allowed:
                    log_refusal(request, action=name, what=words_of(self.model, row.pk))
            try:
                with transaction.atomic(), because(given_reason(request), by=request.user):
                    changed = [row for row in allowed if act(self, request, row)]
            except (Impossible, ValidationError) as error:
                form.add_error(None, error if isinstance(error, ValidationError) else str(error))
                return _bulk_page(self, request, name=name, words=words, rows=allowed, refused=[], form=form)
            for row in changed:
                super(ReasonedAdmin, self).log_change(request, row, with_reason(request, f"{words}."))
            counted = f"{len(changed)} {self.opts.verbose_name if len(changed) == 1 else self.opts.verbose_name_plural}"
            messages.success(
                request,
                f"{words}: {counted} changed{'' if len(changed) == len(rows) else f', {len(rows) - len(changed)} left as they were'}.",
            )
            return None

        action.__name__ = name
        return admin.action(description=words, permissions=[permission])(action)

    return made


def _bulk_page(
    door: Any, request: HttpRequest, *, name: str, words: str, rows: list[Any], refused: list[Any], form: forms.Form
) -> HttpResponse:
    context = {
        **door.admin_site.each_context(request),
        "title": f"{words}: {len(rows)} {door.opts.verbose_name if len(rows) == 1 else door.opts.verbose_name_plural}",
        "opts": door.opts,
        "heading": door.heading,
        "rows": rows,
        "refused": refused,
        "form": form,
        "words": capfirst(words),
        "action": name,
        "checkbox": ACTION_CHECKBOX_NAME,
        "media": door.media,
    }
    return TemplateResponse(request, "admin/bulk_act.html", context)
