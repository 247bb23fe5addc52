"""Versions: the content of an entry and what it promises, from draft through review to approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from catalogue import backing, batching, checking, comparing, drafting, duties, naming, publishing, wording
from catalogue.admin import many, related, words
from catalogue.admin.acts import VERSION_ACTS
from catalogue.admin.drafts import PROMISES, DraftForm
from catalogue.admin.entries import measured_of, next_number, portal_url, shown_facts
from catalogue.models import AgreementVersion, Batch, Comment, Commitment, Offering, Service, ServiceVersion, Team
from itsm_backup.common.admin import Impossible, TrackedAdmin, given_reason, may
from itsm_backup.common.admin.fields import label_of, value_words
from itsm_backup.common.admin.history import Difference
from itsm_backup.common.admin.texts import beginning
from itsm_backup.common.time import now

State = ServiceVersion.State


def changes(version: ServiceVersion) -> list[Difference]:
    """What is different from the version in force, field by field, in words; empty for a first version."""
    live = version.service.version_at(now())
    if live is None or live.pk == version.pk:
        return []
    told = wording.tell(comparing.diff(comparing.content_of(live), comparing.content_of(version)))
    return [Difference(each.label, each.before, each.after) for each in told]


def _promised(field: Any) -> Any:
    def shown(version: ServiceVersion) -> Any:
        return value_words(field, getattr(getattr(version, "commitment", None), field.name, None))

    shown.__name__ = f"promised_{field.name}"
    shown.short_description = label_of(field)  # type: ignore[attr-defined]
    return shown


PROMISED: dict[str, Any] = {**{name: _promised(field) for name, field in PROMISES.items()}, "offerings": "offerings_in_words"}


@admin.register(ServiceVersion)
class VersionAdmin(TrackedAdmin):
    place = 2
    about = "Drafts, reviews and what was approved: every numbered content of every entry."
    form = DraftForm
    change_form_template = "admin/catalogue/version.html"
    acts = VERSION_ACTS
    history_parts = (Commitment, Offering)
    plain_columns = ("service",)  # the name stands in a column of its own
    list_display = ("service", "number", "release", "name", "state", "level", "tier", "approver", "approved_at")
    list_filter = ("state", "level", "tier", "kind", "hosting", "service")
    search_fields = ("service__code", "name", "department")
    list_select_related = ("service", "approver")
    ordering = ("service__code", "-number")
    actions = ("submit_many", "approve_many")
    readonly_fields = ("state_words", "offerings_in_words")
    fieldsets = (
        (None, {"fields": ("service", "state_words", "base")}),
        ("What it is", {
            "fields": ("name", "short_name", "summary", "kind", ("department", "application_type"), "labels", "on_purpose",
                       ("tier", "zone"), "commissioned_at"),
        }),
        ("Where it runs", {"fields": ("hosting", ("provider", "regions"))}),
        ("Who answers for it", {"fields": ("owner", "steward", "operations_team", "supplier", "escalation_policy")}),
        ("What it promises", {
            "fields": ("take_defaults", ("rpo_s", "rto_s"), ("success_rate", "on_time_rate"), "measurement_calendar",
                       ("rpo_attainment_rate", "restore_test_days"), ("window_opens", "window_closes"), "offerings"),
            "description": "Leave empty what is not promised. Write durations with their unit: 4 h, 26 h, 35 d, 90 min.",
        }),
        ("How it is protected", {
            "fields": ("retention_days", ("retention_min_days", "retention_max_days"), ("copy_scheme", "encryption"), "immutability_days"),
        }),
        ("What stands behind it", {"fields": ("sla", "ola", "contract", "regulations", "review_due_on", "change_reference")}),
    )  # fmt: skip

    def note(self, request: HttpRequest) -> str:
        waiting = self.rows_for(request, "view").filter(state=State.IN_REVIEW).count()
        return f"{waiting} for approval" if waiting else ""

    def waiting_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        rows = ServiceVersion.objects.visible_to(request.user, "view").select_related("service").order_by("submitted_at", "pk")
        approvable = Service.objects.visible_to(request.user, "approve")
        mine = rows.filter(state=State.DRAFT, author_ids__contains=[request.user.pk])
        to_approve = (
            rows.filter(state=State.IN_REVIEW, service__in=approvable)
            .exclude(author_ids__contains=[request.user.pk])
            .exclude(steward=request.user)
        )
        return [
            *((self._url(version), f"Approve or return: {version} of {version.service.code}") for version in to_approve[:20]),
            *((self._url(version), _to_finish(version)) for version in mine.annotate(came_back=_last_return())[:20]),
        ]

    def _url(self, version: ServiceVersion) -> str:
        return reverse("admin:catalogue_serviceversion_change", args=[version.pk])

    @admin.action(description="Submit the chosen drafts for approval", permissions=["change"])
    def submit_many(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        drafts = queryset.filter(state=State.DRAFT)
        return many.propose(self, request, drafts, act=Batch.Act.SUBMIT, wishes=batching.to_submit, words="Submit for approval")

    @admin.action(description="Approve the chosen versions", permissions=["approve"])
    def approve_many(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        waiting = queryset.filter(state=State.IN_REVIEW)
        return many.propose(self, request, waiting, act=Batch.Act.APPROVE, wishes=partial(batching.to_approve, at=now()), words="Approve")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return may(request, Service, "approve")

    @admin.display(description="State")
    def state_words(self, version: ServiceVersion) -> Any:
        authors = duties.names(get_user_model().objects.filter(pk__in=version.author_ids)).replace(" or ", " and ")
        words = f"{version.get_state_display()}, written by {authors or 'nobody yet'}"
        if version.approver and version.approved_at:
            when = value_words(ServiceVersion._meta.get_field("approved_at"), version.approved_at)
            words += f", approved by {duties.names([version.approver])} on {when}"
        return words

    @admin.display(description="Offerings")
    def offerings_in_words(self, version: ServiceVersion) -> str:
        return wording.told(comparing.content_of(version))["offerings"].before

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.state == State.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a draft is cancelled, and stays readable

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False  # content goes back by a new version

    def _choices(self, db_field: Any, request: HttpRequest, offered: Any) -> Any:
        if db_field.related_model is AgreementVersion:
            return offered.filter(state="approved", agreement__kind=db_field.name).select_related("agreement")
        if db_field.related_model is Team:
            return offered  # every writer names a team
        narrowed = super()._choices(db_field, request, offered)
        if db_field.name in naming.EXCLUDED:
            return naming.fit(narrowed, db_field.name, now())
        if db_field.name == "service" and (named := _number(request.GET.get("service"))):
            return narrowed.filter(pk=named)  # a new version of the entry that the address names
        return narrowed

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name in naming.EXCLUDED:
            field.why_not = lambda person: naming.refusal(person, db_field.name, now())
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("service", *super().get_readonly_fields(request, obj)) if obj else super().get_readonly_fields(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        locked = obj is not None and not self.has_change_permission(request, obj)
        hidden = {"state_words"} if obj is None else {"take_defaults"} | ({"base", "on_purpose"} if locked else set())
        shown: list[Any] = []
        for title, options in fieldsets:
            lines = [line for line in map(_as_tuple, options["fields"]) if line not in hidden]
            if locked:
                lines = [tuple(PROMISED.get(n, n) for n in line) if isinstance(line, tuple) else PROMISED.get(line, line) for line in lines]
            shown.append((title, {**options, "fields": lines}))
        return shown

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        if obj is None or self.has_change_permission(request, obj):
            made.known = words.known_to(request)
        return made

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new version starts with the content in force, or with that of the version named by `like`."""
        service = Service.objects.visible_to(request.user, "change").filter(pk=_number(request.GET.get("service"))).first()
        if service is None:
            return {}
        like = (
            service.versions.filter(pk=_number(request.GET.get("like"))).first() or service.versions.approved().order_by("-number").first()
        )
        promise = Commitment.objects.filter(version=like).first() if like else None
        offered = {"offerings": comparing.content_of(like)["offerings"], "take_defaults": False} if like else {}
        return {
            "service": service.pk,
            "commissioned_at": now(),  # a first version says since when there is data
            **offered,
            **({name: getattr(like, name) for name in publishing.CONTENT_FIELDS} if like else {}),
            **({name: getattr(promise, name) for name in PROMISES} if promise else {}),
        }

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said: dict[str, Any] = {
            "content": {name: form.cleaned_data[name] for name in publishing.CONTENT_FIELDS},
            "commitment": {name: form.cleaned_data[name] for name in PROMISES},
            "offerings": form.cleaned_data["offerings"],
            "by": request.user,
            "at": now(),
            "reason": given_reason(request),
        }
        try:
            if change:
                kept = publishing.edit_draft(version=ServiceVersion.objects.get(pk=obj.pk), base=form.cleaned_data["base"], **said)
            else:
                kept = publishing.draft_version(service=obj.service, tier_defaults=form.cleaned_data["take_defaults"], **said)
        except publishing.Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(kept.__dict__)

    def get_urls(self) -> list[Any]:
        return [path("check/", self.admin_site.admin_view(self.check_view), name="catalogue_serviceversion_check"), *super().get_urls()]

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """The check list for what stands in the form at this moment, stored or not."""
        service = self._service_of_new(request)
        if service is None:
            raise Http404("No service that you may change is named.")
        return render(request, "admin/catalogue/_checks.html", _checked(service, request.GET, request.user))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        """What stands in the form that is shown is checked: after two people wrote, that is more than what was sent."""
        form = context["adminform"].form
        if form.is_bound and context.get("service"):
            context |= _checked(context["service"], form.data, request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id) if object_id else None
        service = version.service if version else self._service_of_new(request)
        if version is None and service is not None and request.method == "GET" and (waiting := _open_of(service)):
            messages.info(request, f"{service} has an open version already: {waiting}, {waiting.get_state_display()}. Here it is.")
            return redirect(self._url(waiting))
        told = self._told(request, service, version) if service else {}
        if version is None and service is not None:
            told["title"] = f"Version {next_number(service)} of {service}"
        return super().changeform_view(request, object_id, form_url, {**told, **(extra_context or {})})

    def act_form(self, request: HttpRequest, obj: Any, act: Any) -> Any:
        form = super().act_form(request, obj, act)
        if "seen" in form.fields:
            form.fields["seen"].initial = comparing.hash_of(comparing.content_of(obj))
        return form

    def act_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {"changes": changes(obj), "portal_url": portal_url(obj.service)}

    def _service_of_new(self, request: HttpRequest) -> Service | None:
        named = request.GET.get("service") or request.POST.get("service") or ""
        asked = {"pk": int(named)} if _number(named) else {"code": named}
        return Service.objects.visible_to(request.user, "change").filter(**asked).first()

    def _told(self, request: HttpRequest, service: Service, version: ServiceVersion | None) -> dict[str, Any]:
        number = version.number if version else next_number(service)
        authors = (
            version.author_ids if version and version.state != State.DRAFT else [*(version.author_ids if version else []), request.user.pk]
        )
        open_version, able = _open_of(service), may(request, Service, "change", service.pk)
        shown = version or _begun_with(request, service)
        over = _is_over(version)
        return {
            **(_findings(service, checking.question_of(shown, reader=request.user)) if shown and not over else {}),
            "over": over,
            "check_url": reverse("admin:catalogue_serviceversion_check"),
            "came_back": _came_back(version) if version else None,
            "facts": shown_facts(service),
            "service": service,
            "portal_url": portal_url(service),
            "number": number,
            "approvers": duties.names(duties.who_may("approve", service, except_ids=authors)),
            "open_version": open_version,
            "changes": changes(version) if version and version.state != State.APPROVED else [],
            "next_number": next_number(service),
            "like_url": _like_url(service, version),
            "may_draft": able,
            **related.told(request, service, able=able and service.lifecycle != Service.Lifecycle.RETIRED),
        }


