"""Doors of known errors: the list with its search, one of them, its texts and steps; drafts from an incident, and whether it helped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from incidents import knowing
from incidents.assigning import CHANGE as WORK
from incidents.models import Incident, KnownError
from incidents.working import NotPossible
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import known_error_page, known_error_past
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.deeds import deed
from itsm_backup.portal.meanwhile import newly_typed
from itsm_backup.portal.problem_doors import DRAFT, day
from itsm_backup.portal.returning import posted
from itsm_backup.portal.views import page_number, reads, show

MAY_SEE = "incidents.view_knownerror"
TEXTS = tuple(knowing.FIELDS)


def may_see(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Known errors are read by those who may see tools.")


@reads
def known_errors(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    may_see(request)
    asked = {"view": request.GET.get("view", ""), "query": request.GET.get("q", "").strip()[:200]}
    pages = known_error_past if moment.past else known_error_page
    page = pages.known_errors_page(user=request.user, moment=moment, page=page_number(request), **asked)
    return show(request, "known_errors", section="incidents", moment=moment, page=page)


@reads
def known_error(request: HttpRequest, *, moment: Moment, number: str) -> HttpResponse:
    may_see(request)
    return _shown(request, moment, number)


def _shown(request: HttpRequest, moment: Moment, number: str, failed: dict[str, Any] | None = None) -> HttpResponse:
    said = {"number": number, "user": request.user}
    found = known_error_past.find(moment=moment, **said) if moment.past else known_error_page.find(**said)
    if found is None:
        raise Http404(number)
    pages = known_error_past if moment.past else known_error_page
    page = pages.known_error_page(known_error=found, user=request.user, moment=moment)
    if failed and not moment.past:
        page = replace(page, texts=known_error_page.kept_typing(page.texts, failed["sent"]))
    return show(request, "known_error", section="incidents", moment=moment, status=409 if failed else 200, page=page, failed=failed)


def _deed(act: Callable[[HttpRequest, KnownError], str]) -> Any:
    def doing(request: HttpRequest, *, number: str) -> HttpResponse:
        may_see(request)
        found = known_error_page.find(number=number, user=request.user)
        if found is None:
            raise Http404(number)
        if not request.user.has_perm(known_error_page.CHANGE):
            raise PermissionDenied(f"Working on {found.number} takes the role operator.")
        try:
            messages.success(request, act(request, found))
        except NotPossible as error:
            at = now()
            return _shown(request, Moment(at=at, now=at), number, failed={"why": str(error), "sent": request.POST})
        return redirect("portal:known_error", found.number)

    return posted(doing, page="portal:known_error")


@_deed
def write(request: HttpRequest, found: KnownError) -> str:
    texts = newly_typed(request, found, {name: knowing.FIELDS[name] for name in TEXTS})
    said = {"reason": typed(request, "reason", most=100), "review_on": day(request, "review_on")}
    knowing.write(known_error=found, by=request.user, at=now(), **said, **texts)
    return f"{found.number} is changed."


@_deed
def step(request: HttpRequest, found: KnownError) -> str:
    reason = typed(request, "reason", most=100)
    moved = knowing.move(known_error=found, to=raw(request, "to"), reason=reason, by=request.user, at=now())
    return f"{found.number} is {moved.get_state_display().lower()}."


@deed(DRAFT, "draft")
def draft(request: HttpRequest, incident: Incident) -> tuple[str, tuple[str, str]]:
    made = knowing.draft(source=incident, by=request.user, at=now())
    return f"{made.number} is a draft. Say what helps, and publish it.", ("portal:known_error", made.number)


@deed(WORK, "feedback")
def feedback(request: HttpRequest, incident: Incident) -> str:
    key = raw(request, "known_error")
    found = KnownError.objects.visible_to(request.user).filter(pk=int(key)).first() if key.isdigit() and len(key) < 18 else None
    if found is None:
        raise NotPossible("Choose one of the known errors that are suggested.")
    helped, corrects = raw(request, "helped") == "yes", raw(request, "corrects") == "yes"
    knowing.say(known_error=found, incident=incident, helped=helped, corrects=corrects, by=request.user, at=now())
    return f"Thank you. {found.number} {'helped' if helped else 'did not help'}."
