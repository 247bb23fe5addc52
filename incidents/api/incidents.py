"""`/api/v1/incidents/`: what is being done, and the acts of those who do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet
from django.urls import path, re_path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from incidents import working
from incidents.api.escalation import EscalationPolicies, EscalationSerializer
from incidents.api.on_call import OnCall, StandIn
from incidents.api.simulation import Simulation
from incidents.models import Incident, IncidentAlert, IncidentEntry
from itsm_backup.common.time import now
from monitoring.api.filters import words
from monitoring.api.permissions import get_for
from monitoring.models import Alert

_NUMBER = re.compile(r"(?:INC-)?(\d{1,18})", re.IGNORECASE | re.ASCII)


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The incident does not allow this now."
    default_code = "conflict"


class IncidentSerializer(serializers.ModelSerializer):
    number = serializers.CharField()
    title = serializers.CharField(source="told_title")
    service = serializers.SerializerMethodField(help_text="Code of the one hit hardest, if you may see it.")
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True)
    alerts_open = serializers.IntegerField(help_text="Its alerts that are not over, of those that you may see.")
    alerts_total = serializers.IntegerField(help_text="Its alerts, of those that you may see.")

    class Meta:
        model = Incident
        fields = [
            "number", "title", "state", "priority", "impact", "urgency", "priority_reason", "service", "team", "assignee",
            "opened_at", "acknowledged_at", "resolved_at", "resolved_by_evaluation", "updated_at", "alerts_open", "alerts_total",
        ]  # fmt: skip

    def get_service(self, incident: Incident) -> str | None:
        return incident.service.code if incident.service and incident.service_is_seen else None  # type: ignore[attr-defined]


class AttachedAlertSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="alert.pk")
    title = serializers.CharField(source="alert.title")
    alert_class = serializers.ChoiceField(source="alert.alert_class", choices=Alert.Class.choices)
    state = serializers.ChoiceField(source="alert.state", choices=Alert.State.choices)
    service = serializers.CharField(source="alert.service.code", default=None, allow_null=True)
    opened_at = serializers.DateTimeField(source="alert.opened_at")
    resolved_at = serializers.DateTimeField(source="alert.resolved_at", allow_null=True)
    evaluation = serializers.IntegerField(source="alert.evaluation_id", allow_null=True)
    attached_at = serializers.DateTimeField()


class EntrySerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username", default=None, allow_null=True)

    class Meta:
        model = IncidentEntry
        fields = ["at", "kind", "text", "by"]


class IncidentDetailSerializer(IncidentSerializer):
    alerts = AttachedAlertSerializer(source="seen_alerts", many=True)
    timeline = EntrySerializer(many=True)
    escalations = EscalationSerializer(many=True)

    class Meta(IncidentSerializer.Meta):
        fields = [*IncidentSerializer.Meta.fields, "alerts", "timeline", "escalations"]


class IncidentFilters(filters.FilterSet):
    state = words("state", Incident.State.values, "State")
    priority = words("priority", ["P1", "P2", "P3", "P4", "P5"], "Priority")
    service = filters.CharFilter(field_name="incident_alerts__alert__service__code", distinct=True, help_text="Code of a service it hits.")
    open = filters.BooleanFilter(method="only_open", help_text="true: only what is not over; false: only what is.")

    def only_open(self, rows: Any, name: str, value: bool) -> QuerySet[Incident]:
        return rows.open() if value else rows.exclude(pk__in=Incident.objects.open())


class Incidents(ListAPIView):
    """Incidents, newest first. One per cause, with many alerts."""

    serializer_class = IncidentSerializer
    filterset_class = IncidentFilters
    queryset = Incident.objects.none()

    def get_queryset(self) -> QuerySet[Incident]:
        return _rows(self.request.user).order_by("-opened_at", "-pk")  # type: ignore[attr-defined]


class IncidentDetail(GenericAPIView):
    """One incident with its alerts and its timeline."""

    serializer_class = IncidentDetailSerializer
    queryset = Incident.objects.none()

    @extend_schema(operation_id="incidents_retrieve")
    def get(self, request: Any, number: str) -> Response:
        return Response(_detail(request.user, number))


class TextField(serializers.CharField):
    """Text that is sent as text: a number is refused, not written down as words."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Send a text, in quotation marks.")
        return str(super().to_internal_value(data))


