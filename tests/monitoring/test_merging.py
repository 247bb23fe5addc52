"""What a wrapper reports and what the repository lists later are one run; what is not plainly the same stays apart."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from monitoring import intake, pinging
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupRun, RestorePoint
from tests.factories import make_tool
from tests.readings import poll_answer, snapshot, take_reading

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def tool(noon):
    return make_tool("restic", at=noon - dt.timedelta(days=9), settings={"repository": "/srv/repo"})


def report(tool, start, at, *, exit_code=0, stdout="", stderr="", host="db01", minutes=3):
    told = {
        "tool": "restic", "command": "restic backup --json /srv/data", "host": host,
        "exit_code": exit_code, "stdout": stdout, "stderr": stderr,
        "started_at": start.isoformat(), "finished_at": (start + minutes * MINUTE).isoformat(),
    }  # fmt: skip
    answer = Answer(kind="api", steps=[Step(name="body", stdout=json.dumps([told]))], meta={"content_type": "application/json"})
    return intake.receive(tool=tool, answer=answer, at=at)


def summary(one):
    return json.dumps({"message_type": "summary", "snapshot_id": one["id"], "files_new": 1, "total_bytes_processed": 10})


def both_ways(tool, one, start, noon, **more):
    return (
        lambda: report(tool, start, noon, **more),
        lambda: take_reading(tool, poll_answer(one), at=noon),
    )


@pytest.mark.parametrize("first", [0, 1])
def test_a_report_and_its_snapshot_are_one_run_by_the_id_it_names(tool, noon, first):
    start = noon - 3 * HOUR
    one = snapshot(start + MINUTE)
    steps = both_ways(tool, one, start, noon, stdout=summary(one))
    steps[first]()
    steps[1 - first]()
    run = BackupRun.objects.get()
    assert (run.outcome, run.artefact_id, run.captured_at) == ("success", one["id"], start + MINUTE)
    assert RestorePoint.objects.count() == 1


@pytest.mark.parametrize("first", [0, 1])
def test_an_incomplete_snapshot_is_no_success_once_the_wrapper_told_so(tool, noon, first):
    start = noon - 3 * HOUR
    one = snapshot(start)
    stderr = json.dumps({"message_type": "error", "error": {}, "during": "archival", "item": "/srv/data/f1"})
    steps = both_ways(tool, one, start, noon, exit_code=3, stdout=summary(one), stderr=stderr)
    steps[first]()
    steps[1 - first]()
    run = BackupRun.objects.get()
    assert run.outcome in ("warning", "partial")
    assert run.exit_code == 3


@pytest.mark.parametrize("first", [0, 1])
def test_they_are_one_run_by_time_when_the_report_names_no_snapshot(tool, noon, first):
    start = noon - 3 * HOUR
    steps = both_ways(tool, snapshot(start + MINUTE), start, noon)
    steps[first]()
    steps[1 - first]()
    assert BackupRun.objects.get().evidence_kind == "push"


def test_two_snapshots_in_the_time_of_one_report_stay_apart(tool, noon):
    start = noon - 3 * HOUR
    report(tool, start, noon)
    take_reading(tool, poll_answer(snapshot(start + MINUTE), snapshot(start + 2 * MINUTE)), at=noon)
    assert BackupRun.objects.count() == 3


def test_a_failed_report_is_not_the_snapshot_beside_it(tool, noon):
    start = noon - 3 * HOUR
    report(tool, start, noon, exit_code=1, stderr="Fatal: unable to save snapshot")
    take_reading(tool, poll_answer(snapshot(start + MINUTE)), at=noon)
    assert sorted(BackupRun.objects.values_list("outcome", flat=True)) == ["failed", "success"]


@pytest.mark.parametrize("named", [True, False])
def test_an_open_run_whose_copy_is_listed_before_it_ends_is_one_run_with_it(tool, noon, named):
    start = noon - 3 * HOUR
    one = snapshot(start + MINUTE)
    take_reading(tool, poll_answer(snapshot(start - HOUR)), at=start - MINUTE)
    job = BackupRun.objects.get().job
    job.profile = "restic"
    pinging.take(job=job, suffix="start", rid=None, body="", at=start)
    take_reading(tool, poll_answer(snapshot(start - HOUR), one), at=start + 2 * MINUTE)
    assert BackupRun.objects.count() == 3
    pinging.take(job=job, suffix="0", rid=None, body=summary(one) if named else "", at=start + 3 * MINUTE)
    _, run = BackupRun.objects.order_by("captured_at")
    assert (run.state, run.outcome, run.artefact_id) == ("finished", "success", one["id"])
    assert (run.started_at, run.captured_at, run.ended_at) == (start, start + MINUTE, start + 3 * MINUTE)
    assert RestorePoint.objects.count() == 2


def test_an_open_run_that_ends_badly_stays_beside_the_copy_that_was_listed(tool, noon):
    start = noon - 3 * HOUR
    take_reading(tool, poll_answer(snapshot(start - HOUR)), at=start - MINUTE)
    job = BackupRun.objects.get().job
    pinging.take(job=job, suffix="start", rid=None, body="", at=start)
    take_reading(tool, poll_answer(snapshot(start - HOUR), snapshot(start + MINUTE)), at=start + 2 * MINUTE)
    pinging.take(job=job, suffix="fail", rid=None, body="", at=start + 3 * MINUTE)
    assert sorted(BackupRun.objects.values_list("outcome", flat=True)) == ["failed", "success", "success"]


def test_another_hosts_snapshot_is_another_run(tool, noon):
    start = noon - 3 * HOUR
    report(tool, start, noon, host="db02")
    take_reading(tool, poll_answer(snapshot(start + MINUTE)), at=noon)
    assert BackupRun.objects.count() == 2


def test_reading_the_same_again_changes_nothing(tool, noon):
    start = noon - 3 * HOUR
    one = snapshot(start + MINUTE)
    report(tool, start, noon, stdout=summary(one))
    take_reading(tool, poll_answer(one), at=noon)
    before = list(BackupRun.objects.values())
    for _ in range(3):
        report(tool, start, noon, stdout=summary(one))
        receipt = take_reading(tool, poll_answer(one), at=noon)
        assert [result.status for result in receipt.results] == ["unchanged"]
    assert list(BackupRun.objects.values()) == before
