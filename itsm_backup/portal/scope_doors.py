"""Doors of the scope register: reading it, deciding, adding parts and taking them away."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue import scoping
from catalogue.models import ScopeDecision, ScopeLine
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import everything
from itsm_backup.common.time import now
from itsm_backup.portal import asof, scope_lines, scope_many, scope_pages, scope_register
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.scope_lines import Line, Waiting
from itsm_backup.portal.views import page_number, reads, show, sorry
from itsm_backup.portal.words import many
from monitoring import scoping as discovered
from monitoring.models import ScopeClaim

SECTION = "services"


def _check_reader(request: HttpRequest) -> None:
    if not scope_lines.may_read(request.user):
        raise PermissionDenied("The scope register is read by stewards, approvers, operators, administrators, requesters and auditors.")


@reads
def register(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    _check_reader(request)
    asked = request.GET.dict()
    if asked.get("format") == "csv":
        text = scope_register.as_csv(user=request.user, moment=moment, asked=asked)
        headers = {"Content-Disposition": 'attachment; filename="scope.csv"'}
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
    waits = asked.get("waits", "")
    page = scope_register.register_page(
        user=request.user, moment=moment, asked=asked, page=page_number(request),
        waits=int(waits) if waits.isdigit() and len(waits) < 7 else 1,
    )  # fmt: skip
    return show(request, "scope", section=SECTION, moment=moment, page=page)


@reads
def line(request: HttpRequest, *, moment: Moment, pk: int) -> HttpResponse:
    found = scope_lines.lines(user=request.user, moment=moment, only=pk)
    if not found:
        raise Http404(str(pk))
    page = scope_pages.line_page(line=found[0], user=request.user, moment=moment)
    return show(request, "scope_line", section=SECTION, moment=moment, page=page)


class DecidedAlready(Exception):
    """Somebody decided on it meanwhile: it belongs to this backup service."""

    def __init__(self, line: Line) -> None:
        super().__init__(scope_pages.meanwhile(line))
        self.line = line


def _subject(request: HttpRequest, subject: str, moment: Moment) -> tuple[Waiting, Line | None]:
    found = scope_pages.find(subject=subject, user=request.user, moment=moment)
    if found is None:
        line = scope_pages.decided_already(subject=subject, user=request.user, moment=moment)
        if line is None:
            raise Http404(subject)
        raise DecidedAlready(line)
    if not scope_lines.may_decide(request.user, moment):
        raise PermissionDenied(f"You may read the register, but not decide. {scoping.who_decides(request.user)}")
    return found


@reads
def form(request: HttpRequest, *, moment: Moment, subject: str) -> HttpResponse:
    try:
        one, held = _subject(request, subject, asof.Moment(at=moment.now, now=moment.now))
    except DecidedAlready as decided:
        messages.info(request, str(decided))
        return redirect("portal:scope_line", decided.line.row.pk)
    page = scope_pages.decide_page(one=one, line=held, user=request.user, moment=asof.Moment(at=moment.now, now=moment.now))
    return show(request, "scope_decide", section=SECTION, moment=moment, page=page)


MOST = {"name": 160, "provider": 120}  # characters that are kept


def _typed(request: HttpRequest) -> dict[str, str]:
    return everything(request, most=MOST)


@require_POST
@login_required
def decide(request: HttpRequest, *, subject: str) -> HttpResponse:
    at = now()
    moment = asof.Moment(at=at, now=at)
    typed = _typed(request)
    try:
        one, held = _subject(request, subject, moment)
    except DecidedAlready as decided:
        return _again(request, decided, typed, moment)
    try:
        made = _decided(request, one, typed, moment)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        problems = tuple(error.problems) if isinstance(error, NotReady) else (str(error),)
        page = scope_pages.decide_page(one=one, line=held, user=request.user, moment=moment, typed=typed, problems=problems)
        return show(request, "scope_decide", section=SECTION, moment=moment, status=409, page=page)
    messages.success(request, scope_pages.told(made))
    return redirect("portal:scope_line", made.line_id)


def _again(request: HttpRequest, decided: DecidedAlready, typed: dict[str, str], moment: Moment) -> HttpResponse:
    """The form of what stands by now, with what was typed: the second of two people loses nothing."""
    told = (f"{decided} What you wrote stands below: decide again if that is to be changed.",)
    waits = scope_lines.line_waiting(decided.line)
    page = scope_pages.decide_page(one=waits, line=decided.line, user=request.user, moment=moment, typed=typed, problems=told)
    return show(request, "scope_decide", section=SECTION, moment=moment, status=409, page=page)


def _decided(request: HttpRequest, one: Waiting, typed: dict[str, str], moment: Moment) -> ScopeDecision:
    """The one call of the act that fits the subject. Raises what that raises, and NotReady for what was left out."""
    asked = _asked(request, typed, moment)
    said: dict[str, Any] = {"by": request.user, "at": moment.at, "reason": typed.get("reason", "")}
    if one.line is not None:
        seen = int(typed["seen"]) if typed.get("seen", "").isdigit() else None
        return scoping.decide_scope(line=one.line, seen=seen, **asked, **said)
    name = typed.get("name", "")
    if one.thing is not None:
        return discovered.decide_discovered(thing=one.thing, name=name, **asked, **said)
    return scoping.decide_new(name=name, **asked, **said)


@require_POST
@login_required
def decide_many(request: HttpRequest) -> HttpResponse:
    """Several of what waits, one decision and one reason: all of them or none."""
    at = now()
    moment, typed, subjects = asof.Moment(at=at, now=at), _typed(request), request.POST.getlist("subject")
    if not scope_lines.may_decide(request.user, moment):
        raise PermissionDenied(f"You may read the register, but not decide. {scoping.who_decides(request.user)}")
    try:
        if not subjects:
            raise NotReady(["Choose at least one of what waits."])
        asked = _asked(request, typed, moment)
        wanted = scope_many.Wanted(outcome=asked["outcome"], entry=asked["entry"], review_on=asked["review_on"])
        made = scope_many.decide_many(subjects=subjects, wanted=wanted, user=request.user, moment=moment, reason=typed["reason"])
    except Refused as error:
        remedy = "Go back with your browser: what you chose is still there."
        return sorry(request, title="Nothing was decided yet", what=str(error), remedy=remedy, status=409, section=SECTION)
    messages.success(request, f"{many(len(made), 'backup service')} decided: {scope_register.OUTCOMES[asked['outcome']].lower()}.")
    return redirect("portal:scope")


def _asked(request: HttpRequest, typed: dict[str, str], moment: Moment) -> dict[str, Any]:
    """What was typed as the act takes it. Raises NotReady with what is missing, all at once."""
    entry = scope_lines.named_entry(typed.get("entry", ""), user=request.user, moment=moment)
    problems = []
    if typed.get("outcome", "") not in ScopeDecision.Outcome.values:
        problems.append("Choose the decision: listed, referenced or left out.")
    if typed.get("entry") and entry is None:
        problems.append(f"There is no published entry “{typed['entry'][:80]}” that you may see. Write its code or its whole name.")
    try:
        review_on = dt.date.fromisoformat(typed.get("review_on", ""))
    except ValueError:
        review_on = moment.at.date()
        problems.append("Choose the day of the next review.")
    if not typed.get("reason"):
        problems.append("Say why: the reason is kept with the decision.")
    if problems:
        raise NotReady(problems)
    answers = {name: typed.get(name, "") for name in scoping.QUESTIONS}
    return {"outcome": typed["outcome"], "entry": entry, "hosting": typed.get("hosting", ""), "answers": answers,
            "review_on": review_on, "provider": typed.get("provider", "")}  # fmt: skip


@require_POST
@login_required
def join(request: HttpRequest, *, subject: str) -> HttpResponse:
    """What a tool discovered becomes part of a backup service that stands in the register."""
    at = now()
    try:
        one, _ = _subject(request, subject, asof.Moment(at=at, now=at))
    except DecidedAlready as decided:
        messages.error(request, f"{decided} Nothing was changed.")
        return redirect("portal:scope_line", decided.line.row.pk)
    typed = _typed(request)
    chosen = typed.get("line", "")
    row = ScopeLine.objects.visible_to(request.user).filter(pk=chosen).first() if chosen.isdigit() and len(chosen) < 19 else None
    try:
        if one.thing is None or row is None or not typed.get("reason"):
            raise NotReady(["Choose the backup service that it is a part of, and say why."])
        discovered.claim(line=row, thing=one.thing, by=request.user, at=at, reason=typed["reason"])
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
        return redirect("portal:scope_decide", subject)
    messages.success(request, f"{one.name} belongs to {row}.")
    return redirect("portal:scope_line", row.pk)


@require_POST
@login_required
def release(request: HttpRequest, *, pk: int) -> HttpResponse:
    row = ScopeClaim.objects.visible_to(request.user).select_related("line").filter(pk=pk).first()
    if row is None:
        raise Http404(str(pk))
    try:
        if not _typed(request).get("reason"):
            raise NotReady(["Say why: the reason is kept."])
        discovered.release(row=row, by=request.user, at=now(), reason=_typed(request)["reason"])
        messages.success(request, f"{row} waits for a decision again.")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
    return redirect("portal:scope_line", row.line_id)
