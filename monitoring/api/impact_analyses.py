"""`/api/v1/impact-analyses/`: what the business can bear, written by one person and approved by another, with ETag and If-Match."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import agreeing, duties
from catalogue.models import ImpactAnalysis, Service
from itsm_backup.common.time import now
from monitoring.api.agreement_texts import ACTS, AgreementActSerializer, acted_on_text
from monitoring.api.agreements import ApprovedTextSerializer
from monitoring.api.duties import Conflict, checked
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.api.versions import CHANGED, IF_MATCH, MISSING, WRONG_STATE, etag_sent

_MOST_S = 2**31 - 1


class ImpactAnalysisSerializer(ApprovedTextSerializer):
    id = serializers.IntegerField()
    service = serializers.CharField(source="service.code")
    mtpd_s = serializers.IntegerField(help_text="Longest tolerable outage.")
    tolerated_loss_s = serializers.IntegerField(help_text="Tolerable data loss.")
    wrt_s = serializers.IntegerField(help_text="Work after recovery.")
    mbco = serializers.CharField(help_text="Least acceptable operation, in words.")
    review_due_on = serializers.DateField()


class ImpactAnalysisDetailSerializer(ImpactAnalysisSerializer):
    etag = serializers.CharField(source="hash", help_text="SHA-256 of what it says; also its ETag.")


class AnalysisTextSerializer(serializers.Serializer):
    """What is left out stays as it is; in a new analysis as the newest approved one says."""

    reason = serializers.CharField(max_length=1_000)
    mtpd_s = serializers.IntegerField(required=False, min_value=60, max_value=_MOST_S, help_text="A first analysis needs it.")
    tolerated_loss_s = serializers.IntegerField(required=False, min_value=60, max_value=_MOST_S, help_text="A first analysis needs it.")
    wrt_s = serializers.IntegerField(required=False, min_value=0, max_value=_MOST_S)
    mbco = serializers.CharField(required=False, allow_blank=True, max_length=20_000)
    review_due_on = serializers.DateField(required=False, help_text="A new analysis needs it: a day that is still to come.")


class NewAnalysisSerializer(AnalysisTextSerializer):
    service = serializers.CharField(max_length=40, help_text="Code of the service.")


def _analyses(request: Any) -> QuerySet[ImpactAnalysis]:
    at, past = moment_of(request)
    return agreeing.analyses_read_by(request.user, at=at, past=past).select_related("service", "author", "approver")


def _may_write(request: Any, service: Service) -> None:
    """The steward's, as the versions of the entry are. Raises PermissionDenied with the rule, or with the names of who may."""
    get_for(Service.objects.all(), user=request.user, action="change", code=service.code)
    if barred := duties.objection(request.user, ImpactAnalysis, now()):
        raise PermissionDenied(barred)


def _detail(row: ImpactAnalysis, status: int = 200) -> Response:
    row.hash = agreeing.hash_of(row)  # type: ignore[attr-defined]
    return Response(ImpactAnalysisDetailSerializer(row).data, status=status, headers={"ETag": f'"{row.hash}"'})  # type: ignore[attr-defined]


class ImpactAnalyses(GenericAPIView):
    """Business impact analyses of services that you may see, by service, the newest first.

    A POST writes the next one of a service, as a draft that somebody else approves; approvers are mailed.
    """

    queryset = ImpactAnalysis.objects.none()
    serializer_class = ImpactAnalysisSerializer
    filter_backends: list[Any] = []
    service = OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service.")
    state = OpenApiParameter("state", OpenApiTypes.STR, description="One of draft, approved, cancelled.")

    @extend_schema(operation_id="impact_analyses_list", parameters=[service, state, AS_OF], responses=ImpactAnalysisSerializer(many=True))
    def get(self, request: Any) -> Response:
        rows = _analyses(request)
        if code := request.query_params.get("service", "").replace("\x00", ""):
            rows = rows.filter(service__code=code)
        if state := request.query_params.get("state", ""):
            if state not in ImpactAnalysis.State.values:
                raise ParseError(f"state: “{state[:40]}” is none of {', '.join(ImpactAnalysis.State.values)}.")
            rows = rows.filter(state=state)
        page = self.paginate_queryset(rows.order_by("service__code", "-number"))
        return self.get_paginated_response(ImpactAnalysisSerializer(page, many=True).data)

    @extend_schema(operation_id="impact_analyses_create", request=NewAnalysisSerializer,
                   responses={201: ImpactAnalysisDetailSerializer, 409: WRONG_STATE})  # fmt: skip
    def post(self, request: Any) -> Response:
        said = checked(NewAnalysisSerializer, request)
        service = get_for(Service.objects.all(), user=request.user, code=said.pop("service"))
        _may_write(request, service)
        reason, content = said.pop("reason"), {**agreeing.begun_with(service.analyses.all()), **said}
        made = acted_on_text(
            agreeing.draft_analysis, service=service, content=content, by=request.user, at=now(), reason=reason, seen=""
        )  # fmt: skip
        return _detail(made, 201)


class ImpactAnalysisDetail(GenericAPIView):
    """One impact analysis; a PATCH edits it while it is a draft."""

    queryset = ImpactAnalysis.objects.none()
    serializer_class = ImpactAnalysisDetailSerializer

    @extend_schema(operation_id="impact_analyses_retrieve", parameters=[AS_OF])
    def get(self, request: Any, pk: int) -> Response:
        return _detail(get_for(_analyses(request), user=request.user, pk=pk))

    @extend_schema(
        operation_id="impact_analyses_edit", request=AnalysisTextSerializer, parameters=[IF_MATCH],
        responses={200: ImpactAnalysisDetailSerializer, 412: CHANGED, 428: MISSING, 409: WRONG_STATE},
    )  # fmt: skip
    def patch(self, request: Any, pk: int) -> Response:
        row = get_for(_analyses(request), user=request.user, pk=pk)
        _may_write(request, row.service)
        seen, said = etag_sent(request), checked(AnalysisTextSerializer, request)
        if row.state != ImpactAnalysis.State.DRAFT:
            raise Conflict(f"{str(row).capitalize()} is already {row.get_state_display()}. Nothing was changed; write the next one.")
        reason = said.pop("reason")
        kept = acted_on_text(
            agreeing.draft_analysis, service=row.service, content=said, by=request.user, at=now(), reason=reason, seen=seen
        )
        return _detail(kept)


class ImpactAnalysisAct(GenericAPIView):
    """Approve the draft, which takes an approver of the entry who did not write it, or cancel it. If-Match says which text is meant."""

    queryset = ImpactAnalysis.objects.none()

    @extend_schema(
        operation_id="impact_analyses_act", request=AgreementActSerializer, parameters=[IF_MATCH],
        responses={200: ImpactAnalysisDetailSerializer, 412: CHANGED, 428: MISSING, 409: WRONG_STATE},
    )  # fmt: skip
    def post(self, request: Any, pk: int, act: str) -> Response:
        if act not in ACTS:
            raise NotFound(f"There is no act {act[:40]}. There are: {', '.join(ACTS)}.")
        row = get_for(_analyses(request), user=request.user, pk=pk)
        if act == "cancel" and not Service.objects.visible_to(request.user, "approve").filter(pk=row.service_id).exists():
            _may_write(request, row.service)
        seen, said = etag_sent(request), checked(AgreementActSerializer, request)
        if act == "cancel" and not said["reason"].strip():
            raise Conflict("Say why it is cancelled. Nothing was changed.")
        return _detail(acted_on_text(ACTS[act], row=row, by=request.user, at=now(), reason=said["reason"], seen=seen))
