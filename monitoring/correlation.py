"""Which service a job belongs to: decided by rules over its identity, in order, the first match deciding."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import re2
from django.db import transaction
from django.db.models import Max

from monitoring import cells
from monitoring.models import AttributionCondition, AttributionRule, BackupJob, BackupRun, ExpectedRun, JobState, ProtectedItem
from monitoring.storing import judge_again

BATCH = 500


def attribute_jobs(*, at: dt.datetime) -> int:
    """Consider every job that has not seen the rules as they are now; returns how many were considered."""
    ruleset = _ruleset()
    waiting = BackupJob.objects.filter(ruleset__lt=ruleset).select_related("tool").order_by("pk")[:BATCH]
    rules = _compiled(at) if waiting else []
    for job in waiting:
        rule = next((rule for rule, holds in rules if holds(job)), None)
        with transaction.atomic():
            _assign(job=job, rule=rule, ruleset=ruleset, at=at)
    return len(waiting)


def _ruleset() -> int:
    """A number that grows with every change of a rule or condition, and is never 0."""
    newest = [model.history.aggregate(newest=Max("history_id"))["newest"] or 0 for model in (AttributionRule, AttributionCondition)]
    return sum(newest) + 1


def _compiled(at: dt.datetime) -> list[tuple[AttributionRule, Callable[[BackupJob], bool]]]:
    rules = AttributionRule.objects.in_force(at).select_related("service").prefetch_related("conditions")
    return [(rule, matcher(rule)) for rule in rules]


def matcher(rule: AttributionRule) -> Callable[[BackupJob], bool]:
    """A function that tells whether a job is the rule's. A rule without tool and without conditions matches nothing."""
    tests = [_test(condition) for condition in rule.conditions.all()]

    def holds(job: BackupJob) -> bool:
        if not tests and rule.tool_id is None:
            return False
        return rule.tool_id in (None, job.tool_id) and all(test(job) for test in tests)

    return holds


def _test(condition: AttributionCondition) -> Callable[[BackupJob], bool]:
    field, value = condition.field, condition.value
    operators = {
        "equals": lambda text: text == value,
        "starts_with": lambda text: text.startswith(value),
        "contains": lambda text: value in text,
    }
    if condition.operator == "matches":
        pattern = re2.compile(value)
        return lambda job: pattern.search(getattr(job, field) or "") is not None
    return lambda job: operators[condition.operator](getattr(job, field) or "")


def _assign(*, job: BackupJob, rule: AttributionRule | None, ruleset: int, at: dt.datetime) -> None:
    before, after = job.service_id, rule.service_id if rule else None
    version = rule.history.aggregate(newest=Max("history_id"))["newest"] if rule else None
    list(JobState.objects.filter(pk=job.pk).select_for_update())
    changed = {"service": after, "attribution_rule": version, "attributed_at": at, "ruleset": ruleset}
    if before == after:
        BackupJob.objects.filter(pk=job.pk).update(ruleset=ruleset, attribution_rule=version, attributed_at=job.attributed_at or at)
        return
    BackupJob.objects.filter(pk=job.pk).update(**changed)
    ProtectedItem.objects.filter(job=job).update(service=after)
    BackupRun.objects.filter(job=job).update(service=after)
    first = BackupRun.objects.filter(job=job).order_by("occurred_at").values_list("occurred_at", flat=True).first()
    JobState.objects.filter(pk=job.pk).update(touched_at=at, touched_from=first)
    if before:
        days = ExpectedRun.objects.filter(job=job).values_list("local_on", flat=True).distinct()
        cells.recount(service_id=before, days=set(days))
    judge_again([pk for pk in (before, after) if pk], at)
