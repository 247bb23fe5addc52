"""Doors of the three-way comparison: reading it, asking for a new one, deciding a conflict, and linking items to entries."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue import linking
from catalogue.models import ConfigurationItem, ItemLink, Service
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import agreement_page, linking_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import page_number, reads, show, version_of
from monitoring import reconciling, writing_back
from monitoring.models import Agreement, WriteConflict

SECTION, MAY_SEE = "services", "monitoring.view_agreement"


def _check_reader(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_SEE) and not Agreement.objects.visible_to(request.user).exists():
        raise PermissionDenied("The comparison is read by stewards, approvers, operators, administrators, requesters and auditors.")


@reads
def agreement(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    _check_reader(request)
    page = agreement_page.agreement_page(user=request.user, moment=moment, page=page_number(request))
    return show(request, "agreement", section=SECTION, moment=moment, page=page)


@reads
def one(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    _check_reader(request)
    version = version_of(request, code, moment)
    page = agreement_page.entry_page(service=version.service, name=version.name, user=request.user, moment=moment)
    return show(request, "agreement_of", section=SECTION, moment=moment, page=page)


@reads
def items(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    _check_reader(request)
    page = linking_page.linking_page(user=request.user, moment=moment, text=request.GET.get("text", "").strip()[:100])
    return show(request, "agreement_items", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def again(request: HttpRequest) -> HttpResponse:
    try:
        reconciling.again(services=Service.objects.listed().visible_to(request.user), by=request.user, at=now())
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    messages.success(request, "Everything that you may see is compared again within a minute.")
    return redirect("portal:agreement")


@require_POST
@login_required
def decide(request: HttpRequest, *, pk: int) -> HttpResponse:
    row = WriteConflict.objects.visible_to(request.user).select_related("service", "item").filter(pk=pk).first()
    if row is None:
        raise Http404(str(pk))
    choice, reason, at = typed(request, "choice"), typed(request, "reason"), now()
    try:
        made = writing_back.decide(conflict=row, choice=choice, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        moment = Moment(at=at, now=at)
        version = version_of(request, row.service.code, moment)
        page = agreement_page.entry_page(
            service=row.service, name=version.name, user=request.user, moment=moment, problems=_sentences(error),
            typed={"pk": pk, "choice": choice, "reason": reason},
        )  # fmt: skip
        return show(request, "agreement_of", section=SECTION, moment=moment, status=409, page=page)
    messages.success(request, f"{row}: {made.get_choice_display()}. It follows within a minute.")
    return redirect("portal:agreement_of", row.service.code)


def _sentences(error: Refused) -> tuple[str, ...]:
    return tuple(error.problems) if isinstance(error, NotReady) else (str(error),)


@require_POST
@login_required
def link(request: HttpRequest) -> HttpResponse:
    """Link what was chosen: `chosen` are “item:code” of proposals, or `item` and `code` of one that was typed."""
    at = now()
    try:
        linking.check(request.user)
        reason = typed(request, "reason")
        pairs = _pairs(request)
        if not reason:
            raise NotReady(["Say why: the reason is kept with every link."])
        for item, service in pairs:
            linking.link(item=item, service=service, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        moment = Moment(at=at, now=at)
        page = linking_page.linking_page(user=request.user, moment=moment, text="", problems=_sentences(error))
        return show(request, "agreement_items", section=SECTION, moment=moment, status=409, page=page)
    reconciling.begin(services=[service for _, service in pairs], at=at)
    told = f"{pairs[0][0]} belongs to {pairs[0][1].code}." if len(pairs) == 1 else f"{len(pairs)} items belong to their entries."
    messages.success(request, f"{told} They are compared within a minute.")
    return redirect("portal:agreement_items")


def _pairs(request: HttpRequest) -> list[tuple[Any, Service]]:
    """The items and entries that were chosen. Raises NotReady for what is not there or may not be seen."""
    sent = [one.partition(":")[::2] for one in request.POST.getlist("chosen")[:200]]
    if typed(request, "code"):
        sent = [(typed(request, "item"), typed(request, "code"))]
    numbers = [int(number) for number, _ in sent if number.isdigit() and len(number) < 19]
    known = ConfigurationItem.objects.there().visible_to(request.user).in_bulk(numbers)
    services = {one.code: one for one in Service.objects.listed().visible_to(request.user).filter(code__in=[code for _, code in sent])}
    found: list[tuple[Any, Service]] = []
    problems = [] if sent else ["Choose at least one item, or name the entry of one."]
    for number, code in sent:
        item, service = known.get(int(number)) if number.isdigit() and len(number) < 19 else None, services.get(code)
        if item is None:
            problems.append("This item is not there any more. Look at the list again.")
        elif service is None:
            problems.append(f"There is no entry with the code “{code[:40]}” that you may see.")
        else:
            found.append((item, service))
    if problems:
        raise NotReady(list(dict.fromkeys(problems)))
    return found


@require_POST
@login_required
def unlink(request: HttpRequest, *, pk: int) -> HttpResponse:
    row = ItemLink.objects.visible_to(request.user).select_related("item", "service").filter(pk=pk).first()
    if row is None:
        raise Http404(str(pk))
    reason, at = typed(request, "reason"), now()
    try:
        if not reason:
            raise NotReady(["Say why: the reason is kept."])
        told, code, service = str(row), row.service.code, row.service
        linking.unlink(row=row, by=request.user, at=at, reason=reason)
        reconciling.begin(services=[service], at=at)
        messages.success(request, f"{told}: the link is taken away.")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        code = row.service.code
        messages.error(request, str(error))
    return redirect("portal:agreement_of", code)
