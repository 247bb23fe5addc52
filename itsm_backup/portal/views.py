"""The portal's pages: read the address, check the right, ask one question, show it."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from incidents.explaining import NotExplained
from itsm_backup.common.time import now
from itsm_backup.portal import (
    asof,
    estate,
    explaining_page,
    first_run,
    incident_list,
    incident_page,
    leaving_out,
    run_list,
    run_page,
    searching,
    service_list,
    service_page,
    version_pages,
    waiting,
)
from itsm_backup.portal.display import THEMES
from itsm_backup.portal.framing import frame_of
from itsm_backup.portal.words import instant
from monitoring import naming

log = logging.getLogger(__name__)
A_YEAR_S = 365 * 86_400


def show(request: HttpRequest, template: str, *, section: str, moment: asof.Moment, status: int = 200, **context: Any) -> HttpResponse:
    """A page with its frame; never kept by caches, because the next second may judge otherwise."""
    frame = frame_of(request, section=section, moment=moment)
    response = render(request, f"portal/{template}.html", {"frame": frame, **context}, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def sorry(
    request: HttpRequest, *, title: str, what: str, remedy: str, status: int, section: str = "", holds: str = "Nothing was changed.",
    moment: asof.Moment | None = None,
) -> HttpResponse:  # fmt: skip
    """A page that says what failed, what still holds and what to do."""
    at = now()
    told = {"title": title, "what": what, "remedy": remedy, "holds": holds}
    return show(request, "sorry", section=section, moment=moment or asof.Moment(at=at, now=at), status=status, **told)


def moment_of(request: HttpRequest) -> asof.Moment:
    return asof.read(request.GET.get(asof.PARAMETER, ""), now=now())


def reads(view: Any) -> Any:
    """A page for signed-in people that takes `?as_of=`: the view gets the moment to show."""

    def reading(request: HttpRequest, **parts: Any) -> HttpResponse:
        if any("\x00" in str(value) for value in [*parts.values(), *request.GET.values()]):
            raise Http404("An address holds no NUL.")  # the database has no such text
        try:
            moment = moment_of(request)
        except asof.BadInstant as error:
            remedy = "Correct the address, or choose a day in the bar above."
            return sorry(request, title="That instant cannot be shown", what=str(error), remedy=remedy, status=400)
        return view(request, moment=moment, **parts)

    return require_safe(login_required(reading))


def works(view: Any) -> Any:
    """A page for signed-in people on which one works: it takes `?as_of=` like every other, and says that the past is only read."""

    def working(request: HttpRequest, *, moment: asof.Moment, **parts: Any) -> HttpResponse:
        if moment.past:
            told = {
                "title": "Nothing is done in the past", "what": "This is a place to work in, and what was done can only be read.",
                "holds": "What was approved, by whom and when, stands in the versions of each entry.",
                "remedy": "Go back to now in the bar above to work here.",
            }  # fmt: skip
            return sorry(request, status=200, section="services", moment=moment, **told)
        return view(request, moment=moment, **parts)

    return reads(working)


def page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return int(text) if text.isdigit() and len(text) < 7 else 1


@reads
def home(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    page = estate.estate_page(user=request.user, moment=moment, by=request.GET.get("by", ""))
    if not page.counts and not moment.past and first_run.is_empty():
        return guide(request)
    waits = waiting.waiting_for(user=request.user, moment=moment)
    return show(request, "estate", section="estate", moment=moment, page=page, waits=waits)


@reads
def guide(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    return show(request, "guide", section="", moment=moment, page=first_run.guide_page(user=request.user, moment=moment))


@reads
def services(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    asked = request.GET.dict()
    if asked.get("format") == "csv":
        text = service_list.as_csv(user=request.user, moment=moment, asked=asked)
        return HttpResponse(
            text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="services.csv"'}
        )
    page = service_list.services_page(user=request.user, moment=moment, asked=asked, page=page_number(request))
    return show(request, "services", section="services", moment=moment, page=page)


def version_of(request: HttpRequest, code: str, moment: asof.Moment) -> Any:
    """The service's version in force, as a row of `standings`; 404 for what one may not see."""
    version = service_page.find(code=code, user=request.user, moment=moment)
    if version is None:
        raise Http404(code)
    return version


@reads
def service(request: HttpRequest, *, moment: asof.Moment, code: str) -> HttpResponse:
    version = service_page.find(code=code, user=request.user, moment=moment)
    if version is None:
        return _not_in_force(request, moment, code)
    page = service_page.service_page(version=version, user=request.user, moment=moment)
    page = leaving_out.from_service(page, plain_for(request, version))
    return show(request, "service", section="services", moment=moment, page=page)


def plain_for(request: HttpRequest, version: Any) -> naming.Plain | None:
    """What leaves names out of pages about the service of a row of `version_of`, for those who are not told them."""
    return naming.plain_for(request.user, service=version.service_id, name=version.name, may_change=version.may_change)


