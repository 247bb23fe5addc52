"""The AWS Backup connector: backup, copy and restore jobs of one account in one region, over the service's own API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.aws_role import Keys, Signing, take_on
from monitoring.connectors.base import (
    Answer,
    Fetch,
    Operation,
    Outcome,
    Reading,
    Record,
    SettingField,
    State,
    Tested,
    VerificationState,
)
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none
from monitoring.connectors.conversing import Conversation, collect, conclude, window

PAGE = 1_000
_QUEUED, _RUNNING = ("CREATED", "PENDING"), ("RUNNING", "ABORTING")
_OUTCOMES: dict[str, Outcome] = {
    "COMPLETED": "success",
    "PARTIAL": "warning",
    "FAILED": "failed",
    "ABORTED": "cancelled",
    "EXPIRED": "missed",
}
_VALIDATED: dict[str, VerificationState] = {"SUCCESSFUL": "passed", "FAILED": "failed", "TIMED_OUT": "failed", "VALIDATING": "running"}
# listing → (path, key of the list, name of the id, name of the state, operation)
_LISTINGS: dict[str, tuple[str, str, str, str, Operation]] = {
    "backup-jobs": ("/backup-jobs/", "BackupJobs", "BackupJobId", "State", "backup"),
    "copy-jobs": ("/copy-jobs/", "CopyJobs", "CopyJobId", "State", "copy"),
    "restore-jobs": ("/restore-jobs/", "RestoreJobs", "RestoreJobId", "Status", "restore"),
}


class AwsBackup:
    """AWS Backup. The service lists jobs of the last 30 days; sizes mean what the resource type lets them mean."""

    kind = "aws-backup"
    label = "AWS Backup"
    tested: Tested = "documented"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        SettingField(name="region", label="Region", help="e.g. eu-central-1; its host is backup.REGION.amazonaws.com.", required=True),
        SettingField(name="key_id", label="Access key id", help="Of a user that may list backup, copy and restore jobs.", required=True),
        SettingField(name="secret_key", label="Secret access key", help="Of that key.", required=True, secret=True),
        SettingField(name="session_token", label="Session token", help="Only with temporary keys.", secret=True),
        SettingField(name="role_arn", label="Role to take on", help="Its ARN, when the key is of another account than what is read."),
        SettingField(name="external_id", label="External id", help="Where the trust policy of that role asks for one."),
        SettingField(name="address", label="Other address", help="Only for a private endpoint: https://vpce-….amazonaws.com."),
        SettingField(name="sts_address", label="Other address of STS", help="The same, for taking on the role."),
    )  # fmt: skip
    capabilities = declare(
        read_runs=full("Backup, copy and restore jobs of the last 30 days with their state."),
        read_schedules=none("The window of a plan is not read."),
        verify_data=full("Restore jobs and their validation."),
        incremental=full("Jobs made or completed since the latest complete round."),
        authentication=full("Access key with signed requests, taking on a role where one is named, over HTTPS."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the jobs that were made, and for those that were completed, since the latest complete round."""
        region = settings.get("region", "").strip()
        address = settings.get("address", "").strip() or f"https://backup.{region}.amazonaws.com"
        hidden = [secrets.get(name, "") for name in ("secret_key", "session_token")]
        keys = Keys(settings.get("key_id", "").strip(), *(secrets.get(name, "").strip() for name in ("secret_key", "session_token")))
        signing = Signing(fetch, region, keys)
        role = settings.get("role_arn", "").strip()
        talk = Conversation(
            address=address, fetch=signing, hidden=hidden, sign_in=(lambda talk: take_on(talk, signing, role, settings)) if role else None
        )
        since, at = window(cursor, settings)
        ended = [
            talk.pages(
                name,
                path,
                first={"maxResults": PAGE, after: since.strftime("%Y-%m-%dT%H:%M:%SZ")},
                following=lambda told, number, key=key: _following(told, key),
            )
            for name, (path, key, *_) in _LISTINGS.items()
            for after in ("createdAfter", "completeAfter")
        ]
        return talk.end(in_full=all(ended), at=at.isoformat())

    def read(self, answer: Answer) -> Reading:
        """One record for each job; the parts of a composite job are told by their parent."""
        result = Reading()
        for name, (_, key, id_name, state_name, operation) in _LISTINGS.items():
            collect(
                result,
                answer,
                name,
                rows=lambda document, key=key: document.get(key) if isinstance(document, dict) else None,
                one=lambda row, id_name=id_name, state_name=state_name, operation=operation: _job(row, id_name, state_name, operation),
                noun=f"{operation} job",
            )
        return conclude(result, answer)


