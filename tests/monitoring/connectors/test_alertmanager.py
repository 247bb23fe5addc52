"""Alertmanager and Grafana: recorded webhooks, and what an alert means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.connectors.alertmanager import Alertmanager
from monitoring.connectors.base import Answer, Reading, Record, Step
from monitoring.normalising_files import normalised
from tests.monitoring.connectors.test_robustness import check
from tests.monitoring.connectors.test_robustness_of_programs import change, mutate
from tests.recordings import RECORDED, START, blinded, cases, truth

BODIES = [
    json.loads(file.read_text())["body"]
    for file in sorted((RECORDED / "alertmanager").glob("*/http/*.json"))
    if file.stat().st_size < 50_000
]


@pytest.mark.tested("recorded", "alertmanager")
@pytest.mark.parametrize("case", cases("alertmanager"), ids=lambda case: case.name)
def test_it_reads_recorded_webhooks_as_what_happened(case: Path, tmp_path: Path) -> None:
    records, told = list(normalised("alertmanager", blinded(case, tmp_path))), truth(case)

    assert not [record for record in records if "quarantined" in record]
    if "alerts" in told:
        assert len(records) == told["alerts"] - told.get("truncated", 0)
    outcomes = {record["outcome"] for record in records}
    if told["outcome"] in ("resolved", "flapping"):
        assert outcomes == {"success"}
        assert all(record["ended_at"] for record in records)
    elif told["outcome"] == "firing":
        assert outcomes == {"failed"}
        assert not any(record["ended_at"] for record in records)
    else:
        assert outcomes > {"success"}
    assert {record["operation"] for record in records} == {"other"}  # an alert is no backup


def alert(status: Any = "firing", labels: Any = None, **more: Any) -> dict[str, Any]:
    told = {"alertname": "BackupFailed", "service": "wiki", "job": "nightly"} if labels is None else labels
    times = {"startsAt": "2026-07-14T03:30:00+02:00", "endsAt": "0001-01-01T00:00:00Z"}
    return {"status": status, "labels": told, "annotations": {"summary": "the disk is full"}, "fingerprint": "f1", **times, **more}


def read(*alerts: Any, failures: str = "", **more: Any) -> Reading:
    body = json.dumps({"version": "4", "status": "firing", "alerts": alerts, **more})
    return Alertmanager().read(Answer(kind="push", steps=[Step(name="webhook", stdout=body)], meta={"failures": failures}))


def one(*given: Any, **more: Any) -> Record:
    told = read(*given, **more)
    assert told.rejects == []
    (record,) = told.records
    return record


def test_it_names_the_series_by_what_the_alert_is_about() -> None:
    record = one(alert(labels={"alertname": "A", "job": "x", "service": "y", "pod": "7", "severity": "critical"}))

    assert (record.job_external_id, record.native_status) == ("A service=y job=x", "firing, critical")
    assert (record.started_at, record.native_message) == (START, "A: the disk is full")


@pytest.mark.parametrize(
    ("severity", "outcome"), [(None, "failed"), ("critical", "failed"), ("page", "failed"), ("warning", "warning"), ("none", "unknown")]
)
def test_it_judges_by_the_severity(severity: str | None, outcome: str) -> None:
    labels = {"alertname": "A", **({"severity": severity} if severity else {})}

    assert one(alert(labels=labels)).outcome == outcome
    assert one(alert("resolved", labels=labels)).outcome == "success"


def test_it_takes_an_alert_for_a_failed_backup_only_where_that_was_said() -> None:
    end = {"endsAt": "2026-07-14T03:40:00+02:00"}
    beginning, over = one(alert(), failures="Other, Backup*"), one(alert("resolved", **end), failures="Backup*")
    other = one(alert("resolved", **end), failures="Other")

    assert [(each.operation, each.outcome) for each in (beginning, over, other)] == [
        ("backup", "failed"),
        ("backup", "failed"),
        ("other", "success"),
    ]
    assert beginning.identity == over.identity
    assert over.duration_s == 600
    assert over.consistent_at is None  # that a failure is over is no backup


def test_it_takes_the_last_word_on_an_alert_that_flaps() -> None:
    record = one(alert(), alert("resolved", endsAt="2026-07-14T03:40:00+02:00"), alert())

    assert (record.outcome, record.ended_at) == ("failed", None)


def test_it_reads_grafana() -> None:
    grafana = alert(values={"B": 22}, silenceURL="https://grafana.example/alerting/silence/new", dashboardURL="")

    assert one(grafana, version="1", orgId=1, title="[FIRING:1]", state="alerting", message="x").outcome == "failed"


def test_it_tells_alerts_without_fingerprint_apart_by_their_labels() -> None:
    told = read(alert(fingerprint=None), alert(fingerprint=None, labels={"alertname": "BackupFailed", "service": "mail"}))

    assert len({record.identity for record in told.records}) == 2


def test_it_says_how_many_alerts_were_left_out() -> None:
    told = read(alert(), truncatedAlerts=4)

    assert len(told.records) == 1
    assert "4 alerts" in told.problems[0]
    assert "max_alerts" in told.problems[0]


@pytest.mark.parametrize(
    "bad", ["x", {}, alert("maybe"), alert(startsAt="0001-01-01T00:00:00Z"), alert(startsAt="2026-07-14T03:30:00"), alert(labels=5)]
)
def test_it_keeps_the_good_beside_the_bad(bad: Any) -> None:
    told = read(bad, alert())

    assert (len(told.records), len(told.rejects)) == (1, 1)
    assert told.rejects[0].reason.startswith("The alert ")


def test_it_reads_what_their_own_interface_lists() -> None:
    told = list(normalised("alertmanager", RECORDED / "alertmanager/0.25-grouped/api-v2-alerts.json"))

    assert {line["native_status"] for line in told} == {"firing, critical", "firing, warning"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.text(max_size=60), st.text(max_size=20))
def test_it_never_raises(source: Any, text: str, failures: str) -> None:
    body = source.choice(BODIES)
    said = source.choice([json.dumps(change(json.loads(body), source)), mutate(body, source), text])
    check(Alertmanager().read(Answer(kind="push", steps=[Step(name="webhook", stdout=said)], meta={"failures": failures})))
