"""`/api/v1/reviews/`: what incidents teach, written, published and corrected."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import path, re_path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from catalogue.models import Service
from incidents import disclosing, following_up, reviewing
from incidents.api.acts import TextField
from incidents.api.follow_up import ReviewActionSerializer, done, person, sent
from incidents.models import Incident, PostIncidentReview, ReviewAnswer
from itsm_backup.common.time import now
from monitoring.api.filters import words
from monitoring.api.permissions import get_for

_NUMBER = re.compile(r"(?:PIR-)?(\d{1,18})", re.IGNORECASE | re.ASCII)
TEXTS = reviewing.FIELDS


class ReviewSerializer(serializers.ModelSerializer):
    number = serializers.CharField()
    incident = serializers.CharField(source="incident.number")
    publisher = serializers.CharField(source="publisher.username", default=None, allow_null=True)

    class Meta:
        model = PostIncidentReview
        fields = [
            "number", "incident", "revision", "required", "state", *TEXTS, "proposed_at", "submitted_at", "published_at", "publisher",
        ]  # fmt: skip


class ReviewAnswerSerializer(serializers.ModelSerializer):
    service = serializers.SerializerMethodField(help_text="Code of the entry that it is about, if you may see it.")
    because = serializers.SerializerMethodField(help_text="Why the data say so.")
    note = serializers.SerializerMethodField(help_text="For a no: what the entry should say instead.")
    proposal = serializers.IntegerField(source="proposal.pk", default=None, allow_null=True, help_text="Id of what the entry was asked.")

    class Meta:
        model = ReviewAnswer
        fields = ["question", "service", "proposed", "because", "answer", "note", "answered_at", "proposal"]

    def get_service(self, row: ReviewAnswer) -> str | None:
        return row.service.code if row.service and row.service_id in self.context["seen"] else None

    def get_because(self, row: ReviewAnswer) -> str:
        return disclosing.reason_for(row, self.context["seen"])

    def get_note(self, row: ReviewAnswer) -> str:
        return row.note if disclosing.is_open(row, self.context["seen"]) else ""


class ReviewDetailSerializer(ReviewSerializer):
    facts = serializers.SerializerMethodField(help_text="What was on record when it was drafted, of what you may see.")
    answers = ReviewAnswerSerializer(many=True)
    actions = ReviewActionSerializer(many=True)

    class Meta(ReviewSerializer.Meta):
        fields = [*ReviewSerializer.Meta.fields, "facts_at", "facts", "answers", "actions"]

    def get_facts(self, row: PostIncidentReview) -> dict[str, Any]:
        return disclosing.facts_for(row, self.context["user"])


class ReviewStepSerializer(serializers.Serializer):
    act = serializers.ChoiceField(choices=["decline", "submit", "send_back", "publish", "correct"])
    reason = TextField(max_length=2_000, required=False, allow_blank=True, default="", help_text="For decline, send_back and correct.")


class ReviewTextsSerializer(serializers.Serializer):
    cause = TextField(max_length=4_000, required=False, allow_blank=True)
    factors = TextField(max_length=4_000, required=False, allow_blank=True, help_text="What contributed.")
    went_well = TextField(max_length=4_000, required=False, allow_blank=True)
    went_wrong = TextField(max_length=4_000, required=False, allow_blank=True)
    lucky = TextField(max_length=4_000, required=False, allow_blank=True, help_text="Where we had luck.")


class SaidSerializer(serializers.Serializer):
    question = serializers.ChoiceField(choices=ReviewAnswer.Question.choices)
    answer = serializers.ChoiceField(choices=ReviewAnswer.Answer.choices)
    note = TextField(
        max_length=4_000, required=False, allow_blank=True, default="", help_text="For a no: what the entry should say instead."
    )
    service = TextField(max_length=40, required=False, help_text="Code of the entry, where it is about another one of the incident.")
    was = serializers.ChoiceField(
        choices=ReviewAnswer.Answer.choices,
        required=False,
        allow_blank=True,
        help_text="The answer as you read it; another one is refused.",
    )


class NewActionSerializer(serializers.Serializer):
    what = TextField(max_length=400)
    owner = TextField(max_length=150, help_text="User name of who does it.")
    due_on = serializers.DateField()


class ReviewFilters(filters.FilterSet):
    state = words("state", PostIncidentReview.State.values, "State")
    q = filters.CharFilter(method="with_words", help_text="Words of what it says.")

    def with_words(self, rows: Any, name: str, value: str) -> QuerySet[PostIncidentReview]:
        for word in value.split()[:10]:
            rows = rows.filter(_any(word))
        return rows  # type: ignore[no-any-return]


def _any(word: str) -> Q:
    found = Q()
    for field in TEXTS:
        found |= Q(**{f"{field}__icontains": word})
    return found


class Reviews(ListAPIView):
    """Reviews that you may read, the newest first."""

    serializer_class = ReviewSerializer
    filterset_class = ReviewFilters
    queryset = PostIncidentReview.objects.none()

    def get_queryset(self) -> QuerySet[PostIncidentReview]:
        rows = PostIncidentReview.objects.visible_to(self.request.user)
        return rows.select_related("incident", "publisher").defer("incident__impact_at_opening", "facts").order_by("-pk")  # type: ignore[no-any-return]


class ReviewDetail(GenericAPIView):
    """One review with what was on record, its answers and its actions."""

    serializer_class = ReviewDetailSerializer
    queryset = PostIncidentReview.objects.none()

    @extend_schema(operation_id="reviews_retrieve")
    def get(self, request: Any, number: str) -> Response:
        return Response(_detail(request.user, _key(number)))


class StartReview(GenericAPIView):
    """Start the review of an incident that is over: a draft with what is on record."""

    queryset = Incident.objects.none()

    @extend_schema(operation_id="incidents_review", request=None, responses={200: ReviewDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        from incidents.api.incidents import key_of

        incident = get_for(Incident.objects.all(), user=request.user, pk=key_of(number))
        if not request.user.has_perm("incidents.add_postincidentreview"):
            raise PermissionDenied(f"Reviewing {incident.number} takes the role operator.")
        made = done(reviewing.start, incident=incident, by=request.user, at=now())
        return Response(_detail(request.user, made.pk))


class ReviewStep(GenericAPIView):
    """Decline it, hand it in, send it back, publish it, or correct what is published."""

    serializer_class = ReviewStepSerializer
    queryset = PostIncidentReview.objects.none()

    @extend_schema(operation_id="reviews_state", responses={200: ReviewDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = sent(self, request)
        act, needs_reason = said["act"], said["act"] in ("decline", "send_back", "correct")
        right = "publish" if act in ("publish", "send_back") else "change"
        found = get_for(PostIncidentReview.objects.all(), user=request.user, action=right, pk=_key(number))
        more = {"reason": said["reason"]} if needs_reason else {}
        moved = done(getattr(reviewing, act), review=found, by=request.user, at=now(), **more)
        return Response(_detail(request.user, moved.pk))


class ReviewTexts(GenericAPIView):
    """Write down what the incident teaches."""

    serializer_class = ReviewTextsSerializer
    queryset = PostIncidentReview.objects.none()

    @extend_schema(operation_id="reviews_write", responses={200: ReviewDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return _on_review(request, number, reviewing.write, **sent(self, request))


class ReviewReread(GenericAPIView):
    """Take what is on record by now into the draft."""

    queryset = PostIncidentReview.objects.none()

    @extend_schema(operation_id="reviews_reread", request=None, responses={200: ReviewDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        return _on_review(request, number, reviewing.reread)


class ReviewAnswers(GenericAPIView):
    """Answer a question of the catalogue."""

    serializer_class = SaidSerializer
    queryset = PostIncidentReview.objects.none()

    @extend_schema(operation_id="reviews_answer", responses={200: ReviewDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = sent(self, request)
        code = said.get("service")
        service = get_for(Service.objects.all(), user=request.user, code=code) if code else None
        told = {"question": said["question"], "said": said["answer"], "note": said["note"], "service": service}
        told["was"] = {"answer": said["was"]} if "was" in said else None
        return _on_review(request, number, reviewing.answer, **told)


class ReviewActions(GenericAPIView):
    """Add something that somebody does by a day."""

    serializer_class = NewActionSerializer
    queryset = PostIncidentReview.objects.none()

    @extend_schema(operation_id="reviews_add_action", responses={200: ReviewDetailSerializer, 409: None})
    def post(self, request: Any, number: str) -> Response:
        said = sent(self, request)
        told = {"what": said["what"], "owner": person(said["owner"]), "due_on": said["due_on"]}
        return _on_review(request, number, following_up.add, **told)


def _on_review(request: Any, number: str, act: Callable[..., Any], **said: Any) -> Response:
    found = get_for(PostIncidentReview.objects.all(), user=request.user, action="change", pk=_key(number))
    done(act, review=found, by=request.user, at=now(), **said)
    return Response(_detail(request.user, found.pk))


def _key(number: str) -> int:
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise NotFound(f"{number[:40]} is no number of a review.")
    return int(match.group(1))


def _detail(user: Any, pk: int) -> dict[str, Any]:
    rows = PostIncidentReview.objects.select_related("incident", "publisher")
    found = get_for(rows.prefetch_related("answers__service", "answers__proposal", "actions__owner", "actions__review"), user=user, pk=pk)
    context = {"user": user, "seen": disclosing.visible_services(found, user)}
    for one in found.answers.all():
        one.review = found
    return dict(ReviewDetailSerializer(found, context=context).data)


urlpatterns = [
    path("reviews/", Reviews.as_view()),
    path("reviews/<str:number>/", ReviewDetail.as_view()),
    re_path(r"^reviews/(?P<number>[^/]+)/state/?$", ReviewStep.as_view()),
    re_path(r"^reviews/(?P<number>[^/]+)/texts/?$", ReviewTexts.as_view()),
    re_path(r"^reviews/(?P<number>[^/]+)/answers/?$", ReviewAnswers.as_view()),
    re_path(r"^reviews/(?P<number>[^/]+)/actions/?$", ReviewActions.as_view()),
    re_path(r"^reviews/(?P<number>[^/]+)/reread/?$", ReviewReread.as_view()),
    re_path(r"^incidents/(?P<number>[^/]+)/review/?$", StartReview.as_view()),
]
