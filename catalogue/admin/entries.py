"""Services: what stands behind a code, where it stands now, its versions, and what can be done next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import CharField, OuterRef, Prefetch, Subquery
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from catalogue import duties, publishing
from catalogue.admin import many, related
from catalogue.checking import UNMEASURED, Measured
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.admin import Impossible, TrackedAdmin, given_reason, may
from itsm_backup.common.admin.fields import value_words
from itsm_backup.common.time import now

OPEN = [ServiceVersion.State.DRAFT, ServiceVersion.State.IN_REVIEW]
Fact = tuple[str, Any]  # a label and what it says
facts_of_service: list[Callable[[Service], list[Fact]]] = []  # floors above add theirs
measuring: list[Callable[[Service, dt.datetime], Measured]] = []  # the floor that measures adds how


def measured_of(service: Service, at: dt.datetime) -> Measured:
    """What is measured of the service's backups, for the checks of its promise."""
    return measuring[0](service, at) if measuring else UNMEASURED


def portal_url(service: Service) -> str:
    try:
        return reverse("portal:service", args=[service.code])
    except NoReverseMatch:
        return ""


def standing(service: Service) -> list[Fact]:
    """What the catalogue itself knows of where a service stands."""
    found: list[Fact] = []
    status = getattr(service, "status", None)
    if status is not None:
        words = format_html('<b class="status status--{}">{}</b> since {}', status.status, status.get_status_display(), _when(status.since))
        found.append(("Status", words))
    version = service.version_at(now())
    found.append(("In force", _version_link(version) if version else "nothing yet"))
    return found


def shown_facts(service: Service) -> list[Fact]:
    """The panel on the pages of a service and of its versions."""
    return [fact for tell in (standing, *facts_of_service) for fact in tell(service)]


def next_number(service: Service) -> int:
    newest = service.versions.order_by("-number").values_list("number", flat=True).first()
    return (newest or 0) + 1


def _when(at: Any) -> Any:
    return value_words(ServiceVersion._meta.get_field("approved_at"), at)


def _version_link(version: ServiceVersion) -> Any:
    return format_html('<a href="{}">version {}</a>, {}', _version_url(version), version.number, version.name)


def _version_url(version: ServiceVersion) -> str:
    return reverse("admin:catalogue_serviceversion_change", args=[version.pk])


def _in_force(request: HttpRequest, door: Any) -> list[dict[str, Any]]:
    """What can be chosen in the filters by a field of the version in force; one question for all of them."""
    if "_in_force_values" not in request.__dict__:
        live = ServiceVersion.objects.in_force(now()).filter(service__in=door.get_queryset(request).values("pk"))
        request.__dict__["_in_force_values"] = list(live.order_by().values("department", "tier").distinct())
    return request.__dict__["_in_force_values"]  # type: ignore[no-any-return]


