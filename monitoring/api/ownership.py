"""`/api/v1/ownership-gaps/`, `/api/v1/double-claims/`, `/api/v1/attestation-rounds/` and `/api/v1/attestations/`: who answers for what."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Count, Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import attesting, replying
from catalogue.models import Attestation, AttestationRound, Service
from catalogue.refusing import WrongState
from itsm_backup.common.time import now
from monitoring.api.duties import acted, checked
from monitoring.api.filters import AS_OF, moment_of
from monitoring.gaps import KINDS, ownership_gaps
from monitoring.models import BackupJob
from monitoring.overlaps import Overlap, overlaps

SERVICE = OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service.")
MOST_JOBS = 5_000


class OwnershipGapSerializer(serializers.Serializer):
    service = serializers.CharField(allow_null=True, help_text="Null where it concerns a label.")
    kind = serializers.ChoiceField(choices=KINDS)
    cause = serializers.CharField(help_text="What such gaps have in common.")
    sentence = serializers.CharField(help_text="What is missing, and what to do about it.")


class OwnershipGaps(GenericAPIView):
    """What nobody looks after, of entries that you may see: the worst first, as the page of ownership tells it."""

    queryset = Service.objects.none()
    serializer_class = OwnershipGapSerializer
    filter_backends: list[Any] = []
    kind = OpenApiParameter("kind", OpenApiTypes.STR, description=f"One of {', '.join(KINDS)}.")

    @extend_schema(operation_id="ownership_gaps_list", parameters=[SERVICE, kind, AS_OF], responses=OwnershipGapSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        services = Service.objects.visible_to(request.user)
        code, kind = (request.query_params.get(name, "").replace("\x00", "") for name in ("service", "kind"))
        if kind and kind not in KINDS:
            raise ParseError(f"kind: “{kind[:40]}” is none of {', '.join(KINDS)}.")
        found = ownership_gaps(services=services.filter(code=code) if code else services, at=at)
        page = self.paginate_queryset([gap for gap in found if not kind or gap.kind == kind]) or []
        codes = dict(Service.objects.filter(pk__in=[gap.service_id for gap in page]).values_list("pk", "code"))
        told = [{**gap._asdict(), "service": codes.get(gap.service_id)} for gap in page]
        return self.get_paginated_response(OwnershipGapSerializer(told, many=True).data)


class ClaimSerializer(serializers.Serializer):
    service = serializers.CharField(allow_null=True, help_text="Null for one that you may not see.")
    rule = serializers.CharField(help_text="The rule by which it claims the job.")


class DoubleClaimSerializer(serializers.Serializer):
    job = serializers.IntegerField(help_text="See /api/v1/jobs/<id>/.")
    name = serializers.CharField()
    tool = serializers.CharField()
    claims = ClaimSerializer(many=True, help_text="In the order in which the rules are asked: the first one has the job.")


class DoubleClaims(GenericAPIView):
    """Jobs that the rules of two or more services claim, of the first 5,000 jobs of services that you may see."""

    queryset = BackupJob.objects.none()
    serializer_class = DoubleClaimSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="double_claims_list", responses=DoubleClaimSerializer(many=True))
    def get(self, request: Any) -> Response:
        seen = Service.objects.visible_to(request.user)
        jobs = BackupJob.objects.filter(service__in=seen).select_related("tool").order_by("pk")[:MOST_JOBS]
        page = self.paginate_queryset(overlaps(jobs=jobs, at=now())) or []
        claimed = {rule.service_id for each in page for rule in each.rules}
        codes = dict(seen.filter(pk__in=claimed).values_list("pk", "code"))
        return self.get_paginated_response(DoubleClaimSerializer([_double(each, codes) for each in page], many=True).data)


def _double(each: Overlap, codes: dict[int, str]) -> dict[str, Any]:
    claims = [
        {"service": codes.get(rule.service_id), "rule": rule.name if rule.service_id in codes else "a rule of it"} for rule in each.rules
    ]
    return {"job": each.job.pk, "name": each.job.name, "tool": str(each.job.tool), "claims": claims}


class AttestationRoundSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()
    due_on = serializers.DateField()
    opened_by = serializers.CharField(source="opened_by.username")
    opened_at = serializers.DateTimeField()
    asked = serializers.IntegerField(help_text="Entries that you may see and that it asks about.")
    answered = serializers.IntegerField()
    wrong = serializers.IntegerField(help_text="Answered with “not right”.")


class NewRoundSerializer(serializers.Serializer):
    title = serializers.CharField(max_length=120, help_text="As owners understand it, such as “Yearly check of the catalogue”.")
    due_on = serializers.DateField(help_text="The day by which they answer.")
    services = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, default=list, max_length=5_000,
        help_text="Codes of entries; left out: all that you may change.",
    )  # fmt: skip
    department = serializers.CharField(max_length=80, required=False, default="", allow_blank=True, help_text="Only entries of this one.")


class AttestationRounds(GenericAPIView):
    """Rounds in which owners say whether their entries are still right, newest first; a POST opens one and mails them."""

    queryset = AttestationRound.objects.none()
    serializer_class = AttestationRoundSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="attestation_rounds_list", parameters=[AS_OF], responses=AttestationRoundSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, _ = moment_of(request)
        page = self.paginate_queryset(_rounds(request, at))
        return self.get_paginated_response(AttestationRoundSerializer(page, many=True).data)

    @extend_schema(operation_id="attestation_rounds_open", request=NewRoundSerializer,
                   responses={201: AttestationRoundSerializer, 409: None})  # fmt: skip
    def post(self, request: Any) -> Response:
        if not request.user.has_perm("catalogue.change_service"):
            raise PermissionDenied("Asking owners to attest takes the role steward over the whole estate.")
        said, at = checked(NewRoundSerializer, request), now()
        services = attesting.askable(by=request.user, department=said["department"], at=at)
        if said["services"]:
            services = services.filter(code__in=said["services"])
            if missing := sorted(set(said["services"]) - set(services.values_list("code", flat=True))):
                raise ParseError(f"services: there is no entry {', '.join(missing)[:200]} about which you may ask.")
        made = acted(attesting.open_round, services=services, title=said["title"], due_on=said["due_on"], by=request.user, at=at)
        return Response(AttestationRoundSerializer(_rounds(request, at).get(pk=made.pk)).data, status=201)


def _rounds(request: Any, at: dt.datetime) -> QuerySet[AttestationRound]:
    """Those that ask about an entry that the person may see, or that ask them, as of the instant."""
    mine = Q(attestations__service__in=Service.objects.visible_to(request.user)) | Q(attestations__person=request.user)
    answered = mine & Q(attestations__answered_at__lte=at)
    rows = AttestationRound.objects.filter(opened_at__lte=at).select_related("opened_by")
    rows = rows.annotate(
        asked=Count("attestations", filter=mine),
        answered=Count("attestations", filter=answered),
        wrong=Count("attestations", filter=answered & Q(attestations__right=False)),
    )
    return rows.filter(asked__gt=0).order_by("-opened_at", "-pk")


class ReplySerializer(serializers.Serializer):
    text = serializers.CharField()
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True, help_text="The version that takes it up.")
    replied_by = serializers.CharField(source="replied_by.username")
    replied_at = serializers.DateTimeField()


class NewReplySerializer(serializers.Serializer):
    text = serializers.CharField(max_length=2_000, help_text="What came of it, as the owner reads it.")
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1,
        help_text="Number of the version that takes it up, approved since.",
    )  # fmt: skip


class AttestationSerializer(serializers.Serializer):
    """Of an instant, which stands in the context as `at`: what was answered later is not told."""

    id = serializers.IntegerField()
    round = serializers.IntegerField(source="round_id")
    due_on = serializers.DateField(source="round.due_on")
    service = serializers.CharField(source="service.code")
    version = serializers.IntegerField(source="version.number", help_text="What it was asked about.")
    person = serializers.CharField(source="person.username", help_text="Who is asked.")
    answered_at = serializers.SerializerMethodField()
    right = serializers.SerializerMethodField(help_text="Null: not answered.")
    remark = serializers.SerializerMethodField()
    reply = serializers.SerializerMethodField(help_text="What came of “not right”; null: nothing yet.")

    def _is_answered(self, row: Attestation) -> bool:
        return row.answered_at is not None and row.answered_at <= self.context["at"]

    def get_answered_at(self, row: Attestation) -> dt.datetime | None:
        return row.answered_at if self._is_answered(row) else None

    def get_right(self, row: Attestation) -> bool | None:
        return row.right if self._is_answered(row) else None

    def get_remark(self, row: Attestation) -> str:
        return row.remark if self._is_answered(row) else ""

    @extend_schema_field(ReplySerializer(allow_null=True))
    def get_reply(self, row: Attestation) -> dict[str, Any] | None:
        found = getattr(row, "reply", None)
        return ReplySerializer(found).data if found is not None and found.replied_at <= self.context["at"] else None


class AttestSerializer(serializers.Serializer):
    right = serializers.BooleanField(help_text="Whether the entry is still right.")
    remark = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True, help_text="What is not right.")
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1,
        help_text="Number of the version that you read; left out: the one that you were asked about. It must be the one in force.",
    )  # fmt: skip


class Attestations(GenericAPIView):
    """What owners are asked and answered about entries that you may see, and what you are asked yourself, newest round first."""

    queryset = Attestation.objects.none()
    serializer_class = AttestationSerializer
    filter_backends: list[Any] = []
    round = OpenApiParameter("round", OpenApiTypes.INT, description="Number of a round.")
    person = OpenApiParameter("person", OpenApiTypes.STR, description="Account name of who is asked.")
    waiting = OpenApiParameter("waiting", OpenApiTypes.BOOL, description="true: only what was not answered by then.")

    @extend_schema(operation_id="attestations_list", parameters=[round, SERVICE, person, waiting, AS_OF],
                   responses=AttestationSerializer(many=True))  # fmt: skip
    def get(self, request: Any) -> Response:
        at, past = moment_of(request)
        rows = _rows(request).filter(round__opened_at__lte=at)
        asked = {name: request.query_params.get(name, "").replace("\x00", "") for name in ("round", "service", "person", "waiting")}
        if asked["round"]:
            if not (asked["round"].isascii() and asked["round"].isdigit() and len(asked["round"]) < 16):
                raise ParseError("round is the number of a round, such as ?round=2.")
            rows = rows.filter(round=int(asked["round"]))
        if asked["service"]:
            rows = rows.filter(service__code=asked["service"])
        if asked["person"]:
            rows = rows.filter(person__username=asked["person"])
        if asked["waiting"] == "true":
            rows = rows.filter(Q(answered_at=None) | Q(answered_at__gt=at))
        page = self.paginate_queryset(rows.order_by("-round__opened_at", "-round", "service__code"))
        told = page if past else attesting.asked_now(page or [], at)
        return self.get_paginated_response(AttestationSerializer(told, many=True, context={"at": at}).data)


class AnswerAttestation(GenericAPIView):
    """Say whether your entry is still right. The answer stays; what is not right needs a remark."""

    queryset = Attestation.objects.none()

    @extend_schema(operation_id="attestations_answer", request=AttestSerializer, responses={200: AttestationSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        said, row = checked(AttestSerializer, request), _rows(request).filter(pk=pk).first()
        if row is None:
            raise NotFound(f"There is no attestation {pk} that you may see.")
        (row,) = attesting.asked_now([row], now())
        if row.person_id != request.user.pk:
            raise PermissionDenied(
                f"{row.person.get_full_name() or row.person} is asked about {row.service.code}, and nobody answers for them."
            )
        acted(_answer, row=row, said=said, by=request.user, at=now())
        return Response(AttestationSerializer(_rows(request).get(pk=pk), context={"at": now()}).data)


class ReplyAttestation(GenericAPIView):
    """Say what came of “not right”, with the version that takes it up where there is one. The answer stays, and the owner is told."""

    queryset = Attestation.objects.none()

    @extend_schema(operation_id="attestations_reply", request=NewReplySerializer, responses={200: AttestationSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        said, row = checked(NewReplySerializer, request), _rows(request).filter(pk=pk).first()
        if row is None:
            raise NotFound(f"There is no attestation {pk} that you may see.")
        version = row.service.versions.filter(number=said["version"]).first() if said["version"] else None
        if said["version"] and version is None:
            raise ParseError(f"version: {row.service.code} has no version {said['version']}.")
        acted(replying.reply, attestation=row, text=said["text"], version=version, by=request.user, at=now())
        return Response(AttestationSerializer(_rows(request).get(pk=pk), context={"at": now()}).data)


def _answer(*, row: Attestation, said: dict[str, Any], by: Any, at: dt.datetime) -> None:
    """Answer this one. Raises NotReady without a remark where one is needed, WrongState where it was answered already."""
    right, wrong = ([row.service_id], {}) if said["right"] else ([], {row.service_id: said["remark"]})
    read = {row.service_id: said["version"]} if said["version"] else {}
    if not attesting.answer(round=row.round, right=right, wrong=wrong, by=by, at=at, read=read):
        raise WrongState("You have answered this already, and an answer stays. Nothing was changed.")


def _rows(request: Any) -> QuerySet[Attestation]:
    mine = Q(service__in=Service.objects.visible_to(request.user)) | Q(person=request.user)
    return Attestation.objects.filter(mine).select_related("round", "service", "version", "person", "reply__version", "reply__replied_by")
