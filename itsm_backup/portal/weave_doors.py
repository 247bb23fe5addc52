"""Doors of the pages of relations: the matrix, graphs, what is to be decided, changes of many with one reason, import."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalogue import foreseeing, relating
from catalogue.duties import NotAllowed, Refused
from catalogue.models import RejectedRelation, Relation, SeenRelation, Service
from catalogue.relating import CONFIRM, END
from itsm_backup.common.http.typed import raw, typed
from itsm_backup.common.time import now
from itsm_backup.portal import asof, graph, matrix, relation_files, relation_list
from itsm_backup.portal.views import page_number, reads, show, sorry
from itsm_backup.portal.words import many

DEEDS = {"hard": "Set to hard", "soft": "Set to soft", CONFIRM: "Confirm", END: "End"}


@reads
def matrix_shown(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    asked = request.GET.dict()
    if asked.get("format") == "csv":
        text = matrix.as_csv(user=request.user, moment=moment, asked=asked)
        headers = {"Content-Disposition": 'attachment; filename="relations.csv"'}
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
    columns = asked.get("columns", "")
    page = matrix.matrix_page(
        user=request.user, moment=moment, asked=asked, page=page_number(request),
        columns_page=int(columns) if columns.isdigit() and len(columns) < 7 else 1,
    )  # fmt: skip
    return show(request, "matrix", section="services", moment=moment, page=page, deeds=DEEDS.items(), kinds=Relation.Kind.choices)


@reads
def estate_graph(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    page = graph.estate_graph(user=request.user, moment=moment, asked=request.GET.dict())
    return show(request, "graph", section="services", moment=moment, page=page)


@reads
def service_graph(request: HttpRequest, *, moment: asof.Moment, code: str) -> HttpResponse:
    service = Service.objects.visible_to(request.user).filter(code=code).first()
    if service is None:
        raise Http404(code)
    page = graph.service_graph(service=service, user=request.user, moment=moment)
    return show(request, "graph", section="services", moment=moment, page=page)


@reads
def relations(request: HttpRequest, *, moment: asof.Moment) -> HttpResponse:
    page = relation_list.relations_page(user=request.user, moment=moment)
    return show(request, "relations", section="services", moment=moment, page=page)


def _said(request: HttpRequest) -> dict[str, Any]:
    return {"by": request.user, "at": now(), "reason": typed(request, "reason", most=1_000)}


@require_POST
@login_required
def change_cells(request: HttpRequest) -> HttpResponse:
    """Chosen cells, one reason: shown first, kept when that is asked for."""
    deed, kind, back = request.POST.get("deed", ""), request.POST.get("kind", ""), request.POST.get("back", "")
    cells = request.POST.getlist("cell")
    if deed not in DEEDS or not cells or kind not in ("", *Relation.Kind.values):
        return _not_yet(request, "Choose at least one cell, and what to do with it.", back)
    wishes, problems = relation_files.wishes_of_cells(cells, kind=kind, deed=deed)
    rows = [(0, wish) for wish in wishes]
    return _looked_at(request, rows, [(0, told) for told in problems], title=f"{DEEDS[deed]}: {many(len(cells), 'cell')}", back=back)


@require_POST
@login_required
def import_relations(request: HttpRequest) -> HttpResponse:
    """A CSV file: every row is looked at first, with its problem where it has one; a part of it is kept only when that is asked for."""
    sent = request.FILES.get("file")
    if sent is not None and sent.size and sent.size > relation_files.MOST_BYTES:
        return _not_yet(request, "The file is larger than 1 MB. Send it in parts.", "")
    try:
        content = sent.read().decode("utf-8-sig") if sent is not None else request.POST.get("content", "")
        rows, problems = relation_files.wishes_of_csv(content)
    except UnicodeDecodeError:
        return _not_yet(request, "The file is not UTF-8 text. Save it as CSV in UTF-8.", "")
    except relation_files.Unreadable as error:
        return _not_yet(request, str(error), "")
    return _looked_at(request, rows, problems, title=f"Import of {many(len(rows) + len(problems), 'row')}", content=content, back="")


def _looked_at(request: HttpRequest, rows: list[Any], unread: list[Any], *, title: str, back: str, content: str = "") -> HttpResponse:
    said = _said(request)
    if not said["reason"]:
        return _not_yet(request, "Say why: the reason is kept with every relation that changes.", back)
    asked = request.POST.get("step", "")
    keep, partly = asked in ("keep", "keep_part"), asked == "keep_part"
    wanted = [wish for _, wish in rows]
    if keep and (partly or not unread):
        outcomes = relating.carry_out(wanted, partly=partly, **said)
        left = sum(bool(one.problem) for one in outcomes) + len(unread)
        if partly or not left:
            kept = many(sum(one.changes for one in outcomes), "relation")
            messages.success(request, f"{kept} changed.{f' {left} left out.' if left else ''}")
            return redirect(_safe(back) or reverse("portal:relations"))
    outcomes, follows = relating.foresee(wanted, **said)
    lines = [line for line, _ in rows]
    bad = [one for one in outcomes if one.problem]
    good = [one for one in outcomes if one.changes]
    shown = [{"line": line, "one": one, "kind": _kind(one.wish.kind)} for line, one in zip(lines, outcomes, strict=True)]
    worst_first = sorted(shown, key=lambda row: not row["one"].problem)[:500]
    context = {
        "title": title, "shown": worst_first, "unread": unread, "bad": len(bad) + len(unread),
        "good": len(good), "follows": follows.sentences, "breaks": len(follows.breaks) + follows.hidden_breaks,
        "reason": said["reason"], "back": _safe(back), "content": content, "cells": request.POST.getlist("cell"),
        "deed": request.POST.get("deed", ""), "kind": request.POST.get("kind", ""),
    }  # fmt: skip
    return show(request, "relations_preview", section="services", moment=asof.Moment(at=said["at"], now=said["at"]), **context)


def _kind(kind: str) -> str:
    return Relation.Kind(kind).label if kind in Relation.Kind.values else kind


def _safe(back: str) -> str:
    return back if back.startswith("/services/") else ""


def _not_yet(request: HttpRequest, what: str, back: str) -> HttpResponse:
    return sorry(
        request, title="Nothing was changed yet", what=what, remedy="Go back with your browser: what you chose is still there.",
        status=400, section="services",
    )  # fmt: skip


def _deciding(act: Any) -> Any:
    """A form of the page "to be decided": refused with 403 for who may see the service but not relate it."""

    def doing(request: HttpRequest, *, pk: int) -> HttpResponse:
        try:
            told = act(request, pk, _said(request))
        except NotAllowed as error:
            return sorry(
                request, title="You may not decide this", what=str(error), remedy="Ask one of them.", status=403, section="services"
            )
        except Refused as error:
            messages.error(request, str(error))
            return redirect("portal:relations")
        messages.success(request, told)
        return redirect("portal:relations")

    def asked_why(request: HttpRequest, *, pk: int) -> HttpResponse:
        if not raw(request, "reason"):
            return _not_yet(request, "Say why: the reason is kept with the decision.", "")
        return doing(request, pk=pk)

    return require_POST(login_required(asked_why))


def _one(rows: Any, pk: int) -> Any:
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404(str(pk))
    return found


@_deciding
def accept(request: HttpRequest, pk: int, said: dict[str, Any]) -> str:
    seen = _one(SeenRelation.objects.visible_to(request.user).select_related("consumer", "provider"), pk)
    strength = request.POST.get("strength", "")
    if strength not in Relation.Strength.values:
        raise Refused("Choose whether the service, or its backup, stops with it (hard) or goes on (soft).")
    act = partial(relating.accept, seen=seen, strength=strength, **said)
    row, follows = foreseeing.weigh(act, ends=(seen.consumer, seen.provider), at=said["at"], reader=request.user)
    return f"{row}: it stands in the catalogue. {follows.in_short()}".strip()


@_deciding
def reject(request: HttpRequest, pk: int, said: dict[str, Any]) -> str:
    seen = _one(SeenRelation.objects.visible_to(request.user).select_related("consumer", "provider"), pk)
    relating.reject(seen=seen, **said)
    return f"“{seen}” is rejected and not proposed again."


@_deciding
def take_back(request: HttpRequest, pk: int, said: dict[str, Any]) -> str:
    """A relation that has not begun never will."""
    rows = Relation.objects.visible_to(request.user).filter(provider__in=Service.objects.visible_to(request.user)).planned(said["at"])
    row = _one(rows.select_related("consumer", "provider"), pk)
    relating.end(relation=row, **said)
    return f"“{row}” is taken back and does not begin."


@_deciding
def propose_again(request: HttpRequest, pk: int, said: dict[str, Any]) -> str:
    rejected = _one(RejectedRelation.objects.visible_to(request.user).select_related("seen__consumer", "seen__provider"), pk)
    relating.propose_again(rejected=rejected, **said)
    return f"“{rejected.seen}” is proposed again."
