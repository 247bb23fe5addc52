"""`/api/v1/major-incidents/<number>/updates/` and `/api/v1/audience-templates/`: what people are told, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError as Invalid
from django.db import transaction
from django.db.models import QuerySet
from django.urls import path, re_path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from incidents import leading, rendering, updating
from incidents.api.acts import TextField
from incidents.api.major import done, find, sent
from incidents.models import Audience, AudienceTemplate, MajorDelivery, MajorMessage, MajorUpdate, MajorWording
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring.api.permissions import get_for


class ToldOneSerializer(serializers.Serializer):
    who = serializers.CharField()
    address = serializers.CharField()
    why = serializers.CharField()
    instead = serializers.CharField(help_text="The audience as which they are told instead; empty: as this one.")


class MajorMessageSerializer(serializers.ModelSerializer):
    recipients = ToldOneSerializer(many=True)

    class Meta:
        model = MajorMessage
        fields = ["audience", "subject", "body", "template_version", "recipients"]


class MajorDeliverySerializer(serializers.ModelSerializer):
    audience = serializers.ChoiceField(source="message.audience", choices=Audience.choices)
    accepted_at = serializers.DateTimeField(source="notice.sent_at", allow_null=True, help_text="When the mail server took it.")
    attempts = serializers.IntegerField(source="notice.attempts")
    given_up_at = serializers.DateTimeField(source="notice.given_up_at", allow_null=True)
    latest_error = serializers.CharField(source="notice.latest_error", allow_blank=True)
    message_id = serializers.CharField(source="notice.message_id")

    class Meta:
        model = MajorDelivery
        fields = ["who", "address", "why", "audience", "accepted_at", "attempts", "given_up_at", "latest_error", "message_id"]


class MajorWordingSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username")

    class Meta:
        model = MajorWording
        fields = ["words", "details", "at", "by"]


class UpdateSerializer(serializers.ModelSerializer):
    approver = serializers.CharField(source="approver.username", default=None, allow_null=True)

    class Meta:
        model = MajorUpdate
        fields = [
            "number", "kind", "state", "audiences", "words", "details", "drafted_at", "rendered_at", "next_update_at", "approver",
            "sent_at", "content_hash",
        ]  # fmt: skip


class UpdateDetailSerializer(UpdateSerializer):
    messages = MajorMessageSerializer(many=True)
    deliveries = serializers.SerializerMethodField()
    wordings = MajorWordingSerializer(many=True, help_text="Every wording that it had, the first on top.")
    texts_hash = serializers.SerializerMethodField(help_text="SHA-256 of the texts as they stand; who approves names what they read by it.")
    changes = serializers.SerializerMethodField(help_text="What a draft would say otherwise now; it is approved when nothing stands here.")

    class Meta(UpdateSerializer.Meta):
        fields = [*UpdateSerializer.Meta.fields, "messages", "deliveries", "wordings", "texts_hash", "changes"]

    @extend_schema_field(MajorDeliverySerializer(many=True))
    def get_deliveries(self, row: MajorUpdate) -> list[Any]:
        return list(MajorDeliverySerializer(row.deliveries.select_related("message", "notice").order_by("pk"), many=True).data)

    def get_texts_hash(self, row: MajorUpdate) -> str:
        return updating.hash_of(row)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_changes(self, row: MajorUpdate) -> list[str]:
        return updating.changes(row, at=now()) if row.state == "draft" else []


class WordingSerializer(serializers.Serializer):
    words = TextField(max_length=updating.MOST_WORDS, help_text="What is being done, in plain words, for everybody.")
    details = TextField(
        max_length=updating.MOST_WORDS, required=False, allow_blank=True, default="", help_text="For responders and owners."
    )


class DraftingSerializer(WordingSerializer):
    audiences = serializers.ListField(
        child=serializers.ChoiceField(choices=Audience.choices), min_length=1, max_length=len(Audience.values)
    )


class SendingSerializer(serializers.Serializer):
    read = TextField(max_length=64, help_text="`texts_hash` of the update as it was read: these texts are approved, no others.")


class WithdrawalSerializer(serializers.Serializer):
    reason = TextField(max_length=2_000)


class AudienceTemplateSerializer(serializers.ModelSerializer):
    version = serializers.IntegerField(help_text="1 as shipped; every change adds one.")

    class Meta:
        model = AudienceTemplate
        fields = ["audience", "subject", "body", "closing_subject", "closing_body", "addresses", "version"]


class TemplateChangeSerializer(serializers.Serializer):
    subject = TextField(max_length=200, required=False)
    body = TextField(max_length=8_000, required=False)
    closing_subject = TextField(max_length=200, required=False)
    closing_body = TextField(max_length=8_000, required=False)
    addresses = serializers.ListField(child=serializers.EmailField(), required=False, max_length=200)
    reason = TextField(max_length=2_000)


class MajorUpdates(GenericAPIView):
    """Updates of a major incident, the newest first."""

    serializer_class = UpdateSerializer
    queryset = MajorUpdate.objects.none()
    pagination_class = None

    @extend_schema(operation_id="major_updates_list", responses=UpdateSerializer(many=True))
    def get(self, request: Any, number: str) -> Response:
        rows = find(request.user, number).updates.select_related("approver").order_by("-number")
        return Response(UpdateSerializer(rows, many=True).data)

    @extend_schema(operation_id="major_updates_draft", request=DraftingSerializer, responses={200: UpdateDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        """Draft what people are told, rendered for each audience."""
        said = sent(DraftingSerializer, request)
        major = find(request.user, number)
        _may(request.user, updating.WRITE)
        return _detail(request.user, number, done(updating.draft, major=major, by=request.user, at=now(), **said).number)


class MajorUpdateDetail(GenericAPIView):
    """One update with every text, whom it reaches and what became of it."""

    serializer_class = UpdateDetailSerializer
    queryset = MajorUpdate.objects.none()

    @extend_schema(operation_id="major_updates_retrieve")
    def get(self, request: Any, number: str, update: int) -> Response:
        return _detail(request.user, number, int(update))


class UpdateAct(GenericAPIView):
    queryset = MajorUpdate.objects.none()

    def on_update(self, request: Any, number: str, update: int, rights: tuple[str, ...], act: Callable[..., Any], **said: Any) -> Response:
        found = _find(request.user, number, int(update))
        _may(request.user, *rights)
        done(act, update=found, by=request.user, at=now(), **said)
        return _detail(request.user, number, int(update))


class RewordUpdate(UpdateAct):
    """Other words, with the figures of now; whoever sends them is an author."""

    serializer_class = WordingSerializer

    @extend_schema(operation_id="major_updates_reword", responses={200: UpdateDetailSerializer, 409: None})
    def post(self, request: Any, number: str, update: int) -> Response:
        return self.on_update(request, number, update, (updating.WRITE,), updating.reword, **sent(WordingSerializer, request))


class RenderUpdate(UpdateAct):
    """The same words with the figures of now."""

    @extend_schema(operation_id="major_updates_render", request=None, responses={200: UpdateDetailSerializer, 409: None})
    def post(self, request: Any, number: str, update: int) -> Response:
        return self.on_update(request, number, update, (updating.WRITE, updating.APPROVE), updating.render_again)


class SendUpdate(UpdateAct):
    """Approve and send what was read; an author never does."""

    serializer_class = SendingSerializer

    @extend_schema(operation_id="major_updates_send", responses={200: UpdateDetailSerializer, 409: None})
    def post(self, request: Any, number: str, update: int) -> Response:
        return self.on_update(request, number, update, (updating.APPROVE,), updating.send, **sent(SendingSerializer, request))


class WithdrawUpdate(UpdateAct):
    """It is not sent."""

    serializer_class = WithdrawalSerializer

    @extend_schema(operation_id="major_updates_withdraw", responses={200: UpdateDetailSerializer, 409: None})
    def post(self, request: Any, number: str, update: int) -> Response:
        return self.on_update(request, number, update, (updating.WRITE,), updating.withdraw, **sent(WithdrawalSerializer, request))


class AudienceTemplates(ListAPIView):
    """The words for each audience, with the version in force."""

    serializer_class = AudienceTemplateSerializer
    queryset = AudienceTemplate.objects.none()

    def get_queryset(self) -> QuerySet[AudienceTemplate]:
        rendering.templates()  # a fresh installation ships them
        return AudienceTemplate.objects.visible_to(self.request.user).order_by("pk")


class AudienceTemplateDetail(GenericAPIView):
    serializer_class = TemplateChangeSerializer
    queryset = AudienceTemplate.objects.none()

    @extend_schema(operation_id="audience_templates_change", responses={200: AudienceTemplateSerializer})
    def post(self, request: Any, audience: str) -> Response:
        """Change its words, with a reason; a placeholder that is none is refused."""
        said = sent(TemplateChangeSerializer, request)
        rendering.templates()
        reason = said.pop("reason")
        with transaction.atomic(), because(reason, by=request.user):
            rows = AudienceTemplate.objects.select_for_update()
            row = get_for(rows, user=request.user, action="change", audience=audience)
            for name, value in said.items():
                setattr(row, name, value)
            try:
                row.full_clean()
            except Invalid as error:
                raise ValidationError(error.message_dict) from None
            row.save()
        return Response(AudienceTemplateSerializer(row).data)


def _may(user: Any, *rights: str) -> None:
    """Raises PermissionDenied with the names of who may, for who holds none of the rights."""
    if not any(user.has_perm(right) for right in rights):
        raise PermissionDenied(f"That takes somebody else. Ask {leading.names_of(rights[0]) or 'an administrator'}.")


def _find(user: Any, number: str, update: int) -> MajorUpdate:
    major = find(user, number)
    found = major.updates.filter(number=update).first() if update < 32_768 else None
    if found is None:
        raise NotFound(f"{major.number} has no update {update}.")
    found.major = major
    return found


def _detail(user: Any, number: str, update: int) -> Response:
    found = _find(user, number, update)
    return Response(UpdateDetailSerializer(found).data)


urlpatterns = [
    re_path(r"^major-incidents/(?P<number>[^/]+)/updates/?$", MajorUpdates.as_view()),
    re_path(r"^major-incidents/(?P<number>[^/]+)/updates/(?P<update>[0-9]{1,9})/?$", MajorUpdateDetail.as_view()),
    *(
        re_path(rf"^major-incidents/(?P<number>[^/]+)/updates/(?P<update>[0-9]{{1,9}})/{name}/?$", view.as_view())
        for name, view in (("reword", RewordUpdate), ("render", RenderUpdate), ("send", SendUpdate), ("withdraw", WithdrawUpdate))
    ),
    path("audience-templates/", AudienceTemplates.as_view()),
    re_path(r"^audience-templates/(?P<audience>[a-z]{1,20})/?$", AudienceTemplateDetail.as_view()),
]
