"""A real restic repository with weeks of history: the ledger shows what really happened, and polling again changes nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import polling
from monitoring.models import Alert, BackupRun, ExpectedRun, RestorePoint, RunRevision, ServiceState
from monitoring.wording import status_sentence
from tests.factories import make_job, make_schedule, make_service, make_tool, push

if shutil.which("restic") is None and os.environ.get("CI") == "true":
    raise RuntimeError("restic is not installed; .ci/run installs it")
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.req("2.3", "2.4"),
    pytest.mark.real_tool("restic"),
]
PASSWORD = "correct horse"
DAYS, MISSED, STOPPED_FOR = 8, 5, 2  # days of history; one missed so many days ago; nothing since so many days


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A repository with a nightly snapshot of /data at 01:30 UTC: one night missed, the last nights stopped."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "data").mkdir()
    restic(folder, "init", "-q")
    today = now().date()
    for back in range(DAYS, STOPPED_FOR, -1):
        (folder / "data" / "file").write_bytes(os.urandom(2_000))
        if back != MISSED:
            day = today - dt.timedelta(days=back)
            restic(folder, "backup", "-q", "--host", "db01", "--time", f"{day} 01:30:00", str(folder / "data"))
    return folder


def restic(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "RESTIC_REPOSITORY": str(folder / "repo"), "RESTIC_PASSWORD": PASSWORD, "TZ": "UTC", "HOME": str(folder)}
    return subprocess.run(["restic", *arguments], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def connected(lab):
    """The repository connected just now, its job mapped to a service that promises 26 h and due every night."""
    at = now()
    service = make_service("SVC-RESTIC", at=at - dt.timedelta(days=60), rpo_s=26 * 3600, tier=3)
    tool = make_tool("restic", at=at, settings={"repository": str(lab / "repo")}, secrets={"password": PASSWORD})
    job = make_job(tool, f"db01:{lab / 'data'}", at=at, service=service)
    make_schedule(job, local_times="01:30", grace_s=2 * 3600)
    return tool, job, service


@pytest.fixture
def watched(connected):
    """The same, asked for the first time."""
    polling.poll(tool=connected[0], at=now())
    journey.advance()
    return connected


def days(job, *states: str) -> list[int]:
    """How many days ago the job's occurrences of these states were due."""
    found = ExpectedRun.objects.filter(job=job, state__in=states, due_at__lt=now()).order_by("due_at")
    return [(now().date() - day).days for day in found.values_list("local_on", flat=True)]


def expected_missing() -> list[int]:
    """The missed night, and every night since the stop whose time has come (tonight's only after its deadline)."""
    grace_over = now().time() >= dt.time(3, 30)
    return [MISSED, *range(STOPPED_FOR, 0 if not grace_over else -1, -1)]


def test_it_shows_exactly_the_nights_that_were_missed_and_stopped(watched):
    _, job, _ = watched
    assert days(job, "missed") == expected_missing()
    assert days(job, "satisfied") == [back for back in range(DAYS, STOPPED_FOR, -1) if back != MISSED]
    assert not ExpectedRun.objects.filter(job=job, state="missed", backfilled=False).exists()


def test_it_alarms_nobody_before_the_repository_was_asked(connected):
    tool, _, service = connected
    journey.advance()
    state = ServiceState.objects.get(service=service)
    assert (state.verdict, Alert.objects.count()) == ("no_data", 0)
    told = status_sentence(state.evaluation.inputs, state.evaluation.result)
    assert told == "Its backup tool has not answered yet, so nothing is known."
    polling.poll(tool=tool, at=now())
    journey.advance()
    assert ServiceState.objects.get(service=service).verdict == "broken"


def test_it_knows_that_an_empty_repository_holds_no_copy(connected, tmp_path):
    tool, _, service = connected
    with because("test"):
        tool.settings = {"repository": str(tmp_path / "repo")}
        tool.save()
    restic(tmp_path, "init", "-q")
    journey.advance()
    polling.poll(tool=tool, at=now())
    journey.advance()
    assert ServiceState.objects.get(service=service).verdict == "broken"


def test_it_alerts_only_about_now(watched):
    _, _, service = watched
    assert set(Alert.objects.values_list("alert_class", flat=True)) == {"rpo_breach"}
    assert ServiceState.objects.get(service=service).verdict == "broken"
    assert Incident.objects.count() == 1


def test_it_changes_nothing_when_polled_again(watched):
    tool, _, _ = watched
    facts = (BackupRun, ExpectedRun, RestorePoint, Alert, Incident, RunRevision)
    before = [model.objects.count() for model in facts]
    for _ in range(3):
        polling.poll(tool=tool, at=now())
        journey.advance()
    assert [model.objects.count() for model in facts] == before


def test_it_makes_one_run_of_a_snapshot_and_its_report(watched, lab):
    tool, job, _ = watched
    newest = BackupRun.objects.filter(job=job).order_by("-occurred_at").first()
    summary = {"message_type": "summary", "files_new": 0, "total_bytes_processed": 2000, "snapshot_id": newest.artefact_id[:8]}
    report = {
        "tool": "restic",
        "command": f"restic backup --json --host db01 {lab / 'data'}",
        "exit_code": 3,
        "stdout": json.dumps(summary),
        "stderr": "Warning: at least one source file could not be read",
        "started_at": now().isoformat(),
        "finished_at": now().isoformat(),
        "host": "db01",
    }
    before = BackupRun.objects.count()
    push(tool, report, at=now())
    newest.refresh_from_db()
    assert (BackupRun.objects.count(), newest.outcome, newest.exit_code) == (before, "warning", 3)
    assert RunRevision.objects.get(run=newest).after == {"outcome": "warning"}


def test_it_knows_nothing_of_a_silent_tool_and_says_so_once(watched):
    tool, _, service = watched
    with because("test"):
        tool.settings = {"repository": "/nowhere/at/all"}
        tool.save()
    later = now() + dt.timedelta(seconds=4 * tool.poll_interval_s)
    polling.poll(tool=tool, at=later)
    journey.advance(at=later)
    assert Alert.objects.get(alert_class="source_stale").service is None
    assert ServiceState.objects.get(service=service).verdict == "no_data"
