"""Read recorded answers from files, without a database: a case folder, captured pings, or one raw output file."""

from __future__ import annotations

import datetime as dt
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from monitoring.connectors import CONNECTORS, reading
from monitoring.connectors.base import Answer, Record, Reject, Step
from monitoring.connectors.map_document import shipped
from monitoring.connectors.mapped import DOCUMENT
from monitoring.connectors.ping_paths import PingRefusal, read_address
from monitoring.normalising_catalogues import CATALOGUE, catalogue_steps, table_step

MAX_FILE_BYTES = 32 * 1024 * 1024
CASE_FILE = "case.json"
RAW_FILE_JOB = "(raw file)"  # a raw file does not say which job it is about
# What an own output looks like when nothing says which command made it; the first that fits wins.
_SIGNS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "restic": (
        ("check", ('"num_errors"', "no errors were found", "repository contains errors", "load indexes")),
        ("restore", ('"files_restored"', '"bytes_restored"', "restoring <Snapshot")),
        ("backup", ('"message_type"', " saved\n", "Added to the repository", "source file could not be read", "does not exist, skipping")),
    ),
    "borg": (
        ("create", ('"archive": {', '"archive":{', "Archive fingerprint: ")),
        ("info", ('"archives": [', '"archives":[', '"security_dir"')),
        ("check", ("repository check", "repository index check", "archive consistency check", "Data integrity error")),
        ("prune", ("Keeping archive", "Pruning archive")),
    ),
    "borgmatic": (
        ("create", ('"archive": {', '"archive":{', "Creating archive", "Archive fingerprint: ")),
        ("info", ('"archives": [', '"archives":[', '"security_dir"')),
        ("check", ("Running consistency checks", "repository check", "Data integrity error")),
        ("prune", ("Pruning archives",)),
    ),
    "pgbackrest": (
        ("backup", (": backup command begin", " backup size = ")),
        ("verify", (": verify command begin", "total WAL checked")),
        ("restore", (": restore command begin",)),
        ("check", (": check command begin",)),
        ("expire", (": expire command begin",)),
        ("info", ('"backup":', "[]")),
    ),
    "veeam": (("sessions", ('"sessionType"', '"pagination"')),),
    "pbs": (("snapshots main", ('"backup-type"',)), ("tasks", ('"upid"',))),
    "velero": (("restores", ('"RestoreList"',)), ("backups", ('"BackupList"',))),
    "zabbix": (("events", ('"jsonrpc"',)),),
    "aws-backup": (
        ("backup-jobs", ('"BackupJobs"',)),
        ("copy-jobs", ('"CopyJobs"',)),
        ("restore-jobs", ('"RestoreJobs"',)),
    ),
    "prometheus": (("query", ('"resultType"',)),),
    "icinga2": (("services", ('"check_result"', '"last_check_result"', '"last_state_change"')),),
    "barman": (
        ("show-backup", ('"base_backup_information"',)),
        ("check", ('"hint"', "\tPostgreSQL: ")),
        ("backup", ("Starting backup using ", "Impossible to start the backup")),
        ("recover", ("Starting local restore", "Starting remote restore", "Starting local delta", "Starting remote delta")),
        ("list-backup", ('"backup_id"', '": []')),
    ),
}


class NotThere(Exception):
    """There is nothing to read at this path; the sentence says so."""


def normalised(tool: str, path: Path, *, zone: str | None = None) -> Iterator[dict[str, Any]]:
    """One dict per canonical record of a recorded answer, and one per thing that could not be read.

    `zone` is the zone of times that tell none; without it a case's own. Raises NotThere before the first line.
    """
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise NotThere(f"{path} cannot be read: {getattr(error, 'strerror', error)}. Give a recorded case or one output file.") from None
    maps = shipped()
    found = _pings(path) if tool == "ping" else [_answer(tool, path, zone)]
    for answer in found:
        if isinstance(answer, Reject):
            yield _quarantined(answer)
            continue
        if tool in maps:
            answer.meta[DOCUMENT] = maps[tool]
        told = CONNECTORS["mapped" if tool in maps else tool].read(answer)
        yield from (_line(tool, record) for record in told.records)
        yield from (_quarantined(reject) for reject in told.rejects)


