"""Alerts that Alertmanager or Grafana post to `POST /api/v1/alertmanager/<tool>`: one record for each, from its beginning to its end."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Outcome, Reading, Record, Reject, Runner, SettingField, Tested
from monitoring.connectors.capabilities import declare, full, none, part
from monitoring.connectors.redaction import redact

MAX_ALERTS = 5_000
FAILURES = "failures"  # in the meta of an answer: the names of alerts that mean a failed backup
# Labels that say what an alert is about, in this order; all others only tell its copies apart.
_SUBJECT = ("service", "job", "instance", "host", "hostname", "client", "stanza", "repository")
_TARGET = ("instance", "host", "hostname", "client", "service")
_BY_SEVERITY: dict[str, Outcome] = {"warning": "warning", "info": "unknown", "none": "unknown"}
_FIRING, _RESOLVED = ("firing", "active", "suppressed", "unprocessed"), ("resolved",)


class Alertmanager:
    """Alerts of Alertmanager 0.25 and newer, and of Grafana. An alert is no backup: it never counts as a copy, whatever it says."""

    kind = "alertmanager"
    label = "Alertmanager and Grafana alerts"
    tested: Tested = "live"
    polled = False
    settings_fields: tuple[SettingField, ...] = (
        SettingField(
            name=FAILURES,
            label="Alerts that mean a failed backup",
            help="Names with * and ?, separated by commas, e.g. BackupFailed, *JobFailed. Each such alert is one failed run.",
        ),
    )
    capabilities = declare(
        read_runs=part("Alerts, and no backups, unless an alert is named as meaning a failed one."),
        read_schedules=none("An alert knows no schedule."),
        verify_data=none("An alert says nothing of copies."),
        incremental=full("It posts what is new, and repeats what was not taken."),
        authentication=full("An ingest token that is bound to the tool."),
        rate_limits=full("It is never asked; bodies are limited in size and number."),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], run: Runner, cursor: Mapping[str, Any]) -> Answer:
        """Nothing can be asked: alerts are posted when they begin and when they end. Returns an answer without steps."""
        return Answer(kind="push", steps=[])

    def read(self, answer: Answer) -> Reading:
        """One record for each alert. One that flaps keeps its beginning, so of what was told of one alert several times the last counts."""
        result = Reading()
        failures = [name.strip() for name in answer.meta.get(FAILURES, "").split(",") if name.strip()]
        found: dict[tuple[str, ...], Record] = {}
        index = 0
        for step in answer.steps:
            for alert in _alerts(step.stdout or "", result):
                told = read_alert(alert, failures)
                if isinstance(told, str):
                    result.rejects.append(Reject(index=index, reason=f"The alert {told}.", excerpt=reading.excerpt(alert)))
                else:
                    found[told.identity] = told
                index += 1
        result.records = list(found.values())
        result.job_ids = sorted({record.job_external_id for record in result.records})
        return result


def payload(text: str) -> list[Any]:
    """The alerts of a body. Raises ValueError with a sentence when it is no body of Alertmanager or Grafana."""
    told = reading.document(text)
    alerts = told.get("alerts") if isinstance(told, dict) else told  # a bare list is what their own API answers
    if not isinstance(alerts, list):
        raise ValueError("it holds no list of alerts")
    if len(alerts) > MAX_ALERTS:
        raise ValueError(f"it holds more than {MAX_ALERTS:,} alerts")
    return alerts


def _alerts(text: str, result: Reading) -> Iterator[Any]:
    try:
        alerts = payload(text)
    except ValueError as error:
        reason = f"This is no body of Alertmanager or Grafana: {error}."
        result.rejects.append(Reject(index=len(result.rejects), reason=reason, excerpt=reading.excerpt(text)))
        return
    told = reading.document(text)
    left_out = reading.count(told.get("truncatedAlerts")) if isinstance(told, dict) else None
    if left_out:
        result.problems.append(f"{left_out} alerts of this group were left out by the sender. Set max_alerts of its webhook to 0.")
    yield from alerts


def read_alert(alert: Any, failures: list[str]) -> Record | str:
    """The record of one alert, or what is wrong with it."""
    if not isinstance(alert, dict) or not isinstance(alert.get("labels"), dict):
        return "is not an object with labels"
    labels = {str(key): value for key, value in alert["labels"].items() if isinstance(value, str)}
    status, started = _status(alert.get("status")), reading.instant(alert.get("startsAt"))
    if status is None:
        return "is neither firing nor resolved"
    if started is None or started.quality != "exact":
        return "has no usable startsAt (a date and time with offset, from 1990 on)"
    name = reading.name(labels.get("alertname")) or "alert"
    fingerprint = reading.name(alert.get("fingerprint")) or _fingerprint(labels)
    job = reading.name(" ".join([name, *(f"{key}={labels[key]}" for key in _SUBJECT if labels.get(key))])) or name
    ended = reading.instant(alert.get("endsAt")) if status == "resolved" else None
    means_failure = any(fnmatch.fnmatchcase(name, pattern) for pattern in failures)
    severity = reading.name(labels.get("severity"))
    firing: Outcome = "failed" if means_failure else _BY_SEVERITY.get((severity or "").lower(), "failed")
    return Record(
        external_id=f"{fingerprint[:100]}@{started.at.isoformat()}",
        evidence_kind="alert",
        job_external_id=job,
        identity=(fingerprint, started.at.isoformat()),
        created_at=started.at,
        operation="backup" if means_failure else "other",
        job_name=job,
        target_name=next((told for key in _TARGET if (told := reading.name(labels.get(key)))), None),
        repository_name=reading.name(labels.get("repository")),
        # that a failure is over does not undo it: only a backup does
        outcome=firing if status == "firing" or means_failure else "success",
        native_status=", ".join(each for each in (status, severity) if each),
        native_message=_message(name, alert),
        started_at=started.at,
        ended_at=ended.at if ended and ended.at >= started.at else None,
        duration_s=reading.span_s(started.at, ended.at) if ended else None,
    )


def _status(value: Any) -> str | None:
    """firing or resolved; their own API tells a state instead."""
    told = value.get("state") if isinstance(value, dict) else value
    return "firing" if told in _FIRING else "resolved" if told in _RESOLVED else None


def _fingerprint(labels: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _message(name: str, alert: dict[str, Any]) -> str:
    notes = alert["annotations"] if isinstance(alert.get("annotations"), dict) else {}
    told = [notes.get(key) for key in ("summary", "description", "message")]
    return reading.plain(redact(": ".join([name, *dict.fromkeys(each for each in told if isinstance(each, str) and each)])), limit=4096)
