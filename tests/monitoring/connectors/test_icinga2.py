"""Icinga 2: recorded answers and events, and what the states of services mean."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring import intake
from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.icinga2 import FILTER, Icinga2
from monitoring.models import BackupRun, RunRevision
from monitoring.normalising_files import normalised
from tests.factories import make_tool
from tests.monitoring.connectors.test_robustness import check
from tests.monitoring.connectors.test_robustness_of_programs import change, mutate
from tests.recordings import RECORDED, START, blinded, cases, truth
from tests.toolserver import Says, ask, tool_server

ICINGA = RECORDED / "icinga2" / "passive-backup-checks"
TEXTS = [path.read_text() for path in sorted(ICINGA.glob("*.json*")) if path.name != "case.json"]
OUTCOMES = {0: "success", 1: "warning", 2: "failed", 3: "unknown"}
AT = START.timestamp()


@pytest.mark.tested("recorded", "icinga2")
@pytest.mark.parametrize("case", cases("icinga2"), ids=lambda case: case.name)
def test_it_reads_recorded_answers_as_what_was_sent(case: Path, tmp_path: Path) -> None:
    records, told = list(normalised("icinga2", blinded(case, tmp_path))), truth(case)

    assert not [record for record in records if "quarantined" in record]
    found = {record["job_external_id"].partition("!")[2]: record for record in records}
    assert len(records) == len(found) == len(told["states"])
    for service, state in told["states"].items():
        wanted = ("finished", OUTCOMES[state]) if isinstance(state, int) else ("queued", None)
        assert (found[service]["state"], found[service]["outcome"]) == wanted
    assert [name for name, record in found.items() if "soft" in record["native_status"]] == told["soft_states"]
    assert [name for name, record in found.items() if "acknowledged" in record["native_status"]] == told["acknowledged"]
    assert [name for name, record in found.items() if "in downtime" in record["native_status"]] == told["in_downtime"]
    assert {record["operation"] for record in records} == {"other"}


def test_an_event_and_the_state_it_led_to_are_one_record() -> None:
    events, services = (list(normalised("icinga2", ICINGA / name)) for name in ("event-stream.jsonl", "objects-services.json"))
    keys = {line["idempotency_key"] for line in services if line["state"] == "finished"}

    assert [line["job_external_id"] for line in events] == ["wiki01!backup-db"]  # of the others no change of state was told
    assert {line["idempotency_key"] for line in events} < keys


def service(name: str = "db01!backup", state: Any = 0, **more: Any) -> dict[str, Any]:
    result = {"state": state, "execution_start": AT, "execution_end": AT + 90, "output": "it said so"}
    attrs = {"state": state, "state_type": 1, "last_check_result": result, "last_state_change": AT + 90, **more}
    return {"type": "Service", "name": name, "attrs": attrs}


def poll(*services: Any, backups: str = "", exit_code: int = 200) -> Reading:
    step = Step(name="services", command="POST https://h:5665/v1", exit_code=exit_code, stdout=json.dumps({"results": services}))
    return Icinga2().read(Answer(kind="poll", steps=[step], meta={"ended": "yes", "backups": backups}))


@pytest.mark.parametrize("state", [0, 1.0, 2, 3])
def test_it_judges_by_the_state(state: float) -> None:
    (record,) = poll(service(state=state)).records

    assert (record.outcome, record.operation, record.consistent_at) == (OUTCOMES[int(state)], "other", None)


def test_a_state_that_lasts_is_one_record() -> None:
    first = poll(service(state=2)).records[0]
    later = service(state=2, last_check_result={"state": 2, "execution_start": AT + 300, "execution_end": AT + 300})

    assert poll(later).records[0].identity == first.identity


def test_results_are_backups_only_where_that_was_said() -> None:
    good, bad = service("db01!dump"), service("db02!dump", 2)
    told = poll(good, bad, service("db01!backup"), backups="x, *!dump")

    assert [(record.operation, record.outcome, record.consistent_at) for record in told.records] == [
        ("backup", "success", START),
        ("backup", "failed", None),
        ("other", "success", None),
    ]
    assert told.records[0].duration_s == 90


def test_a_failure_before_the_latest_result_is_known_without_its_words() -> None:
    row = service("db01!dump", last_state_critical=AT + 30.25, last_state_ok=AT + 90, last_state_warning=0, last_state_unknown=None)
    latest, earlier = sorted(poll(row, backups="*").records, key=lambda record: record.evidence_kind)

    assert (latest.outcome, latest.native_message) == ("success", "it said so")
    assert (earlier.outcome, earlier.operation, earlier.evidence_kind) == ("failed", "backup", "derived")
    assert (earlier.started_at, earlier.consistent_at, earlier.native_message) == (None, None, None)
    assert earlier.ended_at == earlier.created_at == START + dt.timedelta(seconds=30.25)
    assert [record.operation for record in poll(row).records] == ["other"]  # states that count as no backup have no runs to miss


@pytest.mark.django_db
def test_what_was_told_in_full_is_not_told_again_with_less() -> None:
    tool = make_tool("icinga2", at=START, settings={"address": "https://h:5665", "user": "reader"})
    failed = service("db01!dump", 2, last_state_critical=AT + 90)
    later = {"state": 0, "execution_start": AT + 600, "execution_end": AT + 660, "output": "fine"}
    good = service("db01!dump", 0, last_check_result=later, last_state_critical=AT + 90, last_state_ok=AT + 660)
    for minutes, row in ((2, failed), (12, good), (13, good)):
        step = Step(name="services", command="POST https://h:5665/v1", exit_code=200, stdout=json.dumps({"results": [row]}))
        answer = Answer(kind="poll", steps=[step], meta={"ended": "yes", "backups": "*"})
        intake.receive(tool=tool, answer=answer, at=START + dt.timedelta(minutes=minutes))

    runs = BackupRun.objects.order_by("occurred_at")
    assert [(run.outcome, run.message, run.evidence_kind) for run in runs] == [
        ("failed", "it said so", "alert"),
        ("success", None, "alert"),
    ]
    assert [run.occurred_at for run in runs] == [START, START + dt.timedelta(minutes=10)] and not RunRevision.objects.exists()


def test_a_service_that_was_never_checked_says_nothing() -> None:
    told = poll(service(last_check_result=None, last_check=-1, next_check=AT))

    assert (told.complete, told.records, told.job_ids) == (True, [], ["db01!backup"])


@pytest.mark.parametrize(
    "bad",
    [{"type": "Service"}, service("nameless"), service(state=7), service(state=None), service(last_state_change=0, last_check_result={})],
)
def test_it_keeps_the_good_beside_the_bad(bad: Any) -> None:
    told = poll(bad, service("db02!backup"))

    assert ([record.target_name for record in told.records], len(told.rejects), told.complete) == (["db02"], 1, False)


def test_no_service_is_not_all_well() -> None:
    assert "No service fits" in poll().problems[0]


def test_it_asks_with_the_filter_and_keeps_no_secret() -> None:
    with tool_server(lambda asked: Says(body={"results": [service()]})) as server:
        given_settings = {"address": server.address, "user": "backup-reader"}
        answer = ask(Icinga2(), settings=given_settings, secrets={"password": "correct horse 4711"})
        told = Icinga2().read(answer)

    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["x-http-method-override"]) == ("POST", "/v1/objects/services", "GET")
    assert asked.json["filter"] == FILTER
    assert told.complete
    assert "correct horse" not in repr(answer)
    assert asked.headers["authorization"].partition(" ")[2] not in repr(answer)


FAULTS = {
    "refuses the sign-in (401)": Says(401, {"error": 401, "status": "Unauthorized. Please check your user credentials."}),
    "permission objects/query/Service": Says(404, {"error": 404, "status": "No objects found."}),
    "an error of its own": Says(500, "x"),
    "broke off": Says(200, {"results": [service()] * 20}, half=True),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_is_told_in_a_sentence(words: str) -> None:
    with tool_server(lambda asked: FAULTS[words]) as server:
        told = Icinga2().read(ask(Icinga2(), settings={"address": server.address, "user": "u"}, secrets={"password": "p"}))

    assert words in " ".join(told.problems)
    assert (told.complete, told.records) == (False, [])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False), st.sampled_from(["poll", "push"]), st.text(max_size=60), st.sampled_from(["", "*", "*!backup-db"])
)
def test_it_never_raises(source: Any, kind: Any, text: str, backups: str) -> None:
    body = source.choice(TEXTS)
    lines = [json.dumps(change(json.loads(line), source)) for line in body.splitlines() if line[:1] == "{"]
    said = source.choice(["\n".join(lines), mutate(body, source), text])
    check(Icinga2().read(Answer(kind=kind, steps=[Step(name="services", exit_code=200, stdout=said)], meta={"backups": backups})))


def event(service: str, at: float, state: int = 0) -> str:
    result = {"state": state, "execution_start": at - 60, "execution_end": at, "output": f"result of {at:g}"}
    return json.dumps({"type": "CheckResult", "host": "db01", "service": service, "check_result": result}) + "\n"


def listened(*streams: Says, results: Any = None, **more: str) -> tuple[Reading, list[Any]]:
    """A round whose stream gives these answers one after the other, each broken off at its end."""
    left = list(streams)

    def replies(asked: Any) -> Says:
        if asked.path == "/v1/events":
            return left.pop(0)
        return Says(body={"results": [service("db01!backup", last_state_change=AT)] if results is None else results})

    with tool_server(replies) as server:
        settings = {"address": server.address, "user": "u", "backups": "*", "listen_s": str(len(streams)), **more}
        return Icinga2().read(ask(Icinga2(), settings=settings, secrets={"password": "x"})), server.asked


def test_a_stream_that_breaks_off_is_opened_again_and_what_came_meanwhile_is_asked_for() -> None:
    cut = event("backup", AT + 400)[:-20]
    streams = Says(body=event("backup", AT + 200) + cut), Says(body=event("backup", AT + 300), half=False)
    told, asked = listened(*streams)

    assert [each.path for each in asked] == ["/v1/objects/services", *["/v1/events", "/v1/objects/services"] * 2]
    assert (told.complete, told.rejects, told.problems) == (True, [], [])
    assert [record.ended_at.timestamp() for record in told.records if record.ended_at] == [AT + 90, AT + 200, AT + 300]
    queue = json.loads(asked[1].body)
    assert (queue["types"], queue["filter"]) == (["CheckResult", "StateChange"], 'match("*backup*", event.service)')
    assert asked[1].headers["x-http-method-override"] == "POST"


def test_it_gives_up_a_stream_that_ends_again_and_again() -> None:
    told, asked = listened(*[Says(body="")] * 9)

    assert [each.path for each in asked].count("/v1/events") == 5
    assert told.complete  # all that is known was asked for


def test_a_stream_that_goes_on_ends_when_its_time_is_over() -> None:
    drip = Says(body=event("backup", AT + 200) + " " * 200, slow_s=0.05)
    began = time.monotonic()
    told, _ = listened(drip, Says(body=""), listen_s="2")

    assert 2 <= time.monotonic() - began < 8
    assert told.complete


@pytest.mark.parametrize("listen_s", ["", "0", "-3", "soon", "1e3", "9" * 12])
def test_it_listens_only_when_that_is_set(listen_s: str) -> None:
    _, asked = listened(listen_s=listen_s)

    assert [each.path for each in asked] == ["/v1/objects/services"]


def test_a_stream_that_is_refused_is_told() -> None:
    told, _ = listened(Says(status=403, body={"error": 403}))

    assert not told.complete
    assert "events/CheckResult" in " ".join(told.problems)
