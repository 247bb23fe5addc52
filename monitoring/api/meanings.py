"""`/api/v1/tools/<name>/status-map/`: what a tool's words and numbers mean, with the effect of a draft before it counts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.time import now
from monitoring import meaning, redefining
from monitoring.api.permissions import get_for
from monitoring.api.relations import Conflict
from monitoring.connectors.map_document import UNITS
from monitoring.models import StatusMap, Tool


class ExampleSerializer(serializers.Serializer):
    run = serializers.IntegerField()
    job = serializers.CharField()
    at = serializers.DateTimeField()
    before = serializers.DictField()
    after = serializers.DictField()


class EffectSerializer(serializers.Serializer):
    since = serializers.DateTimeField(help_text="How far back answers were read again.")
    answers = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Older answers that were not read again.")
    moves = serializers.DictField(child=serializers.IntegerField(), help_text="How many runs go from one outcome to another.")
    turned_good = serializers.IntegerField(
        help_text="Runs that did not go well and would count as good: accepts_good must say this number."
    )
    sizes = serializers.IntegerField()
    new_runs = serializers.IntegerField()
    read_now = serializers.IntegerField(help_text="Records that leave quarantine.")
    newly_quarantined = serializers.IntegerField()
    examples = ExampleSerializer(many=True)
    services = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))


class StatusMapSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name")
    author = serializers.CharField(source="author.username")
    approver = serializers.CharField(source="approver.username", default=None, allow_null=True)
    words = serializers.DictField(child=serializers.CharField())
    units = serializers.DictField(child=serializers.CharField())
    effect = EffectSerializer(allow_null=True)

    class Meta:
        model = StatusMap
        fields = [
            "tool", "number", "state", "words", "units", "reason", "author", "approver", "approved_at", "effect", "tried_at",
        ]  # fmt: skip


class DraftedSerializer(serializers.Serializer):
    words = serializers.DictField(child=serializers.ChoiceField(choices=list(meaning.OUTCOMES)), required=False, default=dict)
    units = serializers.DictField(child=serializers.ChoiceField(choices=list(UNITS)), required=False, default=dict)
    reason = serializers.CharField(max_length=2_000)


class MeaningDecisionSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000)
    accepts_good = serializers.IntegerField(min_value=0, max_value=10**9, required=False, default=0)


def _acted(act: Any, **asked: Any) -> StatusMap:
    try:
        made: StatusMap = act(**asked)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None
    return made


class StatusMapOfTool(GenericAPIView):
    """Every version of the tool's status map, newest first. A POST drafts the next one and answers with its effect."""

    queryset = StatusMap.objects.none()
    serializer_class = StatusMapSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="tools_status_map", responses=StatusMapSerializer(many=True))
    def get(self, request: Any, name: str) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        rows = StatusMap.objects.filter(tool=tool).select_related("tool", "author", "approver").order_by("-number")
        return Response(StatusMapSerializer(rows, many=True).data)

    @extend_schema(operation_id="tools_status_map_draft", request=DraftedSerializer, responses={201: StatusMapSerializer})
    def post(self, request: Any, name: str) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        sent = DraftedSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        made = _acted(redefining.draft_map, tool=tool, by=request.user, at=now(), **sent.validated_data)
        return Response(StatusMapSerializer(made).data, status=status.HTTP_201_CREATED)


class ApproveStatusMap(GenericAPIView):
    """Put a draft in force that somebody else wrote, and restate what it reads otherwise."""

    queryset = StatusMap.objects.none()
    serializer_class = MeaningDecisionSerializer

    @extend_schema(operation_id="tools_status_map_approve", request=MeaningDecisionSerializer, responses=StatusMapSerializer)
    def post(self, request: Any, name: str, number: int) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        row = StatusMap.objects.filter(tool=tool, number=number).select_related("tool", "author").first()
        if row is None:
            raise NotFound(f"{tool} has no status map of version {number}.")
        sent = MeaningDecisionSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        return Response(StatusMapSerializer(_acted(redefining.approve, row=row, by=request.user, at=now(), **sent.validated_data)).data)
