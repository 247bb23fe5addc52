"""`/api/v1/tools/` and `/api/v1/quarantine/`: what is read, how it does, and what could not be read. Never a secret."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView

from monitoring.api.permissions import get_for
from monitoring.connectors.redaction import redact
from monitoring.models import QuarantinedRecord, Tool, ToolState


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


class QuarantineSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name")

    class Meta:
        model = QuarantinedRecord
        fields = ["id", "tool", "answer", "answer_index", "reason", "excerpt", "created_at", "resolved_at"]


class QuarantineFilters(filters.FilterSet):
    tool = filters.CharFilter(field_name="tool__name", help_text="Name of the tool.")
    open = filters.BooleanFilter(field_name="resolved_at", lookup_expr="isnull", help_text="true: only what waits for somebody.")


class Quarantine(ListAPIView):
    """Records that could not be read, newest first, each with its reason."""

    serializer_class = QuarantineSerializer
    filterset_class = QuarantineFilters
    queryset = QuarantinedRecord.objects.none()

    def get_queryset(self) -> QuerySet[QuarantinedRecord]:
        rows = QuarantinedRecord.objects.select_related("tool").defer("tool__secrets")
        return rows.visible_to(self.request.user).order_by("-created_at", "-pk")
