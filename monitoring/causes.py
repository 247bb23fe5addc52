"""What a bad run's message means: the first cause rule that recognises it names the cause and the component that has it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec
import re2
from django.db.models import Max

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
    if run and run.message:
        for rule in CauseRule.objects.filter(enabled=True):
            if _recognises(rule, run.message):
                version = rule.history.aggregate(newest=Max("history_id"))["newest"]
                return Cause(key=component_key(rule.component, job), name=rule.name, title=rule.title, rule=version)
    return Cause(key=component_key("job", job))


def titles_of(messages: Iterable[str]) -> dict[str, str]:
    """What the rules of today make of each message, for those that one recognises: one question."""
    wanted = set(filter(None, messages))
    rules = list(CauseRule.objects.filter(enabled=True)) if wanted else []
    found = {message: next((rule.title for rule in rules if _recognises(rule, message)), "") for message in wanted}
    return {message: title for message, title in found.items() if title}


def _recognises(rule: CauseRule, message: str) -> bool:
    try:
        return re2.search(f"(?i){rule.pattern}", message) is not None
    except re2.error as error:
        log.error("The cause rule %s is left out: %s. Correct its pattern.", rule.name, error)
        return False


def component_key(component: str, job: BackupJob) -> str:
    if component == "repository" and job.repository_name:
        return f"repository:{job.repository_name}"[:200]
    if component == "tool":
        return f"tool:{job.tool_id}"
    return f"job:{job.pk}"
