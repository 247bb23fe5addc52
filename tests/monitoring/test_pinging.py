"""Pings become runs: which one a ping begins or ends."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from monitoring import answers, pinging
from monitoring.connectors.ping_paths import PingAddress
from monitoring.models import BackupJob, BackupRun, JobState, RawAnswer, RestorePoint, RunRevision
from tests.factories import make_job, make_tool

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def job(noon):
    return make_job(make_tool("ping", ping_key="key-0123456789"), "payroll-nightly", profile="restic")


def ping(job, suffix, at, *, rid=None, body="", **more):
    return pinging.take(job=job, suffix=suffix, rid=rid, body=body, at=at, **more)


def runs(job):
    return list(BackupRun.objects.filter(job=job).order_by("occurred_at", "pk"))


def test_it_opens_a_run_at_the_start_and_ends_it(job, noon):
    ping(job, "start", noon)
    (run,) = runs(job)
    assert (run.state, run.outcome, run.started_at) == ("running", None, noon)
    ping(job, "", noon + 10 * MINUTE)
    (run,) = runs(job)
    assert (run.state, run.outcome, run.started_at, run.ended_at) == ("finished", "success", noon, noon + 10 * MINUTE)
    assert RestorePoint.objects.get(run=run).captured_at == noon


def test_it_takes_an_end_without_start_as_a_run_of_its_own(job, noon):
    ping(job, "", noon)
    ping(job, "fail", noon + HOUR)
    assert [run.outcome for run in runs(job)] == ["success", "failed"]


def test_it_ends_by_rid_the_run_that_began_with_it_and_lets_others_go_on(job, noon):
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    ping(job, "start", noon, rid=one)
    ping(job, "start", noon + MINUTE, rid=two)
    ping(job, "0", noon + 5 * MINUTE, rid=one)
    first, second = runs(job)
    assert (first.outcome, first.started_at) == ("success", noon)
    assert second.state == "running"
    ping(job, "3", noon + 6 * MINUTE, rid=two)
    assert runs(job)[1].outcome == "warning"


def test_it_ends_the_newest_open_run_when_the_end_carries_no_rid(job, noon):
    ping(job, "start", noon, rid=str(uuid.uuid4()))
    ping(job, "1", noon + MINUTE)
    (run,) = runs(job)
    assert (run.outcome, run.exit_code) == ("failed", 1)


def test_it_corrects_a_run_when_its_end_is_told_again_under_the_same_rid(job, noon):
    rid = str(uuid.uuid4())
    for minutes, suffix in enumerate(("", "fail", "3"), start=1):
        ping(job, suffix, noon + minutes * MINUTE, rid=rid)
    (run,) = runs(job)
    assert run.outcome == "warning"
    assert RunRevision.objects.filter(run=run).count() == 2


def test_it_gives_up_as_unknown_what_was_started_again_before_it_finished(job, noon):
    ping(job, "start", noon)
    ping(job, "start", noon + HOUR)
    first, second = runs(job)
    assert (first.state, first.outcome, first.message) == ("finished", "unknown", "Started again before it finished.")
    assert second.state == "running"
    ping(job, "", noon + 2 * HOUR)
    assert [run.outcome for run in runs(job)] == ["unknown", "success"]


def test_it_does_not_end_a_start_that_is_older_than_the_protocol_allows(job, noon):
    ping(job, "start", noon)
    ping(job, "", noon + 73 * HOUR)
    assert [run.state for run in runs(job)] == ["running", "finished"]
    ping(job, "start", noon + 74 * HOUR)
    assert [run.outcome for run in runs(job)] == ["unknown", "success", None]


def test_it_keeps_a_log_without_making_a_run_of_it(job, noon):
    ping(job, "log", noon, body="pruning done")
    assert not runs(job)
    _, answer = answers.open_answer(RawAnswer.objects.get().pk)
    assert answer.steps[0].stdout == "pruning done"


def test_it_does_not_end_an_open_run_by_a_log(job, noon):
    ping(job, "start", noon)
    ping(job, "log", noon + MINUTE)
    assert runs(job)[0].state == "running"


def test_it_fills_the_run_from_a_json_summary_in_the_body(job, noon):
    body = (
        '{"message_type":"summary","total_files_processed":12,"total_bytes_processed":4096,'
        '"data_added_packed":1024,"total_duration":3.5,"snapshot_id":"' + "ab" * 32 + '"}'
    )
    ping(job, "", noon, body=body)
    (run,) = runs(job)
    assert (run.bytes_source, run.bytes_stored, run.files_total, run.artefact_id) == (4096, 1024, 12, "ab" * 32)


def test_it_masks_secrets_before_the_body_is_kept(noon):
    tool = make_tool("ping", secrets={"password": "correct horse"})
    job = make_job(tool)
    ping(job, "fail", noon, body="repository password is correct horse; RESTIC_PASSWORD=hunter22")
    _, answer = answers.open_answer(RawAnswer.objects.get().pk)
    assert "correct horse" not in answer.steps[0].stdout
    assert "hunter22" not in answer.steps[0].stdout


def test_it_notes_how_much_of_a_long_body_was_left_out(job, noon):
    ping(job, "", noon, body="the end", left_out_bytes=1234)
    _, answer = answers.open_answer(RawAnswer.objects.get().pk)
    assert answer.steps[0].truncated
    assert answer.steps[0].stdout.startswith("[1,234 bytes")


def test_it_marks_the_job_for_the_journey(job, noon):
    JobState.objects.update(touched_at=None)
    ping(job, "fail", noon)
    assert JobState.objects.get(pk=job.pk).touched_at == noon


def test_it_makes_the_job_of_an_unknown_slug_once(job, noon):
    address = PingAddress(suffix="", ping_key="key-0123456789", slug="new-job", create=True)
    made = pinging.create_job(address=address, at=noon)
    assert made == pinging.create_job(address=address, at=noon) == pinging.find_job(address)
    assert BackupJob.objects.get(external_id="new-job").declared


def test_it_makes_no_job_for_an_unknown_key_or_where_the_tool_forbids_it(job, noon):
    assert pinging.create_job(address=PingAddress(suffix="", ping_key="key-of-nobody", slug="x", create=True), at=noon) is None
    make_tool("ping", ping_key="strict-key", settings={"create_jobs": "no"})
    with pytest.raises(pinging.MayNotCreate):
        pinging.create_job(address=PingAddress(suffix="", ping_key="strict-key", slug="x", create=True), at=noon)
