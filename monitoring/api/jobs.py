"""`/api/v1/jobs/` and `/api/v1/expected-runs/`: what should run, when, and what came of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Case, F, QuerySet, Value, When
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView

from monitoring.api.filters import FROM, TO, within, words
from monitoring.api.paging import NewestFirst
from monitoring.api.permissions import get_for
from monitoring.api.withheld import WITHHELD, OfTold, Withheld
from monitoring.models import BackupJob, BackupRun, ExpectedRun, JobSchedule
from monitoring.naming import is_told_all, told_rows


class ScheduleSerializer(serializers.ModelSerializer):
    class Meta:
        model = JobSchedule
        fields = ["rrule", "local_times", "zone", "starts_on", "early_tolerance_s", "grace_s"]


class LatestRunSerializer(serializers.ModelSerializer):
    class Meta:
        model = BackupRun
        fields = ["id", "state", "outcome", "occurred_at", "ended_at", "message"]


class JobSerializer(Withheld, serializers.ModelSerializer):
    emptied = {"tool": None, "external_id": "", "target_name": None, "repository_name": None}
    tool = serializers.CharField(source="tool.name", allow_null=True, help_text=WITHHELD)
    service = serializers.CharField(source="service.code", default=None, allow_null=True, help_text="Empty: no entry claims this job yet.")
    schedule = ScheduleSerializer(default=None, allow_null=True)
    latest_run = LatestRunSerializer(source="state.latest_run", default=None, allow_null=True)
    next_due_at = serializers.DateTimeField(source="state.next_due_at", default=None, allow_null=True)
    bad_streak = serializers.IntegerField(source="state.bad_streak", default=0, help_text="Bad occurrences in a row.")

    def to_representation(self, job: BackupJob) -> Any:
        told = super().to_representation(job)
        if told["tool"] is None and told["latest_run"]:
            told["latest_run"]["message"] = ""
        return told

    class Meta:
        model = BackupJob
        fields = [
            "id", "tool", "external_id", "name", "target_name", "repository_name", "profile", "declared", "service", "schedule",
            "latest_run", "next_due_at", "bad_streak", "first_seen_at", "last_seen_at",
        ]  # fmt: skip


class JobDetailSerializer(JobSerializer):
    ping_address = serializers.SerializerMethodField(help_text="Only for those who may see it: who knows it can report for this job.")

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "ping_address"]

    def get_ping_address(self, job: BackupJob) -> str | None:
        allowed = BackupJob.objects.visible_to(self.context["request"].user, "see_ping_address").filter(pk=job.pk)
        return f"{settings.BASE_URL}/ping/{job.ping_uuid}" if allowed.exists() else None


class JobFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="service__code", help_text="Code of the service.")
    tool = OfTold(field_name="tool__name", help_text="Name of the tool; finds nothing of tools that you are not told of.")
    unclaimed = filters.BooleanFilter(field_name="service", lookup_expr="isnull", help_text="true: only jobs that no entry claims.")
    q = OfTold(field_name="name", lookup_expr="icontains", help_text="Part of the name, of jobs behind which you are told of the tools.")


class Jobs(ListAPIView):
    """Jobs by tool and name. A job is a series; its executions are runs."""

    serializer_class = JobSerializer
    filterset_class = JobFilters
    queryset = BackupJob.objects.none()

    def get_queryset(self) -> QuerySet[BackupJob]:
        return _jobs(self.request.user)


class JobDetail(RetrieveAPIView):
    """One job."""

    serializer_class = JobDetailSerializer
    queryset = BackupJob.objects.none()

    def get_object(self) -> BackupJob:
        return get_for(_rows(), user=self.request.user, pk=self.kwargs["pk"])


def _rows() -> QuerySet[BackupJob]:
    return BackupJob.objects.select_related("tool", "service", "schedule", "state__latest_run").order_by("tool__name", "name", "pk")


def _jobs(user: Any) -> QuerySet[BackupJob]:
    rows = _rows().visible_to(user)
    if is_told_all(user):
        return rows
    told = told_rows(user)  # an order by names would tell of them
    names = [Case(When(told, then=F(name)), default=Value("")) for name in ("tool__name", "name")]
    return rows.order_by(*names, "pk")


class ExpectedRunSerializer(Withheld, serializers.ModelSerializer):
    owned_through = "job"
    service = serializers.CharField(source="job.service.code", default=None, allow_null=True)
    job_name = serializers.CharField(source="job.name")

    class Meta:
        model = ExpectedRun
        fields = [
            "id", "job", "job_name", "service", "due_at", "opens_at", "deadline_at", "local_on", "state", "run", "worst_outcome",
            "attempts", "backfilled", "counts", "excuse", "settled_at",
        ]  # fmt: skip


class ExpectedRunFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="job__service__code", help_text="Code of the service.")
    job = filters.NumberFilter(field_name="job", help_text="Id of the job.", max_value=2**63 - 1, min_value=1)
    state = words("state", ExpectedRun.State.values, "State")


class ExpectedRuns(ListAPIView):
    """The ledger: what was due, newest first. Missed is decided here, never by a tool."""

    serializer_class = ExpectedRunSerializer
    filterset_class = ExpectedRunFilters
    pagination_class = NewestFirst.by("due_at")
    queryset = ExpectedRun.objects.none()

    @extend_schema(parameters=[FROM, TO])
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ExpectedRun]:
        rows = ExpectedRun.objects.select_related("job__service").visible_to(self.request.user)
        return within(rows, self.request, "due_at")
