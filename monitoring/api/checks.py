"""`/api/v1/services/<code>/checks/`: whether what an entry promises can hold, and what it was checked against."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import checking
from catalogue.models import Service, ServiceVersion
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.api.versions import AGREED, version_of
from monitoring.capability import measured


class CheckSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="The inequality that does not hold.")
    state = serializers.ChoiceField(
        choices=["stops", "borne", "consider"], help_text="stops: no version is published with it; borne: by a deviation; consider: said."
    )
    sentence = serializers.CharField()
    deviation = serializers.IntegerField(source="deviation.pk", default=None, allow_null=True, help_text="See /api/v1/deviations/<id>/.")


class MeasuredSerializer(serializers.Serializer):
    """What the monitoring knows; null where it knows nothing."""

    interval_s = serializers.IntegerField(allow_null=True, help_text="The longest time between two due starts.")
    p95_duration_s = serializers.IntegerField(allow_null=True, help_text="How long a backup takes, the slowest 5 % left out.")
    copy_lag_s = serializers.IntegerField(allow_null=True, help_text="From a backup's end until its copy is usable.")
    restore_p95_s = serializers.IntegerField(allow_null=True, help_text="How long a restore takes, the slowest 5 % left out.")


class NamedAgreementSerializer(serializers.Serializer):
    kind = serializers.CharField(source="agreement.kind")
    agreement = serializers.IntegerField(source="agreement.pk", help_text="See /api/v1/agreements/<id>/.")
    name = serializers.CharField(source="agreement.name")
    version = serializers.IntegerField(source="number")


class ServiceChecksSerializer(serializers.Serializer):
    service = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="The version that was checked; null where none was in force.")
    at = serializers.DateTimeField()
    holds = serializers.BooleanField(allow_null=True, help_text="Whether nothing stops its promise; null where there is none.")
    checks = CheckSerializer(many=True, help_text="Inequalities that do not hold, what stops first.")
    measured = MeasuredSerializer()
    impact_analysis = serializers.IntegerField(allow_null=True, help_text="The one that counts: see /api/v1/impact-analyses/<id>/.")
    agreements = NamedAgreementSerializer(many=True, help_text="The agreement versions that stand behind the version.")


class ServiceChecks(GenericAPIView):
    """Whether the promise in force can hold, or that of another version, checked at an instant against what was known then."""

    queryset = Service.objects.none()
    serializer_class = ServiceChecksSerializer
    filter_backends: list[Any] = []
    version = OpenApiParameter("version", OpenApiTypes.INT, description="Number of a version, e.g. a draft; left out: the one in force.")

    @extend_schema(operation_id="services_checks", parameters=[version, AS_OF])
    def get(self, request: Any, code: str) -> Response:
        at, past = moment_of(request)
        service = get_for(Service.objects.all(), user=request.user, code=code)
        version = self._asked(request, service, at)
        known, analysis = measured(service, at), checking.analysis_at(service, at)
        found = []
        if version:
            asked = checking.question_of(version, reader=request.user, known_then=past)
            found = checking.findings_with(analysis, asked=asked, measured=known, at=at)
        told = {
            "service": service.code,
            "version": version.number if version else None,
            "at": at,
            "holds": not any(each.stops for each in found) if version else None,
            "checks": found,
            "measured": asdict(known),
            "impact_analysis": analysis.pk if analysis else None,
            "agreements": [each for each in (version.sla, version.ola, version.contract) if each] if version else [],
        }
        return Response(ServiceChecksSerializer(told).data)

    def _asked(self, request: Any, service: Service, at: Any) -> ServiceVersion | None:
        number = request.query_params.get("version", "")
        if not number:
            rows = ServiceVersion.objects.in_force(at).filter(service=service)
            return rows.select_related("service", "commitment", *AGREED).first()
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise ParseError("version is the number of a version, such as ?version=2.")
        return version_of(request, service.code, int(number))
