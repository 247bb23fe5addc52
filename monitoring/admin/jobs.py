"""Jobs as the tools know them, and when they are due as people agreed it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from itsm_backup.common.admin import FactAdmin, TrackedAdmin, may
from itsm_backup.common.admin.fields import in_words, value_words
from itsm_backup.common.time import now
from monitoring import schedules
from monitoring.models import BackupJob, JobSchedule
from monitoring.wording import rule_words

NEXT_SHOWN = 3


@admin.register(BackupJob)
class JobAdmin(FactAdmin):
    place = 2
    about = "Every series of runs that a tool told of, or that was declared; and the service it belongs to."
    list_display = ("name", "tool", "service", "due", "last_seen_at", "declared")
    list_filter = ("tool", ("service", admin.EmptyFieldListFilter), "declared")
    list_select_related = ("tool", "service", "schedule")
    search_fields = ("name", "external_id", "target_name", "repository_name")
    ordering = ("tool", "name")
    fields = ("name", "tool", "service", "due", "external_id", "target_name", "repository_name", "profile", "declared", "first_seen_at",
              "last_seen_at", "attributed_at", "ping_address")  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = super().get_fields(request, obj)
        if obj is not None and may(request, BackupJob, "see_ping_address", obj.pk):
            return names
        return [name for name in names if name != "ping_address"]

    @admin.display(description="Ping address")
    def ping_address(self, job: BackupJob) -> Any:
        return format_html("<code>{}/ping/{}</code>", settings.BASE_URL, job.ping_uuid)

    @admin.display(description="Due")
    def due(self, job: BackupJob) -> str:
        schedule = getattr(job, "schedule", None)
        return " ".join(filter(None, [rule_words(schedule.rrule), schedule.local_times, schedule.zone])) if schedule else "not agreed yet"

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        job = self.get_object(request, object_id)
        links = [_schedule_link(request, job)] if job is not None else []
        return super().change_view(request, object_id, form_url, {"links": list(filter(None, links)), **(extra_context or {})})


def _schedule_link(request: HttpRequest, job: BackupJob) -> tuple[str, str] | None:
    schedule = JobSchedule.objects.filter(job=job).first()
    if schedule is not None:
        return reverse("admin:monitoring_jobschedule_change", args=[schedule.pk]), "When it is due"
    by_role = request.user.has_perm("monitoring.add_jobschedule")
    if by_role or may(request, BackupJob, "change", job.pk):
        return f"{reverse('admin:monitoring_jobschedule_add')}?job={job.pk}", "Say when it is due"
    return None


@admin.register(JobSchedule)
class ScheduleAdmin(TrackedAdmin):
    place = 3
    about = "When each job has to have run."
    list_display = ("job", "rule", "local_times", "zone", in_words(JobSchedule._meta.get_field("grace_s")), "next_due")
    list_filter = ("job__tool",)
    list_select_related = ("job", "job__tool")
    search_fields = ("job__name", "job__external_id")
    fields = ("job", "rrule", "local_times", "zone", "starts_on", ("early_tolerance_s", "grace_s"), "next_due")
    readonly_fields = ("next_due",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("job", "next_due") if obj else ("next_due",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "job":
            chosen = request.GET.get("job", "")
            kwargs["queryset"] = BackupJob.objects.filter(Q(schedule=None) | Q(pk=chosen if chosen.isdigit() else None)).order_by(
                "tool", "name"
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="How often", ordering="rrule")
    def rule(self, schedule: JobSchedule) -> str:
        return rule_words(schedule.rrule)

    @admin.display(description="Next due")
    def next_due(self, schedule: JobSchedule) -> str:
        if schedule.pk is None:
            return "shown after saving"
        at = now()
        try:
            parsed = schedule.parsed(start_on=schedule.job.first_seen_at.date())
        except schedules.ScheduleError as error:
            return str(error)
        found = []
        while len(found) < NEXT_SHOWN and (due := schedules.next_due_after(parsed, found[-1] if found else at)) is not None:
            found.append(due)
        field = BackupJob._meta.get_field("first_seen_at")
        return "; ".join(str(value_words(field, due)) for due in found) or "never again"
