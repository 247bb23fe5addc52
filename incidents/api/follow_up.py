"""`/api/v1/review-actions/` and `/api/v1/entry-proposals/`: what follows from reviews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.urls import path, re_path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.response import Response

from catalogue.models import Service
from incidents import following_up, proposing, working
from incidents.api.acts import Conflict, TextField
from incidents.models import EntryProposal, PostIncidentReview, ReviewAction
from itsm_backup.common.time import now
from monitoring.api.filters import words
from monitoring.api.permissions import get_for


class ReviewActionSerializer(serializers.ModelSerializer):
    review = serializers.CharField(source="review.number")
    owner = serializers.CharField(source="owner.username")

    class Meta:
        model = ReviewAction
        fields = ["id", "review", "what", "owner", "due_on", "state", "outcome", "ended_at"]


class EntryProposalSerializer(serializers.ModelSerializer):
    incident = serializers.CharField(source="incident.number")
    review = serializers.CharField(source="answer.review.number")
    service = serializers.CharField(source="service.code")
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True, help_text="The version drafted of it.")
    became = serializers.SerializerMethodField(help_text="What became of it, in words.")

    class Meta:
        model = EntryProposal
        fields = ["id", "incident", "review", "question", "service", "text", "made_at", "state", "version", "reason", "became"]

    def get_became(self, row: EntryProposal) -> str:
        return proposing.became(row)


class HandActionSerializer(serializers.Serializer):
    owner = TextField(max_length=150)
    due_on = serializers.DateField()
    reason = TextField(max_length=2_000)


class EndActionSerializer(serializers.Serializer):
    state = serializers.ChoiceField(choices=["done", "cancelled"])
    outcome = TextField(max_length=2_000, required=False, allow_blank=True, default="", help_text="What was done; why not, if cancelled.")


class ProposalAnswerSerializer(serializers.Serializer):
    state = serializers.ChoiceField(choices=["drafted", "settled", "declined"], help_text="drafted makes a draft of the entry.")
    reason = TextField(max_length=2_000, required=False, allow_blank=True, default="")


class AllReviewActions(ListAPIView):
    """Actions of reviews that you may read, and your own; what is due first on top."""

    class Filters(filters.FilterSet):
        state = words("state", ReviewAction.State.values, "State")
        owner = filters.CharFilter(field_name="owner__username", help_text="User name of who does it.")

    serializer_class = ReviewActionSerializer
    filterset_class = Filters
    queryset = ReviewAction.objects.none()

    def get_queryset(self) -> QuerySet[ReviewAction]:
        return _actions(self.request.user).order_by("due_on", "pk")


class EndAction(GenericAPIView):
    """It is done, or cancelled; by who does it, or who works on reviews."""

    serializer_class = EndActionSerializer
    queryset = ReviewAction.objects.none()

    @extend_schema(operation_id="review_actions_end", responses={200: ReviewActionSerializer, 409: None})
    def post(self, request: Any, id: str) -> Response:
        said, found = sent(self, request), _action(request.user, id)
        ended = done(following_up.end, action=found, as_=said["state"], outcome=said["outcome"], by=request.user, at=now())
        return Response(ReviewActionSerializer(ended).data)


class HandAction(GenericAPIView):
    """Give it to somebody else, or move its day."""

    serializer_class = HandActionSerializer
    queryset = ReviewAction.objects.none()

    @extend_schema(operation_id="review_actions_hand", responses={200: ReviewActionSerializer, 409: None})
    def post(self, request: Any, id: str) -> Response:
        said, found = sent(self, request), _action(request.user, id)
        told = {"owner": person(said["owner"]), "due_on": said["due_on"], "reason": said["reason"]}
        return Response(ReviewActionSerializer(done(following_up.hand, action=found, by=request.user, at=now(), **told)).data)


class EntryProposals(ListAPIView):
    """What reviews ask of entries that you may see, the newest first."""

    class Filters(filters.FilterSet):
        state = words("state", EntryProposal.State.values, "State")
        service = filters.CharFilter(field_name="service__code", help_text="Code of the entry.")

    serializer_class = EntryProposalSerializer
    filterset_class = Filters
    queryset = EntryProposal.objects.none()

    def get_queryset(self) -> QuerySet[EntryProposal]:
        return EntryProposal.objects.visible_to(self.request.user).select_related("incident", "answer__review", "service", "version")


class AnswerProposal(GenericAPIView):
    """Draft the entry anew, say what settled it, or decline; by who may change the entry."""

    serializer_class = ProposalAnswerSerializer
    queryset = EntryProposal.objects.none()

    @extend_schema(operation_id="entry_proposals_answer", responses={200: EntryProposalSerializer, 409: None})
    def post(self, request: Any, id: str) -> Response:
        said, user = sent(self, request), request.user
        found = get_for(EntryProposal.objects.all(), user=user, pk=int(id))
        get_for(Service.objects.all(), user=user, action="change", code=found.service.code)
        if said["state"] == "drafted":
            made = done(proposing.draft, proposal=found, by=user, at=now())
        else:
            made = done(proposing.settle, proposal=found, as_=said["state"], reason=said["reason"], by=user, at=now())
        return Response(EntryProposalSerializer(made).data)


def sent(view: GenericAPIView, request: Any) -> dict[str, Any]:
    serializer = view.get_serializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def done(act: Callable[..., Any], **said: Any) -> Any:
    try:
        return act(**said)
    except working.NotPossible as error:
        raise Conflict(str(error)) from None


def person(name: str) -> Any:
    return get_user_model().objects.filter(username=name).first()


def _actions(user: Any) -> QuerySet[ReviewAction]:
    mine = Q(owner=user, review__state="published")
    rows = ReviewAction.objects.filter(mine | Q(review__in=PostIncidentReview.objects.visible_to(user)))
    return rows.select_related("review", "owner")  # type: ignore[no-any-return]


def _action(user: Any, id: str) -> ReviewAction:
    found = _actions(user).filter(pk=int(id)).first()
    if found is None:
        raise NotFound("There is no action of that number that you may see.")
    if not following_up.may_end(found, user):
        raise PermissionDenied(f"{found.owner.get_full_name() or found.owner.get_username()} does this; operators may change it, too.")
    return found


urlpatterns = [
    path("review-actions/", AllReviewActions.as_view()),
    re_path(r"^review-actions/(?P<id>[0-9]{1,18})/end/?$", EndAction.as_view()),
    re_path(r"^review-actions/(?P<id>[0-9]{1,18})/hand/?$", HandAction.as_view()),
    path("entry-proposals/", EntryProposals.as_view()),
    re_path(r"^entry-proposals/(?P<id>[0-9]{1,18})/answer/?$", AnswerProposal.as_view()),
]
