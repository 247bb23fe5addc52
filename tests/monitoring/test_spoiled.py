"""Recorded answers as wrappers spoil them on the way: what still says all is read alike, what says less is never read as more."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from monitoring.normalising_files import normalised
from tests.recordings import READABLE_KEYS, cases

TOOLS = ("restic", "borg", "borgmatic", "pgbackrest", "barman", "bacula", "alertmanager", "prometheus", "icinga2")
FIGURES = ("bytes_source", "bytes_read", "bytes_transferred", "bytes_stored", "files_total")
TOLD = (
    "evidence_kind",
    "operation",
    "outcome",
    "state",
    "job_external_id",
    "started_at",
    "ended_at",
    "consistent_at",
    "encrypted",
    *FIGURES,
)
BEGINNING = b"Nov 23 05:31:24 db01 backup[123]: "
Case = dict[str, Any]
Spoil = Callable[[Path, Case], None]


def copied(case: Path, folder: Path) -> Case:
    shutil.copytree(case, folder, copy_function=shutil.copyfile)
    for each in (folder, *folder.rglob("*/")):
        each.chmod(0o755)
    told = json.loads((folder / "case.json").read_text())
    return {key: told[key] for key in READABLE_KEYS if key in told}


def read(tool: str, folder: Path, told: Case) -> list[dict[str, Any]]:
    (folder / "case.json").write_text(json.dumps(told))
    return list(normalised(tool, folder))


def on_files(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(folder: Path, told: Case) -> None:
        for file in folder.rglob("*"):
            if file.is_file() and file.name != "case.json":
                file.write_bytes(change(file.read_bytes()))

    return spoil


def on_steps(change: Callable[[Path, Case, int], None]) -> Spoil:
    def spoil(folder: Path, told: Case) -> None:
        for number, step in enumerate(told["steps"] or []):
            change(folder, step, number)

    return spoil


def one_stream(folder: Path, step: Case, number: int, *, errors_first: bool = False) -> None:
    """`2>&1`: what was said of errors stands before or behind the answer."""
    if not step.get("stderr"):
        return
    parts = [(folder / step[name]).read_bytes().rstrip(b"\n") for name in ("stdout", "stderr") if step.get(name)]
    (folder / f"both{number}").write_bytes(b"\n".join(parts[::-1] if errors_first else parts) + b"\n")
    step["stdout"], step["stderr"] = f"both{number}", None


def renamed(folder: Path, step: Case, number: int) -> None:
    step["name"] = f"s{number}"
    for name in ("stdout", "stderr"):
        if step.get(name):
            step[name] = (folder / step[name]).rename(folder / f"{name}{number}").name


def call(words: str) -> Spoil:
    return on_steps(lambda folder, step, number: step.update(command=f"{words} {step['command']}") if step.get("command") else None)


def all_of(*ways: Spoil) -> Spoil:
    def spoil(folder: Path, told: Case) -> None:
        for way in ways:
            way(folder, told)

    return spoil


@cache
def as_it_was(tool: str, case: Path) -> list[dict[str, Any]]:
    return list(normalised(tool, case))


def compared(way: Spoil, folder: Path) -> Iterator[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """For every recorded case its name, what is read of it, and what is read of it when it was spoiled."""
    for tool in TOOLS:
        for case in cases(tool):
            told = copied(case, folder / "x")
            way(folder / "x", told)
            yield f"{tool} {case.name}", as_it_was(tool, case), read(tool, folder / "x", told)
            shutil.rmtree(folder / "x")


ALIKE: dict[str, Spoil] = {
    "Windows": on_files(lambda raw: b"\xef\xbb\xbf" + raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")),
    "other names, another account": all_of(on_steps(renamed), call("sudo -u backup"), on_files(lambda raw: raw.rstrip(b"\n"))),
    "another language, empty lines": all_of(
        call("env LC_ALL=de_DE.UTF-8 TZ=UTC nice -n 19 ionice -c3"), on_files(lambda raw: b"\n\n" + raw + b"\n\n")
    ),
    "errors behind": on_steps(one_stream),
    "errors first": on_steps(lambda folder, step, number: one_stream(folder, step, number, errors_first=True)),
}


@pytest.mark.req("2.3")
@pytest.mark.parametrize("way", ALIKE)
def test_what_still_says_all_is_read_alike(way: str, tmp_path: Path) -> None:
    otherwise = {}
    for name, before, after in compared(ALIKE[way], tmp_path):
        if [[one.get(field) for field in TOLD] for one in before] != [[one.get(field) for field in TOLD] for one in after]:
            otherwise[name] = [one.get("outcome", one.get("reason")) for one in after]
    assert otherwise == {}


LESS: dict[str, Spoil] = {
    "cut in the middle": on_files(lambda raw: raw[: len(raw) // 2]),
    "cut near the end": on_files(lambda raw: raw[: len(raw) * 19 // 20]),
    "its first half is gone": on_files(lambda raw: raw[len(raw) // 2 :]),
    "another page": on_files(lambda raw: b"<html><body>502 Bad Gateway</body></html>"),
    "errors not captured": on_steps(lambda folder, step, number: step.update(stderr=None)),
    "the answer not captured": on_steps(lambda folder, step, number: step.update(stdout=None)),
    "end and version unknown": all_of(
        on_steps(lambda folder, step, number: step.update(exit_code=None)), lambda folder, told: told.update(tool_version=None)
    ),
    "lines of the journal": on_files(lambda raw: b"".join(BEGINNING + line for line in raw.splitlines(keepends=True))),
}


@pytest.mark.req("2.3")
@pytest.mark.parametrize("way", LESS)
def test_what_says_less_is_never_read_as_more(way: str, tmp_path: Path) -> None:
    """No figure appears that the whole answer does not hold, and no run of a failed command turns into one that went well."""
    otherwise = {}
    for name, before, after in compared(LESS[way], tmp_path):
        figures = {(field, one.get(field)) for one in before for field in FIGURES}
        more = [
            (field, one[field]) for one in after for field in FIGURES if one.get(field) is not None and (field, one[field]) not in figures
        ]
        turned = [one["outcome"] for one in _pushed(after) if one["exit_code"] not in (0, 1, 3, *range(100, 128), None) and _good(one)]
        if more or turned or "mistake" in json.dumps([one.get("reason", "") for one in after]):
            otherwise[name] = [*more, *turned]
    assert otherwise == {}


def _pushed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in lines if one.get("evidence_kind") == "push"]


def _good(one: dict[str, Any]) -> bool:
    return one["outcome"] in ("success", "warning", "partial")


def test_what_was_read_of_powershell_is_what_was_written(tmp_path: Path) -> None:
    """Its `>` writes UTF-16."""
    (case,) = [one for one in cases("restic") if one.name == "0.18-backup-incremental"]
    told, same = copied(case, tmp_path / "a"), copied(case, tmp_path / "b")
    on_files(lambda raw: raw.decode().encode("utf-16"))(tmp_path / "b", same)
    assert read("restic", tmp_path / "a", told) == read("restic", tmp_path / "b", same)


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        ({"command": "restic backup --json --skip-if-unchanged /a", "exit_code": 0}, "unknown"),
        ({"command": "restic backup --json /a", "exit_code": 0, "stdout": '{"message_type":"summ'}, "unknown"),
        ({"command": "restic backup /a", "exit_code": 0}, "success"),
    ],
)
def test_an_exit_code_alone_says_no_more_than_it_can(step: Case, outcome: str, tmp_path: Path) -> None:
    if "stdout" in step:
        (tmp_path / "out").write_text(step["stdout"])
        step = {**step, "stdout": "out"}
    told = {"host": "db01", "steps": [{"name": "b", "started_at": "2026-07-14T01:30:00Z", **step}]}
    assert Counter(one["outcome"] for one in read("restic", tmp_path, told)) == {outcome: 1}


def test_a_file_that_could_not_be_read_leaves_no_figures_though_its_message_was_lost(tmp_path: Path) -> None:
    for tool, name in (("restic", "0.18-backup-warning-unreadable"), ("borg", "1.4-create-warning-unreadable")):
        (case,) = [one for one in cases(tool) if one.name == name]
        told = copied(case, tmp_path / tool)
        LESS["errors not captured"](tmp_path / tool, told)
        for one in _pushed(read(tool, tmp_path / tool, told)):
            assert (one["outcome"], one["bytes_source"], one["files_total"]) == ("warning", None, None)


@pytest.mark.parametrize("tool", ["prometheus", "alertmanager", "icinga2"])
def test_an_answer_of_something_else_is_said_to_be_none(tool: str, tmp_path: Path) -> None:
    case = cases(tool)[0]
    told = copied(case, tmp_path / "x")
    LESS["another page"](tmp_path / "x", told)
    lines = read(tool, tmp_path / "x", told)
    assert lines and all(one.get("quarantined") for one in lines)
