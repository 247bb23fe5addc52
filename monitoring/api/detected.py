"""`/api/v1/detected-changes/`: what is another than it was behind an entry, and the word that it needs no new version."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from itsm_backup.common.time import now
from monitoring import detecting
from monitoring.api.duties import ReasonSerializer, acted, checked
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.api.withheld import Withheld
from monitoring.models import DetectedChange

WITH = ("service", "job", "settled__settled_by")


class DetectedChangeSerializer(Withheld, serializers.Serializer):
    id = serializers.IntegerField()
    service = serializers.CharField(source="service.code")
    job = serializers.CharField(source="job.name", default=None, allow_null=True)
    aspect = serializers.CharField(help_text="repository, schedule, encrypted, job, a field of the catalogue, or check:CODE:PART.")
    before = serializers.CharField(help_text="Empty where a promise could be held.")
    after = serializers.CharField()
    detected_at = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)
    settled_by = serializers.SerializerMethodField()
    settled_because = serializers.SerializerMethodField()

    def get_settled_by(self, row: DetectedChange) -> str | None:
        return row.settled.settled_by.username if hasattr(row, "settled") else None

    def get_settled_because(self, row: DetectedChange) -> str | None:
        return row.settled.reason if hasattr(row, "settled") else None


class Changes(GenericAPIView):
    """Detected changes of services that you may see, newest first; with `waiting=true` those that nobody answered yet."""

    queryset = DetectedChange.objects.none()
    serializer_class = DetectedChangeSerializer
    filter_backends: list[Any] = []
    service = OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service.")
    waiting = OpenApiParameter("waiting", OpenApiTypes.BOOL, description="true: only what waits at that time.")

    @extend_schema(
        operation_id="detected_changes_list", parameters=[service, waiting, AS_OF], responses=DetectedChangeSerializer(many=True)
    )
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        rows = DetectedChange.objects.visible_to(request.user).filter(detected_at__lte=at)
        if request.query_params.get("waiting") == "true":
            rows = rows.waiting(at)
        if code := request.query_params.get("service", "").replace("\x00", ""):
            rows = rows.filter(service__code=code)
        page = self.paginate_queryset(rows.select_related(*WITH).order_by("-detected_at", "-pk"))
        return self.get_paginated_response(DetectedChangeSerializer(page, many=True, context={"request": request}).data)


class SettleChange(GenericAPIView):
    """Say that it needs no new version of the entry, and why. Stewards of the entry do; it is kept who said so."""

    queryset = DetectedChange.objects.none()

    @extend_schema(operation_id="detected_changes_settle", request=ReasonSerializer, responses={200: DetectedChangeSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        asked = checked(ReasonSerializer, request)
        change = get_for(DetectedChange.objects.select_related("service", "job"), user=request.user, pk=pk)
        acted(detecting.settle, change=change, **asked, by=request.user, at=now())
        return Response(
            DetectedChangeSerializer(DetectedChange.objects.select_related(*WITH).get(pk=pk), context={"request": request}).data
        )
