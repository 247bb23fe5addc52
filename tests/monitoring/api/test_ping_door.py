"""`/ping/…` answers as the Healthchecks protocol says, whatever is sent to it."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from monitoring import answers, pinging
from monitoring.models import BackupJob, BackupRun, QuarantinedRecord, RawAnswer
from tests.factories import make_job, make_tool, make_user

pytestmark = pytest.mark.django_db
KEY = "key-0123456789"


@pytest.fixture
def job():
    return make_job(make_tool("ping", ping_key=KEY), "payroll-nightly")


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("method", ["get", "head", "post"])
@pytest.mark.parametrize(
    ("suffix", "outcome"), [("", "success"), ("/0", "success"), ("/7", "failed"), ("/fail", "failed"), ("/start", None)]
)
def test_it_takes_a_ping_without_sign_in(client, job, method, suffix, outcome):
    response = getattr(client, method)(f"/ping/{job.ping_uuid}{suffix}")
    assert response.status_code == 200
    assert response.content == (b"" if method == "head" else b"OK")
    assert response["Ping-Body-Limit"] == "100000"
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "no-store" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert BackupRun.objects.get().outcome == outcome


def test_it_takes_none_for_a_host_that_is_not_ours(client, job, settings):
    settings.ALLOWED_HOSTS = ["backup.example.net"]
    assert client.post(f"/ping/{job.ping_uuid}", headers={"Host": "elsewhere.example.net"}).status_code == 400
    assert client.post(f"/ping/{job.ping_uuid}", headers={"Host": "backup.example.net"}).status_code == 200
    assert BackupRun.objects.count() == 1


def test_it_passes_nothing_that_serves_pages(client, job):
    client.force_login(make_user("curious"))
    response = client.post(f"/ping/{job.ping_uuid}")
    own = {"Content-Type", "Content-Length", "Ping-Body-Limit", "Access-Control-Allow-Origin", "Cache-Control", "X-Content-Type-Options"}
    assert (set(response.headers), dict(response.cookies)) == (own, {})


def test_it_takes_a_ping_by_key_and_slug(client, job):
    assert client.post(f"/ping/{KEY}/payroll-nightly/fail").status_code == 200
    assert BackupRun.objects.get().outcome == "failed"


def test_it_makes_the_job_of_a_slug_only_when_asked(client, job):
    assert client.get(f"/ping/{KEY}/new-one").status_code == 404
    response = client.get(f"/ping/{KEY}/new-one?create=1")
    assert (response.status_code, response.content) == (201, b"Created")
    assert client.get(f"/ping/{KEY}/new-one?create=1").status_code == 200
    assert BackupJob.objects.filter(external_id="new-one").count() == 1


def test_it_makes_no_job_where_the_tool_forbids_it(client, job):
    make_tool("ping", ping_key="strict-key", settings={"create_jobs": "no"})
    assert client.get("/ping/strict-key/new-one?create=1").status_code == 403


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("{uuid}/256", 400),
        ("{uuid}/99999999999999999999", 400),
        ("{uuid}?rid=nonsense", 400),
        ("{uuid}/stop", 404),
        ("{uuid}/fail/again", 404),
        (f"{KEY}/Payroll-Nightly", 400),
        (f"{KEY}/unknown", 404),
        ("unknown-key-123/payroll-nightly", 404),
        ("6f1d2c3b-0a9e-4c57-8a51-2f0f6f0f6f0f", 404),
        ("%00", 404),
        (f"{KEY}/%00", 404),
        ("not-a-uuid", 404),
        (f"{KEY}/payroll-nightly/%F0%9F%92%A3", 404),
    ],
)
def test_it_answers_what_it_cannot_take_as_the_protocol_says(client, job, rest, status):
    assert client.get("/ping/" + rest.format(uuid=job.ping_uuid)).status_code == status
    assert not BackupRun.objects.exists()


def test_it_refuses_other_methods(client, job):
    assert client.delete(f"/ping/{job.ping_uuid}").status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b'{"message_type":"summary","total_bytes_processed":-5,"total_duration":-9223372036.85,"backup_end":"0001-01-01T00:00:00Z"}',
        b'{"message_type":"summary","total_bytes_processed":99999999999999999999999999}',
        b'{"message_type":"summary","snapsh',
        b'{"message_type":"summary","snapshot_id":{"a":[1]},"total_files_processed":"many"}',
        b"\x00\x01\xff\xfe" * 1000,
        b'{"a":' * 20_000,
        "\ud83d".encode("utf-16", "surrogatepass"),
        b'{"message_type":"summary","snapshot_id":"\\ud800"}',
        "ошибка ].}{".encode(),
        b"x" * 10_000_000,
        b"\n" * 2_000_000,
    ],
    ids=[
        "negative",
        "too big",
        "truncated",
        "wrong types",
        "NUL bytes",
        "nested",
        "surrogate",
        "lone escape",
        "words",
        "10 MB",
        "empty lines",
    ],
)
@pytest.mark.parametrize("suffix", ["", "/fail", "/start"])
def test_it_records_the_ping_whatever_its_body_holds(client, job, body, suffix):
    response = client.post(f"/ping/{job.ping_uuid}{suffix}", data=body, content_type="application/octet-stream")
    assert response.status_code == 200
    run = BackupRun.objects.get()
    assert run.state == ("running" if suffix == "/start" else "finished")
    if suffix == "/fail":
        assert run.outcome == "failed"


def test_it_keeps_the_end_of_a_long_body_and_says_what_was_left_out(client, job):
    client.post(f"/ping/{job.ping_uuid}", data=b"a" * 150_000 + b" the result", content_type="text/plain")
    step = answers.open_answer(RawAnswer.objects.get().pk)[1].steps[0]
    assert step.stdout.endswith(" the result")
    assert step.truncated
    assert len(step.stdout) < 100_100


def test_it_says_when_a_job_pings_too_often(client, job, settings):
    settings.PINGS_PER_MINUTE = 3
    codes = [client.get(f"/ping/{job.ping_uuid}").status_code for _ in range(5)]
    assert codes.count(200) == 3
    assert codes.count(429) == 2


def test_it_asks_to_send_again_when_the_database_fails_and_keeps_the_address_out_of_the_log(client, job, monkeypatch, caplog):
    from django.db import OperationalError

    def fails(**_kwargs):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(pinging, "receive", fails)
    with caplog.at_level(logging.DEBUG):
        response = client.get(f"/ping/{job.ping_uuid}")
    assert response.status_code == 503
    assert b"again" in response.content
    assert str(job.ping_uuid) not in caplog.text


def test_it_logs_no_address_of_refused_pings(client, job, caplog):
    with caplog.at_level(logging.DEBUG):
        client.get(f"/ping/{job.ping_uuid}/256")
        client.get(f"/ping/{KEY}/unknown")
    assert str(job.ping_uuid) not in caplog.text
    assert KEY not in caplog.text


def test_it_reads_json_lines_of_a_wrapper_that_posts_the_whole_output(client, job):
    body = '{"message_type":"status","percent_done":1}\n{"message_type":"exit_error","code":12,"message":"Fatal: wrong password"}\n'
    client.post(f"/ping/{job.ping_uuid}/1", data=body, content_type="application/json")
    run = BackupRun.objects.get()
    assert (run.outcome, run.exit_code) == ("failed", 1)
    assert "wrong password" in run.message
    assert not QuarantinedRecord.objects.exists()
