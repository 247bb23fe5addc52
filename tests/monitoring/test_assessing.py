"""Trying tools: a scorecard from what was declared and what came back, kept with its day; weights; days of asking."""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest
from django.db import DatabaseError, transaction

from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.http.addresses import Allowed
from monitoring import assessing, polling, scoring
from monitoring.connectors import CONNECTORS
from monitoring.connectors.capabilities import CAPABILITIES, declare, full
from monitoring.connectors.map_document import parsed, shipped
from monitoring.connectors.mapped import declared_by
from monitoring.models import Assessment, BackupRun, RawAnswer, ToolDay
from monitoring.scoring import Found
from tests.catalogue.makers import make_user
from tests.factories import make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot, take_reading
from tests.toolserver import Says, tool_server

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def mona(db):
    return make_user("mona", "monitoring.view_tool", "monitoring.poll_tool", "monitoring.change_capabilityweights")


def seen(trial):
    return {line.name: line for line in assessing.lines_of(trial)}


def test_every_connector_and_every_map_answers_all_seven_questions():
    for kind, connector in CONNECTORS.items():
        assert list(connector.capabilities) == list(CAPABILITIES), kind
        assert all(one.words.endswith(".") for one in connector.capabilities.values()), kind
    for name, text in shipped().items():
        assert set(declared_by(parsed(text))) == set(CAPABILITIES), name
    with pytest.raises(ValueError, match="no capability speed"):
        declare(speed=full("Fast."))
    assert declare()["read_runs"].level == "none"


def test_a_score_counts_what_was_shown_in_full_and_what_is_declared_at_half():
    lines = [
        Found(name="read_runs", declared="full", declared_words="", seen="part"),
        Found(name="verify_data", declared="full", declared_words=""),
        Found(name="write_back", declared="none", declared_words=""),
    ]
    weights = {"read_runs": 4, "verify_data": 2, "write_back": 2}
    assert scoring.score(lines, weights) == pytest.approx(100 * (4 * 0.5 + 2 * 0.5) / 8)
    assert scoring.score(lines, {"read_runs": 4}) == 50.0
    assert scoring.score(lines, {}) is None