def _not_in_force(request: HttpRequest, moment: asof.Moment, code: str) -> HttpResponse:
    """An entry that the person may see, at a moment at which nothing of it is in force: why not, and its versions where there are any."""
    found = version_pages.find_service(code=code, user=request.user)
    if found is None:
        raise Http404(code)
    told = version_pages.not_in_force(found, moment)
    if not moment.past and version_pages.versions_of(found, request.user, moment).exists():
        messages.info(request, told)
        return redirect("portal:versions", found.code)
    remedy = "Choose another instant in the bar above." if moment.past else "Its stewards see it in the administration."
    return sorry(request, title="Not in force", what=told, remedy=remedy, status=404, section="services", moment=moment)


@reads
def runs(request: HttpRequest, *, moment: asof.Moment, code: str) -> HttpResponse:
    version = version_of(request, code, moment)
    page = run_list.runs_page(version=version, moment=moment, before=request.GET.get("before", ""))
    page = replace(page, rows=leaving_out.from_runs(page.rows, plain_for(request, version)))
    return show(request, "runs", section="services", moment=moment, page=page)


@reads
def run(request: HttpRequest, *, moment: asof.Moment, pk: int) -> HttpResponse:
    found = run_page.find(pk=pk, user=request.user, moment=moment)
    if found is None:
        raise Http404(str(pk))
    page = run_page.run_page(run=found, user=request.user, moment=moment)
    name = page.service.words if page.service else ""
    page = leaving_out.from_run(page, naming.plain_for(request.user, service=found.service_id, name=name))
    return show(request, "run", section="services", moment=moment, page=page)


@reads
def incidents(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    page = incident_list.incidents_page(
        user=request.user, moment=moment, view=request.GET.get("view", ""), page=page_number(request), asked=request.GET
    )
    return show(request, "incidents", section="incidents", moment=moment, page=page)


@reads
def incident(request: HttpRequest, *, moment: asof.Moment, number: str) -> HttpResponse:
    return incident_shown(request, moment=moment, number=number)


def incident_shown(request: HttpRequest, *, moment: asof.Moment, number: str, failed: dict[str, Any] | None = None) -> HttpResponse:
    """The incident's page; `failed` names the form that was refused, why, and what was typed into it."""
    found = incident_page.find(number=number, user=request.user, moment=moment)
    if found is None:
        raise Http404(number)
    asked = request.GET.get("impact", "")
    page = incident_page.incident_page(incident=found, user=request.user, moment=moment, impact=asked)
    if failed and not page.deeds.says_why(failed):  # else it stands in the form, once
        messages.error(request, failed["why"])
    return show(request, "incident", section="incidents", moment=moment, status=409 if failed else 200, page=page, failed=failed)


@reads
def search(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    query = request.GET.get("q", "")
    page = searching.search_page(user=request.user, moment=moment, query=query)
    return show(request, "search", section="", moment=moment, page=page, query=query)


@reads
def explain(request: HttpRequest, *, moment: asof.Moment, kind: str, key: str) -> HttpResponse:
    return _explained(request, moment=moment, kind=kind, key=key, again=False)


@require_POST
@login_required
def explain_again(request: HttpRequest, *, kind: str, key: str) -> HttpResponse:
    """Works the same out once more; changes nothing, but is a POST because it costs more than reading."""
    at = now()
    return _explained(request, moment=asof.Moment(at=at, now=at), kind=kind, key=key, again=True)


def _explained(request: HttpRequest, *, moment: asof.Moment, kind: str, key: str, again: bool) -> HttpResponse:
    try:
        found = explaining_page.find(kind=kind, key=key, user=request.user, moment=moment)
    except NotExplained as error:
        return sorry(request, title="Nothing to explain yet", what=str(error), remedy="Try again in a few seconds.", status=404)
    if found is None:
        raise Http404(key)
    plain = explaining_page.plain_of(found, request.user)
    page = explaining_page.explain_page(found=found, moment=moment, again=again, plain=plain)
    if request.headers.get("X-Fragment") == "drawer":
        response = render(request, "portal/_explain.html", {"page": page, "drawer": True})
        response["Cache-Control"] = "private, no-store"
        return response
    return show(request, "explain", section="incidents" if found.incident else "services", moment=moment, page=page)


@require_POST
@login_required
def display(request: HttpRequest) -> HttpResponse:
    """Remember theme and letter keys in this browser, and go back."""
    target = request.POST.get("next", "/")
    response = redirect(target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/")
    theme, keys = request.POST.get("theme"), request.POST.get("letter_keys")
    if theme is not None:
        response.set_cookie("theme", theme if theme in THEMES else "", max_age=A_YEAR_S, samesite="Lax")
    if keys in ("on", "off"):
        response.set_cookie("letter_keys", keys, max_age=A_YEAR_S, samesite="Lax")
    return response


def failed(request: HttpRequest) -> HttpResponse:
    """handler500: a reference that stands in the log too. Asks nothing of the database, which may be what failed."""
    reference = uuid.uuid4().hex[:12]
    log.error("The page %s failed, reference %s.", request.path, reference)
    return HttpResponse(render_to_string("500.html", {"reference": reference, "when": instant(now())}), status=500)
