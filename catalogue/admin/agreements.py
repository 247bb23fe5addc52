"""What stands behind promises: agreements, impact analyses and deviations, each written by one person and approved by another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from catalogue import agreeing, checking, deviating
from catalogue.admin.beside import BesideEntry
from catalogue.admin.entries import Fact, measured_of
from catalogue.models import Agreement, AgreementVersion, Deviation, ImpactAnalysis, Service, ServiceVersion
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.admin import Act, Impossible, TrackedAdmin, given_reason, may
from itsm_backup.common.admin.fields import label_of, value_words
from itsm_backup.common.time import now

MOST_NAMED = 30  # entries that keep an agreement and are named beside it


def _do(call: Callable[..., Any], argument: str, done: str) -> Callable[[HttpRequest, Any, forms.Form], str]:
    def do(request: HttpRequest, row: Any, form: forms.Form) -> str:
        try:
            moved = call(**{argument: row}, by=request.user, at=now(), reason=given_reason(request))
        except Refused as error:
            raise Impossible(str(error)) from None
        return done.format(row=moved)

    return do


def _blocked(check: Callable[..., None]) -> Callable[[HttpRequest, Any], str]:
    def blocked(request: HttpRequest, row: Any) -> str:
        try:
            check(row, request.user, now())
        except NotAllowed as error:
            return str(error)
        return ""

    return blocked


def _before_approving(row: Any) -> list[str]:
    """What it says, against the one that counts now, and which promises it breaks."""
    owner = "service" if isinstance(row, ImpactAnalysis) else "agreement"
    before = type(row).objects.filter(**{owner: getattr(row, owner)}, state="approved").order_by("-number").first()
    told = ["From now on it counts, and it never changes again: what is new becomes the next version.", "It says:"]
    for field in (each for each in row._meta.fields if each.editable and not each.primary_key and each.name != owner):
        mine = value_words(field, getattr(row, field.name))
        theirs = value_words(field, getattr(before, field.name)) if before else mine
        if mine != "–" or theirs != mine:
            told.append(f"{label_of(field)}: {mine}" if theirs == mine else f"{label_of(field)}: {theirs} → {mine}")
    at = now()
    broken = checking.broken_by(analysis=row, measured=measured_of(row.service, at), at=at) if isinstance(row, ImpactAnalysis) else []
    return [*told, *(["Then this does not hold:", *broken] if broken else [])]


TEXT_ACTS = (
    Act(
        name="approve",
        words=lambda row: f"Approve {row}",
        do=_do(agreeing.approve, "row", "{row} is approved."),
        fits=lambda row: row.state == "draft",
        told=lambda request, row: _before_approving(row),
        blocked=_blocked(agreeing.check_approver),
        primary=True,
    ),
    Act(
        name="cancel",
        words=lambda row: f"Cancel {row}",
        do=_do(agreeing.cancel, "row", "{row} is cancelled."),
        fits=lambda row: row.state == "draft",
        told=lambda request, row: ["Nothing of it takes force. It stays readable."],
    ),
)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


class TextAdmin(TrackedAdmin):
    """A numbered text: drafts are written here, approved ones are to be read."""

    acts = TEXT_ACTS
    owner = ""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.state == "draft")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a draft is cancelled, and stays readable

    def may_revert(self, request: HttpRequest, obj: Any) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ("state_words", *super().get_readonly_fields(request, obj))
        return (self.owner, *shown) if obj else shown

    @admin.display(description="State")
    def state_words(self, row: Any) -> str:
        if row.pk is None:
            return "not written yet"
        words = f"{row.get_state_display()}, version {row.number}, written by {row.author.get_full_name() or row.author}"
        if row.approver:
            words += f", approved by {row.approver.get_full_name() or row.approver} on {row.approved_at:%d %b %Y}"
        return words

    def waiting_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Drafts of others on which the person may decide."""
        drafts = self.model.objects.visible_to(request.user).filter(state="draft").exclude(author=request.user)
        if self.owner == "service":
            drafts = drafts.filter(service__in=Service.objects.visible_to(request.user, "approve"))
        elif not request.user.has_perm("catalogue.approve_service"):
            drafts = drafts.none()
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return [(reverse(name, args=[row.pk]), f"Approve or cancel: {row}") for row in drafts.select_related(self.owner)[:20]]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The next text of what the address names begins with what the newest approved one says; its days are new."""
        named = request.GET.get(self.owner, "")
        rows = (
            self.model.objects.visible_to(request.user).filter(**{self.owner: int(named)})
            if _is_number(named)
            else self.model.objects.none()
        )
        return {**agreeing.begun_with(rows), **super().get_changeform_initial_data(request)}

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        told = super().facts_beside(request, row)
        owner = getattr(row, self.owner, None)
        if (
            owner is None
            or not self.has_add_permission(request)
            or self.model.objects.filter(state="draft", **{self.owner: owner}).exists()
        ):
            return told
        address = f"{reverse(f'admin:catalogue_{self.opts.model_name}_add')}?{self.owner}={owner.pk}"
        return [*told, ("It never changes", format_html('<a href="{}">Make the next version</a>', address))]

    def write(self, owner: Any, content: dict[str, Any], **said: Any) -> Any:
        raise Impossible("This text has no act to write it.")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        content = {name: value for name, value in form.cleaned_data.items() if name in form._meta.model_fields and name != self.owner}
        try:
            kept = self.write(getattr(obj, self.owner), content, by=request.user, at=now(), reason=given_reason(request))
        except Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(kept.__dict__)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        made._meta.model_fields = {field.name for field in self.model._meta.fields if field.editable}
        return made


@admin.register(Agreement)
class AgreementAdmin(TrackedAdmin):
    place = 6
    about = "With whom service levels are agreed: customers, teams of ours, suppliers."
    list_display = ("name", "kind", "party")
    list_filter = ("kind",)
    search_fields = ("name", "party")
    fields = ("name", "kind", "party")


@admin.register(AgreementVersion)
class AgreementVersionAdmin(TextAdmin):
    place = 7
    heading = "Agreement versions"
    about = "What each agreement says, version by version; entries name the one that they keep."
    owner = "agreement"
    list_display = ("agreement", "number", "state", "from_on", "until_on", "approver", "approved_at")
    list_filter = ("state", "agreement__kind")
    search_fields = ("agreement__name", "agreement__party")
    list_select_related = ("agreement", "approver")
    fieldsets = (
        (None, {"fields": ("agreement", "state_words", ("from_on", "until_on"))}),
        ("What is agreed", {"fields": (("rpo_s", "rto_s"), ("retention_days", "success_rate"), "text"),
                            "description": "Leave empty what is not agreed. Write durations with their unit: 4 h, 26 h, 35 d."}),
    )  # fmt: skip

    def write(self, owner: Any, content: dict[str, Any], **said: Any) -> Any:
        return agreeing.draft_agreement(agreement=owner, content=content, **said)

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        told = super().facts_beside(request, row)
        return [("Entries in force that name it", _kept_by(request, row)), *told] if row else told


def _kept_by(request: HttpRequest, row: AgreementVersion) -> Any:
    """The entries that name it now, each with the way to what stands behind its promise."""
    seen = Service.objects.visible_to(request.user)
    live = ServiceVersion.objects.in_force(now()).filter(Q(sla=row) | Q(ola=row) | Q(contract=row), service__in=seen)
    found = list(live.order_by("service__code").values_list("service__code", "name")[: MOST_NAMED + 1])
    links = [(reverse("portal:commitment", args=[code]), code, name) for code, name in found[:MOST_NAMED]]
    more = " and more" if found[MOST_NAMED:] else ""
    return format_html("{}{}", format_html_join(", ", '<a href="{}">{}</a> {}', links), more) if links else "none"


@admin.register(ImpactAnalysis)
class AnalysisAdmin(BesideEntry, TextAdmin):
    place = 8
    heading = "Impact analyses"
    about = "What the business can bear when a service stops: the bounds of every promise."
    owner = "service"
    portal_page = ("portal:commitment", "service.code")
    with_checks = True
    change_form_template = "admin/catalogue/beside.html"
    list_display = ("service", "number", "state", "review_due_on", "approver", "approved_at")
    list_filter = ("state",)
    search_fields = ("service__code",)
    list_select_related = ("service", "approver")
    fieldsets = (
        (None, {"fields": ("service", "state_words")}),
        ("What can be borne", {"fields": ("mtpd_s", ("tolerated_loss_s", "wrt_s"), "mbco", "review_due_on"),
                               "description": "Write durations with their unit: 4 h, 26 h, 3 d."}),
    )  # fmt: skip

    def write(self, owner: Any, content: dict[str, Any], **said: Any) -> Any:
        return agreeing.draft_analysis(service=owner, content=content, **said)

    def facts_beside(self, request: HttpRequest, row: Any) -> list[Fact]:
        return [*super().facts_beside(request, row), *TextAdmin.facts_beside(self, request, row)]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any) -> Any:
        if obj is not None and obj.state == "draft":
            at = now()
            context["broken"] = checking.broken_by(analysis=obj, measured=measured_of(obj.service, at), at=at)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)


def _granted(*, deviation: Deviation, by: Any, at: Any, reason: str) -> Deviation:
    return deviating.grant(deviation=deviation, by=by, at=at, reason=reason, measured=measured_of(deviation.service, at))


def _bears(row: Deviation) -> list[str]:
    """What it would bear if it were granted now, in the words of the check list."""
    at = now()
    told = checking.borne(service=row.service, code=row.code, measured=measured_of(row.service, at), at=at)
    if not told:
        return ["Nothing breaks this inequality now, neither in force nor on its way: granted as it is, it would bear nothing."]
    return ["It bears this, and nothing worse:", *dict.fromkeys(gap.sentence for gap in told)]


def _may_end(request: HttpRequest, row: Deviation) -> str:
    if may(request, Service, "approve", row.service_id) or may(request, Service, "change", row.service_id):
        return ""
    return f"You may neither change nor approve {row.service.code}."


@admin.register(Deviation)
class DeviationAdmin(BesideEntry, TrackedAdmin):
    place = 9
    portal_page = ("portal:commitment", "service.code")
    with_checks = True
    change_form_template = "admin/catalogue/beside.html"
    about = "Where a promise is borne that an inequality forbids: why, by whom, and until when."
    list_display = ("service", "code", "owner", "expires_on", "state_words", "approver")
    list_filter = ("code", "expires_on")
    search_fields = ("service__code", "code", "reason")
    list_select_related = ("service", "owner", "approver")
    readonly_fields = ("state_words",)
    fields = ("service", "wanted", "reason", "owner", "expires_on")
    acts = (
        Act(
            name="grant",
            words=lambda row: f"Grant the {row}",
            do=_do(_granted, "deviation", "The {row} is granted."),
            fits=lambda row: row.granted_at is None and row.ended_at is None,
            told=lambda request, row: [
                f"{deviating.CODES[row.code]}. It is borne until {row.expires_on:%d %b %Y}; {row.owner.get_full_name() or row.owner}"
                " answers for it. It stands on the entry's page from now on.",
                f"Why: {row.reason}",
                *_bears(row),
            ],
            blocked=_blocked(deviating.check_granter),
            primary=True,
        ),
        Act(
            name="end",
            words=lambda row: f"Take the {row} back" if row.granted_at else f"Refuse the {row}",
            do=_do(deviating.end, "deviation", "The {row} is over."),
            fits=lambda row: row.ended_at is None,
            told=lambda request, row: ["It bears nothing from now on. What is in force stays in force; no version is approved with it."],
            blocked=_may_end,
        ),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        wanted = forms.ChoiceField(
            label="What does not hold", choices=[(code, f"{words} ({code})") for code, words in deviating.CODES.items()],
            initial=request.GET.get("code"),
        )  # fmt: skip
        kwargs["form"] = type("DeviationForm", (self.form,), {"wanted": wanted})
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fields
        return ("service", "code", "state_words", "reason", "owner", "expires_on", "asked_by", "approver", "granted_at", "ended_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)  # what was asked for is granted or refused as it is

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="State")
    def state_words(self, row: Deviation) -> str:
        return deviating.state_of(row, now()) if row.pk else "–"

    def waiting_for(self, request: HttpRequest) -> list[tuple[str, str]]:
        rows = Deviation.objects.filter(granted_at=None, ended_at=None, service__in=Service.objects.visible_to(request.user, "approve"))
        rows = rows.exclude(owner=request.user).exclude(asked_by=request.user).select_related("service")[:20]
        return [(self.url_of(row), f"Grant or refuse: {row}") for row in rows]

    def url_of(self, row: Deviation) -> str:
        return reverse("admin:catalogue_deviation_change", args=[row.pk])

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        try:
            made = deviating.ask(
                service=said["service"], code=said["wanted"], owner=said["owner"], expires_on=said["expires_on"], by=request.user,
                at=now(), reason=said["reason"],
            )  # fmt: skip
        except Refused as error:
            raise Impossible(str(error)) from None
        obj.__dict__.update(made.__dict__)
