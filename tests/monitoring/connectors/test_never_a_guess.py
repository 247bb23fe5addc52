"""What a program did not say, its reader does not tell: no success that the exit code denies, and no figure that is not in the text."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.connectors import CONNECTORS
from monitoring.connectors.base import Answer, Reading, Record, Step
from tests.monitoring.connectors.test_robustness import INSTANTS, mutated, swapped
from tests.monitoring.connectors.test_robustness_of_programs import COMMANDS, QUICK, outputs

BEGUN = dt.datetime(2026, 7, 14, 1, 30, tzinfo=dt.UTC)
RUNS = {"restic": ["restic backup --json /a", "restic check", "restic restore latest"], **COMMANDS}
USABLE = {"restic": {0, 3}, "borg": {0, 1, *range(100, 128)}, "borgmatic": {0}, "pgbackrest": {0}, "barman": {0}}
FIGURES = [name for name in Record.__struct_fields__ if name.startswith(("bytes_", "files_"))]
CODES = st.one_of(st.sampled_from([0, 1, 2, 3, 10, 11, 12, 25, 50, 55, 100, 105, 130, 137, 143, 255]), st.integers(-20, 300))
TOOLS = pytest.mark.parametrize("tool", RUNS)


def texts(tool: str) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), mutated(), swapped()) if tool == "restic" else outputs(tool)


def read(tool: str, command: str | None, exit_code: int | None, stdout: str | None, stderr: str | None, begun: object = BEGUN) -> Reading:
    step = Step(name="run", command=command, exit_code=exit_code, started_at=begun, stdout=stdout, stderr=stderr)  # type: ignore[arg-type]
    return CONNECTORS[tool].read(Answer(kind="push", steps=[step], host="db01"))


def runs(told: Reading) -> list[Record]:
    return [record for record in told.records if record.evidence_kind == "push"]


@TOOLS
def test_no_run_went_well_whose_exit_code_says_otherwise(tool: str) -> None:
    @QUICK
    @given(st.sampled_from(RUNS[tool]), CODES, texts(tool), texts(tool), INSTANTS)
    def try_one(command: str | None, code: int, stdout: str | None, stderr: str | None, begun: dt.datetime | None) -> None:
        for run in runs(read(tool, command, code, stdout, stderr, begun)):
            if code not in USABLE[tool]:
                assert run.outcome not in ("success", "warning", "partial") and run.consistent_at is None, run

    try_one()


@TOOLS
def test_a_program_that_said_nothing_gives_no_figure(tool: str) -> None:
    @QUICK
    @given(st.sampled_from(RUNS[tool]), CODES, st.sampled_from([None, "", "\n", "{}", "[]", "nothing to tell"]))
    def try_one(command: str | None, code: int, text: str | None) -> None:
        for record in read(tool, command, code, text, text).records:
            assert [getattr(record, name) for name in FIGURES] == [None] * len(FIGURES), record

    try_one()


@TOOLS
def test_every_figure_stands_in_the_text(tool: str) -> None:
    """Bytes and counts of JSON are told as they stand there; texts round, and are told by nobody as bytes."""

    @QUICK
    @given(st.sampled_from(RUNS[tool]), CODES, texts(tool), texts(tool))
    def try_one(command: str | None, code: int, stdout: str | None, stderr: str | None) -> None:
        numbers = set(re.findall(r"\d+", f"{stdout} {stderr}"))
        for record in read(tool, command, code, stdout, stderr).records:
            for name in FIGURES:
                value = getattr(record, name)
                if value is None or value == 0 or _counted(tool, name):
                    continue
                assert str(value) in numbers, (name, value)

    try_one()


def _counted(tool: str, name: str) -> bool:
    """Files that could not be read are counted from the messages, one each."""
    return name == "files_failed"


@TOOLS
def test_a_run_whose_end_is_unknown_is_no_success(tool: str) -> None:
    for command in filter(None, RUNS[tool]):
        for run in runs(read(tool, command, None, None, None)):
            assert run.outcome in (None, "unknown", "failed"), (command, run.outcome)
