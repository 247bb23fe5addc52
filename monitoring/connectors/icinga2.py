"""The Icinga 2 connector: what services that watch backups say, by its API or by lines of its event stream."""

from __future__ import annotations

import base64
import fnmatch
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Outcome, Reading, Record, Reject, SettingField, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none, part
from monitoring.connectors.conversing import ADDRESS, CERTIFICATES, LINES, Conversation, conclude
from monitoring.connectors.redaction import redact

FILTER = 'match("*backup*", service.name)'
EVENTS = 'match("*backup*", event.service)'
LONGEST_LISTENING_S = 240  # a round is claimed for a quarter of an hour
LEAST_LISTENING_S = 1.0
MOST_DROPS = 5
BACKUPS = "backups"  # in the meta of an answer: the services whose results are those of backups
_ATTRS = ["name", "host_name", "state", "state_type", "last_check", "last_check_result", "last_state_change", "last_hard_state"]
_ATTRS += [
    "acknowledgement",
    "downtime_depth",
    "next_check",
    "last_state_ok",
    "last_state_warning",
    "last_state_critical",
    "last_state_unknown",
]
_REFUSED = {
    "services": "Icinga shows this API user no services. Give it the permission objects/query/Service.",
    LINES: "Icinga lets this API user hear no events. Give it the permissions events/CheckResult and events/StateChange.",
}
_STATES: dict[int, tuple[str, Outcome]] = {
    0: ("OK", "success"),
    1: ("WARNING", "warning"),
    2: ("CRITICAL", "failed"),
    3: ("UNKNOWN", "unknown"),
}
_ATTRS += [f"last_state_{words.lower()}" for words, _ in _STATES.values()]


