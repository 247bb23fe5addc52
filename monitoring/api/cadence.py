"""`/api/v1/cadence/`: how often tools are asked, how often they should be and why."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.time import now
from monitoring import cadence, calibrating
from monitoring.api.duties import Conflict
from monitoring.models import Tool
from monitoring.polling import JITTER


class CadenceSerializer(serializers.Serializer):
    tool = serializers.CharField(source="tool.name")
    follows = serializers.SerializerMethodField(help_text="true: the interval is worked out anew every hour.")
    asked_every_s = serializers.IntegerField()
    recommended_s = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    services = serializers.IntegerField(help_text="Services in force that are backed up through it.")
    questions_per_round = serializers.FloatField(source="measured.questions", help_text="Mean of the last seven days.")
    delay_s = serializers.FloatField(source="measured.delay_s", allow_null=True, help_text="Mean from a run's end until it was known.")
    longest_delay_s = serializers.FloatField(source="measured.longest_delay_s", allow_null=True)
    known_within_s = serializers.SerializerMethodField(help_text="At most, when it is asked as recommended and answers.")
    budget = serializers.CharField(source="tool.budget.name", default=None, allow_null=True)
    feasible = serializers.BooleanField(help_text="false: the budget is too small, even at the longest intervals.")

    def get_follows(self, one: cadence.Cadence) -> bool:
        return bool(one.tool.cadence == Tool.Cadence.COMPUTED)

    def get_known_within_s(self, one: cadence.Cadence) -> float:
        return one.known_within_s(JITTER)


class CalibrationSerializer(serializers.Serializer):
    tools = serializers.ListField(child=serializers.SlugField(max_length=80), min_length=1, max_length=200)
    follow = serializers.BooleanField(default=False, help_text="true: work it out anew every hour; false: set it once.")
    reason = serializers.CharField(max_length=2_000)


class Cadences(GenericAPIView):
    """Tools that are asked, by name, with the recommended interval. A POST takes it over for some, all or none."""

    queryset = Tool.objects.none()
    serializer_class = CadenceSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="cadence_list", responses=CadenceSerializer(many=True))
    def get(self, request: Any) -> Response:
        return Response(_told(request.user))

    @extend_schema(operation_id="cadence_set", request=CalibrationSerializer, responses=CadenceSerializer(many=True))
    def post(self, request: Any) -> Response:
        sent = CalibrationSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        wish = sent.validated_data
        known = set(Tool.objects.visible_to(request.user).filter(name__in=wish["tools"]).values_list("name", flat=True))
        if unknown := sorted(set(wish["tools"]) - known):
            raise ValidationError({"tools": [f"There is no tool {name}." for name in unknown]})
        try:
            calibrating.calibrate(names=wish["tools"], follow=wish["follow"], by=request.user, at=now(), reason=wish["reason"])
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except NotReady as error:
            raise Conflict(str(error)) from None
        return Response(_told(request.user))


def _told(user: Any) -> Any:
    seen = set(Tool.objects.visible_to(user).values_list("pk", flat=True))
    return CadenceSerializer([one for one in cadence.cadences(at=now()) if one.tool.pk in seen], many=True).data
