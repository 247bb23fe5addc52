"""Nights of a real borgmatic, told by its own healthchecks hook: from a failure that happens twice to the copy that ends it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from catalogue.models import ServiceStatus
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from monitoring.models import Alert, BackupRun, RestorePoint
from monitoring.shipping import ship_rules
from tests.factories import LONG_AGO, make_job, make_service, make_tool

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.req("2.2", "2.3", "5.1"),
    pytest.mark.real_tool("borgmatic", "borg"),
]
CONFIGURATION = """
location:
    source_directories: [{source}]
    repositories: [{repository}]
storage:
    encryption_passphrase: "correct horse battery"
hooks:
    before_backup: [sleep 1]
    healthchecks:
        ping_url: {ping_url}
        states: [{states}]
"""


class Nights:
    """A borgmatic that saves to one repository, and reports to the address it was given."""

    def __init__(self, folder: Path, ping_url: str) -> None:
        self.folder, self.ping_url = folder, ping_url
        (folder / "data").mkdir()
        (folder / "data" / "ledger.txt").write_text("something worth keeping\n" * 100)

    def run(self, *arguments: str, states: str = "start, finish, fail") -> int:
        values = {"source": self.folder / "data", "repository": self.folder / "repo", "ping_url": self.ping_url, "states": states}
        configuration = self.folder / "config.yaml"
        configuration.write_text(CONFIGURATION.format(**values))
        configuration.chmod(0o600)
        environment = {"HOME": str(self.folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        command = ["borgmatic", "-c", str(configuration), "--no-color", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False).returncode


@pytest.fixture
def nights(tmp_path, live_server):
    """A service that promises 26 h from now on, whose borgmatic is connected by nothing but the ping address."""
    ship_rules(at=LONG_AGO)
    service = make_service("SVC-014", at=now(), rpo_s=26 * 3600, name="Ward files")
    job = make_job(make_tool("ping"), "wards", profile="borg", service=service)
    return Nights(tmp_path, f"{live_server.url}/ping/{job.ping_uuid}")


def test_it_fails_twice_and_comes_right_without_a_line_of_our_own(nights):
    assert nights.run("create") != 0  # there is no repository yet
    journey.advance()
    first = BackupRun.objects.get()
    assert (first.state, first.outcome, first.service.code) == ("finished", "failed", "SVC-014")
    assert (first.ended_at - first.started_at).total_seconds() >= 1, "the time between both pings is how long it took"
    assert Alert.objects.get().severity == "warning" and not Incident.objects.exists()
    assert nights.run("create") != 0
    journey.advance()
    incident = Incident.objects.get()
    assert (Alert.objects.get().occurrences, incident.state, Notice.objects.count()) == (2, "new", 1)
    assert "Ward files" in Notice.objects.get().body

    assert nights.run("rcreate", "--encryption", "repokey") == 0
    assert BackupRun.objects.count() == 2, "making a repository is no backup"
    assert nights.run("create", "--stats") == 0
    journey.advance()
    good = BackupRun.objects.latest("started_at")
    assert (BackupRun.objects.count(), good.state, good.outcome, good.message) == (3, "finished", "success", None)
    assert RestorePoint.objects.get().captured_at == good.started_at
    incident.refresh_from_db()
    assert (incident.state, Notice.objects.count()) == ("resolved", 2)
    assert ServiceStatus.objects.get().status == "operational"
    assert not BackupRun.objects.filter(state="running").exists()


@pytest.mark.parametrize(("states", "outcomes"), [("finish", []), ("fail", ["failed"]), ("start", [None])])
def test_it_knows_no_more_than_borgmatic_was_told_to_say(nights, states, outcomes):
    """A hook that is limited to some states: an end without its start is a run, a start without its end is never good."""
    assert nights.run("create", states=states) != 0
    journey.advance()
    assert list(BackupRun.objects.values_list("outcome", flat=True)) == outcomes
    assert not RestorePoint.objects.exists()
