"""`/api/v1/deviations/`: where a promise is borne that an inequality forbids, who asked, who answers, who granted it, and until when."""

from __future__ import annotations

import datetime as dt
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import deviating, duties
from catalogue.models import Deviation, Service
from itsm_backup.common.time import now
from monitoring.api.duties import ReasonSerializer, acted, checked, person_named
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.capability import measured

WITH = ("service", "owner", "asked_by", "approver")
STATES = {state.replace(" ", "_"): state for state in deviating.STATES}


class DeviationSerializer(serializers.Serializer):
    """Of an instant: what was decided later is not told. The instant stands in the context as `at`."""

    id = serializers.IntegerField()
    service = serializers.CharField(source="service.code")
    code = serializers.ChoiceField(choices=list(deviating.CODES), help_text="The inequality that does not hold.")
    words = serializers.SerializerMethodField(help_text="The inequality in words.")
    state = serializers.SerializerMethodField(help_text=f"One of {', '.join(STATES)}.")
    reason = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    expires_on = serializers.DateField(help_text="The last day on which it holds.")
    asked_by = serializers.CharField(source="asked_by.username")
    asked_at = serializers.DateTimeField()
    approver = serializers.SerializerMethodField()
    granted_at = serializers.SerializerMethodField()
    ended_at = serializers.SerializerMethodField(help_text="Refused or taken back, before it ran out.")
    bears = serializers.SerializerMethodField(help_text="What broke the inequality when it was granted, and how many times over.")

    def get_words(self, row: Deviation) -> str:
        return deviating.CODES[row.code]

    def get_state(self, row: Deviation) -> str:
        return deviating.state_of(row, self.context["at"]).replace(" ", "_")

    def get_approver(self, row: Deviation) -> str | None:
        return row.approver.username if row.approver and self._by_then(row.granted_at) else None

    def get_granted_at(self, row: Deviation) -> dt.datetime | None:
        return self._by_then(row.granted_at)

    def get_ended_at(self, row: Deviation) -> dt.datetime | None:
        return self._by_then(row.ended_at)

    def get_bears(self, row: Deviation) -> dict[str, float] | None:
        return row.bears if self._by_then(row.granted_at) else None

    def _by_then(self, happened_at: dt.datetime | None) -> dt.datetime | None:
        return happened_at if happened_at and happened_at <= self.context["at"] else None


class NewDeviationSerializer(serializers.Serializer):
    service = serializers.CharField(max_length=40, help_text="Code of the service.")
    code = serializers.ChoiceField(choices=list(deviating.CODES))
    owner = serializers.CharField(max_length=150, help_text="Account name of who answers for it.")
    expires_on = serializers.DateField(help_text="The last day on which it holds, a year ahead at most.")
    reason = serializers.CharField(max_length=2_000, help_text="Why it is borne, and what is done about it.")


class Deviations(GenericAPIView):
    """Deviations of services that you may see, newest first; a POST asks for one."""

    queryset = Deviation.objects.none()
    serializer_class = DeviationSerializer
    filter_backends: list[Any] = []
    service = OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service.")
    code = OpenApiParameter("code", OpenApiTypes.STR, description="The inequality, as the checks of a service name it.")
    state = OpenApiParameter("state", OpenApiTypes.STR, description=f"One of {', '.join(STATES)}.")

    @extend_schema(operation_id="deviations_list", parameters=[service, code, state, AS_OF], responses=DeviationSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        asked = {name: request.query_params.get(name, "").replace("\x00", "") for name in ("service", "code", "state")}
        rows = Deviation.objects.visible_to(request.user).filter(asked_at__lte=at)
        if asked["service"]:
            rows = rows.filter(service__code=asked["service"])
        if asked["code"]:
            rows = rows.filter(code=_among(list(deviating.CODES), "code", asked["code"]))
        if asked["state"]:
            rows = rows.filter(deviating.in_state(STATES[_among(list(STATES), "state", asked["state"])], at))
        page = self.paginate_queryset(rows.select_related(*WITH).order_by("-asked_at", "-pk"))
        return self.get_paginated_response(DeviationSerializer(page, many=True, context={"at": at}).data)

    @extend_schema(operation_id="deviations_create", request=NewDeviationSerializer, responses={201: DeviationSerializer})
    def post(self, request: Any) -> Response:
        asked = checked(NewDeviationSerializer, request)
        service = get_for(Service.objects.all(), user=request.user, action="change", code=asked.pop("service"))
        owner = person_named("owner", asked.pop("owner"))
        made = acted(deviating.ask, service=service, owner=owner, **asked, by=request.user, at=now())
        return _told(made.pk, status.HTTP_201_CREATED)


class DeviationDetail(GenericAPIView):
    """One deviation."""

    queryset = Deviation.objects.none()
    serializer_class = DeviationSerializer

    @extend_schema(operation_id="deviations_retrieve", parameters=[AS_OF])
    def get(self, request: Any, pk: int) -> Response:
        at, _ = moment_of(request)
        row = _found(request, pk)
        if row.asked_at > at:
            raise NotFound(f"Deviation {pk} was not asked for yet at that instant.")
        return Response(DeviationSerializer(row, context={"at": at}).data)


class GrantDeviation(GenericAPIView):
    """Grant it: it bears what breaks the inequality now, and nothing worse. Neither its owner nor who asked for it does."""

    queryset = Deviation.objects.none()

    @extend_schema(operation_id="deviations_grant", request=ReasonSerializer, responses={200: DeviationSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        asked, row, at = checked(ReasonSerializer, request), _found(request, pk), now()
        acted(deviating.grant, deviation=row, **asked, by=request.user, at=at, measured=measured(row.service, at))
        return _told(pk)


class EndDeviation(GenericAPIView):
    """Refuse it, or take it back: from now on it bears nothing. Who may change or approve the service does."""

    queryset = Deviation.objects.none()

    @extend_schema(operation_id="deviations_end", request=ReasonSerializer, responses={200: DeviationSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        asked, row = checked(ReasonSerializer, request), _found(request, pk)
        able = [Service.objects.visible_to(request.user, right).filter(pk=row.service_id) for right in ("approve", "change")]
        if not any(each.exists() for each in able):
            others = duties.names(duties.who_may("approve", row.service)) or "Nobody yet"
            raise PermissionDenied(f"You may neither change nor approve {row.service.code}. {others} can.")
        acted(deviating.end, deviation=row, **asked, by=request.user, at=now())
        return _told(pk)


def _among(words: list[str], name: str, said: str) -> str:
    if said not in words:
        raise ParseError(f"{name}: “{said[:40]}” is none of {', '.join(words)}.")
    return said


def _found(request: Any, pk: int) -> Any:
    return get_for(Deviation.objects.select_related(*WITH), user=request.user, pk=pk)


def _told(pk: int, code: int = 200) -> Response:
    row = Deviation.objects.select_related(*WITH).get(pk=pk)
    return Response(DeviationSerializer(row, context={"at": now()}).data, status=code)
