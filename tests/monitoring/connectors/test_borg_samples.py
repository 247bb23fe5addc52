"""borg: every recorded case is read as what was really done to the data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitoring.normalising_files import normalised
from tests.recordings import RECORDED, assert_agrees, blinded, cases, truth

BORG = RECORDED / "borg"
RUNS = re.compile(r"borg (?:--lock-wait 1 )?(create|check|extract|prune)\b")


@pytest.mark.tested("recorded", "borg")
@pytest.mark.parametrize("case", cases("borg"), ids=lambda case: case.name)
def test_it_reads_a_recorded_case_as_what_happened(case: Path, tmp_path: Path) -> None:
    records = list(normalised("borg", blinded(case, tmp_path)))

    assert_agrees(case, records)
    runs = [record for record in records if record["evidence_kind"] != "artefact"]
    steps = json.loads((case / "case.json").read_text())["steps"]
    assert len(runs) == len([step for step in steps if RUNS.match(step["command"])])
    told = truth(case)
    if "archives" in told or "kept" in told:
        assert len(records) - len(runs) == told.get("archives", told.get("kept"))


def test_it_tells_sizes_as_far_as_they_are_those_of_the_source() -> None:
    (new,) = normalised("borg", BORG / "1.4-create-incremental")
    (old,) = normalised("borg", BORG / "1.2-create-incremental")

    assert (new["bytes_source"], new["files_total"], new["encrypted"]) == (1467079, 24, True)
    assert (old["bytes_source"], old["files_total"], old["bytes_stored"]) == (None, 24, 110344)


def test_it_turns_local_times_into_utc() -> None:
    records = list(normalised("borg", BORG / "1.2-list-long-gap-unencrypted"))
    artefacts = [record for record in records if record["evidence_kind"] == "artefact"]

    assert [record["started_at"].removesuffix("Z") for record in artefacts] == truth(BORG / "1.2-list-long-gap-unencrypted")[
        "timestamps_given"
    ]
    assert {record["time_quality"] for record in artefacts} == {"assumed_zone"}
    assert {record["encrypted"] for record in artefacts} == {False}
    assert {record["job_external_id"] for record in records} == {"files01:db"}


def test_it_calls_an_archive_without_files_failed_wherever_it_stands() -> None:
    records = list(normalised("borg", BORG / "1.2-source-missing"))
    gone = [record for record in records if record["job_external_id"] == "files01:gone"]

    assert [(record["evidence_kind"], record["outcome"], record["consistent_at"]) for record in gone] == [
        ("push", "failed", None),
        ("artefact", "failed", None),
    ]


@pytest.mark.parametrize(
    ("file", "count", "first"),
    [
        (
            "1.4-create-incremental/create.stdout.json",
            1,
            {"operation": "backup", "outcome": "success", "started_at": "2026-11-23T06:37:43Z"},
        ),
        ("1.2-source-missing/create.stdout.json", 1, {"outcome": "failed"}),
        ("1.2-prune/list.stdout.json", 4, {"evidence_kind": "artefact", "job_external_id": "db"}),
        (
            "1.4-list-long-gap-unencrypted/info-last.stdout.json",
            2,
            {"evidence_kind": "artefact", "bytes_source": 1474779, "files_total": 25},
        ),
        ("1.4-list-long-gap-unencrypted/info-repo.stdout.json", 0, {}),
        ("1.4-check-corrupted/check.stderr.txt", 1, {"quarantined": True}),
    ],
)
def test_it_reads_one_raw_output(file: str, count: int, first: dict) -> None:
    lines = list(normalised("borg", BORG / file))

    assert len(lines) == count
    assert not lines or first.items() <= lines[0].items()
