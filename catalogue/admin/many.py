"""Many rows of the admin in one go: fields of entries changed, drafts submitted, versions approved. Each is looked at before it starts."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from catalogue import batching, comparing, importing, naming, vocabulary, wording
from catalogue.admin.drafts import DraftForm
from catalogue.admin.words import ON_PURPOSE, Known, known_to, offer, on_purpose, refuse_doubts
from catalogue.models import AgreementVersion, Batch, Team
from catalogue.previewing import Measure, unmeasured
from itsm_backup.common.admin import ReasonForm, given_reason
from itsm_backup.common.admin.fields import form_field_of
from itsm_backup.common.admin.rights import PersonField
from itsm_backup.common.time import now

MOST = 2_000
measuring_many: list[Measure] = []  # the floor that measures adds how
_ALONE = ("name", "short_name")  # two entries never share them
_ALWAYS = ("change_reason", ON_PURPOSE)  # read without a tick beside them


class EditManyForm(ReasonForm):
    """The fields of an entry, of which those count whose box is ticked; `known` are the words in use."""

    on_purpose = on_purpose()

    def __init__(self, *args: Any, known: Known | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = known or {}
        for name in (name for _, names in wording.GROUPS for name in names if name not in _ALONE):
            self.fields[name] = _field(name)
            if name in self.known:
                offer(self.fields[name], name, self.known)

    @property
    def ticked(self) -> list[str]:
        return [name for name in self.data.getlist("change") if name in self.fields] if self.is_bound else []

    @property
    def groups(self) -> list[tuple[str, list[tuple[Any, bool]]]]:
        """(title, [(field, whether it is ticked)]) in the order of the entry's own form."""
        ticked = self.ticked
        return [(title, [(self[name], name in ticked) for name in names if name in self.fields]) for title, names in wording.GROUPS]

    def _clean_fields(self) -> None:
        """What is not ticked is not read."""
        everything = self.fields
        self.fields = {name: field for name, field in everything.items() if name in (*_ALWAYS, *self.ticked)}
        super()._clean_fields()  # type: ignore[misc]
        self.fields = everything

    def clean(self) -> Any:
        cleaned = super().clean()
        for name in self.fields.keys() - {*_ALWAYS, *self.ticked}:
            if self._is_typed(name):
                self.add_error(name, "You wrote here without ticking “Change”. Tick it, or empty the field.")
        if not self.ticked:
            raise forms.ValidationError("Tick at least one field to change.")
        if self.known:
            said = {name: cleaned[name] for name in self.ticked if name in vocabulary.FIELDS and name in cleaned}
            refuse_doubts(self, self.known, said)
        return cleaned

    def _is_typed(self, name: str) -> bool:
        """Whether the field holds something else than it was offered with."""
        field: Any = self.fields[name]
        typed = field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
        return bool(typed) and field.has_changed(field.initial, typed)

    @property
    def values(self) -> dict[str, Any]:
        """Field → JSON value of what is ticked."""
        return {name: _json(self.cleaned_data[name]) for name in self.ticked}


def _json(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted(({name: comparing.as_json(each) for name, each in levels.items()} for levels in value), key=lambda one: one["name"])
    return comparing.as_json(value)


def _field(name: str) -> forms.Field:
    kept = wording.FIELDS.get(name)
    made: forms.Field = (form_field_of(kept) if kept else None) or deepcopy(DraftForm.base_fields[name])  # type: ignore[attr-defined]
    if name in ("owner", "steward"):
        made = PersonField(naming.candidates(name, now()), label=made.label, why_not=lambda person: naming.refusal(person, name, now()))
    elif name == "operations_team":
        made = forms.ModelChoiceField(Team.objects.all(), label=made.label)
    elif name in ("sla", "ola", "contract"):
        agreed = AgreementVersion.objects.filter(state="approved", agreement__kind=name).select_related("agreement")
        made = forms.ModelChoiceField(agreed, label=made.label)
    made.required = False
    return made


def edit(door: Any, request: HttpRequest, entries: Any) -> HttpResponse:
    """Ask which fields shall say what, and why; then propose a draft for each entry."""
    confirmed = bool(request.POST.get("post"))
    form = EditManyForm(request.POST if confirmed else None, known=known_to(request), label_suffix="")
    codes = list(entries.order_by("code").values_list("code", flat=True)[:MOST])
    if confirmed and form.is_valid():
        wishes = importing.to_change(codes, form.values, by=request.user)
        words = ", ".join(wording.label(name).lower() for name in form.ticked)
        title = f"Change of {words} of {len(codes)} entr{'y' if len(codes) == 1 else 'ies'}"
        return _to_batch(request, Batch.Act.DRAFT, title, wishes)
    context = {"title": f"Change fields of {len(codes)} entr{'y' if len(codes) == 1 else 'ies'}", "action": "edit_many"}
    return _page(door, request, "admin/catalogue/edit_many.html", codes, form, context)


def propose(
    door: Any, request: HttpRequest, versions: Any, *, act: str, wishes: Callable[..., list[importing.Wish]], words: str
) -> HttpResponse:
    """Ask why, then propose the act for each version."""
    confirmed = bool(request.POST.get("post"))
    form = ReasonForm(request.POST if confirmed else None)
    chosen = list(versions.select_related("service").order_by("service__code")[:MOST])
    counted = f"{len(chosen)} version{'' if len(chosen) == 1 else 's'}"
    if confirmed and chosen and form.is_valid():
        return _to_batch(request, act, f"{words}: {counted}", wishes(chosen, by=request.user))
    context = {"title": f"{words}: {counted}", "action": request.POST.get("action", "")}
    return _page(door, request, "admin/catalogue/propose_many.html", [str(row) for row in chosen], form, context)


def _to_batch(request: HttpRequest, act: str, title: str, wishes: list[importing.Wish]) -> HttpResponse:
    made = batching.propose(
        act=act, title=title, wishes=wishes, by=request.user, at=now(), reason=given_reason(request),
        measure=measuring_many[0] if measuring_many else unmeasured,
    )  # fmt: skip
    return HttpResponseRedirect(reverse("portal:batch", args=[made.pk]))


def _page(door: Any, request: HttpRequest, template: str, rows: list[str], form: forms.Form, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(
        request,
        template,
        {
            **door.admin_site.each_context(request), "opts": door.opts, "heading": door.heading, "rows": rows, "form": form,
            "checkbox": ACTION_CHECKBOX_NAME, "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "across": request.POST.get("select_across", "0"), "media": door.media, **context,
        },
    )  # fmt: skip
