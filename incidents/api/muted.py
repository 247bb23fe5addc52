"""`/api/v1/muted/`: everything that is silenced, paused, left out or overridden."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.models import Service
from incidents import exposing, muting
from itsm_backup.common.time import now


class MuteSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=list(muting.KINDS))
    what = serializers.CharField()
    effect = serializers.CharField(help_text="What is silent or otherwise because of it.")
    services = serializers.ListField(child=serializers.CharField(), help_text="Codes of the services that it touches.")
    owner = serializers.CharField(allow_null=True, help_text="Account name of who answers for it.")
    reason = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="null: it has no end of its own.")
    past_promise = serializers.IntegerField(help_text="How many of its services are past their recovery point now.")
    exposure = serializers.CharField(help_text="The worst of them in words; empty where nothing is promised.")
    excused = serializers.IntegerField(help_text="Due runs that it has excused so far.")


class Muted(GenericAPIView):
    """What holds now and you may see; what has no end first, then by end."""

    serializer_class = MuteSerializer
    filter_backends: list[Any] = []
    kind = OpenApiParameter("kind", str, enum=list(muting.KINDS), description="Only of this kind.")

    @extend_schema(operation_id="muted_list", parameters=[kind], responses=MuteSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, kind = now(), request.query_params.get("kind", "")
        if kind and kind not in muting.KINDS:
            raise ValidationError({"kind": [f"One of {', '.join(muting.KINDS)}."]})
        found = [one for one in muting.mutes(user=request.user, at=at) if kind in ("", one.kind)]
        page: Any = self.paginate_queryset(found)
        codes = dict(Service.objects.filter(pk__in={pk for one in page for pk in one.services}).values_list("pk", "code"))
        told = [_told(one, codes, exposure) for one, exposure in zip(page, exposing.exposures(page, at=at), strict=True)]
        return self.get_paginated_response(MuteSerializer(told, many=True).data)


def _told(one: muting.Mute, codes: dict[int, str], exposure: exposing.Exposure) -> dict[str, Any]:
    return {
        "kind": one.kind, "what": one.what, "effect": muting.EFFECTS[one.kind], "services": [codes[pk] for pk in one.services],
        "owner": one.owner.get_username() if one.owner else None, "reason": one.reason, "since": one.since, "until": one.until,
        "past_promise": exposure.past, "exposure": exposure.words, "excused": exposure.excused,
    }  # fmt: skip


urlpatterns = [path("muted/", Muted.as_view())]
