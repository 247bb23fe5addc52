"""Maps of tools: a document tried on a pasted answer, kept as a version, put in force by somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.admin import Act, Impossible, TrackedAdmin, given_reason
from itsm_backup.common.admin.fields import WholeField
from itsm_backup.common.admin.reasons import ReasonForm
from itsm_backup.common.time import now
from monitoring import mapping, restating
from monitoring.connectors.map_document import shipped
from monitoring.models import ToolMap

MOST_SHOWN = 50


def _do(call: Callable[..., ToolMap], done: str) -> Callable[[HttpRequest, Any, forms.Form], str]:
    def do(request: HttpRequest, row: Any, form: forms.Form) -> str:
        try:
            accepted = {"accepts_good": form.cleaned_data["accepts_good"] or 0} if "accepts_good" in form.cleaned_data else {}
            moved = call(row=row, by=request.user, at=now(), reason=given_reason(request), **accepted)
        except Refused as error:
            raise Impossible(str(error)) from None
        return done.format(row=moved)

    return do


def _blocked(request: HttpRequest, row: Any) -> str:
    try:
        mapping.check_approver(row, request.user)
    except NotAllowed as error:
        return str(error)
    return ""


def _effect(request: HttpRequest, row: Any) -> list[str]:
    current = ToolMap.objects.filter(name=row.name, state=ToolMap.State.IN_FORCE).first()
    before = f"It replaces {current}." if current else "It replaces the map that comes with the product." if row.name in shipped() else ""
    return [
        f"From the next poll on, tools that choose {row.name} are read by it. What it reads otherwise of the answers of the last 90 days is"
        " restated and judged again.",
        *filter(None, [before]),
        *(f"{tool}: {' '.join(_of_tool(effect))}" for tool, effect in _effects(request, row)),
    ]


def _effects(request: HttpRequest, row: Any) -> list[tuple[Any, restating.Effect]]:
    """What the map would change of each tool that chooses it; worked out once for a request."""
    found: list[tuple[Any, restating.Effect]] = request.__dict__.setdefault("_effects", None) or mapping.effects(row, now())
    request.__dict__["_effects"] = found
    return found


def _of_tool(effect: restating.Effect) -> list[str]:
    moves = [f"{count:,} {move}." for move, count in sorted(effect.moves.items())]
    good = [f"{effect.turned_good} that did not go well would count as good."] if effect.turned_good else []
    services = [f"{one['name']}: {one['before']} → {one['after']}." for one in effect.services]
    return [restating.sentence(effect), *moves, *filter(None, [restating.quarantine_sentence(effect)]), *good, *services]


class AcceptingForm(ReasonForm):
    """The reason, and the number of bad runs that would count as good."""

    accepts_good = forms.IntegerField(
        label="I accept that so many runs that did not go well count as good",
        required=True,
        min_value=1,
        help_text="The number stands above.",
    )


def _box() -> forms.Textarea:
    return forms.Textarea(attrs={"rows": 18, "spellcheck": "false"})


class TrialForm(forms.Form):
    """A document and an answer, side by side; nothing of it is stored."""

    document = WholeField(label="Map", widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}), strip=False, max_length=64_000)
    answer = WholeField(
        label="Answer of the tool",
        widget=_box(),
        help_text="JSON as the tool sent it, up to 1 MB. It is read and forgotten.",
        max_length=1_000_000,
    )


@admin.register(ToolMap)
class MapAdmin(TrackedAdmin):
    place = 2
    heading = "Maps of tools"
    about = "Documents by which other tools are read over HTTP, tried on a pasted answer before they count."
    list_display = ("name", "number", "state", "author", "approver", "approved_at")
    list_filter = ("state", "name")
    list_select_related = ("author", "approver")
    search_fields = ("name",)
    fields = ("name", "document")
    change_list_template = "admin/monitoring/maps.html"
    acts = (
        Act(
            name="approve",
            words=lambda row: f"Put {row} in force",
            do=_do(mapping.approve, "{row} is in force."),
            fits=lambda row: row.state == ToolMap.State.DRAFT,
            told=_effect,
            blocked=_blocked,
            primary=True,
        ),
        Act(
            name="cancel",
            words=lambda row: f"Cancel {row}",
            do=_do(mapping.cancel, "{row} is cancelled."),
            fits=lambda row: row.state == ToolMap.State.DRAFT,
            told=lambda request, row: ["Nothing of it takes force. It stays readable."],
            blocked=lambda request, row: "" if request.user.has_perm("monitoring.add_toolmap") else f"You may not cancel {row}.",
        ),
    )

    def act_form(self, request: HttpRequest, obj: Any, act: Act) -> forms.Form:
        asks = act.name == "approve" and any(effect.turned_good for _, effect in _effects(request, obj))
        return AcceptingForm(request.POST or None) if asks else super().act_form(request, obj, act)

    def get_urls(self) -> list[Any]:
        return [path("try/", self.admin_site.admin_view(self.try_view), name="monitoring_toolmap_try"), *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what a map says never changes: the next version is added

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), "document": shipped().get(request.GET.get("start", ""), "")}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        try:
            kept = mapping.draft(
                name=form.cleaned_data["name"],
                document=form.cleaned_data["document"],
                by=request.user,
                at=now(),
                reason=given_reason(request),
            )
        except Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(kept.__dict__)

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """What a document makes of an answer: records, what could not be read, what was not understood."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        start = request.GET.get("start", "")
        form = TrialForm(request.POST or None, initial={"document": self._start(start)}, label_suffix="")
        trial = mapping.attempt(**form.cleaned_data) if request.method == "POST" and form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "title": "Try a map",
            "opts": self.opts,
            "form": form,
            "trial": trial,
            "shown": trial.records[:MOST_SHOWN] if trial else [],
            "starts": sorted({*shipped(), *ToolMap.objects.values_list("name", flat=True)}),
            "start": start,
            "may_add": self.has_add_permission(request),
        }
        return TemplateResponse(request, "admin/monitoring/try_map.html", context)

    def _start(self, name: str) -> str:
        newest = ToolMap.objects.filter(name=name).order_by("-number").first()
        return newest.document if newest else shipped().get(name, "")
