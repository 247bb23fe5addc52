"""`/api/v1/escalation-policies/simulation/`: who would be told when. Tells nobody."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.models import Service
from incidents import choosing, simulating
from incidents.models import EscalationPolicy
from incidents.models.escalation import PRIORITIES
from itsm_backup.common.time import now
from monitoring.api.permissions import get_for

DAYS = [7, 30, 90]


class ToldSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    who = serializers.CharField()
    rule = serializers.CharField()
    kind = serializers.CharField()
    deferred_from = serializers.DateTimeField(allow_null=True, help_text="When it would have been but for quiet hours.")


class CourseSerializer(serializers.Serializer):
    incident = serializers.SerializerMethodField(help_text="None for a fault that is only supposed.")
    priority = serializers.CharField(source="incident.priority")
    service = serializers.CharField(source="incident.service.code", default=None, allow_null=True)
    differs = serializers.BooleanField()
    now = ToldSerializer(many=True, help_text="By the policies in force.")
    then = ToldSerializer(many=True, help_text="With the draft.")

    def get_incident(self, course: simulating.Course) -> str | None:
        return course.incident.number if course.incident.pk else None


class SimulationSerializer(serializers.Serializer):
    difference = serializers.ListField(child=serializers.CharField(), help_text="What the draft changes, in words.")
    courses = CourseSerializer(many=True)


class Simulation(GenericAPIView):
    """Who would be told when: of a fault of `service` now, or of the incidents of the last `days`, in force and with a draft."""

    queryset = EscalationPolicy.objects.none()
    serializer_class = SimulationSerializer

    @extend_schema(
        operation_id="escalation_simulate",
        parameters=[
            OpenApiParameter("service", str, description="Its code: a fault of it now. Without it past days are replayed."),
            OpenApiParameter("priority", str, enum=PRIORITIES, description="Of the fault; as the service stands without it."),
            OpenApiParameter("days", int, enum=DAYS, description="How many days are replayed; 90 without it."),
            OpenApiParameter("draft", OpenApiTypes.INT, description="A policy that is not enabled, as if it were."),
        ],
    )
    def get(self, request: Any) -> Response:
        if not request.user.has_perm("incidents.view_escalationpolicy"):
            raise PermissionDenied("Escalation policies are read by those who may see tools.")
        asked, at = request.query_params, now()
        draft = _draft(asked.get("draft", ""))
        if code := asked.get("service", ""):
            service = get_for(Service.objects.all(), user=request.user, code=code)
            priority = asked.get("priority", "")
            if priority and priority not in PRIORITIES:
                raise ParseError(f"{priority[:40]} is no priority. Write one of {', '.join(PRIORITIES)}.")
            courses = [simulating.fault_now(service=service, priority=priority, draft=draft, at=at)]
        else:
            courses = simulating.replay(user=request.user, days=_days(asked.get("days", "90")), draft=draft, at=at)
        told = {"difference": simulating.difference(courses) if draft and courses else [], "courses": courses}
        return Response(SimulationSerializer(told).data)


def _days(text: str) -> int:
    if text not in map(str, DAYS):
        raise ParseError(f"{text[:40]} days cannot be replayed. Write one of {', '.join(map(str, DAYS))}.")
    return int(text)


def _draft(text: str) -> EscalationPolicy | None:
    if not text:
        return None
    found = next((one for one in choosing.policies() if not one.enabled and str(one.pk) == text), None)
    if found is None:
        raise ParseError(f"There is no draft {text[:40]}. A draft is a policy that is not enabled.")
    return found
