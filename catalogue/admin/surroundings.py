"""Teams, relations and maintenance windows."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from catalogue import foreseeing, naming, relating
from catalogue.admin.beside import BesideEntry, stands
from catalogue.admin.entries import Fact
from catalogue.admin.related import warn
from catalogue.duties import Refused
from catalogue.models import RejectedRelation, Relation, Service, StatusOverride, Team, TeamMember, Window, windows
from itsm_backup.common.admin import Impossible, ReasonedForm, TrackedAdmin, TrackedInline, given_reason
from itsm_backup.common.admin.rights import sight
from itsm_backup.common.time import now


@admin.register(Relation)
class RelationAdmin(TrackedAdmin):
    place = 4
    portal_page = ("portal:service_graph", "consumer.code")
    about = "Which service feels it when another one stops. The matrix in the portal changes many at once."
    list_display = ("consumer", "kind", "provider", "strength_word", "origin", "confirmed_at", "valid_until")
    list_filter = ("consumer", "provider", "kind", "strength", "origin", ("confirmed_at", admin.EmptyFieldListFilter))
    search_fields = ("consumer__code", "provider__code")
    list_select_related = ("consumer", "provider")
    fields = ("consumer", "kind", "provider", "strength", ("valid_from", "valid_until"), "origin", "confirmed_at", "confirmed_by")

    @admin.display(description="Strength", ordering="strength")
    def strength_word(self, row: Relation) -> str:
        return row.get_strength_display().partition(":")[0]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.filter(provider__in=sight(request.user, Service).values("pk")) if self._limited(request) else rows

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else self.fields[:5]  # where it comes from and who confirmed it shows once it is there

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        return [stands(row.consumer), stands(row.provider)] if row else []

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        by_acts = ("origin", "confirmed_at", "confirmed_by")
        return (*by_acts, *super().get_readonly_fields(request, obj), *(("consumer", "kind", "provider") if obj else ()))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = {"by": request.user, "at": now(), "reason": given_reason(request)}
        wanted = {name: getattr(obj, name) for name in ("consumer", "provider", "kind", "strength", "valid_until")}
        try:
            if change and Relation.objects.planned(said["at"]).filter(pk=obj.pk).exists():
                times = {name: wanted[name] for name in ("strength", "valid_until")}
                act = partial(relating.change, relation=obj, valid_from=obj.valid_from, **times, **said)
            else:
                act = partial(relating.relate, **wanted, valid_from=obj.valid_from, **said)
            kept, follows = foreseeing.weigh(act, ends=(obj.consumer, obj.provider), at=said["at"], reader=request.user)
        except Refused as error:
            raise Impossible(str(error)) from None
        warn(request, follows)
        obj.__dict__.update(kept.__dict__)


@admin.register(RejectedRelation)
class RejectedRelationAdmin(TrackedAdmin):
    place = 6
    portal_page = ("portal:relations",)
    heading = "Rejected relations"
    about = "What monitoring saw and a steward rejected, with the reason. The portal's page of relations takes a rejection back."
    list_display = ("seen", "reason", "rejected_by", "rejected_at")
    list_select_related = ("seen__consumer", "seen__provider", "rejected_by")
    fields = ("seen", "reason", "rejected_by", "rejected_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(StatusOverride)
class StatusOverrideAdmin(BesideEntry, TrackedAdmin):
    place = 4
    portal_page = ("portal:status", "service.code")
    heading = "Statuses set by hand"
    singular = "status set by hand"
    about = "Where a person's word stood in place of the computed status: who, why, until when. The page of a status sets and ends it."
    list_display = ("service", "status", "owner", "made_at", "expires_at", "ended_at")
    list_select_related = ("service", "owner")
    list_filter = ("status", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("service__code", "reason")
    fields = ("service", "status", "reason", "owner", ("made_at", "made_by"), "expires_at", ("ended_at", "ended_by"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


BEGUN = "The window has begun already: it excuses only what opens from now on. What opened before counts, whatever comes of it."
MOVED = {"service", "starts_at", "ends_at"}


class WindowForm(ReasonedForm):
    """A window that is new or moved is not over yet; one that has begun may still end earlier or later."""

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        ends_at = said.get("ends_at")
        if ends_at and MOVED & set(self.changed_data) and ends_at <= now():
            self.add_error("ends_at", windows.OVER)
        return said


@admin.register(Window)
class WindowAdmin(BesideEntry, TrackedAdmin):
    place = 3
    heading = "Maintenance windows"
    singular = "maintenance window"
    about = "Maintenance: what becomes due in it is excused, if it was decided before."
    list_display = ("service", "purpose", "starts_at", "ends_at", "decided_by", "decided_at")
    list_filter = ("service",)
    date_hierarchy = "starts_at"
    list_select_related = ("service", "decided_by")
    fields = ("service", "purpose", "starts_at", "ends_at")
    form = WindowForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change or MOVED & set(form.changed_data) or getattr(request, "reverting", False):
            obj.decided_at, obj.decided_by = now(), request.user  # a moved window was decided now: nothing is excused afterwards
            if obj.starts_at < obj.decided_at < obj.ends_at:
                self.message_user(request, BEGUN, messages.WARNING)
        super().save_model(request, obj, form, change)


class MemberForm(forms.ModelForm):
    """Nobody is put into a team whose other duty excludes running backups."""

    def clean_person(self) -> Any:
        person = self.cleaned_data["person"]
        if "person" in self.changed_data and (told := naming.refusal_of_member(person, now())):
            raise forms.ValidationError(told)
        return person


class MemberInline(TrackedInline, admin.TabularInline):
    model = TeamMember
    form = MemberForm
    fields = ("person",)
    verbose_name_plural = "Who belongs to it, and can accept backups that are handed to it"


@admin.register(Team)
class TeamAdmin(TrackedAdmin):
    place = 5
    about = "Who runs backups, who belongs to the team, and where its messages go."
    history_parts = (TeamMember,)
    inlines = (MemberInline,)
    list_display = ("name", "email")
    search_fields = ("name", "email")
    fields = ("name", "email")
