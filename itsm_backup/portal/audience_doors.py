"""Doors of what audiences are told: pages and feeds for signed-in people, and those of business users by an address of their own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from incidents import publishing_status
from incidents.models import Audience, StatusLink
from incidents.working import NotPossible
from itsm_backup.common import crypto
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import asof, audience_page
from itsm_backup.portal.framing import Link
from itsm_backup.portal.major_doors import who_can
from itsm_backup.portal.views import page_number, reads, show
from itsm_backup.portal.words import many

_MADE = "status_link_made"  # in the session
ATOM = "application/atom+xml; charset=utf-8"


@reads
def audience_pages(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    """The first page that this person may read."""
    return redirect(moment.href("audience_page", publishing_status.readable_by(request.user)[0].value))


@reads
def audience(request: HttpRequest, *, moment: asof.Moment, audience: str) -> HttpResponse:
    _may_read(request, audience)
    made = _just_made(request) if audience == Audience.BUSINESS and request.method == "GET" and not moment.past else ""
    response = _shown(request, moment, audience, made=made)
    if made:
        response["Cache-Control"] = "private, no-store"
    return response


def _shown(request: HttpRequest, moment: asof.Moment, audience: str, made: str = "", problem: str = "") -> HttpResponse:
    page = audience_page.audience_page(audience=audience, user=request.user, moment=moment, page=page_number(request))
    told: dict[str, Any] = {"page": page, "made": made, "problem": problem}
    return show(request, "audience", section="incidents", moment=moment, status=409 if problem else 200, **told)


@reads
def audience_feed(request: HttpRequest, *, moment: asof.Moment, audience: str) -> HttpResponse:
    _may_read(request, audience)
    rows = publishing_status.told_to(audience, at=moment.at, user=request.user)
    here = Link(_address("audience_page", audience), _address("audience_feed", audience))
    return _feed(audience_page.feed_of(rows, label=Audience(audience).label, here=here))


def _may_read(request: HttpRequest, audience: str) -> None:
    if audience not in Audience.values:
        raise Http404(audience)
    if Audience(audience) not in publishing_status.readable_by(request.user):
        raise PermissionDenied(f"This is what {Audience(audience).label.lower()} are told. Whoever was told so may read it.")


@require_safe
def public_status(request: HttpRequest, *, token: str) -> HttpResponse:
    """For whoever has the address; one that was taken back, or never was, leads nowhere."""
    moment = _public_moment(request, token)
    page = audience_page.public_page(token=token, moment=moment, page=page_number(request))
    return _unlisted(render(request, "portal/public_status.html", {"page": page}))


@require_safe
def public_feed(request: HttpRequest, *, token: str) -> HttpResponse:
    rows = publishing_status.told_to(Audience.BUSINESS, at=_public_moment(request, token).at)
    here = Link(_address("public_status", token), _address("public_feed", token))
    return _unlisted(_feed(audience_page.feed_of(rows, label="Major incidents", here=here, public=True)))


def _public_moment(request: HttpRequest, token: str) -> asof.Moment:
    if publishing_status.link_of(token) is None:
        raise Http404("There is nothing at this address.")
    try:
        return asof.read(request.GET.get(asof.PARAMETER, "").replace("\x00", ""), now=now())
    except asof.BadInstant as error:
        raise Http404(str(error)) from None


@require_POST
@login_required
def make_status_link(request: HttpRequest) -> HttpResponse:
    _may_link(request)
    at = now()
    try:
        _, token = publishing_status.make_link(label=typed(request, "label"), by=request.user, at=at)
    except NotPossible as error:
        return _shown(request, asof.Moment(at=at, now=at), Audience.BUSINESS, problem=str(error))
    request.session[_MADE] = crypto.encrypt({"token": token}).decode()
    return redirect("portal:audience_page", Audience.BUSINESS)


def _just_made(request: HttpRequest) -> str:
    """The address that this person made just now, to be shown this once; until then it is kept encrypted."""
    kept = request.session.pop(_MADE, "")
    try:
        return _address("public_status", crypto.decrypt(kept.encode())["token"]) if kept else ""
    except crypto.SecretUnreadable:  # the keys were changed meanwhile: it is taken back and made anew
        return ""


@require_POST
@login_required
def revoke_status_link(request: HttpRequest, *, pk: int) -> HttpResponse:
    _may_link(request)
    link = StatusLink.objects.filter(pk=pk).first()
    if link is None:
        raise Http404(str(pk))
    try:
        publishing_status.revoke_link(link=link, by=request.user, at=now())
        messages.success(request, _revoked(link))
    except NotPossible as error:
        messages.error(request, str(error))
    return redirect("portal:audience_page", Audience.BUSINESS)


def _revoked(link: StatusLink) -> str:
    others = publishing_status.others_of(link.label).count()
    still = f" {many(others, 'other address', 'other addresses')} for it can still be read." if others else ""
    return f"The address for {link.label} that was made on {link.made_at:%d %b %H:%M:%S} UTC leads nowhere from now on.{still}"


def _may_link(request: HttpRequest) -> None:
    if not request.user.has_perm(publishing_status.MAKE):
        raise PermissionDenied(f"That takes somebody else: {who_can(publishing_status.MAKE)} can.")


def _address(name: str, part: str) -> str:
    return f"{settings.BASE_URL}{reverse(f'portal:{name}', args=[part])}"


def _feed(text: str) -> HttpResponse:
    return HttpResponse(text, content_type=ATOM, headers={"Cache-Control": "private, no-store"})


def _unlisted(response: HttpResponse) -> HttpResponse:
    """Found by nobody who has not the address, and told to nobody by a link that leads away."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
