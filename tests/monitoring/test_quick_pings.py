"""The usual ping is two statements; whatever is not usual, or was disturbed, is left to the way under the job's lock."""

from __future__ import annotations

import datetime as dt
import uuid
from unittest import mock

import psycopg
import pytest
from django.db import connection
from django.test import Client

from monitoring import quick_pings
from monitoring.connectors.ping_paths import PingAddress
from monitoring.models import BackupRun, JobState, RawAnswer, RestorePoint, ToolState
from monitoring.quick_pings import Said
from tests.factories import make_job, make_service, make_tool

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def job(noon):
    return make_job(make_tool("ping", ping_key="key-0123456789"), "payroll-nightly")


def said(at, suffix="", rid=None, body=""):
    return Said(suffix=suffix, rid=rid, body=body, at=at)


def test_it_asks_once_and_writes_once_whatever_was_before(job):
    execute, seen = psycopg.Cursor.execute, []

    def watched(self, query, *arguments, **named):
        seen.append(str(query).split()[0])
        return execute(self, query, *arguments, **named)

    client = Client()
    with mock.patch.object(psycopg.Cursor, "execute", watched):
        for suffix in ("", "/start", "", "/fail", "/3", "", "/log"):
            assert client.post(f"/ping/{job.ping_uuid}{suffix}", b"done", content_type="text/plain").content == b"OK"
            assert seen == ["SELECT", "WITH"], suffix
            seen.clear()


def test_postgresql_plans_a_ping_once_and_not_for_every_ping(job):
    client = Client()
    for _ in range(12):
        for suffix in ("", "/start", "/fail", "/log"):
            client.post(f"/ping/{job.ping_uuid}{suffix}", b"done", content_type="text/plain")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE statement ~ 'monitoring_rawanswer|ping_uuid' AND generic_plans = 0"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE generic_plans >= 5")
        assert cursor.fetchone()[0] >= 6


def test_it_writes_all_that_belongs_to_a_ping(job, noon):
    JobState.objects.update(touched_at=None, touched_from=None)
    written = quick_pings.take(about=PingAddress(suffix="", uuid=str(job.ping_uuid)), said=said(noon))
    run = BackupRun.objects.get()
    assert (written.run, written.answer, run.answer) == (run.pk, RawAnswer.objects.get().pk, RawAnswer.objects.get().pk)
    assert (run.outcome, run.service_id, run.tool_id, run.occurred_at) == ("success", None, job.tool_id, noon)
    assert (RestorePoint.objects.get().run, RestorePoint.objects.get().item.job) == (run, job)
    state = JobState.objects.get()
    assert (state.touched_at, state.touched_from) == (noon, noon)
    assert ToolState.objects.get().latest_answer_at == noon
    assert RawAnswer.objects.get().read_at == noon


def test_it_leaves_to_the_lock_what_corrects_a_run_that_was_over(job, noon):
    rid = str(uuid.uuid4())
    assert quick_pings.take(about=job.pk, said=said(noon, rid=rid))
    assert quick_pings.take(about=job.pk, said=said(noon + MINUTE, "fail", rid=rid)) is None


def test_it_leaves_to_the_lock_a_start_that_gives_up_the_one_before(job, noon):
    assert quick_pings.take(about=job.pk, said=said(noon, "start"))
    assert quick_pings.take(about=job.pk, said=said(noon + MINUTE, "start")) is None


def test_it_leaves_to_the_lock_a_job_whose_copies_are_listed_too(job, noon):
    quick_pings.take(about=job.pk, said=said(noon - MINUTE))
    BackupRun.objects.update(evidence_kind="artefact")
    assert quick_pings.take(about=job.pk, said=said(noon)) is None


def test_it_knows_no_job_that_is_not_there(job, noon):
    assert quick_pings.take(about=PingAddress(suffix="", uuid=str(uuid.uuid4())), said=said(noon)) is None


@pytest.mark.django_db(transaction=True)
def test_it_writes_nothing_when_somebody_was_at_the_job_meanwhile(noon):
    make_service("SVC-1")
    job = make_job(make_tool("ping"), "payroll-nightly")
    write = quick_pings._write

    def disturbed(*arguments):
        JobState.objects.update(bad_streak=1)
        return write(*arguments)

    with mock.patch.object(quick_pings, "_write", disturbed):
        assert quick_pings.take(about=job.pk, said=said(noon)) is None
    assert not BackupRun.objects.exists()
    assert not RawAnswer.objects.exists()
    assert not RestorePoint.objects.exists()
    assert quick_pings.take(about=job.pk, said=said(noon))
    assert BackupRun.objects.count() == 1
