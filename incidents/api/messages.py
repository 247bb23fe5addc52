"""`/api/v1/messages/`: what was sent about incidents, to whom, by which rule, and what became of it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from incidents import posting
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now

PARAMETERS = {
    "about": OpenApiParameter("about", str, description="Number of an incident, a major incident or a review, such as INC-0042."),
    "person": OpenApiParameter("person", str, description="Part of a name or address."),
    "channel": OpenApiParameter("channel", str, enum=list(posting.CHANNELS), description="Only through this channel."),
    "state": OpenApiParameter("state", str, enum=list(posting.STATES), description="Only what is in this state."),
}


class PostedSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="notice.pk")
    about = serializers.CharField(help_text="Number of the incident, major incident or review.")
    subject = serializers.CharField()
    to = serializers.CharField(help_text="Whom it is for, with the address.")
    channel = serializers.CharField(source="notice.channel")
    rule = serializers.CharField(help_text="By which rule it was written, in words.", allow_blank=True)
    state = serializers.ChoiceField(choices=list(posting.STATES))
    written_at = serializers.DateTimeField(source="notice.created_at")
    not_before = serializers.DateTimeField(source="notice.not_before")
    sent_at = serializers.DateTimeField(source="notice.sent_at", allow_null=True)
    given_up_at = serializers.DateTimeField(source="notice.given_up_at", allow_null=True)
    attempts = serializers.IntegerField(source="notice.attempts")
    latest_error = serializers.CharField(source="notice.latest_error", allow_blank=True)
    message_id = serializers.CharField(source="notice.message_id")
    text = serializers.CharField(allow_null=True, help_text="As it was sent; null for who may not read it.")


class PostedMessages(GenericAPIView):
    """Messages about incidents that you may see, newest first; for those who work on incidents and those who audit them."""

    serializer_class = PostedSerializer
    queryset: QuerySet[Notice] = Notice.objects.none()
    filter_backends: list[Any] = []

    @extend_schema(operation_id="messages_list", parameters=list(PARAMETERS.values()), responses=PostedSerializer(many=True))
    def get(self, request: Any) -> Response:
        asked = {name: request.query_params.get(name, "").strip()[:200] for name in PARAMETERS}
        for name, known in (("channel", posting.CHANNELS), ("state", posting.STATES)):
            if asked[name] and asked[name] not in known:
                raise ValidationError({name: [f"One of {', '.join(known)}."]})
        at = now()
        rows = posting.narrowed(posting.messages_for(request.user, at=at), at=at, **asked)
        page: Any = self.paginate_queryset(rows.select_related("major_delivery__message"))
        return self.get_paginated_response(PostedSerializer(posting.told(page, user=request.user, at=at), many=True).data)


urlpatterns = [path("messages/", PostedMessages.as_view())]
