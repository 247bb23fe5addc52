"""What scripts and other systems send: every element of a body becomes one record or one reason."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path

import pytest

from monitoring.connectors.base import Answer, Record, Step
from monitoring.connectors.push import Push
from monitoring.connectors.push_bodies import MAX_RECORDS, NoJson, TooMany, elements

GOOD = {
    "external_id": "2026-07-14",
    "job_external_id": "db01:payroll",
    "outcome": "success",
    "started_at": "2026-07-14T01:30:00Z",
    "ended_at": "2026-07-14T01:42:00Z",
}
AT = "2026-07-14T02:00:00Z"
RECORDED = Path(__file__).parents[2] / "recorded"


def read(body, content_type="application/json", **meta):
    text = body if isinstance(body, str) else json.dumps(body)
    answer = Answer(kind="api", steps=[Step(name="body", stdout=text)], meta={"content_type": content_type, "received_at": AT, **meta})
    return Push().read(answer)


def one(body, **kwargs) -> Record:
    result = read(body, **kwargs)
    assert not result.rejects, result.rejects
    assert len(result.records) == 1
    return result.records[0]


def reason(body, **kwargs) -> str:
    result = read(body, **kwargs)
    assert not result.records
    return result.rejects[0].reason


def test_it_reads_a_canonical_record_with_the_times_in_utc():
    record = one([{**GOOD, "started_at": "2026-07-14T03:30:00+02:00", "bytes_source": 2**63 - 1}])
    assert record.started_at == dt.datetime(2026, 7, 14, 1, 30, tzinfo=dt.UTC)
    assert record.started_at.tzinfo is dt.UTC
    assert record.bytes_source == 2**63 - 1
    assert (record.evidence_kind, record.operation, record.state) == ("push", "backup", "finished")


def test_it_derives_what_a_sender_may_leave_out():
    record = one(GOOD)
    assert record.identity == ("db01:payroll", "2026-07-14")
    assert record.created_at == record.consistent_at == record.started_at


def test_it_keeps_what_the_sender_gives_for_the_key():
    record = one({**GOOD, "identity": ["a", "b"], "created_at": "2026-07-13T00:00:00Z"})
    assert record.identity == ("a", "b")
    assert record.created_at == dt.datetime(2026, 7, 13, tzinfo=dt.UTC)


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/plain"])
def test_it_reads_json_lines_and_loses_only_the_damaged_line(content_type):
    lines = [json.dumps({**GOOD, "external_id": str(n)}) for n in range(3)]
    lines[1] = lines[1][:40]
    result = read("\n".join(lines) + "\n\n", content_type=content_type)
    assert [record.external_id for record in result.records] == ["0", "2"]
    assert [reject.index for reject in result.rejects] == [1]
    assert "no JSON" in result.rejects[0].reason


@pytest.mark.parametrize(
    "damage",
    ['{"external_id": "\\ud800"}', '{"a": }', "[" * 50_000 + "]" * 50_000, '{"a": "\x00"}', '{"external_id": "x", "job_external'],
    ids=["lone surrogate", "syntax", "deeply nested", "NUL byte", "cut off"],
)
def test_it_loses_only_the_damaged_element_of_an_array(damage):
    good = json.dumps({**GOOD, "native_message": 'brackets ]}{[ and "quotes\\" , commas'})
    result = read(f"[{good},{good},{damage}")
    assert len(result.records) == 2
    assert [reject.index for reject in result.rejects] == [2]


@pytest.mark.parametrize("body", ["", "  ", "<html>", "hello", "[" * 100_000, '{"a": ' * 100_000, '{"external_id": "x"', "\x00\x01"])
def test_it_refuses_a_body_that_is_no_json_at_all(body):
    with pytest.raises(NoJson, match="Nothing was stored"):
        elements(body)
    assert "Nothing was stored" in reason(body)


def test_it_refuses_more_records_than_one_call_may_bring():
    assert len(elements("[" + ",".join(["1"] * MAX_RECORDS) + "]")) == MAX_RECORDS
    for body in ("[" + ",".join(["1"] * (MAX_RECORDS + 1)) + "]", "[" + ",1" * (MAX_RECORDS + 1), "1\n" * (MAX_RECORDS + 1)):
        with pytest.raises(TooMany, match="5,000"):
            elements(body)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": "great"}, "outcome must be one of success, warning, partial, failed, cancelled, missed, skipped, unknown, not great"),
        ({"outcome": None}, "outcome is missing"),
        ({"state": "running"}, "has no outcome yet"),
        ({"state": "lost"}, "state must be one of"),
        ({"started_at": "2026-07-14T01:30:00"}, "started_at has no zone"),
        ({"started_at": "yesterday"}, "started_at is no date and time: yesterday"),
        ({"started_at": 1784000000}, "started_at is no date and time"),
        ({"ended_at": "0001-01-01T00:00:00Z"}, "ended_at is 0001-01-01"),
        ({"ended_at": "0001-01-01T00:00:00+14:00"}, "ended_at is 0001-01-01"),
        ({"ended_at": "9999-12-31T23:59:59-14:00"}, "ended_at is 9999-12-31"),
        ({"ended_at": "2026-07-14T01:00:00Z"}, "ended_at is before started_at"),
        ({"started_at": None, "ended_at": None}, "No time at all"),
        ({"bytes_stored": -1}, "bytes_stored does not fit"),
        ({"bytes_stored": 2**63}, "bytes_stored does not fit"),
        ({"bytes_stored": 10**400}, "bytes_stored does not fit"),
        ({"bytes_stored": "12"}, "bytes_stored does not fit"),
        ({"bytes_stored": 1.5}, "bytes_stored does not fit"),
        ({"bytes_stored": True}, "bytes_stored does not fit"),
        ({"duration_s": -9223372036.85}, "duration_s does not fit"),
        ({"exit_code": 2**31}, "exit_code does not fit"),
        ({"encrypted": "yes"}, "encrypted does not fit"),
        ({"external_id": ""}, "external_id is empty."),
        ({"external_id": "x" * 201}, "external_id has 201 characters, which is more than fit."),
        ({"external_id": 7}, "external_id does not fit"),
        ({"external_id": "a\x00b"}, "external_id contains a NUL character"),
        ({"identity": ["a\x00b"]}, "identity contains a NUL character"),
        ({"byte_source": 1}, "byte_source is no field of a record (did you mean bytes_source?)"),
        ({"$.`": 1}, "is no field of a record"),
    ],
)
def test_it_says_what_is_wrong_with_a_record(change, words):
    assert words in reason({**GOOD, **change})


def test_it_names_every_wrong_field_of_a_record():
    told = reason({**GOOD, "outcome": "great", "bytes_stored": -1, "job_external_id": None})
    assert "outcome must" in told
    assert "bytes_stored does" in told
    assert "job_external_id" in told


@pytest.mark.parametrize("missing", ["external_id", "job_external_id"])
def test_it_says_which_required_field_is_missing(missing):
    assert reason({name: value for name, value in GOOD.items() if name != missing}) == f"{missing} is missing."


@pytest.mark.parametrize("element", ["1", "null", '"text"', "[]", "true", "1e999"])
def test_it_refuses_elements_that_are_no_objects(element):
    result = read(f"[{json.dumps(GOOD)},{element}]")
    assert len(result.records) == 1
    assert result.rejects[0].index == 1


def test_it_takes_other_words_for_the_same_and_ignores_what_the_product_computes_itself():
    record = one({**GOOD, "outcome": "failure", "idempotency_key": "ab", "first_seen_at": None, "raw": {"deep": [1]}, "source_id": 3})
    assert record.outcome == "failed"
    running = one({**GOOD, "outcome": None, "state": "paused", "ended_at": None})
    assert running.state == "running"


def test_it_takes_nul_characters_out_of_messages():
    assert one({**GOOD, "native_message": "a\x00b"}).native_message == "a\ufffdb"


def test_it_shortens_long_messages():
    assert len(one({**GOOD, "native_message": "é" * 200_000}).native_message.encode()) <= 64 * 1024


def test_it_keeps_runs_from_a_clock_that_is_ahead_and_says_so():
    result = read({**GOOD, "started_at": "2026-07-14T06:50:00Z", "ended_at": "2026-07-14T07:00:00Z"})
    assert result.records[0].outcome == "success"
    assert "5 h ahead" in result.problems[0]
    assert read(GOOD).problems == []


def test_it_says_when_a_good_backup_makes_no_restore_point():
    result = read({**GOOD, "started_at": None})
    assert result.records[0].consistent_at is None
    assert "consistent_at" in result.problems[0]


# ---- CloudEvents

EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/db01/cron",
    "type": "org.itsm-backup.run.finished.v1",
    "time": "2026-07-14T01:43:00Z",
}


def test_it_reads_a_structured_cloud_event_whose_source_and_id_are_the_identity():
    record = one({**EVENT, "data": GOOD, "traceparent": "ignored"}, content_type="application/cloudevents+json; charset=utf-8")
    assert record.identity == ("/db01/cron", "e-1")
    assert record.external_id == "2026-07-14"


def test_it_reads_a_batch_of_cloud_events_and_fills_from_the_envelope():
    data = {name: value for name, value in GOOD.items() if name not in ("external_id", "job_external_id")}
    coded = base64.b64encode(json.dumps(GOOD).encode()).decode()
    result = read(
        [{**EVENT, "subject": "db01:wiki", "data": data}, {**EVENT, "id": "e-2", "data_base64": coded}],
        content_type="application/cloudevents-batch+json",
    )
    assert not result.rejects
    first, second = result.records
    assert (first.external_id, first.job_external_id) == ("e-1", "db01:wiki")
    assert first.created_at == dt.datetime(2026, 7, 14, 1, 43, tzinfo=dt.UTC)
    assert second.identity == ("/db01/cron", "e-2")


def test_it_reads_a_binary_cloud_event_from_the_headers():
    record = one(GOOD, **{f"ce-{name}": value for name, value in EVENT.items()})
    assert record.identity == ("/db01/cron", "e-1")


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT, "specversion": "0.3", "data": GOOD},
        {**EVENT, "id": "", "data": GOOD},
        {**EVENT, "source": None, "data": GOOD},
        {**EVENT},
        {**EVENT, "data": "text"},
        {**EVENT, "data_base64": "%%%"},
        {**EVENT, "data": {**GOOD, "outcome": "great"}},
        {**EVENT, "time": "2026-07-14T01:43:00", "data": GOOD},
    ],
)
def test_it_refuses_what_is_no_cloud_event(event):
    assert reason(event, content_type="application/cloudevents+json")


def test_it_refuses_binary_events_without_the_required_headers():
    assert "CloudEvent" in reason(GOOD, **{"ce-specversion": "1.0"})


# ---- reports of wrappers

REPORT = {
    "tool": "restic",
    "command": "restic -r /srv/repo backup --json /srv/data",
    "exit_code": 1,
    "stderr": "Fatal: unable to open repository at /srv/repo: no such file",
    "started_at": "2026-07-14T01:30:00Z",
    "finished_at": "2026-07-14T01:30:02Z",
    "host": "db01",
}


def test_it_gives_the_report_of_a_wrapper_to_the_connector_of_its_tool():
    record = one(REPORT)
    assert (record.outcome, record.exit_code, record.evidence_kind, record.target_name) == ("failed", 1, "push", "db01")
    assert "unable to open repository" in record.native_message


def test_it_takes_the_job_that_a_report_names_and_accepts_a_cloud_event_around_it():
    assert one({**REPORT, "job_external_id": "payroll"}).job_external_id == "payroll"
    assert one({**EVENT, "data": REPORT}).identity == ("/db01/cron", "e-1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tool": "tar"}, "tool is tar, whose output cannot be read"),
        ({"tool": 3}, "does not fit"),
        ({"command": "restic snapshots"}, "is not one run"),
        ({"command": "ls"}, "No restic call"),
        ({"command": None}, "does not fit"),
        ({"exit": 0}, "unknown field"),
        ({"started_at": "2026-07-14T01:30:00"}, "has no zone"),
        ({"started_at": "0001-01-01T00:00:00Z"}, "started_at is no date and time"),
        ({"started_at": "2026-07-14T01:30:00", "zone": "Mars/North"}, "started_at is no date and time"),
    ],
)
def test_it_says_why_a_report_cannot_be_read(change, words):
    assert words in reason({**REPORT, **change})


def test_it_takes_local_times_of_a_report_that_says_its_zone():
    record = one({**REPORT, "started_at": "2026-07-14T03:30:00", "finished_at": "2026-07-14T03:31:00", "zone": "Europe/Berlin"})
    assert record.started_at == dt.datetime(2026, 7, 14, 1, 30, tzinfo=dt.UTC)


def test_it_reads_nothing_from_an_empty_batch():
    result = read("[]")
    assert not result.records
    assert not result.rejects


@pytest.mark.parametrize(
    ("tool", "command", "code", "expected"),
    [
        ("borg", "borg create ::wiki-{now} /srv/wiki", 105, ("backup", "warning", "wiki01:wiki")),
        ("borg", "borg check", 1, ("verify", "failed", "wiki01:check")),
        ("borgmatic", "borgmatic --verbosity 1", 1, ("backup", "failed", "wiki01")),
        ("pgbackrest", "pgbackrest --stanza=wiki backup", 50, ("backup", "failed", "wiki")),
        ("barman", "barman backup wiki", 1, ("backup", "failed", "wiki")),
    ],
)
def test_it_reads_the_report_of_every_polled_tool(tool: str, command: str, code: int, expected: tuple[str, str, str]) -> None:
    report = {"tool": tool, "command": command, "exit_code": code, "started_at": "2026-07-14T01:30:00Z", "host": "wiki01"}
    told = Push().read(Answer(kind="api", steps=[Step(name="body", stdout=json.dumps(report))]))

    assert told.rejects == []
    assert [(record.operation, record.outcome, record.job_external_id) for record in told.records] == [expected]


# ---- restore tests


def restore_report(**more):
    """A real restore by restic 0.18, as a wrapper reports it."""
    folder = RECORDED / "restic" / "0.18-restore"
    step = json.loads((folder / "case.json").read_text())["steps"][0]
    told = {name: step[name] for name in ("command", "exit_code", "started_at", "finished_at")}
    return {"tool": "restic", "tool_version": "0.18.0", "host": "db01", "stdout": (folder / step["stdout"]).read_text(), **told, **more}


def test_a_restore_is_a_test_only_when_its_wrapper_says_so():
    plain = one(restore_report())
    assert (plain.operation, plain.verification_state) == ("restore", "none")
    test = one(restore_report(restore_test="full", verified=True))
    assert (test.operation, test.level, test.outcome, test.verification_state) == ("restore_test", "full", "success", "passed")
    assert test.bytes_source == 1_598_631
    sample = one(restore_report(restore_test="sample", verified=False))
    assert (sample.level, sample.verification_state) == ("unknown", "failed")


def test_what_restores_nothing_is_no_restore_test():
    (reject,) = read(restore_report(command="restic check", stdout="no errors were found", restore_test="full")).rejects
    assert "restores nothing" in reject.reason
