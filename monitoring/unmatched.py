"""What no rule decides: jobs that belong to no service, and failures whose cause has no name; each with a rule that would fit."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db.models import Q, QuerySet
from django.utils.text import slugify

from catalogue.models import Service
from monitoring.conditions import Condition
from monitoring.models import Alert, AttributionRule, BackupJob, CauseRule

MOST_JOBS = 20_000
MOST_ALERTS = 500
_WORD = re.compile(r"[-_.:/@ ]")
SHORTEST_WORD = 3


class Suggestion(msgspec.Struct, kw_only=True, frozen=True):
    """A rule that would fit, and what speaks for it."""

    name: str
    conditions: tuple[Condition, ...]
    evidence: str
    service: Service | None = None
    tool_id: int | None = None


class Nameless(msgspec.Struct, kw_only=True):
    """Failures that say the same and that no cause rule names."""

    text: str
    message: str
    count: int
    newest: Alert


def jobs_without_service(user: Any) -> QuerySet[BackupJob]:
    """Jobs that no rule gives to a service, those that were seen last first."""
    rows: QuerySet[BackupJob] = BackupJob.objects.visible_to(user).filter(service=None).select_related("tool", "state")
    return rows.order_by("-last_seen_at", "-pk")


def suggest(jobs: Sequence[BackupJob], user: Any) -> dict[int, Suggestion]:
    """For each of these jobs the rule that its relatives speak for: two questions, however many jobs."""
    known = BackupJob.objects.visible_to(user).filter(service__isnull=False, service__in=Service.objects.visible_to(user))
    rows = known.order_by("-pk").values_list("service", "target_name", "name", "tool")[:MOST_JOBS]
    hosts: dict[str, set[int]] = defaultdict(set)
    words: dict[tuple[int, str], set[int]] = defaultdict(set)
    counted: Counter[tuple[str, int]] = Counter()
    for service, host, name, tool in rows:
        if host:
            hosts[host].add(service)
            counted[host, service] += 1
        if word := first_word(name):
            words[tool, word].add(service)
            counted[f"{tool} {word}", service] += 1
    found = {job.pk: _kin(job, hosts, words, counted) for job in jobs}
    services = Service.objects.in_bulk({service for service, _, _ in found.values() if service})
    taken = set(AttributionRule.objects.values_list("name", flat=True))
    return {job.pk: _suggestion(job, *found[job.pk], services, taken) for job in jobs}


def first_word(name: str) -> str:
    """`pacs` of `pacs-nightly`; empty when the name has one word alone, or a very short one."""
    parts = _WORD.split(name, maxsplit=1)
    return parts[0] if len(parts) > 1 and len(parts[0]) >= SHORTEST_WORD else ""


def _kin(job: BackupJob, hosts: Any, words: Any, counted: Any) -> tuple[int | None, Condition, str]:
    """The service that all relatives of the job belong to, the condition that says so, and the evidence."""
    if job.target_name and len(owners := hosts.get(job.target_name, ())) == 1:
        (service,) = owners
        told = f"{counted[job.target_name, service]} of its jobs on {job.target_name} belong there"
        return service, Condition("target_name", "equals", job.target_name), told
    word = first_word(job.name)
    if word and len(owners := words.get((job.tool_id, word), ())) == 1:
        (service,) = owners
        start = job.name[: len(word) + 1]
        return (
            service,
            Condition("name", "starts_with", start),
            f"{counted[f'{job.tool_id} {word}', service]} jobs named {start}… belong there",
        )
    return None, Condition("external_id", "equals", job.external_id), "Nothing that is known speaks for a service"


def _suggestion(
    job: BackupJob, service: int | None, condition: Condition, evidence: str, services: dict[int, Service], taken: set[str]
) -> Suggestion:
    name = free_name(f"{job.tool.name}: {condition.value}"[:110], taken)
    return Suggestion(
        name=name, conditions=(condition,), evidence=evidence, service=services.get(service) if service else None, tool_id=job.tool_id
    )


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The name, or with the smallest number behind it under which there is no rule yet."""
    held = set(taken)
    return next(name for name in (wanted, *(f"{wanted} {number}" for number in range(2, len(held) + 3))) if name not in held)


def failures_without_cause(user: Any, *, at: dt.datetime, days: int = 30) -> list[Nameless]:
    """Alerts of failed runs of the last days that no cause rule names, grouped by what they say, the most frequent first."""
    recent = Alert.objects.visible_to(user).filter(Q(resolved_at=None) | Q(resolved_at__gte=at - dt.timedelta(days=days)))
    rows = recent.filter(alert_class__in=("job_failed", "job_flapping"), cause="", latest_run__message__isnull=False).select_related(
        "latest_run", "job", "service"
    )
    found: dict[str, Nameless] = {}
    for alert in rows.order_by("-last_seen_at")[:MOST_ALERTS]:
        message = alert.latest_run.message if alert.latest_run else ""
        if text := telling_part(message or ""):
            one = found.setdefault(text, Nameless(text=text, message=message or "", count=0, newest=alert))
            one.count += 1
    return sorted(found.values(), key=lambda one: -one.count)


def telling_part(message: str) -> str:
    """The part of a message that says what is wrong, without the names and numbers that differ from run to run."""
    parts = [part.strip(" .!\n\t") for part in re.split(r":\s|\n", message)]
    plain = [part for part in parts if len(part) >= 8 and not re.search(r"[\d/\\]", part)]
    return (plain[-1] if plain else message.strip())[:120]


def suggest_cause(text: str) -> dict[str, Any]:
    """A cause rule for what says this: its name, and its content."""
    name = free_name(slugify(text)[:50] or "cause", CauseRule.objects.values_list("name", flat=True))
    conditions = [Condition("message", "contains", text)]
    return {"name": name, "content": {"conditions": conditions, "title": f"it says “{text}”"[:120], "component": "job"}}
