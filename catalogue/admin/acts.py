"""What people do with a version: submit, approve, return, cancel. Each page tells what will happen and who can do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest

from catalogue import checking, duties, publishing, withdrawing
from catalogue.admin.entries import measured_of
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.admin import Act, Impossible, ReasonForm, given_reason, may
from itsm_backup.common.admin.fields import InstantInput
from itsm_backup.common.time import now

State = ServiceVersion.State


class ApproveForm(ReasonForm):
    """The reason, from when the version is in force, and which content was read."""

    effective_from = forms.DateTimeField(
        label="In force from", required=False, widget=InstantInput(), help_text="Empty: from the moment of approval. Never in the past."
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = ("effective_from", "change_reason")


def _act(call: Callable[..., ServiceVersion], done: str) -> Callable[[HttpRequest, Any, forms.Form], str]:
    def do(request: HttpRequest, version: ServiceVersion, form: forms.Form) -> str:
        more = {name: value for name, value in form.cleaned_data.items() if name in ("effective_from", "seen") and value}
        if call is publishing.approve:
            more |= {"measured": measured_of(version.service, now()), "announce": True}
        try:
            moved = call(version=version, by=request.user, at=now(), reason=given_reason(request), **more)
        except publishing.Refused as error:
            raise Impossible(str(error)) from None
        return done.format(version=moved, approvers=_approvers(moved))

    return do


def _approvers(version: ServiceVersion) -> str:
    return duties.names(duties.who_may("approve", version.service, except_ids=[*version.author_ids, version.steward_id])) or "nobody yet"


def _writers_only(request: HttpRequest, version: ServiceVersion) -> str:
    if may(request, Service, "change", version.service_id):
        return ""
    return f"You may not change {version.service.code}. {duties.names(duties.who_may('change', version.service)) or 'Nobody'} can."


def _writers_and_approvers(request: HttpRequest, version: ServiceVersion) -> str:
    return "" if may(request, Service, "approve", version.service_id) else _writers_only(request, version)


def _approvers_only(request: HttpRequest, version: ServiceVersion) -> str:
    try:
        publishing.check_approver(version, request.user, now())
    except publishing.NotAllowed as error:
        return str(error)
    return ""


def _before_submitting(request: HttpRequest, version: ServiceVersion) -> list[str]:
    problems = publishing.missing(version, now())
    if problems:
        return ["Before it can be submitted:", *problems]
    at = now()
    stops = checking.blocking(version=version, measured=measured_of(version.service, at), at=at, reader=request.user)
    told = [f"It then waits for approval by {_approvers(version)}. Until then nothing changes for the service."]
    return [*told, "It cannot be approved as it is:", *stops] if stops else told


def _before_approving(request: HttpRequest, version: ServiceVersion) -> list[str]:
    live = version.service.version_at(now())
    after = f"Version {live.number} ends at that moment." if live else f"{version.service.code} enters the catalogue with it."
    told = f"From then on {version.service.code} is judged by what this version promises, and the version never changes again. {after}"
    stops = checking.blocking(version=version, measured=measured_of(version.service, now()), at=now(), reader=request.user)
    return ["It cannot be approved as it is:", *stops] if stops else [told]


VERSION_ACTS = (
    Act(
        name="submit",
        words=lambda version: f"Submit version {version.number} for approval",
        do=_act(publishing.submit, "{version} waits for approval by {approvers}."),
        fits=lambda version: version.state == State.DRAFT,
        told=_before_submitting,
        blocked=_writers_only,
        primary=True,
    ),
    Act(
        name="approve",
        words=lambda version: f"Approve version {version.number}",
        do=_act(publishing.approve, "{version} is approved."),
        fits=lambda version: version.state == State.IN_REVIEW,
        told=_before_approving,
        blocked=_approvers_only,
        form=ApproveForm,
        primary=True,
    ),
    Act(
        name="return",
        words=lambda version: f"Return version {version.number} to draft",
        do=_act(publishing.return_to_draft, "{version} is a draft again."),
        fits=lambda version: version.state == State.IN_REVIEW,
        told=lambda request, version: ["The review ends without approval. The reason tells the authors what to change."],
        blocked=_writers_and_approvers,
    ),
    Act(
        name="cancel",
        words=lambda version: f"Cancel version {version.number}",
        do=_act(publishing.cancel, "{version} is cancelled."),
        fits=lambda version: version.state in (State.DRAFT, State.IN_REVIEW),
        told=lambda request, version: ["Nothing of it takes force. It stays readable in the history of the entry."],
        blocked=_writers_only,
    ),
    Act(
        name="withdraw",
        words=lambda version: f"Withdraw version {version.number}",
        do=_act(withdrawing.withdraw, "{version} is withdrawn."),
        fits=lambda version: version.state == State.APPROVED and version.effective.lower > now(),
        told=lambda request, version: [
            "It never takes force, and what would have ended with it goes on. It stays readable.",
            *withdrawing.consequences(version),
        ],
        blocked=lambda request, version: _writers_and_approvers(request, version) or " ".join(withdrawing.obstacles(version)),
    ),
)