class WordsSerializer(serializers.Serializer):
    text = TextField(max_length=4_000, help_text="What to write into the timeline.")


class IncidentReasonSerializer(serializers.Serializer):
    reason = TextField(max_length=4_000, help_text="Why it is over although no evidence shows it yet.")


class Acknowledge(GenericAPIView):
    """Take it: in progress, assigned to you, its alerts acknowledged."""

    queryset = Incident.objects.none()

    @extend_schema(operation_id="incidents_acknowledge", request=None, responses={200: IncidentDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "change", working.take)


class Note(GenericAPIView):
    """Write a line into the timeline."""

    queryset = Incident.objects.none()
    serializer_class = WordsSerializer

    @extend_schema(operation_id="incidents_note", responses={200: IncidentDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "change", working.note, **_sent(self, request))


class Resolve(GenericAPIView):
    """Resolve it by hand, with the reason. Evidence resolves incidents by itself."""

    queryset = Incident.objects.none()
    serializer_class = IncidentReasonSerializer

    @extend_schema(operation_id="incidents_resolve", responses={200: IncidentDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "resolve", working.move, to="resolved", **_sent(self, request))


def _sent(view: GenericAPIView, request: Any) -> dict[str, Any]:
    """What the body says; raises ValidationError naming what is missing."""
    serializer = view.get_serializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _acted(request: Any, number: str, action: str, act: Callable[..., Any], **said: Any) -> Response:
    """One act on an incident on which the user may do `action`, and the incident as it is then."""
    incident = get_for(Incident.objects.all(), user=request.user, action=action, pk=_key(number))
    try:
        act(incident=incident, by=request.user, at=now(), **said)
    except working.NotPossible as error:
        raise Conflict(str(error)) from None
    return Response(_detail(request.user, number))


def _key(number: str) -> int:
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise NotFound(f"{number[:40]} is no number of an incident. Write it like INC-0042.")
    return int(match.group(1))


def _rows(user: Any) -> QuerySet[Incident]:
    seen = Q(incident_alerts__alert__in=Alert.objects.visible_to(user))
    over = Q(incident_alerts__alert__state="resolved")
    return (
        Incident.objects.told_to(user)
        .select_related("service", "team", "assignee")
        .annotate(
            alerts_total=Count("incident_alerts", filter=seen, distinct=True),
            alerts_open=Count("incident_alerts", filter=seen & ~over, distinct=True),
        )
    )


def _detail(user: Any, number: str) -> dict[str, Any]:
    links = IncidentAlert.objects.filter(alert__in=Alert.objects.visible_to(user)).select_related("alert__service")
    entries = IncidentEntry.objects.told_to(user).select_related("by").order_by("at", "pk")
    rows = _rows(user).prefetch_related(
        "escalations__tellings",
        Prefetch("incident_alerts", queryset=links.order_by("attached_at", "pk"), to_attr="seen_alerts"),
        Prefetch("entries", queryset=entries, to_attr="timeline"),
    )
    return dict(IncidentDetailSerializer(get_for(rows, user=user, pk=_key(number))).data)


urlpatterns = [
    path("on-call/", OnCall.as_view()),
    re_path(r"^on-call/(?P<id>[0-9]{1,18})/stand-in/?$", StandIn.as_view()),
    path("escalation-policies/", EscalationPolicies.as_view()),
    path("escalation-policies/simulation/", Simulation.as_view()),
    path("incidents/", Incidents.as_view()),
    path("incidents/<str:number>/", IncidentDetail.as_view()),
    re_path(r"^incidents/(?P<number>[^/]+)/acknowledge/?$", Acknowledge.as_view()),
    re_path(r"^incidents/(?P<number>[^/]+)/note/?$", Note.as_view()),
    re_path(r"^incidents/(?P<number>[^/]+)/resolve/?$", Resolve.as_view()),
]
