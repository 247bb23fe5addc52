"""Doors of reviews: the list, one of them, what is written into it, its steps, its actions, and what entries are asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from catalogue.models import Service
from incidents import following_up, proposing, reviewing
from incidents.models import EntryProposal, Incident, PostIncidentReview, ReviewAction, ReviewAnswer
from incidents.working import NotPossible
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import review_list, review_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.meanwhile import newly_typed
from itsm_backup.portal.returning import posted
from itsm_backup.portal.review_page import CHANGE, PUBLISH
from itsm_backup.portal.views import incident_shown, page_number, reads, show

Deed = Callable[[HttpRequest, PostIncidentReview], str]
ACTS = {"submit": CHANGE, "decline": CHANGE, "send_back": PUBLISH, "publish": PUBLISH, "correct": CHANGE}


@reads
def reviews(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    asked = request.GET.get
    page = review_list.reviews_page(
        user=request.user, moment=moment, view=asked("view", ""), query=asked("q", ""), page=page_number(request)
    )
    return show(request, "reviews", section="incidents", moment=moment, page=page)


@reads
def review(request: HttpRequest, *, moment: Moment, number: str) -> HttpResponse:
    return _shown(request, moment, number)


def _shown(request: HttpRequest, moment: Moment, number: str, failed: dict[str, Any] | None = None) -> HttpResponse:
    found = review_page.find(number=number, user=request.user, moment=moment)
    if found is None:
        raise Http404(number)
    page = review_page.review_page(review=found, user=request.user, moment=moment)
    if failed and failed["form"] == "answers":
        page = review_page.with_typed(page, failed["sent"])
    return show(request, "review", section="incidents", moment=moment, status=409 if failed else 200, page=page, failed=failed)


def _deed(permission: str, form: str) -> Callable[[Deed], Any]:
    """A form of the page: who may not read it gets 404, who may not do it 403; a refusal keeps what was typed."""

    def making(act: Deed) -> Any:
        def doing(request: HttpRequest, *, number: str) -> HttpResponse:
            found = _found(request, number)
            if permission and not request.user.has_perm(permission):
                raise PermissionDenied(f"Working on {found.number} takes the role operator.")
            return _done(request, found, form, lambda: act(request, found))

        return posted(doing, page="portal:review")

    return making


def _found(request: HttpRequest, number: str) -> PostIncidentReview:
    pk = int(number.upper().removeprefix("PIR-"))
    found: PostIncidentReview | None = PostIncidentReview.objects.visible_to(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404(number)
    return found


def _done(request: HttpRequest, found: PostIncidentReview, form: str, act: Callable[[], str]) -> HttpResponse:
    try:
        told = act()
    except NotPossible as error:
        at = now()
        return _shown(request, Moment(at=at, now=at), found.number, failed={"form": form, "why": str(error), "sent": request.POST})
    messages.success(request, told)
    newest = PostIncidentReview.objects.filter(incident=found.incident_id).order_by("-revision").first()
    return redirect("portal:review", (newest or found).number)


def _start(request: HttpRequest, *, number: str) -> HttpResponse:
    """From the page of the incident."""
    incident = Incident.objects.visible_to(request.user).filter(pk=int(number.upper().removeprefix("INC-"))).first()
    if incident is None:
        raise Http404(number)
    if not request.user.has_perm("incidents.add_postincidentreview"):
        raise PermissionDenied(f"Reviewing {incident.number} takes the role operator.")
    try:
        made = reviewing.start(incident=incident, by=request.user, at=now())
    except NotPossible as error:
        at = now()
        failed = {"form": "review", "why": str(error), "typed": "", "sent": request.POST}
        return incident_shown(request, moment=Moment(at=at, now=at), number=number, failed=failed)
    messages.success(request, f"{made.number} is a draft with what is on record. Answer the questions, and write what was learned.")
    return redirect("portal:review", made.number)


start = posted(_start, page="portal:incident")


@_deed("", "step")
def step(request: HttpRequest, found: PostIncidentReview) -> str:
    act, reason = raw(request, "act"), typed(request, "reason")
    if act not in ACTS:
        raise NotPossible(f"{found.number} is {found.get_state_display().lower()}. Choose one of the steps that are offered.")
    if not request.user.has_perm(ACTS[act]):
        raise PermissionDenied(f"That takes another role: {found.number} is published by operators, incident managers and change managers.")
    more = {"reason": reason} if act in ("decline", "send_back", "correct") else {}
    moved = getattr(reviewing, act)(review=found, by=request.user, at=now(), **more)
    return f"{moved.number}: {moved.get_state_display().lower()}."


@_deed(CHANGE, "texts")
def write(request: HttpRequest, found: PostIncidentReview) -> str:
    texts = newly_typed(request, found, dict.fromkeys(reviewing.FIELDS, reviewing.MOST))
    reviewing.write(review=found, by=request.user, at=now(), **texts)
    return f"{found.number} says more now."


@_deed(CHANGE, "answers")
@transaction.atomic
def answers(request: HttpRequest, found: PostIncidentReview) -> str:
    """Every answer that is new or changed, or none of them."""
    known, changed, at = {one.question: one for one in found.answers.select_related("service")}, 0, now()
    for question in ReviewAnswer.Question.values:
        said, note, entry = (
            raw(request, f"answer-{question}"),
            typed(request, f"note-{question}", most=reviewing.MOST),
            raw(request, f"entry-{question}"),
        )
        row = known.get(question)
        was = _as_read(request, question, row)
        if not said or {"answer": said, "service": entry or was["service"], "note": note} == was:
            continue
        service = Service.objects.visible_to(request.user).filter(code=entry).first() if entry else None
        reviewing.answer(review=found, question=question, said=said, note=note, service=service, by=request.user, at=at, was=was)
        changed += 1
    if not changed:
        raise NotPossible("Nothing is new. Choose an answer, or change a note.")
    return f"{changed} answer{'s' if changed > 1 else ''} kept."


def _as_read(request: HttpRequest, question: str, row: ReviewAnswer | None) -> dict[str, str]:
    """The answer as the form showed it; as it stands where the form does not say."""
    if f"was-{question}" not in request.POST:
        return reviewing.stands(row) if row else {"answer": "", "service": "", "note": ""}
    parts = [*typed(request, f"was-{question}", most=reviewing.MOST + 100).split("|", 2), "", ""]
    return {"answer": parts[0], "service": parts[1], "note": parts[2]}


@_deed(CHANGE, "reread")
def reread(request: HttpRequest, found: PostIncidentReview) -> str:
    reviewing.reread(review=found, by=request.user, at=now())
    return f"{found.number} has what is on record by now. What people answered stays."


@_deed(CHANGE, "action")
def add_action(request: HttpRequest, found: PostIncidentReview) -> str:
    what = typed(request, "what", most=following_up.WHAT)
    made = following_up.add(review=found, what=what, owner=_owner(request), due_on=_day(request), by=request.user, at=now())
    return f"{made.owner.get_full_name() or made.owner.get_username()} does it by {made.due_on:%d %b %Y}."


def _owner(request: HttpRequest) -> Any:
    key = raw(request, "owner")
    return get_user_model().objects.filter(pk=int(key)).first() if key.isdigit() and key.isascii() and len(key) < 9 else None


def _day(request: HttpRequest) -> dt.date | None:
    try:
        return dt.date.fromisoformat(raw(request, "due_on"))
    except ValueError:
        return None


def _on_action(act: Callable[[HttpRequest, ReviewAction], str]) -> Any:
    """A form of one action, for who does it and for who works on reviews."""

    def doing(request: HttpRequest, *, number: str, pk: int) -> HttpResponse:
        found = _found(request, number)
        action = ReviewAction.objects.select_related("review", "owner").filter(pk=pk, review__incident=found.incident_id).first()
        if action is None:
            raise Http404(str(pk))
        if not following_up.may_end(action, request.user):
            raise PermissionDenied(
                f"{action.owner.get_full_name() or action.owner.get_username()} does this; operators may change it, too."
            )
        return _done(request, found, f"action-{pk}", lambda: act(request, action))

    return posted(doing, page="portal:review")


@_on_action
def end_action(request: HttpRequest, action: ReviewAction) -> str:
    outcome = typed(request, "outcome")
    ended = following_up.end(action=action, as_=raw(request, "as"), outcome=outcome, by=request.user, at=now())
    return f"“{ended.what}” is {ended.get_state_display().lower()}."


@_on_action
def hand_action(request: HttpRequest, action: ReviewAction) -> str:
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied("Operators give an action to somebody else.")
    due_on = _day(request)
    if due_on is None:
        raise NotPossible("Choose the day by which it is done: today or later.")
    handed = following_up.hand(
        action=action, owner=_owner(request), due_on=due_on, reason=typed(request, "reason"), by=request.user, at=now()
    )
    return f"{handed.owner.get_full_name() or handed.owner.get_username()} does it by {handed.due_on:%d %b %Y}."


def _answer_proposal(request: HttpRequest, *, number: str, pk: int) -> HttpResponse:
    """The steward of the entry drafts a version, says what settled it, or declines."""
    found = _found(request, number)
    proposal = EntryProposal.objects.visible_to(request.user).select_related("service").filter(pk=pk, incident=found.incident_id).first()
    if proposal is None:
        raise Http404(str(pk))
    if not Service.objects.visible_to(request.user, "change").filter(pk=proposal.service_id).exists():
        raise PermissionDenied(f"The stewards of {proposal.service.code} answer this.")
    as_ = raw(request, "as")

    def act() -> str:
        if as_ == "drafted":
            drafted = proposing.draft(proposal=proposal, by=request.user, at=now())
            return f"{drafted.version} is a draft. Change what is wrong, and submit it."
        made = proposing.settle(proposal=proposal, as_=as_, reason=typed(request, "reason"), by=request.user, at=now())
        return f"{made.get_state_display()}."

    return _done(request, found, f"proposal-{pk}", act)


answer_proposal = posted(_answer_proposal, page="portal:review")
