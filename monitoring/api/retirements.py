"""`/api/v1/retirements/`: how entries leave the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import retiring
from catalogue.models import Retirement, Service
from itsm_backup.common.time import now
from monitoring.api.duties import acted, checked
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for


class RetirementSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    service = serializers.CharField(source="service.code")
    state = serializers.ChoiceField(choices=Retirement.State.choices)
    ends_at = serializers.DateTimeField()
    successor = serializers.CharField(source="successor.code", default=None, allow_null=True)
    reason = serializers.CharField()
    asked_by = serializers.CharField(source="asked_by.username")
    asked_at = serializers.DateTimeField()
    decided_by = serializers.CharField(source="decided_by.username", default=None, allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField(help_text="What was said when it was decided on, or called off before that.")
    over_at = serializers.DateTimeField(allow_null=True)
    called_off_by = serializers.SerializerMethodField(help_text="Account name of who called it off.")
    called_off_because = serializers.SerializerMethodField(help_text="Why it was called off.")

    def get_called_off_by(self, row: Retirement) -> str | None:
        found = self._off(row)
        return found.by.get_username() if found and found.by else None

    def get_called_off_because(self, row: Retirement) -> str:
        found = self._off(row)
        return found.why if found else ""

    def to_representation(self, row: Retirement) -> Any:
        at = self.context.get("at")
        return super().to_representation(retiring.as_known(row, self._off(row), at) if at else row)

    def _off(self, row: Retirement) -> retiring.CallingOff | None:
        if row.state != Retirement.State.CALLED_OFF:
            return None
        known = self.context.get("off")
        return (retiring.callings_off([row]) if known is None else known).get(row.pk)


class RetirementDetailSerializer(RetirementSerializer):
    obstacles = serializers.SerializerMethodField(
        help_text="What stands in the way now, a sentence each; empty for one that is over, and of the past."
    )

    def get_obstacles(self, row: Retirement) -> list[str]:
        if row.state not in Retirement.OPEN or self.context.get("at"):
            return []
        return retiring.obstacles(service=row.service, at=now(), reader=self.context["request"].user)


class NewRetirementSerializer(serializers.Serializer):
    service = serializers.CharField(max_length=40, help_text="Code of the entry that is to leave the catalogue.")
    ends_at = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Left out: as soon as it is approved.")
    successor = serializers.CharField(max_length=40, required=False, allow_null=True, default=None, help_text="Code of what follows it.")
    reason = serializers.CharField(max_length=2_000)


class DecisionReasonSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000, help_text="Kept with it, and told to those whom it concerns.")


DECIDED: dict[int, Any] = {200: RetirementDetailSerializer, 409: None}


class Retirements(GenericAPIView):
    """Ways out of the catalogue of services that you may see, newest first."""

    queryset = Retirement.objects.none()
    serializer_class = RetirementSerializer
    filter_backends: list[Any] = []
    asked = [
        OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service."),
        OpenApiParameter("state", OpenApiTypes.STR, description=f"One of {', '.join(Retirement.State.values)}."),
    ]

    @extend_schema(operation_id="retirements_list", parameters=[*asked, AS_OF], responses=RetirementSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, past = moment_of(request)
        rows = _rows().filter(service__in=Service.objects.visible_to(request.user), asked_at__lte=at)
        if code := request.query_params.get("service", "").replace("\x00", ""):
            rows = rows.filter(service__code=code)
        if state := request.query_params.get("state", ""):
            if state not in Retirement.State.values:
                raise ParseError(f"state must be one of {', '.join(Retirement.State.values)}.")
            rows = rows.filter(retiring.in_state(state, at))
        page = self.paginate_queryset(rows) or []
        context = {"off": retiring.callings_off(page), "at": at if past else None}
        return self.get_paginated_response(RetirementSerializer(page, many=True, context=context).data)

    @extend_schema(operation_id="retirements_create", request=NewRetirementSerializer, responses={201: RetirementDetailSerializer})
    def post(self, request: Any) -> Response:
        asked, at = checked(NewRetirementSerializer, request), now()
        service = get_for(Service.objects.all(), user=request.user, code=asked["service"])
        successor = None
        if asked["successor"]:
            successor = Service.objects.visible_to(request.user).filter(code=asked["successor"]).first()
            if successor is None:
                raise ValidationError({"successor": [f"There is no entry {asked['successor']}."]})
        made = acted(
            retiring.ask,
            service=service,
            successor=successor,
            ends_at=asked["ends_at"] or at,
            reason=asked["reason"],
            by=request.user,
            at=at,
        )
        return Response(RetirementDetailSerializer(made, context={"request": request}).data, status=status.HTTP_201_CREATED)


class RetirementDetail(GenericAPIView):
    """One way out of the catalogue, with what stands in it."""

    queryset = Retirement.objects.none()
    serializer_class = RetirementDetailSerializer

    @extend_schema(operation_id="retirements_retrieve", parameters=[AS_OF])
    def get(self, request: Any, pk: int) -> Response:
        at, past = moment_of(request)
        row = _one(request, pk)
        if row.asked_at > at:
            raise NotFound
        return Response(RetirementDetailSerializer(row, context={"request": request, "at": at if past else None}).data)


class RetirementApprove(GenericAPIView):
    """Agree: the entry is pending retirement, and retired at `ends_at`. For an approver who did not ask for it."""

    queryset = Retirement.objects.none()

    @extend_schema(operation_id="retirements_approve", request=DecisionReasonSerializer, responses=DECIDED)
    def post(self, request: Any, pk: int) -> Response:
        return _moved(request, pk, retiring.approve)


class RetirementRefuse(GenericAPIView):
    """Refuse it: the entry stays, and who asked is told why."""

    queryset = Retirement.objects.none()

    @extend_schema(operation_id="retirements_refuse", request=DecisionReasonSerializer, responses=DECIDED)
    def post(self, request: Any, pk: int) -> Response:
        return _moved(request, pk, retiring.refuse)


class RetirementCallOff(GenericAPIView):
    """Call it off before its day: the entry stays after all."""

    queryset = Retirement.objects.none()

    @extend_schema(operation_id="retirements_call_off", request=DecisionReasonSerializer, responses=DECIDED)
    def post(self, request: Any, pk: int) -> Response:
        return _moved(request, pk, retiring.call_off)


def _moved(request: Any, pk: int, act: Callable[..., Retirement]) -> Response:
    done = acted(act, retirement=_one(request, pk), **checked(DecisionReasonSerializer, request), by=request.user, at=now())
    return Response(RetirementDetailSerializer(done, context={"request": request}).data)


def _rows() -> Any:
    return Retirement.objects.select_related("service", "successor", "asked_by", "decided_by")


def _one(request: Any, pk: int) -> Retirement:
    found = _rows().filter(pk=pk, service__in=Service.objects.visible_to(request.user)).first()
    if found is None:
        raise NotFound
    return found  # type: ignore[no-any-return]
