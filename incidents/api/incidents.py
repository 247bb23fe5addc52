"""`/api/v1/incidents/`: what is being done, who feels it, and what is due."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.urls import path, re_path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from catalogue.models import Service
from incidents import feeling, withholding
from incidents.api.escalation import EscalationSerializer
from incidents.models import Incident, IncidentAlert, IncidentEntry
from itsm_backup.common.time import now, parse_instant
from monitoring.api.filters import words
from monitoring.api.permissions import get_for
from monitoring.models import Alert

_NUMBER = re.compile(r"(?:INC-)?(\d{1,18})", re.IGNORECASE | re.ASCII)


class IncidentSerializer(serializers.ModelSerializer):
    number = serializers.CharField()
    title = serializers.CharField(source="told_title")
    service = serializers.SerializerMethodField(help_text="Code of the one hit hardest, if you may see it.")
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True)
    merged_into = serializers.CharField(source="merged_into.number", default=None, allow_null=True)
    split_from = serializers.CharField(source="split_from.number", default=None, allow_null=True)
    alerts_open = serializers.IntegerField(help_text="Its alerts that are not over, of those that you may see.")
    alerts_total = serializers.IntegerField(help_text="Its alerts, of those that you may see.")

    class Meta:
        model = Incident
        fields = [
            "number", "title", "state", "priority", "impact", "urgency", "priority_reason", "service", "team", "assignee",
            "priority_set", "opened_at", "known_at", "acknowledged_at", "acknowledged_until",
            "acknowledge_by", "resolve_by", "breach_at", "resolved_at", "closed_at",
            "resolution", "cause_category", "reopened", "merged_into", "split_from",
            "resolved_by_evaluation", "updated_at", "alerts_open", "alerts_total",
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


class FeltSerializer(serializers.Serializer):
    code = serializers.CharField()
    name = serializers.CharField()
    tier = serializers.IntegerField()
    effective_tier = serializers.IntegerField(
        default=None, allow_null=True, help_text="Of those in breach: the strictest that hangs on it."
    )
    department = serializers.CharField(allow_blank=True)
    verdict = serializers.CharField(default="no_data")
    captured_at = serializers.DateTimeField(default=None, allow_null=True, help_text="Newest copy; what came later would be lost.")
    rpo_s = serializers.IntegerField(default=None, allow_null=True)
    lost_if_it_failed_s = serializers.IntegerField(default=None, allow_null=True, help_text="Work that would be lost, in seconds.")
    via = serializers.CharField(default=None, allow_null=True, help_text="Code of the provider through which it is hit.")
    depth = serializers.IntegerField(default=0)
    only_backup = serializers.BooleanField(default=False, help_text="It goes on without the provider; only its backup stops.")


class ImpactSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    services = FeltSerializer(many=True, help_text="Those in breach.")
    consumers = FeltSerializer(many=True, help_text="What stops with them, or loses its backup, nearest first.")
    hidden = serializers.IntegerField(help_text="How many more there are that you may not see.")


class ImpactsSerializer(serializers.Serializer):
    priority = serializers.CharField()
    priority_reason = serializers.CharField(help_text="The arithmetic, in words.")
    now = ImpactSerializer()
    at_opening = ImpactSerializer()


class IncidentFilters(filters.FilterSet):
    state = words("state", Incident.State.values, "State")
    priority = words("priority", ["P1", "P2", "P3", "P4", "P5"], "Priority")
    service = filters.CharFilter(method="of_service", help_text="Code of a service that it hits and that you may see.")
    open = filters.BooleanFilter(method="only_open", help_text="true: only what is not over; false: only what is.")

    def of_service(self, rows: Any, name: str, value: str) -> QuerySet[Incident]:
        alerts = Alert.objects.visible_to(self.request.user).filter(service__code=value)
        return rows.filter(Exists(IncidentAlert.objects.filter(incident=OuterRef("pk"), alert__in=alerts)))  # type: ignore[no-any-return]

    def only_open(self, rows: Any, name: str, value: bool) -> QuerySet[Incident]:
        return rows.open() if value else rows.exclude(pk__in=Incident.objects.open())


class Incidents(ListAPIView):
    """Incidents, newest first. One per cause, with many alerts."""

    serializer_class = IncidentSerializer
    filterset_class = IncidentFilters
    queryset = Incident.objects.none()

    def paginate_queryset(self, rows: QuerySet[Incident]) -> Any:  # type: ignore[override]
        page = super().paginate_queryset(rows)
        withholding.retitle(self.request.user, page or ())
        return page

    def get_queryset(self) -> QuerySet[Incident]:
        return _rows(self.request.user).order_by("-opened_at", "-pk")  # type: ignore[attr-defined]


class IncidentDetail(GenericAPIView):
    """One incident with its alerts and its timeline."""

    serializer_class = IncidentDetailSerializer
    queryset = Incident.objects.none()

    @extend_schema(operation_id="incidents_retrieve")
    def get(self, request: Any, number: str) -> Response:
        return Response(detail_of(request.user, number))


class IncidentImpact(GenericAPIView):
    """Who feels it, now and as it was when it opened: tiers, copies, and what would be lost if it failed at that time."""

    serializer_class = ImpactsSerializer
    queryset = Incident.objects.none()

    @extend_schema(operation_id="incidents_impact")
    def get(self, request: Any, number: str) -> Response:
        incident = get_for(Incident.objects.all(), user=request.user, pk=key_of(number))
        seen = set(Service.objects.visible_to(request.user).values_list("pk", flat=True))
        at = now()
        told = {
            "priority": incident.priority,
            "priority_reason": incident.priority_reason,
            "now": _felt(feeling.impact_now(incident, at=at), seen),
            "at_opening": _felt(incident.impact_at_opening, seen),
        }
        return Response(ImpactsSerializer(told).data)


def _felt(impact: dict[str, Any], seen: set[int]) -> dict[str, Any]:
    """The impact as the caller may see it."""
    at = parse_instant(impact["at"])
    rows = [*impact["services"], *impact["consumers"]]
    codes = {one["service"]: one["code"] for one in rows if one["service"] in seen}
    told = {
        name: [
            {**one, "lost_if_it_failed_s": feeling.exposure_s(one, at=at), "via": codes.get(one.get("via"))}
            for one in impact[name]
            if one["service"] in seen
        ]
        for name in ("services", "consumers")
    }
    return {"at": impact["at"], **told, "hidden": len(rows) - len(told["services"]) - len(told["consumers"])}


def key_of(number: str) -> int:
    """The key of `INC-0042`; raises NotFound for what is no number."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise NotFound(f"{number[:40]} is no number of an incident. Write it like INC-0042.")
    return int(match.group(1))


