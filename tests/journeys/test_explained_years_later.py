"""What was judged is explained and worked out again by another process, later; what was tampered with is named."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from catalogue import publishing
from catalogue.models import Service
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.time import now
from monitoring.models import Alert, BackupRun, Evaluation, RawAnswer, ServiceState
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.req("1.5", "2.6", "3.5")]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
SOURCE = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`manage.py …` in a process of its own, which knows nothing but the database."""
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {**os.environ, "DATABASE_URL": urlunsplit(address)}
    run = [sys.executable, "manage.py", *arguments]
    return subprocess.run(run, cwd=SOURCE, env=environment, capture_output=True, text=True, timeout=120, check=False)


def again(kind: str, key: object) -> tuple[int, dict, dict]:
    """Exit code, explanation and repetition."""
    done = command("explain", kind, str(key), "--again", "--json")
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    return done.returncode, told["explanation"], told["again"]


def sql(text: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, values)


@pytest.fixture
def service() -> Service:
    """Five days of two-hourly backups, the last two of them failed: 5 h old where 4 h are promised."""
    at = now().replace(minute=0, second=0, microsecond=0)
    start = at - 5 * DAY
    service = make_service("SVC-003", at=start, rpo_s=4 * 3600, success_rate="0.98", name="Imaging archive")
    tool = make_tool(at=start)
    job = make_job(tool, "pacs-2h", at=start, service=service)
    due = ",".join(f"{(at - hours * HOUR):%H:%M}" for hours in range(1, 25, 2))
    make_schedule(job, local_times=due, grace_s=3600)
    push(tool, *[run_record("pacs-2h", "success", at - hours * HOUR) for hours in range(5, 121, 2)], at=at - 4.5 * HOUR)
    journey.advance(at=at - 4.5 * HOUR)
    for hours in (3, 1):
        failed = run_record("pacs-2h", "failed", at - hours * HOUR, minutes=2, native_message="no space left on device")
        push(tool, failed, at=at - hours * HOUR + HOUR / 10)
    journey.advance(at=at)
    return service


def test_another_process_comes_to_the_same_for_status_alert_and_incident(service):
    alert, incident = Alert.objects.get(alert_class="job_failed"), Incident.objects.get()
    for kind, key in (("status", "SVC-003"), ("alert", alert.pk), ("incident", incident.number)):
        code, explained, repeated = again(kind, key)
        assert (code, repeated["from_inputs"], repeated["from_runs"], repeated["altered"]) == (0, True, True, []), kind
        assert {one["answer_is_kept"] for one in explained["runs"]} == {True}
        assert explained["rule"] and explained["mapping"] and explained["promise"] and explained["arithmetic"]
        assert "Recovery point (RPO) 4 h" in explained["promise"]["text"]
    told = command("explain", "status", "SVC-003", "--again").stdout
    assert "again from stored inputs: same" in told and "again from the runs: same" in told


def test_a_run_altered_behind_its_back_is_named_and_the_command_fails(service):
    run = BackupRun.objects.filter(outcome="failed").latest("occurred_at")
    sql("UPDATE monitoring_backuprun SET outcome = 'success', captured_at = occurred_at WHERE id = %s", run.pk)
    code, _, repeated = again("status", "SVC-003")
    assert (code, repeated["from_inputs"], repeated["from_runs"]) == (1, True, False)
    assert [line for line in repeated["altered"] if f"Run {run.pk} of pacs-2h was changed outside the product" in line]
    assert "had said: failed" in repeated["altered"][0]
    plain = command("explain", "status", "SVC-003", "--again")
    assert plain.returncode == 1 and f"Run {run.pk} of pacs-2h" in plain.stdout
    sql("UPDATE monitoring_backuprun SET outcome = 'failed', captured_at = NULL WHERE id = %s", run.pk)
    assert again("status", "SVC-003")[0] == 0


def test_it_repeats_without_the_raw_answers_and_says_that_they_are_gone(service):
    run = BackupRun.objects.filter(outcome="failed").latest("occurred_at")
    sql("DELETE FROM monitoring_rawanswer")
    assert not RawAnswer.objects.exists()
    code, explained, repeated = again("status", "SVC-003")
    assert (code, repeated["from_inputs"], repeated["from_runs"]) == (0, True, True)
    assert run.pk in {one["run"] for one in explained["runs"]}
    assert {one["answer_is_kept"] for one in explained["runs"]} == {False}
    told = command("explain", "status", "SVC-003", "--again").stdout
    assert "failed  pacs-2h  no space left on device  (its raw answer is no longer kept)" in told
    assert "again from the runs: same" in told


def test_the_old_judgement_keeps_its_promise_when_a_tighter_one_takes_force(service):
    before = ServiceState.objects.get().evaluation
    author, approver, at = make_user(), make_admin(), now()
    draft = publishing.draft_version(
        service=service, content={}, commitment={"rpo_s": 2 * 3600}, by=author, at=at, reason="Asked by Radiology"
    )
    publishing.submit(version=draft, by=author, at=at, reason="Asked by Radiology")
    publishing.approve(version=draft, by=approver, at=at, reason="Agreed")
    journey.advance()
    after = ServiceState.objects.get().evaluation
    assert after.pk != before.pk and Evaluation.objects.get(pk=before.pk).result == before.result
    for evaluation, number, promise in ((before, 1, "4 h"), (after, 2, "2 h")):
        code, explained, repeated = again("evaluation", evaluation.pk)
        assert (code, repeated["from_inputs"], repeated["from_runs"]) == (0, True, True)
        assert explained["promise"]["version"] == number
        assert f"Recovery point (RPO) {promise}" in explained["promise"]["text"]
        assert any(f"{promise} = " in line for line in explained["arithmetic"])
    assert "2 h" in repeated["answer"]
