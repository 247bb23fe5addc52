"""Doors to ownership: reading it, handing duties over, asking for attestation and answering."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue import attesting, duties, handing_over
from catalogue.models import AttestationRound, HandOver, Service, Team
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import ownership_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import page_number, reads, show
from itsm_backup.portal.words import many

SECTION = "services"


def _service(request: HttpRequest, code: str) -> Service:
    service = Service.objects.visible_to(request.user).filter(code=code).first()
    if service is None:
        raise Http404(code)
    return service


@reads
def ownership(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    gaps = request.GET.get("gaps", "")
    page = ownership_pages.ownership_page(
        user=request.user, moment=moment, page=page_number(request), gaps_page=int(gaps) if gaps.isdigit() and len(gaps) < 7 else 1,
        cause=request.GET.get("cause", ""),
    )  # fmt: skip
    return show(request, "ownership", section=SECTION, moment=moment, page=page)


@reads
def entry(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    page = ownership_pages.entry_page(service=_service(request, code), user=request.user, moment=moment)
    return show(request, "entry_ownership", section=SECTION, moment=moment, page=page)


def _round(request: HttpRequest, pk: int, at: dt.datetime) -> AttestationRound:
    mine = Q(attestations__person=request.user) | Q(attestations__service__in=Service.objects.visible_to(request.user))
    row = AttestationRound.objects.filter(mine, pk=pk, opened_at__lte=at).distinct().first()
    if row is None:
        raise Http404(str(pk))
    return row


@reads
def attestation(request: HttpRequest, *, moment: Moment, pk: int) -> HttpResponse:
    page = ownership_pages.round_page(row=_round(request, pk, moment.at), user=request.user, moment=moment)
    return show(request, "attestation", section=SECTION, moment=moment, page=page)


def _done(request: HttpRequest, act: Callable[[], str]) -> None:
    """Act and say so; a refusal becomes a message of the page one comes back to."""
    try:
        messages.success(request, act())
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))


def _chosen(request: HttpRequest, model: Any, name: str) -> Any:
    """The row that was chosen in a list of the form."""
    pk = typed(request, name)
    return model.objects.filter(pk=pk).first() if _is_number(pk) else None


@require_POST
@login_required
def hand_over(request: HttpRequest, *, code: str) -> HttpResponse:
    service = _service(request, code)
    if not Service.objects.visible_to(request.user, "change").filter(pk=service.pk).exists():
        raise PermissionDenied(f"You may not change {code}. {duties.names(duties.who_may('change', service)) or 'Nobody'} can.")

    def act() -> str:
        duty, reason = typed(request, "duty"), typed(request, "reason")
        receiver, team = _chosen(request, get_user_model(), "receiver"), _chosen(request, Team, "team")
        if (team if duty == HandOver.Duty.OPERATIONS_TEAM else receiver) is None or duty not in HandOver.Duty.values or not reason:
            raise NotReady(["Choose the duty and who takes it over, and say why."])
        made = handing_over.ask(service=service, duty=duty, receiver=receiver, team=team, by=request.user, at=now(), reason=reason)
        return f"{made.receiving} is asked. Nothing moves before {'one of its members accepts' if made.team else 'they accept'}."

    _done(request, act)
    return redirect("portal:entry_ownership", code)


@require_POST
@login_required
def answer_hand_over(request: HttpRequest, *, pk: int) -> HttpResponse:
    mine = handing_over.asked_of(request.user) | Q(service__in=Service.objects.visible_to(request.user))
    row = HandOver.objects.filter(mine, pk=pk).first()
    if row is None:
        raise Http404(str(pk))

    def act() -> str:
        said: dict[str, Any] = {"hand_over": row, "by": request.user, "at": now(), "reason": typed(request, "reason")}
        if request.POST.get("answer") == "accept":
            done = handing_over.accept(**said)
            return f"{done.team or 'You'} {'takes' if done.team else 'take'} it over as soon as version {done.version.number} is approved."
        handing_over.decline(**said)
        return "It stays where it is, and your reason is kept."

    _done(request, act)
    seen = Service.objects.visible_to(request.user).filter(pk=row.service_id).exists()
    return redirect("portal:entry_ownership", row.service.code) if seen else redirect("portal:ownership")


@require_POST
@login_required
def ask_attestation(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("catalogue.change_service"):
        raise PermissionDenied("Asking owners to attest takes the role steward over the whole estate.")

    def act() -> str:
        services = attesting.askable(by=request.user, department=typed(request, "department"), at=now())
        try:
            due_on = dt.date.fromisoformat(typed(request, "due_on"))
        except ValueError:
            raise NotReady(["Choose the day by which owners answer."]) from None
        title = typed(request, "title", most=120)
        made = attesting.open_round(services=services, title=title, due_on=due_on, by=request.user, at=now())
        asked = made.attestations.count()
        return f"{many(asked, 'entry is', 'entries are')} asked about, and their owners are told."

    _done(request, act)
    return redirect("portal:ownership")


@require_POST
@login_required
def attest(request: HttpRequest, *, pk: int) -> HttpResponse:
    """Several answers at once. A remark says “it is not”, ticked or not; a refusal keeps what was typed."""
    at = now()
    row, said = _round(request, pk, at), _answers(request)
    right = {service for service, one in said.items() if one.right}
    wrong = {service: one.remark for service, one in said.items() if one.wrong or (one.remark and not one.right)}
    try:
        if both := [one for one in said.values() if one.right and (one.wrong or one.remark)]:
            raise NotReady([f"{many(len(both), 'entry', 'entries')} cannot be right and not right: take the tick or the remark away."])
        count = attesting.answer(round=row, right=right, wrong=wrong, by=request.user, at=at, read=_read(request))
        if not count:
            raise NotReady(["Choose at least one entry that is yours and not answered yet: tick it, or write what is not right."])
    except NotReady as error:
        messages.error(request, str(error))
        moment = Moment(at=at, now=at)
        page = ownership_pages.round_page(row=row, user=request.user, moment=moment, said=said)
        return show(request, "attestation", section=SECTION, moment=moment, status=409, page=page)
    messages.success(request, f"{count} answered. Thank you.")
    return redirect("portal:attestation", pk)


def _answers(request: HttpRequest) -> dict[int, ownership_pages.Said]:
    """Service → what was ticked and typed about it."""
    ticked = {name: {int(each) for each in request.POST.getlist(name) if _is_number(each)} for name in ("right", "wrong")}
    typed_for = {int(name[7:]): typed(request, name) for name in request.POST if name.startswith("remark-") and _is_number(name[7:])}
    return {
        pk: ownership_pages.Said(right=pk in ticked["right"], wrong=pk in ticked["wrong"], remark=typed_for.get(pk, ""))
        for pk in {*ticked["right"], *ticked["wrong"], *typed_for}
    }


def _read(request: HttpRequest) -> dict[int, int]:
    """Service → number of the version that the page showed of it."""
    shown = {name[5:]: request.POST[name] for name in request.POST if name.startswith("read-")}
    return {int(pk): int(number) for pk, number in shown.items() if _is_number(pk) and _is_number(number)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
