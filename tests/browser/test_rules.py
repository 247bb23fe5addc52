"""From a job of a real tool that belongs to nobody to the rule that two people made, its runs linked, and the explanation."""

from __future__ import annotations

import datetime as dt
import os
import subprocess

import pytest

from itsm_backup import journey
from itsm_backup.common.time import now
from monitoring import polling, ruling
from monitoring.models import AttributionRule, BackupJob, BackupRun, RuleVersion
from tests.factories import make_admin, make_job, make_rule, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def vault(tmp_path, present):
    """A real restic repository with two hosts' snapshots; the files of one of them already belong to a service."""
    environment = {
        **os.environ,
        "RESTIC_REPOSITORY": str(tmp_path / "repo"),
        "RESTIC_PASSWORD": "secret",
        "HOME": str(tmp_path),
        "TZ": "UTC",
    }

    def restic(*arguments: str) -> None:
        subprocess.run(["restic", *arguments], env=environment, capture_output=True, check=True)

    for name in ("files", "database"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_bytes(os.urandom(2_000))
    restic("init", "-q")
    for name, host in (("files", "pacs01"), ("database", "pacs01"), ("database", "lab01")):
        for hours in (30, 6):
            restic("backup", "-q", "--host", host, "--time", f"{present - hours * HOUR:%Y-%m-%d %H:%M:%S}", str(tmp_path / name))
    service = make_service("PACS", name="Imaging archive", at=present - 60 * DAY)
    make_service("LAB", name="Laboratory", at=present - 60 * DAY)
    settings = {"repository": str(tmp_path / "repo")}
    tool = make_tool("restic", name="vault", label="Vault", at=present - DAY, settings=settings, secrets={"password": "secret"})
    polling.poll(tool=tool, at=now())
    make_rule(service, tool, f"pacs01:{tmp_path / 'files'}", at=present - 60 * DAY)
    journey.advance()
    assert BackupJob.objects.filter(service=None).count() == 2
    return tool


@pytest.mark.req("2.2")
@pytest.mark.real_tool("restic")
def test_a_job_of_nobody_finds_its_service_by_a_rule_that_two_people_made(tab, vault, present):
    mona, peter = make_person("monitoring-admin", present), make_person("approver", present)
    page = tab(mona)
    page.set_default_timeout(60_000)
    page.goto("/")
    page.click("nav >> text=Improve")
    page.click("text=Unmatched, 2")
    assert page.inner_text("h1") == "2 jobs belong to no service."
    waiting = page.locator("article", has_text="pacs01:")
    assert "Protected host is pacs01 belongs to Imaging archive (PACS)" in waiting.inner_text()
    waiting.locator("text=Make this rule").click()
    page.wait_for_selector(".bench-tiles")
    tiles = page.locator(".bench-tiles li").all_inner_texts()
    assert tiles[0].startswith("1\n") and tiles[1].startswith("+1\n") and tiles[2].startswith("0\n"), tiles

    # narrowed, tried anew, what it misses by one condition is told
    page.click("text=Add a condition")
    page.select_option("[name=field-1]", "external_id")
    page.select_option("[name=operator-1]", "has_none_of")
    page.fill("[name=value-1]", "scratch, nowhere")
    page.click(".bench-form .button >> text=Keep as draft and try it")
    page.wait_for_selector("[name=value-1]")
    assert "job id has none of scratch, nowhere" in page.inner_text(".bench-words")
    page.click("text=Near misses")
    assert "lab01:" in page.inner_text("#events + *") and "not: protected host is pacs01" in page.inner_text("#events + *")
    page.click("text=Unmatched in the estate, 1")
    assert "the unmatched queue" in page.inner_text("#events + *")
    row = RuleVersion.objects.get()
    assert not AttributionRule.objects.filter(name=row.name).exists(), "the bench changes nothing"
    page.click("text=Send for approval")
    assert "waits for approval" in page.inner_text(".messages")
    assert "You wrote" in page.inner_text("main") and page.locator("text=Put it in force").count() == 0

    reader = tab(peter)
    reader.set_default_timeout(60_000)
    reader.goto("/improve/rules/")
    reader.click(f"text={row}")
    reader.fill("#approve-reason", "The host is the archive's")
    reader.click("text=Put it in force")
    assert "is in force" in reader.inner_text(".messages")
    journey.advance()

    # the runs are linked, and the explanation names the version that decided and who made it
    row.refresh_from_db()
    job = BackupJob.objects.get(external_id__startswith="pacs01:", external_id__endswith="database")
    assert (job.service.code, job.attribution_rule) == ("PACS", row.decided)
    assert set(BackupRun.objects.filter(job=job).values_list("service__code", flat=True)) == {"PACS"}
    auditor = tab(make_person("auditor", present))
    auditor.set_default_timeout(60_000)
    auditor.goto("/explain/status/PACS/")
    told = auditor.inner_text("main")
    assert f"{row.name}, version 1" in told and "Protected host is pacs01" in told
    assert f"{mona.get_full_name()}, approved by {peter.get_full_name()}" in told
    auditor.goto(f"/improve/rules/attribution/{AttributionRule.objects.get(name=row.name).pk}/")
    assert "Version 1" in auditor.inner_text("#jobs") and "The host is the archive's" not in auditor.inner_text("#jobs")
    assert auditor.locator("text=Write the next version").count() == 0


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_its_pages_are_accessible_and_fit_the_screen(tab, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    start, root = present - 9 * DAY, make_admin("root")
    tool, pacs = make_tool(at=start, name="vault"), make_service("PACS", name="Imaging archive", at=start)
    for name, host in (("pacs-nightly", "pacs01"), ("pacs-hourly", "pacs01"), ("lab", "lab01")):
        make_job(tool, name, at=start, target_name=host)
    make_rule(pacs, tool, "pacs-nightly", at=start)
    for hours in (6, 4, 2):
        push(tool, run_record("pacs-nightly", "failed", present - hours * HOUR, native_message="the robot arm is stuck"), at=present)
    journey.advance(at=present)
    said = {"by": root, "at": present, "reason": "Tried"}
    belonging = ruling.draft_rule(
        kind="attribution", name="Archive", content={"service": pacs, "conditions": [("name", "starts_with_any", "pacs-, endo-")]}, **said
    )
    cause = ruling.draft_rule(
        kind="cause", name="robot", content={"title": "the robot is stuck", "conditions": [("message", "contains", "robot")]}, **said
    )
    found = {}
    bench = f"/improve/rules/versions/{belonging.pk}/"
    paths = ["/improve/rules/", "/improve/unmatched/", bench, f"{bench}?show=near", f"{bench}?show=services"]
    paths += [f"/improve/rules/versions/{cause.pk}/", "/improve/rules/new/?kind=cause"]
    paths.append(f"/improve/rules/attribution/{AttributionRule.objects.get().pk}/")
    for path in paths:
        page = tab(root, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        if folder := os.environ.get("RULE_PICTURES"):
            page.screenshot(path=f"{folder}/{size}-{scheme}-{paths.index(path)}.png", full_page=True)
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
        page.close()
    assert found == {}
