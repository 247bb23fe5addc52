"""restic runs: how a report of one call is judged."""

from __future__ import annotations

import datetime as dt

import pytest

from monitoring.connectors.base import Answer, Record, Step
from monitoring.connectors.restic import Restic
from tests.recordings import START, push

SUMMARY = (
    '{"message_type":"summary","data_added":900,"data_added_packed":800,"total_files_processed":29,"total_bytes_processed":1500,'
    '"total_duration":12.5,"backup_start":"2026-07-14T01:30:01.5Z","backup_end":"2026-07-14T01:31:14Z","snapshot_id":"%s"}'
)
FULL_ID = "eb6b7a5e8f02b00e1c8dae61cc77c5457885fa1c84af45d34a02318507c34b36"
GOOD = SUMMARY % FULL_ID
STATUS = '{"message_type":"status","percent_done":1,"total_bytes":10,"bytes_done":10}\n'
BACKUP = "restic backup --json /srv/data/app"


def only(answer: Answer) -> Record:
    told = Restic().read(answer)
    assert told.rejects == []
    (record,) = told.records
    return record


@pytest.mark.parametrize(
    ("exit_code", "stdout", "stderr", "outcome"),
    [
        (0, GOOD, None, "success"),
        (0, None, None, "success"),
        (0, GOOD, "/srv/data/gone does not exist, skipping", "partial"),
        (3, GOOD, '{"message_type":"exit_error","code":3,"message":"Warning: at least one source file could not be read"}', "warning"),
        (3, GOOD, "/srv/data/gone does not exist, skipping\nWarning: at least one source file could not be read", "partial"),
        (0, GOOD, '{"message_type":"error","error":{"message":"open x: denied"},"during":"archival","item":"x"}', "warning"),
        (1, GOOD, "Fatal: unable to remove lock", "failed"),
        (0, STATUS, '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}', "failed"),
        (0, STATUS, "Fatal: unable to save snapshot: no space left on device", "failed"),
        (0, STATUS, None, "unknown"),
        (None, None, None, "unknown"),
        (None, GOOD, None, "success"),
        (0, SUMMARY % "", None, "skipped"),
        (0, "processed 29 files, 1 MiB in 0:00\nskipped creating snapshot\n", None, "skipped"),
        (0, SUMMARY % "../../etc", None, "unknown"),
        (130, STATUS, "signal interrupt received, cleaning up", "cancelled"),
        (143, STATUS, None, "cancelled"),
        (-15, STATUS, None, "cancelled"),
        (1, STATUS, "\x1b[2Ksignal terminated received, cleaning up\nFatal: unable to save snapshot: context canceled", "cancelled"),
        (137, STATUS, None, "failed"),
        (-9, STATUS, None, "failed"),
        (2, None, "panic: runtime error", "failed"),
        (77, None, None, "failed"),
        (10**12, GOOD, None, "failed"),
    ],
)
def test_it_judges_a_backup(exit_code: int | None, stdout: str | None, stderr: str | None, outcome: str) -> None:
    record = only(push(BACKUP, exit_code, stdout=stdout, stderr=stderr))

    assert record.operation == "backup"
    assert record.outcome == outcome


@pytest.mark.parametrize("flag", ["--dry-run", "-n", "-vn"])
def test_it_never_takes_a_dry_run_for_a_backup(flag: str) -> None:
    record = only(push(f"restic backup {flag} /srv/data/app", 0, stdout=GOOD))

    assert (record.operation, record.outcome, record.artefact_id, record.bytes_source) == ("other", "skipped", None, None)


def test_it_sees_a_dry_run_in_the_summary_alone() -> None:
    record = only(push("nightly.sh; restic backup /srv/data/app", 0, stdout=GOOD[:-1] + ',"dry_run":true}'))

    assert (record.operation, record.outcome) == ("other", "skipped")


def test_it_nulls_what_a_missing_clock_made_impossible() -> None:
    nonsense = GOOD.replace("12.5", "-9223372036.854776").replace("2026-07-14T01:31:14Z", "0001-01-01T00:00:00Z")
    record = only(push(BACKUP, 0, stdout=nonsense, finished_at=None))

    assert record.duration_s is None
    assert record.ended_at is None


