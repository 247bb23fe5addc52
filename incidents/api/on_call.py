"""`/api/v1/on-call/`: who is on call now and next, and standing in."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.refusing import NotAllowed, Refused
from incidents import rotating
from incidents.models import Rota
from itsm_backup.common.time import now
from monitoring.api.filters import instant_of
from monitoring.api.permissions import get_for

AHEAD = dt.timedelta(days=60)


class SwapConflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The rota does not allow this."


class ShiftSerializer(serializers.Serializer):
    person = serializers.CharField(source="person.username")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    instead_of = serializers.CharField(source="instead_of.username", default=None, allow_null=True)
    reason = serializers.CharField()


class RotaSerializer(serializers.ModelSerializer):
    team = serializers.CharField(source="team.name")
    hand_over_at = serializers.SerializerMethodField(help_text="Local time in its zone, such as 09:00.")
    shifts = serializers.SerializerMethodField(help_text="The one on call at the instant, then those of the next 60 days.")

    class Meta:
        model = Rota
        fields = ["id", "team", "starts_on", "hand_over_at", "zone", "shift_days", "rule", "shifts"]

    def get_hand_over_at(self, rota: Rota) -> str:
        return f"{rota.hand_over_at:%H:%M}"

    @extend_schema(responses=ShiftSerializer(many=True))
    def get_shifts(self, rota: Rota) -> Any:
        at = self.context["at"]
        return ShiftSerializer(rotating.shifts(rota, since=at, until=at + AHEAD), many=True).data


class StandInSerializer(serializers.Serializer):
    person = serializers.CharField(max_length=150, help_text="The user name of who stands in.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField(max_length=300)


class OnCall(GenericAPIView):
    """Who is on call at an instant, and next, for each team with a rota."""

    queryset = Rota.objects.none()
    serializer_class = RotaSerializer
    pagination_class = None

    @extend_schema(
        operation_id="on_call_list", parameters=[OpenApiParameter("at", str, description="An instant; now without it.")],
        responses=RotaSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Any) -> Response:
        at = instant_of(request, "at") or now()
        rows = Rota.objects.visible_to(request.user).select_related("team").prefetch_related("members__person", "swaps__person")
        return Response(RotaSerializer(rows, many=True, context={"at": at}).data)


class StandIn(GenericAPIView):
    """Have somebody stand in for whoever would be on call in that time."""

    queryset = Rota.objects.none()
    serializer_class = StandInSerializer

    @extend_schema(operation_id="on_call_stand_in", responses={200: RotaSerializer, 409: None})
    def post(self, request: Any, id: int) -> Response:
        rota = get_for(Rota.objects.all(), user=request.user, pk=id)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        said = dict(serializer.validated_data)
        person = get_user_model().objects.filter(username=said.pop("person"), is_active=True).first()
        if person is None:
            raise ParseError("There is nobody of that user name.")
        at = now()
        try:
            rotating.stand_in(rota=rota, person=person, by=request.user, at=at, **said)
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except Refused as error:
            raise SwapConflict(str(error)) from None
        fresh = Rota.objects.prefetch_related("members__person", "swaps__person").select_related("team").get(pk=rota.pk)
        return Response(RotaSerializer(fresh, context={"at": at}).data)
