"""Doors of work on many entries: import and export, what is asked for, its start, stop and progress, approvals."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalogue import batching, exporting, importing, sheets
from catalogue.columns import COLUMNS
from catalogue.models import Batch, ServiceVersion
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import batch_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import page_number, reads, show, works
from itsm_backup.portal.words import many
from monitoring import waking
from monitoring.capability import measured_of_many

SECTION = "services"


@reads
def export(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    """Every entry in force that the person may see, in the columns that the import reads."""
    format = request.GET.get("format", "csv")
    if format not in sheets.FORMATS:
        raise Http404(format)
    content = exporting.entries(user=request.user, at=moment.at, format=format)
    name = f"entries-{moment.at:%Y-%m-%d}.{format}"
    return HttpResponse(content, content_type=sheets.FORMATS[format], headers={"Content-Disposition": f'attachment; filename="{name}"'})


def import_entries(request: HttpRequest) -> HttpResponse:
    """The form, and the file that it sends: looked at row by row; nothing happens before the person starts it."""
    return (_take_file if request.method == "POST" else import_form)(request)


@works
def import_form(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    return _import_form(request, moment)


def _import_form(request: HttpRequest, moment: Moment, *, problem: str = "", typed: str = "", status: int = 200) -> HttpResponse:
    if not importing.may_import(request.user):
        raise PermissionDenied("Importing entries takes the role steward. An administrator grants it.")
    context = {"problem": problem, "typed": typed, "columns": COLUMNS}
    return show(request, "import_entries", section=SECTION, moment=moment, status=status, **context)


@login_required
def _take_file(request: HttpRequest) -> HttpResponse:
    at = now()
    sent, reason, problem = request.FILES.get("file"), typed(request, "reason", most=1_000), ""
    if not importing.may_import(request.user):
        raise PermissionDenied("Importing entries takes the role steward. An administrator grants it.")
    if sent is None or not reason:
        problem = "Choose a file." if sent is None else "Say why: the reason is kept with every entry. Choose the file once more."
    else:
        try:
            rows = sheets.read(sent.read(sheets.MOST_BYTES + 1))
            wishes = importing.wishes(rows, by=request.user, at=at)
            made = batching.propose(
                act=Batch.Act.DRAFT, title=f"Import of {sent.name}"[:160], wishes=wishes, by=request.user, at=at, reason=reason,
                measure=measured_of_many,
            )  # fmt: skip
        except (sheets.Unreadable, Refused) as error:
            problem = str(error)
        else:
            return redirect("portal:batch", made.pk)
    return _import_form(request, Moment(at=at, now=at), problem=problem, typed=reason, status=400)


@works
def batches(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = batch_page.batches_page(user=request.user, moment=moment, page=page_number(request))
    return show(request, "batches", section=SECTION, moment=moment, page=page)


def _batch(request: HttpRequest, pk: int) -> Batch:
    found = batch_page.find(pk=pk, user=request.user)
    if found is None:
        raise Http404(str(pk))
    return found


@works
def batch(request: HttpRequest, *, moment: Moment, pk: int) -> HttpResponse:
    page = batch_page.batch_page(batch=_batch(request, pk), user=request.user, moment=moment, page=page_number(request))
    if request.headers.get("X-Fragment") == "progress":
        response = render(request, "portal/_batch.html", {"page": page})
        response["Cache-Control"] = "private, no-store"
        return response
    return show(request, "batch", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def start(request: HttpRequest, *, pk: int) -> HttpResponse:
    row = _batch(request, pk)
    _done(request, lambda: batching.start(batch=row, by=request.user, at=now(), partly=request.POST.get("partly") == "yes"))
    waking.hand_out(row.pk)
    return redirect("portal:batch", pk)


@require_POST
@login_required
def stop(request: HttpRequest, *, pk: int) -> HttpResponse:
    row = _batch(request, pk)
    _done(request, lambda: batching.stop(batch=row, by=request.user, at=now()))
    return redirect("portal:batch", pk)


def _done(request: HttpRequest, act: Any) -> Any:
    try:
        return act()
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
        return None


@require_POST
@login_required
def submit(request: HttpRequest, *, pk: int) -> HttpResponse:
    """The drafts that a batch made, proposed to be submitted in one go."""
    row = _batch(request, pk)
    drafts = ServiceVersion.objects.filter(pk__in=row.items.filter(state="done").values("version"), state="draft").order_by("service__code")
    return _proposed(request, Batch.Act.SUBMIT, f"Submission: {row.title}", batching.to_submit(drafts, by=request.user), row.reason)


@works
def approvals(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = batch_page.approvals_page(user=request.user, moment=moment, asked=request.GET.dict(), page=page_number(request))
    return show(request, "approvals", section=SECTION, moment=moment, page=page)


@require_POST
@login_required
def approve(request: HttpRequest) -> HttpResponse:
    """The chosen versions, or all that the filters list, proposed to be approved in one go."""
    rows = batch_page.approvable(request.user, request.POST.dict())
    if request.POST.get("which") != "all":
        rows = rows.filter(pk__in=[each for each in request.POST.getlist("version") if each.isdigit() and len(each) < 18])
    wishes = batching.to_approve(rows[: batch_page.MOST_AT_ONCE], by=request.user, at=now())
    reason = typed(request, "reason", most=1_000)
    return _proposed(request, Batch.Act.APPROVE, f"Approval of {many(len(wishes), 'version')}", wishes, reason)


def _proposed(request: HttpRequest, act: str, title: str, wishes: Any, reason: str) -> HttpResponse:
    asked = {"act": act, "title": title, "wishes": wishes, "by": request.user, "at": now(), "reason": reason, "measure": measured_of_many}
    made = _done(request, lambda: batching.propose(**asked))
    return redirect("portal:batch", made.pk) if made else redirect("portal:approvals" if act == Batch.Act.APPROVE else "portal:batches")
