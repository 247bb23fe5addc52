"""How often tools are asked, in a real browser: read, understood, taken over, followed; and a run that never took place is found."""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest

from catalogue import publishing
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import calibrating, polling
from monitoring.models import ExpectedRun, RequestBudget, Tool, ToolDay, ToolState
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


@pytest.fixture
def imaging(tmp_path, present):
    """A real repository of restic whose job is due every hour; one snapshot, made two days ago, none since."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a" * 1000)
    env = {"RESTIC_PASSWORD": "right", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TZ": "UTC"}
    made_at = f"{present - 2 * DAY:%Y-%m-%d %H:%M:%S}"
    for argv in (["init"], ["backup", "--host", "pacs", "--time", made_at, str(data)]):
        subprocess.run(["restic", "-r", str(tmp_path / "repo"), *argv], env=env, check=True, capture_output=True)
    service = make_service("SVC-IMG", name="Imaging archive", tier=1, rpo_s=4 * 3600, at=present - 30 * DAY)
    settings = {"repository": str(tmp_path / "repo")}
    tool = make_tool("restic", at=present - 3 * DAY, name="vault", label="Vault", settings=settings, secrets={"password": "right"})
    job = make_job(tool, f"pacs:{data}", at=present - 3 * DAY, service=service)
    make_schedule(job, rrule="FREQ=HOURLY", local_times="00:15", grace_s=600)
    return service


def promise(service, rpo_s, at):
    author, reason = make_user(), {"at": at, "reason": "The clinic can lose less"}
    draft = publishing.draft_version(service=service, content={}, commitment={"rpo_s": rpo_s}, by=author, **reason)
    publishing.submit(version=draft, by=author, **reason)
    publishing.approve(version=draft, by=make_admin(), **reason)


@pytest.mark.req("3.4")
@pytest.mark.real_tool("restic")
def test_how_often_is_recommended_with_reasons_and_followed_and_a_run_that_never_was_is_found(tab, imaging, present):
    tool = Tool.objects.get()
    polling.poll(tool=tool, at=present)
    journey.advance(at=present)
    missed = ExpectedRun.objects.filter(state="missed")
    assert missed.count() > 40, "nothing told of them: they were due and did not come"

    mona = make_person("monitoring-admin", present)
    page = tab(mona)
    page.goto("/tools/")
    page.click("text=How often")
    assert page.inner_text("h1") == "Of 1 tool, 1 should be asked more often."
    row = page.inner_text("tbody tr")
    assert "Imaging archive stands as tier 1 and may lose 4 h; 5% of that is 12 min." in row
    assert "15 min" in row and "12 min" in row and "as recommended: 13 min at most, 6% of the recovery point" in row
    assert "not measured yet" in row
    page.fill("#cadence-reason", "Imaging needs it")
    page.click("text=Let them follow it")
    page.locator("[role=alert]", has_text="Choose at least one tool.").wait_for()
    assert page.input_value("#cadence-reason") == "Imaging needs it", "nothing typed is lost"
    page.check("input[name=tool]")
    page.click("text=Let them follow it")
    page.locator(".messages", has_text="1 tool changed").wait_for()
    assert page.inner_text("h1") == "The one of 1 tool asked as often as the promises need."
    assert ToolState.objects.get().next_poll_at <= present + dt.timedelta(seconds=720)

    promise(imaging, 2 * 3600, present)
    calibrating.recalculate(at=present + dt.timedelta(minutes=1))
    page.reload()
    assert "may lose 2 h; 5% of that is 6 min" in page.inner_text("tbody tr") and ToolState.objects.get().asked_every_s == 360
    assert page.complaints == [one for one in page.complaints if "409" in one]

    reader = tab(make_person("operator", present))
    reader.goto("/cadence/")
    assert reader.locator("input[name=tool]").count() == 0 and "Who may change a tool's settings" in reader.inner_text("main")
    reader.goto(f"/cadence/?as_of={present - DAY:%Y-%m-%dT%H:%MZ}")
    assert reader.goto("/cadence/").status == 200
    assert tab(make_person("stakeholder", present)).goto("/cadence/").status == 403


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_page_is_accessible_and_fits_the_screen(tab, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with because("test"):
        shared = RequestBudget.objects.create(name="Cloud account", requests_per_hour=60)
    for number in range(6):
        tool = make_tool("restic", name=f"vault-{number}", label=f"Vault {number}", settings={"repository": "/r"}, budget=shared)
        if number:
            make_job(
                tool, service=make_service(name=f"Service with a long name, number {number}", tier=number % 4 + 1, rpo_s=number * 7_000)
            )
        load = {"rounds": 90, "exchanges": 270, "took_s": 400, "longest_s": 9, "runs_known": 3, "delay_s": 1_500, "longest_delay_s": 800}
        ToolDay.objects.create(tool=tool, on=present.date(), **load)
    journey.advance(at=present)
    page = tab(make_admin(), size=size, scheme=scheme)
    page.goto("/cadence/")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == [] and page.complaints == []
    assert "Cloud account, 6 tools" in page.inner_text("#budgets")
