"""Doors of problems: the list, one of them, its steps, what is written down, and a known error made of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from incidents import accepting, assigning, knowing, solving
from incidents.models import Problem
from incidents.working import NotPossible
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import problem_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.meanwhile import newly_typed
from itsm_backup.portal.returning import posted
from itsm_backup.portal.views import page_number, reads, show

MAY_SEE, DRAFT = "incidents.view_problem", "incidents.add_knownerror"
TEXTS = tuple(solving.FIELDS)


def may_see(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Problems are read by those who may see tools.")


@reads
def problems(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    may_see(request)
    page = problem_page.problems_page(user=request.user, moment=moment, view=request.GET.get("view", ""), page=page_number(request))
    return show(request, "problems", section="incidents", moment=moment, page=page)


@reads
def problem(request: HttpRequest, *, moment: Moment, number: str) -> HttpResponse:
    may_see(request)
    return _shown(request, moment, number)


def _shown(request: HttpRequest, moment: Moment, number: str, failed: dict[str, Any] | None = None) -> HttpResponse:
    found = problem_page.find(number=number, user=request.user, moment=moment)
    if found is None:
        raise Http404(number)
    page = problem_page.problem_page(problem=found, user=request.user, moment=moment, sent=failed["sent"] if failed else None)
    return show(request, "problem", section="incidents", moment=moment, status=409 if failed else 200, page=page, failed=failed)


def _deed(permission: str) -> Callable[[Callable[[HttpRequest, Problem], Any]], Any]:
    """A form of the page: who may not see it gets 404, who may not do it 403; a refusal keeps what was typed."""

    def making(act: Callable[[HttpRequest, Problem], Any]) -> Any:
        def doing(request: HttpRequest, *, number: str) -> HttpResponse:
            may_see(request)
            at = now()
            found = problem_page.find(number=number, user=request.user, moment=Moment(at=at, now=at))
            if found is None:
                raise Http404(number)
            if not request.user.has_perm(permission):
                raise PermissionDenied(f"Working on {found.number} takes the role operator.")
            try:
                told, where = act(request, found)
            except NotPossible as error:
                return _shown(request, Moment(at=at, now=at), number, failed={"why": str(error), "sent": request.POST})
            messages.success(request, told)
            return redirect(*where)

        return posted(doing, page="portal:problem")

    return making


@_deed(problem_page.CHANGE)
def step(request: HttpRequest, found: Problem) -> Any:
    moved = solving.move(problem=found, to=raw(request, "to"), reason=typed(request, "reason"), by=request.user, at=now())
    against = problem_page.standing_words(moved, request.user) if moved.state == Problem.State.RESOLVED else ""
    return f"{found.number}: {moved.get_state_display().lower()}. {against}".strip(), ("portal:problem", found.number)


@_deed(problem_page.CHANGE)
def write(request: HttpRequest, found: Problem) -> Any:
    texts = newly_typed(request, found, {name: solving.FIELDS[name] for name in TEXTS})
    solving.write(problem=found, by=request.user, at=now(), **texts)
    return f"{found.number} says more now.", ("portal:problem", found.number)


def day(request: HttpRequest, name: str) -> dt.date | None:
    """The day in the field; None where none stands there, or one that no calendar has."""
    try:
        return dt.date.fromisoformat(raw(request, name))
    except ValueError:
        return None


@_deed(problem_page.CHANGE)
def ask_risk(request: HttpRequest, found: Problem) -> Any:
    """Ask that its risk is accepted until a day."""
    key = raw(request, "owner")
    owner = assigning.workers().filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 18 else None
    said = {"owner": owner, "until": day(request, "until"), "reason": typed(request, "reason")}
    accepting.ask(problem=found, by=request.user, at=now(), **said)
    return f"It is asked for. Somebody else grants it; until then {found.number} goes on.", ("portal:problem", found.number)


@_deed(problem_page.CHANGE)
def answer_risk(request: HttpRequest, found: Problem) -> Any:
    """Grant or refuse what was asked for."""
    waiting = found.acceptances.filter(granted=None).first()
    if waiting is None:
        raise NotPossible("It was answered meanwhile.")
    granted = raw(request, "answer") == "grant"
    accepting.answer(acceptance=waiting, granted=granted, reason=typed(request, "reason"), by=request.user, at=now())
    told = f"The risk is accepted until {waiting.until:%d %b %Y}." if granted else "The risk is not accepted."
    return told, ("portal:problem", found.number)


@_deed(DRAFT)
def draft(request: HttpRequest, found: Problem) -> Any:
    made = knowing.draft(source=found, by=request.user, at=now())
    return f"{made.number} is a draft. Say what helps, and publish it.", ("portal:known_error", made.number)
