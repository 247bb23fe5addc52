"""`/api/v1/runs`: what happened. POST brings runs in bulk, GET lists them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.response import Response

from monitoring.api.filters import FROM, TO, within, words
from monitoring.api.intake import take_runs
from monitoring.api.paging import NewestFirst
from monitoring.api.permissions import get_for
from monitoring.api.run_schema import BODIES
from monitoring.api.withheld import WITHHELD, OfTold, Withheld
from monitoring.models import BackupRun


class RunSerializer(Withheld, serializers.ModelSerializer):
    emptied = {"tool": None, "job_external_id": "", "external_id": "", "artefact_id": "", "message": ""}
    tool = serializers.CharField(source="tool.name", allow_null=True, help_text=WITHHELD)
    service = serializers.CharField(source="service.code", default=None, allow_null=True)
    job_name = serializers.CharField(source="job.name")
    job_external_id = serializers.CharField(source="job.external_id")
    duration_s = serializers.SerializerMethodField(help_text="From start to end; null when one of them is not known.")

    class Meta:
        model = BackupRun
        fields = [
            "id", "tool", "service", "job", "job_name", "job_external_id", "external_id", "evidence_kind", "operation", "level",
            "state", "outcome", "occurred_at", "started_at", "ended_at", "captured_at", "duration_s", "time_quality", "exit_code",
            "bytes_source", "bytes_stored", "files_total", "files_failed", "rows_total", "encrypted", "verified", "artefact_id", "message",
            "first_seen_at", "changed_at", "answer", "answer_index",
        ]  # fmt: skip

    def get_duration_s(self, run: BackupRun) -> float | None:
        return (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None


class RunFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="service__code", help_text="Code of the service.")
    job = filters.NumberFilter(field_name="job", help_text="Id of the job.", max_value=2**63 - 1, min_value=1)
    tool = OfTold(field_name="tool__name", help_text="Name of the tool; finds nothing of tools that you are not told of.")
    outcome = words("outcome", BackupRun.Outcome.values, "Outcome")
    operation = filters.CharFilter(field_name="operation", help_text="backup, verify, restore …")


class TakenResult(serializers.Serializer):
    index = serializers.IntegerField(help_text="Place of the record in the body, from 0.")
    status = serializers.ChoiceField(choices=["stored", "unchanged", "quarantined"])
    reason = serializers.CharField(allow_null=True, help_text="Why it was not taken, field by field.")
    run = serializers.IntegerField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)


class Taken(serializers.Serializer):
    answer = serializers.IntegerField(help_text="The body as it was kept.")
    stored = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    results = TakenResult(many=True)
    notes = serializers.ListField(child=serializers.CharField(), help_text="Remarks on what was taken, such as a clock that is ahead.")


class Runs(ListAPIView):
    """Runs, newest first. Without `from` those of 31 days."""

    takes_runs = True
    serializer_class = RunSerializer
    filterset_class = RunFilters
    pagination_class = NewestFirst.by("occurred_at")
    queryset = BackupRun.objects.none()

    @extend_schema(parameters=[FROM, TO])
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="runs_take",
        summary="Send runs in bulk",
        parameters=[OpenApiParameter("tool", OpenApiTypes.STR, description="Name of the tool, when the token is not bound to one.")],
        request=BODIES,
        responses={200: Taken, 207: Taken},
        filters=False,
    )
    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Up to 5,000 records or 5 MiB a call, as a JSON array, JSON lines, one object, or CloudEvents (structured, batch,
        binary); gzip is accepted. Every record gets an answer; the good ones are stored whatever the others are. Sending the
        same again changes nothing. 200 when all were taken, 207 when some were not.
        """
        return take_runs(request)

    def get_queryset(self) -> QuerySet[BackupRun]:
        return within(_rows().visible_to(self.request.user), self.request, "occurred_at")


@extend_schema_view(get=extend_schema(exclude=True))
class RunsWithoutSlash(Runs):
    """`/api/v1/runs` as scripts write it."""


@extend_schema_view(post=extend_schema(exclude=True))
class RunsWithSlash(Runs):
    __doc__ = Runs.__doc__


class RunDetail(RetrieveAPIView):
    """One run."""

    serializer_class = RunSerializer
    queryset = BackupRun.objects.none()

    def get_object(self) -> BackupRun:
        return get_for(_rows(), user=self.request.user, pk=self.kwargs["pk"])


def _rows() -> QuerySet[BackupRun]:
    return BackupRun.objects.select_related("tool", "job", "service").defer("tool__secrets")
