"""`/api/v1/rules/`: versions of rules, drafted, tried, sent and put in force; `/api/v1/unmatched/`: what no rule decides."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from catalogue.models import Service
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.time import now
from monitoring import ruling, unmatched
from monitoring.api.filters import words
from monitoring.api.permissions import get_for
from monitoring.api.relations import Conflict
from monitoring.api.withheld import OfTold, Withheld
from monitoring.conditions import FIELDS, MOST_CONDITIONS, OPERATORS
from monitoring.models import BackupJob, CauseRule, RuleVersion, Tool
from monitoring.trying import DAYS, Line, Trial, try_rule

MOST_LINES = 200
EVERY_FIELD = {**FIELDS["cause"], **FIELDS["attribution"]}


class ConditionSerializer(serializers.Serializer):
    field = serializers.ChoiceField(choices=list(EVERY_FIELD.items()))
    operator = serializers.ChoiceField(choices=list(OPERATORS.items()))
    value = serializers.CharField(max_length=512, help_text="A list is parted by commas; a pattern is RE2.")


class RuleSerializer(Withheld, serializers.ModelSerializer):
    emptied = {"tool": None, "conditions": []}
    conditions = ConditionSerializer(many=True)
    service = serializers.CharField(source="service.code", default=None, allow_null=True)
    tool = serializers.CharField(source="tool.name", default=None, allow_null=True)
    author = serializers.CharField(source="author.username")
    approver = serializers.CharField(source="approver.username", default=None, allow_null=True)
    sentence = serializers.CharField(source="told", help_text="What it says, in words.")
    seen = serializers.SerializerMethodField(help_text="Tells what was read: sent along with an approval.")

    class Meta:
        model = RuleVersion
        fields = [
            "id", "kind", "name", "number", "state", "position", "enabled", "conditions", "service", "tool", "valid_to", "title",
            "component", "sentence", "reason", "author", "sent_at", "approver", "approved_at", "decided", "seen",
        ]  # fmt: skip

    def get_seen(self, row: RuleVersion) -> str:
        return ruling.hash_of(row)


class DraftedRuleSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=RuleVersion.Kind.choices)
    name = serializers.CharField(max_length=120)
    reason = serializers.CharField(max_length=2_000)
    conditions = ConditionSerializer(many=True, required=False, max_length=MOST_CONDITIONS)
    position = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    enabled = serializers.BooleanField(required=False)
    service = serializers.CharField(max_length=40, required=False, help_text="The code of the service that jobs belong to.")
    tool = serializers.CharField(max_length=80, required=False, help_text="Only jobs of this tool.")
    valid_to = serializers.DateTimeField(required=False, allow_null=True)
    title = serializers.CharField(max_length=120, required=False, help_text="Completes the sentence: the backup fails because …")
    component = serializers.ChoiceField(choices=CauseRule.Component.choices, required=False)


class RuleDecisionSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000)
    seen = serializers.CharField(max_length=64, required=False, allow_blank=True, help_text="That of what was read.")


class LineSerializer(serializers.Serializer):
    mark = serializers.CharField(help_text="same, new, moved or lost; near; unmatched.")
    job = serializers.IntegerField(source="job.pk")
    job_name = serializers.CharField(source="job.name")
    run = serializers.IntegerField(source="run.pk", default=None, allow_null=True)
    before = serializers.SerializerMethodField(help_text="The rule that decides now.")
    after = serializers.SerializerMethodField(help_text="The rule that would decide.")
    why = serializers.CharField()

    def get_before(self, line: Line) -> str | None:
        return str(line.before) if line.before else None

    def get_after(self, line: Line) -> str | None:
        return str(line.after) if line.after else None


class TrialSerializer(serializers.Serializer):
    days = serializers.IntegerField()
    considered = serializers.IntegerField(help_text="Jobs, or failed runs behind alerts, that were compared.")
    cut = serializers.BooleanField(help_text="There are more than were compared.")
    matched = serializers.IntegerField()
    new = serializers.IntegerField()
    lost = serializers.IntegerField()
    taken = serializers.DictField(child=serializers.IntegerField(), help_text="Rule → how many it would lose to the draft.")
    unmatched = serializers.IntegerField(help_text="What no rule would take.")
    unmatched_before = serializers.IntegerField()
    incidents_before = serializers.IntegerField()
    incidents_after = serializers.IntegerField()
    lines = LineSerializer(many=True, help_text=f"The first {MOST_LINES}.")
    near = LineSerializer(many=True, help_text=f"The first {MOST_LINES}.")


class SuggestionSerializer(serializers.Serializer):
    job = serializers.IntegerField()
    job_name = serializers.CharField()
    tool = serializers.CharField()
    evidence = serializers.CharField()
    name = serializers.CharField(help_text="What the rule would be called.")
    service = serializers.CharField(allow_null=True, help_text="Null: nothing that is known speaks for one.")
    conditions = ConditionSerializer(many=True)


class RuleFilters(filters.FilterSet):
    kind = words("kind", RuleVersion.Kind.values, "Kind")
    state = words("state", RuleVersion.State.values, "State")
    name = OfTold(field_name="name", lookup_expr="icontains", help_text="Part of the name, of rules whose tools you are told of.")

    class Meta:
        model = RuleVersion
        fields: list[str] = []


class Rules(ListAPIView):
    """Versions of rules, by kind and name, the newest first; POST drafts one, or changes one's own draft."""

    queryset = RuleVersion.objects.none()
    serializer_class = RuleSerializer
    filterset_class = RuleFilters

    def get_queryset(self) -> QuerySet[RuleVersion]:
        rows = RuleVersion.objects.visible_to(self.request.user).select_related("service", "tool", "author", "approver")
        return rows.order_by("kind", "name", "-number")

    @extend_schema(operation_id="rules_draft", request=DraftedRuleSerializer, responses={201: RuleSerializer})
    def post(self, request: Any) -> Response:
        sent = DraftedRuleSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        told = dict(sent.validated_data)
        kind, name, reason = told.pop("kind"), told.pop("name"), told.pop("reason")
        if "service" in told:
            told["service"] = get_for(Service.objects.all(), user=request.user, code=told["service"])
        if "tool" in told:
            told["tool"] = get_for(Tool.objects.all(), user=request.user, name=told["tool"])
        row = _acted(ruling.draft_rule, kind=kind, name=name, content=told, by=request.user, at=now(), reason=reason)
        return Response(RuleSerializer(row, context={"request": request}).data, status=status.HTTP_201_CREATED)


