"""`/api/v1/tools/`: what is read, and how it does. Never a secret."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.response import Response

from itsm_backup.common.time import now
from monitoring import assessing
from monitoring.api.permissions import get_for
from monitoring.connectors.capabilities import CAPABILITIES
from monitoring.connectors.redaction import redact
from monitoring.models import Assessment, Tool, ToolState

LEVELS = ["full", "part", "none"]


class ToolStateSerializer(serializers.ModelSerializer):
    class Meta:
        model = ToolState
        fields = ["latest_answer_at", "latest_complete_at", "next_poll_at", "consecutive_failures", "problem", "silent_since", "evaluation"]


class ToolSerializer(serializers.ModelSerializer):
    settings = serializers.SerializerMethodField(help_text="What the connector needs, except secrets.")
    state = ToolStateSerializer(default=None, allow_null=True)

    class Meta:
        model = Tool
        fields = ["name", "label", "kind", "settings", "zone", "enabled", "poll_interval_s", "monitored_from", "state"]

    def get_settings(self, tool: Tool) -> dict[str, str]:
        shown = {field.name for field in tool.connector.settings_fields if not field.secret}
        return {name: redact(str(value), data=True) for name, value in sorted(tool.settings.items()) if name in shown}


class ToolFilters(filters.FilterSet):
    kind = filters.CharFilter(help_text="Kind of connector, e.g. restic.")
    enabled = filters.BooleanFilter()
    silent = filters.BooleanFilter(method="only_silent", help_text="true: only tools that should answer and do not.")

    def only_silent(self, rows: QuerySet[Tool], name: str, value: bool) -> QuerySet[Tool]:
        return rows.filter(state__silent_since__isnull=not value)


class Tools(ListAPIView):
    """Tools by name."""

    serializer_class = ToolSerializer
    filterset_class = ToolFilters
    queryset = Tool.objects.none()

    def get_queryset(self) -> QuerySet[Tool]:
        return _tools().visible_to(self.request.user)


class ToolDetail(RetrieveAPIView):
    """One tool."""

    serializer_class = ToolSerializer
    queryset = Tool.objects.none()

    def get_object(self) -> Tool:
        return get_for(_tools(), user=self.request.user, name=self.kwargs["name"])


def _tools() -> QuerySet[Tool]:
    return Tool.objects.select_related("state").defer("secrets").order_by("name")


class FoundSerializer(serializers.Serializer):
    name = serializers.ChoiceField(choices=list(CAPABILITIES))
    declared = serializers.ChoiceField(choices=LEVELS)
    declared_words = serializers.CharField(allow_blank=True)
    seen = serializers.ChoiceField(choices=LEVELS, allow_null=True, help_text="null: no answer could show it.")
    seen_words = serializers.CharField(allow_blank=True)
    missing = serializers.CharField(allow_blank=True, help_text="What to do about the difference.")


class AskedSerializer(serializers.Serializer):
    name = serializers.CharField()
    command = serializers.CharField(allow_blank=True)
    good = serializers.BooleanField()
    came_back = serializers.CharField(allow_blank=True)
    took_s = serializers.FloatField(allow_null=True)


class AssessmentSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name")
    by = serializers.CharField(source="by.username", default=None, allow_null=True)
    score = serializers.FloatField(allow_null=True, help_text="0 to 100 by the weights of that day.")
    lines = FoundSerializer(many=True)
    asked = AskedSerializer(many=True)
    problems = serializers.ListField(child=serializers.CharField())
    weights = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = Assessment
        fields = ["id", "tool", "at", "by", "source", "kind", "tool_version", "complete", "problems", "asked", "lines", "weights", "score"]


class Assessments(ListAPIView):
    """Trials of a tool, newest first. A POST tries it now: it is asked, and nothing that it says becomes a run."""

    serializer_class = AssessmentSerializer
    queryset = Assessment.objects.none()

    def get_queryset(self) -> QuerySet[Assessment]:
        tool = get_for(_tools(), user=self.request.user, name=self.kwargs["name"])
        return Assessment.objects.filter(tool=tool).select_related("tool", "by").defer("tool__secrets").order_by("-at", "-pk")

    @extend_schema(operation_id="tools_assess", request=None, responses={201: AssessmentSerializer})
    def post(self, request: Any, name: str) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, action="poll", name=name)
        return Response(AssessmentSerializer(assessing.assess(tool=tool, by=request.user, at=now())).data, status=status.HTTP_201_CREATED)
