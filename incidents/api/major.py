"""`/api/v1/major-incidents/`: what is proposed and declared, who leads it, when people are told again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import path, re_path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from incidents import leading, nominating
from incidents.api.acts import Conflict, TextField
from incidents.api.incidents import key_of
from incidents.models import Incident, MajorAppointment, MajorIncident
from incidents.models.major import LONGEST_MIN, SHORTEST_MIN
from incidents.working import NotPossible
from itsm_backup.common.time import now
from monitoring.api.filters import words
from monitoring.api.permissions import get_for

_NUMBER = re.compile(r"(?:MAJ-)?(\d{1,18})", re.IGNORECASE | re.ASCII)
STATES = ["rejected", "mitigating", "resolved", "review", "closed"]


class MajorReasonSerializer(serializers.Serializer):
    rule = serializers.CharField(help_text="many_of_tier_1, exposure_of_tier_1, damaged_copies, or person.")
    words = serializers.CharField()


class MajorSerializer(serializers.ModelSerializer):
    number = serializers.CharField()
    incident = serializers.CharField(source="incident.number")
    title = serializers.CharField(source="told_title")
    because = MajorReasonSerializer(many=True)
    proposed_by = serializers.CharField(source="proposed_by.username", default=None, allow_null=True)
    manager = serializers.CharField(source="manager.username", default=None, allow_null=True)
    communications_lead = serializers.CharField(source="communications_lead.username", default=None, allow_null=True)

    class Meta:
        model = MajorIncident
        fields = [
            "number", "incident", "title", "state", "because", "rejection", "proposed_by", "manager", "communications_lead", "interval_min",
            "next_update_at", "proposed_at", "declared_at", "resolved_at", "closed_at", "updated_at",
        ]  # fmt: skip


class AppointmentSerializer(serializers.ModelSerializer):
    person = serializers.CharField(source="person.username")
    by = serializers.CharField(source="by.username")

    class Meta:
        model = MajorAppointment
        fields = ["part", "person", "at", "by", "reason"]


class MajorDetailSerializer(MajorSerializer):
    appointments = AppointmentSerializer(many=True, help_text="Who had which part from when on.")

    class Meta(MajorSerializer.Meta):
        fields = [*MajorSerializer.Meta.fields, "appointments"]


class ProposalSerializer(serializers.Serializer):
    incident = TextField(max_length=24, help_text="Number of the incident, such as INC-0042.")
    reason = TextField(max_length=2_000)


class DeclarationSerializer(serializers.Serializer):
    manager = TextField(max_length=150, help_text="User name of who leads it.")
    communications_lead = TextField(max_length=150, help_text="User name of who tells people of it; somebody else.")
    interval_min = serializers.IntegerField(
        min_value=SHORTEST_MIN, max_value=LONGEST_MIN, required=False, allow_null=True, default=None, help_text="Empty: 30 for P1, else 60."
    )
    reason = TextField(max_length=2_000, required=False, allow_blank=True, default="", help_text="Asked for where the interval is another.")


class MajorStepSerializer(serializers.Serializer):
    state = serializers.ChoiceField(choices=STATES)
    reason = TextField(max_length=2_000, required=False, allow_blank=True, default="")


class AppointingSerializer(serializers.Serializer):
    part = serializers.ChoiceField(choices=MajorAppointment.Part.choices)
    person = TextField(max_length=150, help_text="User name of who takes it over.")
    reason = TextField(max_length=2_000)


class IntervalSerializer(serializers.Serializer):
    interval_min = serializers.IntegerField(min_value=SHORTEST_MIN, max_value=LONGEST_MIN)
    reason = TextField(max_length=2_000)


class MajorFilters(filters.FilterSet):
    state = words("state", MajorIncident.State.values, "State")


class MajorIncidents(ListAPIView):
    """Major incidents and candidates, the latest change first."""

    serializer_class = MajorSerializer
    filterset_class = MajorFilters
    queryset = MajorIncident.objects.none()

    def get_queryset(self) -> QuerySet[MajorIncident]:
        return rows_for(self.request.user).order_by("-updated_at", "-pk")

    @extend_schema(operation_id="major_incidents_propose", request=ProposalSerializer, responses={200: MajorDetailSerializer, 409: None})
    def post(self, request: Any) -> Response:
        """Propose an incident as a major one."""
        said = sent(ProposalSerializer, request)
        incident = get_for(Incident.objects.all(), user=request.user, action="change", pk=key_of(said["incident"]))
        made = done(nominating.propose, incident=incident, reason=said["reason"], by=request.user, at=now())
        return Response(detail_of(request.user, made.pk))


class MajorDetail(GenericAPIView):
    """One of them with who led it when."""

    serializer_class = MajorDetailSerializer
    queryset = MajorIncident.objects.none()

    @extend_schema(operation_id="major_incidents_retrieve")
    def get(self, request: Any, number: str) -> Response:
        return Response(detail_of(request.user, major_key(number)))


class MajorAct(GenericAPIView):
    queryset = MajorIncident.objects.none()
    action = "declare"

    def on_major(self, request: Any, number: str, act: Callable[..., Any], **said: Any) -> Response:
        found = find(request.user, number, self.action)
        done(act, major=found, by=request.user, at=now(), **said)
        return Response(detail_of(request.user, found.pk))


class Declare(MajorAct):
    """It is one: named are who leads it and who tells people of it."""

    serializer_class = DeclarationSerializer

    @extend_schema(operation_id="major_incidents_declare", responses={200: MajorDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = sent(DeclarationSerializer, request)
        people = {name: person_named(said[name], name) for name in ("manager", "communications_lead")}
        return self.on_major(request, number, leading.declare, interval_min=said["interval_min"], reason=said["reason"], **people)


class MoveMajor(MajorAct):
    """Reject a candidate, or move on what is declared."""

    serializer_class = MajorStepSerializer

    @extend_schema(operation_id="major_incidents_state", responses={200: MajorDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = sent(MajorStepSerializer, request)
        return self.on_major(request, number, leading.move, to=said["state"], reason=said["reason"])


class Appoint(MajorAct):
    """Somebody else takes a part over."""

    serializer_class = AppointingSerializer

    @extend_schema(operation_id="major_incidents_appoint", responses={200: MajorDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = sent(AppointingSerializer, request)
        person = person_named(said["person"], "person")
        return self.on_major(request, number, leading.appoint, part=said["part"], person=person, reason=said["reason"])


class SetInterval(MajorAct):
    """People are told at another interval."""

    serializer_class = IntervalSerializer

    @extend_schema(operation_id="major_incidents_interval", responses={200: MajorDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return self.on_major(request, number, leading.set_interval, **sent(IntervalSerializer, request))


def sent(kind: type[serializers.Serializer], request: Any) -> dict[str, Any]:
    """What the body says; raises ValidationError naming what is missing."""
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def done(act: Callable[..., Any], **said: Any) -> Any:
    try:
        return act(**said)
    except NotPossible as error:
        raise Conflict(str(error)) from None


def person_named(username: str, field: str) -> Any:
    found = get_user_model().objects.filter(username=username, is_active=True).first()
    if found is None:
        raise ValidationError({field: ["Name somebody who has an account here."]})
    return found


def major_key(number: str) -> int:
    """The key of `MAJ-0042`; raises NotFound for what is no number."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise NotFound(f"{number[:40]} is no number of a major incident. Write it like MAJ-0042.")
    return int(match.group(1))


