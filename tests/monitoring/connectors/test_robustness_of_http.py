"""Readers of tools over HTTP take anything: never a traceback, never a guess."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.connectors import CONNECTORS
from monitoring.connectors.base import Answer, Step
from tests.monitoring.connectors.test_robustness import QUICK, check
from tests.recordings import RECORDED
from tests.standins import LISTS

KINDS = sorted(each.kind for each in LISTS)
DOCUMENTS = {kind: [json.loads(path.read_text()) for path in sorted((RECORDED / kind).rglob("[0-9]*.json"))] for kind in KINDS}
NAMES = ["sessions", "tasks", "snapshots main", "snapshots ", "backups", "restores", "events", "backup-jobs", "copy-jobs", "restore-jobs"]
JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**63,
        10**30,
        1e308,
        "",
        "\x00",
        "x" * 600,
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        [],
        {},
        [[]],
        "é" * 300,
    ]
)


@st.composite
def mutated(draw, kind: str) -> str:
    source = draw(st.randoms(use_true_random=False))

    def change(value):
        if source.random() < 0.08:
            return draw(JUNK)
        if isinstance(value, dict):
            return {key: change(item) for key, item in value.items() if source.random() > 0.05}
        return [change(item) for item in value] if isinstance(value, list) else value

    return json.dumps(change(source.choice(DOCUMENTS[kind])))


@pytest.mark.parametrize("kind", KINDS)
def test_it_never_raises(kind):
    body = st.one_of(st.none(), mutated(kind), st.text(max_size=200), st.just("[" * 5000), st.just('{"data":[{"id":1e999}]}'))
    step = st.builds(
        Step,
        name=st.sampled_from(NAMES),
        command=st.one_of(st.none(), st.just("GET https://h/x"), st.text(max_size=40)),
        exit_code=st.one_of(st.none(), st.sampled_from([200, 204, 302, 401, 410, 429, 500]), st.integers(-5, 999)),
        stdout=body,
        stderr=st.one_of(st.none(), st.text(max_size=40)),
        headers=st.one_of(st.none(), st.dictionaries(st.sampled_from(["content-type", "retry-after"]), st.text(max_size=20))),
    )
    meta = st.dictionaries(st.sampled_from(["ended", "at", "latest", "stopped", "partially_failed"]), st.text(max_size=30))

    @QUICK
    @given(st.sampled_from(["poll", "push"]), st.lists(step, max_size=4), meta)
    def run(answer_kind, steps, told):
        check(CONNECTORS[kind].read(Answer(kind=answer_kind, steps=steps, meta=told)))

    run()


@pytest.mark.parametrize("kind", KINDS)
def test_it_reads_what_it_is_given_before_it_is_broken(kind):
    steps = [Step(name=name, exit_code=200, stdout=json.dumps(one)) for one in DOCUMENTS[kind] for name in NAMES]
    assert len(CONNECTORS[kind].read(Answer(kind="push", steps=steps)).records) >= 5
