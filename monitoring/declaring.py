"""Stating how tools, jobs, schedules and rules shall be: each is made, changed where it differs, or left alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from catalogue.declaring import Declared, declare
from catalogue.models import Service
from catalogue.publishing import NotReady, problems_of
from monitoring import ruling
from monitoring.conditions import Condition
from monitoring.connectors import CONNECTORS
from monitoring.models import BackupJob, JobSchedule, JobState, Tool, ToolState
from monitoring.registering import furnish

PROFILES = ("default", "restic", "borg")


def declare_tool(*, name: str, kind: str, by: Any, at: dt.datetime, reason: str, **wanted: Any) -> Declared:
    """The tool of this name; `wanted` are fields of Tool. A new one is monitored, and asked if it can be, from `at` on.

    Of `settings` and `secrets` the keys that are given count; others stay. Raises NotReady with a sentence for each problem.
    """
    row = Tool.objects.filter(name=name).first() or Tool(name=name, kind=kind, monitored_from=at, ping_key=None)
    if row.kind != kind:
        raise NotReady([f"{name} is a tool of the kind {row.kind} and cannot become {kind}. Declare {kind} as a tool of its own name."])
    for bag in ("settings", "secrets"):
        if bag in wanted:
            wanted[bag] = {**getattr(row, bag), **wanted[bag]}
    given = {"settings": row.settings, "secrets": row.secrets, **wanted}
    problems = _setting_problems(kind, given, needs_secrets=not wanted.get("replayed", row.replayed))
    if problems:
        raise NotReady(problems)
    with transaction.atomic():
        declared = declare(row, wanted, by=by, reason=reason)
        state, _ = ToolState.objects.get_or_create(tool=row)
        if declared.wrote and CONNECTORS[kind].polled:
            state.next_poll_at = state.next_judgement_at = at  # look at once whether it works
            state.save(update_fields=["next_poll_at", "next_judgement_at"])
    return declared


def declare_job(*, tool: Tool, external_id: str, at: dt.datetime, **wanted: Any) -> Declared:
    """The job of this id, with the item it protects; `wanted` may hold `name` and `profile` (how exit codes are read).

    Jobs are facts of the machine, without history. Raises NotReady for values that a job cannot have.
    """
    if wanted.get("profile", "default") not in PROFILES:
        raise NotReady([f"There is no way to read exit codes called {wanted['profile']}. Choose one of {', '.join(PROFILES)}."])
    row = BackupJob.objects.filter(tool=tool, external_id=external_id).first()
    made = row is None
    row = row or BackupJob(tool=tool, external_id=external_id, name=external_id[:200], first_seen_at=at)
    wanted = {"declared": True, **wanted}
    changed = {name: (None if made else getattr(row, name), value) for name, value in wanted.items() if made or getattr(row, name) != value}
    if not changed:
        return Declared(row)
    for name, value in wanted.items():
        setattr(row, name, value)
    problems = problems_of(row, only={"tool", "external_id", "name"})
    if problems:
        raise NotReady(problems)
    with transaction.atomic():
        row.save()
        furnish(jobs=[row], at=at)
        JobState.objects.filter(job=row).update(touched_at=at)
    return Declared(row, made, changed)


def declare_schedule(*, job: BackupJob, by: Any, at: dt.datetime, reason: str, **wanted: Any) -> Declared:
    """When the job is due; `wanted` are fields of JobSchedule. Raises NotReady saying what cannot be expanded."""
    row = JobSchedule.objects.filter(job=job).first() or JobSchedule(job=job)
    return declare(row, wanted, by=by, reason=reason)


def declare_rule(
    *, name: str, service: Service, conditions: Iterable[tuple[str, str, str]], by: Any, approver: Any, at: dt.datetime, reason: str,
    **wanted: Any,
) -> Declared:  # fmt: skip
    """The attribution rule of this name with exactly these conditions (field, operator, value), in force from `at` when new.

    What differs is a version, written by `by` and approved by `approver`. Raises NotReady, NotAllowed.
    """
    content = {**wanted, "service": service, "conditions": sorted(set(conditions))}
    return _in_force("attribution", name, content, by, approver, at, reason)


def declare_cause_rule(*, name: str, by: Any, approver: Any, at: dt.datetime, reason: str, **wanted: Any) -> Declared:
    """The cause rule of this name; `wanted` are title, pattern, component, position, enabled. Raises NotReady, NotAllowed."""
    content = {field: value for field, value in wanted.items() if field != "pattern"}
    if "pattern" in wanted:
        content["conditions"] = [("message", "matches", wanted["pattern"])]
    return _in_force("cause", name, content, by, approver, at, reason)


def _in_force(kind: str, name: str, content: dict[str, Any], by: Any, approver: Any, at: dt.datetime, reason: str) -> Declared:
    made, held = ruling.rule_named(kind, name) is None, ruling.content_of(kind, name)
    before = {field: held[field] for field in content}
    if "conditions" in content:
        before["conditions"] = _words(kind, (Condition(**row) for row in held["conditions"]))
    after = {**content, **({"conditions": _words(kind, map(Condition._make, content["conditions"]))} if "conditions" in content else {})}
    changed = {field: (None if made else before[field], after[field]) for field in after if made or before[field] != after[field]}
    if changed or made:
        said: dict[str, Any] = {"at": at, "reason": reason}
        draft = ruling.draft_rule(kind=kind, name=name, content=content, by=by, **said)
        ruling.send(row=draft, by=by, **said)
        ruling.approve(row=draft, by=approver, **said)
    return Declared(ruling.rule_named(kind, name), made, changed)


def _words(kind: str, conditions: Iterable[Condition]) -> str:
    return " and ".join(one.words(kind) for one in sorted(conditions))


def _setting_problems(kind: str, wanted: Mapping[str, Any], *, needs_secrets: bool) -> list[str]:
    """Settings that this kind of tool does not know, stand in the wrong place, or still needs."""
    if kind not in CONNECTORS:
        return [f"There is no kind of tool called {kind}. Kinds: {', '.join(sorted(CONNECTORS))}."]
    fields = {field.name: field for field in CONNECTORS[kind].settings_fields}
    problems = []
    for bag, secret in (("settings", False), ("secrets", True)):
        belonging = [name for name, field in fields.items() if field.secret == secret]
        for name in wanted[bag].keys() - set(belonging):
            other = "secrets" if bag == "settings" else "settings"
            place = f"belongs under {other}" if name in fields else f"is unknown; {kind} knows: {', '.join(belonging) or 'none'}"
            problems.append(f"{bag}: {name} {place}.")
        needed = [name for name in belonging if fields[name].required and (needs_secrets or not secret)]
        lacking = [name for name in needed if not wanted[bag].get(name)]
        problems += [f"{bag}: {name} is still needed ({fields[name].label})." for name in lacking]
    return problems
