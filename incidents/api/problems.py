"""`/api/v1/problems/` and `/api/v1/known-errors/`: what comes again, why, and what helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import path, re_path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from catalogue.models import Service
from incidents import accepting, assigning, hitting, knowing, solving, working
from incidents.api.acts import Conflict, TextField
from incidents.models import Incident, KnownError, Problem, ProblemEntry, RiskAcceptance
from itsm_backup.common.time import now
from monitoring.api.filters import words
from monitoring.api.permissions import get_for

_PROBLEM, _KNOWN = (re.compile(rf"(?:{prefix}-)?(\d{{1,18}})", re.IGNORECASE | re.ASCII) for prefix in ("PRB", "KE"))


class ProblemEntrySerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username", default=None, allow_null=True)

    class Meta:
        model = ProblemEntry
        fields = ["at", "text", "by"]


class ProblemSerializer(serializers.ModelSerializer):
    number = serializers.CharField()
    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True)
    because = serializers.ListField(child=serializers.DictField(), help_text="Why it was proposed: each reason in words with its counts.")

    class Meta:
        model = Problem
        fields = [
            "number", "title", "signature", "service_type", "state", "outcome", "because", "root_cause", "workaround", "permanent_fix",
            "assignee", "proposed_at", "fixed_at", "muted_until", "closed_at", "updated_at",
        ]  # fmt: skip


class RiskSerializer(serializers.ModelSerializer):
    owner, asked_by = serializers.CharField(source="owner.username"), serializers.CharField(source="asked_by.username")
    answered_by = serializers.CharField(source="answered_by.username", default=None, allow_null=True)

    class Meta:
        model = RiskAcceptance
        fields = ["until", "owner", "reason", "asked_by", "asked_at", "granted", "answered_by", "answered_at", "ended_at"]


class ProblemDetailSerializer(ProblemSerializer):
    incidents = serializers.SerializerMethodField(help_text="Numbers of its incidents that you may see, the newest first.")
    services = serializers.SerializerMethodField(help_text="Codes of all services that these incidents hit and you may see.")
    services_hidden = serializers.SerializerMethodField(help_text="How many more they hit that you may not see.")
    timeline = ProblemEntrySerializer(source="entries", many=True)
    risks = RiskSerializer(source="acceptances", many=True, help_text="What was asked for its risk, the newest first.")

    class Meta(ProblemSerializer.Meta):
        fields = [*ProblemSerializer.Meta.fields, "incidents", "services", "services_hidden", "risks", "timeline"]

    def get_incidents(self, row: Problem) -> list[str]:
        return [one.number for one in self._incidents(row).order_by("-known_at", "-pk")]

    def get_services(self, row: Problem) -> list[str]:
        return list(self._seen(row).order_by("code").values_list("code", flat=True))

    def get_services_hidden(self, row: Problem) -> int:
        return len(self._hit(row)) - self._seen(row).count()

    def _incidents(self, row: Problem) -> QuerySet[Incident]:
        return Incident.objects.visible_to(self.context["user"]).filter(problem_incidents__problem=row)

    def _hit(self, row: Problem) -> set[int]:
        return set().union(*hitting.services_hit(self._incidents(row).exclude(state="cancelled")).values())

    def _seen(self, row: Problem) -> QuerySet[Service]:
        return Service.objects.visible_to(self.context["user"]).filter(pk__in=self._hit(row))


class ProblemStepSerializer(serializers.Serializer):
    state = serializers.ChoiceField(choices=[one for one in Problem.State.values if one != "proposed"])
    reason = TextField(max_length=2_000, required=False, allow_blank=True, default="")


class ProblemTextsSerializer(serializers.Serializer):
    root_cause = TextField(max_length=4_000, required=False, allow_blank=True)
    workaround = TextField(max_length=4_000, required=False, allow_blank=True)
    permanent_fix = TextField(max_length=200, required=False, allow_blank=True, help_text="The change that removes the cause.")


class RiskAskedSerializer(serializers.Serializer):
    until = serializers.DateField(help_text="The last day on which it holds, within a year.")
    owner = TextField(max_length=150, help_text="User name of who answers for it.")
    reason = TextField(max_length=2_000)


class RiskAnswerSerializer(serializers.Serializer):
    granted = serializers.BooleanField()
    reason = TextField(max_length=2_000, required=False, allow_blank=True, default="", help_text="Why it is refused.")


class KnownErrorSerializer(serializers.ModelSerializer):
    number = serializers.CharField()
    problem = serializers.CharField(source="problem.number", default=None, allow_null=True)
    helped = serializers.IntegerField(help_text="With how many incidents it helped.")
    failed = serializers.IntegerField(help_text="With how many it did not.")

    class Meta:
        model = KnownError
        fields = [
            "number", "title", "signature", "state", "symptom", "root_cause", "workaround", "problem", "review_on", "helped", "failed",
        ]  # fmt: skip


class FeedbackSerializer(serializers.Serializer):
    incident = TextField(max_length=24, help_text="Number of the incident, such as INC-0042.")
    helped = serializers.BooleanField()
    corrects = serializers.BooleanField(required=False, default=False, help_text="In place of what was said before.")


class ProblemFilters(filters.FilterSet):
    state = words("state", Problem.State.values, "State")


class KnownErrorFilters(filters.FilterSet):
    state = words("state", KnownError.State.values, "State")
    q = filters.CharFilter(method="with_words", help_text="Words of title, symptom, cause, workaround or signature.")

    def with_words(self, rows: Any, name: str, value: str) -> QuerySet[KnownError]:
        for word in value.split()[:10]:
            found = Q()
            for field in ("title", "symptom", "root_cause", "workaround", "signature"):
                found |= Q(**{f"{field}__icontains": word})
            rows = rows.filter(found)
        return rows  # type: ignore[no-any-return]


class Problems(ListAPIView):
    """Problems, the latest change first."""

    serializer_class = ProblemSerializer
    filterset_class = ProblemFilters
    queryset = Problem.objects.none()

    def get_queryset(self) -> QuerySet[Problem]:
        return _problems(self.request.user).order_by("-updated_at", "-pk")


class ProblemDetail(GenericAPIView):
    """One problem with its incidents and its story."""

    serializer_class = ProblemDetailSerializer
    queryset = Problem.objects.none()

    @extend_schema(operation_id="problems_retrieve")
    def get(self, request: Any, number: str) -> Response:
        return Response(_problem_detail(request.user, number))


class ProblemStep(GenericAPIView):
    """Accept, reject, or move it on."""

    serializer_class = ProblemStepSerializer
    queryset = Problem.objects.none()

    @extend_schema(operation_id="problems_state", responses={200: ProblemDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        return _on_problem(request, number, solving.move, to=said["state"], reason=said["reason"])


class ProblemTexts(GenericAPIView):
    """Write down root cause, workaround or permanent fix."""

    serializer_class = ProblemTextsSerializer
    queryset = Problem.objects.none()

    @extend_schema(operation_id="problems_write", responses={200: ProblemDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return _on_problem(request, number, solving.write, **_sent(self, request))


class AskRisk(GenericAPIView):
    """Ask that its risk is accepted until a day; somebody else grants it."""

    serializer_class = RiskAskedSerializer
    queryset = Problem.objects.none()

    @extend_schema(operation_id="problems_risk", responses={200: ProblemDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        owner = assigning.workers().filter(username=said["owner"]).first()
        if owner is None:
            raise ValidationError({"owner": ["Name somebody who may work on incidents."]})
        return _on_problem(request, number, accepting.ask, **{**said, "owner": owner})


class AnswerRisk(GenericAPIView):
    """Grant what was asked for, which closes the problem, or refuse it with a reason; not who asked for it or owns it."""

    serializer_class = RiskAnswerSerializer
    queryset = Problem.objects.none()

    @extend_schema(operation_id="problems_risk_answer", responses={200: ProblemDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = _sent(self, request)
        found = get_for(Problem.objects.all(), user=request.user, action="change", pk=_key(_PROBLEM, number))
        waiting = found.acceptances.filter(granted=None).first()
        if waiting is None:
            raise Conflict(f"Nobody asked to accept the risk of {found.number}, or it was answered meanwhile.")
        _done(accepting.answer, acceptance=waiting, by=request.user, at=now(), **said)
        return Response(_problem_detail(request.user, number))


class KnownErrors(ListAPIView):
    """Known errors by title, with how often each helped."""

    serializer_class = KnownErrorSerializer
    filterset_class = KnownErrorFilters
    queryset = KnownError.objects.none()

    def get_queryset(self) -> QuerySet[KnownError]:
        rows: QuerySet[KnownError] = knowing.rated(KnownError.objects.visible_to(self.request.user))
        return rows.select_related("problem").order_by("title", "pk")


class SayFeedback(GenericAPIView):
    """Say whether it helped with an incident, once; or correct what was said."""

    serializer_class = FeedbackSerializer
    queryset = KnownError.objects.none()

    @extend_schema(operation_id="known_errors_feedback", responses={200: KnownErrorSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        from incidents.api.incidents import key_of

        said = _sent(self, request)
        found = get_for(KnownError.objects.all(), user=request.user, pk=_key(_KNOWN, number))
        incident = get_for(Incident.objects.all(), user=request.user, action="change", pk=key_of(said["incident"]))
        _done(knowing.say, **{**said, "known_error": found, "incident": incident}, by=request.user, at=now())
        return Response(KnownErrorSerializer(knowing.rated(KnownError.objects.filter(pk=found.pk)).get()).data)


def _sent(view: GenericAPIView, request: Any) -> dict[str, Any]:
    serializer = view.get_serializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _on_problem(request: Any, number: str, act: Callable[..., Any], **said: Any) -> Response:
    found = get_for(Problem.objects.all(), user=request.user, action="change", pk=_key(_PROBLEM, number))
    _done(act, problem=found, by=request.user, at=now(), **said)
    return Response(_problem_detail(request.user, number))


def _done(act: Callable[..., Any], **said: Any) -> None:
    try:
        act(**said)
    except working.NotPossible as error:
        raise Conflict(str(error)) from None


def _key(pattern: re.Pattern[str], number: str) -> int:
    match = pattern.fullmatch(number)
    if match is None:
        raise NotFound(f"{number[:40]} is no number that is known here.")
    return int(match.group(1))


def _problems(user: Any) -> QuerySet[Problem]:
    may = user.has_perm("incidents.view_problem")
    return Problem.objects.visible_to(user).select_related("assignee") if may else Problem.objects.none()


def _problem_detail(user: Any, number: str) -> dict[str, Any]:
    rows = Problem.objects.select_related("assignee").prefetch_related(
        "entries__by", *(f"acceptances__{one}" for one in ("owner", "asked_by", "answered_by"))
    )
    found = get_for(rows, user=user, pk=_key(_PROBLEM, number))
    return dict(ProblemDetailSerializer(found, context={"user": user}).data)


urlpatterns = [
    path("problems/", Problems.as_view()),
    path("problems/<str:number>/", ProblemDetail.as_view()),
    re_path(r"^problems/(?P<number>[^/]+)/state/?$", ProblemStep.as_view()),
    re_path(r"^problems/(?P<number>[^/]+)/texts/?$", ProblemTexts.as_view()),
    re_path(r"^problems/(?P<number>[^/]+)/risk/?$", AskRisk.as_view()),
    re_path(r"^problems/(?P<number>[^/]+)/risk/answer/?$", AnswerRisk.as_view()),
    path("known-errors/", KnownErrors.as_view()),
    re_path(r"^known-errors/(?P<number>[^/]+)/feedback/?$", SayFeedback.as_view()),
]
