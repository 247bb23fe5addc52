"""Everything ends in one act: good records are stored, bad ones are told with their reason, and nothing makes it stumble."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itsm_backup import journey
from monitoring import answers, intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupJob, BackupRun, QuarantinedRecord, RawAnswer, RestorePoint, ServiceState, ToolState
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot

HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def tool(noon):
    return make_tool(at=noon - dt.timedelta(days=9))


@pytest.fixture
def repository(noon):
    return make_tool("restic", at=noon - dt.timedelta(days=9), settings={"repository": "/srv/repo"})


def api(body: str, **meta: str) -> Answer:
    return Answer(kind="api", steps=[Step(name="body", stdout=body)], meta={"content_type": "application/json", **meta})


def statuses(receipt) -> list[str]:
    return [result.status for result in receipt.results]


def test_it_keeps_the_answer_as_it_came(tool, noon):
    receipt = push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    row = RawAnswer.objects.get(pk=receipt.answer)
    assert (row.tool_id, row.read_at, row.kind) == (tool.pk, noon, "api")
    assert answers.is_unaltered(receipt.answer)
    assert BackupRun.objects.get().answer == receipt.answer


def test_it_reads_an_answer_again_without_a_second_run(tool, noon):
    receipt = push(tool, run_record("nightly", "success", noon - HOUR), {"external_id": 5}, at=noon)
    again = intake.read_again(answer_id=receipt.answer, at=noon + HOUR)
    assert statuses(again) == ["unchanged", "quarantined"]
    assert QuarantinedRecord.objects.count() == 1


def test_an_answer_whose_reader_died_is_read_by_the_journey(tool, noon):
    from itsm_backup.common.time import iso

    record = run_record("nightly", "success", noon - HOUR)
    answers.keep(tool=tool, answer=api(json.dumps([record]), received_at=iso(noon)), at=noon, token_id=None)
    journey.advance(at=noon)
    assert BackupRun.objects.count() == 1
    assert not answers.unread()


def test_an_answer_that_nobody_can_read_holds_no_other_up(tool, noon):
    gone = make_tool(at=noon)
    for owner in (gone, tool):
        answers.keep(tool=owner, answer=api(json.dumps([run_record("nightly", "success", noon)])), at=noon, token_id=None)
    RawAnswer.objects.filter(tool_id=gone.pk).update(body=b"not compressed at all")
    journey.advance(at=noon)
    assert BackupRun.objects.count() == 1


GOOD = {"external_id": "good", "job_external_id": "nightly", "outcome": "success", "started_at": "2026-07-14T01:30:00Z"}
BAD_RECORDS = {
    "year one": {**GOOD, "started_at": "0001-01-01T00:00:00Z"},
    "year 9999": {**GOOD, "started_at": "9999-12-31T23:59:59Z"},
    "no zone": {**GOOD, "started_at": "2026-07-14T01:30:00"},
    "not a date": {**GOOD, "started_at": "yesterday"},
    "a number for a date": {**GOOD, "started_at": 5},
    "ends before it starts": {**GOOD, "ended_at": "2026-07-14T01:00:00Z"},
    "negative duration": {**GOOD, "duration_s": -5},
    "endless duration": {**GOOD, "duration_s": 1e300},
    "negative bytes": {**GOOD, "bytes_source": -1},
    "too many bytes": {**GOOD, "bytes_source": 2**63},
    "a fraction of a file": {**GOOD, "files_total": 1.5},
    "exit code out of range": {**GOOD, "exit_code": 2**40},
    "unknown outcome": {**GOOD, "outcome": "splendid"},
    "unknown state": {**GOOD, "state": "dreaming"},
    "unknown field": {**GOOD, "colour": "blue"},
    "no outcome": {name: value for name, value in GOOD.items() if name != "outcome"},
    "no time at all": {name: value for name, value in GOOD.items() if name != "started_at"},
    "no job": {name: value for name, value in GOOD.items() if name != "job_external_id"},
    "an empty name": {**GOOD, "job_external_id": ""},
    "a name of 600 characters": {**GOOD, "job_external_id": "x" * 600},
    "NUL in a name": {**GOOD, "job_external_id": "night\x00ly"},
    "a list for a name": {**GOOD, "job_external_id": ["nightly"]},
    "an object for a name": {**GOOD, "external_id": {"id": 5}},
    "a text": "nightly was fine",
    "a number": 5,
    "null": None,
    "a list": [GOOD],
    "an empty object": {},
    "an unknown tool": {"tool": "shredder", "command": "shred /", "exit_code": 0},
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_it_stores_the_good_beside_a_bad_record_and_says_what_is_wrong(tool, noon, name):
    receipt = push(tool, GOOD, BAD_RECORDS[name], {**GOOD, "external_id": "good-2", "started_at": "2026-07-14T02:30:00Z"}, at=noon)
    assert statuses(receipt) == ["stored", "quarantined", "stored"]
    assert [result.index for result in receipt.results] == [0, 1, 2]
    assert len(receipt.results[1].reason) > 10
    assert (QuarantinedRecord.objects.get().answer_index, BackupRun.objects.count()) == (1, 2)


def test_it_stores_what_was_whole_before_a_body_was_cut_off(tool, noon):
    body = json.dumps([GOOD, {**GOOD, "external_id": "good-2"}])
    receipt = intake.receive(tool=tool, answer=api(body[:-20]), at=noon)
    assert statuses(receipt) == ["stored", "quarantined"]


@pytest.mark.parametrize("body", ["", " ", "not json", "\x00", "<html>", "[", "{", "nul", "\ufeff", "[1, 2", "�" * 50, "[" * 100_000])
def test_it_refuses_a_body_that_is_no_json_as_one(tool, noon, body):
    receipt = intake.receive(tool=tool, answer=api(body), at=noon)
    assert set(statuses(receipt)) <= {"quarantined"}
    assert not BackupRun.objects.exists()


def test_it_survives_characters_that_are_none(tool, noon):
    """Half of a surrogate pair can be written in JSON and cannot be stored as text."""
    body = json.dumps([{**GOOD, "outcome": "failed", "native_message": "half"}]).replace("half", "\\ud800")
    assert statuses(intake.receive(tool=tool, answer=api(body), at=noon)) in (["stored"], ["quarantined"])
    assert set(statuses(intake.receive(tool=tool, answer=api("[\ud800]"), at=noon))) == {"quarantined"}


def test_it_stores_messages_with_nul_bytes_without_them(tool, noon):
    push(tool, {**GOOD, "outcome": "failed", "native_message": "disk\x00full"}, at=noon)
    assert BackupRun.objects.get().message == "disk\ufffdfull"


def test_it_takes_ten_megabytes(tool, noon):
    body = json.dumps([{**GOOD, "native_message": "x" * 10_000_000, "outcome": "failed"}])
    receipt = intake.receive(tool=tool, answer=api(body), at=noon)
    assert statuses(receipt) == ["stored"]
    assert len(BackupRun.objects.get().message) == 500
    assert RawAnswer.objects.get().size_bytes > 10_000_000


def test_it_refuses_more_records_than_one_call_may_bring(tool, noon):
    receipt = push(tool, *[{**GOOD, "external_id": str(n)} for n in range(5_001)], at=noon)
    assert statuses(receipt) == ["quarantined"]
    assert "several calls" in receipt.results[0].reason


def test_it_takes_a_clock_that_is_five_hours_ahead_and_waits_for_its_time(noon):
    tool = make_tool(at=noon - dt.timedelta(days=9))
    service = make_service(at=noon - dt.timedelta(days=9), rpo_s=4 * 3600)
    job = make_job(tool, "nightly", service=service, at=noon - dt.timedelta(days=9))
    make_schedule(job, rrule="FREQ=HOURLY", local_times="")
    body = json.dumps(
        [run_record("nightly", "success", noon - HOUR), *[run_record("nightly", "success", noon + n * HOUR) for n in range(1, 6)]]
    )
    receipt = intake.receive(tool=tool, answer=api(body, received_at=noon.isoformat()), at=noon)
    assert statuses(receipt) == ["stored"] * 6
    assert any("ahead of our clock" in problem for problem in receipt.problems)
    journey.advance(at=noon)
    state = ServiceState.objects.get(service=service)
    assert (state.verdict, state.captured_at) == ("kept", noon - HOUR)


def test_a_run_dated_decades_back_makes_no_ledger_of_decades(noon):
    tool = make_tool(at=noon - dt.timedelta(days=9))
    job = make_job(tool, "nightly", service=make_service(at=noon - dt.timedelta(days=9)), at=noon - dt.timedelta(days=9))
    make_schedule(job, rrule="FREQ=MINUTELY", local_times="", grace_s=30, early_tolerance_s=0)
    push(tool, run_record("nightly", "success", noon.replace(year=1990)), run_record("nightly", "success", noon - HOUR), at=noon)
    journey.advance(at=noon)
    assert 0 < job.expected_runs.count() < 30_000
    job.state.refresh_from_db()
    assert job.state.touched_at is None


BAD_SNAPSHOTS = {
    "year one": {"time": "0001-01-01T00:00:00Z"},
    "no time": {"time": None},
    "a number for a time": {"time": 1},
    "no id": {"id": None},
    "a short id": {"id": "abc"},
    "no host": {"hostname": 5},
    "NUL for a host": {"hostname": "\x00"},
    "no paths": {"paths": []},
    "a path that is none": {"paths": [5]},
}


@pytest.mark.parametrize("name", BAD_SNAPSHOTS)
def test_it_stores_the_good_snapshots_beside_a_bad_one(repository, noon, name):
    bad = {**snapshot(noon - 2 * HOUR), **BAD_SNAPSHOTS[name]}
    receipt = intake.receive(tool=repository, answer=poll_answer(snapshot(noon - 3 * HOUR), bad, snapshot(noon - HOUR)), at=noon)
    assert sorted(statuses(receipt))[-2:] == ["stored", "stored"]
    assert BackupRun.objects.count() == 2 + (name == "NUL for a host" and "quarantined" not in statuses(receipt))
    if "quarantined" in statuses(receipt):
        assert not receipt.complete


def test_a_listing_that_repeats_a_snapshot_makes_one_run(repository, noon):
    one = snapshot(noon - HOUR)
    receipt = intake.receive(tool=repository, answer=poll_answer(one, one, one), at=noon)
    assert statuses(receipt) == ["stored"]
    assert RestorePoint.objects.count() == 1


def test_a_summary_full_of_nonsense_costs_no_snapshot(repository, noon):
    summary = {
        "total_bytes_processed": -5,
        "data_added_packed": 2**70,
        "backup_start": "0001-01-01T00:00:00Z",
        "backup_end": 5,
        "x": "\x00",
    }
    receipt = intake.receive(tool=repository, answer=poll_answer(snapshot(noon - HOUR, summary=summary)), at=noon)
    assert statuses(receipt) == ["stored"]
    assert BackupRun.objects.get().bytes_source is None


LISTINGS = ["", "[", "{}", "null", "5", '"text"', "[null]", "[5]", "[[]]", "\x00", "not json", "[" * 50_000, '[{"snapshots": 5}]', "\ud800"]


@pytest.mark.parametrize("listing", LISTINGS)
def test_it_never_stumbles_over_a_listing(repository, noon, listing):
    intake.receive(tool=repository, answer=poll_answer(snapshot(noon - HOUR)), at=noon - HOUR)
    receipt = intake.receive(tool=repository, answer=poll_answer(stdout=listing), at=noon)
    assert set(statuses(receipt)) <= {"quarantined"}
    point = RestorePoint.objects.get()
    assert point.gone_at is None or (receipt.complete and listing in ("null", "[]"))


def test_ten_megabytes_of_listing_are_read(repository, noon):
    many = [snapshot(noon - n * dt.timedelta(minutes=1), tags=["x" * 500]) for n in range(13_000)]
    answer = poll_answer(*many)
    assert len(answer.steps[-1].stdout or "") > 10_000_000
    receipt = intake.receive(tool=repository, answer=answer, at=noon)
    assert (len(receipt.results), receipt.complete) == (13_000, True)


@pytest.mark.parametrize("kind", ["poll", "push", "ping", "api"])
@pytest.mark.parametrize("steps", [[], [Step(name="")], [Step(name="\x00", command="\x00", stdout="\x00", stderr="\x00", exit_code=-9)]])
def test_an_empty_answer_is_only_kept(repository, noon, kind, steps):
    receipt = intake.receive(tool=repository, answer=Answer(kind=kind, steps=steps), at=noon)
    assert not receipt.complete
    assert not BackupRun.objects.filter(outcome="success").exclude(evidence_kind="push").exists()


def test_an_unreachable_repository_is_a_problem_and_nothing_is_gone(repository, noon):
    intake.receive(tool=repository, answer=poll_answer(snapshot(noon - HOUR)), at=noon - HOUR)
    receipt = intake.receive(tool=repository, answer=no_answer(), at=noon)
    assert (receipt.complete, statuses(receipt)) == (False, [])
    assert receipt.problems
    assert RestorePoint.objects.get().gone_at is None


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6
)
_fields = sorted(
    {*GOOD, "state", "ended_at", "consistent_at", "created_at", "identity", "artefact_id", "operation", "source_revision", "tool"}
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.one_of(_values, st.dictionaries(st.sampled_from(_fields), _values, max_size=9).map(lambda d: {**GOOD, **d})), max_size=6)
)
def test_it_answers_for_each_record_whatever_is_sent(tool, noon, records):
    receipt = push(tool, *records, at=noon)
    assert [result.index for result in receipt.results] == list(range(max(1, len(records))) if records else [])
    stored = [result.run for result in receipt.results if result.status != "quarantined"]
    assert BackupRun.objects.filter(pk__in=stored).count() == len(set(stored))


def test_a_tool_is_not_made_hot_by_every_answer(tool, noon):
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    push(tool, run_record("nightly", "success", noon - 2 * HOUR), at=noon + dt.timedelta(seconds=30))
    assert ToolState.objects.get(tool=tool).latest_answer_at == noon
    push(tool, run_record("nightly", "success", noon - 3 * HOUR), at=noon + dt.timedelta(seconds=61))
    assert ToolState.objects.get(tool=tool).latest_answer_at == noon + dt.timedelta(seconds=61)
    assert BackupJob.objects.count() == 1
