"""The whole chain through the real doors: web, worker and beat run, a script pings what restic said, a mail server gets a mail."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalogue.models import ServiceStatus
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.common.time import iso, now
from monitoring.models import Alert
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.mailbox import Mailbox, running_mailbox

pytestmark = [pytest.mark.req("2.2", "2.4", "5.1")]
HOUR = dt.timedelta(hours=1)
PATIENCE_S = 60  # what is promised is ten seconds; a crowded machine is no failure, so the order of events is what is asserted
ESTATE = """
teams: [{name: Storage and backup, email: storage@northmoor.example}]
users:
  - {username: hbrandt, name: Hanna Brandt, roles: [steward]}
  - {username: mlind, name: Mona Lind, roles: [monitoring-admin]}
  - {username: pokafor, name: Peter Okafor, roles: [approver]}
services:
  - code: SVC-007
    name: Laboratory results
    tier: 2
    commissioned_at: {commissioned_at}
    owner: hbrandt
    steward: hbrandt
    operations_team: Storage and backup
    commitments: {rpo: 4 h}
tools: [{name: scripts, label: Nightly scripts, kind: ping}]
jobs: [{tool: scripts, id: lab-nightly, name: "Laboratory, nightly", profile: restic, service: SVC-007}]
"""
# What administrators write in their crontab: nothing of ours but the address.
SCRIPT = """#!/bin/sh
curl -fsS -m 20 --retry 3 -o /dev/null "$PING/start"
said=$(restic backup --json "$1" 2>&1)
code=$?
curl -fsS -m 20 --retry 3 -o /dev/null --data-raw "$said" "$PING/$code"
"""


class Estate:
    """A started product with one declared service, seen through its API alone."""

    def __init__(self, address: str, token: str, sender: str, ping: str, folder: Path) -> None:
        self.address, self.token, self.sender, self.ping, self.folder = address.rstrip("/"), token, sender, ping, folder

    def get(self, path: str) -> Any:
        return self._call(urllib.request.Request(f"{self.address}/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"}))

    def send(self, *records: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self.sender}", "Content-Type": "application/json"}
        return self._call(urllib.request.Request(f"{self.address}/api/v1/runs", json.dumps(records).encode(), headers))

    def back_up(self, repository: str = "repo", password: str = "correct horse") -> None:
        """Run the nightly script, with a restic that may really fail."""
        environment = {
            **os.environ, "PING": self.ping, "RESTIC_REPOSITORY": str(self.folder / repository), "RESTIC_PASSWORD": password,
            "HOME": str(self.folder), "no_proxy": "*",
        }  # fmt: skip
        script = ["sh", str(self.folder / "nightly.sh"), str(self.folder / "data")]
        subprocess.run(script, env=environment, check=True, timeout=120)

    @staticmethod
    def _call(request: urllib.request.Request) -> Any:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return json.load(answer)


def until(holds: Callable[[], Any], told: str) -> Any:
    """What `holds` gives, once it gives something."""
    end = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < end, f"never: {told}"
        time.sleep(0.2)
    return found


def started(product, folder: Path, port: int) -> Estate:
    (folder / "data").mkdir()
    (folder / "data" / "results.csv").write_text("patient;value\n" * 500)
    (folder / "nightly.sh").write_text(SCRIPT)
    (folder / "estate.yaml").write_text(ESTATE.replace("{commissioned_at}", f"{now() - 2 * HOUR:%Y-%m-%dT%H:%MZ}"))
    environment = {**os.environ, "RESTIC_PASSWORD": "correct horse", "HOME": str(folder)}
    subprocess.run(["restic", "init", "-q", "-r", str(folder / "repo")], env=environment, check=True, capture_output=True)
    address = product.up("--empty", EMAIL_URL=f"smtp://127.0.0.1:{port}").address()
    people = ("--steward", "hbrandt", "--monitoring-admin", "mlind", "--approver", "pokafor")
    said = product.run("load_estate", str(folder / "estate.yaml"), *people)
    path = re.search(r"(/ping/[0-9a-f-]{36})", said)
    assert path, said

    def token(*options: str) -> str:
        made = re.search(r"itsmb_\S+", product.run("token", *options))
        assert made
        return made[0]

    sender = token("--user", "mlind", "--scope", "ingest", "--tool", "scripts")
    return Estate(address, token("--user", "pokafor", "--scope", "read"), sender, address.rstrip("/") + path[1], folder)


@pytest.mark.real_tool("restic", "curl")
@pytest.mark.tested("live", "ping", "push")
def test_a_failed_nightly_script_becomes_a_mail_and_a_good_one_ends_it(product, tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    with running_mailbox() as (mailbox, port):
        estate = started(product, folder, port)
        _fails(estate, mailbox)
        _fails_on(estate, mailbox)
        _copies_too_old(estate, mailbox)
        _recovers(estate, mailbox)


def _fails(estate: Estate, mailbox: Mailbox) -> None:
    """The newest copy is five hours old, four are promised, and tonight restic does not get into its repository."""
    until(lambda: estate.get("/services/SVC-007/")["verdict"] == "kept", "the new service is judged")
    assert not estate.get("/incidents/")["results"]
    assert estate.send(run_record("lab-nightly", "success", now() - 5 * HOUR, minutes=1))["stored"] == 1
    estate.back_up(password="wrong")
    until(lambda: _alert(estate, "job_failed") and mailbox.messages, "the failure is an alert, and a mail arrived")
    service = estate.get("/services/SVC-007/")
    assert (service["status"], service["verdict"]) == ("degraded", "broken")
    failed = estate.get("/runs/?outcome=failed")["results"]
    assert [(run["job_external_id"], run["exit_code"], run["service"]) for run in failed] == [("lab-nightly", 1, "SVC-007")]
    assert "wrong password or no key found" in failed[0]["message"]
    assert failed[0]["started_at"] < failed[0]["ended_at"]
    incident = _incident(estate)
    assert {alert["alert_class"] for alert in incident["alerts"]} == {"rpo_breach", "job_failed"}
    assert failed[0]["ended_at"] <= incident["updated_at"] and service["status_since"] <= incident["opened_at"]
    mail = mailbox.messages[0]
    words = mail.get_content()
    assert mail["To"] == "storage@northmoor.example"
    assert incident["number"] in mail["Subject"] and incident["priority"] in mail["Subject"]
    assert "Laboratory results (SVC-007)" in words
    assert "newest copy 5 h old, promise 4 h" in words
    assert f"{estate.address}/incidents/{incident['number']}/" in words
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{estate.address}/incidents/{incident['number']}/") as page:
        assert "/accounts/login" in page.url, "the link leads to the product, which asks who one is"


def _fails_on(estate: Estate, mailbox: Mailbox) -> None:
    """Twice the same, once for another reason: the same incident, and nobody is told again."""
    for repository in ("repo", "gone", "repo"):
        estate.back_up(repository, password="wrong")
    until(lambda: _alert(estate, "job_failed")["occurrences"] == 4, "four failures are counted")
    assert len(_incident(estate)["alerts"]) == 2
    assert len(mailbox.messages) == 1


def _copies_too_old(estate: Estate, mailbox: Mailbox) -> None:
    """A backup that ran for hours ended well, but its data is older than promised: the failing is over, the breach is not."""
    taken = now() - 4.5 * HOUR
    estate.send({**run_record("lab-nightly", "success", taken, minutes=0), "ended_at": iso(now())})
    until(lambda: _alert(estate, "job_failed")["state"] == "resolved", "the good run is heard of")
    assert _alert(estate, "rpo_breach")["state"] == "firing"
    assert _incident(estate)["state"] == "new"
    assert estate.get("/services/SVC-007/")["status"] == "degraded"
    assert len(mailbox.messages) == 1


def _recovers(estate: Estate, mailbox: Mailbox) -> None:
    """restic gets in again: its copy is inside the promise, and that is the evidence."""
    estate.back_up()
    until(lambda: len(mailbox.messages) == 2, "the mail that it is over arrives")
    assert estate.get("/services/SVC-007/")["status"] == "operational"
    incident = _incident(estate)
    assert (incident["state"], incident["alerts_open"]) == ("resolved", 0)
    over = mailbox.messages[1]
    assert f"[{incident['number']}] Resolved" in over["Subject"]
    assert "promise 4 h" in over.get_content() and "The newest copy was" in over.get_content()
    assert len(set(mailbox.ids)) == 2
    newest = estate.get("/runs/?outcome=success")["results"][0]
    assert newest["files_total"] == 1 and newest["artefact_id"], "what restic told of its copy is read"


def _alert(estate: Estate, kind: str) -> dict[str, Any]:
    found = estate.get(f"/alerts/?alert_class={kind}")["results"]
    assert len(found) <= 1
    return found[0] if found else {}


def _incident(estate: Estate) -> dict[str, Any]:
    """The one incident, with its alerts and its story."""
    found = estate.get("/incidents/")["results"]
    assert len(found) == 1
    return estate.get(f"/incidents/{found[0]['number']}/")


@pytest.mark.django_db
class TestWellInsideItsPromise:
    """The newest copy is half an hour old, or has used most of what is promised; then the nightly script fails."""

    @staticmethod
    def failing(client, tier: int, age: dt.timedelta, times: int):
        present = now()
        start = present - 2 * 24 * HOUR
        service = make_service("SVC-010", at=start, rpo_s=4 * 3600, tier=tier)
        tool = make_tool("ping", at=start)
        job = make_job(tool, "nightly", at=start, service=service, profile="restic")
        for hours in (5, 4, 3, 2, 1, 0):
            push_at = present - age - hours * HOUR
            push(tool, run_record("nightly", "success", push_at, minutes=1), at=push_at + HOUR / 4)
        journey.advance()
        assert ServiceStatus.objects.get().status == "operational"
        for _ in range(times):
            client.post(f"/ping/{job.ping_uuid}/start")
            client.post(f"/ping/{job.ping_uuid}/1", "Fatal: wrong password or no key found", content_type="text/plain")
            journey.advance()
        return ServiceStatus.objects.get().status, Alert.objects.get(alert_class="job_failed")

    @pytest.mark.parametrize("tier", [1, 2, 3])
    def test_a_first_failure_is_an_alert_and_nothing_else(self, client, tier):
        status, alert = self.failing(client, tier, HOUR / 2, times=1)
        assert (status, alert.severity, alert.state) == ("operational", "warning", "firing")
        assert not Incident.objects.exists() and not Notice.objects.exists()

    @pytest.mark.parametrize("tier", [1, 2, 3])
    def test_a_second_one_opens_an_incident_while_the_promise_is_still_kept(self, client, tier):
        status, alert = self.failing(client, tier, HOUR / 2, times=2)
        assert (status, alert.severity, alert.occurrences) == ("operational", "error", 2)
        assert Incident.objects.get().priority == {1: "P3", 2: "P4", 3: "P5"}[tier]

    @pytest.mark.parametrize(
        ("tier", "times", "wanted"),
        [(1, 1, "operational"), (1, 2, "degraded"), (2, 2, "operational"), (3, 2, "operational")],
    )
    def test_near_its_limit_only_tier_1_is_degraded_and_only_by_the_second(self, client, tier, times, wanted):
        status, _ = self.failing(client, tier, 3.8 * HOUR, times)
        assert status == wanted
        assert Alert.objects.get(alert_class="rpo_at_risk").severity == "warning"
