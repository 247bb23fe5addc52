"""The normalise command: recorded answers in, one line for each record out, whatever the files hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from monitoring.connectors.base import Record
from tests.recordings import READABLE_KEYS, RECORDED

RESTIC = RECORDED / "restic"
ROOT = RECORDED.parents[1]


def run(path: Path, *, tool: str = "restic", **options: str) -> list[dict]:
    out = StringIO()
    call_command("normalise", path, tool=tool, stdout=out, **options)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def case(folder: Path, **content: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "case.json").write_text(json.dumps(content))
    return folder


def test_it_prints_the_canonical_fields() -> None:
    (line,) = run(RESTIC / "0.18-backup-incremental")

    assert set(Record.__struct_fields__) - {"identity", "created_at"} <= set(line)
    assert line["source_id"] is None
    assert len(line["idempotency_key"]) == 64
    assert line["outcome"] == "success"


def test_it_uses_nothing_but_what_may_be_used(tmp_path: Path) -> None:
    original = RESTIC / "0.18-backup-warning-unreadable"
    told = json.loads((original / "case.json").read_text())
    only = case(tmp_path / "q", **{key: told[key] for key in READABLE_KEYS})
    for file in original.glob("*.std*"):
        (only / file.name).write_bytes(file.read_bytes())

    assert run(only) == run(original)


def test_it_needs_neither_database_nor_settings() -> None:
    env = {"PATH": os.environ["PATH"], "ITSM_BACKUP_OFFLINE": "1", "DJANGO_SETTINGS_MODULE": "itsm_backup.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "django", "normalise", "--tool", "restic", str(RESTIC / "0.14-check-good")],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["operation"] for line in done.stdout.splitlines()] == ["verify", "verify"]


@pytest.mark.parametrize(
    ("file", "count", "first"),
    [
        ("0.18-backup-incremental/backup.stdout.json", 1, {"operation": "backup", "outcome": "success", "bytes_source": 1598631}),
        ("0.18-skip-if-unchanged/b2.stdout.json", 1, {"operation": "backup", "outcome": "skipped"}),
        ("0.18-dry-run/backup.stdout.json", 1, {"operation": "other", "outcome": "skipped"}),
        ("0.14-forget-keep/snapshots.stdout.json", 4, {"evidence_kind": "artefact", "job_external_id": "db01:/srv/data/app"}),
        ("0.18-snapshots-long-gap/snapshots-grouped.stdout.json", 10, {"evidence_kind": "artefact"}),
        ("0.18-interrupted-sigint/snapshots.stdout.json", 0, {}),
        ("0.18-stats/stats-raw-data.stdout.json", 0, {}),
        ("0.14-backup-full-first/backup.stdout.jsonl", 1, {"quarantined": True}),
        ("0.14-wrong-password/backup.stderr.txt", 1, {"quarantined": True}),
    ],
)
def test_it_reads_one_raw_output(file: str, count: int, first: dict) -> None:
    lines = run(RESTIC / file)

    assert len(lines) == count
    if lines:
        assert first.items() <= lines[0].items()


def test_it_says_which_time_a_raw_output_lacks() -> None:
    (line,) = run(RESTIC / "0.14-backup-full-first" / "backup.stdout.jsonl")

    assert "started_at" in line["reason"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n",
        b"\x7fELF\x00\x01\xff\xfe",
        b"[{",
        b'{"a":',
        b"\x00" * 50,
        b"[" * 100_000,
        b'[{"id": 1e999, "time": 5, "hostname": "\\u0000"}]',
        b"hello",
        b'"text"',
        b"9" * 400,
        b'{"message_type":"summary"',
        b'[{"hostname":"x","paths":["/"],"id":"zz","time":"0001-01-01T00:00:00Z"}]',
    ],
)
@pytest.mark.parametrize("tool", ["restic", "borg", "borgmatic", "pgbackrest", "barman", "bacula", "alertmanager", "ping"])
def test_it_quarantines_garbage(content: bytes, tool: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    lines = run(file, tool=tool)

    assert lines
    assert all(line["quarantined"] and line["reason"] for line in lines)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"steps": None},
        {"steps": "x"},
        {"steps": [{"name": "b", "command": "restic backup /a", "exit_code": 0, "started_at": "0001-01-01T00:00:00Z"}], "host": "h"},
        {"steps": [{"name": 5, "command": ["restic"], "exit_code": "0", "started_at": 7, "stdout": 9, "env": []}], "host": 5, "tz": 7},
        {"steps": [{"name": "snapshots", "command": "restic snapshots --json", "exit_code": 0, "stdout": "gone.json"}], "host": "h"},
        {"steps": [{"name": "snapshots", "command": "restic snapshots", "exit_code": 0, "stdout": "../../../etc/passwd"}], "host": "h"},
        {"steps": [1, None]},
    ],
)
def test_it_quarantines_what_a_broken_case_holds(content: dict, tmp_path: Path) -> None:
    lines = run(case(tmp_path / "x", **content))

    assert lines
    assert all(line["quarantined"] for line in lines)
    assert "root:" not in json.dumps(lines)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_it_quarantines_a_case_file_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(text)

    assert all(line["quarantined"] for line in run(tmp_path))


def test_it_keeps_the_good_steps_of_a_case_beside_a_bad_one(tmp_path: Path) -> None:
    good = {"name": "b", "command": "restic backup /a", "exit_code": 0, "started_at": "2026-07-14T01:30:00Z"}
    lines = run(case(tmp_path / "x", host="h", steps=[{**good, "started_at": "soon"}, good]))

    assert [line.get("outcome", "quarantined") for line in lines] == ["success", "quarantined"]


def test_it_applies_the_zone_of_the_case_and_of_the_option(tmp_path: Path) -> None:
    listing = [{"id": "a" * 64, "time": "2026-07-14T03:30:00", "hostname": "h", "paths": ["/a"]}]
    step = {"name": "s", "command": "restic snapshots --json", "exit_code": 0, "stdout": "s.json"}
    folder = case(tmp_path / "x", host="h", tz="Europe/Berlin", steps=[step])
    (folder / "s.json").write_text(json.dumps(listing))

    assert [(line["started_at"], line["time_quality"]) for line in run(folder)] == [("2026-07-14T01:30:00Z", "assumed_zone")]
    assert run(folder, zone="America/New_York")[0]["started_at"] == "2026-07-14T07:30:00Z"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": Path("/no/such/case"), "tool": "restic"}, "/no/such/case"),
        ({"path": Path("a\0b"), "tool": "restic"}, "cannot be read"),
        ({"path": RESTIC / "0.14-stats", "tool": "punchcards"}, "Tools: "),
        ({"path": RESTIC / "0.14-stats", "tool": "restic", "zone": "Mars/Olympus"}, "Mars/Olympus"),
    ],
)
def test_it_says_in_a_sentence_what_is_wrong_with_the_call(arguments: dict, said: str) -> None:
    path = arguments.pop("path")
    with pytest.raises(CommandError, match=said) as raised:
        run(path, **arguments)

    assert raised.value.returncode == 2


def test_it_reads_captured_pings_from_a_folder_or_a_file() -> None:
    folder = RECORDED / "borgmatic" / "2.1-send-logs"

    assert [line["state"] for line in run(folder, tool="ping")] == ["running", "finished"]
    assert run(folder / "http", tool="ping") == run(folder, tool="ping")
    (alone,) = run(folder / "http" / "003-post.json", tool="ping")
    assert (alone["state"], alone["started_at"], alone["ended_at"]) == ("finished", None, "2026-11-23T06:10:07.387263Z")