def _findings(service: Service, asked: checking.Question) -> dict[str, Any]:
    """The check list, and whether anything is promised that could be checked."""
    at = now()
    measured = measured_of(service, at)
    found = checking.findings(asked=asked, measured=measured, at=at)
    promised = any(value not in (None, "") for value in asked.promise.values()) or bool(asked.offerings)
    behind = backing.considerations(asked=asked, measured=measured, at=at) if promised else []
    return {"findings": found, "behind": behind, "promised": promised, "tally": _tally([*found, *behind]) if promised else ""}


def _tally(found: Sequence[checking.Finding]) -> str:
    """The list in a line: on a phone it is all that is seen until the list is opened."""
    counts = Counter(each.state for each in found)
    words = {"stops": "stops it" if counts["stops"] == 1 else "stop it", "borne": "borne", "consider": "to consider"}
    return ", ".join(f"{counts[state]} {told}" for state, told in words.items() if counts[state]) or "nothing speaks against it"


def _checked(service: Service, sent: Any, reader: Any) -> dict[str, Any]:
    usual = _number(sent.get("tier")) if sent.get("take_defaults") else None
    return {**_findings(service, _typed(sent, service, reader)), "unreadable": _unreadable(sent), "usual_tier": usual}


def _last_return() -> Subquery:
    returned = Comment.objects.filter(version=OuterRef("pk"), is_return=True).order_by("-pk")
    return Subquery(returned.values("text")[:1])


