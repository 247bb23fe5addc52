"""`/api/v1/digest/`: one's own choice of the daily digest and of what waits for it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from incidents import preferring
from incidents.models import DigestPreference
from incidents.models.digests import MAY_WAIT
from itsm_backup.common.time import now
from monitoring.api.duties import acted, checked


class DigestSerializer(serializers.Serializer):
    digest = serializers.ChoiceField(choices=DigestPreference.Wish.choices)
    told_at = serializers.RegexField(r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", help_text="Local time in the zone, such as 07:00.")
    zone = serializers.CharField(max_length=64)
    waits = serializers.ListField(
        child=serializers.ChoiceField(choices=MAY_WAIT), help_text="Incidents of these priorities wait for it, within what policies say."
    )


class OwnDigest(GenericAPIView):
    """When your digest comes. A POST chooses."""

    serializer_class = DigestSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="digest_retrieve", responses=DigestSerializer)
    def get(self, request: Any) -> Response:
        row = DigestPreference.objects.filter(person=request.user).first() or DigestPreference(person=request.user)
        return Response(_told(row))

    @extend_schema(operation_id="digest_choose", request=DigestSerializer, responses={200: DigestSerializer, 409: None})
    def post(self, request: Any) -> Response:
        asked = checked(DigestSerializer, request)
        asked["told_at"] = dt.time.fromisoformat(asked["told_at"])
        return Response(_told(acted(preferring.prefer, **asked, by=request.user, at=now())))


def _told(row: DigestPreference) -> dict[str, Any]:
    return {"digest": row.digest, "told_at": f"{row.told_at:%H:%M}", "zone": row.zone, "waits": row.waits}


urlpatterns = [path("digest/", OwnDigest.as_view())]
