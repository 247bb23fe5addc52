"""`/api/v1/restore-tests/`: what proved, or refuted, that copies can be got back."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from monitoring.api.filters import FROM, TO, within, words
from monitoring.api.paging import NewestFirst
from monitoring.api.withheld import Withheld
from monitoring.models import RestoreTest


class RestoreTestSerializer(Withheld, serializers.ModelSerializer):
    emptied = {"message": ""}
    owned_through = "job"
    service = serializers.CharField(source="job.service.code", default=None, allow_null=True)
    job_name = serializers.CharField(source="job.name")

    class Meta:
        model = RestoreTest
        fields = [
            "id", "run", "service", "job", "job_name", "scope", "outcome", "verified", "started_at", "ended_at", "usable_at",
            "duration_s", "point", "rows", "files", "size_bytes", "message",
        ]  # fmt: skip


class RestoreTestFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="job__service__code", help_text="Code of the service.")
    job = filters.NumberFilter(field_name="job", help_text="Id of the job.", max_value=2**63 - 1, min_value=1)
    outcome = words("outcome", RestoreTest.Outcome.values, "Outcome")
    scope = words("scope", RestoreTest.Scope.values, "Scope")


class RestoreTests(ListAPIView):
    """Restore tests, newest first. Without `from` those of 31 days."""

    serializer_class = RestoreTestSerializer
    filterset_class = RestoreTestFilters
    pagination_class = NewestFirst.by("started_at")
    queryset = RestoreTest.objects.none()

    @extend_schema(parameters=[FROM, TO])
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[RestoreTest]:
        rows = RestoreTest.objects.select_related("job__service").visible_to(self.request.user)
        return within(rows, self.request, "started_at")
