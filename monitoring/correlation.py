"""Which service a job belongs to: decided by rules over its identity, in order, the first match deciding."""

from __future__ import annotations

import datetime as dt
import logging

import re2
from django.db import transaction
from django.db.models import Count, Max, Q

from itsm_backup.common.time import local_day
from monitoring import cells, following
from monitoring.carrying import each
from monitoring.conditions import IDENTITY, Condition, RuleSet, all_of
from monitoring.models import AttributionCondition, AttributionRule, BackupJob, BackupRun, ExpectedRun, JobState, ProtectedItem
from monitoring.registering import furnish
from monitoring.storing import judge_again

log = logging.getLogger(__name__)
BATCH = 500


def attribute_jobs(*, at: dt.datetime) -> int:
    """Consider every job that has not seen the rules as they are now; returns how many were considered."""
    ruleset = _ruleset(at)
    waiting = BackupJob.objects.filter(Q(ruleset__lt=ruleset) | Q(ruleset__gt=ruleset)).select_related("tool").order_by("pk")[:BATCH]
    rules = RuleSet(rules_at(at) if waiting else [])
    jobs = {job.pk: job for job in waiting}

    def attribute(job_id: int) -> bool:
        _assign(job=jobs[job_id], rule=rules.first(fact_of(jobs[job_id])), ruleset=ruleset, at=at)
        return True

    return each(jobs, attribute, "attributing job")


def _ruleset(at: dt.datetime) -> int:
    """A number that differs with every change of a rule or condition and with every rule that begins or ends, and is never 0.

    The entries are counted, because their ids are given out before they are committed: a slow change may come with a small id.
    """
    changes = sum(model.history.count() for model in (AttributionRule, AttributionCondition)) + 1
    passed = AttributionRule.objects.aggregate(
        begun=Count("pk", filter=Q(valid_from__lte=at)), ended=Count("pk", filter=Q(valid_to__lte=at))
    )
    return changes * 100_000 + passed["begun"] + passed["ended"]


def rules_at(at: dt.datetime, *, without: int | None = None) -> list[tuple[AttributionRule, list[Condition]]]:
    """The rules in force in their order with what must hold for each; what can never be asked is left out, and logged."""
    found = []
    for rule in AttributionRule.objects.in_force(at).exclude(pk=without).select_related("service").prefetch_related("conditions"):
        conditions = asked_of(rule.tool_id, [row.plain for row in rule.conditions.all()])
        try:
            all_of(conditions)
        except re2.error as error:
            log.error("The rule %s is left out: %s. Correct its pattern.", rule, error)
            continue
        if conditions:
            found.append((rule, conditions))
    return found


def asked_of(tool_id: int | None, conditions: list[Condition]) -> list[Condition]:
    """What must hold for a rule; without tool and without conditions it matches nothing, and the list is empty."""
    return [*([Condition("tool", "equals", str(tool_id))] if tool_id else []), *conditions]


def fact_of(job: BackupJob) -> dict[str, str]:
    """The identity of a job, as conditions read it; what the tool did not tell is an empty text."""
    return {**{field: getattr(job, field) or "" for field in IDENTITY}, "tool": str(job.tool_id)}


@transaction.atomic
def _assign(*, job: BackupJob, rule: AttributionRule | None, ruleset: int, at: dt.datetime) -> None:
    before, after = job.service_id, rule.service_id if rule else None
    version = rule.history.aggregate(newest=Max("history_id"))["newest"] if rule else None
    furnish(jobs=[job], at=at)
    state = JobState.objects.select_for_update().get(pk=job.pk)
    if before == after:
        BackupJob.objects.filter(pk=job.pk).update(ruleset=ruleset, attribution_rule=version, attributed_at=job.attributed_at or at)
        return
    BackupJob.objects.filter(pk=job.pk).update(service=after, attribution_rule=version, attributed_at=at, ruleset=ruleset)
    ProtectedItem.objects.filter(job=job).update(service=after)
    BackupRun.objects.filter(job=job).update(service=after)
    if before:
        following.hand_over(job=job, state=state, service_id=before, at=at)
    instants = list(BackupRun.objects.filter(job=job).order_by("occurred_at").values_list("occurred_at", flat=True))
    state.touched_at, state.touched_from = at, instants[0] if instants else state.touched_from
    state.save()
    concerned = [pk for pk in (before, after) if pk]
    _recount(job, concerned, instants, at)
    judge_again(concerned, at)


def _recount(job: BackupJob, services: list[int], instants: list[dt.datetime], at: dt.datetime) -> None:
    """Count the days that the job's runs and occurrences fall on, for the services that lost and got it."""
    zones = cells.zones_of(services, at)
    due_on = set(ExpectedRun.objects.filter(job=job).values_list("local_on", flat=True))
    days = {service: due_on | {local_day(one, zone) for one in instants} for service, zone in zones.items()}
    cells.recount(days=days, zones=zones)
