"""A job that keeps failing and recovering, on the page of its service: one alert that says so, and where it stands explained."""

from __future__ import annotations

import datetime as dt

import pytest

from itsm_backup import journey
from itsm_backup.common.time import now
from monitoring.models import Alert
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR = dt.timedelta(hours=1)
OUTCOMES = "GBGBGBGBGBGB"


@pytest.fixture
def flapping():
    at = now()
    start = at - dt.timedelta(days=4)
    tool = make_tool(at=start)
    make_job(tool, "nightly", at=start, service=make_service("SVC-1", at=start, rpo_s=30 * 86_400))
    told = {"G": "success", "B": "failed"}
    ends = [at - (len(OUTCOMES) - place) * 3 * HOUR for place in range(len(OUTCOMES))]
    push(tool, *(run_record("nightly", told[one], end, minutes=1) for one, end in zip(OUTCOMES, ends, strict=True)), at=at)
    journey.advance(at=at)
    return Alert.objects.get(alert_class="job_flapping", resolved_at=None)


@pytest.mark.req("2.4")
@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_page_of_the_service_tells_that_its_job_flaps(flapping, tab, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = tab(make_admin(), size=size, scheme=scheme)
    page.goto("/services/SVC-1/")
    jobs = page.locator("main").inner_text()
    assert "keeps failing and recovering" in jobs
    page.goto(f"/explain/alert/{flapping.pk}/")
    assert "keeps failing and recovering" in page.locator("main").inner_text()
    assert Axe().run(page, options={"preload": False}).response["violations"] == []
    assert page.complaints == []
