"""`/api/v1/quarantine/` and `/api/v1/tools/<name>/quarantine/`: what could not be read, its story, and having it read again."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView, ListAPIView, RetrieveAPIView
from rest_framework.response import Response

from itsm_backup.common.time import now
from monitoring import rereading, setting_aside
from monitoring.api.duties import acted
from monitoring.api.permissions import get_for
from monitoring.models import QuarantinedRecord, QuarantineReading, Tool


class QuarantineSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name")

    class Meta:
        model = QuarantinedRecord
        fields = ["id", "tool", "answer", "answer_index", "reason", "excerpt", "created_at", "resolved_at", "set_aside"]


class QuarantineReadingSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username", default=None, allow_null=True, help_text="Nobody: by itself.")

    class Meta:
        model = QuarantineReading
        fields = ["at", "by", "readers", "readable", "told", "run"]


class QuarantineStorySerializer(QuarantineSerializer):
    readings = QuarantineReadingSerializer(many=True, help_text="Each time that it was read again, the oldest first.")

    class Meta(QuarantineSerializer.Meta):
        fields = [*QuarantineSerializer.Meta.fields, "readings"]


class RereadLineSerializer(serializers.Serializer):
    record = serializers.IntegerField()
    before = serializers.CharField(help_text="Why it waits.")
    after = serializers.CharField(help_text="What reading it again comes to.")
    readable = serializers.BooleanField()
    run = serializers.IntegerField(allow_null=True, help_text="The run that it became. In a preview the number is taken back.")


class RereadSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    read_now = serializers.IntegerField()
    still = serializers.IntegerField()
    new_runs = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Older answers that are left for the next time.")
    lines = RereadLineSerializer(many=True)
    services = serializers.ListField(child=serializers.DictField(child=serializers.CharField()), help_text="Those that stand otherwise.")


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


class QuarantineDetail(RetrieveAPIView):
    """One record that could not be read, with every time that it was read again."""

    serializer_class = QuarantineStorySerializer
    queryset = QuarantinedRecord.objects.none()

    def get_object(self) -> QuarantinedRecord:
        rows = QuarantinedRecord.objects.select_related("tool").defer("tool__secrets").prefetch_related("readings__by")
        found: QuarantinedRecord = get_for(rows, user=self.request.user, pk=self.kwargs["pk"])
        return found


class SetAsideSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=setting_aside.MOST_LETTERS, help_text="Why nothing will come of it.")


class QuarantineSetAside(GenericAPIView):
    """Set a record aside of which nothing will come: it waits no more, and its story says who decided that and why."""

    queryset = QuarantinedRecord.objects.none()
    serializer_class = SetAsideSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="quarantine_set_aside", request=SetAsideSerializer, responses={200: QuarantineStorySerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        asked = SetAsideSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        record = get_for(QuarantinedRecord.objects.select_related("tool"), user=request.user, pk=pk)
        acted(setting_aside.set_aside, record=record, by=request.user, at=now(), reason=asked.validated_data["reason"])
        record.refresh_from_db()
        return Response(QuarantineStorySerializer(record).data)


class QuarantineOfTool(GenericAPIView):
    """What reading everything that waits of this tool again would come to; nothing is changed. A POST does it."""

    queryset = QuarantinedRecord.objects.none()
    serializer_class = RereadSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="tools_quarantine_preview", responses=RereadSerializer)
    def get(self, request: Any, name: str) -> Response:
        return self._answer(rereading.preview, request, name)

    @extend_schema(operation_id="tools_quarantine_read", request=None, responses={200: RereadSerializer, 409: None})
    def post(self, request: Any, name: str) -> Response:
        return self._answer(rereading.reread, request, name)

    def _answer(self, act: Any, request: Any, name: str) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        return Response(RereadSerializer(acted(act, tool=tool, by=request.user, at=now())).data)
