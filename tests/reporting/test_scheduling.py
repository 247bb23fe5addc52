"""Schedules: due at their hour, looked at again each day, mailed once to each recipient; a stopped report tells its owner alone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from monitoring.models import ExpectedRun
from reporting import scheduling
from reporting.models import Delivery, Report
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_report_schedule

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def send(at):
    while outbox.send_waiting(at=at):
        pass


def test_a_report_is_due_at_its_local_hour_and_once_a_day_after():
    schedule = make_report_schedule(day_of_month=1, local_time=dt.time(6, 0))
    due = dt.datetime(2026, 7, 1, 5, 0, tzinfo=dt.UTC)  # 06:00 in London
    assert scheduling.due_at(schedule, JUNE) == due
    assert scheduling.claim_due(at=due - HOUR) == []
    assert scheduling.claim_due(at=due) == [schedule.pk]
    assert scheduling.claim_due(at=due) == []  # somebody has it
    assert scheduling.claim_due(at=due + scheduling.CLAIM) == [schedule.pk]  # that one died
    scheduling.work(schedule=schedule, at=due + HOUR)
    schedule.refresh_from_db()
    assert scheduling.claim_due(at=due + 20 * HOUR) == []
    assert scheduling.claim_due(at=due + HOUR + DAY) == [schedule.pk]


def test_it_goes_to_every_recipient_once_with_its_files(estate, typefaces, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    schedule = make_report_schedule(recipients=["board@example.org", "audit@example.org"])
    report, _ = scheduling.work(schedule=schedule, at=JULY_1)
    scheduling.work(schedule=schedule, at=JULY_1 + DAY)
    send(JULY_1 + DAY)
    assert sorted(message.to[0] for message in mail.outbox) == ["audit@example.org", "board@example.org"]
    message, stored = mail.outbox[0], {file.name: bytes(file.content) for file in report.files.all()}
    assert message.subject == "Monthly report, June 2026"
    assert "3 of 5 services kept every promise in June." in message.body and bytes(report.seal).hex() in message.body
    sent = {name.removeprefix(f"{report.number}-"): content for name, content, _ in message.attachments}
    kinds = ["technical.pdf", "executive.pdf"] if "technical.pdf" in stored else ["technical.html", "executive.html"]
    assert sorted(sent) == sorted([*kinds, "services.csv"])
    for name, content in sent.items():
        assert (content.encode() if isinstance(content, str) else content) == stored[name]
    assert Delivery.objects.filter(report=report, notice__sent_at__isnull=False).count() == 2


def test_a_late_run_sends_the_revision_with_what_changed(estate, typefaces):
    schedule = make_report_schedule()
    scheduling.work(schedule=schedule, at=JULY_1)
    late_run_arrives(estate)
    report, new = scheduling.work(schedule=schedule, at=JULY_1 + 2 * DAY)
    assert new and report.revision == 2
    notice = Notice.objects.get(key=f"report/{report.pk}/board@example.org")
    assert notice.subject == "Monthly report, June 2026, revision 2"
    assert "because its run arrived later" in notice.body


def test_a_stopped_report_tells_its_owner_alone_and_is_made_when_the_data_are_whole(estate, typefaces):
    schedule = make_report_schedule()
    holes = ExpectedRun.objects.filter(job=estate.jobs["records"], due_at__gte=JUNE.starts_at, due_at__lt=JUNE.ends_at)
    before = list(holes.values_list("pk", "run"))
    holes.update(state="unconfirmed", run=None)
    stopped, _ = scheduling.work(schedule=schedule, at=JULY_1)
    assert (stopped.state, stopped.files.count()) == ("blocked", 0)
    told = Notice.objects.filter(key__startswith="report/").get()
    assert (told.recipient, told.subject) == (schedule.owner.email, "Stopped: Monthly report, June 2026")
    assert "FAILED  Every due run is accounted for: 89 of 119" in told.body
    for pk, run in before:
        ExpectedRun.objects.filter(pk=pk).update(state="satisfied", run=run)
    made, new = scheduling.work(schedule=schedule, at=JULY_1 + DAY)
    assert (new, made.state, made.revision) == (True, "issued", 2)
    assert Notice.objects.filter(recipient="board@example.org").count() == 1


def test_the_command_says_what_was_made_and_that_nothing_changed(estate, typefaces, capsys):
    call_command("compile_report", month="2026-06", tier=1)
    first = capsys.readouterr().out
    call_command("compile_report", month="2026-06", tier=1)
    again = capsys.readouterr().out
    assert "made now" in first and "nothing changed since it was made" in again
    assert first.split("made now")[1] == again.split("since it was made")[1]  # the same seal, the same digests
    assert Report.objects.get().data["scope"]["words"] == "Tier 1"
    with pytest.raises(CommandError, match=r"There is no schedule called nothing. Known: none."):
        call_command("compile_report", schedule="nothing")
    with pytest.raises(CommandError, match="is not over"):
        call_command("compile_report", month="2999-01")
