"""Barman: recorded cases, what single reports, checks and listings mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.connectors.barman import Barman
from monitoring.connectors.base import Answer, Reading, Record, Step
from monitoring.normalising_files import normalised
from tests.recordings import RECORDED, START, assert_agrees, blinded, cases, push, truth

BARMAN = RECORDED / "barman"
WAITING = "WARNING: IMPORTANT: this backup is classified as WAITING_FOR_WALS, meaning that …\n"
BEGUN = "Starting backup using postgres method for server main in /srv/barman/main/base/20260714T033000\n"
DONE = "Backup completed (start time: 2026-07-14 03:30:00.000000, elapsed time: 2 seconds)\n"


@pytest.mark.tested("recorded", "barman")
@pytest.mark.parametrize("case", cases("barman"), ids=lambda case: case.name)
def test_it_reads_a_recorded_case_as_what_happened(case: Path, tmp_path: Path) -> None:
    records, told = list(normalised("barman", blinded(case, tmp_path))), truth(case)

    if told["outcome"] == "success":  # or a warning, while the log of the backup is waited for
        assert {each["outcome"] for each in records if each["operation"] == "backup"} <= {"success", "warning"}
    else:
        assert_agrees(case, records)
    if "backups" in told:
        listed = {each["artefact_id"] for each in records if each["evidence_kind"] == "artefact"}
        assert len(listed) == told["backups"]
    if "down" in told:
        failing = {each["target_name"] for each in records if each["outcome"] == "failed"}
        assert failing == set(told["down"])


def test_it_pairs_a_report_with_its_backup() -> None:
    records = list(normalised("barman", BARMAN / "3.19-interrupted-sigint-b"))
    reported, listed = records[0], records[1]

    assert (reported["evidence_kind"], listed["evidence_kind"]) == ("push", "artefact")
    assert reported["artefact_id"] == listed["artefact_id"] == "20261123T065441@hrdb"
    assert listed["started_at"] == "2026-11-23T05:54:41Z"  # the id is the local time of that machine


def run(command: str = "barman backup main", code: int | None = 0, stdout: str = BEGUN + DONE, **more: Any) -> Record:
    told = Barman().read(push(command, code, stdout=stdout, **more))
    assert told.rejects == []
    (record,) = told.records
    return record


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "outcome"),
    [
        (0, BEGUN + DONE, "", "success"),
        (0, BEGUN + DONE, WAITING, "warning"),
        (1, BEGUN, "ERROR: Backup failed copying files.\nDETAILS: KeyboardInterrupt", "cancelled"),
        (1, BEGUN, "ERROR: Backup failed copying files.", "failed"),
        (1, "", "ERROR: Impossible to start the backup. Check the log for more details", "failed"),
        (-9, BEGUN, "", "failed"),
        (143, BEGUN, "", "cancelled"),
        (None, BEGUN + DONE, "", "success"),
        (None, BEGUN, "ERROR: no space left", "failed"),
        (None, BEGUN, "", "unknown"),
        (1, json.dumps({"_ERROR": ["Impossible to start the backup."]}), "", "failed"),
    ],
)
def test_it_judges_a_backup(code: int | None, stdout: str, stderr: str, outcome: str) -> None:
    record = run(code=code, stdout=stdout, stderr=stderr)

    assert (record.job_external_id, record.outcome) == ("main", outcome)
    assert (record.consistent_at is not None) == (outcome == "success")  # what waits for its log is no point to restore to yet


def test_it_knows_the_backup_of_a_folder_with_spaces() -> None:
    assert run(stdout=BEGUN.replace("/srv/barman/", "/srv/our backups/") + DONE).artefact_id == run().artefact_id is not None


def test_it_tells_the_servers_of_one_call_apart() -> None:
    other = BEGUN.replace("main", "other")
    told = Barman().read(push("barman backup all", 1, stdout=BEGUN + DONE + other, stderr="ERROR: Backup failed copying files."))

    assert [(record.job_external_id, record.outcome) for record in told.records] == [("main", "success"), ("other", "failed")]


def test_it_says_what_a_report_lacks() -> None:
    nameless = Barman().read(push("barman backup all", 1, stdout=""))
    timeless = Barman().read(push("barman backup main", 1, stdout="", started_at=None))
    other = Barman().read(push("ls -l", 0, stdout=""))

    assert "with its server" in nameless.rejects[0].reason
    assert "started_at" in timeless.rejects[0].reason
    assert "barman backup main" in other.rejects[0].reason


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ({"postgresql": "OK"}, "success"),
        ({"postgresql": "FAILED", "minimum_redundancy_requirements": "OK"}, "failed"),
        ({"postgresql": "OK", "minimum_redundancy_requirements": "FAILED"}, "warning"),  # right after the first backup
    ],
)
def test_it_reads_checks(checks: dict[str, str], outcome: str) -> None:
    told = {"main": {name: {"status": status, "hint": "said"} for name, status in checks.items()}}
    record = run("barman -f json check main", 1, json.dumps(told))

    assert (record.job_external_id, record.operation, record.outcome) == ("main:check", "verify", outcome)
    assert record.verification_state == "none"  # it says nothing about any copy


def test_it_reads_checks_for_people() -> None:
    said = "Server main:\n\tPostgreSQL: OK\n\tdirectories: OK\nServer other:\n\tPostgreSQL: FAILED (no answer)\n"
    told = Barman().read(push("barman check all", 1, stdout=said))

    assert [(each.target_name, each.outcome, each.native_message) for each in told.records] == [
        ("main", "success", None),
        ("other", "failed", "PostgreSQL: no answer"),
    ]


@pytest.mark.parametrize(
    ("command", "operation", "state"),
    [
        ("barman recover main latest /srv/restore", "restore", "none"),
        ("barman verify-backup main 20260714T033000", "verify", "passed"),
        ("barman -q check-backup main 20260714T033000", "verify", "passed"),
        ("sudo -u barman barman delete main oldest", "prune", "none"),
    ],
)
def test_it_reads_the_other_calls(command: str, operation: str, state: str) -> None:
    record = run(command, 0, "")

    assert (record.operation, record.outcome, record.verification_state) == (operation, "success", state)


def listing(*backups: Any, zone: str = "UTC", **more: Any) -> Reading:
    step = Step(name="list-backup", command="barman -f json list-backup all", exit_code=0, stdout=json.dumps({"main": backups, **more}))
    return Barman().read(Answer(kind="poll", steps=[step], zone=zone))


def backup(backup_id: str = "20260714T033000", status: str = "DONE", **more: Any) -> dict[str, Any]:
    return {"backup_id": backup_id, "status": status, **more}


def test_it_knows_which_backups_were_abandoned() -> None:
    told = listing(backup("20260716T033000", "STARTED"), backup("20260715T033000", "STARTED"), backup("20260714T033000", "FAILED"))

    assert [(record.state, record.outcome) for record in told.records] == [
        ("running", None),
        ("finished", "failed"),
        ("finished", "failed"),
    ]
    assert "never finished" in (told.records[1].native_message or "")


def test_it_takes_the_start_from_the_id_and_the_end_from_the_epoch() -> None:
    (record,) = listing(backup(end_time_timestamp=str(int(START.timestamp()) + 90)), zone="Europe/Berlin").records

    assert (record.started_at, record.duration_s, record.time_quality) == (START, 90.0, "assumed_zone")
    assert record.consistent_at == record.ended_at


@pytest.mark.parametrize("bad", [backup("latest"), backup("20261399T999999"), "x", None, {"status": "DONE"}])
def test_it_keeps_the_good_beside_the_bad(bad: Any) -> None:
    told = listing(bad, backup())

    assert (len(told.records), len(told.rejects), told.complete) == (1, 1, False)


@pytest.mark.parametrize(("status", "outcome"), [("SOMETHING", "unknown"), (None, "unknown"), ({}, "unknown"), ("DONE", "success")])
def test_it_never_guesses_a_status(status: Any, outcome: str) -> None:
    assert listing(backup(status=status)).records[0].outcome == outcome


def test_it_says_what_is_wrong_with_barman() -> None:
    failed = Step(name="list-backup", command="barman list-backup all", exit_code=1, stderr="ERROR: Unknown server 'x'")
    told = [
        Barman().read(Answer(kind="poll", steps=[failed])),
        listing(_ERROR=["disk is full"]),
        Barman().read(Answer(kind="poll", steps=[])),
    ]

    assert not any(each.complete for each in told)
    assert ["Unknown server" in told[0].problems[0], "disk is full" in told[1].problems[0]] == [True, True]


class Program:
    """Stands where Barman would be: its list and what it shows of each backup."""

    def __init__(self, *ids: str) -> None:
        self.ids, self.shown = ids, list[str]()

    def __call__(self, name: str, argv: list[str], **how: Any) -> Step:
        said: Any = "3.4.0 Barman by EnterpriseDB"
        listed = {each: backup(each, end_time_timestamp="1784000000") for each in self.ids}
        if name == "list-backup":
            said = json.dumps({"main": list(listed.values())})
        elif name == "show-backup":
            self.shown.append(argv[-1])
            part = {"base_backup_information": {"backup_size_bytes": 700, "encryption": None, "end_time_timestamp": "1784000000"}}
            said = json.dumps({"main": listed[argv[-1]] | part})
        return Step(name=name, command=" ".join(argv), exit_code=0, stdout=said)


def test_it_shows_each_backup_once() -> None:
    ids = [f"202607{day:02}T033000" for day in range(25, 0, -1)]
    program, cursor, told = Program(*ids), dict[str, Any](), list[Reading]()
    for _ in range(4):
        told.append(Barman().read(Barman().ask(settings={}, secrets={}, run=program, cursor=cursor)))
        cursor = told[-1].cursor

    assert program.shown == ids  # the newest first, ten at a time
    assert [sum(1 for record in each.records if record.bytes_stored == 700) for each in told] == [10, 10, 5, 0]
    assert all(each.complete and len(each.records) == 25 for each in told)
    fewer = Barman().read(Barman().ask(settings={}, secrets={}, run=Program(ids[0]), cursor=cursor))
    assert fewer.cursor == {"shown": [f"{ids[0]}@main"]}


@pytest.mark.parametrize(("name", "value"), [("config", "barman.conf"), ("server", "-x"), ("server", "a b")])
def test_it_is_not_started_with_settings_that_cannot_be_right(name: str, value: str) -> None:
    def runs(name: str, argv: list[str], **how: object) -> Step:
        raise AssertionError(f"{argv} must not run")

    told = Barman().read(Barman().ask(settings={name: value}, secrets={}, run=runs, cursor={}))

    assert "not started" in told.problems[0]
