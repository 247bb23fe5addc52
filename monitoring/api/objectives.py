"""`/api/v1/services/<code>/objectives/`: targets beside what is measured, what it proves, and what is left of the budget."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.models import Service, ServiceVersion
from monitoring import packaging
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.api.withheld import plainly
from monitoring.attaining import standing_of
from monitoring.models import Evaluation


class PartSerializer(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    asked = serializers.CharField(help_text="What the scheme wants.")
    answer = serializers.BooleanField(allow_null=True, help_text="null: nobody said enough to know.")
    told = serializers.CharField(help_text="What it rests on.")
    run = serializers.IntegerField(allow_null=True, help_text="The check that it rests on.")


class OfferingTargetSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="The offering.")
    target = serializers.FloatField(help_text="Its own level, in the unit of the objective.")
    status = serializers.CharField(help_text="By the same figures as those of the entry.")


class ObjectiveSerializer(serializers.Serializer):
    key = serializers.CharField(source="objective.key")
    name = serializers.CharField(source="objective.name")
    method = serializers.CharField(source="objective.method", help_text="See /api/v1/methods/<id>/1/.")
    unit = serializers.CharField(source="objective.unit")
    target = serializers.FloatField(source="objective.target", allow_null=True)
    warning = serializers.FloatField(source="objective.warning", allow_null=True)
    window = serializers.CharField(source="objective.window")
    promised = serializers.BooleanField(source="objective.promised", help_text="False: the default of the tier, which nobody promised.")
    status = serializers.CharField(help_text="kept, at_risk, broken, no_data or held, by what was counted.")
    actual = serializers.FloatField(allow_null=True)
    part = serializers.IntegerField(allow_null=True)
    whole = serializers.IntegerField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Lower bound of what the counted ones prove (BM-WILSON).")
    high = serializers.FloatField(allow_null=True)
    confidence = serializers.CharField(
        help_text="met_confirmed, breach_confirmed, inconclusive, insufficient_data, measured, bounds or empty."
    )
    budget_left = serializers.FloatField(source="left", allow_null=True, help_text="Share of the error budget; below 0 when overspent.")
    detail = serializers.CharField()
    offerings = OfferingTargetSerializer(many=True, help_text="Offerings that promise something of their own here.")
    parts = PartSerializer(source="placed.parts", many=True, default=[], help_text="Of copies and places: each part of the scheme.")


class ObjectivesOfService(GenericAPIView):
    """The objectives of the version in force."""

    queryset = Service.objects.none()
    pagination_class = None
    serializer_class = ObjectiveSerializer

    @extend_schema(operation_id="services_objectives", parameters=[AS_OF], responses=ObjectiveSerializer(many=True))
    def get(self, request: Any, code: str) -> Response:
        at, _ = moment_of(request)
        service = get_for(Service.objects.all(), user=request.user, code=code)
        version = ServiceVersion.objects.in_force(at).filter(service=service).select_related("commitment").first()
        if version is None:
            raise NotFound(f"{code} has no version in force at that instant.")
        evaluation = Evaluation.objects.filter(service=service, at__lte=at).order_by("-at", "-pk").first()
        found = standing_of(version=version, evaluation=evaluation, at=at, known_at=at)
        told = packaging.beside(version.offerings.order_by("name"), evaluation=evaluation, at=at)
        for one in found.attainments:
            one.offerings = told.get(one.objective.key, [])
        return Response(plainly(request.user, service, ObjectiveSerializer(found.attainments, many=True).data))
