"""The quarantine of a tool in a real browser: why a record waits, what reading it again comes to, and its story afterwards."""

from __future__ import annotations

import datetime as dt

import pytest

from itsm_backup import journey
from monitoring import intake, rereading
from monitoring.connectors import push
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupRun
from tests.factories import make_job, make_rule, make_service, make_tool, run_record
from tests.factories import push as pushed
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def scripts(present):
    tool = make_tool("push", name="scripts", label="Backup scripts", at=present - 10 * DAY)
    service = make_service("PACS", name="Imaging archive", at=present - 10 * DAY, rpo_s=26 * 3600, tier=1)
    make_job(tool, "nightly", at=present - 10 * DAY, service=service)
    make_rule(service, tool, "nightly", at=present - 10 * DAY)
    new = run_record("nightly", "splendid", present - HOUR, external_id="new")
    pushed(tool, run_record("nightly", "success", present - 3 * DAY, external_id="old"), new, at=present - HOUR)
    pushed(tool, {"external_id": "nameless"}, at=present - HOUR)
    journey.advance(at=present)
    return tool


@pytest.fixture
def upgraded(scripts, monkeypatch):
    """Readers that know the word."""
    read = push.Push.read

    def understood(answer: Answer) -> Answer:
        steps = [Step(name=step.name, stdout=(step.stdout or "").replace("splendid", "success")) for step in answer.steps]
        return Answer(kind=answer.kind, steps=steps, meta=answer.meta)

    monkeypatch.setattr(push.Push, "read", lambda self, answer: read(self, understood(answer)))
    for module in (rereading, intake):
        monkeypatch.setattr(module, "READERS", "second")


@pytest.mark.req("2.3")
def test_it_is_read_again_after_its_effect_was_seen(tab, scripts, upgraded, present):
    page = tab(make_person("monitoring-admin", present))
    page.goto("/tools/scripts/")
    page.click("#health a:has-text('2 records')")
    assert "2 records could not be read" in page.inner_text("main") and "splendid" in page.inner_text("#waiting")
    page.click("text=See what reading again comes to")
    trial = page.inner_text("#trial")
    assert "1 of 2 can be read now and 1 of 2 still cannot be read. New runs: 1." in trial
    assert "Backup of nightly: success." in trial and "Imaging archive" in trial and "Outage" in trial and "Operational" in trial
    assert not BackupRun.objects.filter(external_id="new").exists(), "nothing is changed yet"
    page.click("text=Read them again")
    assert "Read again. 1 of 2 can be read now" in page.inner_text(".messages")
    assert "1 record could not be read" in page.inner_text("main") and "Backup of nightly: success." in page.inner_text("#read")
    run = BackupRun.objects.get(external_id="new")
    page.click(f"text=Run {run.pk}")
    page.wait_for_url(f"**/runs/{run.pk}/")


@pytest.mark.req("2.3")
def test_one_is_set_aside_with_a_reason(tab, scripts, present):
    page = tab(make_person("monitoring-admin", present))
    page.goto("/tools/scripts/quarantine/")
    card = page.locator("#waiting li.card").first
    card.locator("summary:has-text('Set it aside')").click()
    card.get_by_label("Why nothing will come of it").fill("A test of the script")
    card.get_by_role("button", name="Set aside").click()
    assert "was set aside. Its story keeps why." in page.inner_text(".messages")
    assert "1 record could not be read" in page.inner_text("main")
    assert "Set aside: A test of the script" in page.inner_text("#read") and "set aside" in page.inner_text("#read")


def test_who_may_only_read_sees_it_and_who_can(tab, scripts, present):
    make_person("monitoring-admin", present)
    page = tab(make_person("auditor", present))
    page.goto("/tools/scripts/quarantine/?try=yes")
    assert "You may not have the quarantine of Backup scripts read again." in page.inner_text("main")
    assert page.locator("main form[method=post]").count() == 0 and page.locator("#trial").count() == 0


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_its_page_is_accessible_and_fits_the_screen(tab, scripts, upgraded, present, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = tab(make_person("monitoring-admin", present), size=size, scheme=scheme)
    page.goto("/tools/scripts/quarantine/?try=yes")
    seen = list(page.complaints)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        seen.append("scrolls sideways")
    seen += [f"{one['id']}: {one['nodes'][0]['target']}" for one in Axe().run(page).response["violations"]]
    assert seen == []
