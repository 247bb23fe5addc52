"""`/api/v1/services/<code>/status/`: how a service stands, what is computed, and what people set by hand for a time."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import overriding
from catalogue.models import Service, StatusChange, StatusOverride
from catalogue.models.status import OperationalStatus
from itsm_backup.common.time import now
from monitoring import telling, waking
from monitoring.api.duties import ReasonSerializer, acted, checked
from monitoring.api.permissions import get_for
from monitoring.api.withheld import plainly

SHOWN = 50


class OverrideSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[each.value for each in StatusOverride.SETTABLE])
    reason = serializers.CharField()
    owner = serializers.CharField(source="owner.username", help_text="Who answers for it.")
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField(source="made_by.username")
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.CharField(source="ended_by.username", default=None, allow_null=True)


class StatusStepSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    from_status = serializers.CharField()
    to_status = serializers.CharField()
    reason = serializers.CharField()
    evaluation = serializers.IntegerField(allow_null=True)


class StandingSerializer(serializers.Serializer):
    service = serializers.CharField()
    status = serializers.ChoiceField(choices=OperationalStatus.choices, help_text="What counts now.")
    computed = serializers.ChoiceField(choices=OperationalStatus.choices, help_text="What it is without a word of a person.")
    sentence = serializers.CharField(help_text="Why it is computed so.")
    evaluation = serializers.IntegerField(allow_null=True)
    by_hand = OverrideSerializer(allow_null=True, help_text="What is set by hand and holds.")
    overrides = OverrideSerializer(many=True, help_text="Everything that was set by hand, the newest first, 50 at most.")
    changes = StatusStepSerializer(many=True, help_text="Steps of the status, the newest first, 50 at most.")


class NewOverrideSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=[each.value for each in StatusOverride.SETTABLE])
    expires_at = serializers.DateTimeField(help_text="At most 30 days ahead.")
    reason = serializers.CharField(max_length=2_000, help_text="It stands beside the status for everybody.")


class StatusOfService(GenericAPIView):
    """How the service stands. A POST sets its status by hand for a time; whoever does answers for it."""

    queryset = StatusOverride.objects.none()
    serializer_class = StandingSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="services_status", responses=StandingSerializer)
    def get(self, request: Any, code: str) -> Response:
        service = get_for(Service.objects.all(), user=request.user, code=code)
        told = telling.standing_of(service, now())
        rows = StatusOverride.objects.filter(service=service).select_related("owner", "made_by", "ended_by")[:SHOWN]
        changes = StatusChange.objects.filter(service=service).order_by("-at", "-pk")[:SHOWN]
        shown = {
            "service": service.code, "status": told.status, "computed": told.computed, "sentence": told.sentence,
            "evaluation": told.evaluation.pk if told.evaluation else None, "by_hand": told.override, "overrides": rows, "changes": changes,
        }  # fmt: skip
        return Response(plainly(request.user, service, StandingSerializer(shown).data))

    @extend_schema(operation_id="services_status_set", request=NewOverrideSerializer, responses={201: OverrideSerializer, 409: None})
    def post(self, request: Any, code: str) -> Response:
        asked = checked(NewOverrideSerializer, request)
        service = get_for(Service.objects.all(), user=request.user, code=code)
        made = acted(overriding.override, service=service, owner=request.user, **asked, by=request.user, at=now())
        waking.wake()
        return Response(OverrideSerializer(made).data, status=status.HTTP_201_CREATED)


class EndOverride(GenericAPIView):
    """The computed status counts again from now on."""

    queryset = StatusOverride.objects.none()

    @extend_schema(operation_id="services_status_end", request=ReasonSerializer, responses={200: OverrideSerializer, 409: None})
    def post(self, request: Any, code: str, pk: int) -> Response:
        asked = checked(ReasonSerializer, request)
        service = get_for(Service.objects.all(), user=request.user, code=code)
        row = StatusOverride.objects.filter(service=service, pk=pk).select_related("service", "owner", "made_by").first()
        if row is None:
            raise NotFound(f"{service} has no status set by hand with the number {pk}.")
        ended = acted(overriding.end, row=row, **asked, by=request.user, at=now())
        waking.wake()
        return Response(OverrideSerializer(ended).data)
