"""What a tool says by itself: every attribute of its last full answer, with the job that it speaks of where that can be told."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as part
from typing import Any

from monitoring import answers
from monitoring.connectors import reader_of
from monitoring.connectors.base import Answer, Reading, Step
from monitoring.models import RawAnswer, Tool, ToolState

LOOK_BACK, MOST_ATTRIBUTES, MOST_VALUES = 5, 300, 50_000


@dataclass
class Attribute:
    """One native attribute: its path, and each value with the job it belongs to (None: the whole tool)."""

    path: str
    values: list[tuple[Any, str | None]] = part(default_factory=list)

    def of(self, job: str | None) -> list[Any]:
        """The values that speak of this job, or of the whole tool; all of them for None."""
        return [value for value, owner in self.values if job is None or owner in (job, None)]


@dataclass(frozen=True)
class Told:
    """The answer that was looked at, when it came, and what is in it by path."""

    answer_id: int
    at: dt.datetime
    attributes: Mapping[str, Attribute]


def told_by(tool: Tool, at: dt.datetime) -> Told | None:
    """The newest answer that was full, or else the newest of all, received until `at`; None when none is kept."""
    rows = RawAnswer.objects.filter(tool_id=tool.pk, received_at__lte=at).values_list("pk", "received_at")
    newest = None
    for pk, received_at in [*rows.order_by("-received_at")[:LOOK_BACK], *_latest_full(tool, rows)]:
        _, answer = answers.open_answer(pk)
        reading = reader_of(answer.kind, tool.kind).read(answer)
        if reading.complete or newest is None:
            newest = Told(pk, received_at, attributes_of(answer, reading))
        if reading.complete:
            break
    return newest


def _latest_full(tool: Tool, rows: Any) -> Any:
    """The answer that was the latest full one when the tool fell silent; none for a tool that is never asked."""
    full_at = ToolState.objects.filter(tool=tool).values_list("latest_complete_at", flat=True).first()
    return rows.filter(received_at__gte=full_at).order_by("received_at")[:1] if full_at else ()


def attributes_of(answer: Answer, reading: Reading) -> dict[str, Attribute]:
    """Every attribute of the answer. An element of a list speaks of the job whose artefact or run it names."""
    owners = {name: one.job_external_id for one in reading.records for name in (one.artefact_id, one.external_id) if name}
    found: dict[str, Attribute] = {}
    count = 0
    for step in answer.steps:
        for path, value, owner in _walk(_content(step), step.name, None, owners):
            if path not in found and len(found) >= MOST_ATTRIBUTES:
                continue
            found.setdefault(path, Attribute(path)).values.append((value, owner))
            count += 1
            if count >= MOST_VALUES:
                return found
    return found


def _content(step: Step) -> Any:
    """The step's output as JSON, as JSON lines, or its first line."""
    text = (step.stdout or "").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    lines = [line for line in text.splitlines() if line.startswith("{")]
    try:
        return [json.loads(line) for line in lines] if lines else text[:200].partition("\n")[0]
    except (ValueError, RecursionError):
        return text[:200].partition("\n")[0]


def _walk(value: Any, path: str, owner: str | None, owners: Mapping[str, str]) -> Iterator[tuple[str, Any, str | None]]:
    if isinstance(value, dict):
        named = (owners.get(each) for each in value.values() if isinstance(each, str))
        owner = next((job for job in named if job), owner)
        for key, each in value.items():
            yield from _walk(each, f"{path}.{key}", owner, owners)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each, f"{path}[]", owner, owners)
    elif value not in (None, ""):
        yield path, value, owner
