"""restic: every recorded case is read as what was really done to the data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring.normalising_files import normalised
from tests.recordings import RECORDED, blinded, cases, truth

ALLOWED = {
    "success": {"success"},
    "warning": {"warning", "partial"},
    "failure": {"failed"},
    "interrupted": {"cancelled", "failed"},
    "verify_ok": {"success"},
    "restore_ok": {"success"},
    "success_no_snapshot": {"skipped"},
}
OPERATION = {"verify_ok": "verify", "verify_failed": "verify", "restore_ok": "restore"}
RUNS = re.compile(r"restic (backup|check|restore)\b")


@pytest.mark.tested("recorded", "restic")
@pytest.mark.parametrize("case", cases("restic"), ids=lambda case: case.name)
def test_it_reads_a_recorded_case_as_what_happened(case: Path, tmp_path: Path) -> None:
    records = list(normalised("restic", blinded(case, tmp_path)))

    assert not [record for record in records if "quarantined" in record]
    runs = [record for record in records if record["evidence_kind"] != "artefact"]
    _agrees(case, runs)
    _covers(case, records, runs)


def _agrees(case: Path, runs: list[dict]) -> None:
    told = truth(case)
    wanted, operation = told["outcome"], OPERATION.get(told["outcome"], "backup")
    of_operation = [run for run in runs if run["operation"] == operation] or runs
    if wanted == "no_backup":
        assert not [run for run in runs if run["operation"] == "backup" and run["outcome"] == "success"]
        return
    if wanted == "verify_failed":
        assert [run for run in of_operation if run["outcome"] == "failed"]
        return
    if not of_operation:
        return  # statistics: no run to judge
    last = of_operation[-1]
    assert last["outcome"] in ALLOWED[wanted]
    for field, key in (("bytes_source", "bytes"), ("files_total", "files"), ("encrypted", "encrypted")):
        assert key not in told or last[field] in (told[key], None)


def _covers(case: Path, records: list[dict], runs: list[dict]) -> None:
    import json

    steps = json.loads((case / "case.json").read_text())["steps"]
    ran = [step for step in steps if RUNS.match(step["command"])]
    assert len([run for run in runs if run["operation"] != "prune"]) == len(ran)
    told = truth(case)
    if "snapshots" in told or "kept" in told:
        assert len(records) - len(runs) == told.get("snapshots", told.get("kept"))


def test_it_tells_sizes_wherever_a_finished_backup_told_them() -> None:
    (record,) = normalised("restic", RECORDED / "restic" / "0.18-backup-incremental")

    assert (record["bytes_source"], record["files_total"], record["bytes_stored"]) == (1598631, 29, 239693)
    assert record["started_at"] == "2026-11-23T05:31:23.654000Z"
    assert record["consistent_at"] == "2026-11-23T05:31:23.671405Z"
    assert record["encrypted"] is True


def test_it_takes_the_days_of_a_history_from_the_nominal_times() -> None:
    case = RECORDED / "restic" / "0.18-snapshots-long-gap"
    days = [record["started_at"][:10] for record in normalised("restic", case) if record["evidence_kind"] == "artefact"]

    assert days == truth(case)["snapshot_days"]


def test_it_turns_local_times_into_utc() -> None:
    records = list(normalised("restic", RECORDED / "restic" / "0.14-forget-keep-b"))
    times = [record["started_at"] for record in records if record["evidence_kind"] == "artefact"]

    assert times[0] == "2026-10-12T23:30:00Z"  # 01:30 in summer
    assert times[-1] == "2026-11-02T00:30:00Z"  # 01:30 in winter
