"""Versions: the content of an entry and what it promises, from draft through review to approval."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from catalogue import duties, publishing
from catalogue.admin.acts import VERSION_ACTS
from catalogue.admin.entries import next_number, portal_url, shown_facts
from catalogue.models import Commitment, Service, ServiceVersion, Team
from itsm_backup.common.admin import Impossible, ReasonedForm, TrackedAdmin, given_reason, may
from itsm_backup.common.admin.fields import form_field_of, label_of, value_words
from itsm_backup.common.admin.history import Difference
from itsm_backup.common.time import now

State = ServiceVersion.State
PROMISES = {name: Commitment._meta.get_field(name) for name in publishing.COMMITMENT_FIELDS}


class VersionForm(ReasonedForm):
    """Content and promise together: one page, one act."""

    class Meta:
        model = ServiceVersion
        fields = ("service", *publishing.CONTENT_FIELDS)
        help_texts = {"labels": "Classification labels, separated by commas."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        promise = Commitment.objects.filter(version=self.instance.pk).first() if self.instance.pk else None
        for name in PROMISES if promise else ():
            self.initial.setdefault(name, getattr(promise, name))

    def clean(self) -> Any:
        cleaned = super().clean()
        promise = Commitment(**{name: cleaned.get(name) for name in PROMISES})
        try:
            promise.full_clean(exclude=["version", *self.errors])
        except ValidationError as error:
            for name, problems in error.error_dict.items():
                self.add_error(name if name in self.fields else None, problems)
        return cleaned


PromiseForm = type("PromiseForm", (VersionForm,), {name: form_field_of(field) or field.formfield() for name, field in PROMISES.items()})


def changes(version: ServiceVersion) -> list[Difference]:
    """What is different from the version in force, field by field, in words; empty for a first version."""
    live = version.service.version_at(now())
    if live is None or live.pk == version.pk:
        return []
    pairs = [(ServiceVersion._meta.get_field(name), live, version) for name in publishing.CONTENT_FIELDS]
    pairs += [(field, getattr(live, "commitment", None), getattr(version, "commitment", None)) for field in PROMISES.values()]
    return [
        Difference(label_of(field), _value(field, before), _value(field, after))
        for field, before, after in pairs
        if getattr(before, field.name, None) != getattr(after, field.name, None)
    ]


def _value(field: Any, row: Any) -> str:
    value = getattr(row, field.name, None)
    return str(value if field.is_relation and value is not None else value_words(field, value))


def _promised(field: Any) -> Any:
    def shown(version: ServiceVersion) -> Any:
        return value_words(field, getattr(getattr(version, "commitment", None), field.name, None))

    shown.__name__ = f"promised_{field.name}"
    shown.short_description = label_of(field)  # type: ignore[attr-defined]
    return shown


PROMISED = {name: _promised(field) for name, field in PROMISES.items()}


@admin.register(ServiceVersion)
class VersionAdmin(TrackedAdmin):
    place = 2
    about = "Drafts, reviews and what was approved: every numbered content of every entry."
    form = PromiseForm
    change_form_template = "admin/catalogue/version.html"
    acts = VERSION_ACTS
    history_parts = (Commitment,)
    list_display = ("service", "number", "name", "state", "tier", "approver", "approved_at")
    list_filter = ("state", "tier", "service")
    search_fields = ("service__code", "name", "department")
    list_select_related = ("service", "approver")
    ordering = ("service__code", "-number")
    readonly_fields = ("state_words",)
    fieldsets = (
        (None, {"fields": ("service", "state_words")}),
        ("What it is", {
            "fields": ("name", "short_name", "summary", ("department", "application_type"), "labels", ("tier", "zone"), "commissioned_at"),
        }),
        ("Who answers for it", {"fields": ("owner", "steward", "operations_team")}),
        ("What it promises", {
            "fields": (("rpo_s", "rto_s"), ("success_rate", "on_time_rate"), ("retention_days", "restore_test_days"),
                       ("window_opens", "window_closes")),
            "description": "Leave empty what is not promised. Write durations with their unit: 4 h, 26 h, 35 d, 90 min.",
        }),
    )  # fmt: skip

    def note(self, request: HttpRequest) -> str:
        waiting = self.rows_for(request, "view").filter(state=State.IN_REVIEW).count()
        return f"{waiting} for approval" if waiting else ""

    def waiting_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        rows = ServiceVersion.objects.visible_to(request.user, "view").select_related("service").order_by("submitted_at", "pk")
        approvable = Service.objects.visible_to(request.user, "approve")
        mine = rows.filter(state=State.DRAFT, author_ids__contains=[request.user.pk])
        to_approve = rows.filter(state=State.IN_REVIEW, service__in=approvable).exclude(author_ids__contains=[request.user.pk])
        return [
            *((self._url(version), f"Approve or return: {version} of {version.service.code}") for version in to_approve[:20]),
            *((self._url(version), f"Finish your draft: {version} of {version.service.code}") for version in mine[:20]),
        ]

    def _url(self, version: ServiceVersion) -> str:
        return reverse("admin:catalogue_serviceversion_change", args=[version.pk])

    @admin.display(description="State")
    def state_words(self, version: ServiceVersion) -> Any:
        authors = duties.names(get_user_model().objects.filter(pk__in=version.author_ids)).replace(" or ", " and ")
        words = f"{version.get_state_display()}, written by {authors or 'nobody yet'}"
        if version.approver and version.approved_at:
            when = value_words(ServiceVersion._meta.get_field("approved_at"), version.approved_at)
            words += f", approved by {duties.names([version.approver])} on {when}"
        return words

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.state == State.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a draft is cancelled, and stays readable

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False  # content goes back by a new version

    def _choices(self, db_field: Any, request: HttpRequest, offered: Any) -> Any:
        return offered if db_field.related_model is Team else super()._choices(db_field, request, offered)  # every writer names a team

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("service", *super().get_readonly_fields(request, obj)) if obj else super().get_readonly_fields(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            fieldsets[0][1]["fields"] = [name for name in fieldsets[0][1]["fields"] if name != "state_words"]
        elif not self.has_change_permission(request, obj):
            for _, options in fieldsets:
                options.pop("description", None)  # how to fill in what is locked
                options["fields"] = [tuple(PROMISED.get(n, n) for n in line) if isinstance(line, tuple) else PROMISED.get(line, line)
                                     for line in map(_as_tuple, options["fields"])]  # fmt: skip
        return fieldsets

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new version starts with the content in force, or with that of the version named by `like`."""
        service = Service.objects.visible_to(request.user, "change").filter(pk=_number(request.GET.get("service"))).first()
        if service is None:
            return {}
        like = (
            service.versions.filter(pk=_number(request.GET.get("like"))).first() or service.versions.approved().order_by("-number").first()
        )
        promise = Commitment.objects.filter(version=like).first() if like else None
        return {
            "service": service.pk,
            **({name: getattr(like, name) for name in publishing.CONTENT_FIELDS} if like else {}),
            **({name: getattr(promise, name) for name in PROMISES} if promise else {}),
        }

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        content = {name: form.cleaned_data[name] for name in publishing.CONTENT_FIELDS}
        promise = {name: form.cleaned_data[name] for name in PROMISES}
        said: dict[str, Any] = {"content": content, "commitment": promise, "by": request.user, "at": now(), "reason": given_reason(request)}
        try:
            if change:
                kept = publishing.edit_draft(version=ServiceVersion.objects.get(pk=obj.pk), **said)
            else:
                kept = publishing.draft_version(service=obj.service, **said)
        except publishing.Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(kept.__dict__)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id) if object_id else None
        service = version.service if version else self._service_of_new(request)
        told = self._told(request, service, version) if service else {}
        return super().changeform_view(request, object_id, form_url, {**told, **(extra_context or {})})

    def act_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {"changes": changes(obj), "portal_url": portal_url(obj.service)}

    def _service_of_new(self, request: HttpRequest) -> Service | None:
        pk = _number(request.POST.get("service") or request.GET.get("service"))
        return Service.objects.visible_to(request.user, "change").filter(pk=pk).first()

    def _told(self, request: HttpRequest, service: Service, version: ServiceVersion | None) -> dict[str, Any]:
        number = version.number if version else next_number(service)
        authors = (
            version.author_ids if version and version.state != State.DRAFT else [*(version.author_ids if version else []), request.user.pk]
        )
        open_version = service.versions.filter(state__in=[State.DRAFT, State.IN_REVIEW]).first()
        return {
            "facts": shown_facts(service),
            "service": service,
            "portal_url": portal_url(service),
            "number": number,
            "approvers": duties.names(duties.who_may("approve", service, except_ids=authors)),
            "open_version": open_version,
            "changes": changes(version) if version and version.state != State.APPROVED else [],
            "next_number": next_number(service),
            "like_url": _like_url(service, version),
            "may_draft": may(request, Service, "change", service.pk),
        }


def _like_url(service: Service, version: ServiceVersion | None) -> str:
    url = f"{reverse('admin:catalogue_serviceversion_add')}?service={service.pk}"
    return f"{url}&like={version.pk}" if version else url


def _as_tuple(line: Any) -> Any:
    return tuple(line) if isinstance(line, (list, tuple)) else line


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
