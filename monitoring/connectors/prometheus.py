"""The Prometheus connector: metrics that hold when a backup last went well, and what its latest attempt came to."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.base import Answer, Fetch, Reading, Record, Reject, SettingField, Tested
from monitoring.connectors.capabilities import HTTP_LIMITS, declare, full, none, part
from monitoring.connectors.conversing import ADDRESS, CERTIFICATES, Conversation, conclude, document_of

# What is asked for and the metric that stands for it unless a query is given; without series, the first is a fault, the others are not.
ROLES = {
    "success": "backup_last_success_timestamp_seconds",
    "attempt": "push_time_seconds",
    "exit_code": "backup_last_exit_code",
    "bytes": "backup_last_bytes",
    "duration": "backup_last_duration_seconds",
}
_LABELS = {
    "success": ("Time of the last good backup", "in seconds since 1970"),
    "attempt": ("Time of the latest attempt", "in seconds since 1970"),
    "exit_code": ("Exit code of the latest attempt", "0 is good"),
    "bytes": ("Bytes of the latest attempt", "as the source counts them"),
    "duration": ("Duration of the latest attempt", "in seconds"),
}
_TARGET = ("instance", "host", "hostname", "client_hostname", "service")


class Series(msgspec.Struct):
    """What is known of one series of labels."""

    labels: dict[str, str]
    values: dict[str, float] = {}


class Prometheus:
    """Metrics about backups. They hold a last known state: a run is made only when the time of one changes."""

    kind = "prometheus"
    label = "Prometheus"
    tested: Tested = "live"
    polled = True
    over_http = True
    settings_fields: tuple[SettingField, ...] = (
        ADDRESS,
        SettingField(name="token", label="Token", help="Sent as Bearer token, when a proxy asks for one.", secret=True),
        SettingField(name="user", label="User", help="For basic authentication, when a proxy asks for it."),
        SettingField(name="password", label="Password", help="Of this user.", secret=True),
        *(
            SettingField(name=role, label=_LABELS[role][0], help=f"A query in PromQL; its value is {_LABELS[role][1]}.", default=metric)
            for role, metric in ROLES.items()
        ),
        CERTIFICATES,
    )
    capabilities = declare(
        read_runs=part("The last good backup and the latest attempt of each series; two between two rounds are one."),
        read_schedules=none("A metric knows no schedule."),
        verify_data=none("A metric says nothing of copies."),
        incremental=none("Each query is asked in full, for now."),
        authentication=part("Token or password of a proxy; Prometheus itself asks for none."),
        rate_limits=full(HTTP_LIMITS),
    )

    def ask(self, *, settings: Mapping[str, str], secrets: Mapping[str, str], fetch: Fetch, cursor: Mapping[str, Any]) -> Answer:
        """Ask each query once, for now. Reads only."""
        token, password = secrets.get("token", "").strip(), secrets.get("password", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if user := settings.get("user", "").strip():
            headers = {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
        hidden = [each for each in (token, password, *headers.values()) if each]
        talk = Conversation(address=settings.get("address", ""), fetch=fetch, hidden=hidden, headers=headers)
        for role, metric in ROLES.items():
            if talk.ask(role, "/api/v1/query", query={"query": settings.get(role, "").strip() or metric}) is None:
                return talk.end(in_full=False)
        return talk.end(in_full=True)

    def read(self, answer: Answer) -> Reading:
        """For each series one record of its last good backup, and one of a later attempt that failed."""
        result, found = Reading(), dict[str, Series]()
        documents = [document_of(step) if answer.kind == "poll" else _document(step.stdout) for step in answer.steps]
        if answer.kind != "poll" and not any(documents):
            told = answer.steps[0].stdout if answer.steps else None
            result.rejects = [
                Reject(index=0, reason="No answer of Prometheus is JSON: send what its API says.", excerpt=reading.excerpt(told))
            ]
        for step, document in zip(answer.steps, documents, strict=True):
            for labels, value in _samples(document):
                role = step.name if answer.kind == "poll" else _role(labels.get("__name__"))
                if role in ROLES:
                    own = {key: told for key, told in labels.items() if key != "__name__"}
                    series = found.setdefault(name_of(own), Series(labels=own))
                    series.values = {**series.values, role: value}
        for name, series in found.items():
            result.records += _records(name, series)
        if answer.kind == "poll":
            result = conclude(result, answer)
            if result.complete and not any("success" in series.values for series in found.values()):
                told = "The query for the last good backup gives no series. Check it, and whether Prometheus has scraped its targets yet."
                result.problems, result.complete = [told], False
        result.job_ids = sorted(
            {record.job_external_id for record in result.records} | {name for name in found if "success" in found[name].values}
        )
        return result


def name_of(labels: Mapping[str, str]) -> str:
    """The name of a series: its labels in the order of the alphabet."""
    return reading.name(" ".join(f"{key}={labels[key]}" for key in sorted(labels))) or "(no labels)"


def _document(text: str | None) -> Any:
    try:
        return reading.document(text or "")
    except ValueError:
        return None


def _role(metric: str | None) -> str:
    return next((role for role, name in ROLES.items() if name == metric), "")


def _samples(document: Any) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of every sample of a vector that is a number."""
    data = document.get("data") if isinstance(document, dict) and document.get("status") == "success" else None
    rows = data.get("result") if isinstance(data, dict) and data.get("resultType") == "vector" else None
    for row in rows if isinstance(rows, list) else []:
        metric, value = (row.get("metric"), row.get("value")) if isinstance(row, dict) else (None, None)
        if not isinstance(metric, dict) or not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], str):
            continue
        try:
            number = float(value[1])
        except ValueError:
            continue
        if math.isfinite(number) and abs(number) < 2**63:  # NaN and the infinities say that there is no value
            yield {reading.plain(key, limit=200): reading.plain(str(told), limit=400) for key, told in metric.items()}, number


def _records(name: str, series: Series) -> Iterator[Record]:
    good, attempt = (reading.epoch(series.values.get(role)) for role in ("success", "attempt"))
    code = series.values.get("exit_code")
    failed = code is not None and code != 0
    if good is not None:
        yield _record(name, series, good, figures=not failed)
    if failed and code is not None and attempt is not None and (good is None or attempt > good):
        record = _record(name, series, attempt, figures=True)
        record.outcome, record.consistent_at, record.artefact_id = "failed", None, None
        record.exit_code = int(code) if abs(code) < 2**31 else None
        record.native_message = f"the latest attempt ended with exit code {code:g}"
        yield record


def _record(name: str, series: Series, at: dt.datetime, *, figures: bool) -> Record:
    """A run that ended at `at`. Figures are those of the latest attempt."""
    duration = reading.seconds(series.values.get("duration")) if figures else None
    started = at - dt.timedelta(seconds=duration) if duration is not None else None
    started = started if started and started >= reading.EARLIEST else None
    size = series.values.get("bytes") if figures else None
    return Record(
        external_id=f"{at.isoformat()}",
        evidence_kind="metric",
        job_external_id=name,
        identity=(name, at.isoformat()),
        created_at=at,
        job_name=name,
        target_name=next((told for key in _TARGET if (told := reading.name(series.labels.get(key)))), None),
        outcome="success",
        started_at=started,
        ended_at=at,
        duration_s=duration if started else None,
        bytes_source=reading.count(int(size)) if size is not None else None,
        consistent_at=started or at,
    )
