"""The doors of the report library: read, download, make again and compare, have it compiled again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now
from itsm_backup.portal import asof, report_list, report_page
from itsm_backup.portal.views import page_number, reads, show
from reporting import compiling, delivering, filing, overriding, rendering, sealing
from reporting.choosing import PlacesField
from reporting.models import Report
from reporting.scoping import Month, Scope
from reporting.sections import SECTIONS


@reads
def reports(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    page = report_list.reports_page(user=request.user, moment=moment, page=page_number(request))
    return show(request, "reports", section="reports", moment=moment, page=page)


def _found(request: HttpRequest, pk: int, moment: asof.Moment) -> Report:
    report = report_page.find(pk=pk, user=request.user, moment=moment)
    if report is None:
        raise Http404(str(pk))
    return report


@reads
def report(request: HttpRequest, *, moment: asof.Moment, pk: int) -> HttpResponse:
    return _shown(request, _found(request, pk, moment), moment)


def _shown(request: HttpRequest, found: Report, moment: asof.Moment, proof: Any = None, chain: Any = None) -> HttpResponse:
    page = report_page.report_page(report=found, user=request.user, moment=moment, part=request.GET.get("part", ""))
    return show(request, "report", section="reports", moment=moment, page=page, proof=proof, chain=chain)


@reads
def report_file(request: HttpRequest, *, moment: asof.Moment, pk: int, name: str) -> Any:
    """A file as it was made and sent; the snapshot is written from the database, piece by piece."""
    found = _found(request, pk, moment)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.number}-{name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if name == "manifest.json":
        return HttpResponse(sealing.canonical(found.manifest), content_type="application/json", headers=headers)
    if name == "snapshot.json":
        return StreamingHttpResponse(rendering.snapshot_json(found), content_type="application/json", headers=headers)
    file = found.files.filter(name=name, made_at__lte=moment.at).first()
    if file is None:
        raise Http404(name)
    return HttpResponse(bytes(file.content), content_type=report_page.media_of(name), headers=headers)


@require_POST
@login_required
def report_again(request: HttpRequest, *, pk: int) -> HttpResponse:
    """Makes everything again and compares; changes nothing, but is a POST because it costs more than reading."""
    at = now()
    moment = asof.Moment(at=at, now=at)
    found = _found(request, pk, moment)
    return _shown(request, found, moment, proof=rendering.prove(found), chain=filing.chain_of(found))


@require_POST
@login_required
def report_compile(request: HttpRequest, *, pk: int) -> HttpResponse:
    """Compile the same month again: missing files are made, and what arrived since then makes a revision."""
    at = now()
    found = _found(request, pk, asof.Moment(at=at, now=at))
    if not request.user.has_perm(report_page.COMPILE):
        raise PermissionDenied("Having a report compiled takes the role steward or operator.")
    scope = {name: value for name, value in found.data["scope"].items() if name != "words"}
    schedule = found.schedule
    try:
        made, new = compiling.compile_month(
            month=Month(first=found.month, zone=found.data["zone"]),
            scope=compiling.scope_of(schedule) if schedule else Scope(**scope),
            at=at,
            schedule=schedule,
            policy=schedule.policy if schedule else found.data["policy"],
            with_new_templates=True,
        )
    except compiling.Busy as error:
        messages.error(request, str(error))
        return redirect("portal:report", pk)
    files = rendering.render(report=made, at=at)
    delivering.deliver(report=made, at=at)
    if new:
        messages.success(request, f"Revision {made.revision} was made: facts have arrived since revision {made.revision - 1}.")
    else:
        more = f" {len(files)} missing files were made." if files else ""
        messages.success(request, f"Nothing has changed: the same facts gave the same seal, so there is no new revision.{more}")
    return redirect("portal:report", made.pk)


@require_POST
@login_required
def report_override(request: HttpRequest, *, pk: int) -> HttpResponse:
    """Issue a report that a check stopped, under one's name."""
    at = now()
    found = _found(request, pk, asof.Moment(at=at, now=at))
    if not request.user.has_perm(report_page.OVERRIDE):
        raise PermissionDenied("Issuing a report that a check stopped takes the role approver.")
    try:
        made = overriding.issue(report=found, by=request.user, reason=typed(request, "reason"), at=at)
    except (overriding.NotStopped, compiling.Busy) as error:
        messages.error(request, str(error))
        return redirect("portal:report", pk)
    rendering.render(report=made, at=at)
    delivering.deliver(report=made, at=at)
    messages.success(request, f"Revision {made.revision} was issued under your name; every page says so.")
    return redirect("portal:report", made.pk)


@require_POST
@login_required
def report_preview(request: HttpRequest, *, audience: str) -> HttpResponse:
    """How a template would look that is being edited; saves nothing, but is a POST because the form is sent as it is."""
    if audience not in SECTIONS:
        raise Http404(audience)
    if not request.user.has_perm("reporting.view_reporttemplate"):
        raise PermissionDenied("Templates are seen by those with a role in the administration.")
    at = now()
    moment, names, error = asof.Moment(at=at, now=at), [], ""
    field = PlacesField(audience=audience)
    try:
        names = field.clean(field.widget.value_from_datadict(request.POST, {}, "sections"))
    except ValidationError as wrong:
        error = wrong.messages[0]
    page = report_page.trial_page(audience=audience, names=names, error=error, user=request.user, moment=moment)
    return show(request, "report_preview", section="reports", moment=moment, page=page)
