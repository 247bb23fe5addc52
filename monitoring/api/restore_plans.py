"""`/api/v1/restore-plans/`: restore tests that people plan, record and verify."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from itsm_backup.common.time import now
from monitoring import testing_restores
from monitoring.api.duties import ReasonSerializer, acted, checked, person_named
from monitoring.api.filters import words
from monitoring.api.paging import NewestFirst
from monitoring.api.permissions import get_for
from monitoring.api.withheld import Withheld
from monitoring.models import BackupJob, RestorePlan, RestoreTest


class RestorePlanSerializer(Withheld, serializers.ModelSerializer):
    owned_through = "job"
    service = serializers.CharField(source="service.code")
    job_name = serializers.CharField(source="job.name")
    tester = serializers.CharField(source="tester.username")
    verified_by = serializers.CharField(source="verified_by.username", default=None, allow_null=True)
    outcome = serializers.CharField(help_text="passed or failed; empty before it is recorded.")
    duration_s = serializers.SerializerMethodField(help_text="Measured recovery time; null before it is recorded.")

    class Meta:
        model = RestorePlan
        fields = [
            "id", "service", "job", "job_name", "scope", "planned_on", "tester", "place", "state", "made_at", "started_at", "ended_at",
            "duration_s", "outcome", "compared", "remark", "recorded_at", "verified_by", "verified_at", "finding", "run",
        ]  # fmt: skip

    def get_duration_s(self, plan: RestorePlan) -> int | None:
        return int((plan.ended_at - plan.started_at).total_seconds()) if plan.started_at and plan.ended_at else None


class NewPlanSerializer(serializers.Serializer):
    job = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="Id of the job whose copies are restored.")
    scope = serializers.ChoiceField(choices=RestoreTest.Scope.choices, default="full")
    planned_on = serializers.DateField()
    tester = serializers.CharField(max_length=150, help_text="Account name of who runs it and records what came of it.")
    place = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    reason = serializers.CharField(max_length=1_000, help_text="Kept with its history.")


class ResultSerializer(serializers.Serializer):
    started_at = serializers.DateTimeField(help_text="When the restore was asked for.")
    ended_at = serializers.DateTimeField(help_text="When the service could use what came back, or when it was given up.")
    outcome = serializers.ChoiceField(choices=["passed", "failed"])
    compared = serializers.BooleanField(
        allow_null=True, default=None, help_text="Whether it was compared and right; null: nobody compared."
    )
    remark = serializers.CharField(max_length=2_000, help_text="What was restored, and how it was compared.")


class FindingSerializer(serializers.Serializer):
    agrees = serializers.BooleanField(help_text="false: it proves nothing.")
    finding = serializers.CharField(max_length=2_000, help_text="What you looked at.")


class RestorePlanFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="service__code", help_text="Code of the service.")
    state = words("state", RestorePlan.State.values, "State")
    overdue = filters.BooleanFilter(method="only_overdue", help_text="true: planned for a day that is over, and nothing was recorded.")

    def only_overdue(self, rows: QuerySet[RestorePlan], name: str, value: bool) -> QuerySet[RestorePlan]:
        late = RestorePlan.objects.overdue(now().date())
        return rows.filter(pk__in=late.values("pk")) if value else rows.exclude(pk__in=late.values("pk"))


def _plans() -> QuerySet[RestorePlan]:
    return RestorePlan.objects.select_related("service", "job", "tester", "verified_by")


class RestorePlans(GenericAPIView):
    """Restore tests by people on services that you may see, newest first. A POST plans one."""

    queryset = RestorePlan.objects.none()
    serializer_class = RestorePlanSerializer
    filterset_class = RestorePlanFilters
    pagination_class = NewestFirst.by("made_at")

    @extend_schema(operation_id="restore_plans_list", responses=RestorePlanSerializer(many=True))
    def get(self, request: Any) -> Response:
        rows = self.filter_queryset(_plans().visible_to(request.user))  # type: ignore[attr-defined]
        return self.get_paginated_response(
            RestorePlanSerializer(self.paginate_queryset(rows), many=True, context={"request": request}).data
        )

    @extend_schema(operation_id="restore_plans_create", request=NewPlanSerializer, responses={201: RestorePlanSerializer, 409: None})
    def post(self, request: Any) -> Response:
        asked = checked(NewPlanSerializer, request)
        job = BackupJob.objects.visible_to(request.user).select_related("service").filter(pk=asked.pop("job")).first()
        if job is None:
            raise ValidationError({"job": ["There is no such job that you may see."]})
        tester = person_named("tester", asked.pop("tester"))
        made = acted(testing_restores.plan, job=job, tester=tester, **asked, by=request.user, at=now())
        return Response(RestorePlanSerializer(made, context={"request": request}).data, status=status.HTTP_201_CREATED)


class RestorePlanDetail(GenericAPIView):
    """One restore test by people."""

    queryset = RestorePlan.objects.none()
    serializer_class = RestorePlanSerializer

    @extend_schema(operation_id="restore_plans_retrieve")
    def get(self, request: Any, pk: int) -> Response:
        return Response(RestorePlanSerializer(get_for(_plans(), user=request.user, pk=pk), context={"request": request}).data)


class RecordRestore(GenericAPIView):
    """Its tester says what came of it; it becomes a run."""

    queryset = RestorePlan.objects.none()

    @extend_schema(operation_id="restore_plans_record", request=ResultSerializer, responses={200: RestorePlanSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        return _after(testing_restores.record, ResultSerializer, request, pk)


class VerifyRestore(GenericAPIView):
    """Somebody else than the tester says whether it is as recorded; before that it proves nothing."""

    queryset = RestorePlan.objects.none()

    @extend_schema(operation_id="restore_plans_verify", request=FindingSerializer, responses={200: RestorePlanSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        return _after(testing_restores.verify, FindingSerializer, request, pk)


class CancelRestore(GenericAPIView):
    """It does not take place."""

    queryset = RestorePlan.objects.none()

    @extend_schema(operation_id="restore_plans_cancel", request=ReasonSerializer, responses={200: RestorePlanSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        return _after(testing_restores.cancel, ReasonSerializer, request, pk)


def _after(act: Any, form: type[serializers.Serializer], request: Any, pk: int) -> Response:
    row = get_for(_plans(), user=request.user, pk=pk)
    acted(act, row=row, **checked(form, request), by=request.user, at=now())
    return Response(RestorePlanSerializer(_plans().get(pk=pk), context={"request": request}).data)
