"""Bacula: recorded catalogues, and what the rows of one mean."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.connectors.bacula import PAGE, Bacula
from monitoring.connectors.base import Answer, Reading, Record, Step
from monitoring.normalising_files import normalised
from tests.monitoring.connectors.test_robustness import check
from tests.monitoring.connectors.test_robustness_of_programs import change
from tests.recordings import RECORDED, START, blinded, cases, truth

BACULA = RECORDED / "bacula"
EXPECTED = {"success": "success", "warning": "warning", "failure": "failed", "canceled": "cancelled"}
EXPECTED |= {"restore_ok": "success", "verify_ok": "success", "verify_failed": "failed"}
ROWS = [json.loads(line) for line in (BACULA / "catalog-mixed/catalog/job.jsonl").read_text().splitlines()]


@pytest.mark.tested("recorded", "bacula")
@pytest.mark.parametrize("case", cases("bacula"), ids=lambda case: case.name)
def test_it_reads_a_recorded_catalogue_as_what_happened(case: Path, tmp_path: Path) -> None:
    records, told = list(normalised("bacula", blinded(case, tmp_path))), truth(case)

    assert not [record for record in records if "quarantined" in record]
    found = {record["external_id"]: record for record in records}
    wanted = told["jobs"] or []
    assert len(found) == (len(wanted) if wanted else 0)
    for job in wanted:
        record = found[str(job["jobid"])]
        if job["jobid"] == told.get("running_jobid"):
            assert (record["state"], record["outcome"], record["ended_at"], record["bytes_stored"]) == ("running", None, None, None)
            continue
        assert (record["job_external_id"], record["outcome"]) == (job["name"], EXPECTED[job["expected"]])
        before = dt.datetime.fromisoformat(job.get("finished_before", "2100-01-01T00:00:00Z"))
        assert dt.datetime.fromisoformat(record["ended_at"]) <= before or job["expected"] == "canceled"
        assert record["outcome"] == "success" or record["native_message"]


@pytest.mark.parametrize("file", ["job.csv", "job.jsonl"])
def test_it_reads_one_saved_table(file: str) -> None:
    lines = list(normalised("bacula", BACULA / "catalog-mixed/catalog" / file, zone="Europe/Berlin"))

    assert [line["outcome"] for line in lines][:3] == ["success", "success", "warning"]
    assert lines[0]["started_at"] == "2026-11-23T04:46:26Z"


def row(**more: Any) -> dict[str, Any]:
    times = dict.fromkeys(("schedtime", "starttime", "endtime", "realendtime"), "2026-07-14T03:30:00")
    told = {"jobid": 7, "job": "nightly.2026-07-14_03.30.00_01", "name": "nightly", "type": "B", "level": "I", "jobstatus": "T", **times}
    return {**told, "jobfiles": 3, "jobbytes": 70, "readbytes": 90, "joberrors": 0, "client": "db01-fd", **more}


def poll(*rows: Any, zone: str = "Europe/Berlin", **meta: str) -> Reading:
    steps = [Step(name="latest", exit_code=0, stdout="{}"), Step(name="jobs", exit_code=0, stdout="\n".join(map(json.dumps, rows)))]
    return Bacula().read(Answer(kind="poll", steps=steps, zone=zone, meta={"ended": "yes", **meta}))


def one(**more: Any) -> Record:
    told = poll(row(**more))
    assert told.rejects == []
    (record,) = told.records
    return record


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("T", "success"),
        ("W", "warning"),
        ("e", "warning"),
        ("E", "failed"),
        ("f", "failed"),
        ("I", "failed"),
        ("D", "failed"),
        ("A", "cancelled"),
        ("x", "unknown"),
        (None, "unknown"),
        ("TT", "unknown"),
        ({}, "unknown"),
    ],
)
def test_it_judges_by_the_status(status: Any, outcome: str) -> None:
    record = one(jobstatus=status)

    assert (record.state, record.outcome) == ("finished", outcome)
    assert (record.consistent_at == START) == (outcome in ("success", "warning"))


@pytest.mark.parametrize(("status", "state"), [("R", "running"), ("l", "running"), ("i", "running"), ("C", "queued"), ("m", "queued")])
def test_it_waits_for_what_has_not_ended(status: str, state: str) -> None:
    record = one(jobstatus=status, endtime=None, realendtime=None, jobfiles=0)

    assert (record.state, record.outcome, record.files_total, record.bytes_stored) == (state, None, None, None)


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"joberrors": 1}, "warning"),
        ({"jobfiles": 0, "jobbytes": 0}, "success"),  # nothing new since the last backup
        ({"level": "F", "jobfiles": 0, "jobbytes": 0}, "failed"),
        ({"level": "F", "type": "R", "jobfiles": 0}, "success"),
    ],
)
def test_it_looks_behind_a_good_status(more: dict[str, Any], outcome: str) -> None:
    assert one(**more).outcome == outcome


@pytest.mark.parametrize(
    ("more", "operation"),
    [
        ({"type": "C"}, "copy"),
        ({"type": "B", "priorjobid": 3}, "copy"),  # where a migrated job's data are now
        ({"type": "M"}, "backup"),
        ({"type": "R"}, "restore"),
        ({"type": "V", "level": "A"}, "verify"),
        ({"type": "D"}, "other"),
    ],
)
def test_it_tells_kinds_of_jobs_apart(more: dict[str, Any], operation: str) -> None:
    record = one(**more)

    assert record.operation == operation
    assert record.verification_state == ("passed" if operation == "verify" else "none")


def test_it_leaves_out_what_the_director_does_by_itself() -> None:
    assert poll(row(type="I")).records == []


def test_it_reads_numbers_told_as_text() -> None:
    record = one(jobid="7", jobbytes="70", readbytes="90", joberrors="1")

    assert (record.external_id, record.bytes_stored, record.bytes_read, record.outcome) == ("7", 70, 90, "warning")


def test_it_keeps_the_identity_when_the_zone_is_corrected() -> None:
    before, after = poll(row(), zone="UTC").records[0], poll(row()).records[0]

    assert (before.identity, before.created_at) == (after.identity, after.created_at)
    assert (before.started_at, after.started_at) != (after.started_at, before.started_at)


def test_it_tells_the_two_hours_of_a_night_in_autumn_apart() -> None:
    times = dict.fromkeys(("schedtime", "starttime", "endtime", "realendtime"), "2026-10-25T02:30:00")
    first = one(**times, jobtdate=1792888200)  # 00:30 UTC
    second = one(**times, jobtdate=1792891800)

    assert (first.ended_at and first.ended_at.hour, second.ended_at and second.ended_at.hour) == (0, 1)


def test_it_says_when_the_zone_cannot_be_right() -> None:
    at = int(START.timestamp())

    assert poll(row(jobtdate=at)).complete
    wrong = poll(row(jobtdate=at), zone="UTC")
    assert not wrong.complete
    assert "120 minutes off from UTC" in wrong.problems[0]


@pytest.mark.parametrize("bad", [{}, row(job=None), row(schedtime=None, starttime=None), row(jobid=-1), row(schedtime="x", starttime=5)])
def test_it_keeps_the_good_beside_the_bad(bad: dict[str, Any]) -> None:
    told = poll(bad, row(jobid=8))

    assert ([record.external_id for record in told.records], len(told.rejects), told.complete) == (["8"], 1, False)


class Catalogue:
    """Stands where the database would be: answers as it would about its jobs."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows, self.asked = list(rows), list[Any]()
        self.fails, self.held = "", list[Any]()

    def __call__(self, name: str, statement: str, given: Any) -> Step:
        if name == self.fails:
            return Step(name=name, stderr="The database bacula on x cannot be reached.")
        found: list[Any] = []
        if name == "latest":
            found = [{"jobid": max((each["jobid"] for each in self.rows), default=None)}]
            found[0]["job"] = next((each["job"] for each in self.rows if each["jobid"] == given["after"]), None)
        elif name == "jobs":
            self.asked.append((given["after"], given["open"]))
            found = [each for each in self.rows if each["jobid"] > given["after"] or each["jobid"] in given["open"]][:PAGE]
        elif name == "held":
            found = self.held
        return Step(name=name, exit_code=0, stdout="\n".join(map(json.dumps, found)))


