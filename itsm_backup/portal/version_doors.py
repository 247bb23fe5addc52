"""Doors to the versions of an entry: reading, comparing, saying something, approving, returning, going back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import strip_tags
from django.views.decorators.http import require_POST

from catalogue import duties, publishing, reviewing, withdrawing
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import commitment_page, version_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show, sorry
from itsm_backup.portal.words import instant, zone
from monitoring.capability import measured

Deed = Callable[[HttpRequest, ServiceVersion], str]


def _service(request: HttpRequest, code: str) -> Service:
    service = version_pages.find_service(code=code, user=request.user)
    if service is None:
        raise Http404(code)
    return service


class _NotKnownThen(Exception):
    """The person may read this version, but nobody knew it as approved at the moment that is looked at."""


def _version(request: HttpRequest, code: str, number: int, moment: Moment) -> ServiceVersion:
    if number > 2**31 - 1:
        raise Http404(str(number))
    service = _service(request, code)
    version = version_pages.versions_of(service, request.user, moment).filter(number=number).first()
    if version is None and moment.past and (later := _read_today(request, service, number, moment)):
        approved = f": it was approved on {strip_tags(instant(later.approved_at))}" if later.state == "approved" else ""
        raise _NotKnownThen(f"Version {number} of {later.name} was not known then{approved}.")
    if version is None:
        raise Http404(f"{code} has no version {number}.")
    return version  # type: ignore[no-any-return]


def _read_today(request: HttpRequest, service: Service, number: int, moment: Moment) -> ServiceVersion | None:
    today = Moment(at=moment.now, now=moment.now)
    return version_pages.versions_of(service, request.user, today).filter(number=number).first()  # type: ignore[no-any-return]


def _of_then(view: Any) -> Any:
    """A page of versions; in the past it says of one that was not known then just that, with the way back."""

    def reading(request: HttpRequest, *, moment: Moment, **parts: Any) -> HttpResponse:
        try:
            return view(request, moment=moment, **parts)  # type: ignore[no-any-return]
        except _NotKnownThen as error:
            return sorry(
                request, title="Not known then", what=str(error), remedy="Choose another instant in the bar above, or go back to now.",
                status=404, section="services", moment=moment,
            )  # fmt: skip

    return reads(reading)


@reads
def versions(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    service = _service(request, code)
    one, other = request.GET.get("from", ""), request.GET.get("to", "")
    if one.isdigit() and other.isdigit() and len(one + other) < 18:
        return redirect(moment.href("compare", service.code, int(one), int(other)))
    page = version_pages.versions_page(service=service, user=request.user, moment=moment)
    return show(request, "versions", section="services", moment=moment, page=page)


@_of_then
def compare(request: HttpRequest, *, moment: Moment, code: str, one: int, other: int) -> HttpResponse:
    page = version_pages.compare_page(
        one=_version(request, code, one, moment), other=_version(request, code, other, moment), moment=moment
    )  # fmt: skip
    return show(request, "compare", section="services", moment=moment, page=page)


@_of_then
def version(request: HttpRequest, *, moment: Moment, code: str, number: int) -> HttpResponse:
    return _shown(request, _version(request, code, number, moment), moment)


def _shown(request: HttpRequest, row: ServiceVersion, moment: Moment, *, typed: str = "", status: int = 200) -> HttpResponse:
    page = version_pages.version_page(version=row, user=request.user, moment=moment, seen=request.GET.get("seen", ""))
    return show(request, "version", section="services", moment=moment, status=status, page=page, typed=typed)


@reads
def commitment(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    page = commitment_page.commitment_page(service=_service(request, code), user=request.user, moment=moment)
    return show(request, "commitment", section="services", moment=moment, page=page)


@reads
def deviations(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = commitment_page.deviations_page(user=request.user, moment=moment)
    return show(request, "deviations", section="services", moment=moment, page=page)


def _deed(form: str) -> Callable[[Deed], Any]:
    """One form of a version's page: one act, back to the page; a refusal keeps what was typed."""

    def making(act: Deed) -> Any:
        def doing(request: HttpRequest, *, code: str, number: int) -> HttpResponse:
            at = now()
            moment = Moment(at=at, now=at)
            row = _version(request, code, number, moment)
            try:
                told = act(request, row)
            except publishing.NotAllowed as error:
                raise PermissionDenied(str(error)) from None
            except publishing.Refused as error:
                messages.error(request, str(error))
                row = _version(request, code, number, moment)
                return _shown(request, row, moment, typed=raw(request, "text" if form == "comment" else "reason"), status=409)
            messages.success(request, told)
            return redirect("portal:version", code, number)

        return require_POST(login_required(doing))

    return making


@_deed("approve")
def approve(request: HttpRequest, row: ServiceVersion) -> str:
    at = now()
    done = publishing.approve(
        version=row, by=request.user, at=at, reason=typed(request, "reason"),
        effective_from=instant_typed(typed(request, "effective_from")),
        seen=typed(request, "seen"), measured=measured(row.service, at), announce=True,
    )  # fmt: skip
    return f"{done.name}, {done.numbers}, is approved."


@_deed("return")
def give_back(request: HttpRequest, row: ServiceVersion) -> str:
    if not Service.objects.visible_to(request.user, "change").filter(pk=row.service_id).exists():
        publishing.check_approver(row, request.user, now())
    reason = typed(request, "reason")
    if not reason:
        raise publishing.NotReady(["Say what has to be changed: the authors read it."])
    publishing.return_to_draft(version=row, by=request.user, at=now(), reason=reason)
    return f"Version {row.number} is a draft again, and its authors are told."


@_deed("withdraw")
def withdraw(request: HttpRequest, row: ServiceVersion) -> str:
    reason = typed(request, "reason")
    if not reason:
        raise publishing.NotReady(["Say why it is withdrawn: the reason is kept with it."])
    withdrawing.withdraw(version=row, by=request.user, at=now(), reason=reason)
    return f"Version {row.number} is withdrawn and never takes force."


@_deed("comment")
def comment(request: HttpRequest, row: ServiceVersion) -> str:
    if row.state not in version_pages.OPEN:
        raise publishing.NotReady([f"Version {row.number} is {row.get_state_display()}. Comments belong to a version on its way."])
    reviewing.comment(version=row, text=typed(request, "text", most=4_000), by=request.user, at=now())
    return "Your comment is kept with the version."


@require_POST
@login_required
def roll_back(request: HttpRequest, *, code: str, number: int) -> HttpResponse:
    at = now()
    row = _version(request, code, number, Moment(at=at, now=at))
    if not Service.objects.visible_to(request.user, "change").filter(pk=row.service_id).exists():
        able = duties.names(duties.who_may("change", row.service)) or "Nobody"
        raise PermissionDenied(f"You may not change {code}. {able} can.")
    try:
        reason = typed(request, "reason") or f"Back to the content of version {number}."
        made = publishing.roll_back(to=row, by=request.user, at=at, reason=reason)
    except publishing.Refused as error:
        messages.error(request, str(error))
        return redirect("portal:version", code, number)
    messages.success(
        request, f"Version {made.number} is a draft with the content of version {number}. Read it, then submit it for approval."
    )
    return redirect("portal:version", code, made.number)


def instant_typed(text: str) -> dt.datetime | None:
    """What a date-and-time field sent, in the portal's zone. Raises NotReady for anything else."""
    if not text:
        return None
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(str(zone())))
    except ValueError:
        raise publishing.NotReady([f"{text[:40]} is no day and time. Write it like 2026-08-01T06:00."]) from None
