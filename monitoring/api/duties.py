"""`/api/v1/legal-holds/` and `/api/v1/duty-exceptions/`: what keeps evidence, and who may hold two duties for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import excepting, legal_holds
from catalogue.duties import NotAllowed, Refused
from catalogue.models import DutyException, LegalHold, Service
from catalogue.models.duties import Duty
from itsm_backup.common.time import now
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for

IN_FORCE = OpenApiParameter("in_force", OpenApiTypes.BOOL, description="true: only what binds now.")


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "Its present state does not allow this."


class HoldSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    service = serializers.CharField(source="service.code")
    owner = serializers.CharField(source="owner.username")
    reason = serializers.CharField()
    held_from = serializers.DateTimeField()
    held_until = serializers.DateTimeField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    released_by = serializers.CharField(source="released_by.username", default=None, allow_null=True)


class NewHoldSerializer(serializers.Serializer):
    service = serializers.CharField(max_length=40, help_text="Code of the service of which nothing may go.")
    owner = serializers.CharField(max_length=150, help_text="Account name of who answers for it.")
    reason = serializers.CharField(max_length=2_000, help_text="The matter, e.g. the file number of the proceedings.")
    held_from = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Left out: from now on.")
    held_until = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Left out: until it is released.")


class ExceptionSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    person = serializers.CharField(source="person.username")
    one = serializers.ChoiceField(choices=Duty.choices)
    other = serializers.ChoiceField(choices=Duty.choices)
    owner = serializers.CharField(source="owner.username")
    reason = serializers.CharField()
    approver = serializers.CharField(source="approver.username")
    approved_at = serializers.DateTimeField()
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField()


class NewExceptionSerializer(serializers.Serializer):
    person = serializers.CharField(max_length=150, help_text="Account name of who may hold both duties.")
    one = serializers.ChoiceField(choices=Duty.choices)
    other = serializers.ChoiceField(choices=Duty.choices)
    owner = serializers.CharField(max_length=150, help_text="Account name of who answers for it; never the person.")
    reason = serializers.CharField(max_length=2_000)
    valid_from = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Left out: from now on.")
    valid_until = serializers.DateTimeField(help_text="At most a year ahead.")


class ReasonSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=1_000, help_text="Kept with its history.")


def acted(act: Callable[..., Any], **asked: Any) -> Any:
    """Do it; a refusal becomes 403 or 409 with its sentence."""
    try:
        return act(**asked)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None


def person_named(field: str, name: str) -> Any:
    """The active account of this name; raises ValidationError naming the field."""
    found = None if "\x00" in name else get_user_model().objects.filter(username=name, is_active=True).first()
    if found is None:
        raise ValidationError({field: [f"There is no active account {name[:60]}."]})
    return found


def checked(form: type[serializers.Serializer], request: Any) -> dict[str, Any]:
    """What was sent, checked by the form; raises ValidationError naming each field."""
    sent = form(data=request.data)
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


class Holds(GenericAPIView):
    """Legal holds on services that you may see, newest first."""

    queryset = LegalHold.objects.none()
    serializer_class = HoldSerializer
    filter_backends: list[Any] = []
    service = OpenApiParameter("service", OpenApiTypes.STR, description="Code of a service.")

    @extend_schema(operation_id="legal_holds_list", parameters=[service, IN_FORCE, AS_OF], responses=HoldSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, past = moment_of(request)
        rows: QuerySet[LegalHold] = LegalHold.objects.visible_to(request.user).select_related("service", "owner", "released_by")
        if past:
            entered = LegalHold.history.filter(history_type="+", history_date__lte=at)  # type: ignore[attr-defined]
            rows = rows.filter(pk__in=entered.values("id"))
        if code := request.query_params.get("service", "").replace("\x00", ""):
            rows = rows.filter(service__code=code)
        if request.query_params.get("in_force") == "true":
            rows = rows.holding(at)  # type: ignore[attr-defined]
        page: list[LegalHold] = self.paginate_queryset(rows.order_by("-held_from", "-pk")) or []
        for hold in page:
            if hold.released_at is not None and hold.released_at > at:  # as it was known then
                hold.released_at = hold.released_by = None
        return self.get_paginated_response(HoldSerializer(page, many=True).data)

    @extend_schema(operation_id="legal_holds_create", request=NewHoldSerializer, responses={201: HoldSerializer})
    def post(self, request: Any) -> Response:
        asked = checked(NewHoldSerializer, request)
        service = get_for(Service.objects.all(), user=request.user, code=asked.pop("service"))
        owner = person_named("owner", asked.pop("owner"))
        made = acted(legal_holds.place, service=service, owner=owner, **asked, by=request.user, at=now())
        return Response(HoldSerializer(made).data, status=status.HTTP_201_CREATED)


class HoldDetail(GenericAPIView):
    """One legal hold."""

    queryset = LegalHold.objects.none()
    serializer_class = HoldSerializer

    @extend_schema(operation_id="legal_holds_retrieve")
    def get(self, request: Any, pk: int) -> Response:
        return Response(HoldSerializer(_hold(request, pk)).data)


class HoldRelease(GenericAPIView):
    """Release it: from then on the service may be retired. The hold stays on record."""

    queryset = LegalHold.objects.none()

    @extend_schema(operation_id="legal_holds_release", request=ReasonSerializer, responses={200: HoldSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        asked = checked(ReasonSerializer, request)
        return Response(HoldSerializer(acted(legal_holds.release, hold=_hold(request, pk), **asked, by=request.user, at=now())).data)


def _hold(request: Any, pk: int) -> Any:
    return get_for(LegalHold.objects.select_related("service", "owner", "released_by"), user=request.user, pk=pk)


class Exceptions(GenericAPIView):
    """Exceptions from the separation of duties, the latest end first: those that you may read, and your own."""

    queryset = DutyException.objects.none()
    serializer_class = ExceptionSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="duty_exceptions_list", parameters=[IN_FORCE], responses=ExceptionSerializer(many=True))
    def get(self, request: Any) -> Response:
        rows = _exceptions(request.user)
        if request.query_params.get("in_force") == "true":
            at = now()
            rows = rows.filter(valid_from__lte=at, valid_until__gt=at)
        page = self.paginate_queryset(rows.order_by("-valid_until", "-pk"))
        return self.get_paginated_response(ExceptionSerializer(page, many=True).data)

    @extend_schema(operation_id="duty_exceptions_create", request=NewExceptionSerializer, responses={201: ExceptionSerializer})
    def post(self, request: Any) -> Response:
        asked = checked(NewExceptionSerializer, request)
        people = {field: person_named(field, asked.pop(field)) for field in ("person", "owner")}
        made = acted(excepting.except_duties, **people, **asked, by=request.user, at=now())
        return Response(ExceptionSerializer(made).data, status=status.HTTP_201_CREATED)


class ExceptionEnd(GenericAPIView):
    """End it now. Who still holds both duties then is refused what either of them does."""

    queryset = DutyException.objects.none()

    @extend_schema(operation_id="duty_exceptions_end", request=ReasonSerializer, responses={200: ExceptionSerializer, 409: None})
    def post(self, request: Any, pk: int) -> Response:
        asked = checked(ReasonSerializer, request)
        found = get_for(DutyException.objects.select_related("person", "owner", "approver"), user=request.user, pk=pk)
        return Response(ExceptionSerializer(acted(excepting.end, exception=found, **asked, by=request.user, at=now())).data)


def _exceptions(user: Any) -> QuerySet[DutyException]:
    seen = DutyException.objects.visible_to(user).values("pk")
    return DutyException.objects.filter(Q(pk__in=seen) | Q(person=user)).select_related("person", "owner", "approver")