def _line(tool: str, record: Record) -> dict[str, Any]:
    fields = msgspec.to_builtins(record)
    del fields["identity"], fields["created_at"]
    return {"source_id": None, "idempotency_key": reading.idempotency_key(tool, record.identity), **fields}


def _quarantined(reject: Reject) -> dict[str, Any]:
    return {"quarantined": True, "reason": reject.reason, "index": reject.index, "excerpt": reject.excerpt}


def _answer(tool: str, path: Path, zone: str | None) -> Answer | Reject:
    if path.is_dir():
        return _case(tool, path, zone)
    try:
        text = _text(path)
    except OSError as error:
        return Reject(index=0, reason=f"The file {path.name} cannot be read: {error.strerror}.")
    if path.name == CASE_FILE:
        return _case(tool, path.parent, zone)
    return _raw_file(tool, text, zone)


# ---- a case folder


def _case(tool: str, folder: Path, zone: str | None) -> Answer | Reject:
    try:
        case = reading.document(_text(folder / CASE_FILE))
    except OSError as error:
        return Reject(index=0, reason=f"The folder holds no readable {CASE_FILE}: {error.strerror}.")
    except ValueError as error:
        return Reject(index=0, reason=f"{CASE_FILE} cannot be read: {error}.")
    steps = case.get("steps") if isinstance(case, dict) else None
    if isinstance(steps, list) and (folder / CATALOGUE).is_dir():
        steps = catalogue_steps(folder / CATALOGUE)
        return Answer(kind="push", steps=steps, zone=zone or reading.name(case.get("tz")) or "UTC")
    if tool == "alertmanager":
        return Answer(kind="push", steps=[_captured(_text(file)) for file in _captures(folder)])
    if not isinstance(steps, list):
        return Reject(index=0, reason=f"{CASE_FILE} holds no list of steps.", excerpt=reading.excerpt(case))
    return Answer(
        kind="push",
        steps=[_step(folder, step) for step in steps if isinstance(step, dict)],
        host=reading.name(case.get("host")),
        zone=zone or reading.name(case.get("tz")) or "UTC",
        tool_version=reading.name(case.get("tool_version")),
    )


def _captured(text: str) -> Step:
    """The body of a request that was captured on its way in, or the text itself."""
    try:
        told = reading.document(text)
    except ValueError:
        told = None
    body = told.get("body") if isinstance(told, dict) else None
    return Step(name="webhook", stdout=body if isinstance(body, str) else text)


def _step(folder: Path, step: dict[str, Any]) -> Step:
    (stdout, cut_out), (stderr, cut_err) = _stream(folder, step.get("stdout")), _stream(folder, step.get("stderr"))
    command, exit_code, env = step.get("command"), step.get("exit_code"), step.get("env")
    return Step(
        name=reading.name(step.get("name")) or "",
        command=reading.plain(command) if isinstance(command, str) else None,
        exit_code=exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else None,
        started_at=_instant(step.get("started_at")),
        finished_at=_instant(step.get("finished_at")),
        stdout=stdout,
        stderr=stderr,
        env={key: value for key, value in env.items() if isinstance(value, str)} if isinstance(env, dict) else None,
        truncated=cut_out or cut_err,
    )


def _instant(value: object) -> dt.datetime | None:
    told = reading.instant(value)
    return told.at if told else None


def _stream(folder: Path, name: object) -> tuple[str | None, bool]:
    """The text of a named file of the case and whether it was cut; a name that leads elsewhere or nowhere counts as not captured."""
    if not isinstance(name, str) or posixpath.basename(name) != name or name in ("", ".", ".."):
        return None, False
    try:
        return _text(folder / name), (folder / name).stat().st_size > MAX_FILE_BYTES
    except (OSError, ValueError):
        return None, False


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return reading.decoded(file.read(MAX_FILE_BYTES))