@pytest.mark.parametrize("size", ["-1", "9223372036854775808", "1e400", '"many"', "true", "1.5"])
def test_it_takes_an_impossible_size_for_no_size(size: str) -> None:
    record = only(push(BACKUP, 0, stdout=GOOD.replace("1500", size)))

    assert record.outcome == "success"
    assert record.bytes_source is None


def test_it_leaves_the_size_of_the_source_open_when_files_were_unreadable() -> None:
    stderr = '{"message_type":"error","error":{"Op":"open","Path":"/a/b","Err":13},"during":"archival","item":"/a/b"}'
    record = only(push(BACKUP, 3, stdout=GOOD, stderr=stderr))

    assert (record.bytes_source, record.files_total) == (None, None)
    assert (record.bytes_read, record.files_failed) == (1500, 1)
    assert record.native_message == "open /a/b: permission denied"


def test_it_puts_the_telling_line_first() -> None:
    stderr = (
        "Save(<data/6fbba77759>) failed: write /r/data: no space left on device\nFatal: unable to save snapshot: no space left on device"
    )
    record = only(push(BACKUP, 1, stderr=stderr))

    assert record.native_message is not None
    assert record.native_message.splitlines()[0] == "Fatal: unable to save snapshot: no space left on device"
    assert record.native_status == "exit 1"


def test_it_names_series_and_run_the_same_way_each_time() -> None:
    one = only(push("restic backup /srv/b/ /srv/a", 0, stdout=GOOD))
    two = only(push("sudo -n restic -r /repo backup --tag x /srv/a /srv/b", 0, stdout=GOOD))

    assert one.job_external_id == two.job_external_id == "db01:/srv/a,/srv/b"
    assert one.identity == two.identity == ("db01:/srv/a,/srv/b", FULL_ID)
    assert one.created_at == START
    assert one.external_id == one.artefact_id == FULL_ID


def test_it_identifies_a_run_without_snapshot_by_its_start() -> None:
    record = only(push(BACKUP, 1))

    assert record.identity == ("db01:/srv/data/app", START.isoformat(), "backup")
    assert record.external_id == f"backup@{START.isoformat()}"


def test_it_lets_the_sender_name_the_job() -> None:
    assert only(push(BACKUP, 0, job_external_id="webshop nightly")).job_external_id == "webshop nightly"


def test_it_takes_the_start_from_the_summary_when_the_sender_tells_none() -> None:
    record = only(push(BACKUP, 0, stdout=GOOD, started_at=None, finished_at=None))

    assert record.started_at == dt.datetime(2026, 7, 14, 1, 30, 1, 500000, tzinfo=dt.UTC)
    assert record.ended_at == dt.datetime(2026, 7, 14, 1, 31, 14, tzinfo=dt.UTC)


@pytest.mark.parametrize("started_at", [None, dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, tzinfo=dt.UTC)])
def test_it_refuses_a_run_without_a_start_and_names_the_field(started_at: dt.datetime | None) -> None:
    told = Restic().read(push(BACKUP, 1, started_at=started_at))

    assert told.records == []
    assert "started_at" in told.rejects[0].reason


def test_it_applies_the_zone_to_a_time_without_one() -> None:
    record = only(push(BACKUP, 0, started_at=dt.datetime(2026, 7, 14, 3, 30), finished_at=None, zone="Europe/Berlin"))

    assert record.started_at == START
    assert record.time_quality == "assumed_zone"


def test_it_drops_an_end_before_the_start() -> None:
    record = only(push(BACKUP, 1, finished_at=START - dt.timedelta(hours=5)))

    assert (record.ended_at, record.duration_s) == (None, None)


def test_it_refuses_a_run_of_an_unknown_job() -> None:
    told = Restic().read(push(BACKUP, 1, host=None))

    assert "host" in told.rejects[0].reason


def test_it_refuses_a_command_that_is_not_restic() -> None:
    told = Restic().read(push("rsync -a /srv /mnt", 0))

    assert told.records == []
    assert "restic backup" in told.rejects[0].reason


def test_it_masks_the_password_of_a_repository() -> None:
    record = only(push("restic -r rest:https://user:hunter22@nas03/app backup /srv/data/app", 0))

    assert record.repository_name == "rest:https://user:<secret>@nas03/app"