class _InForce(admin.SimpleListFilter):
    """Entries by a field of their version in force."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        found = {row[self.parameter_name] for row in _in_force(request, model_admin)}
        return [(value, str(value)) for value in sorted(found - {None, ""})]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        live = ServiceVersion.objects.in_force(now()).annotate(told=Cast(self.parameter_name, CharField()))
        return queryset.filter(pk__in=live.filter(told=self.value()).values("service"))


class InForceDepartment(_InForce):
    title, parameter_name = "department", "department"


class InForceTier(_InForce):
    title, parameter_name = "tier", "tier"


class ToDo(admin.SimpleListFilter):
    """Entries by what is to be done about them, and by whom."""

    title, parameter_name = "what is to do", "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        words = {"mine": "I am the steward", "draft": "a draft is open", "in_review": "waits for approval", "review": "review is due"}
        return list(words.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted, at = self.value(), now()
        live = ServiceVersion.objects.in_force(at)
        found = {
            "mine": live.filter(steward=request.user),
            "draft": ServiceVersion.objects.filter(state="draft"),
            "in_review": ServiceVersion.objects.filter(state="in_review"),
            "review": live.filter(review_due_on__lte=at.date()),
        }.get(wanted or "")
        return queryset if found is None else queryset.filter(pk__in=found.values("service"))


@admin.register(Service)
class ServiceAdmin(TrackedAdmin):
    place = 1
    about = "The entries of the catalogue, where each stands, and the way to a new version."
    change_form_template = "admin/catalogue/service.html"
    grantable = ("change", "approve")
    list_display = ("code", "name", "tier", "department", "steward", "lifecycle", "status_now", "in_force", "open_version")
    list_filter = (ToDo, "lifecycle", "status__status", InForceDepartment, InForceTier)
    actions = ("edit_many",)
    change_list_template = "admin/catalogue/services.html"
    search_fields = ("code", "versions__name")
    ordering = ("code",)
    fields = ("code",)

    def get_queryset(self, request: HttpRequest) -> Any:
        newest = ServiceVersion.objects.filter(service=OuterRef("pk")).order_by("-number").values("name")[:1]
        shown = (
            "id",
            "service_id",
            "number",
            "state",
            "tier",
            "department",
            "steward__username",
            "steward__first_name",
            "steward__last_name",
        )
        live = ServiceVersion.objects.in_force(now()).select_related("steward").only(*shown)
        drafts = ServiceVersion.objects.filter(state__in=OPEN).only("id", "service_id", "number", "state")
        return (
            super().get_queryset(request).select_related("status").annotate(newest_name=Subquery(newest))
            .prefetch_related(Prefetch("versions", live, "live"), Prefetch("versions", drafts, "unfinished"))
        )  # fmt: skip

    @admin.display(description="Name")
    def name(self, service: Any) -> str:
        return service.newest_name or "–"

    @admin.display(description="Tier")
    def tier(self, service: Any) -> Any:
        return service.live[0].tier if service.live else "–"

    @admin.display(description="Department")
    def department(self, service: Any) -> str:
        return service.live[0].department or "–" if service.live else "–"

    @admin.display(description="Steward")
    def steward(self, service: Any) -> str:
        return duties.names([service.live[0].steward]) if service.live else "–"

    @admin.display(description="Status", ordering="status__status")
    def status_now(self, service: Any) -> Any:
        status = getattr(service, "status", None)
        return format_html('<span class="status status--{}">{}</span>', status.status, status.get_status_display()) if status else "–"

    @admin.display(description="In force")
    def in_force(self, service: Any) -> str:
        return f"version\u00a0{service.live[0].number}" if service.live else "–"

    @admin.display(description="Open version")
    def open_version(self, service: Any) -> Any:
        if not service.unfinished:
            return "–"
        version = service.unfinished[0]
        return format_html('<a href="{}">version\u00a0{}, {}</a>', _version_url(version), version.number, version.get_state_display())

    @admin.action(description="Change fields of the chosen entries", permissions=["change"])
    def edit_many(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return many.edit(self, request, queryset)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a service is retired, never deleted

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False  # its content goes back by a new version

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            return
        try:
            made = publishing.create_service(code=obj.code, by=request.user, at=now(), reason=given_reason(request))
        except publishing.Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, f"{obj.code} is in the pipeline. Now say what its first version contains and promises.")
        return HttpResponseRedirect(f"{reverse('admin:catalogue_serviceversion_add')}?service={obj.pk}")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        service = self.get_object(request, object_id)
        told = self._told(request, service) if service is not None else {}
        nothing_to_save = {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().change_view(request, object_id, form_url, {**nothing_to_save, **told, **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        return [*related.urls(self.admin_site), *super().get_urls()]

    def _told(self, request: HttpRequest, service: Any) -> dict[str, Any]:
        versions = list(service.versions.select_related("approver").order_by("-number"))
        able = may(request, Service, "change", service.pk) and service.lifecycle != Service.Lifecycle.RETIRED
        return {
            "facts": shown_facts(service),
            "versions": [{"row": version, "href": _version_url(version)} for version in versions],
            "portal_url": portal_url(service),
            "unfinished": next(iter(service.unfinished), None),
            "next_number": versions[0].number + 1 if versions else 1,
            "may_draft": able,
            **related.told(request, service, able=able),
            "draft_url": f"{reverse('admin:catalogue_serviceversion_add')}?service={service.pk}",
        }
