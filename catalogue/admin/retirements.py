"""How entries leave the catalogue: to read, to decide on, to call off. The entry's page in the portal asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from catalogue import duties, retiring
from catalogue.admin.beside import BesideEntry
from catalogue.admin.entries import Fact
from catalogue.models import Retirement, Service
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.admin import Act, FactAdmin, Impossible, given_reason
from itsm_backup.common.admin.acts import ActingAdmin
from itsm_backup.common.time import now

State = Retirement.State
MOST_WAITING = 20


def _do(call: Callable[..., Retirement], told: Callable[[Retirement], str]) -> Callable[[HttpRequest, Any, forms.Form], str]:
    def do(request: HttpRequest, row: Any, form: forms.Form) -> str:
        try:
            return told(call(retirement=row, by=request.user, at=now(), reason=given_reason(request)))
        except Refused as error:
            raise Impossible(str(error)) from None

    return do


def _approved(row: Retirement) -> str:
    if row.state == State.DONE:
        return f"{row.service.code} is retired."
    return f"{row.service.code} is pending retirement, and who needs it is told."


def _deciders_only(request: HttpRequest, row: Retirement) -> str:
    try:
        retiring.check_decider(row, request.user, now())
    except NotAllowed as error:
        return str(error)
    return ""


def _keepers_only(request: HttpRequest, row: Retirement) -> str:
    """Why the person does not call it off: for that one may change the entry, or approve it."""
    told = [duties.refusal(by=request.user, act=act, on=row.service, at=now()) for act in ("change", "retire")]
    return told[0] if all(told) else ""


def _before_approving(request: HttpRequest, row: Retirement) -> list[str]:
    at = now()
    stops = retiring.obstacles(service=row.service, at=at, reader=request.user)
    if row.ends_at <= at:
        told = f"{row.service.code} is retired at once: its version in force and its relations end, and it never comes back."
    else:
        told = f"{row.service.code} is judged as before until its day, and retired then. Until then it can be called off."
    return [told, f"Why: {row.reason}", *(["This stands in the way:", *stops] if stops else [])]


RETIREMENT_ACTS = (
    Act(
        name="approve",
        words=lambda row: f"Approve: {row.service.code} leaves the catalogue",
        do=_do(retiring.approve, _approved),
        fits=lambda row: row.state == State.ASKED,
        told=_before_approving,
        blocked=_deciders_only,
        primary=True,
    ),
    Act(
        name="refuse",
        words=lambda row: f"Refuse the {row}",
        do=_do(retiring.refuse, lambda row: f"{row.service.code} stays in the catalogue, and who asked is told why."),
        fits=lambda row: row.state == State.ASKED,
        told=lambda request, row: ["The entry stays as it is. The reason goes to who asked."],
        blocked=_deciders_only,
    ),
    Act(
        name="call-off",
        words=lambda row: f"Call the {row} off",
        do=_do(retiring.call_off, lambda row: f"{row.service.code} stays in the catalogue."),
        fits=lambda row: row.state in Retirement.OPEN,
        told=lambda request, row: ["The entry stays in the catalogue after all. Who was told that it leaves is told so."],
        blocked=_keepers_only,
    ),
)


@admin.register(Retirement)
class RetirementAdmin(BesideEntry, FactAdmin, ActingAdmin):
    place = 2
    portal_page = ("portal:retirement", "service.code")
    about = "Entries that leave the catalogue, or left it: who asked, who decided, when, and what stands in the way."
    acts = RETIREMENT_ACTS
    list_display = ("service", "state", "ends_at", "successor", "asked_by", "asked_at", "decided_by", "over_at")
    list_filter = ("state", "ends_at")
    search_fields = ("service__code", "service__versions__name", "reason", "answer")
    list_select_related = ("service", "successor", "asked_by", "decided_by")
    ordering = ("-asked_at", "-pk")
    fields = (
        "service", "state", "ends_at", "successor", "reason", "asked_by", "asked_at", "decided_by", "decided_at", "answer", "over_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("service")

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        if row.state not in Retirement.OPEN:
            return super().facts_beside(request, row)
        stops = retiring.obstacles(service=row.service, at=now(), reader=request.user)
        return [*super().facts_beside(request, row), *(("Stands in the way", sentence) for sentence in stops)]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any) -> Any:
        context |= {"facts": self.facts_beside(request, obj), "links": [(self.portal_url(obj), "See in portal")]}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def note(self, request: HttpRequest) -> str:
        waiting = self.get_queryset(request).filter(state=State.ASKED).count()
        return f"{waiting} to decide" if waiting else ""

    def waiting_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        """What others asked for and the person may decide on."""
        rows = Retirement.objects.filter(state=State.ASKED, service__in=Service.objects.visible_to(request.user, "approve"))
        rows = rows.exclude(asked_by=request.user).select_related("service").order_by("ends_at", "pk")
        return [(reverse("admin:catalogue_retirement_change", args=[row.pk]), f"Approve or refuse: {row}") for row in rows[:MOST_WAITING]]
