"""Status maps: tried on what was read before they count, approved by somebody else, and what they read otherwise is restated."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue.models import ServiceStatus
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from monitoring import intake, meaning, pinging, redefining, restating
from monitoring.connectors.base import Answer, Step
from monitoring.meaning import Meaning
from monitoring.models import BackupJob, BackupRun, Evaluation, QuarantinedRecord, RestorePoint, RunRevision, StatusMap, ToolState
from tests.catalogue.makers import make_user
from tests.factories import make_job, make_rule, make_schedule, make_service, make_tool, push, run_record

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def mona():
    return make_user("mona", "monitoring.view_tool", "monitoring.change_tool")


@pytest.fixture
def peter():
    return make_user("peter", "monitoring.view_tool", "monitoring.approve_statusmap")


@pytest.fixture
def tool(noon):
    """Two nights, told by a script whose word `skew` the sender calls a warning and whose `lost` it calls a failure."""
    tool = make_tool("push", name="scripts", at=noon - 10 * DAY)
    service = make_service("PACS", name="Imaging archive", at=noon - 10 * DAY, rpo_s=26 * 3600, tier=1)
    job = make_job(tool, "nightly", at=noon - 10 * DAY, service=service)
    make_rule(service, tool, "nightly", at=noon - 10 * DAY)
    make_schedule(job, local_times="02:00")
    for days, outcome, word in ((2, "success", "done"), (1, "failed", "lost"), (0, "warning", "skew")):
        at = noon - days * DAY - 10 * HOUR
        push(tool, run_record("nightly", outcome, at, native_status=word, bytes_source=2_000, external_id=f"n{days}"), at=at + HOUR)
    journey.advance(at=noon)
    return tool


def outcomes():
    return dict(BackupRun.objects.values_list("external_id", "outcome"))


def drafted(tool, by, at, *, words=None, units=None):
    return redefining.draft_map(tool=tool, words=words or {}, units=units or {}, by=by, at=at, reason="As the vendor says")


def test_a_map_is_laid_over_what_was_read():
    told = Meaning({"skew": "failed", "Done*": "success", "done with": "warning"}, {"bytes_stored": "KiB"})
    assert [told.of(word) for word in ("SKEW", "done", "Done with", "done with errors", "odd", None)] == [
        "failed", "success", "warning", "success", None, None,
    ]  # fmt: skip
    assert (
        meaning.problems({"a": "good"}, {})
        and meaning.problems({"*": "success"}, {})
        and meaning.problems({"a": "failed", "A": "failed"}, {})
    )
    assert meaning.problems({}, {"bytes_stored": "furlong"}) and meaning.problems({}, {"speed": "KiB"})
    assert not meaning.problems({"*": "failed", "x": "success"}, {"bytes_source": "MB"})


def test_its_effect_is_shown_and_nothing_is_changed(tool, noon, mona):
    before = outcomes(), RunRevision.objects.count(), Evaluation.objects.count(), ServiceStatus.objects.get().status
    row = drafted(tool, mona, noon, words={"skew": "failed"})
    assert row.effect["moves"] == {"warning → failed": 1} and row.effect["turned_good"] == 0
    assert (row.effect["answers"], row.effect["read_now"], row.effect["new_runs"]) == (3, 0, 0)
    (one,) = row.effect["examples"]
    assert (one["before"]["outcome"], one["after"]["outcome"], one["job"]) == ("warning", "failed", "nightly")
    (moved,) = row.effect["services"]
    assert (moved["code"], moved["before"]) == ("PACS", before[3]) and moved["after"] in ("degraded", "outage")
    assert (outcomes(), RunRevision.objects.count(), Evaluation.objects.count(), ServiceStatus.objects.get().status) == before
    journey.advance(at=noon)
    assert outcomes() == before[0], "nothing was left marked that would change it later"


def test_approved_by_somebody_else_it_restates_and_services_are_judged_again(tool, noon, mona, peter):
    row = drafted(tool, mona, noon, words={"skew": "failed"})
    for wrong in (mona, make_user("other", "monitoring.view_tool")):
        with pytest.raises(NotAllowed):
            redefining.approve(row=row, by=wrong, at=noon, reason="x")
    answered_at = ToolState.objects.get().latest_answer_at
    redefining.approve(row=row, by=peter, at=noon + HOUR, reason="Read and understood")
    assert outcomes() == {"n2": "success", "n1": "failed", "n0": "failed"}
    revision = RunRevision.objects.get(status_map=row.pk)
    assert (revision.before["outcome"], revision.after["outcome"], revision.at) == ("warning", "failed", noon + HOUR)
    assert RestorePoint.objects.get(run__external_id="n0").invalid_from == noon + HOUR
    assert ToolState.objects.get().latest_answer_at == answered_at, "the tool itself said nothing new"
    journey.advance(at=noon + HOUR)
    assert ServiceStatus.objects.get().status in ("degraded", "outage")
    with pytest.raises(WrongState):
        redefining.approve(row=row, by=peter, at=noon + HOUR, reason="again")
    with pytest.raises(NotReady, match="counts already"):
        drafted(tool, mona, noon + 2 * HOUR, words={"skew": "failed"})


def test_failures_that_turn_good_are_accepted_by_their_number_or_nothing_happens(tool, noon, mona, peter):
    row = drafted(tool, mona, noon, words={"lost": "success"})
    assert row.effect["turned_good"] == 1 and row.effect["moves"] == {"failed → success": 1}
    with pytest.raises(WrongState, match="1 bad runs would count as good"):
        redefining.approve(row=row, by=peter, at=noon, reason="ok")
    assert outcomes()["n1"] == "failed" and not RunRevision.objects.exists()
    assert StatusMap.objects.get().state == "draft"
    redefining.approve(row=row, by=peter, at=noon, reason="The word was misread", accepts_good=1)
    assert outcomes()["n1"] == "success"
    assert RestorePoint.objects.get(run__external_id="n1").captured_at is not None


def test_an_effect_that_is_another_one_by_now_is_shown_anew(tool, noon, mona, peter):
    row = drafted(tool, mona, noon, words={"skew": "failed"})
    push(tool, run_record("nightly", "warning", noon, native_status="skew", external_id="late"), at=noon + HOUR)
    with pytest.raises(WrongState, match="worked out anew"):
        redefining.approve(row=row, by=peter, at=noon + 2 * HOUR, reason="ok")
    assert outcomes()["late"] == "warning"
    row.refresh_from_db()
    assert row.effect["moves"] == {"warning → failed": 2} and row.tried_at == noon + 2 * HOUR
    redefining.approve(row=row, by=peter, at=noon + 2 * HOUR, reason="ok")
    assert outcomes()["late"] == "failed"


def test_what_comes_later_is_read_by_it_however_it_comes(tool, noon, mona, peter):
    row = drafted(tool, mona, noon, words={"skew": "failed", "fail": "cancelled"}, units={"bytes_source": "KiB"})
    assert row.effect["sizes"] == 3
    redefining.approve(row=row, by=peter, at=noon, reason="ok")
    assert set(BackupRun.objects.values_list("bytes_source", flat=True)) == {2_000 * 1024}
    push(tool, run_record("nightly", "warning", noon, native_status="skew", bytes_source=5, external_id="new"), at=noon + HOUR)
    assert (outcomes()["new"], BackupRun.objects.get(external_id="new").bytes_source) == ("failed", 5 * 1024)
    job = BackupJob.objects.get()
    pinging.take(job=job, suffix="fail", rid=None, body="", user_agent="curl", at=noon + 2 * HOUR)
    assert BackupRun.objects.latest("pk").outcome == "cancelled", "the short way of a ping obeys it, too"
    back = drafted(tool, mona, noon + 3 * HOUR)
    assert back.number == 2 and back.effect["turned_good"] == 2
    redefining.approve(row=back, by=peter, at=noon + 3 * HOUR, reason="The first map was wrong", accepts_good=2)
    assert outcomes()["new"] == "warning" and BackupRun.objects.get(external_id="new").bytes_source == 5


LISTING = '{"runs": [%s]}'
ROW = '{"id": "%s", "job": "nightly", "state": "%s", "begun": "2026-07-1%dT01:00:00Z"}'
MAP = """
map: 1
product: Example
list: {path: /runs, items: runs}
runs: {id: id, job: job, status: state, started_at: begun}
statuses: {done: success, bad: failed}
"""


def test_a_poll_that_decided_a_run_is_read_again_and_nothing_is_gone_by_it(noon, mona, peter):
    tool = make_tool("mapped", name="ex", at=noon - 9 * DAY, settings={"map": "example"})

    def polled(at, *rows):
        step = Step(name="list", command="GET https://ex/runs", exit_code=200, stdout=LISTING % ", ".join(ROW % row for row in rows))
        intake.receive(
            tool=tool, answer=Answer(kind="poll", steps=[step], meta={"document": MAP, "ended": "yes", "at": at.isoformat()}), at=at
        )

    polled(noon - DAY, ("a", "done", 0), ("b", "odd", 1))
    polled(noon, ("b", "bad", 1), ("c", "odd", 2))
    assert outcomes() == {"a": "success", "b": "failed", "c": "unknown"}
    row = drafted(tool, mona, noon, words={"odd": "success"})
    assert row.effect["moves"] == {"unknown → success": 1}, "what b was called first was overtaken"
    redefining.approve(row=row, by=peter, at=noon, reason="ok", accepts_good=1)
    assert outcomes() == {"a": "success", "b": "failed", "c": "success"}
    assert not RestorePoint.objects.filter(gone_at__isnull=False).exists()


def test_the_database_refuses_a_map_whose_effect_nobody_saw(tool, noon, mona, peter):
    row = drafted(tool, mona, noon, words={"skew": "failed"})
    approval = "UPDATE monitoring_statusmap SET state = 'approved', approved_at = now(), approver_id = %s"
    for sql, approver in ((approval + ", effect = NULL", peter), (approval, mona)):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [approver.pk])
    redefining.approve(row=row, by=peter, at=noon, reason="ok")
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_statusmap SET words = '{}'")
    assert not QuarantinedRecord.objects.exists()


def test_a_new_document_reads_what_was_quarantined_and_shows_it_before(noon, mona):
    """The map asked for a field that the tool names otherwise: every row went into quarantine."""
    from monitoring import mapping
    from monitoring.admin.maps import _of_tool

    writer, approver = make_user("ann", "monitoring.add_toolmap"), make_user("bob", "monitoring.view_toolmap", "monitoring.approve_toolmap")
    tool = make_tool("mapped", name="ex", at=noon - 9 * DAY, settings={"map": "example"})
    wrong, right = MAP.replace("started_at: begun", "started_at: start"), MAP.replace("bad: failed", "bad: success")
    first = mapping.draft(name="example", document=wrong, by=writer, at=noon, reason="new")
    mapping.approve(row=first, by=approver, at=noon, reason="ok")
    rows = [ROW % ("a", "done", 0), ROW % ("b", "bad", 1)]
    for document, at in ((wrong, noon - 2 * HOUR), (MAP, noon - HOUR)):
        step = Step(name="list", command="GET https://ex/runs", exit_code=200, stdout=LISTING % ", ".join(rows))
        meta = {"document": document, "ended": "yes", "at": at.isoformat()}
        intake.receive(tool=tool, answer=Answer(kind="poll", steps=[step], meta=meta), at=at)
        if document == wrong:
            assert QuarantinedRecord.objects.filter(resolved_at=None).count() == 2 and not BackupRun.objects.exists()
    assert outcomes() == {"a": "success", "b": "failed"}
    row = mapping.draft(name="example", document=right, by=writer, at=noon, reason="start is called begun")
    ((_, effect),) = mapping.effects(row, noon)
    assert (effect.read_now, effect.turned_good, effect.moves) == (2, 1, {"failed → success": 1})
    assert "2 records would leave quarantine." in _of_tool(effect) and outcomes()["b"] == "failed"
    with pytest.raises(WrongState, match="1 bad runs would count as good"):
        mapping.approve(row=row, by=approver, at=noon, reason="ok")
    mapping.approve(row=row, by=approver, at=noon, reason="ok", accepts_good=1)
    assert outcomes() == {"a": "success", "b": "success"}
    assert not QuarantinedRecord.objects.filter(resolved_at=None).exists()


def test_names_of_archives_are_no_words(noon):
    tool = make_tool("borg", name="borg", at=noon - 10 * DAY)
    made = [
        {"id": f"{number:064x}", "name": f"web02-{noon - number * DAY:%Y-%m-%dT%H:%M}", "start": f"{noon - number * DAY:%Y-%m-%dT%H:%M:%S}"}
        for number in range(1, 6)
    ]
    told = json.dumps({"archives": made, "repository": {"id": "a" * 64, "location": "/srv/borg"}, "encryption": {"mode": "none"}})
    steps = [Step(name="list", command="borg list --json /srv/borg", exit_code=0, stdout=told)]
    intake.receive(tool=tool, answer=Answer(kind="poll", steps=steps, meta={"repository": "/srv/borg"}), at=noon)
    assert BackupRun.objects.count() == 5 and restating.told(tool, noon) == []
    scripts = make_tool("push", name="listing", at=noon - 10 * DAY)
    push(
        scripts,
        *(run_record("nightly", "success", noon - n * HOUR, native_status="DONE", evidence_kind="artefact") for n in range(1, 6)),
        at=noon,
    )
    assert restating.told(scripts, noon) == [("DONE", "success", 5)]
