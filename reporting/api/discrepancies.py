"""`/api/v1/discrepancies/`: published figures that come out otherwise by the raw runs, with causes and what came of them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.time import now
from monitoring.api.duties import Conflict
from monitoring.api.paging import NewestFirst
from monitoring.api.permissions import get_for
from reporting import following_up
from reporting.models import Discrepancy, Report, Settlement


class SettlementSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username", default=None, allow_null=True, help_text="null: the product itself.")

    class Meta:
        model = Settlement
        fields = ["how", "by", "at", "reason", "report"]


class DiscrepancySerializer(serializers.ModelSerializer):
    service = serializers.CharField(source="service.code")
    causes = serializers.ListField(child=serializers.ChoiceField(choices=Discrepancy.Cause.choices))
    told = serializers.ListField(child=serializers.CharField(), help_text="Sentences on what differs.")
    settlement = SettlementSerializer(default=None, allow_null=True, help_text="null: it waits.")

    class Meta:
        model = Discrepancy
        fields = ["id", "report", "service", "figure", "published", "found", "causes", "told", "at", "settlement"]


class FollowUpSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2_000, help_text="Why the published figure stands.")


class DiscrepancyFilters(filters.FilterSet):
    service = filters.CharFilter(field_name="service__code", help_text="Code of the service.")
    report = filters.NumberFilter(help_text="Id of the report.")
    open = filters.BooleanFilter(field_name="settlement", lookup_expr="isnull", help_text="true: only what waits.")


def _seen(user: Any) -> QuerySet[Discrepancy]:
    rows = Discrepancy.objects.visible_to(user).filter(report__in=Report.objects.visible_to(user))
    return rows.select_related("service", "settlement__by")


class Discrepancies(ListAPIView):
    """Discrepancies of the reports that you may see, newest first."""

    serializer_class = DiscrepancySerializer
    filterset_class = DiscrepancyFilters
    pagination_class = NewestFirst.by("at")
    queryset = Discrepancy.objects.none()

    def get_queryset(self) -> QuerySet[Discrepancy]:
        return _seen(self.request.user)


class ExplainDiscrepancy(GenericAPIView):
    """Say why the published figure stands."""

    queryset = Discrepancy.objects.none()
    serializer_class = FollowUpSerializer

    @extend_schema(operation_id="discrepancies_explain", request=FollowUpSerializer, responses=DiscrepancySerializer)
    def post(self, request: Any, pk: int) -> Response:
        row = get_for(_seen(request.user), user=request.user, pk=pk)
        sent = FollowUpSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            following_up.explain(discrepancy=row, by=request.user, at=now(), **sent.validated_data)
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except NotReady as error:
            raise Conflict(str(error)) from None
        return Response(DiscrepancySerializer(_seen(request.user).get(pk=pk)).data)


urlpatterns = [
    path("discrepancies/", Discrepancies.as_view()),
    path("discrepancies/<int:pk>/explain", ExplainDiscrepancy.as_view()),
]
