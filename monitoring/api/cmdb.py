"""`/api/v1/configuration-items/`, `/api/v1/agreement/`, `/api/v1/conflicts/`, and the door for webhooks of CMDBs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue import cmdb_relations, inventorying
from catalogue.agreed_fields import CHOICES
from catalogue.inventorying import NotSigned
from catalogue.models import Cmdb, ConfigurationItem, Service
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.time import now
from monitoring import writing_back
from monitoring.api.bodies import TooLarge, WrongEncoding, read_whole
from monitoring.api.intake import TooMuch
from monitoring.api.paging import NewestFirst
from monitoring.api.permissions import get_for
from monitoring.api.relations import Conflict
from monitoring.api.withheld import Withheld
from monitoring.models import Agreement, ConflictDecision, WriteConflict

MOST_BYTES = 1_000_000


class ConfigurationItemSerializer(serializers.ModelSerializer):
    cmdb = serializers.CharField(source="cmdb.name")
    service = serializers.SerializerMethodField(help_text="Code of the entry that it belongs to; null for none.")
    fields_told = serializers.JSONField(source="fields", help_text="What it says in the fields that it has a column for.")

    class Meta:
        model = ConfigurationItem
        fields = (
            "id", "cmdb", "table", "external_id", "name", "state", "retired", "address", "service", "fields_told", "changed_at",
            "first_seen_at", "last_seen_at", "gone_at",
        )  # fmt: skip

    def get_service(self, row: Any) -> str | None:
        return row.link.service.code if hasattr(row, "link") else None


class ConfigurationItems(ListAPIView):
    """What CMDBs have, as they tell it."""

    queryset = ConfigurationItem.objects.none()
    serializer_class = ConfigurationItemSerializer
    pagination_class = NewestFirst.by("first_seen_at")
    filter_backends: list[Any] = []

    @extend_schema(operation_id="configuration_items_list")
    def get(self, request: Any) -> Response:
        return self.list(request)

    def get_queryset(self) -> Any:
        return ConfigurationItem.objects.visible_to(self.request.user).select_related("cmdb", "link__service")


class FieldSerializer(serializers.Serializer):
    field = serializers.ChoiceField(choices=CHOICES)
    master = serializers.ChoiceField(choices=["catalogue", "cmdb", "monitoring"], help_text="Which side is right.")
    catalogue = serializers.JSONField(allow_null=True)
    cmdb = serializers.JSONField(help_text="Number of the item → what the CMDB says.")
    monitoring = serializers.JSONField(allow_null=True)
    keeps = serializers.ListField(child=serializers.CharField(), help_text="Sides that keep this field.")
    odd = serializers.ListField(child=serializers.CharField(), help_text="Sides, or items of the CMDB, that differ.")
    agrees = serializers.BooleanField(allow_null=True, help_text="Null where only one side keeps it.")


class AgreementSerializer(Withheld, serializers.Serializer):
    service = serializers.CharField(source="service.code")
    compared_at = serializers.DateTimeField()
    differing = serializers.IntegerField(source="comparison.differing")
    rows = FieldSerializer(source="comparison.rows", many=True)


class Agreements(ListAPIView):
    """What catalogue, CMDB and monitoring say of each entry, field by field."""

    queryset = Agreement.objects.none()
    serializer_class = AgreementSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="agreement_list")
    def get(self, request: Any) -> Response:
        return self.list(request)

    def get_queryset(self) -> Any:
        rows = Agreement.objects.visible_to(self.request.user).filter(comparison__isnull=False)
        return rows.select_related("service", "comparison").order_by("service__code")


class RelationBesideSerializer(serializers.Serializer):
    consumer = serializers.CharField(source="consumer.code", help_text="The entry that needs the other.")
    provider = serializers.CharField(source="provider.code")
    catalogue = serializers.ListField(child=serializers.CharField(), help_text="Kinds of relation that stand here, in words.")
    cmdb = serializers.ListField(child=serializers.CharField(), help_text="What CMDBs say of their items.")
    agrees = serializers.BooleanField(help_text="Whether both know a relation that way.")


class RelationsBeside(GenericAPIView):
    """Relations of an entry in the catalogue and in CMDBs, of entries that have items there."""

    queryset = Service.objects.none()
    serializer_class = RelationBesideSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="services_cmdb_relations", responses=RelationBesideSerializer(many=True))
    def get(self, request: Any, code: str) -> Response:
        service = get_for(Service.objects.all(), user=request.user, code=code)
        rows = cmdb_relations.beside(service=service, at=now())
        ends = {one.pk for row in rows for one in (row.consumer, row.provider)}
        visible = set(Service.objects.visible_to(request.user).filter(pk__in=ends).values_list("pk", flat=True))
        shown = [row for row in rows if {row.consumer.pk, row.provider.pk} <= visible]
        return Response(RelationBesideSerializer(shown, many=True).data)


class ConflictDecisionSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username")

    class Meta:
        model = ConflictDecision
        fields = ("choice", "reason", "by", "at")


class WriteConflictSerializer(serializers.ModelSerializer):
    service = serializers.CharField(source="service.code")
    item = serializers.CharField(source="item.name")
    decision = ConflictDecisionSerializer(allow_null=True, default=None)

    class Meta:
        model = WriteConflict
        fields = ("id", "service", "item", "field", "ours", "theirs", "why", "found_at", "ended_at", "decision")


class WriteConflicts(ListAPIView):
    """Columns in which a CMDB holds what nobody wrote from here, newest first."""

    queryset = WriteConflict.objects.none()
    serializer_class = WriteConflictSerializer
    pagination_class = NewestFirst.by("found_at")
    filter_backends: list[Any] = []

    @extend_schema(operation_id="conflicts_list")
    def get(self, request: Any) -> Response:
        return self.list(request)

    def get_queryset(self) -> Any:
        return WriteConflict.objects.visible_to(self.request.user).select_related("service", "item", "decision__by")


class ConflictDecideSerializer(serializers.Serializer):
    choice = serializers.ChoiceField(choices=ConflictDecision.Choice.choices)
    reason = serializers.CharField(max_length=2_000)


class DecideConflict(GenericAPIView):
    """Say which one counts: what the catalogue says is written there, or what the CMDB says stays."""

    queryset = WriteConflict.objects.none()
    serializer_class = ConflictDecideSerializer

    @extend_schema(operation_id="conflicts_decide", request=ConflictDecideSerializer, responses=WriteConflictSerializer)
    def post(self, request: Any, pk: int) -> Response:
        row = get_for(WriteConflict.objects.all(), user=request.user, pk=pk)
        sent = ConflictDecideSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            writing_back.decide(conflict=row, by=request.user, at=now(), **sent.validated_data)
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except Refused as error:
            raise Conflict(str(error)) from None
        return Response(WriteConflictSerializer(WriteConflict.objects.get(pk=row.pk)).data)


class Heard(serializers.Serializer):
    read_soon = serializers.BooleanField(help_text="Whether it concerns anything that is read here.")


class Webhook(APIView):
    """A CMDB says that something changed. What it says is read from it anew."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    @extend_schema(
        operation_id="cmdb_webhook",
        summary="Tell that a CMDB changed",
        auth=[],
        parameters=[OpenApiParameter("X-Hook-Signature", str, OpenApiParameter.HEADER, description="HMAC-SHA512 of the body, in hex.")],
        request={"application/json": OpenApiTypes.OBJECT},
        responses={202: Heard},
    )
    def post(self, request: Any, name: str) -> HttpResponse:
        """The webhook of an event rule, signed with the shared secret. Without the right signature nothing happens."""
        cmdb = None if "\x00" in name else Cmdb.objects.filter(name=name, enabled=True).first()
        if cmdb is None:
            raise NotFound("There is no CMDB of this name that is read.")
        try:
            body = read_whole(request._request, limit_bytes=MOST_BYTES)
            heard = inventorying.hear(cmdb=cmdb, body=body, signature=request.headers.get("X-Hook-Signature", ""), at=now())
        except TooLarge:
            raise TooMuch("A message takes at most 1 MB.") from None
        except NotSigned:
            raise PermissionDenied("The signature does not fit. Set the same secret there and here.") from None
        except (WrongEncoding, ValueError):
            raise ParseError("This is no JSON message of a CMDB.") from None
        return Response(Heard({"read_soon": heard}).data, status=status.HTTP_202_ACCEPTED)
