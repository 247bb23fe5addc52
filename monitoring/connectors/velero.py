"""The Velero connector: backups and restores as the Kubernetes API keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Operation, Outcome, Reading, Record, SettingField, State, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none
from monitoring.connectors.conversing import ADDRESS, CERTIFICATES, Conversation, collect, conclude, window

PAGE = 250
SCHEDULE = "velero.io/schedule-name"
_WAITING = ("New", "Queued", "ReadyToStart")
_RUNNING = (
    "InProgress",
    "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed",
    "Finalizing",
    "FinalizingPartiallyFailed",
)


class Velero:
    """Velero in a Kubernetes cluster. A backup leaves the cluster's list when its time to live is over; what was read stays."""

    kind = "velero"
    label = "Velero"
    tested: Tested = "documented"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        ADDRESS,
        SettingField(
            name="token", label="Token", help="Of a service account that may list velero.io backups and restores.", required=True,
            secret=True,
        ),
        SettingField(name="namespace", label="Namespace", help="Where Velero lives.", default="velero"),
        SettingField(
            name="partially_failed", label="A backup that failed in part is", help="failed; or warning, when the gaps are accepted.",
            default="failed",
        ),
        CERTIFICATES,
    )  # fmt: skip
    capabilities = declare(
        read_runs=full("Backups and restores with their phase, until their time to live is over."),
        read_schedules=none("Schedule objects are not read."),
        verify_data=full("Restores."),
        incremental=none("Every backup and restore is listed in every round, page by page."),
        authentication=full("Token of a service account, over HTTPS."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask for every backup and restore that the cluster keeps; there is nothing to go on from."""
        token = secrets.get("token", "").strip()
        talk = Conversation(address=settings.get("address", ""), fetch=fetch, hidden=[token], headers={"Authorization": f"Bearer {token}"})
        _, at = window(cursor, settings)
        namespace = quote(settings.get("namespace") or "velero", safe="")
        ended = [
            talk.pages(name, f"/apis/velero.io/v1/namespaces/{namespace}/{name}", first={"limit": PAGE}, following=_following)
            for name in ("backups", "restores")
        ]
        return talk.end(in_full=all(ended), at=at.isoformat(), partially_failed=settings.get("partially_failed", ""))

    def read(self, answer: Answer) -> Reading:
        """One record for each backup and restore but those being deleted."""
        partly: Outcome = "warning" if answer.meta.get("partially_failed") == "warning" else "failed"
        result = Reading()
        for name, operation in (("backups", "backup"), ("restores", "restore")):
            collect(result, answer, name, rows=_items, one=lambda row, operation=operation: _read(row, operation, partly), noun=operation)  # type: ignore[misc]
        return conclude(result, answer)


def _items(document: Any) -> Any:
    return document.get("items") if isinstance(document, dict) else None


def _following(told: Any, number: int) -> Mapping[str, Any] | str | None:
    if not isinstance(_items(told), list):
        return "A page of the list holds no items."
    meta = told.get("metadata")
    after = meta.get("continue") if isinstance(meta, dict) else None
    return {"continue": after} if isinstance(after, str) and after else None


def _part(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _read(row: Mapping[str, Any], operation: Operation, partly: Outcome) -> Record | str | None:
    meta, spec, status = (_part(row, name) for name in ("metadata", "spec", "status"))
    phase = reading.name(status.get("phase")) or "New"
    if phase == "Deleting":
        return None
    uid, name, made = reading.name(meta.get("uid")), reading.name(meta.get("name")), reading.instant(meta.get("creationTimestamp"))
    if uid is None or name is None or made is None:
        return "lacks its uid, name or creationTimestamp"
    begun, ended = reading.instant(status.get("startTimestamp")), reading.instant(status.get("completionTimestamp"))
    begun_at, expires = begun.at if begun else None, reading.instant(status.get("expiration"))
    ended_at = ended.at if ended and begun and ended.at >= begun.at else None
    state: State = "queued" if phase in _WAITING else "running" if phase in _RUNNING else "finished"
    warnings, errors = reading.count(status.get("warnings")), reading.count(status.get("errors"))
    outcome = _outcome(phase, warnings, partly) if state == "finished" else None
    schedule = reading.name(_part(meta, "labels").get(SCHEDULE))
    progress, good = _part(status, "progress"), outcome in ("success", "warning")
    return Record(
        external_id=name,
        evidence_kind="run_log",
        identity=(operation, uid),
        created_at=made.at,
        job_external_id=(schedule or name)
        if operation == "backup"
        else f"restore {spec.get('scheduleName') or spec.get('backupName') or name}",
        operation=operation,
        target_name=_namespaces(spec),
        target_type="namespace",
        repository_name=reading.name(spec.get("storageLocation")),
        state=state,
        outcome=outcome,
        native_status=phase,
        native_message=_message(status) if outcome != "success" else None,
        scheduled_at=made.at,
        started_at=begun_at,
        ended_at=ended_at if state == "finished" else None,
        duration_s=reading.span_s(begun_at, ended_at),
        files_total=reading.count(progress.get("itemsBackedUp")) if good and operation == "backup" else None,
        warnings_count=warnings,
        errors_count=errors,
        retention_until=expires.at if expires and operation == "backup" else None,
        artefact_id=name if operation == "backup" and good else None,
        consistent_at=begun_at if operation == "backup" and good else None,
    )


def _outcome(phase: str, warnings: int | None, partly: Outcome) -> Outcome:
    if phase == "Completed":
        return "warning" if warnings else "success"
    if phase == "PartiallyFailed":
        return partly
    return "failed" if phase in ("Failed", "FailedValidation") else "unknown"


def _namespaces(spec: Mapping[str, Any]) -> str | None:
    found = spec.get("includedNamespaces")
    names = [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
    return reading.name(", ".join(sorted(names)))


def _message(status: Mapping[str, Any]) -> str | None:
    problems = status.get("validationErrors")
    told = [status.get("failureReason"), *(problems if isinstance(problems, list) else [])]
    text = " ".join(one for one in told if isinstance(one, str))
    return reading.plain(text) or None
