"""`/api/v1/reports/`: the library of reports, what each says, and its files as they were made and sent."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from monitoring.api.filters import words
from monitoring.api.paging import NewestFirst
from monitoring.api.permissions import get_for
from reporting import composing, rendering, sealing
from reporting.models import Report
from reporting.scoping import NotYet, month_named


class ReportSerializer(serializers.ModelSerializer):
    number = serializers.CharField(help_text="By which papers and people name it.")
    month = serializers.DateField(help_text="First day of the month it tells of.")
    scope = serializers.JSONField(source="data.scope", help_text="Which services it is about, in words and as it was set.")
    says = serializers.SerializerMethodField(help_text="Its first sentence; empty for a report that a check stopped.")
    seal = serializers.SerializerMethodField(help_text="SHA-256 of data and versions.")

    class Meta:
        model = Report
        fields = ["id", "number", "title", "month", "revision", "state", "scope", "says", "made_at", "seal"]

    def get_says(self, report: Report) -> str:
        return "" if report.state == Report.State.BLOCKED else f"{composing.sentence_of(report)}."

    def get_seal(self, report: Report) -> str:
        return bytes(report.seal).hex()


class ReportFileSerializer(serializers.Serializer):
    name = serializers.CharField()
    sha256 = serializers.SerializerMethodField()
    made_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_sha256(self, file: Any) -> str:
        return bytes(file.digest).hex()

    def get_url(self, file: Any) -> str:
        return f"/api/v1/reports/{file.report_id}/files/{file.name}"


class ReportDetailSerializer(ReportSerializer):
    totals = serializers.JSONField(source="data.totals")
    checks = serializers.JSONField(source="data.checks.checks", help_text="Each check of the inputs, with its counts.")
    changes = serializers.JSONField(help_text="What differs from the revision before, in sentences.")
    manifest = serializers.JSONField(help_text="What it was made of, with the digest of the manifest before it.")
    files = serializers.SerializerMethodField(help_text="Besides these, snapshot.json holds every service with inputs and figures.")

    class Meta(ReportSerializer.Meta):
        fields = [*ReportSerializer.Meta.fields, "totals", "checks", "changes", "manifest", "files"]

    @extend_schema(responses=ReportFileSerializer(many=True))
    def get_files(self, report: Report) -> list[dict[str, Any]]:
        return list(ReportFileSerializer(report.files.defer("content").order_by("name"), many=True).data)


class ReportFilters(filters.FilterSet):
    month = filters.CharFilter(method="of_month", help_text="Only reports on this month, e.g. 2026-06.")
    state = words("state", Report.State.values, "State")
    title = filters.CharFilter(help_text="Only reports of this name, which is that of their schedule.")
    department = filters.CharFilter(field_name="data__scope__department", help_text="Only reports on this department.")
    newest = filters.BooleanFilter(method="only_newest", help_text="true: of each series and month the latest revision alone.")

    def of_month(self, rows: QuerySet[Report], name: str, value: str) -> QuerySet[Report]:
        try:
            return rows.filter(month=month_named(value))
        except NotYet as error:
            raise ParseError(str(error)) from None

    def only_newest(self, rows: Any, name: str, value: bool) -> QuerySet[Report]:
        return rows.newest_of_each() if value else rows


class Reports(ListAPIView):
    """Reports, newest first, of which you may see every service."""

    serializer_class = ReportSerializer
    filterset_class = ReportFilters
    pagination_class = NewestFirst.by("made_at")
    queryset = Report.objects.none()

    def get_queryset(self) -> QuerySet[Report]:
        return Report.objects.visible_to(self.request.user)


class ReportDetail(GenericAPIView):
    """One report with its totals, checks, manifest and files."""

    serializer_class = ReportDetailSerializer
    queryset = Report.objects.none()

    @extend_schema(operation_id="reports_retrieve")
    def get(self, request: Any, pk: int) -> Response:
        return Response(ReportDetailSerializer(get_for(Report.objects.all(), user=request.user, pk=pk)).data)


_FILES: dict[Any, Any] = {(200, media): OpenApiTypes.BINARY for media in rendering.MEDIA.values()} | {
    (200, "application/json"): OpenApiTypes.OBJECT
}


class ReportFileDetail(GenericAPIView):
    """A file of a report, byte by byte as it was made and sent; `snapshot.json` is written from the database."""

    queryset = Report.objects.none()

    @extend_schema(operation_id="reports_file_retrieve", responses=_FILES)
    def get(self, request: Any, pk: int, name: str) -> HttpResponseBase:
        report = get_for(Report.objects.all(), user=request.user, pk=pk)
        headers = {"Content-Disposition": f'attachment; filename="{report.number}-{name}"', "X-Content-Type-Options": "nosniff"}
        if name == "snapshot.json":
            return StreamingHttpResponse(rendering.snapshot_json(report), content_type="application/json", headers=headers)
        if name == "manifest.json":
            return HttpResponse(sealing.canonical(report.manifest), content_type="application/json", headers=headers)
        file = report.files.filter(name=name).first() if "\x00" not in name else None
        if file is None:
            raise NotFound("This report has no such file. Its address without the name lists those that it has.")
        return HttpResponse(bytes(file.content), content_type=rendering.MEDIA[name.rpartition(".")[2]], headers=headers)


urlpatterns = [
    path("reports/", Reports.as_view()),
    path("reports/<int:pk>/", ReportDetail.as_view()),
    path("reports/<int:pk>/files/<str:name>", ReportFileDetail.as_view()),
]
