"""Doors of rules: the list, the bench with its draft, the unmatched queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalogue.models import Service
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.http.typed import everything, typed
from itsm_backup.common.time import day_bounds, now
from itsm_backup.portal import bench_page, rule_pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.views import page_number, reads, show
from itsm_backup.portal.words import zone
from monitoring import ruling, unmatched
from monitoring.conditions import MOST_CONDITIONS, coded
from monitoring.models import BackupJob, RuleVersion, Tool
from monitoring.trying import DAYS

SECTION, MAY_SEE = "improve", ("monitoring.view_attributionrule", "monitoring.view_causerule")
PARTS = ("field", "operator", "value")
TYPED = ("name", "service", "tool", "title", "component", "ends_on", "reason")


def _sees_rules(request: HttpRequest) -> None:
    user: Any = request.user
    if not any(user.has_perm(right) for right in MAY_SEE) and not Tool.objects.visible_to(user).exists():
        raise PermissionDenied("Rules are read by those who may see how jobs are mapped: an administrator can grant a role.")


@reads
def rules(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    _sees_rules(request)
    kind = request.GET.get("kind", "")
    kind = kind if kind in rule_pages.KINDS else "attribution"
    text = request.GET.get("text", "").strip()[:120]
    page = rule_pages.rules_page(user=request.user, moment=moment, kind=kind, text=text, page=page_number(request))
    return show(request, "rules", section=SECTION, moment=moment, page=page)


@reads
def rule(request: HttpRequest, *, moment: Moment, kind: str, pk: int) -> HttpResponse:
    _sees_rules(request)
    page = rule_pages.rule_page(kind=kind, pk=pk, user=request.user, moment=moment) if kind in rule_pages.KINDS else None
    if page is None:
        raise Http404(str(pk))
    return show(request, "rule", section=SECTION, moment=moment, page=page)


@reads
def queue(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    _sees_rules(request)
    at = Moment(at=moment.now, now=moment.now) if moment.past else moment
    page = rule_pages.unmatched_page(user=request.user, moment=at, page=page_number(request))
    return show(request, "unmatched", section=SECTION, moment=moment, page=page)


@reads
def version(request: HttpRequest, *, moment: Moment, pk: int) -> HttpResponse:
    row = _find(request, pk)
    if moment.past and (row.approved_at is None or row.approved_at > moment.at):
        raise Http404(str(pk))
    asked = {"days": _days(request), "tab": request.GET.get("show", ""), "spare": 2 if request.GET.get("more") else 1}
    page = bench_page.bench_page(row=row, user=request.user, moment=moment, **asked)
    return show(request, "bench", section=SECTION, moment=moment, page=page)


@reads
def new(request: HttpRequest, *, moment: Moment) -> HttpResponse:
    kind = request.GET.get("kind", "attribution")
    if kind not in rule_pages.KINDS:
        raise Http404(kind)
    if not rule_pages.may_write(request.user, kind):
        raise PermissionDenied("You may not write rules of this kind: an administrator can grant the role monitoring-admin.")
    row = _begun(request, kind)
    open_one = RuleVersion.objects.visible_to(request.user).filter(kind=kind, name=row.name, state="draft").first()
    if open_one is not None:
        return redirect("portal:rule_version", open_one.pk)
    return show(request, "bench", section=SECTION, moment=moment, page=bench_page.new_page(row=row, user=request.user, at=moment.at))


def _begun(request: HttpRequest, kind: str) -> RuleVersion:
    """A version that is not kept: of the rule that is to be changed, for the job that waits, or empty."""
    pk = request.GET.get("rule", "")
    if pk.isdigit() and len(pk) < 19:
        held = rule_pages.rule_page(kind=kind, pk=int(pk), user=request.user, moment=Moment(at=now(), now=now()))
        if held is None:
            raise Http404(pk)
        return RuleVersion(kind=kind, name=held.name, author=request.user, **ruling.content_of(kind, held.name))
    job = _job(request, request.GET.get("job", ""))
    content = ruling.content_of(kind, "")
    if job is None or kind != "attribution":
        return RuleVersion(kind=kind, name="", author=request.user, **content)
    one = unmatched.suggest([job], request.user)[job.pk]
    content |= {"conditions": [each._asdict() for each in one.conditions], "service": one.service, "tool": job.tool}
    return RuleVersion(kind=kind, name=one.name, author=request.user, **content)


def _job(request: HttpRequest, pk: str) -> BackupJob | None:
    found = BackupJob.objects.visible_to(request.user).filter(pk=pk) if pk.isdigit() and len(pk) < 19 else None
    return found.select_related("tool").first() if found is not None else None


def _find(request: HttpRequest, pk: int) -> RuleVersion:
    row = RuleVersion.objects.visible_to(request.user).filter(pk=pk).select_related("service", "tool", "author", "approver").first()
    if row is None:
        raise Http404(str(pk))
    return row


def _days(request: HttpRequest) -> int:
    text = request.GET.get("days", "")
    return int(text) if text.isdigit() and int(text[:4]) in DAYS else 30


def _typed(request: HttpRequest) -> dict[str, Any]:
    """What was sent, as the form shows it again."""
    sent = everything(request)
    dropped = sent.get("drop", "")
    rows = [
        {part: sent.get(f"{part}-{number}", "").strip() for part in PARTS} for number in range(MOST_CONDITIONS) if str(number) != dropped
    ]
    told: dict[str, Any] = {
        name: sent.get(name, "").strip() for name in ("name", "service", "tool", "title", "component", "ends_on", "reason")
    }
    position = sent.get("position", "100").strip()
    return {**told, "conditions": [coded(row) for row in rows if row["value"]], "enabled": "enabled" in sent, "position": position}


def _content(request: HttpRequest, kind: str, typed: dict[str, Any]) -> dict[str, Any]:
    """What was typed as the act takes it. Raises NotReady for what cannot be read."""
    problems = []
    if not typed["position"].isdigit() or len(typed["position"]) > 7:
        problems.append("The position is a whole number, such as 100.")
    content: dict[str, Any] = {"conditions": typed["conditions"], "enabled": typed["enabled"]}
    if kind == "cause":
        content |= {"title": typed["title"], "component": typed["component"]}
    else:
        code, name = typed["service"].split(" ")[0], typed["tool"]
        content["service"] = Service.objects.visible_to(request.user).filter(code=code).first() if code else None
        content["tool"] = Tool.objects.visible_to(request.user).filter(name=name).first() if name else None
        if code and content["service"] is None:
            problems.append(f"There is no service {code} that you may see. Choose one by its code.")
        if name and content["tool"] is None:
            problems.append(f"There is no tool {name} that you may see.")
        content["valid_to"] = _until(typed["ends_on"], problems)
    if problems:
        raise NotReady(problems)
    return {**content, "position": int(typed["position"])}


def _until(text: str, problems: list[str]) -> dt.datetime | None:
    if not text:
        return None
    try:
        return day_bounds(dt.date.fromisoformat(text), str(zone()))[1]
    except (ValueError, OverflowError):
        problems.append("The last day is written like 2026-12-31.")
        return None


@require_POST
@login_required
def save(request: HttpRequest) -> HttpResponse:
    """Keep what is written as a draft, and show what it would have done."""
    kind, at = request.POST.get("kind", ""), now()
    if kind not in rule_pages.KINDS:
        raise Http404(kind)
    told = _typed(request)
    try:
        content = _content(request, kind, told)
        row = ruling.draft_rule(kind=kind, name=told["name"], content=content, by=request.user, at=at, reason=told["reason"])
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        problems = tuple(error.problems) if isinstance(error, NotReady) else (str(error),)
        return _refused(request, kind, told, problems, at)
    more = "?more=1" if "more" in request.POST else ""
    return redirect(reverse("portal:rule_version", args=[row.pk]) + more)


def _refused(request: HttpRequest, kind: str, typed: dict[str, Any], problems: tuple[str, ...], at: dt.datetime) -> HttpResponse:
    moment = Moment(at=at, now=at)
    rows = RuleVersion.objects.visible_to(request.user).filter(kind=kind, name=typed["name"], state="draft", author=request.user.pk)
    row = rows.select_related("service", "tool", "author").first()
    if row is not None:
        page = bench_page.bench_page(row=row, user=request.user, moment=moment, days=30, tab="", typed=typed, problems=problems)
    else:
        row = RuleVersion(kind=kind, name=typed["name"], author=request.user, **ruling.content_of(kind, typed["name"]))
        page = bench_page.new_page(row=row, user=request.user, at=at, typed=typed, problems=problems)
    return show(request, "bench", section=SECTION, moment=moment, status=409, page=page)


@require_POST
@login_required
def suggest(request: HttpRequest) -> HttpResponse:
    """Make a draft of what is suggested for a job, or for what failures say, and go to the bench."""
    text = typed(request, "text", most=120)
    job = _job(request, request.POST.get("job", ""))
    if job is None and not text:
        raise Http404("job")
    try:
        row = _of_job(request, job) if job is not None else _of_text(request, text)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        messages.error(request, str(error))
        return redirect("portal:unmatched")
    messages.success(request, f"{row} is kept as a draft. Below stands what it would have done; nothing counts before it is approved.")
    return redirect("portal:rule_version", row.pk)


def _of_job(request: HttpRequest, job: BackupJob) -> RuleVersion:
    one = unmatched.suggest([job], request.user)[job.pk]
    content = {"conditions": one.conditions, "service": one.service, "tool": job.tool}
    reason = f"{job.name} belonged to no service. {one.evidence}."
    return ruling.draft_rule(kind="attribution", name=one.name, content=content, by=request.user, at=now(), reason=reason)


def _of_text(request: HttpRequest, text: str) -> RuleVersion:
    reason = f"Failures said “{text}”, and no rule named their cause."
    return ruling.draft_rule(kind="cause", **unmatched.suggest_cause(text), by=request.user, at=now(), reason=reason)


def _deciding(act: Callable[..., RuleVersion], told: str, *, needs_reason: bool) -> Any:
    def door(request: HttpRequest, *, pk: int) -> HttpResponse:
        row = _find(request, pk)
        reason = typed(request, "reason")
        seen = {"seen": request.POST.get("seen", "")} if act is ruling.approve else {}
        try:
            if needs_reason and not reason:
                raise NotReady(["Say why: the reason is kept with the version."])
            act(row=row, by=request.user, at=now(), reason=reason, **seen)
            messages.success(request, f"{row} {told}")
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except Refused as error:
            messages.error(request, str(error))
        return redirect("portal:rule_version", pk)

    return require_POST(login_required(door))


send = _deciding(ruling.send, "waits for approval.", needs_reason=False)
approve = _deciding(ruling.approve, "is in force. Jobs are considered again within seconds.", needs_reason=True)
give_up = _deciding(ruling.give_up, "is given up. It stays readable.", needs_reason=True)
