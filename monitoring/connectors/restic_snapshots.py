"""One record for each snapshot in a restic listing, flat or grouped, old and new snapshots side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.base import Record, Reject
from monitoring.connectors.restic_command import series
from monitoring.connectors.restic_output import SNAPSHOT_ID

# A snapshot's time can be set by hand (--time); only a real clock this close to it says when the run of that time ended.
SAME_RUN = dt.timedelta(minutes=5)


def read_listing(
    text: str, *, repository_id: str, repository_name: str | None, encrypted: bool | None, zone: str
) -> tuple[list[Record], list[Reject]]:
    """The snapshots of a listing. Raises ValueError with a sentence when the text is no listing at all."""
    listing, _ = reading.document_within(text, lambda told: isinstance(told, list) and bool(told) and isinstance(told[0], dict))
    if listing is None:
        return [], []
    if not isinstance(listing, list):
        raise ValueError("it is not a list of snapshots")
    found: dict[tuple[str, ...], Record] = {}
    rejects: list[Reject] = []
    for index, snapshot in enumerate(_flat(listing)):
        read = _read_snapshot(snapshot, repository_id=repository_id, zone=zone)
        if isinstance(read, str):
            rejects.append(Reject(index=index, reason=f"Snapshot {index + 1} of the listing {read}.", excerpt=reading.excerpt(snapshot)))
            continue
        read.repository_name, read.encrypted = repository_name, encrypted
        # `tag` and `rewrite` give a snapshot a new id and keep the old one as `original`; where both stand, the original counts
        if read.identity not in found or read.artefact_id == read.identity[-1]:
            found[read.identity] = read
    return list(found.values()), rejects


def _flat(listing: list[Any]) -> Iterator[Any]:
    for entry in listing:
        if isinstance(entry, dict) and "snapshots" in entry and "id" not in entry:
            grouped = entry["snapshots"]
            yield from grouped if isinstance(grouped, list) else [] if grouped is None else [grouped]
        else:
            yield entry


def _read_snapshot(snapshot: Any, *, repository_id: str, zone: str) -> Record | str:
    if not isinstance(snapshot, dict):
        return "is not an object"
    own_id, original = snapshot.get("id"), snapshot.get("original")
    if not isinstance(own_id, str) or not SNAPSHOT_ID.fullmatch(own_id):
        return "has no usable id"
    time = reading.instant(snapshot.get("time"), zone)
    if time is None:
        return "has no usable time (RFC 3339 from 1990 on)"
    host, paths = reading.name(snapshot.get("hostname")), snapshot.get("paths")
    if host is None or not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        return "does not say which host and paths it holds"
    summary = snapshot.get("summary")
    job = series(host, paths) or host
    first_id = original if isinstance(original, str) and SNAPSHOT_ID.fullmatch(original) else own_id
    record = Record(
        external_id=own_id,
        evidence_kind="artefact",
        job_external_id=job,
        identity=(repository_id, first_id),
        created_at=time.at,
        job_name=job,
        target_name=host,
        target_type="host",
        outcome="success",
        started_at=time.at,
        time_quality=time.quality,
        artefact_id=own_id,
        consistent_at=time.at,
    )
    if isinstance(summary, dict):
        _fill_from_summary(record, summary, time.at, zone)
    return record


def _fill_from_summary(record: Record, summary: dict[str, Any], time: dt.datetime, zone: str) -> None:
    record.bytes_source = record.bytes_read = reading.count(summary.get("total_bytes_processed"))
    record.bytes_stored = reading.count(summary.get("data_added_packed"))
    record.files_total = reading.count(summary.get("total_files_processed"))
    began, ended = (reading.instant(summary.get(key), zone) for key in ("backup_start", "backup_end"))
    if began and ended:
        record.duration_s = reading.span_s(began.at, ended.at)
        if abs(began.at - time) < SAME_RUN and record.duration_s is not None and ended.at >= time:
            record.ended_at = ended.at
