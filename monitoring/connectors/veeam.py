"""The Veeam connector: sessions of Backup & Replication over its REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Operation, Outcome, Reading, Record, SettingField, State, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none
from monitoring.connectors.conversing import ADDRESS, CERTIFICATES, Conversation, collect, conclude, window

API_VERSION = "1.1-rev0"
PAGE = 500
_OUTCOMES: dict[str, Outcome] = {"Success": "success", "Warning": "warning", "Failed": "failed"}
_QUEUED = ("Starting", "WaitingTape", "WaitingRepository", "WaitingSlot")
_RUNNING = ("Working", "Postprocessing", "Idle", "Pausing", "Resuming", "Stopping")
_OPERATIONS: tuple[tuple[str, Operation], ...] = (
    ("surebackup", "restore_test"),
    ("restore", "restore"),
    ("instantrecovery", "restore"),
    ("backupcopy", "copy"),
    ("replica", "replicate"),
    ("backup", "backup"),
)


class Veeam:
    """Veeam Backup & Replication 12 and newer. Its first API tells no sizes; sessions inside a session are part of that one."""

    kind = "veeam"
    label = "Veeam Backup & Replication"
    tested: Tested = "documented"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        ADDRESS,
        SettingField(name="user", label="User", help="A user with the role Veeam Backup Viewer, e.g. DOMAIN\\reader.", required=True),
        SettingField(name="password", label="Password", help="Of that user.", required=True, secret=True),
        SettingField(
            name="api_version", label="API version", help="The header x-api-version, e.g. 1.1-rev0 for version 12.", default=API_VERSION
        ),
        CERTIFICATES,
    )
    capabilities = declare(
        read_runs=full("Sessions with their result, failed and cancelled ones too."),
        read_schedules=none("The schedule of a job is not read."),
        verify_data=full("SureBackup and restore sessions."),
        incremental=full("Sessions that began or ended since the latest complete round."),
        authentication=full("User and password for a token that is renewed, over HTTPS."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the sessions that began, and for those that ended, since the latest complete round."""
        version = settings.get("api_version") or API_VERSION
        talk = Conversation(
            address=settings.get("address", ""),
            fetch=fetch,
            hidden=[secrets.get("password", "")],
            headers={"x-api-version": version},
            sign_in=lambda talk: _sign_in(talk, settings.get("user", ""), secrets.get("password", "")),
        )
        since, at = window(cursor, settings)
        order = {"limit": PAGE, "orderColumn": "CreationTime", "orderAsc": "true"}
        ended = [
            talk.pages("sessions", "/api/v1/sessions", first={"skip": 0, **order, after: since.isoformat()}, following=_following)
            for after in ("createdAfterFilter", "endedAfterFilter")
        ]
        return talk.end(in_full=all(ended), at=at.isoformat())

    def read(self, answer: Answer) -> Reading:
        """One record for each session that backed up, copied, replicated, restored or tested; others are no runs."""
        result = Reading()
        collect(result, answer, "sessions", rows=rows_of, one=_session, noun="session")
        return conclude(result, answer)


def _sign_in(talk: Conversation, user: str, password: str) -> dict[str, str] | None:
    form = urlencode({"grant_type": "password", "username": user, "password": password}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    told = talk.ask("token", "/api/oauth2/token", method="POST", body=form, headers=kind, secret=True)
    token = told.get("access_token") if isinstance(told, dict) else None
    return {"Authorization": f"Bearer {token}"} if isinstance(token, str) and token.isascii() and token.isprintable() else None


def rows_of(document: Any) -> Any:
    return document.get("data") if isinstance(document, dict) else None


def _following(told: Any, number: int) -> Mapping[str, Any] | str | None:
    paging, rows = (told.get("pagination"), rows_of(told)) if isinstance(told, dict) else (None, None)
    total, skipped = (reading.count(paging.get(key)) for key in ("total", "skip")) if isinstance(paging, dict) else (None, None)
    if total is None or skipped is None or not isinstance(rows, list):
        return "A page of sessions does not say how many there are in total."
    return {"skip": skipped + len(rows)} if rows and skipped + len(rows) < total else None


def _session(row: Mapping[str, Any]) -> Record | str | None:
    operation = _operation(row.get("sessionType"))
    if operation is None or row.get("parentSessionId"):
        return None
    external_id, begun = reading.name(row.get("id")), reading.instant(row.get("creationTime"))
    if external_id is None or begun is None:
        return "has no id" if external_id is None else "has no usable creationTime"
    name, told = reading.name(row.get("name")), row.get("result")
    result: Mapping[str, Any] = told if isinstance(told, dict) else {}
    state = _state(row.get("state"))
    ended = reading.instant(row.get("endTime")) if state == "finished" else None
    ended_at = ended.at if ended and ended.at >= begun.at else None
    outcome = _outcome(row.get("state"), result) if state == "finished" else None
    message, usn = result.get("message"), reading.count(row.get("usn"))
    return Record(
        external_id=external_id,
        evidence_kind="run_log",
        identity=(external_id,),
        created_at=begun.at,
        job_external_id=reading.name(row.get("resourceId")) or name or external_id,
        job_name=name,
        operation=operation,
        state=state,
        outcome=outcome,
        native_status=reading.name(f"{row.get('state')} {result.get('result') or ''}"),
        native_message=reading.plain(message) if isinstance(message, str) and message else None,
        started_at=begun.at,
        ended_at=ended_at,
        time_quality=begun.quality,
        duration_s=reading.span_s(begun.at, ended_at),
        consistent_at=begun.at if operation in ("backup", "copy", "replicate") and outcome in ("success", "warning") else None,
        source_revision=None if usn is None else str(usn),
    )


def _outcome(state: object, result: Mapping[str, Any]) -> Outcome:
    if state != "Stopped":
        return "unknown"  # a word that is not known: whether it ended well cannot be told
    return "cancelled" if result.get("isCanceled") is True else _OUTCOMES.get(str(result.get("result")), "unknown")


def _operation(kind: object) -> Operation | None:
    """What a type of session does; a `ConfigurationBackup` saves Veeam itself and is no backup of a service."""
    text = kind.lower() if isinstance(kind, str) else ""
    return None if "configuration" in text else next((operation for part, operation in _OPERATIONS if part in text), None)


def _state(state: object) -> State:
    return "queued" if state in _QUEUED else "running" if state in _RUNNING else "finished"
