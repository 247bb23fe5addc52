"""How records become one row: forward only, the stronger word wins, absent never erases, and the order of arrival does not matter."""

from __future__ import annotations

import datetime as dt
import itertools
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.combining import changes, combine, key_of, seal_of
from monitoring.connectors.base import Record

AT = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
START = AT - dt.timedelta(hours=1)
TOOL, JOB = SimpleNamespace(pk=1), SimpleNamespace(pk=2, service_id=3)
MINUTE = dt.timedelta(minutes=1)


def record(**more) -> Record:
    usual = {
        "external_id": "r1", "evidence_kind": "push", "job_external_id": "nightly", "identity": ("nightly", "r1"), "created_at": START,
        "outcome": "success", "started_at": START, "ended_at": START + 10 * MINUTE, "consistent_at": START,
    }  # fmt: skip
    return Record(**{**usual, **more})


def running(**more) -> Record:
    return record(**{"state": "running", "outcome": None, "ended_at": None, "consistent_at": None, **more})


def fold(*records: Record, at: dt.datetime = AT):
    row = None
    for index, one in enumerate(records):
        row = combine(row, one, key=b"k", tool=TOOL, job=JOB, answer=1, index=index, at=at)
    return row


def told(row):
    """What the row says, without from which answer it was last read."""
    return msgspec.structs.replace(row, answer=0, answer_index=0, changed_at=AT)


def test_a_run_moves_from_running_to_finished():
    row = fold(running(), record())
    assert (row.state, row.outcome, row.ended_at) == ("finished", "success", START + 10 * MINUTE)


def test_a_start_that_arrives_after_the_end_takes_nothing_back():
    assert told(fold(record(), running())) == told(fold(running(), record()))


def test_a_start_that_arrives_after_the_end_still_fills_what_the_end_did_not_tell():
    end = record(started_at=None, consistent_at=None, created_at=START)
    assert told(fold(end, running(exit_code=7))) == told(fold(running(exit_code=7), end))
    assert fold(end, running()).started_at == START


def test_a_correction_without_revision_is_taken():
    assert fold(record(), record(outcome="failed")).outcome == "failed"


@pytest.mark.parametrize(("older", "newer"), [("1", "2"), ("9", "10"), ("2026-07-14T01:00:00Z", "2026-07-14T02:00:00Z"), (None, "1")])
def test_an_older_revision_never_wins_over_a_newer_one(older, newer):
    first, second = record(outcome="failed", source_revision=older), record(source_revision=newer)
    assert fold(first, second).outcome == "success"
    assert fold(second, first).outcome == "success"


def test_a_newer_revision_may_reopen_a_finished_run():
    row = fold(record(outcome="failed", source_revision="1"), running(source_revision="2"))
    assert (row.state, row.outcome, row.ended_at) == ("running", None, None)


def test_it_keeps_what_a_later_record_does_not_tell():
    row = fold(record(bytes_source=5, exit_code=0), record())
    assert (row.bytes_source, row.exit_code) == (5, 0)


def test_a_report_outweighs_what_an_artefact_lets_one_guess():
    artefact = record(evidence_kind="artefact", artefact_id="a" * 64, outcome="success", ended_at=None)
    report = record(outcome="warning", exit_code=3)
    assert told(fold(artefact, report)) == told(fold(report, artefact))
    assert fold(report, artefact).outcome == "warning"


def test_an_artefact_tells_when_its_data_was_taken():
    artefact = record(evidence_kind="artefact", consistent_at=START + MINUTE, started_at=START + MINUTE, ended_at=None)
    row = fold(record(), artefact)
    assert (row.captured_at, row.occurred_at, row.started_at) == (START + MINUTE, START + MINUTE, START)


def test_the_same_record_again_changes_nothing():
    once = fold(record())
    again = combine(once, record(), key=b"k", tool=TOOL, job=JOB, answer=9, index=9, at=AT + MINUTE)
    assert again == once
    assert not changes(once, again)


