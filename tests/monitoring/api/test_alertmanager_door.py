"""`POST /api/v1/alertmanager/<tool>`: one answer per alert, idempotent, never a 500; and the real Alertmanager at it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from django.test import Client

from itsm_backup.common.time import iso, now
from monitoring import intake, tokens
from monitoring.models import BackupRun, QuarantinedRecord
from tests.factories import make_tool, make_user
from tests.monitoring.connectors.test_bacula_polling import free_ports

THEN = now() - dt.timedelta(minutes=20)


def alert(name: str = "BackupFailed", status: str = "firing", **more) -> dict:
    ends = iso(THEN + dt.timedelta(minutes=5)) if status == "resolved" else "0001-01-01T00:00:00Z"
    return {
        "status": status,
        "labels": {"alertname": name, "service": "wiki"},
        "startsAt": iso(THEN),
        "endsAt": ends,
        "fingerprint": name,
        **more,
    }


@pytest.fixture
def tool():
    return make_tool("alertmanager", name="alerts")


@pytest.fixture
def token(tool):
    return tokens.issue(user=make_user(), scope="ingest", tool=tool, at=now(), days=1)


@pytest.fixture
def send(token):
    def post(*alerts, body=None, name="alerts", token=token):
        text = json.dumps({"version": "4", "alerts": alerts}) if body is None else body
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return Client(raise_request_exception=False).post(
            f"/api/v1/alertmanager/{name}", text, content_type="application/json", headers=headers
        )

    return post


@pytest.mark.django_db
def test_it_stores_alerts_and_says_so_one_by_one(send):
    first, again = send(alert(), alert("TooOld", "resolved")), send(alert(), alert("TooOld", "resolved"))
    over = send(alert(status="resolved"))

    assert (first.status_code, first.json()["stored"], again.json()["unchanged"], over.json()["stored"]) == (200, 2, 2, 1)
    assert [result["status"] for result in first.json()["results"]] == ["stored", "stored"]
    found = {run.job.external_id: (run.outcome, run.operation, run.captured_at) for run in BackupRun.objects.select_related("job")}
    assert found == {
        "BackupFailed service=wiki": ("success", "other", None),
        "TooOld service=wiki": ("success", "other", None),
    }


@pytest.mark.django_db
def test_it_takes_the_good_beside_the_bad(send):
    answer = send(alert(), {"status": "firing"})

    assert (answer.status_code, answer.json()["stored"], answer.json()["quarantined"]) == (207, 1, 1)
    assert "labels" in QuarantinedRecord.objects.get().reason


@pytest.mark.django_db
def test_a_failed_backup_is_what_the_tool_says_it_is(tool, token, send):
    from itsm_backup.common.models import because

    with because("test"):
        tool.settings = {"failures": "Backup*"}
        tool.save()
    send(alert(), alert("TooOld"))

    assert {run.job.external_id.split()[0]: run.operation for run in BackupRun.objects.select_related("job")} == {
        "BackupFailed": "backup",
        "TooOld": "other",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["", "x", "5", "{}", '{"alerts": 5}', "[" * 100_000, "null", json.dumps({"alerts": [1] * 5_001})])
def test_it_refuses_what_is_no_webhook(send, body):
    answer = send(body=body)

    assert answer.status_code == 400
    assert "Nothing was stored" in answer.json()["detail"]


@pytest.mark.django_db
def test_it_takes_only_so_much(send):
    assert send(body=" " * (5 * 1024 * 1024 + 1)).status_code == 413


@pytest.mark.django_db
def test_it_lets_in_only_who_may(tool, send):
    other = make_tool("alertmanager", name="other")
    scripts = make_tool("push", name="scripts")
    reader = tokens.issue(user=make_user(), scope="read", tool=None, at=now(), days=1)
    stranger = tokens.issue(user=make_user(), scope="ingest", tool=None, at=now(), days=1)
    script = tokens.issue(user=make_user(), scope="ingest", tool=scripts, at=now(), days=1)

    assert send(alert(), token=None).status_code == 401
    assert send(alert(), token="nonsense").status_code == 401
    assert send(alert(), token=reader).status_code == 403
    assert send(alert(), name=other.name).status_code == 403  # the token is bound to another tool
    assert send(alert(), token=stranger).status_code == 404
    wrong_kind = send(alert(), name=scripts.name, token=script)
    assert (wrong_kind.status_code, "kind" in wrong_kind.json()["detail"]) == (400, True)
    assert not BackupRun.objects.exists()


@pytest.mark.django_db
def test_what_cannot_be_stored_now_is_sent_again(send, monkeypatch):
    def breaks(**given):
        raise RuntimeError("the database went away")

    monkeypatch.setattr(intake, "receive", breaks)
    answer = send(alert())

    assert (answer.status_code, "again" in answer.json()["detail"]) == (503, True)
    assert "database" not in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.real_tool("prometheus-alertmanager")
@pytest.mark.tested("live", "alertmanager")
@pytest.mark.req("2.3")
def test_the_real_alertmanager_posts_here(live_server, token, tmp_path: Path):
    (port,) = free_ports(1)
    (tmp_path / "am.yml").write_text(
        "route: {receiver: here, group_by: [service], group_wait: 0s, group_interval: 1s, repeat_interval: 2s}\n"
        f"receivers:\n- name: here\n  webhook_configs:\n  - url: {live_server.url}/api/v1/alertmanager/alerts\n"
        f"    http_config: {{authorization: {{credentials: {token}}}}}\n"
    )
    argv = ["prometheus-alertmanager", f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}", "--cluster.listen-address="]
    server = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _say(port, "/-/ready"), "Alertmanager is ready")
        start = iso(now() - dt.timedelta(minutes=1))
        told = [{"labels": {"alertname": name, "service": "wiki", "severity": "critical"}, "startsAt": start} for name in ("Old", "Failed")]
        _say(port, "/api/v2/alerts", told)
        until(lambda: BackupRun.objects.filter(outcome="failed").count() == 2, "both alerts arrived")
        _say(port, "/api/v2/alerts", [{**told[0], "endsAt": iso(now() - dt.timedelta(seconds=1))}])
        until(lambda: BackupRun.objects.filter(outcome="success").exists(), "the end of one arrived")
    finally:
        server.kill()
        server.wait()

    found = {run.job.external_id: (run.outcome, run.ended_at is not None) for run in BackupRun.objects.select_related("job")}
    assert found == {"Old service=wiki": ("success", True), "Failed service=wiki": ("failed", False)}
    assert not QuarantinedRecord.objects.exists()


def until(holds, what: str) -> None:
    ends_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends_at, what
        time.sleep(0.2)


def _say(port: int, path: str, body=None) -> bool:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
