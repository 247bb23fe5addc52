"""What waits in quarantine is read again: by itself after an upgrade, by hand with its effect shown before. Only that, and it is told."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue.models import ServiceStatus
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup import journey
from monitoring import intake, rereading, setting_aside
from monitoring.connectors import push
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupRun, QuarantinedRecord, QuarantineReading, RawAnswer
from tests.catalogue.makers import make_user
from tests.factories import make_job, make_rule, make_schedule, make_service, make_tool, run_record
from tests.factories import push as pushed

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def tool(noon):
    """A night of two records in one body: a good one, and a newer one whose outcome is a word that no reader knows yet."""
    tool = make_tool("push", name="scripts", at=noon - 10 * DAY)
    service = make_service("PACS", name="Imaging archive", at=noon - 10 * DAY, rpo_s=26 * 3600, tier=1)
    job = make_job(tool, "nightly", at=noon - 10 * DAY, service=service)
    make_rule(service, tool, "nightly", at=noon - 10 * DAY)
    make_schedule(job, local_times="02:00")
    old = run_record("nightly", "success", noon - 3 * DAY, external_id="old")
    new = run_record("nightly", "splendid", noon - HOUR, external_id="new")
    pushed(tool, old, new, at=noon - HOUR)
    journey.advance(at=noon)
    return tool


@pytest.fixture
def upgrade(monkeypatch):
    """The next version of the product: its readers have another name, and know the word."""

    def installed(version: str, *, knows: bool = True) -> None:
        monkeypatch.setattr(rereading, "READERS", version)
        monkeypatch.setattr(intake, "READERS", version)
        if knows:
            read = push.Push.read
            monkeypatch.setattr(push.Push, "read", lambda self, answer: read(self, _understood(answer)))

    return installed


def _understood(answer: Answer) -> Answer:
    steps = [Step(name=step.name, stdout=(step.stdout or "").replace("splendid", "success")) for step in answer.steps]
    return Answer(kind=answer.kind, steps=steps, meta=answer.meta, host=answer.host, zone=answer.zone)


def outcomes():
    return dict(BackupRun.objects.values_list("external_id", "outcome"))


def test_after_an_upgrade_it_is_read_by_itself_and_only_it(tool, noon, upgrade):
    stood = ServiceStatus.objects.get().status
    BackupRun.objects.filter(external_id="old").update(message="as it was")
    upgrade("second")
    journey.advance(at=noon + HOUR)
    assert outcomes() == {"old": "success", "new": "success"}
    assert BackupRun.objects.get(external_id="old").message == "as it was", "what was known is not read again"
    record = QuarantinedRecord.objects.get()
    assert (record.resolved_at, record.readers) == (noon + HOUR, "second") and "splendid" in record.excerpt
    story = record.readings.get()
    assert (story.by, story.readable, story.run) == (None, True, BackupRun.objects.get(external_id="new").pk)
    assert story.told == "Backup of nightly: success."
    assert (stood, ServiceStatus.objects.get().status) == ("outage", "operational"), "the journey judged what was found"
    assert sum(journey.advance(at=noon + HOUR).values()) == 0


def test_what_still_cannot_be_read_waits_and_is_tried_once_per_version(tool, noon, upgrade):
    upgrade("second", knows=False)
    assert rereading.reread_waiting(at=noon) == 1 and rereading.reread_waiting(at=noon) == 0
    upgrade("third")
    assert rereading.reread_waiting(at=noon + HOUR) == 1 and rereading.reread_waiting(at=noon + DAY) == 0
    told = QuarantineReading.objects.order_by("at").values_list("readers", "readable")
    assert list(told) == [("second", False), ("third", True)]


def test_its_effect_is_shown_before_and_nothing_is_changed(tool, noon, upgrade):
    mona = make_user("mona", "monitoring.view_tool", "monitoring.poll_tool")
    found = rereading.preview(tool=tool, by=mona, at=noon)
    assert rereading.sentence(found) == "1 of 1 still cannot be read. New runs: 0."
    upgrade("second")
    found = rereading.preview(tool=tool, by=mona, at=noon)
    (line,) = found.lines
    assert "splendid" in line.before and line.after == "Backup of nightly: success." and line.readable
    assert found.services == [{"code": "PACS", "name": "Imaging archive", "before": "outage", "after": "operational"}]
    assert outcomes() == {"old": "success"} and not QuarantineReading.objects.exists()
    done = rereading.reread(tool=tool, by=mona, at=noon)
    assert (done.read_now, done.still, done.new_runs) == (1, 0, 1) and outcomes()["new"] == "success"
    assert QuarantineReading.objects.get().by == mona
    with pytest.raises(NotReady, match="Nothing of scripts waits"):
        rereading.reread(tool=tool, by=mona, at=noon)


def test_only_who_may_have_the_tool_asked_may_have_it_read_again(tool, noon):
    make_user("mona", "monitoring.view_tool", "monitoring.poll_tool")
    for act in (rereading.preview, rereading.reread):
        with pytest.raises(NotAllowed, match=r"You may not have the quarantine of scripts read again\. .*mona.* can"):
            act(tool=tool, by=make_user(f"x{act.__name__}", "monitoring.view_tool"), at=noon)
    assert not QuarantineReading.objects.exists()


def test_what_is_known_from_elsewhere_leaves_quarantine_without_a_second_run(tool, noon, upgrade):
    pushed(tool, run_record("nightly", "success", noon - HOUR, external_id="new"), at=noon)
    run = BackupRun.objects.get(external_id="new")
    upgrade("second")
    rereading.reread_waiting(at=noon + HOUR)
    assert outcomes() == {"old": "success", "new": "success"} and BackupRun.objects.get(external_id="new").answer == run.answer
    assert QuarantineReading.objects.get().told == "It can be read now and tells of no run that is not known already."


def test_a_raw_answer_that_was_destroyed_is_told_and_not_asked_for_again(tool, noon, upgrade):
    RawAnswer.objects.all().delete()
    upgrade("second")
    assert rereading.reread_waiting(at=noon) == 1 and rereading.reread_waiting(at=noon) == 0
    assert QuarantineReading.objects.get().told == rereading.GONE and QuarantinedRecord.objects.get().resolved_at is None


def test_what_nothing_will_come_of_is_set_aside_with_a_reason_and_waits_no_more(tool, noon, upgrade):
    RawAnswer.objects.all().delete()
    mona, record = make_user("mona", "monitoring.view_tool", "monitoring.poll_tool"), QuarantinedRecord.objects.get()
    with pytest.raises(NotReady, match="Say why"):
        setting_aside.set_aside(record=record, by=mona, at=noon, reason="  ")
    setting_aside.set_aside(record=record, by=mona, at=noon, reason="Its answer was\ndestroyed")
    record.refresh_from_db()
    assert (record.resolved_at, record.set_aside) == (noon, True)
    story = record.readings.get()
    assert (story.by, story.readable, story.told) == (mona, False, "Set aside: Its answer was destroyed")
    upgrade("second")
    assert rereading.reread_waiting(at=noon + HOUR) == 0
    with pytest.raises(NotReady, match="does not wait"):
        setting_aside.set_aside(record=record, by=mona, at=noon, reason="again")


def test_only_who_may_have_the_tool_asked_sets_aside(tool, noon):
    record = QuarantinedRecord.objects.get()
    with pytest.raises(NotAllowed, match="You may not set aside what is in the quarantine of scripts"):
        setting_aside.set_aside(record=record, by=make_user("x", "monitoring.view_tool"), at=noon, reason="no")
    assert QuarantinedRecord.objects.get().resolved_at is None


def test_what_was_set_aside_does_not_come_back_when_it_is_told_again_as_it_was(noon):
    tool, mona = make_tool("restic", at=noon - DAY), make_user("mona", "monitoring.view_tool", "monitoring.poll_tool")
    listing = json.dumps([{"time": "no time", "hostname": "db01", "paths": ["/data"], "id": "a" * 64}] * 2)

    def told(at):
        steps = [Step(name="snapshots", command="restic snapshots --json", exit_code=0, stdout=listing)]
        intake.receive(tool=tool, answer=Answer(kind="poll", steps=steps), at=at)

    told(noon)
    setting_aside.set_aside(record=QuarantinedRecord.objects.first(), by=mona, at=noon, reason="never mind")
    told(noon + HOUR)
    assert list(QuarantinedRecord.objects.order_by("pk").values_list("set_aside", flat=True)) == [True, False]
    listing = listing.replace("db01", "db02")
    told(noon + 2 * HOUR)
    assert QuarantinedRecord.objects.filter(resolved_at=None).count() == 3, "what looks otherwise is another record"


def test_a_time_that_no_backup_can_have_keeps_waiting(noon, upgrade):
    tool = make_tool("push", name="clock", at=noon - DAY)
    pushed(tool, run_record("nightly", "success", dt.datetime(2110, 1, 1, tzinfo=dt.UTC), external_id="future"), at=noon)
    assert "no backup of ours can be" in QuarantinedRecord.objects.get().reason
    upgrade("second")
    rereading.reread_waiting(at=noon)
    assert QuarantinedRecord.objects.get().resolved_at is None and not BackupRun.objects.exists()


def test_what_a_polled_tool_tells_again_is_one_record(noon):
    tool = make_tool("restic", at=noon - DAY)
    listing = json.dumps([{"time": "no time", "hostname": "db01", "paths": ["/data"], "id": "a" * 64}] * 2)
    for hours in range(3):
        steps = [Step(name="snapshots", command="restic snapshots --json", exit_code=0, stdout=listing)]
        intake.receive(tool=tool, answer=Answer(kind="poll", steps=steps), at=noon + hours * HOUR)
    newest = RawAnswer.objects.latest("pk").pk
    rows = QuarantinedRecord.objects.order_by("answer_index")
    assert list(rows.values_list("answer", "answer_index", "created_at")) == [(newest, 0, noon), (newest, 1, noon)]


def test_the_database_keeps_the_story(tool, noon):
    rereading.reread(tool=tool, by=make_user("mona", "monitoring.view_tool", "monitoring.poll_tool"), at=noon)
    for statement in ("monitoring_quarantinereading SET told = 'nothing'", "monitoring_quarantinedrecord SET set_aside = true"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {statement}")


def test_the_pull_reads_the_index_of_what_waits(tool):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT answer FROM monitoring_quarantinedrecord WHERE readers > 'x' AND resolved_at IS NULL")
        assert "quarantine_tried" in str(cursor.fetchall())
