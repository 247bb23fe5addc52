"""Jobs that count for an entry, and the rules by which they do, in the history of the entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Q, QuerySet

from catalogue.chronicle import Asked, Event, Key, Source
from catalogue.chronicle.events import differing, earlier, said_by, step, with_before
from monitoring.models import AttributionRule, BackupJob

RULE_FIELDS = ("name", "position", "enabled", "valid_from", "valid_to")


def _job_rows(asked: Asked) -> Iterable[QuerySet]:
    """Jobs that count for it now, from when they do. What counted before and went elsewhere stands with the rules."""
    rows = BackupJob.objects.visible_to(asked.user).filter(service=asked.service, attributed_at__isnull=False)
    yield step(rows, asked, part="job", name="claimed", at="attributed_at")


def _jobs_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    jobs = BackupJob.objects.in_bulk([pk for _, pk in keys])
    deciding: Any = AttributionRule.history.filter(pk__in={job.attribution_rule for job in jobs.values()}).select_related("history_user")  # type: ignore[attr-defined]
    rules = deciding.in_bulk()
    return {(name, pk): _job_event(asked, jobs[pk], rules.get(jobs[pk].attribution_rule)) for name, pk in keys}


def _job_event(asked: Asked, job: BackupJob, rule: Any) -> Event:
    by = f" by the rule {rule.name}" if rule else ""
    return Event(
        at=job.attributed_at or job.first_seen_at, part="job", what=f"Job {job.name} counts for it{by}",
        who=said_by(rule.history_user) if rule else "", why=rule.history_change_reason if rule else "",
        page="runs", args=(asked.service.code,),
    )  # fmt: skip


def _rule_rows(asked: Asked) -> Iterable[QuerySet]:
    """Rules that name the entry, and those with which a rule went from it to another one; for who may read rules."""
    history: Any = AttributionRule.history.filter(id__in=AttributionRule.objects.visible_to(asked.user).values("pk"))  # type: ignore[attr-defined]
    history = history.alias(_from=earlier(AttributionRule, "service"))
    mine = Q(service=asked.service.pk)
    for name, kind, rank in (("made", "+", 0), ("changed", "~", 1), ("deleted", "-", 2)):
        yield step(history.filter(mine, history_type=kind), asked, part="rule", name=name, at="history_date", rank=rank)
    left = history.filter(~mine, history_type="~", _from=asked.service.pk)
    yield step(left, asked, part="rule", name="left", at=F("history_date"), rank=1)


def _rules_told(asked: Asked, keys: list[Key]) -> dict[Key, Event]:
    verbs = {"made": "claims jobs for it", "changed": "was changed", "deleted": "was taken away", "left": "claims for another entry now"}
    found = {row.pk: (row, before) for row, before in with_before(AttributionRule, [pk for _, pk in keys])}
    events = {}
    for name, pk in keys:
        row, before = found[pk]
        events[name, pk] = Event(
            at=row.history_date, part="rule", what=f"Rule {row.name} {verbs[name]}", who=said_by(row.history_user),
            why=row.history_change_reason, changes=differing(row, before, RULE_FIELDS) if name == "changed" else (),
            page="rule", args=("attribution", row.id), record=(AttributionRule, row.id),
        )  # fmt: skip
    return events


SOURCES = (Source("job", "Jobs", _job_rows, _jobs_told), Source("rule", "Rules of jobs", _rule_rows, _rules_told))