def ask(catalogue: Catalogue, cursor: dict[str, Any]) -> Reading:
    return Bacula().read(Bacula().ask(settings={"zone": "Europe/Berlin"}, secrets={}, query=catalogue, cursor=cursor))


def test_it_goes_on_behind_the_last_job_and_asks_again_for_what_was_open() -> None:
    catalogue = Catalogue(row(jobid=1, jobstatus="R"), row(jobid=2))
    first = ask(catalogue, {})
    catalogue.rows[0]["jobstatus"] = "T"
    catalogue.rows.append(row(jobid=3))
    second = ask(catalogue, first.cursor)
    third = ask(catalogue, second.cursor)
    catalogue.fails = "jobs"
    failed = ask(catalogue, third.cursor)

    assert catalogue.asked == [(0, []), (2, [1]), (3, [])]
    assert [[record.external_id for record in each.records] for each in (first, second, third)] == [["1", "2"], ["1", "3"], []]
    assert third.complete
    assert third.cursor == second.cursor
    assert (failed.complete, failed.cursor) == (False, {})  # so the place is kept
    assert "cannot be reached" in failed.problems[0]


@pytest.mark.parametrize("rows", [[row(jobid=1)], [row(jobid=9, job="another.2026-07-14_03.30.00_01")], []])
def test_it_reads_a_catalogue_that_was_made_anew_from_its_beginning(rows: list[dict[str, Any]]) -> None:
    catalogue = Catalogue(*rows)
    told = ask(catalogue, {"after": 9, "job": row()["job"], "open": [4]})

    assert catalogue.asked == [(0, [])]
    assert told.complete


