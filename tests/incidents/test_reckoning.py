"""The explanation of a priority goes every step from the promise to it, and names only what one may see."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from catalogue.models import Relation
from incidents import overruling, reckoning
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.portal.explaining_page import explain_page, find
from monitoring import standing_alerts
from monitoring.models import BackupRun
from tests.factories import make_service, push
from tests.incidents.test_priority_of_damage import check
from tests.portal.makers import HOUR, make_estate, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.2")]


@pytest.fixture
def estate(db, noon):
    return make_estate(noon)


def page_of(incident, user, estate):
    found = find(kind="incident", key=str(incident.pk), user=user, moment=estate.moment)
    return explain_page(found=found, moment=estate.moment)


def test_a_p1_is_explained_from_the_promise_to_the_priority_down_to_the_raw_answer(estate):
    page = page_of(Incident.objects.get(), make_person("operator", estate.at), estate)
    runs, *_, arithmetic, steps = page.references
    assert steps.title == "From the promise to the priority" and [one.words for one in steps.methods] == ["BM-PRIO version 1"]
    promise, share, urgency, tier, both = steps.sums
    assert promise.startswith("SVC-003 version 1 promises: Recovery point (RPO) 4 h")
    assert share == "5 h exposed ÷ 4 h promised = 1.25" and urgency == "Above 1: urgency high"
    assert tier == "Tier 1: impact high (1 is high, 2 medium, 3 and 4 low)" and both == "Impact high × urgency high = P1"
    assert not any("weighed" in line for line in arithmetic.sums)
    failed = BackupRun.objects.filter(outcome="failed").latest("occurred_at")
    assert f"/runs/{failed.pk}/#raw-title" in [line.raw.href for line in runs.runs if line.raw]


def test_the_command_says_the_same(estate, capsys):
    call_command("explain", "incident", Incident.objects.get().number)
    assert "6 Priority (BM-PRIO)" in capsys.readouterr().out


def test_a_stricter_service_that_stops_with_it_is_named_to_who_may_see_it(estate):
    surgery = make_service("SVC-050", at=estate.at - 40 * HOUR, tier=1, name="Theatre scheduling", rpo_s=86_400)
    with because("test"):
        Relation.objects.create(provider=estate.reporting, consumer=surgery, valid_from=estate.at - HOUR)
    incident = Incident.objects.get()
    Incident.objects.filter(pk=incident.pk).update(service=estate.reporting, weighed_at=estate.at)
    incident.refresh_from_db()
    somebody = make_person("operator", estate.at, services=[estate.reporting])
    everybody, limited = (reckoning.steps_of(incident, user=one) for one in (None, somebody))
    assert "SVC-011 is of tier 2. Theatre scheduling is of tier 1 and stops with it, so it counts as tier 1" in everybody
    assert "SVC-011 is of tier 2. A service is of tier 1 and stops with it, so it counts as tier 1" in limited


def test_damage_and_a_priority_set_by_hand_are_steps(estate):
    push(estate.tool, check("pacs-2h", False, estate.at), at=estate.at)
    journey.advance(at=estate.at)
    standing_alerts.follow_conditions(at=estate.at)
    journey.advance(at=estate.at + HOUR)
    incident = Incident.objects.order_by("pk").first()
    overruling.set_priority(incident=incident, priority="P2", reason="Known", by=make_person("operator", estate.at), at=estate.at + HOUR)
    incident.refresh_from_db()
    steps = reckoning.steps_of(incident, user=None)
    assert any(one.startswith("A check found its copies damaged: none counts, ") for one in steps)
    assert steps[-1] == "Set to P2 by hand, when P1 was reckoned; it holds until more is reckoned"
