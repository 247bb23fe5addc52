"""`/api/v1/hand-overs/`: a duty for an entry goes from one person (or team) to the next, who accepts it or not."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import handing_over
from catalogue.models import HandOver, Service, Team
from itsm_backup.common.time import now
from monitoring.api.duties import acted, checked, person_named
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for


class HandOverSerializer(serializers.Serializer):
    """Of an instant, which stands in the context as `at`: what was answered later is not told."""

    id = serializers.IntegerField()
    service = serializers.CharField(source="service.code")
    duty = serializers.ChoiceField(choices=HandOver.Duty.choices)
    giver = serializers.CharField(source="giver.username", default=None, allow_null=True, help_text="Who holds it.")
    receiver = serializers.SerializerMethodField(help_text="Who is asked to take it over, and answers; of a team the member who answered.")
    former_team = serializers.CharField(
        source="former_team.name", default=None, allow_null=True, help_text="The team that runs the backups."
    )
    team = serializers.CharField(source="team.name", default=None, allow_null=True, help_text="The team that is asked to run them.")
    asked_by = serializers.CharField(source="asked_by.username")
    asked_at = serializers.DateTimeField()
    reason = serializers.CharField()
    answered_at = serializers.SerializerMethodField()
    accepted = serializers.SerializerMethodField(help_text="Null: not answered.")
    answer = serializers.SerializerMethodField(help_text="What the receiver said.")
    version = serializers.SerializerMethodField(help_text="The version that names the receiver; the duty moves when it takes force.")

    def _is_answered(self, row: HandOver) -> bool:
        return row.answered_at is not None and row.answered_at <= self.context["at"]

    def get_receiver(self, row: HandOver) -> str | None:
        told = row.receiver is not None and (row.team is None or self._is_answered(row))
        return row.receiver.get_username() if told and row.receiver else None

    def get_answered_at(self, row: HandOver) -> dt.datetime | None:
        return row.answered_at if self._is_answered(row) else None

    def get_accepted(self, row: HandOver) -> bool | None:
        return row.accepted if self._is_answered(row) else None

    def get_answer(self, row: HandOver) -> str:
        return row.answer if self._is_answered(row) else ""

    def get_version(self, row: HandOver) -> int | None:
        return row.version.number if row.version and self._is_answered(row) else None


class NewHandOverSerializer(serializers.Serializer):
    service = serializers.CharField(max_length=40, help_text="Code of an entry in force that you may change.")
    duty = serializers.ChoiceField(choices=HandOver.Duty.choices)
    receiver = serializers.CharField(
        max_length=150, required=False, default="", allow_blank=True, help_text="Account name of who shall take it over: owner or steward."
    )
    team = serializers.CharField(
        max_length=120, required=False, default="", allow_blank=True, help_text="Name of the team that shall run the backups."
    )
    reason = serializers.CharField(max_length=2_000)


class AcceptSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)


class DeclineSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000, help_text="Why you do not take it over.")


def _rows(request: Any) -> QuerySet[HandOver]:
    """Those of entries in sight, and those that the person is asked to take over."""
    mine = handing_over.asked_of(request.user) | Q(service__in=Service.objects.visible_to(request.user))
    related = ("service", "giver", "receiver", "former_team", "team", "asked_by", "version")
    return HandOver.objects.filter(mine).select_related(*related)


def _row(request: Any, pk: int) -> HandOver:
    row = _rows(request).filter(pk=pk).first()
    if row is None:
        raise NotFound(f"There is no hand-over {pk} that you may see.")
    return row


def _team(request: Any, name: str) -> Team:
    row = Team.objects.visible_to(request.user).filter(name=name).first()
    if row is None:
        raise serializers.ValidationError({"team": [f"There is no team “{name[:60]}” that you may see."]})
    return row


def _told(request: Any, pk: int, status: int = 200) -> Response:
    return Response(HandOverSerializer(_row(request, pk), context={"at": now()}).data, status=status)


class HandOvers(GenericAPIView):
    """Duties on their way from one person to another, newest first; a POST asks somebody to take one over."""

    queryset = HandOver.objects.none()
    serializer_class = HandOverSerializer
    filter_backends: list[Any] = []
    service = OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service.")
    receiver = OpenApiParameter("receiver", OpenApiTypes.STR, description="Account name of who is asked.")
    waiting = OpenApiParameter("waiting", OpenApiTypes.BOOL, description="true: only what was not answered by then.")

    @extend_schema(operation_id="hand_overs_list", parameters=[service, receiver, waiting, AS_OF], responses=HandOverSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        rows = _rows(request).filter(asked_at__lte=at)
        asked = {name: request.query_params.get(name, "").replace("\x00", "") for name in ("service", "receiver", "waiting")}
        if asked["service"]:
            rows = rows.filter(service__code=asked["service"])
        if asked["receiver"]:
            rows = rows.filter(receiver__username=asked["receiver"])
        if asked["waiting"] == "true":
            rows = rows.filter(Q(answered_at=None) | Q(answered_at__gt=at))
        page = self.paginate_queryset(rows.order_by("-asked_at", "-pk"))
        return self.get_paginated_response(HandOverSerializer(page, many=True, context={"at": at}).data)

    @extend_schema(operation_id="hand_overs_ask", request=NewHandOverSerializer, responses={201: HandOverSerializer, 409: None})
    def post(self, request: Any) -> Response:
        said = checked(NewHandOverSerializer, request)
        service = get_for(Service.objects.all(), user=request.user, action="change", code=said["service"])
        of_team = said["duty"] == HandOver.Duty.OPERATIONS_TEAM
        whom = {"team": _team(request, said["team"])} if of_team else {"receiver": person_named("receiver", said["receiver"])}
        made = acted(handing_over.ask, service=service, duty=said["duty"], by=request.user, at=now(), reason=said["reason"], **whom)
        return _told(request, made.pk, 201)


class AcceptHandOver(GenericAPIView):
    """Take the duty over, as its receiver: a version that names you is written and waits for approval."""

    queryset = HandOver.objects.none()

    @extend_schema(operation_id="hand_overs_accept", request=AcceptSerializer, responses={200: HandOverSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        said, row = checked(AcceptSerializer, request), _row(request, pk)
        acted(handing_over.accept, hand_over=row, by=request.user, at=now(), reason=said["reason"])
        return _told(request, pk)


class DeclineHandOver(GenericAPIView):
    """Do not take the duty over, as its receiver: it stays where it is."""

    queryset = HandOver.objects.none()

    @extend_schema(operation_id="hand_overs_decline", request=DeclineSerializer, responses={200: HandOverSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        said, row = checked(DeclineSerializer, request), _row(request, pk)
        acted(handing_over.decline, hand_over=row, by=request.user, at=now(), reason=said["reason"])
        return _told(request, pk)
