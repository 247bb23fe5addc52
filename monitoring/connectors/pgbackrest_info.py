"""One record for each backup in `pgbackrest info --output=json`, and what the answer says about its stanzas."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.base import Level, Record, Reject

LEVELS: dict[object, Level] = {"full": "full", "diff": "differential", "incr": "incremental"}
_OK, _NO_BACKUP, _DIFFERENT = 0, 2, 4
_REMEDIES = {
    1: "Create it with pgbackrest stanza-create, or check the name and the path of the repository.",
    3: "Its files are gone from the repository. Check the repository, or make the stanza anew with stanza-create.",
    5: "Repository and database do not belong together any more; after an upgrade run pgbackrest stanza-upgrade.",
    99: "Check the passphrase of the cipher, the rights on the repository and its path in the configuration.",
}


class Info(msgspec.Struct):
    """What one answer held. `stanzas` are the names it told."""

    records: list[Record] = []
    rejects: list[Reject] = []
    problems: list[str] = []
    stanzas: list[str] = []


def read_info(text: str) -> Info:
    """The backups of every stanza and repository. Raises ValueError with a sentence when the text is no such answer."""
    told = _document(text)
    if not isinstance(told, list):
        raise ValueError("it is not a list of stanzas")
    info = Info()
    for index, stanza in enumerate(told):
        name = reading.name(stanza.get("name")) if isinstance(stanza, dict) else None
        if name is None:
            reason = f"Stanza {index + 1} of the answer has no name."
            info.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(stanza)))
            continue
        info.stanzas.append(name)
        info.problems += _problems(name, stanza)
        backups = stanza.get("backup")
        ciphers = {repo.get("key"): repo.get("cipher") for repo in _dicts(stanza.get("repo")) if _is_key(repo.get("key"))}
        for backup in backups if isinstance(backups, list) else []:
            read = _read_backup(backup, name, ciphers)
            if isinstance(read, str):
                reason = f"A backup of the stanza {name} {read}."
                info.rejects.append(Reject(index=index, reason=reason, excerpt=reading.excerpt(backup)))
            else:
                info.records.append(read)
    return info


def artefact_id(label: str, repo_key: int) -> str:
    """One backup in one repository. The label alone will not do: that of a full backup is the beginning of those that build on it."""
    return f"{label}@repo{repo_key}"


def _document(text: str) -> Any:
    try:
        return reading.document_within(text, lambda told: isinstance(told, list) and bool(_dicts(told)))[0]
    except ValueError:
        pass
    try:  # with a wrong cipher passphrase the bytes of the file stand in the message as they are, control characters and all
        return json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not valid JSON ({error})") from None


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _part(parent: dict[str, Any], key: str) -> dict[str, Any]:
    return told if isinstance(told := parent.get(key), dict) else {}


def _is_key(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 256


def _problems(name: str, stanza: dict[str, Any]) -> list[str]:
    """What is wrong with a stanza: its own status, or that of each repository where they differ. A stanza without backup is not broken."""
    status = _part(stanza, "status")
    places = [(f"stanza {name}", status)]
    if status.get("code") in (_DIFFERENT, 99):
        places = [
            (f"stanza {name} in repository {repo.get('key')}", _part(repo, "status")) for repo in _dicts(stanza.get("repo"))
        ] or places
    problems = []
    for place, told in places:
        if (code := told.get("code")) not in (_OK, _NO_BACKUP):
            said = " ".join(reading.plain(str(told.get("message") or "no reason")).split())[:300]
            remedy = _REMEDIES.get(code, "See pgbackrest info.") if isinstance(code, int) else "See pgbackrest info."
            problems.append(f"pgBackRest cannot read the {place}. {remedy} It said: {said}")
    return problems


def _read_backup(backup: Any, stanza: str, ciphers: dict[Any, Any]) -> Record | str:
    if not isinstance(backup, dict):
        return "is not an object"
    label, database, times = reading.name(backup.get("label")), _part(backup, "database"), _part(backup, "timestamp")
    start, stop, key = _epoch(times.get("start")), _epoch(times.get("stop")), database.get("repo-key", 1)
    if label is None:
        return "has no label"
    if start is None or stop is None or stop < start:
        return "has no usable start and stop (seconds since 1970)"
    if not _is_key(key):
        return "does not say which repository it is in"
    told = _part(backup, "info")
    stored = _part(told, "repository")
    damaged = backup.get("error") is True
    cipher = ciphers.get(key)
    return Record(
        external_id=label,
        evidence_kind="artefact",
        job_external_id=stanza,
        identity=(stanza, str(database.get("id")), str(key), label),
        created_at=start,
        level=LEVELS.get(backup.get("type") if isinstance(backup.get("type"), str) else None, "unknown"),
        job_name=stanza,
        target_name=stanza,
        target_type="database",
        repository_name=f"repo{key}",
        parent_external_id=reading.name(backup.get("prior")),
        outcome="warning" if damaged else "success",
        native_status="page checksum errors" if damaged else None,
        native_message="pages of the database had wrong checksums when they were saved" if damaged else None,
        started_at=start,
        ended_at=stop,
        duration_s=reading.span_s(start, stop),
        bytes_source=reading.count(told.get("size")),
        bytes_read=reading.count(told.get("delta")),
        bytes_stored=reading.count(stored.get("delta")),
        encrypted=cipher != "none" if isinstance(cipher, str) else None,
        artefact_id=artefact_id(label, key),
        consistent_at=stop,
    )


def _epoch(value: object) -> dt.datetime | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        return None
    told = reading.instant(dt.datetime.fromtimestamp(value, dt.UTC))
    return told.at if told else None
