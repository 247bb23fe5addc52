"""Doors to an entry's way out of the catalogue: reading it, asking for it, deciding on it, calling it off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue import retiring
from catalogue.models import Retirement, Service
from catalogue.refusing import NotAllowed, NotReady, Refused, WrongState
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import retirement_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.version_doors import instant_typed
from itsm_backup.portal.version_pages import find_service
from itsm_backup.portal.views import page_number, reads, show

FIELDS = ("ends_at", "successor", "reason")


@reads
def retired(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = retirement_page.retired_page(user=request.user, moment=moment, page=page_number(request))
    return show(request, "retired", section="services", moment=moment, page=page)


@reads
def retirement(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    return _shown(request, _service(request, code), moment)


def _service(request: HttpRequest, code: str) -> Service:
    service = find_service(code=code, user=request.user)
    if service is None:
        raise Http404(code)
    return service


def _shown(request: HttpRequest, service: Service, moment: Moment, *, status: int = 200, **kept: Any) -> HttpResponse:
    page = retirement_page.retirement_page(service=service, user=request.user, moment=moment)
    return show(request, "retirement", section="services", moment=moment, status=status, page=page, **kept)


@require_POST
@login_required
def decide(request: HttpRequest, *, code: str, act: str) -> HttpResponse:
    """One form of the page: one act, back to the page; a refusal keeps what was typed."""
    service, at = _service(request, code), now()
    if act not in DEEDS:
        raise Http404(act)
    try:
        messages.success(request, DEEDS[act](request, service))
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
        kept = {"typed": {name: raw(request, name) for name in FIELDS}, "act": act}
        return _shown(request, service, Moment(at=at, now=at), status=409, **kept)
    return redirect("portal:retirement", service.code)


def _ask(request: HttpRequest, service: Service) -> str:
    at, reason, code = now(), typed(request, "reason"), typed(request, "successor", most=40)
    if not reason:
        raise NotReady(["Say why it leaves the catalogue: who needs it reads that."])
    successor = find_service(code=code, user=request.user) if code else None
    if code and successor is None:
        raise NotReady([f"There is no entry {code}. Write the code of what follows it, or nothing."])
    ends_at = instant_typed(typed(request, "ends_at")) or at
    retiring.ask(service=service, ends_at=ends_at, successor=successor, by=request.user, at=at, reason=reason)
    return "It is asked for, and the approvers are told. Nothing changes before one of them agrees."


def _open(service: Service) -> Retirement:
    found = retiring.open_of(service)
    if found is None:
        raise WrongState(f"Nothing is asked or planned for {service.code} any more. Nothing was changed.")
    return found


def _approve(request: HttpRequest, service: Service) -> str:
    row = retiring.approve(retirement=_open(service), by=request.user, at=now(), reason=typed(request, "reason"))
    return f"{service.code} is retired." if row.state == "done" else f"{service.code} is pending retirement, and who needs it is told."


def _with_reason(act: Callable[..., Retirement], told: str) -> Callable[[HttpRequest, Service], str]:
    def doing(request: HttpRequest, service: Service) -> str:
        reason = typed(request, "reason")
        if not reason:
            raise NotReady(["Say why: the reason is kept, and told to those whom it concerns."])
        act(retirement=_open(service), by=request.user, at=now(), reason=reason)
        return told

    return doing


DEEDS: dict[str, Callable[[HttpRequest, Service], str]] = {
    "ask": _ask,
    "approve": _approve,
    "refuse": _with_reason(retiring.refuse, "It stays in the catalogue, and who asked is told why."),
    "call-off": _with_reason(retiring.call_off, "It stays in the catalogue."),
}
