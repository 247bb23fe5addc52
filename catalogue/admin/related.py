"""Relations on the pages of an entry and of its draft: seen, added and ended where one works, by the same acts as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from catalogue import foreseeing, relating
from catalogue.models import Relation, Service, ServiceVersion
from catalogue.refusing import NotAllowed, NotReady, Refused
from itsm_backup.common.admin.reasons import REASON
from itsm_backup.common.admin.rights import log_refusal
from itsm_backup.common.http.typed import typed
from itsm_backup.common.time import now

MOST_SHOWN, MOST_OFFERED = 50, 300


def told(request: HttpRequest, service: Service, *, able: bool) -> dict[str, Any]:
    """What the part of a page about relations shows: what stands, and the form for those who are able to relate."""
    seen = Service.objects.visible_to(request.user).values("pk")
    rows = Relation.objects.standing(now()).filter(Q(consumer=service, provider__in=seen) | Q(provider=service, consumer__in=seen))
    rows = rows.select_related("consumer", "provider")
    found = list(rows.order_by("kind", "pk")[: MOST_SHOWN + 1])
    others = {row.provider_id if row.consumer_id == service.pk else row.consumer_id for row in found}
    names = dict(Service.objects.filter(pk__in=others).with_words().values_list("pk", "words"))
    return {
        "relations": [_line(row, service, able, names) for row in found[:MOST_SHOWN]],
        "more_relations": f"{reverse('admin:catalogue_relation_changelist')}?q={service.code}" if found[MOST_SHOWN:] else "",
        "relate": {
            "url": reverse("admin:catalogue_service_relate", args=[service.pk]), "next": request.path, "kinds": Relation.Kind.choices,
            "strengths": Relation.Strength.choices, "others": _offered(request, service),
        } if able else None,
    }  # fmt: skip


def _line(row: Relation, service: Service, able: bool, names: dict[int, str]) -> dict[str, Any]:
    """A relation with the way to change it, and to end it where the entry is the one that needs the other."""
    end = reverse("admin:catalogue_service_unrelate", args=[service.pk, row.pk]) if able and row.consumer_id == service.pk else ""
    other = row.provider_id if row.consumer_id == service.pk else row.consumer_id
    return {"row": row, "other": names.get(other), "href": reverse("admin:catalogue_relation_change", args=[row.pk]), "end": end}


def _offered(request: HttpRequest, service: Service) -> list[tuple[str, str]]:
    """Codes and names to choose from while typing; in a large catalogue the first ones, and any other by its code."""
    seen = Service.objects.visible_to(request.user).exclude(pk=service.pk)
    rows = ServiceVersion.objects.in_force(now()).filter(service__in=seen).order_by("service__code")
    return list(rows.values_list("service__code", "name")[:MOST_OFFERED])


def urls(site: Any) -> list[Any]:
    return [
        path("<int:pk>/relate/", site.admin_view(relate), name="catalogue_service_relate"),
        path("<int:pk>/relate/<int:relation>/end/", site.admin_view(end), name="catalogue_service_unrelate"),
    ]


def _door(act: Callable[..., str]) -> Callable[..., HttpResponse]:
    def door(request: HttpRequest, pk: int, **more: Any) -> HttpResponse:
        service = Service.objects.visible_to(request.user).filter(pk=pk).first()
        if service is None or request.method != "POST":
            raise Http404(str(pk))
        try:
            reason = typed(request, REASON, most=1_000)
            if not reason:
                raise NotReady(["Say why: the reason is kept with the relation."])
            messages.success(request, act(request, service, reason=reason, **more))
        except NotAllowed as error:
            log_refusal(request, action="relate", what=str(service))
            messages.error(request, f"{error} Nothing was changed. The attempt is on record.")
        except Refused as error:
            messages.error(request, str(error))
        back = request.POST.get("next", "")
        if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
            back = reverse("admin:catalogue_service_change", args=[pk])
        return HttpResponseRedirect(f"{back}#relations")

    return door


@_door
def relate(request: HttpRequest, service: Service, *, reason: str) -> str:
    other = _named(request, request.POST.get("other", "").replace("\x00", "").strip())
    kind, strength = request.POST.get("kind", ""), request.POST.get("strength", "")
    if kind not in Relation.Kind.values or strength not in Relation.Strength.values:
        raise NotReady(["Choose how the two hang together, and whether the service, or its backup, stops with it."])
    at = now()
    act = partial(relating.relate, consumer=service, provider=other, kind=kind, strength=strength, by=request.user, at=at, reason=reason)
    row, follows = foreseeing.weigh(act, ends=(service, other), at=at, reader=request.user)
    warn(request, follows)
    return f"{row}: it stands."


def warn(request: HttpRequest, follows: foreseeing.Consequences) -> None:
    """Say what a relation that was kept means for promises and tiers: one message, of many entries the first ones."""
    if told := follows.in_short():
        messages.warning(request, f"With this relation: {told}")


@_door
def end(request: HttpRequest, service: Service, *, relation: int, reason: str) -> str:
    row = Relation.objects.filter(consumer=service, pk=relation).select_related("consumer", "provider").first()
    if row is None:
        raise Http404(str(relation))
    relating.end(relation=row, by=request.user, at=now(), reason=reason)
    return f"{row}: it holds no longer."


def _named(request: HttpRequest, text: str) -> Service:
    """The entry of this code or name among those that the person may see. Raises NotReady saying what to write."""
    seen = Service.objects.visible_to(request.user)
    found = seen.filter(code=text).first()
    if found is None:
        named = ServiceVersion.objects.in_force(now()).filter(service__in=seen, name__iexact=text).values("service")[:2]
        rows = list(seen.filter(pk__in=[row["service"] for row in named])) if text else []
        if len(rows) != 1:
            raise NotReady([f"“{text[:60]}” names {'several entries' if rows else 'no entry that you may see'}. Write the code of one."])
        found = rows[0]
    return found
