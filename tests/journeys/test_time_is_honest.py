"""Clock changes, maintenance, lateness, corrections and moves: what is counted is what happened, for whom it happened."""

from __future__ import annotations

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest

from catalogue.models import ServiceStatus, StatusChange, Window
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from monitoring import intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import (
    Alert,
    AttributionRule,
    BackupJob,
    BackupRun,
    Evaluation,
    ExpectedRun,
    Figure,
    RunRevision,
    ServiceDay,
    ServiceState,
)
from monitoring.repeating import repeat
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_tool, push, run_record
from tests.readings import poll_answer, snapshot, take_reading

pytestmark = [pytest.mark.django_db, pytest.mark.req("2.3", "2.4", "3.2")]
HOUR, DAY, MINUTE = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
SAID = {1: "Fatal: the connection was reset by peer", 3: "Warning: at least one source file could not be read"}


def success_of(service) -> dict[str, int]:
    """Good and settled occurrences as the newest figure of the promise says them."""
    figure = Figure.objects.filter(service=service, method_id="BM-SR-WIN").latest("pk")
    return {name: figure.inputs[name] for name in ("good", "settled", "excused")}


class TestThroughBothClockChanges:
    """A night job at 02:30 in Berlin: that minute does not exist on 29 March and comes twice on 25 October 2026."""

    # As cron starts it: the missing minute at the first one that exists, the doubled one once.
    NIGHTS = {
        "spring": [("03-27", 1, 30), ("03-28", 1, 30), ("03-29", 1, 30), ("03-30", 0, 30), ("03-31", 0, 30)],
        "autumn": [("10-23", 0, 30), ("10-24", 0, 30), ("10-25", 0, 30), ("10-26", 1, 30), ("10-27", 1, 30)],
    }

    @staticmethod
    def nightly(first: dt.datetime):
        start = first - 3 * HOUR
        service = make_service("SVC-1", at=start, rpo_s=50 * 3600, success_rate="0.95", zone="Europe/Berlin")
        tool = make_tool(at=start)
        job = make_job(tool, "nightly", at=start, service=service)
        make_schedule(job, local_times="02:30", zone="Europe/Berlin", grace_s=3600, early_tolerance_s=600)
        return service, tool, job

    @pytest.mark.parametrize("season", ["spring", "autumn"])
    def test_every_local_night_is_due_once_and_kept(self, season):
        started = [dt.datetime.fromisoformat(f"2026-{day}T{hour:02}:{minute:02}Z") for day, hour, minute in self.NIGHTS[season]]
        service, tool, job = self.nightly(started[0])
        journey.advance(at=started[0] - HOUR)
        for night in started:
            for past in (10 * MINUTE, 2 * HOUR, 12 * HOUR):
                if past == 10 * MINUTE:
                    push(tool, run_record("nightly", "success", night, minutes=10), at=night + past)
                journey.advance(at=night + past)
        ledger = ExpectedRun.objects.filter(job=job, due_at__lt=started[-1] + HOUR).order_by("due_at")
        assert [(row.local_on.day, row.state) for row in ledger] == [(night.astimezone(BERLIN).day, "satisfied") for night in started]
        assert [row.due_at for row in ledger] == started
        cells = ServiceDay.objects.filter(service=service, day__lte=started[-1].date()).order_by("day")
        assert [(cell.day.day, cell.good, cell.worst) for cell in cells] == [(night.astimezone(BERLIN).day, 1, "") for night in started]
        assert not Alert.objects.exists() and not Notice.objects.exists()
        assert set(StatusChange.objects.values_list("to_status", flat=True)) <= {"operational", "unknown"}
        assert ServiceStatus.objects.get(service=service).status == "operational"

    @pytest.mark.parametrize(("season", "silent"), [("spring", 2), ("autumn", 2)])
    def test_a_night_missed_at_the_change_is_told_once_after_its_real_deadline(self, season, silent):
        started = [dt.datetime.fromisoformat(f"2026-{day}T{hour:02}:{minute:02}Z") for day, hour, minute in self.NIGHTS[season]]
        service, tool, job = self.nightly(started[0])
        for night in started[:silent]:
            push(tool, run_record("nightly", "success", night), at=night + HOUR)
        journey.advance(at=started[silent - 1] + HOUR)
        deadline = started[silent] + HOUR
        journey.advance(at=deadline - MINUTE)
        assert not Alert.objects.exists()
        journey.advance(at=deadline + MINUTE)
        alert = Alert.objects.get(alert_class="job_missed")
        assert (alert.opened_at, alert.occurrences) == (deadline, 1)
        journey.advance(at=deadline + 2 * HOUR)
        assert ExpectedRun.objects.filter(job=job, state="missed").count() == 1
        assert success_of(service)["settled"] <= 3


