"""The Zabbix connector: what its triggers about backups said, event by event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Outcome, Reading, Record, SettingField, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none, part
from monitoring.connectors.conversing import ADDRESS, CERTIFICATES, Conversation, collect, conclude, window

PAGE = 1_000
MOST_ROUND_PAGES = 50
JSON_RPC = {"Content-Type": "application/json-rpc"}
_OUTCOMES: tuple[Outcome, ...] = ("unknown", "success", "warning", "failed", "failed", "failed")  # by severity, not classified first


class Zabbix:
    """Zabbix 6.4 and newer. Its events are alerts and not backups: they never count as a copy, whatever they say."""

    kind = "zabbix"
    label = "Zabbix"
    tested: Tested = "documented"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        ADDRESS,
        SettingField(
            name="token", label="API token", help="Of a user with read access to the hosts concerned.", required=True, secret=True
        ),
        SettingField(
            name="tag", label="Only events with this tag", help="name or name=value, e.g. component=backup. Without, every trigger event.",
        ),
        CERTIFICATES,
    )  # fmt: skip
    capabilities = declare(
        read_runs=part("Events of triggers: alerts, and no backups."),
        read_schedules=none("Zabbix watches and schedules nothing."),
        verify_data=none("An event says nothing of copies."),
        incremental=full("Goes on after the event that was read last."),
        authentication=full("API token of a user who may read, over HTTPS."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the events after the latest one that was read, in their order."""
        token = secrets.get("token", "").strip()
        talk = Conversation(address=settings.get("address", ""), fetch=fetch, hidden=[token], headers={"Authorization": f"Bearer {token}"})
        since, at = window(cursor, settings)
        latest = cursor.get("eventid")
        begin: dict[str, Any] = {"eventid_from": str(int(str(latest)) + 1)} if _is_id(latest) else {"time_from": int(since.timestamp())}
        in_full, page = False, 0
        while page < MOST_ROUND_PAGES:
            told = talk.ask("events", "/api_jsonrpc.php", method="POST", body=_question(begin, settings), headers=JSON_RPC)
            events = told.get("result") if isinstance(told, dict) else None
            if not isinstance(events, list):
                break
            page, in_full = page + 1, len(events) < PAGE
            ids = [int(one["eventid"]) for one in events if isinstance(one, dict) and _is_id(one.get("eventid"))]
            if in_full or not ids:
                break
            begin = {"eventid_from": str(max(ids) + 1)}
        return talk.end(in_full=in_full, at=at.isoformat(), latest=str(latest or ""))

    def read(self, answer: Answer) -> Reading:
        """One record for each problem and one for each recovery; the cursor is the last event that was read, even of a broken round."""
        result = Reading()
        for step in answer.steps:
            if told := _refusal(step):
                result.problems.append(told)
        if not result.problems:
            collect(result, answer, "events", rows=_events, one=_event, noun="event")
        read = conclude(result, answer)
        ids = [int(record.external_id) for record in read.records] + [
            int(str(told)) for told in [answer.meta.get("latest")] if _is_id(told)
        ]
        read.cursor = {"eventid": str(max(ids))} if ids and not read.rejects else {}
        return read


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20


def _question(begin: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    params: dict[str, Any] = {
        "source": 0, "object": 0, "value": [0, 1], "sortfield": ["eventid"], "sortorder": "ASC", "limit": PAGE, **begin,
        "output": ["eventid", "objectid", "clock", "ns", "value", "name", "severity", "r_eventid", "acknowledged", "suppressed"],
        "selectHosts": ["host", "name"],
    }  # fmt: skip
    tag, separator, value = settings.get("tag", "").strip().partition("=")
    if tag:
        params["tags"] = [{"tag": tag, "value": value, "operator": 1} if separator else {"tag": tag, "operator": 4}]
    return {"jsonrpc": "2.0", "method": "event.get", "params": params, "id": 1}


def _events(document: Any) -> Any:
    return document.get("result") if isinstance(document, dict) else None


def _refusal(step: Any) -> str:
    """What Zabbix says in an answer that is good only as HTTP."""
    try:
        told = reading.document(step.stdout or "")
    except ValueError:
        return ""
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict):
        return ""
    words = reading.name(f"{error.get('message') or ''} {error.get('data') or ''}") or "no reason"
    return f"Zabbix refuses the question: {words[:300]} Check the token and the rights of its user."


def _event(row: Mapping[str, Any]) -> Record | str | None:
    eventid, trigger, clock = row.get("eventid"), reading.name(row.get("objectid")), reading.epoch(row.get("clock"))
    if not _is_id(eventid) or trigger is None or clock is None:
        return "lacks a usable eventid, objectid or clock"
    value, severity, name = row.get("value"), row.get("severity"), reading.name(row.get("name"))
    if value not in ("0", "1"):
        return "is neither a problem (value 1) nor a recovery (value 0)"
    known = isinstance(severity, str) and severity in ("0", "1", "2", "3", "4", "5")
    hosts = row.get("hosts")
    host = reading.name(hosts[0].get("host")) if isinstance(hosts, list) and hosts and isinstance(hosts[0], dict) else None
    outcome: Outcome = "success" if value == "0" else _OUTCOMES[int(str(severity))] if known else "unknown"
    return Record(
        external_id=str(eventid),
        evidence_kind="alert",
        identity=(str(eventid),),
        created_at=clock,
        job_external_id=f"{host or 'trigger'}:{trigger}",
        job_name=name,
        operation="other",
        target_name=host,
        outcome=outcome,
        native_status=f"value {value}, severity {severity}" if known else f"value {value}",
        native_message=reading.plain(name) if name and value == "1" else None,
        started_at=clock,
        ended_at=clock,
    )