def _rows(user: Any) -> QuerySet[Incident]:
    seen = Q(incident_alerts__alert__in=Alert.objects.visible_to(user))
    over = Q(incident_alerts__alert__state="resolved")
    return (
        Incident.objects.told_to(user)
        .select_related("service", "team", "assignee", "merged_into", "split_from")
        .annotate(
            alerts_total=Count("incident_alerts", filter=seen, distinct=True),
            alerts_open=Count("incident_alerts", filter=seen & ~over, distinct=True),
        )
    )


def detail_of(user: Any, number: str) -> dict[str, Any]:
    """One incident as the API tells it to the user; raises NotFound."""
    links = IncidentAlert.objects.filter(alert__in=Alert.objects.visible_to(user)).select_related("alert__service")
    entries = IncidentEntry.objects.told_to(user).select_related("by").order_by("at", "pk")
    rows = _rows(user).prefetch_related(
        "escalations__tellings",
        Prefetch("incident_alerts", queryset=links.order_by("attached_at", "pk"), to_attr="seen_alerts"),
        Prefetch("entries", queryset=entries, to_attr="timeline"),
    )
    incident = get_for(rows, user=user, pk=key_of(number))
    plain = withholding.for_reader(user, [incident])
    incident.told_title = plain(incident.told_title)
    for link in incident.seen_alerts:
        link.alert.title = plain(link.alert.title)
    for entry in incident.timeline:
        entry.text = plain(entry.text)
    return dict(IncidentDetailSerializer(incident).data)


urlpatterns = [
    path("incidents/", Incidents.as_view()),
    path("incidents/<str:number>/", IncidentDetail.as_view()),
    re_path(r"^incidents/(?P<number>[^/]+)/impact/?$", IncidentImpact.as_view()),
]
