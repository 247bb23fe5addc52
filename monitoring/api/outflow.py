"""`/api/v1/told-to-monitoring/`: what monitoring systems of others were told of entries, and what they answered."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.response import Response

from monitoring.models import StatusPublication


class StatusPublicationSerializer(serializers.ModelSerializer):
    monitoring = serializers.CharField(source="monitoring.name")
    service = serializers.CharField(source="service.code")
    said = serializers.JSONField(help_text="Status, verdict, newest copy, next backup due and expected jobs, as they were told.")

    class Meta:
        model = StatusPublication
        fields = ("monitoring", "service", "said", "accepted", "answer", "answered_at")


class StatusPublications(ListAPIView):
    """What each monitoring system was told of each entry last."""

    queryset = StatusPublication.objects.none()
    serializer_class = StatusPublicationSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="told_to_monitoring_list")
    def get(self, request: Any) -> Response:
        return self.list(request)

    def get_queryset(self) -> Any:
        rows = StatusPublication.objects.visible_to(self.request.user).select_related("monitoring", "service")
        return rows.order_by("monitoring__name", "service__code")
