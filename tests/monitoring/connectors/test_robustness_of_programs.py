"""Whatever a tool's program prints: its connector does not raise, loses no good record beside a bad one, and stays quick."""

from __future__ import annotations

import datetime as dt
import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.connectors import CONNECTORS
from monitoring.connectors.base import Answer, Step
from tests.monitoring.connectors.test_robustness import INSTANTS, ODD, check
from tests.recordings import RECORDED

COMMANDS: dict[str, list[str | None]] = {
    "borg": ["borg create --json ::x /a", "borg list --json", "borg info --json", "borg check", "borg extract ::x", "borg prune", None],
    "pgbackrest": [
        "pgbackrest --stanza=a backup",
        "pgbackrest info --output=json",
        "pgbackrest --stanza=a verify",
        "pgbackrest restore",
        None,
    ],
    "barman": ["barman backup main", "barman -f json list-backup all", "barman check all", "barman recover main latest /x", None],
    "borgmatic": ["borgmatic create --json", "borgmatic rlist --json", "borgmatic", "borgmatic check", "borgmatic prune", None],
}
TEXTS = {
    tool: [path.read_text(errors="replace")[:20_000] for path in sorted((RECORDED / tool).glob("*/*.std*")) if path.stat().st_size]
    for tool in COMMANDS
}
OTHER: list[object] = [None, -1, 2**70, 1e308, "", "\x00", "0001-01-01T00:00:00", "9999-12-31T23:59:59", [], {}, [[]], True, "é" * 2000]
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def mutate(text: str, source: random.Random) -> str:
    """The text with pieces cut out, doubled, or replaced by values that do not belong there, perhaps cut off."""
    for _ in range(source.randrange(4)):
        start = source.randrange(len(text) + 1)
        end = min(len(text), start + source.randrange(60))
        text = text[:start] + source.choice([*ODD, "", text[start:end] * 2, "\n", "\r", "\x1b[2K"]) + text[end:]
    return text[: source.randrange(len(text) + 1)] if source.random() < 0.5 else text


def change(value: object, source: random.Random) -> object:
    """The JSON value with some values exchanged for others of any type."""
    if source.random() < 0.1:
        return source.choice(OTHER)
    if isinstance(value, dict):
        return {key: change(item, source) for key, item in value.items()}
    return [change(item, source) for item in value] if isinstance(value, list) else value


@st.composite
def outputs(draw: st.DrawFn, tool: str) -> str | None:
    kind = draw(st.sampled_from(["mutated", "swapped", "text", "none"]))
    source = random.Random(draw(st.integers(0, 2**32)))
    text = source.choice(TEXTS[tool])
    if kind == "swapped":
        try:
            return json.dumps(change(json.loads(text), source))
        except ValueError:
            return mutate(text, source)
    return mutate(text, source) if kind == "mutated" else draw(st.text(max_size=200)) if kind == "text" else None


def steps(tool: str) -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        name=st.sampled_from(["create", "list", "info", "check", "backup", "version", "list-backup", "show-backup", ""]),
        command=st.one_of(st.sampled_from(COMMANDS[tool]), st.text(max_size=60).map(lambda text: f"{tool} {text}")),
        exit_code=st.one_of(st.none(), st.sampled_from([0, 1, 2, 30, 55, 100, 127, 130, 137, -9]), st.integers()),
        started_at=INSTANTS,
        finished_at=INSTANTS,
        stdout=outputs(tool),
        stderr=outputs(tool),
        truncated=st.booleans(),
    )


@pytest.mark.parametrize("tool", COMMANDS)
def test_it_never_raises(tool: str) -> None:
    @QUICK
    @given(
        kind=st.sampled_from(["poll", "push"]),
        found=st.lists(steps(tool), max_size=4),
        host=st.one_of(st.none(), st.text(max_size=20)),
        zone=st.one_of(st.sampled_from(["UTC", "Europe/Berlin"]), st.text(max_size=12)),
        meta=st.dictionaries(st.sampled_from(["repository", "known_empty", "shown"]), st.text(max_size=80)),
    )
    def never_raises(kind: str, found: list[Step], host: str | None, zone: str, meta: dict[str, str]) -> None:
        check(CONNECTORS[tool].read(Answer(kind=kind, steps=found, host=host, zone=zone, meta=meta)))  # type: ignore[arg-type]

    never_raises()


@pytest.mark.parametrize("tool", COMMANDS)
@pytest.mark.parametrize("piece", ["x", "{", "[", '{"archives": [', "a\n", "'", '"', "\x00", "/a: b: [Errno ", "ERROR: x\n", "P00 ", ": "])
def test_it_reads_megabytes_of_anything_in_seconds(tool: str, piece: str) -> None:
    body = (piece * (4_000_000 // len(piece) + 1))[:4_000_000]
    began, used_s = dt.datetime.now(dt.UTC), time.process_time()
    ran = [Step(name="", command=command, exit_code=1, started_at=began, stdout=body, stderr=body) for command in COMMANDS[tool][:2]]
    check(CONNECTORS[tool].read(Answer(kind="push", steps=ran, host="h")))

    assert time.process_time() - used_s < 60  # of this process alone: a busy machine must not fail it


@pytest.mark.parametrize("tool", COMMANDS)
def test_it_has_recordings_to_work_on(tool: str) -> None:
    assert len(TEXTS[tool]) > 10