# ---- one raw output file


def _raw_file(tool: str, text: str, zone: str | None) -> Answer | Reject:
    if not text or text.isspace():
        return Reject(index=0, reason="The file is empty.")
    if tool == "alertmanager":
        return Answer(kind="push", steps=[_captured(text)])
    if tool == "bacula":
        return Answer(kind="push", steps=[table_step("jobs", text)], zone=zone or "UTC")
    kind = _kind_of(tool, text)
    if kind is None:
        return Reject(index=0, reason="The file is no output of a tool that is known here.", excerpt=reading.excerpt(text[:1000]))
    over_http = getattr(CONNECTORS.get(tool, CONNECTORS["mapped"]), "over_http", False)
    step = Step(name=kind, exit_code=200 if over_http else None, stdout=text)
    return Answer(kind="push", steps=[step], zone=zone or "UTC", job_external_id=RAW_FILE_JOB)


def _kind_of(tool: str, text: str) -> str | None:
    if tool not in CONNECTORS:
        return "list"  # of a tool that is read by a map
    listing = _restic_listing(text) if tool == "restic" else None
    return listing or next((kind for kind, signs in _SIGNS.get(tool, ()) if any(sign in text for sign in signs)), None)


def _restic_listing(text: str) -> str | None:
    head = text.lstrip()
    if head.startswith("[") and ('"snapshots"' in text or '"hostname"' in text or head[1:].lstrip()[:1] == "]"):
        return "snapshots"
    if head.rstrip() == "null":
        return "snapshots"
    if '"initialized"' in head[:200] or '"chunker_polynomial"' in head[:1000] or '"snapshots_count"' in head[:1000]:
        return "stats"
    return None


# ---- captured pings


def _pings(path: Path) -> Iterator[Answer | Reject]:
    """The pings of one check or several in the order they came, each end tied to the start that was open."""
    open_starts: dict[tuple[str, str | None], tuple[str, str]] = {}
    for number, file in enumerate(_captures(path), start=1):
        try:
            capture = reading.document(_text(file))
        except OSError as error:
            yield Reject(index=number, reason=f"{file.name} cannot be read: {error.strerror}.")
        except ValueError as error:
            yield Reject(index=number, reason=f"{file.name} cannot be read: {error}.")
        else:
            yield _ping(capture, number, open_starts)


def _captures(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    inner = path / "http"
    return sorted(file for file in (inner if inner.is_dir() else path).glob("*.json") if file.name != CASE_FILE)


def _ping(capture: Any, number: int, open_starts: dict[tuple[str, str | None], tuple[str, str]]) -> Answer | Reject:
    if not isinstance(capture, dict) or not isinstance(capture.get("path"), str):
        return Reject(index=number, reason="This is no captured request: it has no path.", excerpt=reading.excerpt(capture))
    path, _, query = capture["path"].partition("?")
    method, body = capture.get("method"), capture.get("body")
    pairs = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
    address = read_address(path, method=method if isinstance(method, str) else "POST", query=pairs)
    if isinstance(address, PingRefusal):
        return Reject(index=number, reason=f"A ping like this is answered {address.status}: {address.text}.")
    # the address of a ping is its secret: its first digits are enough to tell checks apart
    job = address.slug or f"check {(address.uuid or '')[:8]}"
    received_at, sequence = str(capture.get("received_at", "")), str(number)
    key = (job, address.rid)
    meta = {"suffix": address.suffix, "received_at": received_at, "sequence": sequence, "created_at": received_at}
    if address.rid:
        meta["rid"] = address.rid
    if address.suffix == "start":
        open_starts[key] = (sequence, received_at)
    elif address.suffix != "log" and key in open_starts:
        meta["sequence"], meta["created_at"] = open_starts.pop(key)
        meta["started_at"] = meta["created_at"]
    step = Step(name="ping", stdout=body if isinstance(body, str) else None)
    return Answer(kind="ping", steps=[step], job_external_id=job, meta=meta)
