"""One record for each archive that `borg list --json` or `borg info --json` tells; borgmatic puts both into a list of repositories."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from monitoring.connectors import reading
from monitoring.connectors.base import Record, Reject
from monitoring.connectors.borg_command import CHECKPOINT, series
from monitoring.connectors.redaction import redact

ID = re.compile(r"[0-9a-f]{64}")
EMPTY = "the archive holds no file: its sources were missing or empty"
_UNENCRYPTED = ("none", "authenticated")


class Listed(msgspec.Struct):
    """What one listing held. `repository_ids` are those that told their id, with or without archives."""

    records: list[Record] = []
    rejects: list[Reject] = []
    repository_ids: list[str] = []


def read_listing(text: str, *, host: str | None, zone: str, exact: bool, known_empty: Collection[str] = ()) -> Listed:
    """The archives of a listing, checkpoints of interrupted runs left out. Raises ValueError with a sentence when it is no listing.

    Times are told without zone: `zone` is the one of the machine that printed them, `exact` says that it is known and not assumed.
    Archives in `known_empty` were once told to hold no file; a listing that tells no sizes does not make them good again.
    """
    listed = Listed()
    for index, (entry, archive) in enumerate(_archives(text, listed)):
        read = _read_archive(archive, entry, host=host, zone=zone)
        if isinstance(read, str):
            listed.rejects.append(
                Reject(index=index, reason=f"Archive {index + 1} of the listing {read}.", excerpt=reading.excerpt(archive))
            )
        elif read is not None:
            if exact and read.time_quality == "assumed_zone":
                read.time_quality = "exact"
            if read.files_total == 0 or (read.files_total is None and read.external_id in known_empty):
                read.outcome, read.native_message, read.consistent_at = "failed", EMPTY, None
            listed.records.append(read)
    return listed


def repository_id(entry: dict[str, Any]) -> str | None:
    told = entry["repository"].get("id") if isinstance(entry.get("repository"), dict) else None
    return told if isinstance(told, str) and ID.fullmatch(told) else None


def encrypted(entry: dict[str, Any]) -> bool | None:
    """Whether others can read the data: `authenticated` signs it and leaves it readable."""
    mode = entry["encryption"].get("mode") if isinstance(entry.get("encryption"), dict) else None
    return not mode.startswith(_UNENCRYPTED) if isinstance(mode, str) and mode else None


def repository_name(entry: dict[str, Any]) -> str | None:
    told = entry["repository"].get("location") if isinstance(entry.get("repository"), dict) else None
    return reading.name(redact(told)) if isinstance(told, str) else None


def entries(text: str) -> list[Any]:
    """The repositories of an answer. Raises ValueError with a sentence when it is no JSON of borg."""
    found, _ = reading.document_within(text, lambda told: bool(_repositories(told)))
    listed = found if isinstance(found, list) else [found]
    if len(_repositories(listed)) < len(listed):
        raise ValueError("it does not say which repository it is about")
    return listed


def _repositories(told: Any) -> list[Any]:
    listed = told if isinstance(told, list) else [told]
    return [each for each in listed if isinstance(each, dict) and isinstance(each.get("repository"), dict)]


def _archives(text: str, listed: Listed) -> Iterator[tuple[dict[str, Any], Any]]:
    for entry in entries(text):
        if told := repository_id(entry):
            listed.repository_ids.append(told)
        archives = entry.get("archives")
        if archives is not None and not isinstance(archives, list):
            raise ValueError("its archives are not a list")
        for archive in archives or []:
            yield entry, archive


def _read_archive(archive: Any, entry: dict[str, Any], *, host: str | None, zone: str) -> Record | str | None:
    if not isinstance(archive, dict):
        return "is not an object"
    own_id, name = archive.get("id"), archive.get("name") or archive.get("archive")
    if not isinstance(own_id, str) or not ID.fullmatch(own_id):
        return "has no usable id"
    if not isinstance(name, str) or reading.name(name) is None:
        return "has no name"
    if CHECKPOINT.fullmatch(name):
        return None
    start = reading.instant(archive.get("start") or archive.get("time"), zone)
    if start is None:
        return "has no usable start (a date and time from 1990 on)"
    target = reading.name(archive.get("hostname")) or host
    job = series(target, name) or target or reading.name(name) or own_id
    record = Record(
        external_id=own_id,
        evidence_kind="artefact",
        job_external_id=job,
        identity=(repository_id(entry) or "", own_id),
        created_at=start.at,
        job_name=job,
        target_name=target,
        target_type="host" if target else None,
        repository_name=repository_name(entry),
        outcome="success",
        native_status=reading.name(name),
        started_at=start.at,
        time_quality=start.quality,
        encrypted=encrypted(entry),
        artefact_id=own_id,
        consistent_at=start.at,
    )
    _fill(record, archive, zone)
    return record


def _fill(record: Record, archive: dict[str, Any], zone: str) -> None:
    stats = archive["stats"] if isinstance(archive.get("stats"), dict) else {}
    record.bytes_source = reading.count(stats.get("original_size"))
    record.files_total = reading.count(stats.get("nfiles"))
    # deduplicated_size of an archive shrinks and grows with its neighbours: only the run itself knows what it added
    end = reading.instant(archive.get("end"), zone)
    if end and record.started_at and end.at >= record.started_at:
        record.ended_at = end.at
    record.duration_s = reading.seconds(archive.get("duration"))