def _to_finish(version: Any) -> str:
    words = f"{version} of {version.service.code}"
    return f"Came back from review: {words}: {beginning(version.came_back, 160)}" if version.came_back else f"Finish your draft: {words}"


def _came_back(version: ServiceVersion) -> Comment | None:
    """The newest reason for which an open version was returned to draft."""
    return version.comments.filter(is_return=True).select_related("by").last() if version.state in (State.DRAFT, State.IN_REVIEW) else None


def _like_url(service: Service, version: ServiceVersion | None) -> str:
    url = f"{reverse('admin:catalogue_serviceversion_add')}?service={service.pk}"
    return f"{url}&like={version.pk}" if version else url


def _typed(sent: Any, service: Service, reader: Any) -> checking.Question:
    """The promises as they stand in the form; what cannot be read yet counts as not promised."""
    promise = {name: _read(DraftForm.base_fields[name], sent.get(name)) for name in PROMISES}
    chosen = [pk for pk in (_number(sent.get(name)) for name in ("sla", "ola", "contract")) if pk]
    agreements = AgreementVersion.objects.filter(pk__in=chosen, state="approved").select_related("agreement")
    if sent.get("take_defaults"):  # as it will be saved
        promise |= drafting.usual_levels(_number(sent.get("tier")), promise)
    offerings = _read(DraftForm.base_fields["offerings"], sent.get("offerings")) or ()
    labels = tuple(word.strip() for word in str(sent.get("labels") or "").split(","))
    return checking.Question(service, promise, tuple(agreements), tuple(offerings), reader, labels=labels)


