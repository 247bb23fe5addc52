"""What a tool's words mean, in a real browser: drafted on what real borg said, its effect seen, approved by somebody else, restated."""

from __future__ import annotations

import datetime as dt
import json
import subprocess

import pytest

from itsm_backup import journey
from itsm_backup.common.time import iso
from monitoring import intake
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupJob, BackupRun, StatusMap, ToolState
from tests.factories import make_admin, make_rule, make_service, make_tool
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def vault(tmp_path, present):
    """Reports of three real runs of borg: two good ones, and one with a file that was not there, which borg calls a warning only."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a" * 1000)
    env = {"BORG_PASSPHRASE": "", "BORG_BASE_DIR": str(tmp_path / "base"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    repository = str(tmp_path / "repo")
    subprocess.run(["borg", "init", "--encryption", "none", repository], env=env, check=True, capture_output=True)
    tool = make_tool("borg", at=present - 5 * DAY, name="vault", label="Vault", settings={"repository": repository})
    for number, paths in enumerate(([data], [data], [data, tmp_path / "missing"])):
        at = present - (3 - number) * 8 * HOUR
        argv = ["borg", "create", "--json", "--log-json", f"{repository}::n{number}", *map(str, paths)]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == (1 if len(paths) > 1 else 0)
        report = {
            "tool": "borg", "command": " ".join(argv), "exit_code": done.returncode, "stdout": done.stdout, "stderr": done.stderr,
            "started_at": iso(at), "finished_at": iso(at + dt.timedelta(minutes=5)), "host": "db01", "job_external_id": "db01",
        }  # fmt: skip
        answer = Answer(kind="api", steps=[Step(name="body", stdout=json.dumps([report]))], meta={"content_type": "application/json"})
        assert {one.status for one in intake.receive(tool=tool, answer=answer, at=at + HOUR).results} == {"stored"}
    service = make_service("PACS", name="Imaging archive", at=present - 5 * DAY, rpo_s=12 * 3600, tier=1)
    make_rule(service, tool, BackupJob.objects.get().external_id, at=present - 5 * DAY)
    ToolState.objects.filter(tool=tool).update(latest_complete_at=present)  # as if its repository had been listed, too
    journey.advance(at=present)
    return tool


@pytest.mark.req("2.3")
@pytest.mark.real_tool("borg")
def test_a_word_gets_another_meaning_only_after_its_effect_was_seen(tab, vault, present):
    mona, peter = make_person("monitoring-admin", present), make_person("approver", present)
    assert sorted(BackupRun.objects.values_list("outcome", flat=True)) == ["partial", "success", "success"]
    page = tab(mona)
    page.set_default_timeout(60_000)
    page.goto("/tools/vault/")
    page.click("text=Words and units")
    row = page.locator("#words tbody tr:has(td[data-head='Connector']:text-is('partial'))")
    word = row.locator("input[type=hidden]").get_attribute("value")
    row.locator("select").select_option("warning")
    page.fill("#draft-reason", "The file that is missing is a temporary one")
    page.click("text=Keep as draft and show its effect")
    page.wait_for_selector("#effect")
    effect = page.inner_text("#effect")
    assert f"“{word}” means warning." in effect and "1 run would end otherwise" in effect and "partial → warning" in effect
    assert "1 run that did not go well would count as good." in effect
    assert "Imaging archive" in effect and "Degraded" in effect and "Operational" in effect, "the service that would stand otherwise"
    assert "so somebody else must approve it" in effect and page.locator("text=Put version 1 in force").count() == 0
    assert BackupRun.objects.filter(outcome="partial").count() == 1, "nothing is changed yet"

    # what did not go well and would count as good has to be accepted by its number
    approver = tab(peter)
    approver.set_default_timeout(60_000)
    approver.goto("/tools/vault/words/")
    approver.fill("#approve-reason", "Agreed with the team")
    approver.check("[name=accepts_good]")
    approver.click("text=Put version 1 in force")
    assert "Version 1 is in force." in approver.inner_text(".messages")
    journey.advance()
    restated = BackupRun.objects.get(outcome="warning")
    approver.goto(f"/runs/{restated.pk}/")
    assert "outcome: partial → warning" in approver.inner_text("main")
    approver.goto("/services/PACS/")
    assert "Operational" in approver.inner_text(".service-head")

    # and back: the next version says the other thing, with the effect of that
    page.goto("/tools/vault/words/")
    page.locator("#words tbody tr", has=page.locator(f"input[value='{word}']")).locator("select").select_option("failed")
    page.fill("#draft-reason", "It was no temporary file after all")
    page.click("text=Keep as draft and show its effect")
    page.wait_for_selector("text=warning → failed")
    approver.goto("/tools/vault/words/")
    assert approver.locator("[name=accepts_good]").count() == 0
    approver.fill("#approve-reason", "Seen")
    approver.click("text=Put version 2 in force")
    assert "Version 2 is in force." in approver.inner_text(".messages")
    journey.advance()
    assert not BackupRun.objects.filter(outcome="warning").exists()
    approver.goto("/services/PACS/")
    assert "Operational" not in approver.inner_text(".service-head")
    approver.goto("/tools/vault/words/")
    versions = approver.inner_text("#versions")
    assert mona.get_full_name() in versions and "1 partial → warning" in versions and "1 warning → failed" in versions
    assert StatusMap.objects.filter(state="approved").count() == 2


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_page_is_accessible_and_fits_the_screen(tab, vault, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    from monitoring import redefining, restating

    word = next(word for word, outcome, _ in restating.told(vault, present) if outcome == "partial")
    redefining.draft_map(tool=vault, words={word: "failed"}, units={"bytes_stored": "KiB"}, by=make_admin("olga"), at=present, reason="Try")
    page = tab(make_admin("root"), size=size, scheme=scheme)
    page.goto("/tools/vault/words/")
    seen = list(page.complaints)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        seen.append("scrolls sideways")
    seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
    assert seen == []
