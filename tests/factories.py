"""Facts for tests, made through the product's own acts."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

from django.contrib.auth import get_user_model

from catalogue import deviating, publishing
from catalogue.models import Service, Team
from itsm_backup.common.models import because
from monitoring import intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import AttributionCondition, AttributionRule, BackupJob, JobSchedule, ServiceState, Tool, ToolState
from monitoring.registering import furnish

LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_number = itertools.count(1)


def make_user(name: str = "", **kwargs: Any) -> Any:
    name = name or f"person-{next(_number)}"
    return get_user_model().objects.create_user(name, f"{name}@example.org", "a long enough password", **kwargs)


def make_admin(name: str = "") -> Any:
    return make_user(name, is_staff=True, is_superuser=True)


def make_team(name: str = "Storage", email: str = "storage@example.org") -> Team:
    with because("test"):
        return Team.objects.get_or_create(name=name, defaults={"email": email})[0]


def bear(service: Service, code: str, *, at: dt.datetime) -> None:
    """A deviation that bears whatever of this service breaks the inequality, drafts too, for a month."""
    said, until = {"at": at, "reason": "test"}, (at + dt.timedelta(days=30)).date()
    row = deviating.ask(service=service, code=code, owner=make_user(), by=make_user(), expires_on=until, **said)
    deviating.grant(deviation=row, by=make_admin(), **said)


def make_service(
    code: str = "",
    *,
    at: dt.datetime = LONG_AGO,
    rpo_s: int | None = 26 * 3600,
    success_rate: Any = None,
    rto_s: int | None = None,
    restore_test_days: int | None = None,
    promise: dict[str, Any] | None = None,
    **content: Any,
) -> Service:
    """A service with one approved version in force from `at`; `promise` is what its commitment says beside the rest."""
    code = code or f"SVC-{next(_number):03}"
    author, approver = make_user(), make_admin()
    service = publishing.create_service(code=code, by=author, at=at, reason="test")
    values = {
        "name": code, "short_name": code[:22], "tier": 2, "commissioned_at": at, "owner": author, "steward": author,
        "operations_team": make_team(), **content,
    }  # fmt: skip
    commitment = {"rpo_s": rpo_s, "success_rate": success_rate, "rto_s": rto_s, "restore_test_days": restore_test_days}
    commitment |= promise or {}
    version = publishing.draft_version(service=service, content=values, commitment=commitment, by=author, at=at, reason="test")
    publishing.submit(version=version, by=author, at=at, reason="test")
    publishing.approve(version=version, by=approver, at=at, reason="test")
    service.refresh_from_db()
    return service


def make_tool(kind: str = "push", *, at: dt.datetime = LONG_AGO, name: str = "", **fields: Any) -> Tool:
    with because("test"):
        tool = Tool.objects.create(name=name or f"tool-{next(_number)}", kind=kind, monitored_from=at, **fields)
    polled = tool.connector.polled
    ToolState.objects.create(tool=tool, next_poll_at=at if polled else None, next_judgement_at=at if polled else None)
    return tool


def make_job(
    tool: Tool, external_id: str = "nightly", *, at: dt.datetime = LONG_AGO, service: Service | None = None, **fields: Any
) -> BackupJob:
    """A declared job with its state and item; attributed by a rule of its own when a service is given."""
    job = BackupJob.objects.create(
        tool=tool, external_id=external_id, name=fields.pop("name", external_id), declared=True, first_seen_at=at, **fields
    )
    furnish(jobs=[job], at=at)
    if service:
        make_rule(service, tool, external_id, at=at)
        ServiceState.objects.get_or_create(service=service, defaults={"next_judgement_at": at})
    return job


def make_rule(service: Service, tool: Tool, external_id: str, *, at: dt.datetime = LONG_AGO) -> AttributionRule:
    with because("test"):
        rule = AttributionRule.objects.create(name=f"rule {next(_number)}", service=service, tool=tool, valid_from=at)
        AttributionCondition.objects.create(rule=rule, field="external_id", value=external_id)
    return rule


def make_schedule(job: BackupJob, **fields: Any) -> JobSchedule:
    with because("test"):
        return JobSchedule.objects.create(job=job, **fields)


def push(tool: Tool, *records: dict[str, Any], at: dt.datetime) -> intake.Receipt:
    """Send canonical records as the bulk API would."""
    import json

    body = json.dumps(records)
    answer = Answer(kind="api", steps=[Step(name="body", stdout=body)], meta={"content_type": "application/json"})
    return intake.receive(tool=tool, answer=answer, at=at)


def restore_record(job: str, outcome: str, started_at: dt.datetime, *, minutes: float = 60, **more: Any) -> dict[str, Any]:
    """A test of a full restore; what came back was compared when it was good."""
    proof = {"operation": "restore_test", "level": "full", "verification_state": "passed" if outcome == "success" else "none"}
    return run_record(job, outcome, started_at, minutes=minutes, external_id=f"test@{started_at.isoformat()}", **{**proof, **more})


def run_record(job: str, outcome: str, started_at: dt.datetime, *, minutes: float = 10, **more: Any) -> dict[str, Any]:
    ended_at = started_at + dt.timedelta(minutes=minutes)
    return {
        "external_id": more.pop("external_id", f"{job}@{started_at.isoformat()}"),
        "job_external_id": job,
        "outcome": outcome,
        "state": "finished",
        "started_at": started_at.isoformat(),
        "ended_at": ended_at.isoformat(),
        **({"consistent_at": started_at.isoformat()} if outcome in ("success", "warning") else {}),
        **more,
    }