def test_it_reads_page_by_page() -> None:
    catalogue = Catalogue(*(row(jobid=number) for number in range(1, 2 * PAGE + 2)))
    told = ask(catalogue, {})

    assert (len(told.records), told.complete, told.cursor["after"]) == (2 * PAGE + 1, True, 2 * PAGE + 1)


@pytest.mark.parametrize(
    ("held", "stretches"),
    [
        ([{"first": 1, "last": 4}, {"first": 6, "last": 6}], [(1, 4), (6, 6)]),
        ([], []),
        ([{"first": 4, "last": 1}], None),
        ([{"first": None, "last": 1}], None),
        (["x"], None),
        ([{"first": 1}], None),
    ],
)
def test_it_knows_what_is_held_only_when_all_of_it_can_be_read(held: list[Any], stretches: list[tuple[int, int]] | None) -> None:
    catalogue = Catalogue(row(jobid=7))
    catalogue.held = held
    told = ask(catalogue, {"after": 9, "job": "of a catalogue that was"}).held

    assert (told and told.stretches) == stretches
    assert told is None or told.until == 9


def test_it_says_that_reports_of_commands_are_not_its_way() -> None:
    told = Bacula().read(Answer(kind="push", steps=[Step(name="run", command="bconsole")]))

    assert "catalogue" in told.rejects[0].reason


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(["poll", "push"]),
    st.sampled_from(["UTC", "Europe/Berlin", "x", ""]),
    st.text(max_size=80),
)
def test_it_never_raises(source: Any, kind: Any, zone: str, text: str) -> None:
    rows = [json.dumps(change(source.choice(ROWS), source)) for _ in range(source.randrange(4))]
    logs = json.dumps({"jobid": change(1, source), "logtext": change(text, source)})
    steps = [
        Step(name="jobs", exit_code=0, stdout="\n".join([*rows, text])),
        Step(name="logs", exit_code=source.choice([0, None]), stdout=logs),
        Step(name="held", exit_code=0, stdout=json.dumps(change({"first": 1, "last": 3}, source))),
    ]
    check(Bacula().read(Answer(kind=kind, steps=steps, zone=zone, meta={"after": text[:3]})))
