"""Doors of what people are told of a major incident: drafted, reworded, rendered again, approved and sent, or withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from incidents import announcing, updating
from incidents.models import MajorIncident, MajorUpdate
from incidents.working import NotPossible
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import major_page, update_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.major_doors import deed_on_major, may_see, who_can
from itsm_backup.portal.returning import posted
from itsm_backup.portal.views import reads, show
from itsm_backup.portal.words import many


@reads
def major_update(request: HttpRequest, *, moment: Moment, number: str, pk: int) -> HttpResponse:
    may_see(request)
    return _shown(request, moment, *_found(request, number, pk, moment))


def _found(request: HttpRequest, number: str, pk: int, moment: Moment) -> tuple[MajorIncident, MajorUpdate]:
    major = major_page.find(number=number, user=request.user, moment=moment)
    update = update_page.find(major=major, number=pk, moment=moment) if major else None
    if update is None:
        raise Http404(str(pk))
    return major, update


def _shown(
    request: HttpRequest, moment: Moment, major: MajorIncident, update: MajorUpdate, failed: dict[str, Any] | None = None
) -> HttpResponse:
    page = update_page.update_page(update=update, user=request.user, moment=moment)
    return show(request, "major_update", section="incidents", moment=moment, status=409 if failed else 200, page=page, failed=failed)


@deed_on_major(updating.WRITE, "draft")
def draft_update(request: HttpRequest, found: MajorIncident) -> str:
    made = updating.draft(
        major=found,
        words=typed(request, "words", most=updating.MOST_WORDS),
        details=typed(request, "details", most=updating.MOST_WORDS),
        audiences=request.POST.getlist("audience"),
        by=request.user,
        at=now(),
    )
    return f"{made.get_kind_display()} {made.number} is drafted. Read what each audience is told; somebody else approves it."


def _deed(permission: str) -> Callable[[Callable[[HttpRequest, MajorUpdate], str]], Any]:
    """A form of an update's page; a refusal keeps what was typed."""

    def making(act: Callable[[HttpRequest, MajorUpdate], str]) -> Any:
        def doing(request: HttpRequest, *, number: str, pk: int) -> HttpResponse:
            may_see(request)
            at = now()
            moment = Moment(at=at, now=at)
            major, update = _found(request, number, pk, moment)
            if not request.user.has_perm(permission):
                raise PermissionDenied(f"That takes somebody else: {who_can(permission)} can.")
            try:
                told = act(request, update)
            except NotPossible as error:
                return _shown(request, moment, *_found(request, number, pk, moment), failed={"why": str(error), "sent": request.POST})
            messages.success(request, told)
            return redirect("portal:major_update", major.number, pk)

        return posted(doing, page="portal:major_update", parts=("number", "pk"))

    return making


@_deed(updating.WRITE)
def reword_update(request: HttpRequest, update: MajorUpdate) -> str:
    said = {name: typed(request, name, most=updating.MOST_WORDS) for name in ("words", "details")}
    updating.reword(update=update, by=request.user, at=now(), **said)
    return "It says so now, with the figures of this moment. You are an author of it."


def render_update(request: HttpRequest, *, number: str, pk: int) -> HttpResponse:
    """Whoever may write or approve it may have it rendered again."""
    permission = updating.APPROVE if request.user.has_perm(updating.APPROVE) else updating.WRITE
    return _deed(permission)(_render)(request, number=number, pk=pk)  # type: ignore[no-any-return]


def _render(request: HttpRequest, update: MajorUpdate) -> str:
    updating.render_again(update=update, by=request.user, at=now())
    return "Rendered again with the figures of this moment."


@_deed(updating.APPROVE)
def send_update(request: HttpRequest, update: MajorUpdate) -> str:
    sent = updating.send(update=update, by=request.user, at=now(), read=typed(request, "read"))
    count = sent.deliveries.count()
    told = many(count, "message")
    if announcing.is_replayed(sent.major.incident, None):
        return f"Approved. {told} kept and not sent: what they tell of was replayed from recordings."
    return f"Approved. {told} {'is on its' if count == 1 else 'are on their'} way."


@_deed(updating.WRITE)
def withdraw_update(request: HttpRequest, update: MajorUpdate) -> str:
    updating.withdraw(update=update, reason=typed(request, "reason"), by=request.user, at=now())
    return "It is withdrawn; nobody was told."
