"""What a relation means for promises and tiers, as the API tells it."""

from __future__ import annotations

from rest_framework import serializers


class BreakSerializer(serializers.Serializer):
    """A promise in force that cannot hold with it."""

    service = serializers.CharField(source="code")
    code = serializers.CharField(source="inequality", help_text="The inequality that does not hold.")
    sentence = serializers.CharField()
    borne_until = serializers.DateField(allow_null=True, help_text="The last day of the deviation that bears it.")


class RaiseSerializer(serializers.Serializer):
    """An entry whose effective tier is a stricter one with it."""

    service = serializers.CharField(source="code")
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class ConsequencesSerializer(serializers.Serializer):
    breaks = BreakSerializer(many=True)
    raises = RaiseSerializer(many=True)
    hidden_breaks = serializers.IntegerField(help_text="Further entries, which you may not see, whose promise cannot hold with it.")
    hidden_raises = serializers.IntegerField(help_text="Further entries, which you may not see, whose tier rises.")
