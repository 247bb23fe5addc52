"""pgBackRest: recorded cases, what single reports and listings mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.connectors.base import Answer, Reading, Record, Step
from monitoring.connectors.pgbackrest import PgBackRest
from monitoring.normalising_files import normalised
from tests.recordings import RECORDED, START, assert_agrees, blinded, cases, push, truth

PGBACKREST = RECORDED / "pgbackrest"
BEGUN = "2026-07-14 03:30:00.000 P00   INFO: backup command begin 2.45: --stanza=main\n"


@pytest.mark.tested("recorded", "pgbackrest")
@pytest.mark.parametrize("case", cases("pgbackrest"), ids=lambda case: case.name)
def test_it_reads_a_recorded_case_as_what_happened(case: Path, tmp_path: Path) -> None:
    records = list(normalised("pgbackrest", blinded(case, tmp_path)))

    assert_agrees(case, records)
    told = truth(case)
    if "backups" in told:
        assert len([record for record in records if record["evidence_kind"] == "artefact"]) == told["backups"]


def test_it_tells_the_figures_of_each_backup_in_each_repository() -> None:
    records = [each for each in normalised("pgbackrest", PGBACKREST / "2.45-two-repos") if each["evidence_kind"] == "artefact"]

    assert [(record["repository_name"], record["level"], record["encrypted"]) for record in records] == [
        ("repo1", "full", False),
        ("repo1", "differential", False),
        ("repo1", "incremental", False),
        ("repo2", "full", True),
    ]
    assert (records[1]["bytes_source"], records[1]["bytes_read"], records[1]["bytes_stored"]) == (26097340, 3686666, 1284176)
    assert (records[0]["started_at"], records[0]["consistent_at"]) == ("2026-11-23T05:38:53Z", "2026-11-23T05:38:58Z")


def test_it_never_takes_one_backup_for_another_that_builds_on_it() -> None:
    records = [each for each in normalised("pgbackrest", PGBACKREST / "2.45-two-repos") if each["evidence_kind"] == "artefact"]
    ids = [record["artefact_id"] for record in records]

    assert not [(one, two) for one in ids for two in ids if one != two and two.startswith(one)]


def test_it_pairs_a_report_with_its_backup() -> None:
    records = list(normalised("pgbackrest", PGBACKREST / "2.45-backup-diff-incr"))
    reported = {record["artefact_id"] for record in records if record["evidence_kind"] == "push"}

    assert len(reported) == 2
    assert reported < {record["artefact_id"] for record in records if record["evidence_kind"] == "artefact"}
    assert {record["job_external_id"] for record in records} == {"shop"}


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("2.45-two-repos/info.stdout.json", 4),
        ("2.45-backup-full-first/backup.stdout.txt", 1),
        ("2.45-no-stanza-yet/info-all.stdout.json", 0),
        ("2.45-wrong-cipher-pass-b/info.stdout.txt", 0),
    ],
)
def test_it_reads_one_raw_output(file: str, count: int) -> None:
    lines = list(normalised("pgbackrest", PGBACKREST / file, zone="Europe/Berlin"))

    assert len(lines) == count
    assert not [line for line in lines if "quarantined" in line]


def run(command: str = "pgbackrest --stanza=main backup", code: int | None = 0, stdout: str = "", **more: Any) -> Record:
    told = PgBackRest().read(push(command, code, stdout=stdout, **more))
    assert told.rejects == []
    (record,) = told.records
    return record


@pytest.mark.parametrize(
    ("code", "stdout", "outcome"),
    [
        (0, "", "success"),
        (50, "", "failed"),
        (125, "", "failed"),
        (63, "", "cancelled"),
        (130, "", "cancelled"),
        (-9, "", "failed"),
        (None, "", "unknown"),
        (None, BEGUN, "unknown"),
        (None, "2026-07-14 03:31:00.000 P00   INFO: backup command end: completed successfully (1ms)", "success"),
        (None, "2026-07-14 03:31:00.000 P00   INFO: backup command end: aborted with exception [064]", "failed"),
        (0, "2026-07-14 03:31:00.000 P00   INFO: backup command end: aborted with exception [064]", "failed"),  # behind a pipe
        (0, "WARN: invalid page checksum found in file base/1/1 at page 0", "warning"),
        (0, "WARN: no prior backup exists, incr backup has been changed to full", "success"),
    ],
)
def test_it_judges_a_backup(code: int | None, stdout: str, outcome: str) -> None:
    assert run(code=code, stdout=stdout).outcome == outcome


@pytest.mark.parametrize(
    ("stdout", "outcome", "state"),
    [
        ("P00   INFO: x\n2026-07-14 03:31:00.000 P00   INFO: verify command end: completed successfully (1ms)", "success", "passed"),
        ("stanza: main\nstatus: ok\n", "success", "passed"),
        ("stanza: main\nstatus: error\n", "failed", "failed"),
        ("2026-07-14 03:31:00.000 P01   INFO: invalid checksum 'x'", "failed", "failed"),
        ("status: ok\n  missing: 1, checksum invalid: 0", "failed", "failed"),
        ("", "unknown", "none"),
    ],
)
def test_it_believes_what_verify_prints_and_not_its_exit_code(stdout: str, outcome: str, state: str) -> None:
    record = run("pgbackrest --stanza=main verify", 0, stdout)

    assert (record.operation, record.outcome, record.verification_state) == ("verify", outcome, state)


@pytest.mark.parametrize(
    ("command", "operation", "outcome"),
    [
        ("pgbackrest restore --stanza=main", "restore", "success"),
        ("pgbackrest check --stanza=main", "verify", "success"),
        ("pgbackrest --stanza=main expire", "prune", "success"),
        ("pgbackrest --stanza=main expire --dry-run", "other", "skipped"),
        ("pgbackrest --stanza=main archive-push pg_wal/1", "log_backup", "success"),
        ("sudo -u postgres pgbackrest --stanza main --type full backup", "backup", "success"),
    ],
)
def test_it_reads_the_other_calls(command: str, operation: str, outcome: str) -> None:
    record = run(command)

    assert (record.operation, record.outcome) == (operation, outcome)
    assert (record.verification_state, record.verification_method) == ("none", None)


def test_it_takes_the_start_from_the_log_in_the_zone_of_the_sender() -> None:
    assert run(stdout=BEGUN, zone="Europe/Berlin", started_at=None, finished_at=None).started_at == START


def test_it_keeps_what_belongs_to_a_message_together() -> None:
    said = "2026-07-14 03:31:00.000 P00  ERROR: [050]: unable to acquire lock\n                      HINT: is another running?\n"

    assert run(code=50, stdout=said).native_message == "[050]: unable to acquire lock HINT: is another running?"


def backup(**more: Any) -> dict[str, Any]:
    told = {
        "label": "20260714-013000F",
        "type": "full",
        "database": {"id": 1, "repo-key": 1},
        "timestamp": {"start": 1783992600, "stop": 1783992700},
    }
    return {**told, "info": {"size": 700, "delta": 700, "repository": {"delta": 50}}, "error": False, **more}


def stanza(*backups: Any, code: int = 0, repo_code: int = 0, name: Any = "main") -> dict[str, Any]:
    status = {"code": code, "message": "said"}
    repo = {"key": 1, "cipher": "none", "status": {"code": repo_code, "message": "said of the repository"}}
    return {"name": name, "backup": list(backups), "repo": [repo], "status": status}


def poll(*stanzas: Any) -> Reading:
    step = Step(name="info", command="pgbackrest info --output=json", exit_code=0, stdout=json.dumps(stanzas))
    return PgBackRest().read(Answer(kind="poll", steps=[step]))


@pytest.mark.parametrize(
    ("code", "repo_code", "complete"),
    [(0, 0, True), (2, 2, True), (4, 2, True), (1, 1, False), (3, 3, False), (5, 5, False), (4, 3, False), (99, 99, False), (6, 0, False)],
)
def test_it_is_complete_when_every_repository_could_be_read(code: int, repo_code: int, complete: bool) -> None:
    told = poll(stanza(code=code, repo_code=repo_code))

    assert (told.complete, told.job_ids) == (complete, ["main"])
    assert bool(told.problems) is not complete


def test_it_says_when_there_is_no_stanza() -> None:
    assert "stanza-create" in poll().problems[0]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        {},
        backup(label=None),
        backup(label=" "),
        backup(timestamp={"start": "soon", "stop": 1}),
        backup(timestamp={"start": 10**20, "stop": 10**20}),
        backup(timestamp={"start": 5, "stop": 9}),
        backup(timestamp={"start": 1783992700, "stop": 1783992600}),
        backup(database={"id": 1, "repo-key": "x"}),
    ],
)
def test_it_loses_only_what_it_cannot_read(bad: Any) -> None:
    told = poll(stanza(bad, backup()))

    assert (len(told.records), len(told.rejects), told.complete) == (1, 1, False)


def test_it_reads_what_block_incremental_and_checksum_errors_look_like() -> None:
    (record,) = poll(stanza(backup(error=True, info={"size": 700, "delta": 50, "repository": {"delta": 9, "delta-map": 12}}))).records

    assert (record.outcome, record.bytes_stored, record.bytes_source) == ("warning", 9, 700)


@pytest.mark.parametrize(("name", "value"), [("config", "x.conf"), ("stanza", "--repo"), ("stanza", "a b"), ("config", "--x=/y")])
def test_it_hands_over_no_option_in_disguise(name: str, value: str) -> None:
    def run(name: str, argv: list[str], **how: object) -> Step:
        raise AssertionError(f"{argv} must not run")

    told = PgBackRest().read(PgBackRest().ask(settings={name: value}, secrets={}, run=run, cursor={}))

    assert "not started" in told.problems[0]