def _following(told: Any, key: str) -> Mapping[str, Any] | str | None:
    if not isinstance(told, dict) or not isinstance(told.get(key), list):
        return f"A page of the list holds no {key}."
    after = told.get("NextToken")
    return {"nextToken": after} if isinstance(after, str) and after else None


def _job(row: Mapping[str, Any], id_name: str, state_name: str, operation: Operation) -> Record | str | None:
    if row.get("ParentJobId"):
        return None
    external_id, made = reading.name(row.get(id_name)), reading.epoch(row.get("CreationDate"))
    if external_id is None or made is None:
        return f"has no {id_name}" if external_id is None else "has no usable CreationDate"
    status, completed = reading.name(row.get(state_name)), reading.epoch(row.get("CompletionDate"))
    state: State = "queued" if status in _QUEUED else "running" if status in _RUNNING else "finished"
    ended = completed if completed and completed >= made and state == "finished" else None
    outcome = _outcome(status, row, operation) if state == "finished" else None
    good, message = outcome in ("success", "warning"), row.get("StatusMessage")
    restored_to = reading.name(row.get("CreatedResourceArn"))
    tested = operation == "restore" and isinstance(by := row.get("CreatedBy"), dict) and bool(by.get("RestoreTestingPlanArn"))
    return Record(
        external_id=external_id,
        evidence_kind="run_log",
        identity=(operation, external_id),
        created_at=made,
        job_external_id=_series(row, operation) or external_id,
        operation="restore_test" if tested else operation,
        target_name=reading.name(row.get("ResourceName")) or reading.name(row.get("ResourceArn")) or restored_to,
        target_type=reading.name(row.get("ResourceType")),
        repository_name=_vault(row),
        state=state,
        outcome=outcome,
        native_status=status,
        native_message=reading.plain(message) if isinstance(message, str) and message and outcome != "success" else None,
        scheduled_at=made,
        started_at=reading.epoch(row.get("InitiationDate")) or made,
        ended_at=ended,
        duration_s=reading.span_s(made, ended),
        bytes_source=_size(row) if good else None,
        bytes_transferred=reading.count(row.get("BytesTransferred")) if good else None,
        encrypted=row["IsEncrypted"] if isinstance(row.get("IsEncrypted"), bool) else None,
        artefact_id=reading.name(row.get("DestinationRecoveryPointArn" if operation == "copy" else "RecoveryPointArn"))
        if good or tested
        else None,
        verification_state=_VALIDATED.get(str(row.get("ValidationStatus")), "none"),
        verification_method="app_check" if row.get("ValidationStatus") in _VALIDATED else None,
        consistent_at=made if operation in ("backup", "copy") and good else None,
    )


def _outcome(status: str | None, row: Mapping[str, Any], operation: Operation) -> Outcome:
    """COMPLETED is a success only where the service says so as its category too; the console calls the rest completed with issues."""
    outcome = _OUTCOMES.get(status or "", "unknown")
    category = row.get("MessageCategory")
    return "warning" if outcome == "success" and operation == "backup" and category not in ("SUCCESS", None) else outcome


def _series(row: Mapping[str, Any], operation: Operation) -> str | None:
    """Plan rule and resource: what runs again and again."""
    by = row.get("CreatedBy")
    rule = by.get("BackupRuleId") or by.get("RestoreTestingPlanArn") if isinstance(by, dict) else None
    resource = row.get("ResourceArn") or row.get("SourceResourceArn") or row.get("RecoveryPointArn")
    parts = [one for one in (rule, resource) if isinstance(one, str)]
    return reading.name(" ".join([*([operation] if operation != "backup" else []), *parts])) if parts else None


def _vault(row: Mapping[str, Any]) -> str | None:
    arn = row.get("DestinationBackupVaultArn") or row.get("BackupVaultArn")
    return reading.name(row.get("BackupVaultName")) or (reading.name(arn.rpartition(":")[2]) if isinstance(arn, str) else None)


def _size(row: Mapping[str, Any]) -> int | None:
    """Bytes; 0 means that the resource type does not tell (RDS, Aurora, FSx …)."""
    return reading.count(row.get("BackupSizeInBytes")) or None
