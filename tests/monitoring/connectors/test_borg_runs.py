"""borg: what single reported calls mean, by exit code, output and command."""

from __future__ import annotations

import json

import pytest

from monitoring.connectors.base import Record
from monitoring.connectors.borg import Borg
from monitoring.connectors.borg_command import parse, series
from tests.recordings import START, push

ARCHIVE = "a" * 64


def said(message: str, level: str = "WARNING") -> str:
    return json.dumps({"type": "log_message", "levelname": level, "name": "borg.archiver", "message": message})


UNREADABLE = said("/srv/data/x: open: [Errno 13] Permission denied: 'x'")
GONE = said("/srv/gone: stat: [Errno 2] No such file or directory: 'gone'")


def made(**stats: int) -> str:
    told = {"original_size": 700, "compressed_size": 600, "deduplicated_size": 50, "nfiles": 7, **stats}
    return json.dumps(
        {
            "archive": {
                "id": ARCHIVE,
                "name": "db01-home-2026-07-14",
                "start": "2026-07-14T03:30:00.000000",
                "duration": 2.5,
                "stats": told,
            },
            "encryption": {"mode": "repokey"},
            "repository": {"id": "b" * 64, "location": "/srv/repo"},
        }
    )


def run(command: str = "borg create --json ::x /srv/data", code: int | None = 0, **more: object) -> Record:
    told = Borg().read(push(command, code, **more))  # type: ignore[arg-type]
    assert told.rejects == []
    (record,) = told.records
    return record


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, "success"),
        (1, "warning"),
        (2, "failed"),
        (3, "cancelled"),
        (13, "failed"),
        (30, "failed"),
        (52, "failed"),
        (73, "failed"),
        (99, "failed"),
        (100, "warning"),
        (105, "warning"),
        (107, "warning"),
        (124, "failed"),  # timeout(1) ended it
        (126, "failed"),
        (127, "failed"),  # no such program
        (130, "cancelled"),
        (143, "cancelled"),
        (137, "failed"),
        (-15, "cancelled"),
        (-9, "failed"),
        (None, "unknown"),
        (10**12, "failed"),
    ],
)
def test_it_judges_a_backup_by_its_exit_code(code: int | None, outcome: str) -> None:
    assert run(code=code).outcome == outcome


@pytest.mark.parametrize(
    ("code", "stderr", "outcome"),
    [
        (0, UNREADABLE, "warning"),
        (1, GONE, "partial"),
        (107, GONE, "partial"),
        (2, said("Got Ctrl-C / SIGINT.", "ERROR"), "cancelled"),
        (2, "Error: Got Ctrl-C / SIGINT.", "cancelled"),
        (1, "/srv/gone: [Errno 2] No such file or directory: 'gone'", "partial"),
        (1, "/srv/data/vanished: stat: [Errno 2] No such file or directory: 'vanished'", "warning"),
    ],
)
def test_it_judges_a_backup_by_what_borg_said(code: int, stderr: str, outcome: str) -> None:
    assert run("borg create --json ::x /srv/data /srv/gone", code, stdout=made(), stderr=stderr).outcome == outcome


@pytest.mark.parametrize("code", [0, 1, 107, None])
def test_it_calls_an_empty_archive_a_failure(code: int | None) -> None:
    record = run(code=code, stdout=made(nfiles=0, original_size=486))

    assert (record.outcome, record.consistent_at, record.files_total, record.bytes_source) == ("failed", None, None, None)
    assert "holds no file" in (record.native_message or "")


def test_it_calls_a_backup_failed_whose_only_source_was_missing_without_any_json() -> None:
    assert run("borg create ::x /srv/gone", 1, stderr="/srv/gone: stat: [Errno 2] No such file or directory").outcome == "failed"


def test_it_fills_the_record_from_the_json() -> None:
    record = run(stdout=made(), zone="Europe/Berlin", tool_version="1.4.5")

    assert (record.artefact_id, record.job_external_id) == (ARCHIVE, "db01:home")
    assert (record.bytes_source, record.bytes_stored, record.files_total) == (700, 50, 7)
    assert (record.encrypted, record.repository_name) == (True, "/srv/repo")
    assert record.consistent_at == START


def test_it_takes_the_start_from_the_archive_in_the_zone_of_the_sender() -> None:
    record = run(stdout=made(), zone="Europe/Berlin", started_at=None, finished_at=None)

    assert (record.started_at, record.time_quality, record.duration_s) == (START, "assumed_zone", 2.5)


@pytest.mark.parametrize("version", ["1.2.4", "1.1", "1.0.9"])
def test_it_leaves_out_a_size_that_counts_the_metadata_of_the_archive(version: str) -> None:
    assert run(stdout=made(), tool_version=version).bytes_source is None


