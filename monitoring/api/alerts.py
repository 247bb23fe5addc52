"""`/api/v1/alerts/` and `/api/v1/evaluations/<id>/`: what calls for somebody, and why it was judged so."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring import explaining, repeating
from monitoring.api.filters import words
from monitoring.api.permissions import get_for
from monitoring.api.withheld import Withheld
from monitoring.models import Alert, Evaluation
from monitoring.naming import plains_for, throughout


class AlertSerializer(Withheld, serializers.ModelSerializer):
    emptied = {"tool": None, "cause_key": ""}
    service = serializers.CharField(source="service.code", default=None, allow_null=True)
    tool = serializers.CharField(source="tool.name", default=None, allow_null=True)
    acknowledged_by = serializers.CharField(source="acknowledged_by.username", default=None, allow_null=True)

    class Meta:
        model = Alert
        fields = [
            "id", "title", "alert_class", "state", "severity", "priority", "service", "job", "tool", "cause", "cause_title",
            "cause_key", "opened_at", "last_seen_at", "occurrences", "reopened", "latest_run", "evaluation", "acknowledged_at",
            "acknowledged_by", "resolved_at", "resolving_evaluation",
        ]  # fmt: skip


class AlertFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="service__code", help_text="Code of the service.")
    state = words("state", Alert.State.values, "State")
    alert_class = words("alert_class", Alert.Class.values, "Class")
    open = filters.BooleanFilter(method="only_open", help_text="true: only what is not over; false: only what is.")

    def only_open(self, rows: QuerySet[Alert], name: str, value: bool) -> QuerySet[Alert]:
        return rows.exclude(state="resolved") if value else rows.filter(state="resolved")


class Alerts(ListAPIView):
    """Alerts, newest first."""

    serializer_class = AlertSerializer
    filterset_class = AlertFilters
    queryset = Alert.objects.none()

    def get_queryset(self) -> QuerySet[Alert]:
        return _rows().visible_to(self.request.user)


class AlertDetail(RetrieveAPIView):
    """One alert."""

    serializer_class = AlertSerializer
    queryset = Alert.objects.none()

    def get_object(self) -> Alert:
        return get_for(_rows(), user=self.request.user, pk=self.kwargs["pk"])


def _rows() -> QuerySet[Alert]:
    rows = Alert.objects.select_related("service", "tool", "acknowledged_by")
    return rows.defer("tool__secrets").order_by("-opened_at", "-pk")


class ReferenceSerializer(serializers.Serializer):
    title = serializers.CharField()
    text = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="History id of the version that was used.")
    since = serializers.CharField(allow_null=True)
    by = serializers.CharField(allow_null=True)


class RunReadSerializer(serializers.Serializer):
    run = serializers.IntegerField()
    occurred_at = serializers.CharField()
    outcome = serializers.CharField(allow_null=True)
    message = serializers.CharField(allow_null=True)
    job = serializers.CharField()
    answer = serializers.IntegerField(allow_null=True)
    answer_is_kept = serializers.BooleanField(help_text="Whether what the tool said is still there, word for word.")


class RepetitionSerializer(serializers.Serializer):
    evaluation = serializers.IntegerField()
    agrees = serializers.BooleanField()
    from_inputs = serializers.BooleanField(help_text="The stored inputs give the recorded result.")
    from_runs = serializers.BooleanField(help_text="The runs give the recorded result.")
    answer = serializers.CharField()
    altered = serializers.ListField(child=serializers.CharField(), help_text="Runs changed behind the product's back.")
    differences = serializers.ListField(child=serializers.CharField())


class ExplanationSerializer(serializers.Serializer):
    evaluation = serializers.IntegerField()
    at = serializers.CharField()
    subject = serializers.CharField()
    answer = serializers.CharField(help_text="The judgement in a sentence.")
    verdict = serializers.CharField()
    status = serializers.CharField()
    runs = RunReadSerializer(many=True)
    rule = ReferenceSerializer()
    mapping = ReferenceSerializer(many=True)
    promise = ReferenceSerializer()
    arithmetic = serializers.ListField(child=serializers.CharField())
    method = serializers.CharField()
    methods = serializers.ListField(child=serializers.CharField())
    digest = serializers.CharField(help_text="SHA-256 of the canonical inputs.")
    inputs = serializers.DictField()
    result = serializers.DictField()
    alert = serializers.DictField(allow_null=True)
    again = RepetitionSerializer(required=False, help_text="Only with again=true.")


class EvaluationDetail(APIView):
    """Why a status, verdict or alert is what it is: five references and the arithmetic."""

    @extend_schema(
        operation_id="evaluations_explain",
        parameters=[OpenApiParameter("again", OpenApiTypes.BOOL, description="Also judge it again and say whether the results agree.")],
        responses=ExplanationSerializer,
    )
    def get(self, request: Any, pk: int) -> Response:
        rows = Evaluation.objects.select_related("service", "tool", "version__commitment", "version__service", "version__approver")
        evaluation = get_for(rows, user=request.user, pk=pk)
        owner = (evaluation.service_id, evaluation.tool_id)
        plain = plains_for(request.user, [owner])(owner)
        found = msgspec.to_builtins(explaining.plainly(explaining.explain(evaluation), plain))
        if request.query_params.get("again", "").lower() in ("true", "1"):
            repetition = repeating.repeat(evaluation)
            found["again"] = {**throughout(msgspec.to_builtins(repetition), plain), "agrees": repetition.agrees}
        return Response(found)
