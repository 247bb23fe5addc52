"""What a bad run's message means: the first cause rule that recognises it names the cause and the component that has it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cached_property

import msgspec
import re2
from django.db.models import Max

from monitoring.conditions import IDENTITY, Condition, RuleSet, all_of
from monitoring.models import BackupJob, BackupRun, CauseRule

log = logging.getLogger(__name__)


class Cause(msgspec.Struct, kw_only=True, frozen=True):
    """`key` is the root component that incidents are grouped by; without a rule it is the job itself."""

    key: str
    name: str = ""
    title: str = ""
    rule: int | None = None

    @property
    def is_specific(self) -> bool:
        return bool(self.name)


def read_cause(*, run: BackupRun | None, job: BackupJob) -> Cause:
    """The cause of a bad run of this job."""
    return Causes().of(run=run, job=job)


class Causes:
    """The cause rules in force and their versions, read at the first run that is asked about, for as many runs as come together."""

    def of(self, *, run: BackupRun | None, job: BackupJob) -> Cause:
        """The cause of a bad run of this job."""
        rule = self._rules.first(fact_of_run(run.message, run.outcome, run.operation, job)) if run else None
        if rule is None:
            return Cause(key=component_key("job", job))
        return Cause(key=component_key(rule.component, job), name=rule.name, title=rule.title, rule=self._versions[rule.pk])

    @cached_property
    def _rules(self) -> RuleSet[CauseRule]:
        return rules_of_causes()

    @cached_property
    def _versions(self) -> dict[int, int]:
        return dict(CauseRule.history.values_list("id").annotate(newest=Max("history_id")))


def rules_of_causes(*, without: int | None = None) -> RuleSet[CauseRule]:
    """The cause rules in force, ready to be asked."""
    return RuleSet(asked_in_order(without=without))


def asked_in_order(*, without: int | None = None) -> list[tuple[CauseRule, list[Condition]]]:
    """The cause rules in force in their order; what cannot be read is left out, and logged."""
    found = []
    for rule in CauseRule.objects.filter(enabled=True).exclude(pk=without):
        try:
            all_of(rule.plain)
        except re2.error as error:
            log.error("The cause rule %s is left out: %s. Correct its pattern.", rule.name, error)
            continue
        if rule.plain:
            found.append((rule, rule.plain))
    return found


def fact_of_run(message: str | None, outcome: str | None, operation: str, job: BackupJob) -> dict[str, str]:
    """A run as conditions of cause rules read it."""
    identity = {field: getattr(job, field) or "" for field in IDENTITY}
    return {**identity, "message": message or "", "outcome": outcome or "", "operation": operation}


def titles_of(messages: Iterable[str]) -> dict[str, str]:
    """What the rules of today make of each message, by itself: those that look at more than it are left out. One question."""
    wanted = set(filter(None, messages))
    asked = asked_in_order() if wanted else []
    rules = RuleSet([(rule, plain) for rule, plain in asked if {one.field for one in plain} == {"message"}])
    found = {message: rules.first({"message": message}) for message in wanted}
    return {message: rule.title for message, rule in found.items() if rule}


def component_key(component: str, job: BackupJob) -> str:
    if component == "repository" and job.repository_name:
        return f"repository:{job.repository_name}"[:200]
    if component == "tool":
        return f"tool:{job.tool_id}"
    return f"job:{job.pk}"