def test_it_leaves_out_sizes_where_files_could_not_be_read() -> None:
    record = run(code=1, stdout=made(), stderr=UNREADABLE)

    assert (record.bytes_source, record.files_total, record.files_failed) == (None, None, 1)


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [("none", False), ("authenticated", False), ("authenticated-blake2", False), ("repokey", True), ("keyfile-blake2", True), (7, None)],
)
def test_it_tells_whether_others_can_read_the_data(mode: object, encrypted: bool | None) -> None:
    told = json.loads(made())
    told["encryption"]["mode"] = mode

    assert run(stdout=json.dumps(told)).encrypted is encrypted


@pytest.mark.parametrize(
    ("command", "code", "operation", "outcome", "state", "method"),
    [
        ("borg check", 0, "verify", "success", "passed", "checksum"),
        ("borg check --verify-data", 0, "verify", "success", "passed", "full_read"),
        ("borg check --archives-only", 0, "verify", "success", "passed", "metadata"),
        ("borg check", 1, "verify", "failed", "failed", "checksum"),
        ("borg check", 90, "verify", "failed", "failed", "checksum"),
        ("borg check", 2, "verify", "failed", "none", None),
        ("borg check", 73, "verify", "failed", "none", None),
        ("borg check", 130, "verify", "cancelled", "none", None),
        ("borg extract --dry-run ::x", 0, "verify", "success", "passed", "full_read"),
        ("borg extract ::x", 0, "restore", "success", "none", None),
        ("borg extract ::x", 1, "restore", "warning", "none", None),
        ("borg prune --keep-daily 7", 0, "prune", "success", "none", None),
        ("borg compact", 2, "prune", "failed", "none", None),
        ("borg create -n ::x /srv/data", 0, "other", "skipped", "none", None),
        ("borg prune --dry-run --keep-daily 7", 0, "other", "skipped", "none", None),
    ],
)
def test_it_reads_the_other_calls(command: str, code: int, operation: str, outcome: str, state: str, method: str | None) -> None:
    record = run(command, code)

    assert (record.operation, record.outcome, record.verification_state, record.verification_method) == (operation, outcome, state, method)


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("db01", "db01-home-2026-07-14", "db01:home"),
        ("db01", "db01-2026-07-14T01:30:00", "db01"),
        ("db01", "{hostname}-home-{now:%Y-%m-%dT%H:%M:%S}", "db01:home"),
        ("db01", "{fqdn}_{utcnow}", "db01"),
        ("db01", "home-20260714_0130", "db01:home"),
        ("db01", "home_20260714", "db01:home"),
        ("db01", "home-1795412267", "db01:home"),
        ("db01", "2026-07-14-home", "db01:home"),
        ("db01", "db012-home", "db01:db012-home"),
        ("db01", "", "db01"),
        (None, "wiki-2026-07-14", "wiki"),
        (None, "2026-07-14", None),
        ("db01", "release-10.2", "db01:release-10.2"),
    ],
)
def test_it_names_a_series_by_host_and_name_without_dates(host: str | None, name: str, expected: str | None) -> None:
    assert series(host, name) == expected


def test_it_gives_success_and_failure_of_a_series_the_same_job() -> None:
    good = run("borg create --json '::{hostname}-home-{now}' /home", stdout=made())
    bad = run("borg create --json '::{hostname}-home-{now}' /home", 2)

    assert good.job_external_id == bad.job_external_id == "db01:home"


@pytest.mark.parametrize(
    ("command", "verb"),
    [
        ("borg --lock-wait 5 create ::x /a", "create"),
        ("sudo -u backup /usr/bin/borg create -C zstd,3 ::x /a", "create"),
        ("sh -c 'export BORG_REPO=/r; borg create ::x /a | tee log'", "create"),
        ("/opt/borg/borg-linux64 prune -d 7 /r", "prune"),
        ("borgmatic create", None),
        ("echo borg", None),
        (None, None),
    ],
)
def test_it_finds_the_call_of_borg(command: str | None, verb: str | None) -> None:
    found = parse(command, "")

    assert (found.verb if found else None) == verb


def test_it_says_what_a_report_lacks() -> None:
    no_start = Borg().read(push("borg create ::x /a", started_at=None)).rejects[0].reason
    no_host = Borg().read(push("borg create ::x /a", host=None)).rejects[0].reason
    no_call = Borg().read(push("tar cf x")).rejects[0].reason

    assert "started_at" in no_start
    assert "job_external_id" in no_host
    assert "No borg call" in no_call