def rows_for(user: Any) -> QuerySet[MajorIncident]:
    """Major incidents that the user may read, with the title of the incident as they may read it."""
    if not user.has_perm("incidents.view_majorincident"):
        return MajorIncident.objects.none()
    told = Incident.objects.told_to(user).filter(pk=OuterRef("incident")).values("told_title")[:1]
    rows = MajorIncident.objects.visible_to(user).annotate(told_title=Subquery(told))
    return rows.select_related("incident", "proposed_by", "manager", "communications_lead")


def find(user: Any, number: str, action: str = "view") -> MajorIncident:
    """The one that the user may read and do `action` to; raises NotFound or PermissionDenied."""
    return get_for(rows_for(user), user=user, action=action, pk=major_key(number))  # type: ignore[no-any-return]


def detail_of(user: Any, pk: int) -> dict[str, Any]:
    rows = rows_for(user).prefetch_related("appointments__person", "appointments__by")
    return dict(MajorDetailSerializer(get_for(rows, user=user, pk=pk)).data)


urlpatterns = [
    path("major-incidents/", MajorIncidents.as_view()),
    path("major-incidents/<str:number>/", MajorDetail.as_view()),
    *(
        re_path(rf"^major-incidents/(?P<number>[^/]+)/{name}/?$", view.as_view())
        for name, view in (("declare", Declare), ("state", MoveMajor), ("appoint", Appoint), ("interval", SetInterval))
    ),
]
