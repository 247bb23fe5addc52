"""Whatever comes in: no connector raises, and what comes out can be stored and reckoned with."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.ping import Ping
from monitoring.connectors.ping_paths import PingAddress, PingRefusal, read_address
from monitoring.connectors.restic import Restic
from monitoring.connectors.restic_output import read_exit_error, read_output, read_summary
from tests.recordings import RECORDED

TEXTS = [path.read_text(errors="replace")[:20_000] for path in sorted((RECORDED / "restic").glob("*/*.std*")) if path.stat().st_size]
COMMANDS = [
    "restic backup --json /srv/a",
    "restic snapshots --json",
    "restic check --json",
    "restic restore latest",
    "restic cat config",
    "restic forget",
    "sh -c 'x'",
    None,
]
ODD = [
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    '"\\u0000"',
    "[]",
    "{}",
    '"0001-01-01T00:00:00Z"',
    '"x"',
    "true",
    "NaN",
    "\x00",
    "\ud800",
]
INSTANTS = st.one_of(
    st.none(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=23)), dt.timezone(-dt.timedelta(hours=23))])),
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A recorded output with pieces cut out, doubled, or replaced by values that do not belong there."""
    text = draw(st.sampled_from(TEXTS))
    source = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 4))):
        start = source.randrange(len(text) + 1)
        end = min(len(text), start + source.randrange(60))
        text = text[:start] + source.choice([*ODD, "", text[start:end] * 2, "\n", "\r", "\x1b[2K"]) + text[end:]
    return text[: source.randrange(len(text) + 1)] if draw(st.booleans()) else text


@st.composite
def swapped(draw: st.DrawFn) -> str:
    """A recorded JSON document in which some values were exchanged for others of any type."""
    documents = []
    for text in TEXTS:
        try:
            documents.append(json.loads(text))
        except ValueError:
            continue
    source = random.Random(draw(st.integers(0, 2**32)))
    other: list[object] = [
        None,
        -1,
        2**70,
        1e308,
        "",
        "\x00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59+00:00",
        [],
        {},
        [[]],
        True,
        "é" * 2000,
    ]

    def change(value: object) -> object:
        if source.random() < 0.1:
            return source.choice(other)
        if isinstance(value, dict):
            return {key: change(item) for key, item in value.items()}
        return [change(item) for item in value] if isinstance(value, list) else value

    return json.dumps(change(source.choice(documents)))


ANY_TEXT = st.one_of(
    st.none(), mutated(), swapped(), st.text(max_size=300), st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "replace"))
)
STEPS = st.builds(
    Step,
    name=st.sampled_from(["backup", "snapshots", "cat-config", "x", ""]),
    command=st.one_of(st.sampled_from(COMMANDS), st.text(max_size=60), st.text(max_size=60).map(lambda text: f"restic backup {text}")),
    exit_code=st.one_of(st.none(), st.sampled_from([0, 1, 3, 10, 11, 12, 130, 137, -9]), st.integers()),
    started_at=INSTANTS,
    finished_at=INSTANTS,
    stdout=ANY_TEXT,
    stderr=ANY_TEXT,
    env=st.one_of(st.none(), st.dictionaries(st.just("RESTIC_REPOSITORY"), st.text(max_size=30))),
    truncated=st.booleans(),
)


def check(told: Reading) -> None:
    """What every consumer of a reading relies on."""
    for record in told.records:
        for field in record.__struct_fields__:
            value = getattr(record, field)
            if isinstance(value, dt.datetime):
                assert value.utcoffset() == dt.timedelta(0)
                assert 1990 <= value.year < 2100
            if isinstance(value, int) and field.startswith(("bytes_", "files_", "warnings_", "errors_")):
                assert 0 <= value < 2**63
            if isinstance(value, str):
                assert "\x00" not in value
        assert record.exit_code is None or abs(record.exit_code) < 2**31
        assert record.duration_s is None or record.duration_s >= 0
        assert (record.outcome is None) == (record.state != "finished")
        assert record.job_external_id and len(record.job_external_id) <= 500
        assert len((record.native_message or "").encode()) <= 65536
        assert record.started_at or record.ended_at or record.scheduled_at
        assert all(record.identity) or record.evidence_kind == "artefact"
    assert all(reject.reason for reject in told.rejects)
    msgspec.json.encode(told)


@QUICK
@given(
    kind=st.sampled_from(["poll", "push"]),
    steps=st.lists(STEPS, max_size=4),
    host=st.one_of(st.none(), st.text(max_size=20)),
    zone=st.text(max_size=12),
)
def test_it_never_raises_on_answers_about_restic(kind: str, steps: list[Step], host: str | None, zone: str) -> None:
    check(Restic().read(Answer(kind=kind, steps=steps, host=host, zone=zone)))  # type: ignore[arg-type]


@QUICK
@given(
    suffix=st.one_of(st.sampled_from(["", "start", "fail", "log", "0", "3", "255"]), st.text(max_size=6)),
    body=ANY_TEXT,
    meta=st.dictionaries(
        st.sampled_from(["rid", "sequence", "created_at", "started_at", "received_at", "profile"]),
        st.one_of(st.text(max_size=30), st.just("2026-07-14T01:30:00Z"), st.just("0001-01-01T00:00:00Z")),
    ),
    job=st.one_of(st.none(), st.text(max_size=40)),
)
def test_it_never_raises_on_pings(suffix: str, body: str | None, meta: dict[str, str], job: str | None) -> None:
    told = {"received_at": "2026-07-14T01:30:00Z", "sequence": "1", **meta, "suffix": suffix}
    check(Ping().read(Answer(kind="ping", steps=[Step(name="ping", stdout=body)], job_external_id=job, meta=told)))


@QUICK
@given(text=st.one_of(mutated(), swapped(), st.text()))
def test_it_never_raises_on_logs(text: str) -> None:
    read_output(text)
    read_summary(text)
    read_exit_error(text)


@QUICK
@given(path=st.one_of(st.text(max_size=80), st.lists(st.text(max_size=40), max_size=5).map("/".join)), rid=st.text(max_size=40))
def test_it_answers_every_address(path: str, rid: str) -> None:
    assert isinstance(read_address(path, query={"rid": rid}), PingAddress | PingRefusal)


@pytest.mark.parametrize("size", [5_000_000])
@pytest.mark.parametrize(
    "piece", ["x", "{", "[", '{"message_type":', "a\n", "Fatal: x\n", '{"message_type":"status"}\n', "'", '"', "\x00", "/ does not exist"]
)
def test_it_reads_megabytes_of_anything_in_seconds(piece: str, size: int) -> None:
    body = (piece * (size // len(piece) + 1))[:size]
    began, used_s = dt.datetime.now(dt.UTC), time.process_time()
    check(
        Ping().read(
            Answer(
                kind="ping",
                steps=[Step(name="ping", stdout=body)],
                job_external_id="j",
                meta={"received_at": began.isoformat(), "sequence": "1"},
            )
        )
    )
    check(
        Restic().read(
            Answer(kind="push", steps=[Step(name="b", command="restic backup /a", exit_code=1, started_at=began, stdout=body)], host="h")
        )
    )

    assert time.process_time() - used_s < 60  # of this process alone: a busy machine must not fail it


def test_it_has_recordings_to_work_on() -> None:
    assert len(TEXTS) > 60
    assert Path(RECORDED, "ping").is_dir()
