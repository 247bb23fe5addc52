"""`/api/v1/services/<code>/history/`: everything that was done to an entry, over all of its parts, in one order."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import chronicle
from catalogue.models import Service
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for
from monitoring.api.versions import ChangeSerializer
from monitoring.api.withheld import plainly

PARTS = [source.part for source in chronicle.sources]
PART = OpenApiParameter("part", OpenApiTypes.STR, enum=PARTS, description="Only of this part, as `part` of an event names it.")


class EventSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    part = serializers.CharField(help_text="What of the entry it was done to, e.g. version, relation, agreement or deviation.")
    what = serializers.CharField(help_text="What was done, in words.")
    who = serializers.CharField(help_text="The person by name; empty where the product did it.")
    why = serializers.CharField(help_text="The reason that was given; empty where none was.")
    changes = ChangeSerializer(many=True, help_text="Fields that differ from what was before, in words.")
    page = serializers.SerializerMethodField(help_text="Address of the page that shows the difference; empty where there is none.")

    def get_page(self, event: chronicle.Event) -> str:
        try:
            return reverse(f"portal:{event.page}", args=event.args) if event.page else ""
        except NoReverseMatch:
            return ""


class EntryHistory(GenericAPIView):
    """What was done to one service of the catalogue, newest first."""

    queryset = Service.objects.none()
    serializer_class = EventSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="services_history_list", parameters=[PART, AS_OF], responses=EventSerializer(many=True))
    def get(self, request: Any, code: str) -> Response:
        service = get_for(Service.objects.all(), user=request.user, code=code)
        at, past = moment_of(request)
        part = request.query_params.get("part", "")
        if part and part not in PARTS:
            raise ParseError(f"part must be one of {', '.join(PARTS)}.")
        asked = chronicle.Asked(service=service, user=request.user, at=at, past=past)
        page = self.paginate_queryset(chronicle.rows_of(asked, part=part))
        told = EventSerializer(chronicle.events(asked, page or ()), many=True).data
        return self.get_paginated_response(plainly(request.user, service, told))
