"""`/api/v1/response-targets/` and `/api/v1/working-hours/`: how soon incidents are answered, and when teams work."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from incidents import targeting, wording
from incidents.models import ResponseTarget, WorkingHours


class ResponseTargetSerializer(serializers.ModelSerializer):
    sentence = serializers.SerializerMethodField(help_text="The same in words.")

    class Meta:
        model = ResponseTarget
        fields = ["priority", "acknowledge_min", "resolve_min", "counts", "sentence"]

    def get_sentence(self, row: ResponseTarget) -> str:
        return wording.response(row)


class WorkingHoursSerializer(serializers.ModelSerializer):
    team = serializers.CharField(source="team.name")
    starts = serializers.SerializerMethodField(help_text="Local time in its zone, such as 09:00.")
    ends = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField(help_text="The same in words.")

    class Meta:
        model = WorkingHours
        fields = ["team", "days", "starts", "ends", "zone", "free_days", "sentence"]

    def get_starts(self, row: WorkingHours) -> str:
        return f"{row.starts:%H:%M}"

    def get_ends(self, row: WorkingHours) -> str:
        return f"{row.ends:%H:%M}"

    def get_sentence(self, row: WorkingHours) -> str:
        return wording.working_hours(row)


class ResponseTargets(ListAPIView):
    """Within how long an incident of each priority is acknowledged and resolved."""

    serializer_class = ResponseTargetSerializer
    queryset = ResponseTarget.objects.none()

    def get_queryset(self) -> QuerySet[ResponseTarget]:
        targeting.targets()  # a fresh installation ships them
        return ResponseTarget.objects.visible_to(self.request.user).order_by("priority")


class TeamHours(ListAPIView):
    """When teams work; a team that is not listed works Monday to Friday, 9 to 17."""

    serializer_class = WorkingHoursSerializer
    queryset = WorkingHours.objects.none()

    def get_queryset(self) -> QuerySet[WorkingHours]:
        return WorkingHours.objects.visible_to(self.request.user).select_related("team").order_by("team__name")