def _acted(act: Any, **asked: Any) -> RuleVersion:
    try:
        row: RuleVersion = act(**asked)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None
    return row


def _row(request: Any, pk: int) -> RuleVersion:
    rows = RuleVersion.objects.select_related("service", "tool", "author", "approver")
    row: RuleVersion = get_for(rows, user=request.user, pk=pk)
    return row


class RuleDetail(GenericAPIView):
    """One version of a rule."""

    queryset = RuleVersion.objects.none()
    serializer_class = RuleSerializer

    @extend_schema(operation_id="rules_retrieve", responses=RuleSerializer)
    def get(self, request: Any, pk: int) -> Response:
        return Response(RuleSerializer(_row(request, pk), context={"request": request}).data)


class RuleTrial(GenericAPIView):
    """What a draft would have done in the last days, against the rules in force. It changes nothing."""

    queryset = RuleVersion.objects.none()
    serializer_class = TrialSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(
        operation_id="rules_trial", responses=TrialSerializer,
        parameters=[OpenApiParameter("days", OpenApiTypes.INT, enum=list(DAYS), description="30 when left out.")],
    )  # fmt: skip
    def get(self, request: Any, pk: int) -> Response:
        row, text = _row(request, pk), request.query_params.get("days", "30")
        if text not in map(str, DAYS):
            raise ParseError(f"days is one of {', '.join(map(str, DAYS))}.")
        if row.state != RuleVersion.State.DRAFT:
            raise Conflict(f"{row} is {row.get_state_display()}: only drafts are tried.")
        return Response(TrialSerializer(_told(try_rule(row=row, user=request.user, at=now(), days=int(text)))).data)


def _told(trial: Trial) -> dict[str, Any]:
    plain = ("days", "considered", "cut", "matched", "taken", "unmatched_before", "incidents_before", "incidents_after")
    counts = {"new": trial.count("new"), "lost": trial.count("lost"), "unmatched": len(trial.unmatched)}
    return {**{name: getattr(trial, name) for name in plain}, **counts, "lines": trial.lines[:MOST_LINES], "near": trial.near[:MOST_LINES]}


class _Decision(GenericAPIView):
    queryset = RuleVersion.objects.none()
    serializer_class = RuleDecisionSerializer
    act: Any = None

    def post(self, request: Any, pk: int) -> Response:
        row = _row(request, pk)
        sent = RuleDecisionSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        told = dict(sent.validated_data)
        seen = told.pop("seen", "")
        more = {"seen": seen} if type(self) is RuleApprove else {}
        _acted(type(self).act, row=row, by=request.user, at=now(), **told, **more)
        return Response(RuleSerializer(_row(request, pk), context={"request": request}).data)


@extend_schema(operation_id="rules_send", request=RuleDecisionSerializer, responses=RuleSerializer)
class RuleSend(_Decision):
    """Have one's own draft wait for approval."""

    act = staticmethod(ruling.send)


@extend_schema(operation_id="rules_approve", request=RuleDecisionSerializer, responses=RuleSerializer)
class RuleApprove(_Decision):
    """Put a draft in force that somebody else wrote and sent."""

    act = staticmethod(ruling.approve)


@extend_schema(operation_id="rules_give_up", request=RuleDecisionSerializer, responses=RuleSerializer)
class RuleGiveUp(_Decision):
    """Give a draft up; it stays readable."""

    act = staticmethod(ruling.give_up)


class Unmatched(ListAPIView):
    """Jobs that belong to no service, each with the rule that would fit."""

    queryset = BackupJob.objects.none()
    serializer_class = SuggestionSerializer
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet[BackupJob]:
        return unmatched.jobs_without_service(self.request.user)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        jobs = self.paginate_queryset(self.get_queryset()) or []
        found = unmatched.suggest(jobs, request.user)
        rows = [
            {
                "job": job.pk, "job_name": job.name, "tool": job.tool.name, "evidence": found[job.pk].evidence, "name": found[job.pk].name,
                "service": found[job.pk].service.code if found[job.pk].service else None,
                "conditions": [one._asdict() for one in found[job.pk].conditions],
            }
            for job in jobs
        ]  # fmt: skip
        return self.get_paginated_response(SuggestionSerializer(rows, many=True).data)
