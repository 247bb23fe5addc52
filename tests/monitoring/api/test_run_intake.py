"""`POST /api/v1/runs`: one answer per record, everything good stored, never a 500."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zlib

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from itsm_backup.common.time import iso, now
from monitoring import tokens
from monitoring.models import BackupRun, QuarantinedRecord, RawAnswer, RestorePoint
from tests.factories import make_tool, make_user

pytestmark = pytest.mark.django_db


THEN = now()


def record(number: int = 1, **more) -> dict:
    started_at = THEN - dt.timedelta(hours=number)
    values = {"external_id": f"run-{number}", "job_external_id": "db01:payroll", "outcome": "success"}
    return {**values, "started_at": iso(started_at), "ended_at": iso(started_at + dt.timedelta(minutes=9)), **more}


@pytest.fixture
def tool():
    return make_tool("push", name="scripts")


@pytest.fixture
def send(tool):
    token = tokens.issue(user=make_user(), scope="ingest", tool=tool, at=now(), days=1)

    def post(body, *, content_type="application/json", path="/api/v1/runs", token=token, **headers):
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = {"Authorization": f"Bearer {token}", **headers} if token else headers
        return Client().post(path, data=data, content_type=content_type, headers=headers)

    return post


def test_it_stores_good_records_and_says_so_one_by_one(send, tool):
    response = send([record(1), record(2)])
    assert response.status_code == 200
    answer = response.json()
    assert (answer["stored"], answer["unchanged"], answer["quarantined"]) == (2, 0, 0)
    assert [result["index"] for result in answer["results"]] == [0, 1]
    assert BackupRun.objects.filter(tool=tool).count() == 2
    assert {result["run"] for result in answer["results"]} == set(BackupRun.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("ended", ["expired", "revoked", "person left"])
def test_a_token_ends_and_says_what_to_do(send, tool, ended):
    since = dt.timedelta(days=31 if ended == "expired" else 1)
    person = make_user("nia")
    text = tokens.issue(user=person, scope="ingest", tool=tool, at=now() - since, days=30)
    assert send([record(1)], token=text).status_code == (401 if ended == "expired" else 200)
    if ended == "revoked":
        tokens.revoke(token=tokens.find(text, at=now()), at=now())
    elif ended == "person left":
        person.is_active = False
        person.save()
    answer = send([record(2)], token=text)
    assert answer.status_code == 401 and "manage.py token" in answer.json()["detail"]
    assert BackupRun.objects.count() == (0 if ended == "expired" else 1)


def test_it_changes_nothing_when_the_same_is_sent_again(send):
    body = [record(1), record(2)]
    send(body)
    before = list(BackupRun.objects.order_by("pk").values())
    answer = send(body).json()
    assert (answer["stored"], answer["unchanged"]) == (0, 2)
    assert list(BackupRun.objects.order_by("pk").values()) == before


def test_it_stores_the_good_and_quarantines_the_bad_of_one_body(send, tool):
    naive = dt.datetime(2026, 7, 14, 1, 30).isoformat()
    bad = [
        record(2, outcome="great"),
        record(3, started_at=naive),
        record(4, bytes_stored=-1),
        record(5, ended_at="0001-01-01T00:00:00Z"),
        record(6, bytes_stored=10**30),
        record(7, external_id="nul\x00here"),
        record(8, colour="red"),
        ["no object"],
        None,
        {"tool": "restic", "command": "restic backup /srv"},
    ]
    response = send([record(1), *bad, record(9)])
    assert response.status_code == 207
    answer = response.json()
    assert [result["status"] for result in answer["results"]] == ["stored", *["quarantined"] * len(bad), "stored"]
    assert [result["index"] for result in answer["results"]] == list(range(len(bad) + 2))
    assert all(result["reason"] for result in answer["results"] if result["status"] == "quarantined")
    assert "has no zone" in answer["results"][2]["reason"]
    assert BackupRun.objects.count() == 2
    assert QuarantinedRecord.objects.filter(tool=tool).count() == len(bad)


def test_it_answers_207_when_nothing_was_taken(send):
    assert send([record(1, outcome="great")]).status_code == 207


def test_it_lets_the_last_of_equal_records_win_and_answers_each(send):
    answer = send([record(1, outcome="failed"), record(1, outcome="success")]).json()
    assert [result["index"] for result in answer["results"]] == [0, 1]
    assert len({result["run"] for result in answer["results"]}) == 1
    assert BackupRun.objects.get().outcome == "success"


def test_it_moves_a_run_forward_only(send):
    started = record(1)
    running = {**started, "outcome": None, "state": "running", "ended_at": None}
    send(running)
    send(started)
    assert send(running).json()["unchanged"] == 1
    assert BackupRun.objects.get().state == "finished"


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json"])
def test_it_reads_json_lines(send, content_type):
    body = "\n".join([json.dumps(record(1)), '{"external_id": "cut', json.dumps(record(2))])
    response = send(body, content_type=content_type)
    assert response.status_code == 207
    assert [result["status"] for result in response.json()["results"]] == ["stored", "quarantined", "stored"]


def test_it_stores_what_stands_before_the_cut_of_a_truncated_array(send):
    body = json.dumps([record(1), record(2), record(3)])
    answer = send(body[: body.rindex("outcome")]).json()
    assert [result["status"] for result in answer["results"]] == ["stored", "stored", "quarantined"]


def test_it_reads_cloud_events_in_all_three_modes(send):
    event = {"specversion": "1.0", "source": "/cron", "type": "org.itsm-backup.run.finished.v1"}
    assert send({**event, "id": "1", "data": record(1)}, content_type="application/cloudevents+json").json()["stored"] == 1
    batch = [{**event, "id": str(number), "data": record(number)} for number in (1, 2)]
    answer = send(batch, content_type="application/cloudevents-batch+json").json()
    assert (answer["stored"], answer["unchanged"]) == (1, 1)
    headers = {f"ce-{name}": value for name, value in event.items()} | {"ce-id": "3"}
    assert send(record(3), **headers).json()["stored"] == 1
    assert send(record(3), **headers).json()["unchanged"] == 1
    assert BackupRun.objects.count() == 3


def test_it_reads_the_report_of_a_wrapper(send):
    report = {
        "tool": "restic",
        "command": "restic -r /srv/repo backup --json /srv/data",
        "exit_code": 1,
        "stderr": "Fatal: repository password is incorrect",
        "started_at": record(1)["started_at"],
        "finished_at": record(1)["ended_at"],
        "host": "db01",
    }
    assert send(report).status_code == 200
    run = BackupRun.objects.select_related("job").get()
    assert (run.outcome, run.exit_code, run.job.target_name) == ("failed", 1, "db01")


def test_it_keeps_runs_of_a_clock_that_is_hours_ahead_and_remarks_on_it(send):
    ahead = now() + dt.timedelta(hours=5)
    answer = send(record(1, started_at=iso(ahead), ended_at=iso(ahead + dt.timedelta(minutes=1)))).json()
    assert answer["stored"] == 1
    assert "ahead of our clock" in answer["notes"][0]
    run = BackupRun.objects.get()
    assert run.outcome == "success"
    assert not RestorePoint.objects.usable_at(now()).exists()
    assert RestorePoint.objects.usable_at(ahead + dt.timedelta(hours=1)).exists()


def test_it_accepts_gzip(send):
    body = gzip.compress(json.dumps([record(1)]).encode())
    assert send(body, **{"Content-Encoding": "gzip"}).json()["stored"] == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"<html></html>", {}, 400),
        (b'[{"external_id": "cut', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"\xff\xfe\x00\x01" * 100, {}, 400),
        (b"[" + b" " * 10_000_000 + b"]", {}, 413),
        (b"[" + b",".join([b"{}"] * 5_001) + b"]", {}, 413),
        (gzip.compress(b"[" + b" " * 50_000_000 + b"]"), {"Content-Encoding": "gzip"}, 413),
        (b"no gzip at all", {"Content-Encoding": "gzip"}, 415),
        (gzip.compress(b"[{}]")[:-6], {"Content-Encoding": "gzip"}, 415),
        (b"[{}]", {"Content-Encoding": "br"}, 415),
    ],
    ids=["empty", "html", "cut off", "nested", "binary", "10 MB", "5001", "bomb", "no gzip", "cut gzip", "brotli"],
)
def test_it_refuses_whole_what_it_cannot_read_at_all(send, body, headers, status):
    response = send(body, **headers)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert len(response.json()["detail"]) > 20
    assert not RawAnswer.objects.exists()


def test_it_takes_five_thousand_records_in_one_call(send):
    started = now() - dt.timedelta(days=30)
    body = [
        {
            "external_id": str(n),
            "job_external_id": f"job-{n % 100}",
            "outcome": "failed",
            "started_at": iso(started + dt.timedelta(minutes=n)),
        }
        for n in range(5_000)
    ]
    response = send(body)
    assert response.status_code == 200
    assert response.json()["stored"] == BackupRun.objects.count() == 5_000


def test_it_masks_passwords_before_the_body_is_kept(send):
    send(record(1, repository_name="sftp://backup:hunter22@nas03/repo", native_message="sftp://backup:hunter22@nas03/repo failed"))
    assert b"hunter22" not in zlib.decompress(RawAnswer.objects.get().body)
    assert "hunter22" not in (BackupRun.objects.select_related("job").get().job.repository_name or "")


# ---- who may send


def test_it_needs_a_token(send):
    response = send([record(1)], token=None)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert send([record(1)], token="itsmb_unknown").status_code == 401


def test_it_refuses_a_token_that_may_only_read(send, tool):
    token = tokens.issue(user=make_user(is_superuser=True), scope="read", tool=None, at=now(), days=1)
    response = send([record(1)], token=token, path="/api/v1/runs?tool=scripts")
    assert response.status_code == 403
    assert "ingest" in response.json()["detail"]


def test_it_keeps_a_bound_token_to_its_tool(send):
    make_tool("push", name="other")
    assert send([record(1)], path="/api/v1/runs?tool=other").status_code == 403
    assert send([record(1)], path="/api/v1/runs?tool=scripts").status_code == 200


def test_it_lets_an_ingest_token_do_nothing_else(tool):
    token = tokens.issue(user=make_user(is_superuser=True), scope="ingest", tool=tool, at=now(), days=1)
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/api/v1/runs", "/api/v1/services/", "/api/v1/tools/"):
        assert Client().get(path, headers=headers).status_code == 403


def test_it_asks_for_the_tool_when_the_token_is_bound_to_none_and_names_who_may(send, tool):
    sender, owner = make_user("sender"), make_user("owner", first_name="Olga", last_name="Owner")
    token = tokens.issue(user=sender, scope="ingest", tool=None, at=now(), days=1)
    assert send([record(1)], token=token).status_code == 400
    assert send([record(1)], token=token, path="/api/v1/runs?tool=scripts").status_code == 404
    assert send([record(1)], token=token, path="/api/v1/runs?tool=nothing").status_code == 404
    assign_perm("monitoring.view_tool", sender, tool)
    assign_perm("monitoring.change_tool", owner, tool)
    response = send([record(1)], token=token, path="/api/v1/runs?tool=scripts")
    assert response.status_code == 403
    assert "Olga Owner" in response.json()["detail"]
    assign_perm("monitoring.change_tool", sender, tool)
    assert send([record(1)], token=token, path="/api/v1/runs?tool=scripts").status_code == 200


def test_it_takes_runs_with_and_without_a_slash(send):
    assert send([record(1)], path="/api/v1/runs/").json()["stored"] == 1
    assert send([record(1)], path="/api/v1/runs").json()["unchanged"] == 1


def test_it_needs_a_csrf_token_from_browsers(tool):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(is_superuser=True))
    assert client.post("/api/v1/runs?tool=scripts", data="[]", content_type="application/json").status_code == 403