class TestWhatCounts:
    @pytest.fixture
    def nightly(self, noon):
        """Nightly at two with an hour of grace; good until three nights ago."""
        start = noon - 6 * DAY
        service = make_service("SVC-1", at=start, rpo_s=7 * 86_400, success_rate="0.9")
        tool = make_tool(at=start)
        job = make_job(tool, "nightly", at=start, service=service)
        make_schedule(job, local_times="02:00", grace_s=3600)
        push(tool, *[run_record("nightly", "success", self.night(noon, days)) for days in (5, 4, 3)], at=self.night(noon, 3) + HOUR)
        journey.advance(at=self.night(noon, 3) + HOUR)
        return service, tool, job

    @staticmethod
    def night(noon: dt.datetime, days: int) -> dt.datetime:
        return noon.replace(hour=2) - days * DAY

    @staticmethod
    def hold(service, starts_at: dt.datetime, ends_at: dt.datetime, decided_at: dt.datetime) -> Window:
        with because("storage is replaced"):
            return Window.objects.create(
                service=service, starts_at=starts_at, ends_at=ends_at, purpose="work", decided_at=decided_at, decided_by=make_admin()
            )

    def test_maintenance_excuses_failing_runs_silences_them_and_ends(self, nightly, noon):
        service, tool, _ = nightly
        first, second = self.night(noon, 2), self.night(noon, 1)
        self.hold(service, first - HOUR, second + 4 * HOUR, decided_at=first - DAY / 2)
        for night in (first, second):
            push(tool, run_record("nightly", "failed", night), at=night + HOUR / 2)
            journey.advance(at=night + HOUR / 2)
            assert ServiceStatus.objects.get(service=service).status == "maintenance"
            assert not Alert.objects.exists() and not Notice.objects.exists()
        assert success_of(service) == {"good": 3, "settled": 3, "excused": 2}
        assert list(ServiceDay.objects.filter(service=service, held=1).values_list("day__day", "failed", "worst")) == [
            (first.day, 0, "H"),
            (second.day, 0, "H"),
        ]
        journey.advance(at=second + 5 * HOUR)  # the work is over, and it still fails: now it is told
        assert Alert.objects.get().alert_class == "job_failed"
        assert Alert.objects.get().opened_at == second + 4 * HOUR
        assert ServiceStatus.objects.get(service=service).status == "operational"

    def test_a_window_declared_after_the_night_began_excuses_nothing(self, nightly, noon):
        service, tool, job = nightly
        night = self.night(noon, 2)
        push(tool, run_record("nightly", "failed", night), at=night + HOUR / 2)
        journey.advance(at=night + HOUR / 2)
        self.hold(service, night - HOUR, night + 2 * HOUR, decided_at=night + HOUR)
        journey.advance(at=night + DAY - HOUR)
        row = ExpectedRun.objects.get(job=job, due_at=night)
        assert (row.state, row.excuse, row.attempts) == ("late", "", 1)
        assert Alert.objects.get(alert_class="job_failed").state == "firing"
        journey.advance(at=noon)
        assert ExpectedRun.objects.get(pk=row.pk).state == "missed"
        assert success_of(service) == {"good": 3, "settled": 5, "excused": 0}

    def test_a_late_run_ends_the_alarm_and_counts_as_good_and_late(self, nightly, noon):
        service, tool, job = nightly
        night = self.night(noon, 2)
        journey.advance(at=night + 2 * HOUR)
        assert Alert.objects.open().get().alert_class == "job_missed"
        push(tool, run_record("nightly", "success", night + 6 * HOUR), at=night + 7 * HOUR)
        journey.advance(at=night + 7 * HOUR)
        assert ExpectedRun.objects.get(job=job, due_at=night).state == "satisfied_late"
        assert Alert.objects.get().resolved_at == night + 6 * HOUR + 10 * MINUTE
        cell = ServiceDay.objects.get(service=service, day=night.date())
        assert (cell.good, cell.late, cell.missed, cell.worst) == (1, 1, 0, "L")
        assert success_of(service) == {"good": 4, "settled": 4, "excused": 0}
        assert not Notice.objects.exists()


