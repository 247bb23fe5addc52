"""`/api/v1/agreements/`: what was agreed with whom, version by version."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import agreeing, duties
from catalogue.models import Agreement, AgreementVersion, Service, ServiceVersion
from itsm_backup.common.time import now
from monitoring.api.duties import acted, checked
from monitoring.api.filters import AS_OF, moment_of

KINDS = Agreement.Kind.values


class ApprovedTextSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["draft", "approved", "cancelled"])
    author = serializers.CharField(source="author.username")
    approver = serializers.CharField(source="approver.username", default=None, allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)


class AgreementVersionSerializer(ApprovedTextSerializer):
    from_on = serializers.DateField()
    until_on = serializers.DateField(allow_null=True, help_text="The last day; null: until it is replaced.")
    rpo_s = serializers.IntegerField(allow_null=True, help_text="Null: not agreed, as with every other objective.")
    rto_s = serializers.IntegerField(allow_null=True)
    retention_days = serializers.IntegerField(allow_null=True)
    success_rate = serializers.FloatField(allow_null=True)
    text = serializers.CharField()


class LevelAgreementSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=KINDS)
    name = serializers.CharField()
    party = serializers.CharField(help_text="With whom: the customer, team or supplier.")
    versions = AgreementVersionSerializer(source="told", many=True, help_text="Newest first.")


class NewAgreementSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=KINDS)
    name = serializers.CharField(max_length=120)
    party = serializers.CharField(max_length=120, help_text="With whom: the customer, team or supplier.")
    reason = serializers.CharField(max_length=1_000)


class KeptBySerializer(serializers.Serializer):
    service = serializers.CharField(source="service.code")
    version = serializers.IntegerField(source="number", help_text="The version of the entry that is in force.")
    agreement_version = serializers.IntegerField()


class LevelAgreementDetailSerializer(LevelAgreementSerializer):
    services = KeptBySerializer(many=True, help_text="Entries in force that you may see and that name it, each with the version it names.")


def agreements_of(request: Any) -> QuerySet[Agreement]:
    """Agreements of which the person may read a version as of the asked instant, or any of who reads them all, with these as `told`."""
    at, past = moment_of(request)
    read = agreeing.agreements_read_by(request.user, at=at, past=past).select_related("author", "approver").order_by("-number")
    seen = Q(pk__in=read.order_by().values("agreement"))
    if not past:
        seen |= Q(pk__in=Agreement.objects.visible_to(request.user).values("pk"))
    return Agreement.objects.filter(seen).prefetch_related(Prefetch("versions", queryset=read, to_attr="told"))


def may_write(request: Any, action: str, model: type[Agreement] | type[AgreementVersion]) -> None:
    """Agreements belong to the whole estate. Raises PermissionDenied with the rule, or with the names of who may."""
    meta = model._meta
    if not request.user.has_perm(f"catalogue.{action}_{meta.model_name}"):
        able = duties.names(duties.who_may(action, model()))
        raise PermissionDenied(f"You may not {action} {meta.verbose_name_plural}. {f'{able} can.' if able else 'At present nobody may.'}")
    if barred := duties.objection(request.user, model, now()):
        raise PermissionDenied(barred)


class LevelAgreements(GenericAPIView):
    """Service level agreements, operational level agreements and underpinning contracts, by name, with their versions.

    A POST makes one; its first version says what is agreed.
    """

    queryset = Agreement.objects.none()
    serializer_class = LevelAgreementSerializer
    filter_backends: list[Any] = []
    kind = OpenApiParameter("kind", OpenApiTypes.STR, description=f"One of {', '.join(KINDS)}.")
    q = OpenApiParameter("q", OpenApiTypes.STR, description="Part of the name.")

    @extend_schema(operation_id="agreements_list", parameters=[kind, q, AS_OF], responses=LevelAgreementSerializer(many=True))
    def get(self, request: Any) -> Response:
        rows = agreements_of(request)
        if kind := request.query_params.get("kind", ""):
            if kind not in KINDS:
                raise ParseError(f"kind: “{kind[:40]}” is none of {', '.join(KINDS)}.")
            rows = rows.filter(kind=kind)
        if text := request.query_params.get("q", "").replace("\x00", ""):
            rows = rows.filter(name__icontains=text)
        return self.get_paginated_response(LevelAgreementSerializer(self.paginate_queryset(rows.order_by("name")), many=True).data)

    @extend_schema(operation_id="agreements_create", request=NewAgreementSerializer, responses={201: LevelAgreementSerializer, 409: None})
    def post(self, request: Any) -> Response:
        may_write(request, "add", Agreement)
        made = acted(agreeing.make_agreement, **checked(NewAgreementSerializer, request), by=request.user, at=now())
        made.told = []
        return Response(LevelAgreementSerializer(made).data, status=201)


class LevelAgreementDetail(GenericAPIView):
    """One agreement with its versions, and the entries that keep it."""

    queryset = Agreement.objects.none()
    serializer_class = LevelAgreementDetailSerializer

    @extend_schema(operation_id="agreements_retrieve", parameters=[AS_OF])
    def get(self, request: Any, pk: int) -> Response:
        at, _ = moment_of(request)
        row = agreements_of(request).filter(pk=pk).first()
        if row is None:
            raise NotFound(f"There is no agreement {pk} that you may see.")
        named = f"{row.kind}__agreement"
        seen = Service.objects.visible_to(request.user)
        services = ServiceVersion.objects.in_force(at).filter(service__in=seen, **{named: row}).select_related("service", row.kind)
        row.services = list(services.order_by("service__code"))
        for each in row.services:
            each.agreement_version = getattr(each, row.kind).number
        return Response(LevelAgreementDetailSerializer(row).data)
