"""`/api/v1/batches/`: many entries in one go. What is wanted is looked at first, then started, watched, stopped and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import Count, Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from catalogue import batching, importing, sheets
from catalogue.models import Batch, BatchItem, Service
from itsm_backup.common.time import now
from monitoring import waking
from monitoring.api.duties import acted, checked
from monitoring.capability import measured_of_many

MOST_VERSIONS = 2_000
_TITLES = {Batch.Act.DRAFT: "Drafts", Batch.Act.SUBMIT: "Submission", Batch.Act.APPROVE: "Approval"}
STATES = BatchItem.State
_COUNTS = {name: Count("items", filter=Q(items__state=name)) for name in STATES.values} | {"total": Count("items")}


class BatchSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    act = serializers.ChoiceField(choices=Batch.Act.choices)
    title = serializers.CharField()
    reason = serializers.CharField()
    by = serializers.CharField(source="by.username")
    stage = serializers.ChoiceField(choices=["proposed", "running", "stopped", "finished"])
    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    done = serializers.IntegerField()
    nothing = serializers.IntegerField(help_text="Said already: nothing to do.")
    refused = serializers.IntegerField()
    asked_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class NamedVersionSerializer(serializers.Serializer):
    code = serializers.CharField(max_length=200)
    number = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    etag = serializers.CharField(
        max_length=80, required=False, default="", help_text="Of what you read; left out: the content as it stands now."
    )


class NewBatchSerializer(serializers.Serializer):
    act = serializers.ChoiceField(choices=Batch.Act.choices)
    reason = serializers.CharField(max_length=1_000)
    title = serializers.CharField(max_length=160, required=False, default="")
    entries = serializers.ListField(
        child=serializers.DictField(), max_length=sheets.MOST_ROWS, required=False, default=list,
        help_text="For draft: `code` and the columns of the import that shall change, as values or as text with their unit.",
    )  # fmt: skip
    versions = NamedVersionSerializer(
        many=True, required=False, default=list, help_text="For submit and approve.", max_length=MOST_VERSIONS
    )


class StartSerializer(serializers.Serializer):
    partly = serializers.BooleanField(required=False, default=False, help_text="Also when some of them cannot be done.")


class StopOfItemSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="The inequality that does not hold.")
    sentence = serializers.CharField()


class ProblemOfItemSerializer(serializers.Serializer):
    column = serializers.CharField(allow_blank=True, help_text="Empty: of the entry as a whole.")
    told = serializers.CharField()


class BatchItemSerializer(serializers.Serializer):
    place = serializers.IntegerField()
    code = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True)
    state = serializers.ChoiceField(choices=STATES.choices)
    words = serializers.CharField(allow_blank=True, help_text="What would happen.")
    problems = serializers.SerializerMethodField()
    doubts = serializers.SerializerMethodField(help_text="What is possible, but hardly meant: a word that is nearly one in use.")
    stops = serializers.SerializerMethodField(help_text="What could not hold when it was asked for: no version is approved with it.")
    told = serializers.CharField(allow_blank=True, help_text="What came of it.")
    done_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(ProblemOfItemSerializer(many=True))
    def get_problems(self, item: BatchItem) -> list[dict[str, str]]:
        return [{"column": column, "told": told} for column, told in item.problems]

    @extend_schema_field(ProblemOfItemSerializer(many=True))
    def get_doubts(self, item: BatchItem) -> list[dict[str, str]]:
        return [{"column": column, "told": told} for column, told in item.doubts]

    @extend_schema_field(StopOfItemSerializer(many=True))
    def get_stops(self, item: BatchItem) -> list[dict[str, str]]:
        return [{"code": code, "sentence": sentence} for code, sentence in item.stops]


def _rows(request: Any) -> QuerySet[Batch]:
    return Batch.objects.visible_to(request.user).select_related("by").annotate(**_COUNTS).order_by("-pk")


def _found(request: Any, pk: int) -> Batch:
    row = _rows(request).filter(pk=pk).first() if pk < 2**63 else None
    if row is None:
        raise NotFound(f"There is no batch {pk} that you may see.")
    return row


class Batches(GenericAPIView):
    """Work on many entries, newest first; a POST proposes some, and nothing of it happens before it is started."""

    queryset = Batch.objects.none()
    serializer_class = BatchSerializer
    filter_backends: list[Any] = []

    @extend_schema(operation_id="batches_list", responses=BatchSerializer(many=True))
    def get(self, request: Any) -> Response:
        page = self.paginate_queryset(_rows(request)) or []
        return self.get_paginated_response(BatchSerializer(page, many=True).data)

    @extend_schema(operation_id="batches_create", request=NewBatchSerializer, responses={201: BatchSerializer})
    def post(self, request: Any) -> Response:
        asked = checked(NewBatchSerializer, request)
        wishes = _of_entries(asked, request.user) if asked["act"] == Batch.Act.DRAFT else _of_versions(asked, request.user)
        count = len(wishes)
        title = asked["title"] or f"{_TITLES[asked['act']]} of {count:,} {'entry' if count == 1 else 'entries'}"
        propose = partial(batching.propose, act=asked["act"], title=title, wishes=wishes, measure=measured_of_many)
        made = acted(propose, by=request.user, at=now(), reason=asked["reason"])
        return Response(BatchSerializer(_found(request, made.pk)).data, 201)


def _of_entries(asked: dict[str, Any], user: Any) -> list[importing.Wish]:
    if asked["versions"] or not asked["entries"]:
        raise ValidationError({"entries": ["Name the entries with what shall change, and no versions."]})
    if not importing.may_import(user):
        raise PermissionDenied("You may change no entry. An administrator can grant the role steward.")
    try:
        rows = [
            sheets.Row(place, {str(name): sheets.plain(value, place, name) for name, value in entry.items()})
            for place, entry in enumerate(asked["entries"], 1)
        ]
        return importing.wishes(rows, by=user, at=now())
    except sheets.Unreadable as error:
        raise ValidationError({"entries": [str(error)]}) from None


def _of_versions(asked: dict[str, Any], user: Any) -> list[importing.Wish]:
    if asked["entries"] or not asked["versions"]:
        raise ValidationError({"versions": ["Name the versions, and no entries."]})
    named = [(one["code"], one["number"], one["etag"].strip('"')) for one in asked["versions"]]
    if len({one[:2] for one in named}) < len(named):
        raise ValidationError({"versions": ["A version stands there twice."]})
    return batching.named(named, act=asked["act"], by=user, at=now())


class BatchDetail(GenericAPIView):
    """One batch with how far it is. It goes on when nobody looks."""

    queryset = Batch.objects.none()
    serializer_class = BatchSerializer

    @extend_schema(operation_id="batches_retrieve")
    def get(self, request: Any, pk: int) -> Response:
        return Response(BatchSerializer(_found(request, pk)).data)


class BatchItems(GenericAPIView):
    """What would happen to each entry, and what came of it."""

    queryset = BatchItem.objects.none()
    serializer_class = BatchItemSerializer
    filter_backends: list[Any] = []
    state = OpenApiParameter("state", OpenApiTypes.STR, description=f"One of {', '.join(STATES.values)}.")

    @extend_schema(operation_id="batches_items", parameters=[state], responses=BatchItemSerializer(many=True))
    def get(self, request: Any, pk: int) -> Response:
        rows = _found(request, pk).items.filter(Q(service=None) | Q(service__in=Service.objects.visible_to(request.user)))
        if wanted := request.query_params.get("state", ""):
            if wanted not in STATES.values:
                raise ParseError(f"state is one of {', '.join(STATES.values)}.")
            rows = rows.filter(state=wanted)
        page = self.paginate_queryset(rows.select_related("version").order_by("place")) or []
        return self.get_paginated_response(BatchItemSerializer(page, many=True).data)


def _moved(request: Any, pk: int, act: Callable[..., Batch], **more: Any) -> Response:
    acted(act, batch=_found(request, pk), by=request.user, at=now(), **more)
    return Response(BatchSerializer(_found(request, pk)).data)


class BatchStart(GenericAPIView):
    """Begin, or go on after a stop. The work is done by a worker; ask for the batch to see how far it is."""

    queryset = Batch.objects.none()
    serializer_class = BatchSerializer

    @extend_schema(operation_id="batches_start", request=StartSerializer, responses=BatchSerializer)
    def post(self, request: Any, pk: int) -> Response:
        answer = _moved(request, pk, batching.start, **checked(StartSerializer, request))
        waking.hand_out(pk)
        return answer


class BatchStop(GenericAPIView):
    """Stop after the entry at hand; what is done stays done."""

    queryset = Batch.objects.none()
    serializer_class = BatchSerializer

    @extend_schema(operation_id="batches_stop", request=None, responses=BatchSerializer)
    def post(self, request: Any, pk: int) -> Response:
        return _moved(request, pk, batching.stop)
