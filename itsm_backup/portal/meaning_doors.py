"""Doors of status maps: reading, drafting with the effect on what was read, approving, giving up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import everything, typed
from itsm_backup.common.time import now
from itsm_backup.portal import meaning_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.mapping_doors import SECTION, tool_of
from itsm_backup.portal.views import reads, show
from monitoring import redefining
from monitoring.meaning import Meaning
from monitoring.models import StatusMap


@reads
def one(request: HttpRequest, *, moment: Moment, name: str) -> HttpResponse:
    page = meaning_pages.meaning_page(tool=tool_of(request, name), user=request.user, moment=moment)
    return show(request, "meaning", section=SECTION, moment=moment, page=page)


def _sent(request: HttpRequest) -> Meaning:
    """The words for which an outcome was chosen, and the numbers that are not told in bytes."""
    sent = everything(request)
    numbers = [name.removeprefix("said-") for name in sent if name.startswith("said-")]
    words = {sent[f"said-{n}"]: sent[f"means-{n}"] for n in numbers if sent[f"said-{n}"] and sent.get(f"means-{n}")}
    units = {name.removeprefix("unit-"): value for name, value in sent.items() if name.startswith("unit-") and value != "B"}
    return Meaning(words, units)


@require_POST
@login_required
def draft(request: HttpRequest, *, name: str) -> HttpResponse:
    tool, at, sent, reason = tool_of(request, name), now(), _sent(request), typed(request, "reason")
    try:
        made = redefining.draft_map(tool=tool, words=sent.words, units=sent.units, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        moment = Moment(at=at, now=at)
        problems = tuple(error.problems) if isinstance(error, NotReady) else (str(error),)
        page = meaning_pages.meaning_page(tool=tool, user=request.user, moment=moment, typed=sent, reason=reason, problems=problems)
        return show(request, "meaning", section=SECTION, moment=moment, status=409, page=page)
    messages.success(
        request, f"Version {made.number} is kept as a draft. Its effect stands below; nothing is changed before somebody else approves it."
    )
    return redirect("portal:meaning", name)


def _deciding(act: Callable[[HttpRequest, StatusMap, str], Any], told: str) -> Any:
    def door(request: HttpRequest, *, name: str, number: int) -> HttpResponse:
        row = StatusMap.objects.filter(tool=tool_of(request, name), number=number).select_related("tool", "author").first()
        if row is None:
            raise Http404(str(number))
        reason = typed(request, "reason")
        try:
            if not reason:
                raise NotReady(["Say why: the reason is kept with the version."])
            act(request, row, reason)
            messages.success(request, f"Version {number} {told}")
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except Refused as error:
            messages.error(request, str(error))
        return redirect("portal:meaning", name)

    return require_POST(login_required(door))


def _approve(request: HttpRequest, row: StatusMap, reason: str) -> StatusMap:
    accepted = request.POST.get("accepts_good", "")
    count = int(accepted) if accepted.isascii() and accepted.isdigit() and len(accepted) < 9 else 0
    return redefining.approve(row=row, by=request.user, at=now(), reason=reason, accepts_good=count)


approve = _deciding(_approve, "is in force. What it reads otherwise was restated and is judged again.")
give_up = _deciding(
    lambda request, row, reason: redefining.give_up(row=row, by=request.user, at=now(), reason=reason), "is given up. It stays readable."
)
