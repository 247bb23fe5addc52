"""Exceptions from the separation of duties, legal holds, and the record of rights given and taken."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest

from catalogue import excepting, legal_holds
from catalogue.admin.beside import BesideEntry
from catalogue.admin.entries import Fact, facts_of_service
from catalogue.duties import Refused, names, refusal
from catalogue.models import DutyException, GrantEntry, LegalHold, Service
from itsm_backup.common.admin import Act, FactAdmin, Impossible, TrackedAdmin, given_reason
from itsm_backup.common.admin.right_words import right_words
from itsm_backup.common.time import now


def held(service: Service) -> list[Fact]:
    """Legal holds in the panel of a service."""
    found = legal_holds.in_force(service, now())
    return [("Legal hold", f"{hold.reason} ({names([hold.owner])} answers for it)") for hold in found]


if held not in facts_of_service:
    facts_of_service.append(held)


def _end(request: HttpRequest, exception: Any, form: forms.Form) -> str:
    try:
        excepting.end(exception=exception, by=request.user, at=now(), reason=given_reason(request))
    except Refused as error:
        raise Impossible(str(error)) from None
    return f"The exception for {names([exception.person])} has ended."


@admin.register(DutyException)
class DutyExceptionAdmin(TrackedAdmin):
    place = 8
    heading = "Exceptions from duties"
    singular = "exception from duties"
    about = "Who may hold two duties that exclude each other, until when, and who answers for it."
    list_display = ("person", "one", "other", "owner", "approver", "valid_from", "valid_until")
    list_select_related = ("person", "owner", "approver")
    list_filter = ("one", "other")
    fields = ("person", ("one", "other"), "owner", "reason", ("valid_from", "valid_until"))
    acts = (
        Act(
            name="end",
            words=lambda exception: f"End the exception for {exception.person}",
            do=_end,
            fits=lambda exception: exception.valid_from < now() < exception.valid_until,
            told=lambda request, exception: ["Who still holds both duties then is refused what either of them does. Take one away first."],
            blocked=lambda request, exception: "" if request.user.has_perm(excepting.MAY_EXCEPT) else "Administrators end exceptions.",
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)  # one that is approved stands as it is, or ends

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        asked = {name: getattr(obj, name) for name in ("person", "one", "other", "owner", "reason", "valid_from", "valid_until")}
        try:
            made = excepting.except_duties(**asked, by=request.user, at=now())
        except Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(made.__dict__)


def _release(request: HttpRequest, hold: Any, form: forms.Form) -> str:
    try:
        legal_holds.release(hold=hold, by=request.user, at=now(), reason=given_reason(request))
    except Refused as error:
        raise Impossible(str(error)) from None
    return f"The legal hold on {hold.service} is released."


def _after(hold: LegalHold) -> str:
    """What the service is free for once this hold is released."""
    others = sum(one.pk != hold.pk for one in legal_holds.in_force(hold.service, now()))
    if not others:
        return "From then on the service may be retired."
    return f"The service may still not be retired: {others} other {'holds bind' if others > 1 else 'hold binds'} it."


@admin.register(LegalHold)
class LegalHoldAdmin(BesideEntry, TrackedAdmin):
    place = 7
    heading = "Legal holds"
    about = "Services of which nothing may go: neither entry nor evidence nor copies."
    list_display = ("service", "reason", "owner", "held_from", "held_until", "released_at", "released_by")
    list_select_related = ("service", "owner", "released_by")
    list_filter = (("released_at", admin.EmptyFieldListFilter),)
    search_fields = ("service__code", "reason")
    fields = ("service", "owner", "reason", ("held_from", "held_until"))
    acts = (
        Act(
            name="release",
            words=lambda hold: f"Release the legal hold on {hold.service}",
            do=_release,
            fits=lambda hold: hold.released_at is None,
            told=lambda request, hold: [f"{_after(hold)} The hold stays on record.", "Who was told of it is mailed."],
            blocked=lambda request, hold: refusal(by=request.user, act="release", on=hold.service, at=now()),
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return Service.objects.visible_to(request.user, "approve").exists()

    def _choices(self, db_field: Any, request: HttpRequest, offered: Any) -> Any:
        return offered.visible_to(request.user, "approve") if db_field.name == "service" else super()._choices(db_field, request, offered)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        asked = {name: getattr(obj, name) for name in ("service", "owner", "reason", "held_from", "held_until")}
        try:
            made = legal_holds.place(**asked, by=request.user, at=now())
        except Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(made.__dict__)


@admin.register(GrantEntry)
class GrantEntryAdmin(FactAdmin):
    place = 9
    heading = "Rights given and taken"
    about = "Every role and right that somebody got or lost, by whichever way. The database itself writes it."
    list_display = ("at", "holder", "given", "what_in_words", "on", "by_whom", "reason")
    list_filter = ("kind", "given")
    search_fields = ("holder", "what", "reason")
    ordering = ("-at", "-pk")
    fields = ("at", "kind", "holder", "given", "what_in_words", "on", "by_whom", "reason")

    def get_queryset(self, request: HttpRequest) -> Any:
        who = get_user_model().objects.filter(pk=OuterRef("by")).values("username")
        return super().get_queryset(request).annotate(who=Subquery(who))

    @admin.display(description="What", ordering="what")
    def what_in_words(self, entry: Any) -> str:
        return entry.what if entry.kind == GrantEntry.Kind.ROLE else right_words(entry.what)

    @admin.display(description="By")
    def by_whom(self, entry: Any) -> str:
        return entry.who or "outside the product's pages and acts"
