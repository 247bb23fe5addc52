"""Doors of restore tests by people: reading, planning, recording, verifying, cancelling."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalogue.models import Service
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import restore_plan_page, restore_plans_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.version_doors import instant_typed
from itsm_backup.portal.views import reads, show
from monitoring import testing_restores
from monitoring.models import BackupJob, RestorePlan

SECTION = "services"
FIELDS = ("job", "scope", "planned_on", "tester", "place", "started_at", "ended_at", "outcome", "compared", "remark", "finding", "reason")
COMPARED = {"yes": True, "no": False}


@reads
def restore_plans(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    page = restore_plans_page.restore_plans_page(user=request.user, moment=moment)
    return show(request, "restore_plans", section=SECTION, moment=moment, page=page)


@reads
def restore_plan(request: HttpRequest, *, moment: Moment, pk: int) -> HttpResponse:
    return _shown(request, _plan(request, pk, moment), moment)


def _plan(request: HttpRequest, pk: int, moment: Moment) -> RestorePlan:
    seen = RestorePlan.objects.visible_to(request.user).filter(made_at__lte=moment.at)
    found = seen.select_related("service", "job", "tester", "made_by", "verified_by").filter(pk=pk).first()
    if found is None:
        raise Http404(str(pk))
    return found


def _shown(request: HttpRequest, plan: RestorePlan, moment: Moment, *, status: int = 200, **failed: Any) -> HttpResponse:
    page = restore_plan_page.restore_plan_page(plan=plan, user=request.user, moment=moment, **failed)
    return show(request, "restore_plan", section=SECTION, moment=moment, status=status, page=page)


@login_required
def plan_restore(request: HttpRequest, *, code: str) -> HttpResponse:
    """The form, and what it sends."""
    at = now()
    moment, user = Moment(at=at, now=at), request.user
    service = Service.objects.listed().visible_to(user).filter(code=code).first()
    if service is None:
        raise Http404(code)
    if request.method != "POST":
        return show(request, "plan_restore", section=SECTION, moment=moment, page=_form(request, service, moment))
    try:
        plan = testing_restores.plan(**_asked(request, service), by=user, at=at, reason=typed(request, "reason", most=1_000))
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except NotReady as error:
        said = {name: raw(request, name) for name in FIELDS}
        page = _form(request, service, moment, problems=tuple(error.problems), typed=said)
        return show(request, "plan_restore", section=SECTION, moment=moment, status=409, page=page)
    messages.success(request, "The restore test is planned.")
    return redirect("portal:restore_plan", plan.pk)


def _form(request: HttpRequest, service: Service, moment: Moment, **more: Any) -> restore_plan_page.PlanForm:
    return restore_plan_page.plan_form(service=service, user=request.user, moment=moment, **more)


def _asked(request: HttpRequest, service: Service) -> dict[str, Any]:
    """What the form says. Raises NotReady for what is missing."""
    chosen = {name: raw(request, name) for name in ("job", "tester")}
    numbers = {name: int(text) if text.isdigit() and len(text) < 19 else 0 for name, text in chosen.items()}
    job = BackupJob.objects.select_related("service").filter(service=service, pk=numbers["job"]).first()
    tester = get_user_model().objects.filter(pk=numbers["tester"]).first()
    try:
        planned_on = dt.date.fromisoformat(raw(request, "planned_on"))
    except ValueError:
        planned_on = None
    if job is None or tester is None or planned_on is None:
        raise NotReady(["Choose the job whose copies are restored, the day, and who runs the test."])
    return {
        "job": job,
        "tester": tester,
        "planned_on": planned_on,
        "scope": raw(request, "scope"),
        "place": typed(request, "place", most=200),
    }


def _deed(act: Callable[[HttpRequest, RestorePlan, dt.datetime], str]) -> Any:
    """A form on the page of one test: done, or shown again with what was typed and why not."""

    def doing(request: HttpRequest, *, pk: int) -> HttpResponse:
        at = now()
        moment = Moment(at=at, now=at)
        plan = _plan(request, pk, moment)
        try:
            messages.success(request, act(request, plan, at))
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except Refused as error:
            problems = tuple(error.problems) if isinstance(error, NotReady) else (str(error),)
            said = {name: raw(request, name) for name in FIELDS}
            return _shown(request, _plan(request, pk, moment), moment, status=409, problems=problems, typed=said)
        return redirect("portal:restore_plan", pk)

    return require_POST(login_required(doing))


@_deed
def record_restore(request: HttpRequest, plan: RestorePlan, at: dt.datetime) -> str:
    started_at, ended_at = (instant_typed(raw(request, name)) for name in ("started_at", "ended_at"))
    if started_at is None or ended_at is None:
        raise NotReady(["Say when it started and when it ended: the recovery time is measured between them."])
    testing_restores.record(
        row=plan, started_at=started_at, ended_at=ended_at, outcome=raw(request, "outcome"), remark=typed(request, "remark"),
        compared=COMPARED.get(raw(request, "compared")), by=request.user, at=at,
    )  # fmt: skip
    return "It is recorded. Somebody else verifies it before it proves anything."


@_deed
def verify_restore(request: HttpRequest, plan: RestorePlan, at: dt.datetime) -> str:
    agrees = raw(request, "agrees") == "yes"
    testing_restores.verify(row=plan, agrees=agrees, finding=typed(request, "finding"), by=request.user, at=at)
    return "It is verified and counts from now on." if agrees else "It is rejected and proves nothing."


@_deed
def cancel_restore(request: HttpRequest, plan: RestorePlan, at: dt.datetime) -> str:
    testing_restores.cancel(row=plan, by=request.user, at=at, reason=typed(request, "reason", most=1_000))
    return "The restore test is cancelled."