def _is_over(version: ServiceVersion | None) -> bool:
    """Whether nothing follows from what it promises any more: given up, withdrawn, or superseded."""
    if version is None or version.state in (State.DRAFT, State.IN_REVIEW):
        return False
    span = version.effective
    return span is None or (span.upper is not None and span.upper <= now())


def _unreadable(sent: Any) -> list[str]:
    """The promises in the form that cannot be read, by their labels: the check list leaves them out, and says so."""
    found = []
    for name in (*PROMISES, "offerings"):
        field = DraftForm.base_fields[name]
        if sent.get(name) and _read(field, sent.get(name)) is None:
            found.append(str(field.label or wording.label(name)))
    return found


def _open_of(service: Service) -> ServiceVersion | None:
    return service.versions.filter(state__in=[State.DRAFT, State.IN_REVIEW]).first()


def _begun_with(request: HttpRequest, service: Service) -> ServiceVersion | None:
    """The version with whose content a new one begins."""
    rows = service.versions.select_related("service", "commitment", "sla__agreement", "ola__agreement", "contract__agreement")
    return rows.filter(pk=_number(request.GET.get("like"))).first() or rows.approved().order_by("-number").first()


def _read(field: Any, value: Any) -> Any:
    try:
        return field.clean(value)
    except ValidationError:
        return None


def _as_tuple(line: Any) -> Any:
    return tuple(line) if isinstance(line, (list, tuple)) else line


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
