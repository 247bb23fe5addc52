"""The acts of those who work on incidents: what the pages can do, by API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import re_path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue.models import Team
from incidents import assigning, merging, overruling, working
from incidents.api.incidents import IncidentDetailSerializer, detail_of, key_of
from incidents.models import Incident
from incidents.models.escalation import PRIORITIES
from itsm_backup.common.time import now
from monitoring.api.permissions import get_for
from monitoring.models import Alert

STATES = ["in_progress", "on_hold", "cancelled", "closed"]


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The incident does not allow this now."
    default_code = "conflict"


class TextField(serializers.CharField):
    """Text that is sent as text: a number is refused, not written down as words."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Send a text, in quotation marks.")
        return str(super().to_internal_value(data))


class WordsSerializer(serializers.Serializer):
    text = TextField(max_length=4_000, help_text="What to write into the timeline.")


class AcknowledgementSerializer(serializers.Serializer):
    until = serializers.DateTimeField(
        required=False,
        help_text="When it lapses unless it is over or on hold, at most 30 days ahead: then who is told next is told after all.",
    )


class ResolutionSerializer(serializers.Serializer):
    resolution = serializers.ChoiceField(choices=[(one.value, one.label) for one in working.BY_HAND], help_text="How it ended.")
    cause = serializers.ChoiceField(choices=Incident.CauseCategory.choices, help_text="What kind of cause it had.")
    reason = TextField(max_length=4_000, help_text="Why it is over although no evidence shows it yet.")


class HandingSerializer(serializers.Serializer):
    assignee = TextField(max_length=150, required=False, help_text="User name of somebody who may work on incidents.")
    team = TextField(max_length=120, required=False, help_text="Name of a team; then it is nobody's until one of it takes it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"assignee": ["Send either assignee or team."]})
        return attrs


class StepSerializer(serializers.Serializer):
    state = serializers.ChoiceField(choices=STATES, help_text="in_progress goes on with what was on hold, and reopens what was over.")
    reason = TextField(max_length=4_000, required=False, allow_blank=True, default="")


class MergeSerializer(serializers.Serializer):
    into = TextField(max_length=24, help_text="Number of the incident that it is the same as.")
    reason = TextField(max_length=4_000)


class SplitSerializer(serializers.Serializer):
    alerts = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), min_length=1, max_length=500)
    reason = TextField(max_length=4_000)


class PrioritySerializer(serializers.Serializer):
    priority = serializers.ChoiceField(choices=["", *PRIORITIES], help_text="Empty: what is reckoned counts again.", allow_blank=True)
    reason = TextField(max_length=4_000)


ANSWERS = {200: IncidentDetailSerializer, 409: None}


class Act(GenericAPIView):
    queryset = Incident.objects.none()


class Acknowledge(Act):
    """Take it: in progress, assigned to you, its alerts acknowledged; for good, or until an instant."""

    serializer_class = AcknowledgementSerializer

    @extend_schema(operation_id="incidents_acknowledge", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "change", working.take, **_sent(self, request))


class Note(Act):
    """Write a line into the timeline."""

    serializer_class = WordsSerializer

    @extend_schema(operation_id="incidents_note", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "change", working.note, **_sent(self, request))


class Assign(Act):
    """Hand it to somebody who may work on incidents, or to a team."""

    serializer_class = HandingSerializer

    @extend_schema(operation_id="incidents_assign", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        if "team" in said:
            team = Team.objects.visible_to(request.user).filter(name=said["team"]).first()
            if team is None:
                raise ValidationError({"team": [f"There is no team {said['team']} that you may see."]})
            return _acted(request, number, "change", assigning.assign_team, team=team)
        person = assigning.workers().filter(username=said["assignee"]).first()
        if person is None:
            raise ValidationError({"assignee": ["Name somebody who may work on incidents."]})
        return _acted(request, number, "change", assigning.assign, assignee=person)


class Step(Act):
    """Put it on hold, go on, cancel it, close it, or reopen what was over, up to 7 days after its end."""

    serializer_class = StepSerializer

    @extend_schema(operation_id="incidents_state", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        return _acted(request, number, "change", working.move, to=said["state"], reason=said["reason"])


class Resolve(Act):
    """Resolve it by hand: how it ended, what kind of cause, and why. Evidence resolves incidents by itself."""

    serializer_class = ResolutionSerializer

    @extend_schema(operation_id="incidents_resolve", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "resolve", working.move, to="resolved", **_sent(self, request))


class Priority(Act):
    """Set another priority than the one that is reckoned; it holds until the reckoned one rises."""

    serializer_class = PrioritySerializer

    @extend_schema(operation_id="incidents_priority", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        return _acted(request, number, "change", overruling.set_priority, **_sent(self, request))


class Merge(Act):
    """It is the same as another one: its alerts go there. Answers with the other one."""

    serializer_class = MergeSerializer

    @extend_schema(operation_id="incidents_merge", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        into = get_for(Incident.objects.all(), user=request.user, action="change", pk=key_of(said["into"]))
        return _acted(request, number, "change", merging.merge, shows=into, into=into, reason=said["reason"])


class Split(Act):
    """These alerts have another cause: they become an incident of their own. Answers with the new one."""

    serializer_class = SplitSerializer

    @extend_schema(operation_id="incidents_split", responses=ANSWERS)
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        seen = Alert.objects.visible_to(request.user).filter(pk__in=said["alerts"]).values_list("pk", flat=True)
        return _acted(request, number, "change", merging.split, shows=RESULT, alerts=list(seen), reason=said["reason"])


RESULT = object()  # what the act returns is shown


def _sent(view: GenericAPIView, request: Any) -> dict[str, Any]:
    """What the body says; raises ValidationError naming what is missing."""
    serializer = view.get_serializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _acted(request: Any, number: str, action: str, act: Callable[..., Any], shows: Any = None, **said: Any) -> Response:
    """One act on an incident on which the user may do `action`, and the incident as it is then, or the other one it `shows`."""
    incident = get_for(Incident.objects.all(), user=request.user, action=action, pk=key_of(number))
    try:
        result = act(incident=incident, by=request.user, at=now(), **said)
    except working.NotPossible as error:
        raise Conflict(str(error)) from None
    shown = result if shows is RESULT else shows or incident
    return Response(detail_of(request.user, shown.number))


urlpatterns = [
    re_path(rf"^incidents/(?P<number>[^/]+)/{name}/?$", view.as_view())
    for name, view in (
        ("acknowledge", Acknowledge),
        ("note", Note),
        ("assign", Assign),
        ("state", Step),
        ("resolve", Resolve),
        ("priority", Priority),
        ("merge", Merge),
        ("split", Split),
    )
]
