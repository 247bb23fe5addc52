"""borgmatic's own healthchecks hook works unchanged against /ping/."""

from __future__ import annotations

import subprocess

import pytest

from monitoring import answers
from monitoring.models import BackupRun, RawAnswer
from tests.factories import make_job, make_tool

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.real_tool("borgmatic", "borg"),
    pytest.mark.tested("live", "ping"),
]
CONFIGURATION = """
location:
    source_directories: [{source}]
    repositories: [{repository}]
storage:
    encryption_passphrase: "correct horse battery"
hooks:
    healthchecks:
        ping_url: {ping_url}
"""


@pytest.fixture
def borgmatic(tmp_path):
    source = tmp_path / "data"
    source.mkdir()
    (source / "ledger.txt").write_text("something worth keeping\n" * 100)

    def run(*arguments: str, ping_url: str, source=source):
        configuration = tmp_path / "config.yaml"
        configuration.write_text(CONFIGURATION.format(source=source, repository=tmp_path / "repo", ping_url=ping_url))
        configuration.chmod(0o600)
        environment = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        command = ["borgmatic", "-c", str(configuration), "--no-color", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_it_hears_the_start_and_the_end_of_a_real_backup(borgmatic, live_server):
    job = make_job(make_tool("ping"), "wiki-nightly", profile="borg")
    ping_url = f"{live_server.url}/ping/{job.ping_uuid}"
    created = borgmatic("rcreate", "--encryption", "repokey", ping_url=ping_url)
    assert created.returncode == 0, created.stderr
    assert not BackupRun.objects.exists()
    ended = borgmatic("create", "--stats", ping_url=ping_url)
    assert ended.returncode == 0, ended.stderr
    run = BackupRun.objects.get()
    assert (run.job, run.state, run.outcome) == (job, "finished", "success")
    assert run.started_at < run.ended_at
    assert run.point.captured_at == run.started_at


def test_it_hears_of_a_backup_that_really_fails_and_why(borgmatic, live_server):
    job = make_job(make_tool("ping"), "wiki-nightly", profile="borg")
    ended = borgmatic("create", ping_url=f"{live_server.url}/ping/{job.ping_uuid}")
    assert ended.returncode != 0
    run = BackupRun.objects.get()
    assert (run.state, run.outcome) == ("finished", "failed")
    assert "returned non-zero exit status 2" in run.message  # all that borgmatic tells at its normal verbosity
    told = RawAnswer.objects.filter(tool_id=job.tool_id).values_list("pk", flat=True)
    kept = "".join(answers.open_answer(pk)[1].steps[0].stdout for pk in told)
    assert "Error running actions for repository" in kept
    assert "correct horse" not in kept


def test_it_hears_borgmatic_by_ping_key_and_slug(borgmatic, live_server):
    job = make_job(make_tool("ping", ping_key="key-0123456789"), "wiki-nightly")
    ended = borgmatic("create", ping_url=f"{live_server.url}/ping/key-0123456789/wiki-nightly")
    assert ended.returncode != 0
    assert BackupRun.objects.get(job=job).outcome == "failed"
