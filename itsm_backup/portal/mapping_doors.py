"""Doors of mappings: reading them, drafting with a look at the last answer, approving; and promised beside observed."""

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
from itsm_backup.portal import mapping_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import reads, show, version_of
from monitoring import translating
from monitoring.beside import beside
from monitoring.models import AttributeMapping, Tool

SECTION, MAY_SEE = "services", "monitoring.view_attributemapping"


def tool_of(request: HttpRequest, name: str) -> Tool:
    tool = Tool.objects.visible_to(request.user).filter(name=name).first()
    if tool is None:
        raise Http404(name)
    return tool


@reads
def mappings(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    if not Tool.objects.visible_to(request.user).exists() and not request.user.has_perm(MAY_SEE):
        raise PermissionDenied("Mappings are read by those who may see tools.")
    return show(request, "mappings", section=SECTION, moment=moment, page=mapping_pages.tools_page(user=request.user, moment=moment))


@reads
def one(request: HttpRequest, *, moment: Moment, name: str) -> HttpResponse:
    page = mapping_pages.mapping_page(tool=tool_of(request, name), user=request.user, moment=moment)
    return show(request, "mapping", section=SECTION, moment=moment, page=page)


@reads
def promised_beside_observed(request: HttpRequest, *, moment: Moment, code: str) -> HttpResponse:
    version = version_of(request, code, moment)
    found = beside(service=version.service, version=version, at=moment.at)
    page = mapping_pages.beside_page(code=code, name=version.name, found=found, moment=moment)
    return show(request, "beside", section=SECTION, moment=moment, page=page)


def _sent_rows(request: HttpRequest) -> list[dict[str, Any]]:
    """The attributes for which a field was chosen."""
    sent = everything(request)
    numbers = [name.removeprefix("path-") for name in sent if name.startswith("path-")]
    found = []
    for number in numbers:
        if sent.get(f"field-{number}"):
            row: dict[str, Any] = {key: sent.get(f"{key}-{number}", "") for key in ("path", "field", "unit", "transform")}
            words = mapping_pages.words_read(sent.get(f"words-{number}", ""))
            found.append({**row, "words": words} if words else row)
    return found


@require_POST
@login_required
def draft(request: HttpRequest, *, name: str) -> HttpResponse:
    tool, at = tool_of(request, name), now()
    rows, reason = _sent_rows(request), typed(request, "reason")
    try:
        made = translating.draft_mapping(tool=tool, rows=rows, by=request.user, at=at, reason=reason)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        problems = tuple(error.problems) if isinstance(error, NotReady) else (str(error),)
        page = mapping_pages.mapping_page(
            tool=tool, user=request.user, moment=Moment(at=at, now=at), typed=list(rows), reason=reason, problems=problems
        )  # fmt: skip
        return show(request, "mapping", section=SECTION, moment=Moment(at=at, now=at), status=409, page=page)
    messages.success(
        request,
        f"Version {made.number} is kept as a draft. Below stands what it makes of the last answer; nothing counts before it is approved.",
    )
    return redirect("portal:mapping", name)


def _deciding(act: Callable[..., AttributeMapping], told: str) -> Any:
    def door(request: HttpRequest, *, name: str, number: int) -> HttpResponse:
        tool = tool_of(request, name)
        row = AttributeMapping.objects.filter(tool=tool, number=number).select_related("tool", "author").first()
        if row is None:
            raise Http404(str(number))
        reason = typed(request, "reason")
        try:
            if not reason:
                raise NotReady(["Say why: the reason is kept with the version."])
            act(row=row, by=request.user, at=now(), reason=reason)
            messages.success(request, f"Version {number} {told}")
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except Refused as error:
            messages.error(request, str(error))
        return redirect("portal:mapping", name)

    return require_POST(login_required(door))


approve = _deciding(translating.approve, "is in force.")
give_up = _deciding(translating.give_up, "is given up. It stays readable.")
