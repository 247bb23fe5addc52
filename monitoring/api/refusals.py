"""`/api/v1/refused-attempts/`: who tried what they may not do. For those who may read the refused attempts."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import ListAPIView

from itsm_backup.common.models import Refusal
from monitoring.api.filters import Instant
from monitoring.api.paging import NewestFirst


class RefusalSerializer(serializers.ModelSerializer):
    class Meta:
        model = Refusal
        fields = ["id", "at", "who", "method", "path", "address", "action", "what", "why"]


class RefusalFilters(filters.FilterSet):
    who = filters.CharFilter(help_text="Account name, as it was told then.")
    method = filters.CharFilter(lookup_expr="iexact")
    path = filters.CharFilter(lookup_expr="startswith", help_text="What the address begins with.")
    since = Instant("since", field_name="at", lookup_expr="gte")
    until = Instant("until", field_name="at", lookup_expr="lt")


class RefusedAttempts(ListAPIView):
    """Refused attempts in pages, administration and API, newest first: who, when, from where, at what, and why as it was told."""

    serializer_class = RefusalSerializer
    filterset_class = RefusalFilters
    pagination_class = NewestFirst.by("at")
    queryset = Refusal.objects.none()

    def get_queryset(self) -> QuerySet[Refusal]:
        if not self.request.user.has_perm("common.view_refusal"):
            raise PermissionDenied("Refused attempts are read by auditors and monitoring administrators.")
        return Refusal.objects.all()