@pytest.mark.parametrize(
    ("command", "exit_code", "stderr", "outcome", "state", "method"),
    [
        ("restic check", 0, None, "success", "passed", "metadata"),
        ("restic check --read-data", 0, None, "success", "passed", "full_read"),
        ("restic check --read-data-subset=1/7", 0, None, "success", "passed", "checksum"),
        ("restic check", 1, "Fatal: repository contains errors", "failed", "failed", "metadata"),
        ("restic check", 12, "Fatal: wrong password or no key found", "failed", "none", None),
        ("restic check", 1, "unable to create lock in backend: repository is already locked by PID 1", "failed", "none", None),
        ("restic check", 130, None, "cancelled", "none", None),
    ],
)
def test_it_tells_a_bad_repository_from_a_check_that_could_not_run(
    command: str, exit_code: int, stderr: str | None, outcome: str, state: str, method: str | None
) -> None:
    record = only(push(command, exit_code, stderr=stderr))

    assert (record.operation, record.outcome) == ("verify", outcome)
    assert (record.verification_state, record.verification_method) == (state, method)


def test_it_counts_errors_of_a_check_even_when_the_exit_code_was_lost() -> None:
    summary = '{"message_type":"summary","num_errors":2,"broken_packs":null,"suggest_repair_index":false,"suggest_prune":false}'
    record = only(push("restic check --json", 0, stdout=summary))

    assert (record.outcome, record.verification_state, record.errors_count) == ("failed", "failed", 2)


def test_it_reads_a_restore_without_counting_folders_as_files() -> None:
    summary = '{"message_type":"summary","total_files":39,"files_restored":39,"total_bytes":1598631,"bytes_restored":1598630}'
    record = only(push("restic restore latest --target /x", 0, stdout=summary))

    assert (record.operation, record.outcome, record.files_total) == ("restore", "success", None)
    assert (record.bytes_source, record.bytes_transferred) == (1598631, 1598630)


def test_it_gives_each_maintenance_of_a_repository_its_own_series() -> None:
    record = only(push("restic forget -r /srv/repo --keep-daily 7 --prune", 0))

    assert (record.operation, record.job_external_id) == ("prune", "db01:forget /srv/repo")


def test_it_knows_when_a_repository_is_not_protected() -> None:
    assert only(push(BACKUP, 0)).encrypted is True
    assert only(push(f"{BACKUP} --insecure-no-password", 0)).encrypted is False
    assert only(push(BACKUP, 1)).encrypted is None


def test_it_reads_several_calls_of_one_report() -> None:
    steps = [
        Step(name=name, command=command, exit_code=code, started_at=START + dt.timedelta(minutes=minute))
        for minute, (name, command, code) in enumerate(
            [("a", "restic unlock", 0), ("b", BACKUP, 0), ("c", "restic check", 1), ("d", "restic stats --json", 0)]
        )
    ]
    told = Restic().read(Answer(kind="push", steps=steps, host="db01"))

    assert [(record.operation, record.outcome) for record in told.records] == [("backup", "success"), ("verify", "failed")]
    assert told.job_ids == ["db01:/srv/data/app", "db01:check"]


def test_it_reads_plain_text_without_taking_rounded_sizes() -> None:
    text = (
        "using parent snapshot 8f1a7102\r\n\x1b[2K[0:00] 1 files, 0 B, 0 errors\nFiles:           0 new,     0 changed,    28 unmodified\n"
        "Added to the repository: 1.2 KiB   (800 B   stored)\n\nprocessed 28 files, 1.408 MiB in 0:00\nsnapshot 9e04f69d saved\n"
    )
    record = only(push("restic backup /srv/data/app", 0, stdout=text))

    assert (record.outcome, record.artefact_id, record.files_total) == ("success", "9e04f69d", 28)
    assert (record.bytes_source, record.bytes_stored) == (None, None)


def test_it_sees_a_dry_run_in_plain_text() -> None:
    text = "Files: 1 new\nWould add to the repository: 0 B   (0 B   stored)\n\nprocessed 1 files, 3 B in 0:00\n"

    assert only(push("/opt/restic backup /srv/data/app", 0, stdout=text)).outcome == "skipped"


def test_it_takes_a_rehearsed_cleaning_for_none() -> None:
    record = only(push("restic forget --keep-last 3 --dry-run", 0))

    assert (record.operation, record.outcome) == ("other", "skipped")
