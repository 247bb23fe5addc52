"""Prometheus: recorded answers, what metrics mean, and the real server."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.connectors.base import Answer, Reading, Step
from monitoring.connectors.prometheus import ROLES, Prometheus
from monitoring.normalising_files import normalised
from tests.monitoring.connectors.test_bacula_polling import free_ports
from tests.monitoring.connectors.test_robustness import check
from tests.monitoring.connectors.test_robustness_of_programs import change, mutate
from tests.recordings import RECORDED, blinded, cases, truth
from tests.toolserver import Asked, Says, ask, tool_server

TEXTS = [path.read_text() for path in sorted((RECORDED / "prometheus").glob("*/*.json")) if path.name != "case.json"]
GOOD, LATER = 1783992600, 1784079000  # 2026-07-14 and 15, 01:30 UTC


@pytest.mark.tested("recorded", "prometheus")
@pytest.mark.parametrize("case", cases("prometheus"), ids=lambda case: case.name)
def test_it_reads_recorded_answers_as_what_was_pushed(case: Path, tmp_path: Path) -> None:
    records, told = list(normalised("prometheus", blinded(case, tmp_path))), truth(case)

    assert not [record for record in records if "quarantined" in record]
    assert {record["job_external_id"] for record in records} == {
        f"instance={each['instance']} job={each['job']} service={each['service']}" for each in told["pushed"]
    }
    for each in told["pushed"]:
        own = [record for record in records if record["target_name"] == each["instance"]]
        assert own[-1]["outcome"] == ("failed" if each["exit_code"] else "success")
        assert own[-1]["bytes_source"] == (None if each["bytes"] == "NaN" else each["bytes"])
        assert own[-1]["duration_s"] == each["duration_s"]
        assert [record["outcome"] for record in own].count("success") == 1


def vector(value: Any, **labels: str) -> str:
    rows = [] if value is None else [{"metric": labels or {"instance": "db01"}, "value": [LATER, str(value)]}]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}})


def poll(**values: Any) -> Reading:
    steps = [Step(name=role, exit_code=200, stdout=vector(values.get(role))) for role in ROLES]
    return Prometheus().read(Answer(kind="poll", steps=steps, meta={"ended": "yes"}))


def test_it_makes_a_run_only_when_the_time_changes() -> None:
    first, again, next_one = (poll(success=at).records[0] for at in (GOOD, GOOD, LATER))

    assert first.identity == again.identity != next_one.identity
    assert (first.outcome, first.consistent_at, first.operation) == ("success", first.ended_at, "backup")


def test_it_tells_the_data_of_the_start_where_the_duration_is_known() -> None:
    record = poll(success=GOOD, duration=60).records[0]

    assert record.consistent_at == record.started_at != record.ended_at
    assert record.duration_s == 60


def test_it_tells_a_failed_attempt_beside_the_last_good_one() -> None:
    good, failed = poll(success=GOOD, attempt=LATER, exit_code=3, bytes=7, duration=60).records

    assert (good.outcome, good.bytes_source, good.duration_s) == ("success", None, None)  # figures are those of the attempt
    assert (failed.outcome, failed.exit_code, failed.bytes_source, failed.consistent_at) == ("failed", 3, 7, None)


@pytest.mark.parametrize(("exit_code", "attempt"), [(1, None), (1, GOOD - 5), (None, LATER), (0, LATER)])
def test_it_never_guesses_an_attempt(exit_code: Any, attempt: Any) -> None:
    assert [record.outcome for record in poll(success=GOOD, exit_code=exit_code, attempt=attempt).records] == ["success"]


@pytest.mark.parametrize("value", [0, -1, "NaN", "+Inf", "1e300", "x"])
def test_it_takes_no_value_for_no_time(value: Any) -> None:
    told = poll(success=value)

    assert told.records == []


def test_no_series_is_not_nothing_to_report() -> None:
    told = poll()

    assert not told.complete
    assert "gives no series" in told.problems[0]


REACHED = {"user": "mon", "success": "my_last_success"}


def test_it_asks_what_was_set_and_keeps_no_secret() -> None:
    with tool_server(lambda asked: Says(body=vector(GOOD))) as server:
        answer = ask(Prometheus(), settings={"address": server.address, **REACHED}, secrets={"password": "correct horse 4711"})
        told = Prometheus().read(answer)

    assert [asked.query["query"] for asked in server.asked] == ["my_last_success", *list(ROLES.values())[1:]]
    assert all(asked.headers["authorization"].startswith("Basic ") for asked in server.asked)
    assert (told.complete, len(told.records)) == (True, 1)
    assert "correct horse" not in repr(answer)
    assert server.asked[0].headers["authorization"].partition(" ")[2] not in repr(answer)


FAULTS = {
    "It said: parse error": Says(400, {"status": "error", "errorType": "bad_data", "error": "parse error"}),
    "refuses the sign-in": Says(401, "no", kind="text/plain"),
    "an error of its own": Says(503, "starting"),
    "text/html where JSON": Says(200, "<html>", kind="text/html"),
    "cut off or damaged": Says(200, '{"status": "succ'),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_is_told_in_a_sentence(words: str) -> None:
    def replies(asked: Asked) -> Says:
        return FAULTS[words] if asked.query["query"] == ROLES["exit_code"] else Says(body=vector(GOOD))

    with tool_server(replies) as server:
        told = Prometheus().read(ask(Prometheus(), settings={"address": server.address}))

    assert words in " ".join(told.problems)
    assert (told.complete, len(told.records)) == (False, 1)  # what was told before stays


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.sampled_from(["poll", "push"]), st.text(max_size=60))
def test_it_never_raises(source: Any, kind: Any, text: str) -> None:
    steps = []
    for role in [*ROLES, "x"]:
        body = source.choice(TEXTS)
        said = source.choice([json.dumps(change(json.loads(body), source)), mutate(body, source), text, None])
        steps.append(Step(name=role, exit_code=source.choice([200, 400, None]), stdout=said))
    check(Prometheus().read(Answer(kind=kind, steps=steps, meta={"ended": "yes"})))


@pytest.mark.real_tool("prometheus")
@pytest.mark.tested("live", "prometheus")
def test_the_real_server_answers(tmp_path: Path) -> None:
    metrics = 'backup_last_success_timestamp_seconds{service="wiki"} 1783992600\nbackup_last_exit_code{service="wiki"} 0\n'
    (port,) = free_ports(1)
    with tool_server(lambda asked: Says(body=metrics, kind="text/plain; version=0.0.4")) as target:
        host = target.address.partition("//")[2]
        (tmp_path / "prometheus.yml").write_text(
            f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: scripts, static_configs: [{{targets: ['{host}']}}]}}]\n"
        )
        argv = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        server = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        try:
            told, ends_at = Reading(), time.monotonic() + 60
            early = None
            while not told.complete and time.monotonic() < ends_at:
                told = Prometheus().read(ask(Prometheus(), settings={"address": f"http://127.0.0.1:{port}"}))
                early = early or told
                time.sleep(0.3)
            wrong = Prometheus().read(ask(Prometheus(), settings={"address": f"http://127.0.0.1:{port}", "success": "backup_("}))
        finally:
            server.kill()
            server.wait()

    assert early is not None and not early.complete and early.problems  # not up, or nothing scraped yet
    (record,) = told.records
    assert (record.outcome, record.job_external_id) == ("success", f"instance={host} job=scripts service=wiki")
    assert record.ended_at is not None and record.ended_at.timestamp() == GOOD
    assert "parse error" in " ".join(wrong.problems)
