"""`/api/v1/relations/`: who needs whom, and the acts of stewards on it; writes say which state they are based on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import foreseeing, impact, relating, weave
from catalogue.duties import NotAllowed, Refused
from catalogue.foreseeing import Consequences
from catalogue.models import Relation, Service
from itsm_backup.common.time import iso, now
from monitoring.api.consequences import ConsequencesSerializer
from monitoring.api.filters import AS_OF, moment_of
from monitoring.api.permissions import get_for

COMPARED = ("strength", "valid_from", "valid_until", "confirmed_at")
IF_MATCH = OpenApiParameter("If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True, description="The ETag as it was read.")


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The relation does not allow this now."


class StateMissing(APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Say which state you have seen: send its ETag as If-Match. Nothing was changed."


class StateChanged(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The relation changed meanwhile."


class RelationSerializer(serializers.Serializer):
    id = serializers.IntegerField(allow_null=True, help_text="Null where nothing was kept.")
    consumer = serializers.CharField(help_text="Code of the service that needs the other.")
    provider = serializers.CharField(help_text="Code of the service that is needed.")
    kind = serializers.ChoiceField(choices=Relation.Kind.choices)
    strength = serializers.ChoiceField(choices=Relation.Strength.choices)
    origin = serializers.ChoiceField(choices=Relation.Origin.choices)
    valid_from = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    confirmed_at = serializers.DateTimeField(allow_null=True)


class NewRelationSerializer(serializers.Serializer):
    consumer = serializers.CharField(max_length=40)
    provider = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=Relation.Kind.choices)
    strength = serializers.ChoiceField(choices=Relation.Strength.choices, default=Relation.Strength.HARD)
    valid_from = serializers.DateTimeField(required=False, allow_null=True, default=None)
    valid_until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(max_length=1_000, help_text="Kept with the relation's history.")
    keep = serializers.BooleanField(default=True, help_text="false: only say what would follow (200); nothing is kept.")


class KeptRelationSerializer(RelationSerializer):
    consequences = ConsequencesSerializer(help_text="What it means for promises and tiers along hard relations.")


class RelationChangeSerializer(serializers.Serializer):
    strength = serializers.ChoiceField(choices=Relation.Strength.choices, required=False)
    valid_until = serializers.DateTimeField(required=False, allow_null=True)
    valid_from = serializers.DateTimeField(required=False, allow_null=True, help_text="Only before it has begun.")
    confirmed = serializers.BooleanField(required=False, help_text="true: it is still so.")
    reason = serializers.CharField(max_length=1_000)


class EndSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=1_000, help_text="Kept with the relation's history.")


class ReachedSerializer(serializers.Serializer):
    service = serializers.CharField(help_text="Code of a service that is reached.")
    via = serializers.CharField(help_text="Code of the one through which it is reached.")
    steps = serializers.IntegerField()
    only_backup = serializers.BooleanField(help_text="It goes on by itself; only its backup stops.")


def shown(row: Any, codes: dict[int, str]) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("id", "kind", "strength", "origin", "valid_from", "valid_until", "confirmed_at")}
    return {**plain, "consumer": codes[row.consumer_id], "provider": codes[row.provider_id]}


def etag_of(row: Relation) -> str:
    """Names the state of the row: the newest entry of its history."""
    return f'"{row.pk}-{row.history.values_list("history_id", flat=True).first() or 0}"'


def _answer(row: Relation) -> Response:
    return Response(RelationSerializer(shown(row, _both(row))).data, headers={"ETag": etag_of(row)})


def _kept(row: Relation, follows: Consequences, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    told = KeptRelationSerializer({**shown(row, _both(row)), "consequences": follows}).data
    return Response(told, status=code, headers={"ETag": etag_of(row)} if headers is None else headers)


def _both(row: Relation) -> dict[int, str]:
    return {row.consumer_id: row.consumer.code, row.provider_id: row.provider.code}


def _acted(act: Callable[..., Relation], **asked: Any) -> Relation:
    try:
        return act(**asked)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from None
    except Refused as error:
        raise Conflict(str(error)) from None


_FILTERS = [
    OpenApiParameter("consumer", OpenApiTypes.STR, description="Code of the service that needs others."),
    OpenApiParameter("provider", OpenApiTypes.STR, description="Code of the service that is needed."),
    OpenApiParameter("kind", OpenApiTypes.STR, description=f"One of {', '.join(Relation.Kind.values)}."),
    OpenApiParameter("strength", OpenApiTypes.STR, description="hard or soft."),
    OpenApiParameter("planned", OpenApiTypes.BOOL, description="true: those that begin later, instead of those that stand."),
]


class Relations(GenericAPIView):
    """Relations between services that you may see, both of them."""

    queryset = Relation.objects.none()
    serializer_class = RelationSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="relations_list", parameters=[*_FILTERS, AS_OF], responses=RelationSerializer(many=True))
    def get(self, request: Any) -> Response:
        at, past = moment_of(request)
        rows: Any = self._known_then(request, at) if past else self._standing(request, at)
        page = self.paginate_queryset(rows) or []
        codes = _codes(pk for row in page for pk in (row.consumer_id, row.provider_id))
        return self.get_paginated_response(RelationSerializer([shown(row, codes) for row in page], many=True).data)

    @extend_schema(operation_id="relations_create", request=NewRelationSerializer,
                   responses={201: KeptRelationSerializer, 200: KeptRelationSerializer})  # fmt: skip
    def post(self, request: Any) -> Response:
        sent = NewRelationSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        asked = dict(sent.validated_data)
        keep, at = asked.pop("keep"), now()
        ends = {side: get_for(Service.objects.all(), user=request.user, code=asked.pop(side)) for side in ("consumer", "provider")}
        if Relation.objects.filter(kind=asked["kind"], **ends).standing(at).exists():
            raise Conflict("This relation stands already. Change it with PATCH, or end it first.")
        act = partial(_acted, relating.relate, **ends, **asked, by=request.user, at=at)
        with transaction.atomic():
            row, follows = foreseeing.weigh(
                act, ends=ends.values(), at=max(at, asked["valid_from"] or at), reader=request.user
            )  # fmt: skip
            if not keep:
                transaction.set_rollback(True)
                row.pk = None
                return _kept(row, follows, headers={})
        return _kept(row, follows, status.HTTP_201_CREATED)

    def _standing(self, request: Any, at: Any) -> QuerySet[Relation]:
        seen = Service.objects.visible_to(request.user)
        wanted = _wanted(request, {"consumer": "consumer__code", "provider": "provider__code", "kind": "kind", "strength": "strength"})
        rows = Relation.objects.all()
        rows = rows.planned(at) if _planned(request) else rows.standing(at)
        return rows.filter(consumer__in=seen, provider__in=seen, **wanted).order_by("pk")

    def _known_then(self, request: Any, at: Any) -> list[weave.Standing]:
        seen = dict(Service.objects.visible_to(request.user).values_list("pk", "code"))
        wanted = _wanted(request, {name: name for name in ("consumer", "provider", "kind", "strength")})
        planned = _planned(request)
        known = weave.relations_at(at, known_then=True, consumers=seen, planned=planned)
        rows = [row for row in known if row.provider_id in seen and (not planned or row.begins_after(at))]
        return sorted(
            row for row in rows if all(shown(row, seen)[name] == value for name, value in wanted.items())
        )  # fmt: skip


def _planned(request: Any) -> bool:
    return request.query_params.get("planned") == "true"


def _wanted(request: Any, names: dict[str, str]) -> dict[str, str]:
    asked = {field: request.query_params.get(name, "").replace("\x00", "") for name, field in names.items()}
    if asked["kind"] and asked["kind"] not in Relation.Kind.values:
        raise ParseError(f"kind must be one of {', '.join(Relation.Kind.values)}.")
    if asked["strength"] not in ("", *Relation.Strength.values):
        raise ParseError("strength must be hard or soft.")
    return {field: value for field, value in asked.items() if value}


def _codes(services: Any) -> dict[int, str]:
    return dict(Service.objects.filter(pk__in=set(services)).values_list("pk", "code"))


class RelationDetail(GenericAPIView):
    """One relation. Its ETag names the state; a write that is based on another state is refused and told what changed."""

    queryset = Relation.objects.none()
    serializer_class = RelationSerializer

    @extend_schema(operation_id="relations_retrieve")
    def get(self, request: Any, pk: int) -> Response:
        return _answer(_found(request, pk))

    @extend_schema(operation_id="relations_change", request=RelationChangeSerializer, parameters=[IF_MATCH],
                   responses=KeptRelationSerializer)  # fmt: skip
    def patch(self, request: Any, pk: int) -> Response:
        sent = RelationChangeSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        asked = dict(sent.validated_data)
        said = {"by": request.user, "at": now(), "reason": asked.pop("reason")}
        follows = foreseeing.NOTHING
        with transaction.atomic():
            row = _based_on(request, pk)
            if asked.pop("confirmed", False):
                row = _acted(relating.confirm, relation=row, **said)
            if asked:
                act = partial(_acted, relating.change, relation=row, **asked, **said)
                when = max(said["at"], row.valid_from or said["at"], asked.get("valid_from") or said["at"])
                row, follows = foreseeing.weigh(act, ends=(row.consumer, row.provider), at=when, reader=request.user)
        return _kept(row, follows)

    # One that has not begun is taken back: the answer bears no id, because nothing is kept of it but its history.
    @extend_schema(operation_id="relations_end", parameters=[EndSerializer, IF_MATCH], responses={200: RelationSerializer})
    def delete(self, request: Any, pk: int) -> Response:
        sent = EndSerializer(data=request.query_params)
        sent.is_valid(raise_exception=True)
        at = now()
        with transaction.atomic():
            row = _based_on(request, pk)
            row = _acted(relating.end, relation=row, by=request.user, at=at, reason=sent.validated_data["reason"])
        return _answer(row) if row.pk else Response(RelationSerializer(shown(row, _both(row))).data)


def _found(request: Any, pk: int) -> Relation:
    rows = Relation.objects.filter(provider__in=Service.objects.visible_to(request.user)).select_related("consumer", "provider")
    found: Relation = get_for(rows, user=request.user, pk=pk)
    return found


def _based_on(request: Any, pk: int) -> Relation:
    """The row, when it is still as the caller saw it; held so until the transaction ends."""
    relating.alone()
    row = _found(request, pk)
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise StateMissing
    if given not in (etag_of(row), "*"):
        raise StateChanged(_what_changed(row, given))
    if row.valid_until is not None and row.valid_until <= now():
        raise Conflict("This relation has ended. Nothing was changed.")
    return row


def _what_changed(row: Relation, given: str) -> str:
    number = given.strip('"').rpartition("-")[2]
    then = row.history.filter(history_id=int(number)).first() if number.isdigit() and len(number) < 18 else None
    newest = row.history.select_related("history_user").first()
    if then is None or newest is None:
        return f"This If-Match is none of this relation's. Its state is {etag_of(row)}: read it again. Nothing was changed."
    told = [
        f"{name} {_said(getattr(then, name))} → {_said(getattr(row, name))}"
        for name in COMPARED
        if getattr(then, name) != getattr(row, name)
    ]
    by = newest.history_user.get_username() if newest.history_user else "the product"
    why = f"{by} at {iso(newest.history_date)}, because: {newest.history_change_reason}"
    return f"It changed meanwhile: {', '.join(told) or 'and changed back'} ({why}). Its state is {etag_of(row)} now. Nothing was changed."


def _said(value: Any) -> str:
    return iso(value) if hasattr(value, "isoformat") else str(value or "nothing")


class Closure(GenericAPIView):
    """What stops with a service or loses its backup with it (`up`), or all that it and its backup need (`down`), nearest first."""

    queryset = Service.objects.none()
    serializer_class = ReachedSerializer
    pagination_class = None
    filter_backends: list[Any] = []
    _DIRECTION = OpenApiParameter(
        "direction", OpenApiTypes.STR, description="up (who is hit with it) or down (what it needs); up when left out."
    )

    @extend_schema(operation_id="services_closure", parameters=[_DIRECTION, AS_OF], responses=ReachedSerializer(many=True))
    def get(self, request: Any, code: str) -> Response:
        at, past = moment_of(request)
        direction = request.query_params.get("direction", "up")
        if direction not in ("up", "down"):
            raise ParseError("direction must be up or down.")
        service = get_for(Service.objects.all(), user=request.user, code=code)
        walked = impact.closure([service.pk], up=direction == "up", at=at, known_then=past)
        found = (impact.hit if direction == "up" else impact.needed)([service.pk], walked)
        involved = {service.pk, *(one.service_id for one in found)}
        codes = dict(Service.objects.visible_to(request.user).filter(pk__in=involved).values_list("pk", "code"))
        rows = [
            {"service": codes[one.service_id], "via": codes.get(one.via_id, ""), "steps": one.depth, "only_backup": one.only_backup}
            for one in found if one.service_id in codes
        ]  # fmt: skip
        return Response(ReachedSerializer(rows, many=True).data)
