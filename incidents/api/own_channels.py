"""`/api/v1/own-channels/`: a person's own addresses beside mail. What they are is never told."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from incidents import confirming
from incidents.models import Channel, OwnChannel
from incidents.models.own_channels import PRIORITIES
from itsm_backup.common.time import now
from monitoring.api.duties import acted, checked


class OwnChannelSerializer(serializers.ModelSerializer):
    class Meta:
        model = OwnChannel
        fields = ("id", "name", "kind", "priorities", "confirmed_at")
        read_only_fields = ("confirmed_at",)


class NewOwnChannelSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=Channel.Kind.choices)
    address = serializers.CharField(max_length=2_000, write_only=True, help_text="Encrypted; never told again.")
    key = serializers.CharField(max_length=500, write_only=True, default="", allow_blank=True, help_text="Of a webhook: signs requests.")
    priorities = serializers.ListField(child=serializers.ChoiceField(choices=PRIORITIES), default=PRIORITIES)


class CodeSerializer(serializers.Serializer):
    code = serializers.CharField(max_length=20, help_text="From the message that arrived there.")


class OwnChannels(GenericAPIView):
    """Your own channels. A POST enters one: a message with a code goes there, and nothing else before it is confirmed."""

    queryset = OwnChannel.objects.none()
    serializer_class = OwnChannelSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="own_channels_list", responses=OwnChannelSerializer(many=True))
    def get(self, request: Any) -> Response:
        return Response(OwnChannelSerializer(OwnChannel.objects.filter(person=request.user), many=True).data)

    @extend_schema(operation_id="own_channels_add", request=NewOwnChannelSerializer, responses={201: OwnChannelSerializer, 409: None})
    def post(self, request: Any) -> Response:
        row = acted(confirming.add, **checked(NewOwnChannelSerializer, request), by=request.user, at=now())
        return Response(OwnChannelSerializer(row).data, status=201)


class OneOwnChannel(GenericAPIView):
    """One of your own channels. A POST confirms it with its code; a DELETE takes it away."""

    queryset = OwnChannel.objects.none()
    serializer_class = OwnChannelSerializer
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(operation_id="own_channels_confirm", request=CodeSerializer, responses={200: OwnChannelSerializer, 409: None})
    def post(self, request: Any, id: str) -> Response:
        row = self._row(request, id)
        acted(confirming.confirm, row=row, code=checked(CodeSerializer, request)["code"], by=request.user, at=now())
        row.refresh_from_db()
        return Response(OwnChannelSerializer(row).data)

    @extend_schema(operation_id="own_channels_remove", responses={200: OwnChannelSerializer})
    def delete(self, request: Any, id: str) -> Response:
        row = self._row(request, id)
        told = OwnChannelSerializer(row).data
        acted(confirming.remove, row=row, by=request.user, at=now())
        return Response(told)

    def _row(self, request: Any, id: str) -> OwnChannel:
        row: Any = OwnChannel.objects.filter(pk=id, person=request.user).first()
        if row is None:
            raise NotFound(f"You have no channel {id}.")
        return row  # type: ignore[no-any-return]


urlpatterns = [path("own-channels/", OwnChannels.as_view()), re_path(r"^own-channels/(?P<id>[0-9]{1,18})/?$", OneOwnChannel.as_view())]
