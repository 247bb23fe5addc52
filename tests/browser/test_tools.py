"""The register of tools in a real browser: a tool is tried, its scorecard read, candidates compared and weighed."""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest

from itsm_backup import journey
from monitoring import assessing, polling
from monitoring.models import Assessment, BackupRun
from tests.factories import make_admin, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def vault(tmp_path, present):
    """A real repository of restic with two snapshots, connected as a tool."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a" * 1000)
    env = {"RESTIC_PASSWORD": "right", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for argv in (["init"], ["backup", str(data)], ["backup", str(data)]):
        subprocess.run(["restic", "-r", str(tmp_path / "repo"), *argv], env=env, check=True, capture_output=True)
    settings = {"repository": str(tmp_path / "repo")}
    return make_tool("restic", at=present - DAY, name="vault", label="Vault", settings=settings, secrets={"password": "right"})


@pytest.mark.req("2.1")
@pytest.mark.real_tool("restic")
def test_a_tool_is_tried_scored_and_compared_with_other_candidates(tab, vault, present):
    mona, reader = make_person("monitoring-admin", present), make_person("auditor", present)
    page = tab(mona)
    page.set_default_timeout(60_000)
    page.goto("/services/")
    page.click("nav[aria-label='How they hang together'] >> text=Tools")
    assert page.inner_text("h1") == "0 of 1 tool have been tried, 1 needs a look."
    page.click("main >> text=Vault")
    assert "as its connector declares it" in page.inner_text("main") and "Never answered" in page.inner_text("#health")
    page.click("text=Test the connection")
    page.wait_for_selector("#asked")
    card = {row.split("\n")[0].split("\t")[0]: row for row in page.locator("#scorecard tbody tr").all_inner_texts()}
    assert "2 runs: 2 success." in card["Read runs"] and "Let the wrapper report what fails" in card["Read runs"]
    assert "It let us in." in card["Sign-in"] and "2 of 2 runs came again" in card["Go on where it stopped"]
    assert "restic cat config --no-lock" in page.inner_text("#asked") and "right" not in page.inner_text("#asked")
    assert mona.get_full_name() in page.inner_text("#trials")
    assert not BackupRun.objects.exists(), "a trial stores no run"

    # a wrong password is told in words, and the scorecard of the day before stays
    vault.secrets = {"password": "wrong"}
    from itsm_backup.common.models import because

    with because("The password was changed"):
        vault.save()
    page.click("text=Test the connection")
    page.wait_for_selector("text=It did not answer in full")
    assert "assword" in page.inner_text("#scorecard .note") and page.locator("#trials tbody tr").count() == 2
    assert "Sign-in: yes → no" in page.inner_text("#trials")

    # candidates side by side: what was seen of one, what is declared of the others; weights of one's own
    page.click("nav[aria-label='More about this tool'] >> text=Compare")
    for kind in ("restic", "veeam", "mapped:rubrik"):
        page.check(f"input[value='kind:{kind}']")
    page.click("#comparison >> text=Compare")
    page.wait_for_selector("text=Rubrik")
    first = page.inner_text("h1")
    assert first.startswith(("Veeam Backup & Replication", "Rubrik"))
    heads = page.locator(".tool-compare thead th").all_inner_texts()
    assert len(heads) == 6 and any("not connected: as declared" in head for head in heads)
    before = page.locator(".tool-score").all_inner_texts()
    for name in ("read_runs", "verify_data", "incremental", "authentication", "rate_limits", "read_schedules"):
        page.fill(f"#w_{name}", "0")
    page.fill("#w_rate_limits", "7")
    page.click("#comparison >> text=Compare")
    page.wait_for_selector("text=The weights are yours")
    assert page.locator(".tool-score").all_inner_texts() != before
    page.fill("#keep-reason", "Limits decide here")
    page.click("text=Keep these weights")
    assert "These weights count from now on." in page.inner_text(".messages")
    assert assessing.weights()["rate_limits"] == 7 and assessing.weights()["read_runs"] == 0

    # who may only read sees the card and no button; the past shows what was known then
    other = tab(reader)
    other.set_default_timeout(60_000)
    other.goto("/tools/vault/")
    assert other.locator("button:has-text('Test the connection')").count() == 0 and "may not test the connection" in other.inner_text(
        "main"
    )
    assert other.locator("#trials tbody tr").count() == 2
    other.goto(f"/tools/vault/?as_of={present - 2 * DAY:%Y-%m-%dT%H:%MZ}")
    assert other.locator("#trials").count() == 0 and "nobody has tried it here yet" in other.inner_text("main")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_its_pages_are_accessible_and_fit_the_screen(tab, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    from tests.readings import no_answer, take_reading

    tool = make_tool("push", at=present - DAY, name="scripts")
    push(tool, run_record("nightly", "failed", present), at=present)
    down = make_tool("restic", at=present - DAY, name="down", settings={"repository": "/srv/none"}, secrets={"password": "x"})
    take_reading(down, no_answer(), at=present)
    root, found = make_admin("root"), {}
    for each in (tool, down):
        assessing.keep(tool=each, by=root, at=present, run=lambda name, argv, *, env, timeout_s: no_answer().steps[1])
    polling.poll(tool=down, at=present, run=lambda name, argv, *, env, timeout_s: no_answer().steps[1])
    journey.advance(at=present)
    assert Assessment.objects.count() == 2
    for path in ("/tools/", "/tools/scripts/", "/tools/down/", "/tools/compare?c=tool:down&c=kind:veeam&c=kind:bacula&w_read_runs=x"):
        page = tab(root, size=size, scheme=scheme)
        page.goto(path)
        seen = list(page.complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            seen.append("scrolls sideways")
        seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
        if seen:
            found[path] = seen
    assert found == {}
