"""Rows of a tool's answer → canonical records, as a document says, and a note of everything that was not understood."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.connectors import reading
from monitoring.connectors.base import Record
from monitoring.connectors.map_document import LEFT_OUT, UNITS, Amount, Choice, Map, Paths, found

_COUNTS = ("files_total", "files_failed", "warnings_count", "errors_count")
_BYTES = ("bytes_source", "bytes_transferred", "bytes_stored")
_TERMS = ("immutable_until", "retention_until")
_POINTS = ("backup", "copy", "replicate", "log_backup")


class Reader:
    """Reads rows by one document. `notes` counts, in words, what was there and could not be understood."""

    def __init__(self, told: Map) -> None:
        self._map, self.notes = told, Counter[str]()
        exact = {word.casefold(): meaning for word, meaning in told.statuses.items() if not word.endswith("*")}
        begins = {word[:-1].casefold(): meaning for word, meaning in told.statuses.items() if word.endswith("*")}
        self._exact, self._begins = exact, sorted(begins.items(), key=lambda pair: -len(pair[0]))

    def read(self, row: Mapping[str, Any]) -> Record | str | None:
        """The record of a row, a complaint, or None for a row that the document leaves out."""
        runs = self._map.runs
        if runs.only_with and found(row, runs.only_with) in (None, ""):
            return None
        operation, status = self._operation(row), _joined(row, runs.status, " ")
        meaning = self._meaning(status)
        if LEFT_OUT in (operation, meaning):
            return None
        external_id, job = _joined(row, runs.id, ":"), _joined(row, runs.job, ":")
        if external_id is None or job is None:
            return f"has nothing at {_words(runs.id)}, its id" if external_id is None else f"has nothing at {_words(runs.job)}, its job"
        times = {name: self._time(row, name) for name in ("started_at", "ended_at", "scheduled_at", "consistent_at")}
        first = times["scheduled_at"] or times["started_at"] or times["ended_at"]  # the key of a run begins with what comes first
        if first is None and meaning == "queued":
            return None  # it tells no time before it begins
        if first is None:
            return f"has no usable time at {runs.started_at}"
        state = meaning if meaning in ("queued", "running") else "finished"
        record = Record(
            external_id=external_id,
            evidence_kind="run_log",
            identity=(external_id,),
            created_at=first,
            job_external_id=job,
            job_name=_joined(row, runs.name, " "),
            operation=operation,  # type: ignore[arg-type] # checked with the document
            level=self._level(row),  # type: ignore[arg-type]
            target_name=_joined(row, runs.target, ":"),
            repository_name=_joined(row, runs.repository, ":"),
            state=state,  # type: ignore[arg-type]
            outcome=meaning if state == "finished" else None,  # type: ignore[arg-type]
            native_status=status,
            scheduled_at=times["scheduled_at"],
            started_at=times["started_at"],
            source_revision=_text(found(row, runs.revision)) if runs.revision else None,
        )
        self._finish(record, row, times)
        return record

    def _finish(self, record: Record, row: Mapping[str, Any], times: Mapping[str, dt.datetime | None]) -> None:
        """What only a run that is over tells."""
        good, ended = record.outcome in ("success", "warning", "partial"), times["ended_at"]
        if record.state == "finished" and ended and ended >= (record.started_at or ended):
            record.ended_at, record.duration_s = ended, reading.span_s(record.started_at, ended)
        if record.outcome != "success" and (message := _joined(row, self._map.runs.message, " ")):
            record.native_message = message
        if good and record.operation in _POINTS:
            record.consistent_at = times["consistent_at"] or record.started_at
            record.artefact_id = _text(found(row, self._map.runs.artefact)) if self._map.runs.artefact else None
            record.immutable_until, record.retention_until = (self._time(row, name) for name in _TERMS)
        if good:
            for name in (*_BYTES, *_COUNTS):
                setattr(record, name, self._number(row, name))

    def _meaning(self, status: str | None) -> str:
        if status is None:
            self._note(f"no status at {_words(self._map.runs.status)}: the outcome is unknown")
            return "unknown"
        word = status.casefold()
        meaning = self._exact.get(word) or next((meaning for begin, meaning in self._begins if word.startswith(begin)), None)
        if meaning is None:
            self._note(f"status “{status[:80]}” is not in statuses: the outcome is unknown")
        return meaning or "unknown"

    def _operation(self, row: Mapping[str, Any]) -> str:
        told = self._map.runs.operation
        return told if isinstance(told, str) else self._chosen(row, told, told.other or LEFT_OUT, "operation")

    def _level(self, row: Mapping[str, Any]) -> str:
        told = self._map.runs.level
        return self._chosen(row, told, "unknown", "level") if told else "unknown"

    def _chosen(self, row: Mapping[str, Any], choice: Choice, other: str, what: str) -> str:
        value = _text(found(row, choice.at))
        if value in choice.words:
            return choice.words[value or ""]
        if value is not None and not choice.other:
            self._note(f"{what} “{value[:80]}” is not listed: {'the row is left out' if other == LEFT_OUT else f'it counts as {other}'}")
        return other

    def _time(self, row: Mapping[str, Any], name: str) -> dt.datetime | None:
        path = getattr(self._map.runs, name)
        value = found(row, path) if path else None
        if value is None or value == "":
            return None
        if self._map.runs.times == "rfc3339":
            told = reading.instant(value)
            at = told.at if told else None
        else:
            at = reading.epoch(value, per_s=1000 if self._map.runs.times == "epoch_ms" else 1)
        if at is None and name != "ended_at":  # tools fill the end of a run that goes on with the year 1 or 0
            self._note(f"“{str(value)[:40]}” at {path} is no time as {self._map.runs.times}")
        return at

    def _number(self, row: Mapping[str, Any], name: str) -> int | None:
        told = getattr(self._map.runs, name)
        path, factor = (told.at, UNITS[told.unit]) if isinstance(told, Amount) else (told, 1)
        value = found(row, path) if path else None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, float) and 0 <= value < 2**53:
            value = round(value * factor)
            factor = 1
        number = reading.count(value * factor if isinstance(value, int) and not isinstance(value, bool) else None)
        if number is None and value is not None:
            self._note(f"“{str(value)[:40]}” at {path} is no number")
        return number

    def _note(self, words: str) -> None:
        if len(self.notes) < 200 or words in self.notes:
            self.notes[words] += 1


def unused(told: Map, row: Mapping[str, Any]) -> list[str]:
    """Paths of a row that the document does not read: what else the tool tells."""
    read = set(_read_paths(told))
    return sorted(path for path in _leaves(row, "") if not any(path == one or path.startswith(f"{one}.") for one in read))[:60]


def missing(told: Map, rows: list[Any]) -> list[str]:
    """Paths that the document reads and no row has."""
    return [path for path in dict.fromkeys(_read_paths(told)) if all(found(row, path) is None for row in rows)] if rows else []


def _read_paths(told: Map) -> Iterator[str]:
    for name in told.runs.__struct_fields__:
        value = getattr(told.runs, name)
        if name in ("times",) or (name == "operation" and isinstance(value, str)):
            continue
        for one in value if isinstance(value, list) else [value.at if isinstance(value, Amount | Choice) else value]:
            if isinstance(one, str) and one:
                yield one


def _leaves(value: Any, path: str, depth: int = 0) -> Iterator[str]:
    if isinstance(value, dict) and depth < 6:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif path and value not in (None, "", [], {}):
        yield path


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return reading.name(str(value)) if isinstance(value, str | int) and len(str(value)) < 5_000 else None


def _joined(row: Mapping[str, Any], paths: Paths, between: str) -> str | None:
    told = [_text(found(row, path)) for path in ([paths] if isinstance(paths, str) else paths) if path]
    return reading.name(between.join(one for one in told if one)) if any(told) else None


def _words(paths: Paths) -> str:
    return paths if isinstance(paths, str) else " and ".join(paths)