class Icinga2:
    """Services of Icinga 2. Its checks are no backups: they never count as one, except where their results were said to be."""

    kind = "icinga2"
    label = "Icinga 2"
    tested: Tested = "live"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        ADDRESS,
        SettingField(name="user", label="API user", help="With the permission objects/query/Service.", required=True),
        SettingField(name="password", label="Password", help="Of the API user.", required=True, secret=True),
        SettingField(name="filter", label="Which services", help="A filter of Icinga's API.", default=FILTER),
        SettingField(
            name=BACKUPS,
            label="Services whose results are those of backups",
            help="host!service with * and ?, separated by commas, e.g. *!nightly-dump. Each result of theirs is one run of a backup.",
        ),
        SettingField(
            name="listen_s",
            label="Listen for seconds",
            help="How long each round listens to the event stream, 0 to 240: best a little less than the time between two rounds.",
            default="0",
        ),
        SettingField(name="events", label="Which events", help="The filter of services, written for events.", default=EVENTS),
        CERTIFICATES,
    )
    capabilities = declare(
        read_runs=part(
            "The latest result of each service, the latest of each state where results are backups, and every one that the event stream "
            "tells while a round listens to it. Of two results with one state between two rounds, the first is missed."
        ),
        read_schedules=none("The interval of a check is not the schedule of a backup."),
        verify_data=none("A check says nothing of copies."),
        incremental=part("The latest results are asked for in every round; the event stream tells each as it comes."),
        authentication=full("An API user with password, over HTTPS."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask for the services and their latest results, and listen to the event stream for as long as is set. Reads only."""
        password = secrets.get("password", "")
        signed = base64.b64encode(f"{settings.get('user', '').strip()}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {signed}", "X-HTTP-Method-Override": "GET"}
        talk = Conversation(address=settings.get("address", ""), fetch=fetch, hidden=[password, signed], headers=headers)
        body = {"filter": settings.get("filter", "").strip() or FILTER, "attrs": _ATTRS}
        listed = _list(talk, body)
        listen_s = _listen_s(settings.get("listen_s"))
        if listed and listen_s:
            listed = _listen(talk, body, settings.get("events", "").strip() or EVENTS, listen_s)
        return talk.end(in_full=listed, **{BACKUPS: settings.get(BACKUPS, "")})

    def read(self, answer: Answer) -> Reading:
        """One record for each state of a service, and one for each result of a service whose results are backups."""
        result, names = Reading(), set[str | None]()
        found, earlier = dict[tuple[str, ...], Record](), dict[tuple[str, ...], Record]()
        backups = [each.strip() for each in answer.meta.get(BACKUPS, "").split(",") if each.strip()]
        for step in answer.steps:
            if answer.kind == "poll" and step.exit_code is not None and not 200 <= step.exit_code < 300:
                continue
            for row in _rows(step.stdout or ""):
                told = _read(row, backups, saved=answer.kind != "poll")
                if isinstance(told, str):
                    index = len(found) + len(result.rejects)
                    result.rejects.append(Reject(index=index, reason=f"A service {told}.", excerpt=reading.excerpt(row)))
                    continue
                names.add(_name(row))
                if told is not None:
                    found[told.identity] = told
                if told is not None and told.operation == "backup":
                    earlier |= {one.identity: one for one in _earlier(row, told)}
        found |= {identity: record for identity, record in earlier.items() if identity not in found}  # what was told in full counts
        if answer.kind == "poll":  # events are filtered apart: what is no service of this tool is none of its business
            listed = {_name(row) for step in answer.steps if step.name == "services" for row in _rows(step.stdout or "")}
            found = {identity: record for identity, record in found.items() if record.job_external_id in listed}
            names &= listed
        checked = {record.job_external_id for record in found.values() if record.state == "finished"}
        result.records = [record for record in found.values() if record.state == "finished" or record.job_external_id not in checked]
        if answer.kind != "poll" and answer.steps and not any(reading.holds_json(step.stdout) for step in answer.steps):
            reason = "No answer of Icinga 2 is JSON: send what its API says."
            result.rejects = [Reject(index=0, reason=reason, excerpt=reading.excerpt(answer.steps[0].stdout))]
        if answer.kind == "poll":
            if any(step.exit_code in (403, 404) for step in answer.steps):  # without the permission there is nothing at that address
                refused = {step.name for step in answer.steps if step.exit_code in (403, 404)}
                result.problems.append(_REFUSED[LINES if LINES in refused else "services"])
            result = conclude(result, answer)
            if result.complete and not names:
                result.problems, result.complete = (
                    ["No service fits the filter of this tool. Check the filter and the rights of the API user."],
                    False,
                )
        result.job_ids = sorted({record.job_external_id for record in result.records} | {name for name in names if name})
        return result


def _list(talk: Conversation, body: Mapping[str, Any]) -> bool:
    told = talk.ask("services", "/v1/objects/services", method="POST", body=body)
    listed = isinstance(told, dict) and isinstance(told.get("results"), list)
    if told is not None and not listed:
        talk.answer.meta["stopped"] = "The answer is JSON, but no list of services of Icinga. Check the address."
    return listed


def _listen(talk: Conversation, body: Mapping[str, Any], events: str, for_s: float) -> bool:
    """Hear the stream, and after every end of it, a drop too, ask for the latest results: what came while nobody listened is among them.

    An event and the state that it left have one identity, so what is told twice is one record.
    """
    wanted = {"queue": f"itsm-backup-{uuid.uuid4().hex[:8]}", "types": ["CheckResult", "StateChange"], "filter": events}
    left_s, listed = for_s, False
    for _ in range(MOST_DROPS):
        heard_s = talk.listen(LINES, "/v1/events", body=wanted, headers={"X-HTTP-Method-Override": "POST"}, for_s=left_s)
        listed = heard_s is not None and _list(talk, body)
        left_s -= max(heard_s or 0.0, LEAST_LISTENING_S)
        if not listed or left_s < LEAST_LISTENING_S:
            break
    return listed


def _listen_s(told: str | None) -> float:
    """Seconds from 0 to 240; 0 where the setting is no such number."""
    return float(min(int(told), LONGEST_LISTENING_S)) if told and told.isascii() and told.isdigit() and len(told) < 9 else 0.0


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """Services of an answer of the API, or events of its stream, one a line."""
    documents: list[Any] = []
    try:
        documents = [reading.document(text)]
    except ValueError:
        for line in text.split("\n"):
            try:
                documents.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
    for document in documents:
        rows = document.get("results") if isinstance(document, dict) and "results" in document else [document]
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and (row.get("type") in ("Service", "StateChange", "CheckResult")):
                yield row


def _name(row: Mapping[str, Any]) -> str | None:
    if row.get("type") == "Service":
        return reading.name(row.get("name"))
    host, service = reading.name(row.get("host")), reading.name(row.get("service"))
    return f"{host}!{service}" if host and service else None


def _read(row: Mapping[str, Any], backups: list[str], *, saved: bool) -> Record | str | None:
    """The record of a service or an event, a complaint, or None where there is nothing to tell."""
    event = row.get("type") != "Service"
    told = row if event else row.get("attrs")
    if not isinstance(told, dict):
        return "tells no attributes"
    name, result = _name(row), told.get("check_result" if event else "last_check_result")
    if event and name is None:
        return None  # of a host
    if name is None or "!" not in name:
        return "has no name of host and service"
    if not isinstance(result, dict):
        return _pending(name, told) if saved and "next_check" in told else None
    checked = reading.epoch(result.get("execution_end"))
    changed = checked if event else reading.epoch(told.get("last_state_change")) or checked
    state = _whole(told["state"] if "state" in told else result.get("state"))
    if checked is None or changed is None or state not in _STATES:
        return "has a result without a usable state or time"
    is_backup = any(fnmatch.fnmatchcase(name, pattern) for pattern in backups)
    if row.get("type") == "CheckResult" and not is_backup:
        return None  # not every look is news
    at = checked if is_backup else changed
    started = reading.epoch(result.get("execution_start")) if is_backup else None
    words, outcome = _STATES[state]
    notes = [words, "soft" if _whole(told.get("state_type")) == 0 and state else "", "acknowledged" if told.get("acknowledgement") else ""]
    notes.append("in downtime" if _whole(told.get("downtime_depth")) else "")
    started = started if started and started <= at else at
    return Record(
        external_id=f"{name[:150]}@{at.isoformat()}",
        evidence_kind="alert",
        job_external_id=name,
        identity=(name, at.isoformat()),
        created_at=at,
        operation="backup" if is_backup else "other",
        job_name=name,
        target_name=name.partition("!")[0],
        target_type="host",
        outcome=outcome,
        native_status=", ".join(note for note in notes if note),
        native_message=reading.plain(redact(output), limit=4096) if isinstance(output := result.get("output"), str) and output else None,
        started_at=started,
        ended_at=at if is_backup else None,
        duration_s=reading.span_s(started, at) if is_backup else None,
        consistent_at=started if is_backup and outcome in ("success", "warning") else None,
    )


def _earlier(row: Mapping[str, Any], latest: Record) -> Iterator[Record]:
    """Results before the latest one: of each state Icinga keeps when it was told last, and nothing else of it.

    So a failure that was followed by a good result between two rounds is known, though not what it said. When such a run began is not
    told, so it makes no copy.
    """
    attrs, name = row.get("attrs") if row.get("type") == "Service" else None, latest.job_external_id
    for words, outcome in _STATES.values() if isinstance(attrs, dict) else ():
        at = reading.epoch(attrs.get(f"last_state_{words.lower()}"))
        if at is not None and at < latest.created_at:
            yield Record(
                external_id=f"{name[:150]}@{at.isoformat()}", evidence_kind="derived", identity=(name, at.isoformat()), created_at=at,
                job_external_id=name, job_name=name, target_name=latest.target_name, target_type="host", operation="backup",
                outcome=outcome, native_status=words, ended_at=at,
            )  # fmt: skip


def _pending(name: str, told: Mapping[str, Any]) -> Record | None:
    """A service that was never checked says nothing yet; a saved answer shows that it waits."""
    due = reading.epoch(told.get("next_check"))
    if due is None:
        return None
    return Record(
        external_id=f"{name[:150]}@pending", evidence_kind="alert", job_external_id=name, identity=(name, "pending"), created_at=due,
        operation="other", job_name=name, target_name=name.partition("!")[0], target_type="host", state="queued", native_status="PENDING",
        scheduled_at=due,
    )  # fmt: skip


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value in (0, 1, 2, 3) else -1
