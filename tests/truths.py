"""What was done to the data in a recorded case, compared with what was read of it: every fact that the case tells and a record can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Record = dict[str, Any]
OUTCOMES = {
    "success": {"success"},
    "warning": {"warning", "partial"},
    "failure": {"failed"},
    "interrupted": {"cancelled", "failed"},
    "verify_ok": {"success"},
    "restore_ok": {"success"},
    "success_no_snapshot": {"skipped"},
}
OPERATIONS = {"verify_ok": "verify", "verify_failed": "verify", "restore_ok": "restore"}
ICINGA = {0: "success", 1: "warning", 2: "failed", 3: "unknown"}
BACULA = {"canceled": "cancelled", "failure": "failed", "verify_failed": "failed", "verify_ok": "success", "restore_ok": "success"}


def compared(tool: str, told: dict[str, Any], records: list[Record]) -> list[str]:
    """Names of the facts that were compared. Raises AssertionError for one that differs."""
    runs = [one for one in records if one["evidence_kind"] != "artefact"]
    artefacts = [one for one in records if one["evidence_kind"] == "artefact"]
    return [*_outcome(tool, told, runs, artefacts), *_artefacts(told, artefacts), *_by_job(told, records)]


def _outcome(tool: str, told: dict[str, Any], runs: list[Record], artefacts: list[Record]) -> Iterator[str]:
    wanted = told["outcome"]
    of_operation = [one for one in runs if one["operation"] == OPERATIONS.get(wanted, "backup")]
    if wanted == "no_backup":
        assert not [one for one in [*of_operation, *artefacts] if one["outcome"] == "success"]
        yield "no backup"
    elif wanted == "verify_failed":
        assert "failed" in {one["outcome"] for one in of_operation}
        yield "outcome"
    elif wanted in OUTCOMES:
        # where nothing was backed up, verified or restored, the maintenance that ran is what went well or did not
        judged = of_operation or [one for one in runs if one["operation"] in ("prune", "verify")]
        if "next_run" in told:  # the case goes on: its last run is another one
            assert judged.pop()["outcome"] in OUTCOMES[told["next_run"]]
        if not judged:  # listings and statistics: nothing ran that could have failed
            assert wanted == "success" and {one["outcome"] for one in artefacts} <= {"success"}
            yield "listing"
            return
        may = OUTCOMES[wanted] | ({"warning"} if tool == "barman" and wanted == "success" else set())
        assert judged[-1]["outcome"] in may, judged[-1]
        yield "outcome"
        yield from _fields(told, judged[-1])


def _fields(told: dict[str, Any], run: Record) -> Iterator[str]:
    """What the record tells as a figure agrees; what the tool did not say is null."""
    same = {
        "bytes_source": told.get("bytes"),
        "files_total": told.get("files"),
        "encrypted": told.get("encrypted") if isinstance(told.get("encrypted"), bool) else None,
        "files_failed": told.get("unreadable_files"),
    }
    for field, true in same.items():
        if true is not None:
            assert run[field] in (true, None), (field, run[field], true)
            yield field
    if "measured_seconds" in told:
        assert abs(run["duration_s"] - told["measured_seconds"]) < 1
        yield "duration_s"
    if told["outcome"] == "failure":
        assert run["native_message"], "a failure says why"
        yield "reason"


def _artefacts(told: dict[str, Any], artefacts: list[Record]) -> Iterator[str]:
    """How many copies a listing shows, from when, of which kind, and whether they are encrypted."""
    for name in ("kept", "archives", "snapshots", "backups"):
        if name in told and (artefacts or not told[name]):
            assert len(artefacts) == told[name], name
            yield name
    if "snapshot_days" in told:
        assert [one["started_at"][:10] for one in artefacts] == told["snapshot_days"]
        assert {one["started_at"][11:16] for one in artefacts} == {told["local_time"]}
        yield "days"
    if "timestamps_given" in told:
        assert [one["started_at"] for one in artefacts] == [f"{one}Z" for one in told["timestamps_given"]]
        yield "times"
    if "types" in told and artefacts:
        short = {"full": "full", "differential": "diff", "incremental": "incr"}
        assert [short[one["level"]] for one in artefacts] == told["types"]
        yield "level"
    if "full_kept" in told:
        assert [one["level"] for one in artefacts].count("full") >= told["full_kept"]  # an earlier listing shows what was there before
        yield "full_kept"
    if isinstance(told.get("repos"), dict):
        for number, count in told["repos"].items():
            own = [one for one in artefacts if one["repository_name"] == f"repo{number}"]
            assert len(own) == count and {one["encrypted"] for one in own} == {told["encrypted"][number]}
        yield "repositories"
    if "encryption" in told and artefacts:
        assert {one["encrypted"] for one in artefacts} <= {told["encryption"] != "none", None}
        yield "encryption"
    if "db_bytes" in told and artefacts:
        assert all(one["bytes_source"] is None or one["bytes_source"] > 0 for one in artefacts)
    if "stanzas" in told:
        assert {one["job_external_id"] for one in artefacts} == {name for name, state in told["stanzas"].items() if state == "ok"}
        yield "stanzas"


def _by_job(told: dict[str, Any], records: list[Record]) -> Iterator[str]:
    """Mixed cases: one record for each job, alert, service or series, with the outcome that is told."""
    readers: dict[str, Callable[[dict[str, Any], list[Record]], None]] = {
        "jobs": _jobs, "states": _states, "pushed": _series, "alerts": _alerts, "flaps": _flaps, "down": _servers,
    }  # fmt: skip
    for name, reader in readers.items():
        if told.get(name):
            reader(told, records)
            yield name


def _jobs(told: dict[str, Any], records: list[Record]) -> None:
    found = {one["external_id"]: one for one in records}
    assert len(found) == len(told["jobs"])
    for job in told["jobs"]:
        record, running = found[str(job["jobid"])], job["jobid"] == told.get("running_jobid")
        assert record["job_external_id"] == job["name"]
        assert record["outcome"] == (None if running else BACULA.get(job["expected"], job["expected"]))
        assert (record["state"] == "running") == running


def _states(told: dict[str, Any], records: list[Record]) -> None:
    found = {one["job_external_id"].partition("!")[2]: one for one in records}
    assert len(found) == len(records) == len(told["states"])
    for name, state in told["states"].items():
        assert found[name]["outcome"] == (ICINGA[state] if isinstance(state, int) else None)


def _series(told: dict[str, Any], records: list[Record]) -> None:
    for pushed in told["pushed"]:
        last = [one for one in records if one["target_name"] == pushed["instance"]][-1]
        assert last["outcome"] == ("failed" if pushed["exit_code"] else "success")
        assert last["bytes_source"] == (None if pushed["bytes"] == "NaN" else pushed["bytes"])
        assert last["duration_s"] == pushed["duration_s"]


def _alerts(told: dict[str, Any], records: list[Record]) -> None:
    assert len(records) == told["alerts"] - told.get("truncated", 0)
    wanted = {"firing": {"failed"}, "resolved": {"success"}, "mixed": {"success", "failed", "warning"}}[told["outcome"]]
    assert {one["outcome"] for one in records} == wanted
    if "starts_at" in told:
        assert {one["started_at"][:23] for one in records} <= {told["starts_at"][:23]} or all(one["started_at"] for one in records)


def _flaps(told: dict[str, Any], records: list[Record]) -> None:
    (record,) = records  # the tool tells all of it under one start
    assert record["outcome"] == "success" and record["ended_at"]


def _servers(told: dict[str, Any], records: list[Record]) -> None:
    failed = {one["job_external_id"].partition(":")[0] for one in records if one["outcome"] == "failed"}
    assert failed == set(told["down"]) and len(records) > len(failed)
