"""`/api/v1/major-status/<audience>/` and `/api/v1/status-links/`: what an audience was told, and addresses to read it by."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import path, re_path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from incidents import leading, publishing_status
from incidents.api.acts import TextField
from incidents.api.major import done, sent
from incidents.models import Audience, MajorMessage, StatusLink
from itsm_backup.common.time import now, parse_instant


class MajorToldSerializer(serializers.ModelSerializer):
    number = serializers.CharField(source="update.major.number")
    kind = serializers.CharField(source="update.kind")
    sent_at = serializers.DateTimeField(source="update.sent_at")

    class Meta:
        model = MajorMessage
        fields = ["number", "kind", "sent_at", "subject", "body"]


class StatusLinkSerializer(serializers.ModelSerializer):
    made_by = serializers.CharField(source="made_by.username")

    class Meta:
        model = StatusLink
        fields = ["id", "label", "made_at", "made_by", "revoked_at"]


class NewStatusLinkSerializer(StatusLinkSerializer):
    address = serializers.CharField(help_text="Shown in this answer alone.")

    class Meta(StatusLinkSerializer.Meta):
        fields = [*StatusLinkSerializer.Meta.fields, "address"]


class LinkLabelSerializer(serializers.Serializer):
    label = TextField(max_length=120, help_text="For whom it is.")


class MajorStatus(ListAPIView):
    """What an audience was told of major incidents, newest first: only what was approved and sent, of what you may read."""

    serializer_class = MajorToldSerializer
    queryset = MajorMessage.objects.none()

    @extend_schema(operation_id="major_status_list", parameters=[OpenApiParameter("as_of", OpenApiTypes.STR, description="Then.")])
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[MajorMessage]:
        audience, user = self.kwargs["audience"], self.request.user
        if audience not in Audience.values:
            raise NotFound(f"There is no audience {audience}. There are {', '.join(Audience.values)}.")
        if Audience(audience) not in publishing_status.readable_by(user):
            raise PermissionDenied(f"This is what {Audience(audience).label.lower()} are told. Whoever was told so may read it.")
        try:
            text = self.request.query_params.get("as_of", "")
            at = parse_instant(text.replace(" ", "+")) if text else now()
        except (ValueError, OverflowError):
            raise ValidationError({"as_of": ["Write it like 2026-06-30T22:59Z."]}) from None
        return publishing_status.told_to(audience, at=at, user=user)


class StatusLinks(ListAPIView):
    """Addresses by which what business users are told is read without signing in."""

    serializer_class = StatusLinkSerializer
    queryset = StatusLink.objects.none()

    def get_queryset(self) -> QuerySet[StatusLink]:
        if not self.request.user.has_perm("incidents.view_statuslink"):
            return StatusLink.objects.none()
        return StatusLink.objects.select_related("made_by").order_by("-made_at", "-pk")

    @extend_schema(operation_id="status_links_make", request=LinkLabelSerializer, responses={200: NewStatusLinkSerializer, 409: None})
    def post(self, request: Any) -> Response:
        """Make one; its address is in this answer alone."""
        said = sent(LinkLabelSerializer, request)
        _may_link(request.user)
        row, token = done(publishing_status.make_link, label=said["label"], by=request.user, at=now())
        row.address = f"{settings.BASE_URL}/status/{token}/"
        return Response(NewStatusLinkSerializer(row).data)


class RevokeStatusLink(GenericAPIView):
    """From now on nobody reads by it."""

    serializer_class = StatusLinkSerializer
    queryset = StatusLink.objects.none()

    @extend_schema(operation_id="status_links_revoke", request=None, responses={200: StatusLinkSerializer, 409: None})
    def post(self, request: Any, id: int) -> Response:
        _may_link(request.user)
        row = StatusLink.objects.filter(pk=int(id)).select_related("made_by").first()
        if row is None:
            raise NotFound(f"There is no address {id}.")
        done(publishing_status.revoke_link, link=row, by=request.user, at=now())
        row.refresh_from_db()
        return Response(StatusLinkSerializer(row).data)


def _may_link(user: Any) -> None:
    if not user.has_perm(publishing_status.MAKE):
        raise PermissionDenied(f"That takes somebody else. Ask {leading.names_of(publishing_status.MAKE) or 'an administrator'}.")


urlpatterns = [
    re_path(r"^major-status/(?P<audience>[a-z]{1,20})/?$", MajorStatus.as_view()),
    path("status-links/", StatusLinks.as_view()),
    re_path(r"^status-links/(?P<id>[0-9]{1,18})/revoke/?$", RevokeStatusLink.as_view()),
]
