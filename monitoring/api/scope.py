"""`/api/v1/scope/`: where each backup service stands in the catalogue, who decided that, and what waits for a decision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import scoping
from catalogue.models import ScopeDecision, ScopeLine, Service, ServiceVersion
from catalogue.refusing import NotAllowed, Refused
from itsm_backup.common.time import now
from monitoring import discovering
from monitoring import scoping as discovered
from monitoring.api.duties import Conflict
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.models import BackupJob

ANSWER = {"choices": ScopeDecision.Answer.choices, "default": ScopeDecision.Answer.UNKNOWN}


class AnswersSerializer(serializers.Serializer):
    customers = serializers.ChoiceField(**ANSWER, help_text=scoping.QUESTIONS["customers"])
    agreement = serializers.ChoiceField(**ANSWER, help_text=scoping.QUESTIONS["agreement"])
    commitments = serializers.ChoiceField(**ANSWER, help_text=scoping.QUESTIONS["commitments"])
    consumers = serializers.ChoiceField(**ANSWER, help_text=scoping.QUESTIONS["consumers"])
    regulated = serializers.ChoiceField(**ANSWER, help_text=scoping.QUESTIONS["regulated"])


class DecisionSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=ScopeDecision.Outcome.choices)
    entry = serializers.CharField(allow_null=True, help_text="Code of the entry that it is, or that carries it.")
    hosting = serializers.ChoiceField(choices=ServiceVersion.Hosting.choices)
    provider = serializers.CharField()
    answers = AnswersSerializer()
    reason = serializers.CharField()
    review_on = serializers.DateField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()


class ScopeSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    decision = DecisionSerializer(allow_null=True, help_text="The one that holds; null while nobody has decided.")


class DecideSerializer(serializers.Serializer):
    outcome = serializers.ChoiceField(choices=ScopeDecision.Outcome.choices)
    entry = serializers.CharField(max_length=40, required=False, allow_null=True, default=None, help_text="Code of a published entry.")
    hosting = serializers.ChoiceField(choices=ServiceVersion.Hosting.choices)
    provider = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    answers = AnswersSerializer()
    review_on = serializers.DateField(help_text="By then somebody decides again.")
    reason = serializers.CharField(max_length=2_000)


class DecideAgainSerializer(DecideSerializer):
    replaces = serializers.IntegerField(
        allow_null=True, min_value=1, max_value=2**63 - 1, help_text="Id of the decision that you have read; null when there is none."
    )


class DecideNewSerializer(DecideSerializer):
    name = serializers.CharField(max_length=160, help_text="What people call the backup service.")
    job = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1,
        help_text="The `job` of something discovered that becomes this backup service.",
    )  # fmt: skip


class DiscoveredSerializer(serializers.Serializer):
    job = serializers.IntegerField(help_text="Id of the job known longest; names it when deciding.")
    tool = serializers.CharField()
    repository = serializers.CharField(help_text="Empty for a job that names none.")
    name = serializers.CharField()
    since = serializers.DateTimeField()
    jobs = serializers.IntegerField()
    proposal = serializers.ChoiceField(choices=ScopeDecision.Outcome.choices, help_text="What the answers speak for.")
    answers = AnswersSerializer(help_text="What the data answer by themselves.")
    evidence = serializers.ListField(child=serializers.CharField())


def shown(row: ScopeDecision) -> dict[str, Any]:
    plain = ("id", "outcome", "hosting", "provider", "answers", "reason", "review_on", "decided_at")
    told = {name: getattr(row, name) for name in plain}
    return {**told, "entry": row.entry.code if row.entry else None, "decided_by": row.decided_by.get_username()}


def _with_decisions(lines: list[ScopeLine], at: dt.datetime) -> list[dict[str, Any]]:
    current = ScopeDecision.objects.current(at).filter(line__in=[line.pk for line in lines]).select_related("entry", "decided_by")
    held = {row.line_id: shown(row) for row in current}
    return [{"id": line.pk, "name": line.name, "decision": held.get(line.pk)} for line in lines]


def _acted(act: Callable[..., ScopeDecision], **asked: Any) -> ScopeDecision:
    try:
        return act(**asked)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None


def _asked(request: Any, kind: type[serializers.Serializer]) -> dict[str, Any]:
    """What was sent, with the entry found; the rest as the act takes it."""
    sent = kind(data=request.data)
    sent.is_valid(raise_exception=True)
    asked = dict(sent.validated_data)
    code = asked.pop("entry")
    entry = get_for(Service.objects.all(), user=request.user, code=code) if code else None
    return {**asked, "entry": entry, "answers": dict(asked["answers"]), "by": request.user, "at": now()}


class ScopeRegister(GenericAPIView):
    """Backup services of the scope register, by name, each with the decision that holds."""

    queryset = ScopeLine.objects.none()
    serializer_class = ScopeSerializer
    filter_backends: list[Any] = []
    _OUTCOME = OpenApiParameter("outcome", OpenApiTypes.STR, description="listed, referenced, excluded or undecided.")

    @extend_schema(operation_id="scope_list", parameters=[_OUTCOME, AS_OF], responses=ScopeSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        wanted = request.query_params.get("outcome", "")
        if wanted not in ("", "undecided", *ScopeDecision.Outcome.values):
            raise ParseError("outcome must be listed, referenced, excluded or undecided.")
        rows = ScopeLine.objects.visible_to(request.user).filter(created_at__lte=at).order_by("name")
        current = ScopeDecision.objects.current(at)
        if wanted == "undecided":
            rows = rows.exclude(pk__in=current.values("line"))
        elif wanted:
            rows = rows.filter(pk__in=current.filter(outcome=wanted).values("line"))
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(ScopeSerializer(_with_decisions(list(page), at), many=True).data)

    @extend_schema(operation_id="scope_decide_new", request=DecideNewSerializer, responses={201: ScopeSerializer})
    def post(self, request: Any) -> Response:
        asked = _asked(request, DecideNewSerializer)
        job = asked.pop("job")
        if job is None:
            made = _acted(scoping.decide_new, **asked)
        else:
            waiting = discovering.unclaimed(BackupJob.objects.visible_to(request.user), asked["at"])
            thing = discovering.thing_at(waiting, job, asked["at"])
            if thing is None:
                raise NotFound(f"There is no job {job} that you may see and that waits for a decision.")
            made = _acted(discovered.decide_discovered, thing=thing, **asked)
        answer = {"id": made.line_id, "name": made.line.name, "decision": shown(made)}
        return Response(ScopeSerializer(answer).data, status=status.HTTP_201_CREATED)


class ScopeDecisions(GenericAPIView):
    """All decisions on one backup service, newest first; and deciding again."""

    queryset = ScopeDecision.objects.none()
    serializer_class = DecisionSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="scope_decisions_list", parameters=[AS_OF], responses=DecisionSerializer(many=True))
    def get(self, request: Any, pk: int) -> Response:
        at, _ = moment_of(request)
        line = get_for(ScopeLine.objects.all(), user=request.user, pk=pk)
        rows = line.decisions.filter(decided_at__lte=at).select_related("entry", "decided_by").order_by("-decided_at")
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(DecisionSerializer([shown(row) for row in page], many=True).data)

    @extend_schema(operation_id="scope_decide", request=DecideAgainSerializer, responses={201: DecisionSerializer})
    def post(self, request: Any, pk: int) -> Response:
        line = get_for(ScopeLine.objects.all(), user=request.user, pk=pk)
        asked = _asked(request, DecideAgainSerializer)
        made = _acted(scoping.decide_scope, line=line, seen=asked.pop("replaces"), **asked)
        return Response(DecisionSerializer(shown(made)).data, status=status.HTTP_201_CREATED)


class Discovered(GenericAPIView):
    """Repositories and jobs that tools discovered and that stand in no decision, with what the answers speak for."""

    queryset = BackupJob.objects.none()
    serializer_class = DiscoveredSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="scope_discovered_list", parameters=[AS_OF], responses=DiscoveredSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        waiting = discovering.things(discovering.unclaimed(BackupJob.objects.visible_to(request.user), at), at)
        found = [discovering.thing_of(row) for row in self.paginate_queryset(waiting) or []]
        said = discovering.evidence_of(found, at)
        rows = [_discovered(thing, said[thing.job_id]) for thing in found]
        return self.get_paginated_response(DiscoveredSerializer(rows, many=True).data)


def _discovered(thing: discovering.Thing, said: dict[str, scoping.Said]) -> dict[str, Any]:
    answers = {name: one.answer for name, one in said.items()}
    known = [one.because for one in said.values() if one.answer != ScopeDecision.Answer.UNKNOWN]
    plain = {"tool": thing.tool, "repository": thing.repository, "name": thing.name, "since": thing.since, "jobs": thing.jobs}
    return {**plain, "job": thing.job_id, "proposal": scoping.propose(answers).outcome, "answers": answers, "evidence": known}
