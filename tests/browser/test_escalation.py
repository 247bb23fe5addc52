"""Who is told when and who is on call, in a real browser."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents.models import EscalationPolicy, EscalationStep, Rota, RotaMember, RotaSwap
from itsm_backup.common.models import Notice, because
from tests.factories import make_team
from tests.portal.makers import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.req("3.3")]
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_an_operator_stands_in_and_takes_it_back(tab, estate_now, present, size, scheme):
    operator = make_person("operator", present)
    with because("test"):
        rota = Rota.objects.create(team=make_team(), starts_on=(present - 72 * HOUR).date())
        RotaMember.objects.create(rota=rota, place=1, person=make_person("monitoring-admin", present))
    page = tab(operator, size=size, scheme=scheme)
    page.set_default_timeout(30_000)
    page.goto("/incidents/")
    page.click("text=On call")
    assert "Monitoring-admin Person is on call for Storage" in page.inner_text("h1")
    page.click("main summary")
    page.fill("[name=starts_at]", f"{present - 3 * HOUR:%Y-%m-%dT%H:%M}")
    page.fill("[name=ends_at]", f"{present - 2 * HOUR:%Y-%m-%dT%H:%M}")
    page.fill("[name=reason]", "Swimming")
    page.click("main details form button")
    assert "is over" in page.inner_text("[role=alert]") and page.input_value("[name=reason]") == "Swimming"
    page.fill("[name=ends_at]", f"{present + 5 * HOUR:%Y-%m-%dT%H:%M}")
    page.click("main details form button")
    page.locator(".messages", has_text="stands in for Storage").wait_for()
    assert page.locator("label", has_text="From, UTC").count() == 1, "it says in which time it is read"
    assert "Operator Person is on call" in page.inner_text("h1") and "Swimming" in page.inner_text("main")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("text=Take it back")
    page.locator(".messages", has_text="counts again").wait_for()
    assert RotaSwap.objects.get().ends_at <= dt.datetime.now(dt.UTC)
    assert page.complaints == [one for one in page.complaints if "409" in one]


def test_a_draft_is_tried_on_a_fault_and_on_past_days_and_nobody_is_told(tab, estate_now, present):
    with because("test"):
        draft = EscalationPolicy.objects.create(name="Wake the owner", enabled=False)
        EscalationStep.objects.create(policy=draft)
        EscalationStep.objects.create(policy=draft, after_min=30, tell="owner")
    before = Notice.objects.count()
    for size, scheme in (("desk", "light"), ("phone", "dark")):
        page = tab(make_person("monitoring-admin", present), size=size, scheme=scheme)
        page.set_default_timeout(30_000)
        page.goto("/incidents/")
        page.click("text=Who is told when")
        page.fill("[name=service]", estate_now.imaging.code)
        page.select_option("#priority", "P1")
        page.select_option("#draft-now", label="Wake the owner")
        page.click("text=Show who is told")
        told = page.inner_text("#outcome")
        assert "P1: in force beside Wake the owner" in told and "2 messages instead of 1." in told and "Wake the owner, level 2" in told
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.select_option("#draft-past", label="Wake the owner")
        page.click("text=Replay them")
        assert "1 incident of the last 30 days" in page.inner_text("#outcome")
        assert page.inner_text("#outcome").count("Operations team, once, level 1") == 1
        page.goto("/incidents/escalation/?service=nowhere")
        assert "no service nowhere" in page.inner_text("[role=alert]")
    assert Notice.objects.count() == before
