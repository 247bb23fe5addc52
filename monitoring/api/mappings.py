"""`/api/v1/tools/<name>/mapping/`: how a tool's attributes become fields; `/api/v1/services/<code>/observed/`: promised beside observed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.models import Service, ServiceVersion
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.time import now
from monitoring import translating
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.api.relations import Conflict
from monitoring.api.withheld import plainly
from monitoring.attributes import told_by
from monitoring.beside import Pair, beside
from monitoring.converting import FIELDS, TRANSFORMS, UNITS
from monitoring.models import AttributeMapping, Tool


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string"}], "nullable": True})
class ValueField(serializers.Field):
    """A number in the field's unit, a clock such as 02:30, or a word."""

    def to_representation(self, value: Any) -> Any:
        return value


class RowSerializer(serializers.Serializer):
    path = serializers.CharField(max_length=500, help_text="Where the tool says it, e.g. info.encryption.mode.")
    field = serializers.ChoiceField(choices=[(name, one.label) for name, one in FIELDS.items()])
    unit = serializers.ChoiceField(choices=list(UNITS.items()), help_text="What the tool says it in.")
    transform = serializers.ChoiceField(choices=list(TRANSFORMS.items()))
    words = serializers.DictField(
        child=serializers.CharField(max_length=40), required=False, help_text="The tool's word → the catalogue's."
    )


class AttributeSerializer(serializers.Serializer):
    path = serializers.CharField()
    sample = serializers.CharField()
    count = serializers.IntegerField(help_text="How many values the answer holds.")
    field = serializers.CharField(help_text="Empty: not mapped.")
    value = ValueField(help_text="In the unit of the field; null when it is not mapped or cannot be converted.")
    problem = serializers.CharField(help_text="Why it cannot be converted.")


class MappingSerializer(serializers.Serializer):
    tool = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="In force; null without one.")
    author = serializers.CharField(allow_null=True)
    approver = serializers.CharField(allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)
    rows = RowSerializer(many=True)
    answered_at = serializers.DateTimeField(allow_null=True, help_text="When the answer came that the attributes are read from.")
    attributes = AttributeSerializer(many=True)


class DraftSerializer(serializers.Serializer):
    rows = RowSerializer(many=True)
    reason = serializers.CharField(max_length=2_000)


class WrittenSerializer(serializers.Serializer):
    tool = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.CharField()


class WhySerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000)


class PairSerializer(serializers.Serializer):
    field = serializers.CharField()
    unit = serializers.CharField()
    promised = ValueField()
    observed = ValueField(help_text="The worst of what the tools say.")
    agrees = serializers.BooleanField(allow_null=True, help_text="Whether it is as promised or better; null when one side is missing.")


class LeftOverSerializer(serializers.Serializer):
    tool = serializers.CharField()
    mapping = serializers.IntegerField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    unmapped = serializers.IntegerField()
    unconvertible = serializers.ListField(child=serializers.CharField())


class BesideSerializer(serializers.Serializer):
    service = serializers.CharField()
    fields_compared = PairSerializer(many=True)
    sources = LeftOverSerializer(many=True)


def _acted(act: Callable[..., AttributeMapping], **asked: Any) -> AttributeMapping:
    try:
        return act(**asked)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None


def _written(row: AttributeMapping, code: int) -> Response:
    return Response(WrittenSerializer({"tool": row.tool.name, "version": row.number, "state": row.state}).data, status=code)


class MappingOfTool(GenericAPIView):
    """The mapping in force, and every attribute of the tool's last answer with what it comes to."""

    queryset = AttributeMapping.objects.none()
    serializer_class = MappingSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="tools_mapping", parameters=[AS_OF], responses=MappingSerializer)
    def get(self, request: Any, name: str) -> Response:
        at, _ = moment_of(request)
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        row, told = translating.in_force(tool, at), told_by(tool, at)
        rows = row.rows if row else []
        found = translating.observe(rows=rows, told=told, zone=tool.zone)
        answer = {
            "tool": tool.name, "version": row.number if row else None, "author": row.author.get_username() if row else None,
            "approver": row.approver.get_username() if row and row.approver else None, "approved_at": row.approved_at if row else None,
            "rows": rows, "answered_at": told.at if told else None, "attributes": found,
        }  # fmt: skip
        return Response(MappingSerializer(answer).data)

    @extend_schema(operation_id="tools_mapping_draft", request=DraftSerializer, responses={201: WrittenSerializer})
    def post(self, request: Any, name: str) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        sent = DraftSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        rows = [dict(row) for row in sent.validated_data["rows"]]
        made = _acted(translating.draft_mapping, tool=tool, rows=rows, by=request.user, at=now(), reason=sent.validated_data["reason"])
        return _written(made, status.HTTP_201_CREATED)


class ApproveMapping(GenericAPIView):
    """Put a draft in force that somebody else wrote."""

    queryset = AttributeMapping.objects.none()
    serializer_class = WhySerializer

    @extend_schema(operation_id="tools_mapping_approve", request=WhySerializer, responses=WrittenSerializer)
    def post(self, request: Any, name: str, number: int) -> Response:
        tool = get_for(Tool.objects.all(), user=request.user, name=name)
        row = AttributeMapping.objects.filter(tool=tool, number=number).select_related("tool", "author").first()
        if row is None:
            raise NotFound(f"{tool} has no mapping of version {number}.")
        sent = WhySerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        return _written(_acted(translating.approve, row=row, by=request.user, at=now(), **sent.validated_data), status.HTTP_200_OK)


class ObservedOfService(GenericAPIView):
    """What the entry promises beside what its tools say, in the same field and unit; and what was left over."""

    queryset = Service.objects.none()
    serializer_class = BesideSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="services_observed", parameters=[AS_OF], responses=BesideSerializer)
    def get(self, request: Any, code: str) -> Response:
        at, _ = moment_of(request)
        service = get_for(Service.objects.all(), user=request.user, code=code)
        version = ServiceVersion.objects.in_force(at).filter(service=service).select_related("commitment").first()
        found = beside(service=service, version=version, at=at)
        sources = [
            {
                "tool": one.tool.name, "mapping": one.mapping.number if one.mapping else None,
                "answered_at": one.told.at if one.told else None,
                "unmapped": one.unmapped, "unconvertible": [f"{each.path}: {each.problem}" for each in one.problems],
            }
            for one in found.sources
        ]  # fmt: skip
        answer = {"service": service.code, "fields_compared": [_pair(pair) for pair in found.pairs], "sources": sources}
        return Response(plainly(request.user, service, BesideSerializer(answer).data))


def _pair(pair: Pair) -> dict[str, Any]:
    told = {name: getattr(pair, name) for name in ("field", "promised", "observed", "agrees")}
    return {**told, "unit": FIELDS[pair.field].unit}
