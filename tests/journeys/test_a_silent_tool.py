"""A repository goes away for two nights and comes back: silence is one fact about the tool, and nothing is called missed that was not."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from pathlib import Path

import pytest

from catalogue.models import ServiceStatus, StatusChange
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from monitoring import polling
from monitoring.models import Alert, BackupJob, ExpectedRun, ServiceDay, ServiceState
from tests.factories import make_rule, make_schedule, make_service, make_tool

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.req("2.4", "5.1"),
    pytest.mark.real_tool("restic"),
]
HOUR, DAY, MINUTE = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(minutes=1)
HOSTS = ("db0", "db1")


class Repository:
    """A real repository that two hosts save to at two in the morning."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "repo"
        (folder / "data").mkdir()
        (folder / "data" / "rows").write_text("rows")
        self._run("init", "-q")

    def save(self, night: dt.datetime, *hosts: str) -> None:
        for host in hosts:
            at = f"{night.replace(hour=2):%Y-%m-%d %H:%M:%S}"
            self._run("backup", "-q", "--host", host, "--time", at, str(self.folder / "data"))

    def goes_away(self) -> None:
        self.place.rename(self.folder / "unplugged")

    def comes_back(self) -> None:
        (self.folder / "unplugged").rename(self.place)

    def _run(self, *arguments: str) -> None:
        place = self.place if self.place.exists() or arguments[0] == "init" else self.folder / "unplugged"
        told = {"RESTIC_REPOSITORY": str(place), "RESTIC_PASSWORD": "correct horse", "TZ": "UTC", "HOME": str(self.folder)}
        subprocess.run(["restic", *arguments], env={**os.environ, **told}, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, noon):
    """Last night of two hosts, each a service that promises 50 h; asked every quarter of an hour, all well at noon."""
    repository = Repository(tmp_path)
    repository.save(noon, *HOSTS)
    start = noon - 12 * HOUR
    tool = make_tool(
        "restic", at=start, poll_interval_s=900, settings={"repository": str(repository.place)}, secrets={"password": "correct horse"}
    )
    polling.poll(tool=tool, at=noon)
    for job in BackupJob.objects.order_by("external_id"):
        service = make_service(f"SVC-{job.external_id[:3]}", at=start, rpo_s=50 * 3600, success_rate="0.9")
        make_rule(service, tool, job.external_id, at=start)
        make_schedule(job, local_times="02:00", grace_s=3600)
    journey.advance(at=noon)
    assert set(ServiceStatus.objects.values_list("status", flat=True)) == {"operational"}
    return repository, tool


def ask(tool, at: dt.datetime) -> None:
    polling.poll(tool=tool, at=at)
    journey.advance(at=at)


def nights(host: str) -> dict[int, str]:
    """Day of the month → what the ledger says of it."""
    return dict(ExpectedRun.objects.filter(job__external_id__startswith=host).order_by("due_at").values_list("due_at__day", "state"))


def test_it_falls_silent_as_one_and_comes_back_with_the_nights_it_kept(repository, noon):
    lab, tool = repository
    lab.goes_away()
    for minutes in (15, 46):
        ask(tool, noon + minutes * MINUTE)
    for day in (1, 2):  # two nights and the end of every promise pass; nobody can look
        journey.advance(at=noon + day * DAY - 8 * HOUR)
        ask(tool, noon + day * DAY + 5 * HOUR)
    later = noon + 2 * DAY + 5 * HOUR
    assert list(Alert.objects.values_list("alert_class", "service", "tool")) == [("source_stale", None, tool.pk)]
    incident = Incident.objects.get()
    assert (incident.state, Notice.objects.count()) == ("new", 1)
    assert set(ServiceState.objects.values_list("verdict", flat=True)) == {"no_data"}
    assert set(ServiceStatus.objects.values_list("status", flat=True)) == {"unknown"}
    for host in HOSTS:
        assert {day: nights(host)[day] for day in (14, 15, 16)} == {14: "satisfied", 15: "unconfirmed", 16: "unconfirmed"}
    assert set(ServiceDay.objects.filter(day=later.date()).values_list("worst", "missed")) == {("?", 0)}
    changes = StatusChange.objects.count()

    lab.save(noon + DAY, "db0")  # db1 really did not run in its first night
    lab.save(noon + 2 * DAY, *HOSTS)
    lab.comes_back()
    ask(tool, later + HOUR)
    assert (nights("db0")[15], nights("db0")[16]) == ("satisfied", "satisfied")
    assert (nights("db1")[15], nights("db1")[16]) == ("missed", "satisfied")
    assert set(ServiceStatus.objects.values_list("status", flat=True)) == {"operational"}
    assert StatusChange.objects.count() == changes + 2
    assert not Alert.objects.open().exists()
    assert Alert.objects.filter(alert_class="job_missed").count() <= 1, "a miss is told of the host that missed, never of the others"
    assert not Alert.objects.filter(alert_class="job_missed").exclude(job__external_id__startswith="db1").exists()
    incident.refresh_from_db()
    assert (incident.state, Incident.objects.count(), Notice.objects.count()) == ("resolved", 1, 2)
    assert "answers again" in Notice.objects.order_by("pk").last().body
    yesterday = ServiceDay.objects.filter(day=(later - DAY).date()).order_by("service__code")
    assert list(yesterday.values_list("good", "missed", "unknown", "worst")) == [(1, 0, 0, ""), (0, 1, 0, "M")]