class TestCorrections:
    """A repository that is listed and whose wrapper reports: what is learned later corrects, and stays visible as a correction."""

    @pytest.fixture
    def watched(self, noon):
        start = noon - 3 * DAY
        tool = make_tool("restic", at=start, settings={"repository": "/srv/repo"})
        first = snapshot(noon - 10 * HOUR)
        take_reading(tool, poll_answer(first), at=noon - 9 * HOUR)
        job = BackupJob.objects.get()
        service = make_service("SVC-1", at=start, rpo_s=8 * 3600)
        make_rule(service, tool, job.external_id, at=start)
        journey.advance(at=noon - 9 * HOUR)
        assert ServiceStatus.objects.get(service=service).status == "operational"
        return service, tool, first

    @staticmethod
    def report(tool, one, *, exit_code: int, stdout: bool, at: dt.datetime, started_at: dt.datetime) -> None:
        summary = {"message_type": "summary", "snapshot_id": one["id"], "files_new": 1, "total_bytes_processed": 10}
        told = {
            "tool": "restic", "command": "restic backup --json /srv/data", "host": "db01", "exit_code": exit_code,
            "stdout": json.dumps(summary) if stdout else "", "stderr": SAID[exit_code],
            "started_at": started_at.isoformat(), "finished_at": (started_at + 3 * MINUTE).isoformat(),
        }  # fmt: skip
        body = Step(name="body", stdout=json.dumps([told]))
        intake.receive(tool=tool, answer=Answer(kind="api", steps=[body], meta={"content_type": "application/json"}), at=at)

    def test_a_failure_is_over_when_the_repository_lists_a_newer_copy(self, watched, noon):
        service, tool, first = watched
        night = noon - HOUR
        take_reading(tool, poll_answer(first), at=night)
        self.report(tool, first, exit_code=1, stdout=False, started_at=night, at=night + 4 * MINUTE)
        journey.advance(at=night + 4 * MINUTE)
        assert ServiceStatus.objects.get(service=service).status == "degraded"
        incident = Incident.objects.get()
        assert incident.state == "new"
        before = ServiceState.objects.get(service=service).evaluation
        retried = snapshot(night + 30 * MINUTE)
        take_reading(tool, poll_answer(first, retried), at=noon)
        journey.advance(at=noon)
        assert ServiceStatus.objects.get(service=service).status == "operational"
        incident.refresh_from_db()
        assert incident.state == "resolved"
        assert repeat(before).agrees, "what was said then was right then"

    def test_a_copy_turns_out_incomplete_when_its_report_arrives(self, watched, noon):
        """The listing shows a snapshot and counts it; the wrapper, which comes late, says that files were missing from it."""
        service, tool, first = watched
        night = noon - HOUR
        made = snapshot(night + MINUTE)
        take_reading(tool, poll_answer(first, made), at=night + 10 * MINUTE)
        journey.advance(at=night + 10 * MINUTE)
        run = BackupRun.objects.get(artefact_id=made["id"])
        before = ServiceState.objects.get(service=service).evaluation
        assert run.outcome == "success"
        self.report(tool, made, exit_code=3, stdout=True, started_at=night, at=noon)
        journey.advance(at=noon)
        run.refresh_from_db()
        assert (run.outcome, run.exit_code) == ("warning", 3)
        revision = RunRevision.objects.get(run=run)
        assert (revision.before["outcome"], revision.after["outcome"], revision.at) == ("success", "warning", noon)
        assert repeat(before).agrees
        for evaluation in Evaluation.objects.filter(service=service):
            assert repeat(evaluation).agrees, repeat(evaluation).differences

    @pytest.mark.parametrize(("said", "really"), [("failed", "success"), ("success", "failed")])
    def test_a_run_that_its_source_corrects_moves_status_and_history_with_it(self, noon, said, really):
        start = noon - 3 * DAY
        service = make_service("SVC-2", at=start, rpo_s=4 * 3600, success_rate="0.5")
        tool = make_tool(at=start)
        job = make_job(tool, "nightly", at=start, service=service)
        make_schedule(job, local_times=f"{noon - 3 * HOUR:%H:%M}", grace_s=3600)
        push(tool, run_record("nightly", "success", noon - 27 * HOUR), at=noon - 26 * HOUR)
        record = run_record("nightly", said, noon - 3 * HOUR, source_revision="1")
        push(tool, record, at=noon - 2 * HOUR)
        journey.advance(at=noon - HOUR)
        first, changes = ServiceState.objects.get(service=service).evaluation, StatusChange.objects.filter(service=service).count()
        wanted = {"failed": "outage", "success": "operational"}
        assert ServiceStatus.objects.get(service=service).status == wanted[said]
        push(tool, {**run_record("nightly", really, noon - 3 * HOUR), "source_revision": "2"}, at=noon)
        journey.advance(at=noon)
        assert ServiceStatus.objects.get(service=service).status == wanted[really]
        assert StatusChange.objects.filter(service=service).count() == changes + 1, "what was shown before stays in the history"
        today = ServiceDay.objects.get(service=service, day=noon.date())
        assert (today.good, today.failed) == ((1, 0) if really == "success" else (0, 1))
        assert Alert.objects.open().filter(alert_class="job_failed").exists() == (really == "failed")
        assert Incident.objects.get().state == "new", "not even a corrected run resolves what began after it"
        assert RunRevision.objects.get().before["outcome"] == said
        assert repeat(first).agrees and repeat(ServiceState.objects.get(service=service).evaluation).agrees
        push(tool, run_record("nightly", "success", noon + HOUR), at=noon + 2 * HOUR)
        journey.advance(at=noon + 2 * HOUR)
        assert Incident.objects.get().state == "resolved"