def test_it_moves_with_its_job_to_another_service():
    moved = combine(fold(record()), record(), key=b"k", tool=TOOL, job=SimpleNamespace(pk=2, service_id=4), answer=1, index=0, at=AT)
    assert moved.service_id == 4
    assert changes(fold(record()), moved)


def test_a_success_carries_no_message_and_a_failure_at_most_500_characters():
    assert fold(record(native_message="all well")).message is None
    assert len(fold(record(outcome="failed", native_message="x\x00" * 900)).message) == 500
    assert "\x00" not in fold(record(outcome="failed", native_message="x\x00")).message


def test_a_finished_run_without_outcome_is_unknown():
    assert fold(record(outcome=None)).outcome == "unknown"


_records = st.lists(
    st.builds(
        lambda state, outcome, revision, kind: record(
            state=state,
            outcome=outcome if state == "finished" else None,
            ended_at=START + MINUTE if state == "finished" else None,
            source_revision=revision,
            evidence_kind=kind,
        ),
        st.sampled_from(["queued", "running", "finished"]),
        st.sampled_from(["success", "failed", "partial"]),
        st.sampled_from([None, "1", "2", "10"]),
        st.sampled_from(["push", "artefact", "derived"]),
    ),
    min_size=1,
    max_size=5,
)


@given(_records)
def test_a_row_has_an_outcome_exactly_when_it_is_finished(records):
    row = fold(*records)
    assert (row.outcome is not None) == (row.state == "finished")


@given(_records)
def test_telling_everything_twice_changes_nothing_at_the_second_time(records):
    for one in records:
        once = fold(*records, one)
        assert combine(once, one, key=b"k", tool=TOOL, job=JOB, answer=1, index=0, at=AT + MINUTE) == once


def test_states_of_one_run_end_the_same_in_every_order():
    records = [running(state="queued"), running(exit_code=1), record(outcome="failed", native_message="disk full")]
    ends = {msgspec.json.encode(told(fold(*order))) for order in itertools.permutations(records)}
    assert len(ends) == 1


def test_a_key_begins_with_the_instant_of_creation():
    assert key_of(1, record())[:4] == int(START.timestamp()).to_bytes(4, "big")
    assert len(key_of(1, record())) == 20
    assert key_of(1, record()) != key_of(2, record())
    assert key_of(1, record(identity=("a", "bc"))) != key_of(1, record(identity=("ab", "c")))


def test_the_seal_changes_with_every_judged_field():
    row = fold(record()).sealed()
    assert row.seal == seal_of(row)
    for name, value in {"outcome": "failed", "captured_at": AT, "ended_at": AT, "started_at": AT, "occurred_at": AT, "state": "x"}.items():
        assert seal_of(msgspec.structs.replace(row, **{name: value})) != row.seal


def test_a_provisional_report_gives_way_to_what_the_tool_lists_and_does_not_come_back():
    """Barman's report warns that the log is missing; its listing says later that it has come."""
    report = record(outcome="warning", consistent_at=None, source_revision="provisional", native_message="waits for the log")
    waiting = record(evidence_kind="artefact", outcome="warning", consistent_at=None, native_message="waits for the log")
    done = record(evidence_kind="artefact", outcome="success", consistent_at=START + 9 * MINUTE)
    for order in (
        [report, waiting, done],
        [waiting, report, done],
        [report, done, report],
        [waiting, done, report],
        [report, waiting, done, report],
    ):
        row = fold(*order)
        assert (row.outcome, row.captured_at, row.message) == ("success", START + 9 * MINUTE, None)
    assert fold(report, waiting).outcome == fold(waiting, report).outcome == "warning"
    usual = record(outcome="warning", native_message="two files were skipped")
    assert fold(usual, done).outcome == fold(done, usual).outcome == "warning", "what only the report knows stays"
