"""A real restic fails, people are told, it recovers, and what was learned is published: one story, in a real browser as its roles."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from incidents.models import Incident, MajorIncident, PostIncidentReview
from itsm_backup import journey
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.mailbox import running_mailbox
from tests.portal.makers import HOUR

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.req("5.1", "5.2", "5.5", "5.6"),
    pytest.mark.real_tool("restic", "curl"),
]
QUESTIONS = ("rpo", "rto", "retention", "dependencies", "tier", "contacts", "status", "restore")
SCRIPT = """#!/bin/sh
curl -fsS -m 20 -o /dev/null "$PING/start"
said=$(restic backup --json "$1" 2>&1)
code=$?
curl -fsS -m 20 -o /dev/null --data-raw "$said" "$PING/$code"
"""


class Nightly:
    """A script in a crontab, a repository of its own, and the job that it pings."""

    def __init__(self, folder: Path, address: str, job) -> None:
        self.folder, self.ping = folder, f"{address}/ping/{job.ping_uuid}"
        (folder / "data").mkdir()
        (folder / "data" / "results.csv").write_text("patient;value\n" * 500)
        (folder / "nightly.sh").write_text(SCRIPT)
        self._run(["restic", "init", "-q"])

    def back_up(self, password: str = "correct horse") -> None:
        self._run(["sh", str(self.folder / "nightly.sh"), str(self.folder / "data")], password)
        journey.advance()

    def _run(self, command: list[str], password: str = "correct horse") -> None:
        told = {"RESTIC_REPOSITORY": str(self.folder / "repo"), "RESTIC_PASSWORD": password, "PING": self.ping, "no_proxy": "*"}
        environment = {**os.environ, "HOME": str(self.folder), **told}
        subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)


@pytest.fixture
def nightly(live_server, tmp_path, present) -> Nightly:
    """A tier 1 service that promises 4 h, whose newest copy is 5 h old: one that is older would not do."""
    start = present - 48 * HOUR
    tool = make_tool("ping", at=start)
    service = make_service("LAB", at=start, name="Laboratory results", rpo_s=4 * 3600, tier=1, department="Laboratory")
    job = make_job(tool, "lab-nightly", at=start, service=service, profile="restic")
    push(tool, run_record("lab-nightly", "success", present - 5 * HOUR, minutes=1), at=present)
    return Nightly(tmp_path, live_server.url, job)


def does(page, button: str, told: str) -> None:
    """Press it, and wait until the page says what was done."""
    page.click(button)
    page.locator(".messages", has_text=told).wait_for()


def test_it_is_told_mended_reviewed_and_closed(sign_in, nightly, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with running_mailbox() as (mailbox, port):
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        for _ in range(2):
            nightly.back_up(password="wrong")
        incident = Incident.objects.get()
        page, operator = sign_in("operator", f"/incidents/{incident.number}/")
        top = page.inner_text("main")[:900]
        assert "P1" in top and "Laboratory" in top and "Told last: Storage" in top, "who feels it and who was told stand on top"
        page.click("[aria-labelledby=alerts-title] a.why >> nth=0")
        page.locator("h1", has_text="lab-nightly").or_(page.locator("#explain-title")).first.wait_for()
        page.goto(f"/incidents/{incident.number}/")
        page.click("summary >> text=Propose it as a major incident")
        page.fill("#propose-reason", "No laboratory result would survive")
        does(page, f"text=Propose {incident.number} as major", "is proposed")
        number = MajorIncident.objects.get().number

        manager, leader = sign_in("incident-manager", f"/major/{number}/")
        manager.select_option("#manager", str(leader.pk))
        manager.select_option("#communications_lead", str(operator.pk))
        does(manager, "text=Declare MAJ-", "is declared")
        page.goto(f"/major/{number}/")
        page.fill("#words", "The key of the backup is being put back.")
        does(page, "text=Draft the update", "is drafted")
        manager.goto(f"/major/{number}/updates/1/")
        does(manager, "text=Approve and send", "way")
        journey.advance()
        assert any("disturbed" in one["Subject"] for one in mailbox.messages)

        nightly.back_up()
        incident.refresh_from_db()
        assert incident.state == "resolved", "restic's own copy is the evidence"
        assert "Resolved" in mailbox.messages[-1]["Subject"]
        page.goto(f"/incidents/{incident.number}/")
        does(page, "button >> text=Start the review", "is a draft")
        assert "beyond the promise for" in page.inner_text("[aria-labelledby=stood-title]")
        for question in QUESTIONS:
            page.check(f"[name=answer-{question}][value={'no' if question == 'contacts' else 'yes'}]")
        page.fill("[name=note-contacts]", "The key's keeper belongs to the contacts")
        does(page, "button >> text=Keep the answers", "8 answers kept")
        page.fill("#cause", "The key was changed on the host alone")
        page.fill("#went_wrong", "Nobody tried the new key")
        does(page, "button >> text=Write it down", "says more now")
        does(page, "button >> text=Hand it in", "in review")
        publisher, _ = sign_in("change-manager", f"/reviews/{PostIncidentReview.objects.get().number}/")
        does(publisher, "button >> text=Publish it", "published")

        manager.goto(f"/major/{number}/")
        does(manager, "text=It is being mitigated", "mitigating")
        does(manager, "button >> text=Set it to resolved", "resolved")
        does(manager, "button >> text=Review it", "in review")
        page.goto(f"/major/{number}/")
        page.fill("#words", "The key is back, and a copy was made.")
        does(page, "text=Draft the closing message", "is drafted")
        manager.goto(f"/major/{number}/updates/2/")
        does(manager, "text=Approve and send", "way")
        manager.goto(f"/major/{number}/")
        manager.click("button >> text=Close it")
        manager.locator(".facts", has_text="Closed").wait_for()
        journey.advance()
        assert any("It is over" in one["Subject"] for one in mailbox.messages)
        assert len(set(mailbox.ids)) == len(mailbox.ids)
    assert page.complaints == manager.complaints == publisher.complaints == []