@pytest.mark.real_tool("restic")
def test_a_real_repository_is_asked_twice_and_shows_what_it_can(tmp_path, mona, noon):
    at = dt.datetime.now(dt.UTC)
    repository, data = tmp_path / "repo", tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a" * 1000)
    env = {"RESTIC_PASSWORD": "right", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for argv in (["init"], ["backup", str(data)], ["backup", str(data)]):
        subprocess.run(["restic", "-r", str(repository), *argv], env=env, check=True, capture_output=True)
    tool = make_tool("restic", at=at - DAY, name="vault", settings={"repository": str(repository)}, secrets={"password": "right"})
    trial = assessing.assess(tool=tool, by=mona, at=at)
    found = seen(trial)
    assert trial.complete and trial.source == "live" and trial.tool_version
    assert [one["name"] for one in trial.asked] == ["version", "cat-config", "snapshots"] * 2, "asked twice"
    assert all(one["good"] and one["took_s"] > 0 for one in trial.asked) and "right" not in str(trial.asked)
    assert (found["read_runs"].seen, found["read_runs"].seen_words) == ("part", "2 runs: 2 success.")
    assert found["incremental"].seen == "none" and "2 of 2 runs came again" in found["incremental"].seen_words
    assert found["authentication"].seen == "full" and found["rate_limits"].seen == "full"
    assert found["read_schedules"].seen == "none" and found["verify_data"].seen is None
    assert not BackupRun.objects.exists() and not RawAnswer.objects.exists(), "a trial stores nothing of what was said"

    tool.secrets = {"password": "wrong"}
    refused = assessing.assess(tool=tool, by=mona, at=at + HOUR)
    assert not refused.complete and refused.problems and seen(refused)["authentication"].seen == "none"
    assert float(refused.score) < float(trial.score)
    assert [one["good"] for one in refused.asked] == [True, False]
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Assessment.objects.filter(pk=trial.pk).update(score=100)


ROWS = {"runs": [{"id": n, "job": "nightly", "state": state, "begun": f"2026-07-1{n}T01:00:00Z"} for n, state in ((1, "done"), (2, "bad"))]}
MAP = """
map: 1
product: Example
sign_in: {kind: header, value: "Bearer {secret}"}
list: {path: /runs, query: {since: "{since}"}, items: runs}
runs: {id: id, job: job, status: state, started_at: begun}
statuses: {done: success, bad: failed}
"""


@pytest.mark.django_db
def test_a_tool_over_http_shows_that_it_goes_on_and_that_the_way_is_open(mona, noon, settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    author, approver = make_user("ann", "monitoring.add_toolmap"), make_user("bob", "monitoring.approve_toolmap", "monitoring.view_toolmap")
    from monitoring import mapping

    mapping.approve(row=mapping.draft(name="example", document=MAP, by=author, at=noon, reason="new"), by=approver, at=noon, reason="ok")
    asked = []

    def says(request):
        asked.append(request)
        return Says(body=ROWS if len(asked) == 1 else {"runs": ROWS["runs"][1:]})

    with tool_server(says) as server:
        tool = make_tool("mapped", at=noon, name="ex", settings={"map": "example", "address": server.address}, secrets={"secret": "s3cret"})
        trial = assessing.assess(tool=tool, by=mona, at=noon + DAY)
    found = seen(trial)
    assert len(asked) == 2 and "s3cret" not in str(trial.asked)
    assert found["read_runs"].seen == "full" and "1 failed" in found["read_runs"].seen_words
    assert found["incremental"].seen == "full" and "1 of 2 runs came again" in found["incremental"].seen_words
    assert found["authentication"].seen == "part" and "use https" in found["authentication"].missing
    assert found["read_schedules"].declared == "none"


@pytest.mark.django_db
def test_a_tool_that_asks_for_fewer_questions_is_told_so(mona, noon, settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    with tool_server(lambda asked: Says(status=429, headers={"Retry-After": "0"}, body={"message": "slow down"})) as server:
        tool = make_tool("velero", at=noon, name="k8s", settings={"address": server.address}, secrets={"token": "t"})
        trial = assessing.assess(tool=tool, by=mona, at=noon + DAY)
    found = seen(trial)
    assert not trial.complete and found["rate_limits"].seen == "part" and "asked for fewer" in found["rate_limits"].seen_words
    assert "fewer questions (429" in trial.asked[0]["came_back"]


@pytest.mark.django_db
def test_a_tool_that_reports_by_itself_is_judged_by_its_answers(mona, noon):
    tool = make_tool("push", at=noon - DAY, name="scripts")
    assert not assessing.assess(tool=tool, by=mona, at=noon).complete, "nothing has come yet"
    push(tool, run_record("nightly", "failed", noon), run_record("nightly", "success", noon - HOUR), at=noon)
    trial = assessing.assess(tool=tool, by=mona, at=noon + HOUR)
    found = seen(trial)
    assert (trial.source, trial.complete, trial.asked) == ("kept", True, [])
    assert found["read_runs"].seen == "full" and "1 failed" in found["read_runs"].seen_words
    assert found["read_schedules"].seen == "none", "declared, and no run said it"
    assert found["authentication"].seen is None, "nobody was asked"


@pytest.mark.django_db
def test_who_may_not_ask_the_tool_may_not_try_it(noon):
    tool = make_tool("push", at=noon - DAY, name="scripts")
    with pytest.raises(NotAllowed, match="may not test the connection"):
        assessing.assess(tool=tool, by=make_user("reader", "monitoring.view_tool"), at=noon)
    assert not Assessment.objects.exists()


@pytest.mark.django_db
def test_weights_are_set_by_monitoring_administrators_with_a_reason(mona, noon):
    given = {**assessing.weights(), "read_runs": 10, "write_back": 0}
    for wrong, message in (({**given, "read_runs": 11}, "whole number"), (dict.fromkeys(given, 0), "Something must weigh")):
        with pytest.raises(NotReady, match=message):
            assessing.set_weights(given=wrong, by=mona, at=noon, reason="x")
    with pytest.raises(NotReady, match="Say why"):
        assessing.set_weights(given=given, by=mona, at=noon, reason=" ")
    with pytest.raises(NotAllowed):
        assessing.set_weights(given=given, by=make_user("other"), at=noon, reason="x")
    row = assessing.set_weights(given=given, by=mona, at=noon, reason="Failures matter most")
    assert assessing.weights() == given
    assert (row.history.latest().history_user, row.history.latest().history_change_reason) == (mona, "Failures matter most")


@pytest.mark.django_db
def test_days_tell_rounds_failures_load_and_how_late_runs_were_known(noon):
    tool = make_tool("restic", at=noon - DAY, name="vault", settings={"repository": "/srv/vault"})
    take_reading(tool, poll_answer(snapshot(noon - DAY)), at=noon - 2 * HOUR)
    told = {"first": poll_answer(snapshot(noon - DAY), snapshot(noon - HOUR)), "second": no_answer()}
    answers = {name: {step.name: step for step in answer.steps} for name, answer in told.items()}

    def runner(which):
        return lambda name, argv, *, env, timeout_s: answers[which][name]

    polling.poll(tool=tool, at=noon, run=runner("first"))
    polling.poll(tool=tool, at=noon + HOUR, run=runner("second"))
    day = ToolDay.objects.get(tool=tool)
    assert (day.rounds, day.failures, day.exchanges) == (2, 1, 5)
    assert day.size_bytes > 200 and "unable to open config file" in day.problem
    assert (day.runs_known, day.delay_s, day.longest_delay_s) == (1, 3600.0, 3600.0), "the copy of an hour ago, new since the full round"
    polling.poll(tool=tool, at=noon + DAY, run=runner("first"))
    assert ToolDay.objects.filter(tool=tool).count() == 2


@pytest.mark.django_db
def test_candidates_are_all_kinds_and_maps_with_what_they_declare():
    found = assessing.candidates()
    assert {"restic", "veeam", "mapped:rubrik"} <= set(found) and "mapped" not in found
    assert {line.name: line.declared for line in assessing.lines_of_kind("mapped:rubrik")}["incremental"] == "full"
    assert all(line.seen is None for key in found for line in assessing.lines_of_kind(key))