def test_a_job_that_moves_leaves_its_history_with_the_service_it_was_judged_for(noon):
    start = noon - 3 * DAY
    old = make_service("SVC-OLD", at=start, rpo_s=4 * 3600)
    new = make_service("SVC-NEW", at=start, rpo_s=4 * 3600)
    tool = make_tool(at=start)
    job = make_job(tool, "nightly", at=start, service=old)
    push(tool, run_record("nightly", "success", noon - 10 * HOUR), at=noon - 9.5 * HOUR)
    journey.advance(at=noon - 9.5 * HOUR)
    for hours in (5, 4):
        push(tool, run_record("nightly", "failed", noon - hours * HOUR), at=noon - 3.5 * HOUR)
    journey.advance(at=noon - 3.5 * HOUR)
    judged = ServiceState.objects.get(service=old).evaluation
    incident = Incident.objects.get()
    told = list(StatusChange.objects.filter(service=old).values_list("pk", "from_status", "to_status"))
    assert judged.verdict == "broken" and incident.state == "new"

    rule = AttributionRule.objects.get()
    with because("the array serves another service now"):
        rule.service = new
        rule.save()
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    journey.advance(at=noon)
    job.refresh_from_db()
    assert job.service == new
    assert ServiceState.objects.get(service=new).verdict == "kept"
    assert ServiceStatus.objects.get(service=new).status == "operational"
    assert not Alert.objects.filter(service=new).exists() and not Alert.objects.open().exists()
    assert {alert.service for alert in Alert.objects.all()} == {old}
    incident.refresh_from_db()
    assert (incident.service, incident.state) == (old, "resolved")
    assert list(StatusChange.objects.filter(service=old).values_list("pk", "from_status", "to_status"))[: len(told)] == told
    judged.refresh_from_db()
    assert (judged.service, judged.verdict) == (old, "broken")
    assert repeat(judged).agrees, repeat(judged).differences
    assert ServiceState.objects.get(service=old).evaluation_id != judged.pk
