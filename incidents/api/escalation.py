"""`/api/v1/escalation-policies/`: who is told when; and who was told of an incident, by which rule."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from incidents import choosing, wording
from incidents.models import Escalation, EscalationPolicy, Telling


class RecipientSerializer(serializers.Serializer):
    who = serializers.CharField()
    address = serializers.CharField()
    channel = serializers.CharField(default="", help_text="Name of the channel; empty for mail.")
    why = serializers.CharField(help_text="For whom they stand in; empty for the one named.")


class TellingSerializer(serializers.ModelSerializer):
    recipients = RecipientSerializer(many=True)

    class Meta:
        model = Telling
        fields = ["level", "sequence", "kind", "at", "recipients"]


class EscalationSerializer(serializers.ModelSerializer):
    policy = serializers.SerializerMethodField(help_text="Its name when it began to count.")
    tellings = TellingSerializer(many=True)

    class Meta:
        model = Escalation
        fields = ["number", "policy", "policy_version", "priority", "snapshot", "started_at", "next_at", "ended_at", "tellings"]

    def get_policy(self, row: Escalation) -> str:
        return str(row.snapshot["policy"])


class PolicySerializer(serializers.ModelSerializer):
    snapshot = serializers.SerializerMethodField(help_text="What it says: levels with delay and targets, repeat, quiet hours.")
    sentences = serializers.SerializerMethodField(help_text="The same in words.")

    class Meta:
        model = EscalationPolicy
        fields = ["id", "name", "position", "priorities", "tiers", "enabled", "is_default", "snapshot", "sentences"]

    def get_snapshot(self, row: EscalationPolicy) -> dict[str, Any]:
        return choosing.snapshot(row)

    def get_sentences(self, row: EscalationPolicy) -> list[str]:
        said = choosing.snapshot(row)
        return [f"For {wording.for_which(row)}.", *wording.levels(said), wording.repeat(said), wording.quiet(said)]


class EscalationPolicies(ListAPIView):
    """Escalation policies in the order in which they are asked: the first enabled one that fits counts for an incident."""

    serializer_class = PolicySerializer
    queryset = EscalationPolicy.objects.none()

    def get_queryset(self) -> QuerySet[EscalationPolicy]:
        choosing.policies()  # a fresh installation ships the default
        rows = EscalationPolicy.objects.visible_to(self.request.user).in_order()
        return rows.prefetch_related("steps__team", "steps__person", "steps__channel")
