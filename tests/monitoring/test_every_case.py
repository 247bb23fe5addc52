"""Every recorded case of every tool, read blindly: without what was done, under a name that says nothing. What was done is what is read."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.recordings import RECORDED, SAMPLES, blinded, cases, truth
from tests.truths import compared

TOOLS = ("restic", "borg", "borgmatic", "pgbackrest", "barman", "bacula", "alertmanager", "prometheus", "icinga2")
CASES = [(tool, case) for tool in TOOLS for case in cases(tool)]
RAN = re.compile(
    r"restic (backup|check|restore)\b|borg (create|check|extract)\b|"
    r"pgbackrest\b.* (backup|verify|check|restore)$|barman\b.* (backup|recover)\b"
)


def read(tool: str, path: Path) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("normalise", path, tool=tool, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.req("2.3")
@pytest.mark.parametrize(("tool", "case"), CASES, ids=[f"{tool}-{case.name}" for tool, case in CASES])
def test_what_was_done_is_what_is_read(tool: str, case: Path, tmp_path: Path) -> None:
    records = read(tool, blinded(case, tmp_path))
    assert not [record for record in records if "quarantined" in record]
    assert compared(tool, truth(case), records), "nothing of this case was compared"
    pushed = [record for record in records if record["evidence_kind"] == "push" and record["operation"] != "prune"]
    ran = [step for step in json.loads((case / "case.json").read_text())["steps"] or [] if RAN.match(step.get("command") or "")]
    assert len(pushed) >= len(ran), "each step that backed up, verified or restored gives a record"
    assert not [record for record in records if record["bytes_source"] == 0 and record["outcome"] == "success" and record["files_total"]]


def test_every_case_that_is_at_hand_is_among_them() -> None:
    here = SAMPLES if SAMPLES.is_dir() else RECORDED
    found = {case.parent for case in here.glob("*/*/case.json") if case.parent.parent.name in TOOLS}
    assert found <= {case for _, case in CASES}


@pytest.mark.skipif(not (SAMPLES / "aws-backup-moto").is_dir(), reason="the samples are not at hand")
def test_what_no_backup_was_made_with_gives_no_run(tmp_path: Path) -> None:
    (case,) = (SAMPLES / "aws-backup-moto").iterdir()
    assert truth(case)["outcome"] == "n/a"
    assert all(record.get("quarantined") for record in read("aws-backup", blinded(case, tmp_path)))
