"""What happens again in an open incident stands in its story: one by one, then once a day; and priorities when they were reckoned."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents import continuing, merging
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_page import find, incident_page
from monitoring.models import Alert
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record
from tests.incidents.makers import HOUR, MINUTE, fail, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.1")]
DAY = dt.timedelta(days=1)


def repeats(incident: Incident) -> list[tuple[dt.datetime, str]]:
    return list(incident.entries.filter(kind="repeated").order_by("at", "pk").values_list("at", "text"))


def test_each_failure_that_joined_is_told_at_its_own_time(noon):
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 2 * HOUR, noon - HOUR)
    fail(tool, "a", noon)
    assert repeats(Incident.objects.get()) == [
        (noon - HOUR, "Happened again (2 times so far): a failed"),
        (noon, "Happened again (3 times so far): a failed"),
    ]
    journey.advance(at=noon)
    assert len(repeats(Incident.objects.get())) == 2


def test_failures_that_are_reported_together_are_each_counted_since_the_first(noon):
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 5 * MINUTE, noon - 3 * MINUTE, at=noon)
    alert = Alert.objects.get(alert_class="job_failed")
    assert (alert.occurrences, alert.opened_at) == (2, noon - 5 * MINUTE)
    assert [at for at, _ in repeats(Incident.objects.get())] == [noon - 3 * MINUTE]


def test_what_became_known_later_is_not_in_the_story_of_before(noon):
    """It failed again at eleven and was told at noon: who looked at half past eleven could not know."""
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", noon - 3 * HOUR, noon - 2 * HOUR, at=noon - 2 * HOUR)
    fail(tool, "a", noon - HOUR, at=noon)
    incident, root = Incident.objects.get(), make_admin()

    def told(at: dt.datetime) -> list[str]:
        moment = Moment(at=at, now=noon + HOUR)
        page = incident_page(incident=find(number=incident.number, user=root, moment=moment), user=root, moment=moment)
        return [line.text for line in page.story if line.text.startswith("Happened again")]

    assert told(noon - HOUR / 2) == ["Happened again (2 times so far): a failed"]
    assert told(noon) == ["Happened again (3 times so far): a failed", "Happened again (2 times so far): a failed"]


def test_what_goes_on_failing_when_its_tool_is_first_watched_is_counted_since_the_first(noon):
    tool = make_tool(at=noon - 4 * MINUTE)
    make_job(tool, "a", at=noon - 4 * MINUTE, service=make_service("SVC-a", at=noon - DAY, rpo_s=30 * 86_400))
    push(tool, run_record("a", "success", noon - 5 * HOUR, minutes=0), at=noon)
    fail(tool, "a", noon - 5 * MINUTE, noon - 3 * MINUTE, at=noon)
    alert = Alert.objects.get(alert_class="job_failed")
    assert (alert.occurrences, alert.opened_at) == (2, noon - 5 * MINUTE)
    fail(tool, "a", noon - 20 * MINUTE, at=noon + MINUTE)  # reported late: told again from the beginning
    alert.refresh_from_db()
    assert (Alert.objects.filter(alert_class="job_failed").count(), alert.occurrences, alert.opened_at) == (1, 3, noon - 20 * MINUTE)


def test_what_failed_before_its_tool_was_watched_makes_no_alert_by_itself(noon):
    tool = make_tool(at=noon - 4 * MINUTE)
    make_job(tool, "a", at=noon - 4 * MINUTE, service=make_service("SVC-a", at=noon - DAY, rpo_s=30 * 86_400))
    fail(tool, "a", noon - 20 * MINUTE, noon - 5 * MINUTE, at=noon)
    assert not Alert.objects.filter(alert_class="job_failed").exists()


def test_a_long_series_is_told_once_a_day_with_its_count(noon):
    tool = make_estate(noon - 48 * HOUR, "a")
    fail(tool, "a", *[noon - 10 * HOUR + number * HOUR for number in range(9)])
    incident = Incident.objects.get()
    told = repeats(incident)
    assert len(told) == continuing.EACH and told[-1] == (noon - 2 * HOUR, "Happened again 4 times more (9 times so far): a failed")
    fail(tool, "a", noon)
    assert len(repeats(incident)) == len(told)
    fail(tool, "a", noon + DAY)
    assert repeats(incident)[-1] == (noon + DAY, "Happened again 2 times more (11 times so far): a failed")
    row = incident_page(incident=_found(incident, noon + DAY), user=make_admin(), moment=Moment(at=noon + DAY, now=noon + DAY))
    assert row.alerts[0].count.startswith("11 times, the last ")


def _found(incident: Incident, at: dt.datetime) -> Incident:
    found = find(number=incident.number, user=make_admin(), moment=Moment(at=at, now=at))
    assert found is not None
    return found


def test_runs_that_are_missed_keep_the_due_time_with_which_it_began(noon):
    tool = make_tool(at=noon - 4 * DAY)
    job = make_job(tool, "a", at=noon - 4 * DAY, service=make_service("SVC-a", at=noon - 4 * DAY, rpo_s=30 * 86_400))
    make_schedule(job, local_times="10:00", zone="UTC", grace_s=600)
    push(tool, run_record("a", "success", noon - 3 * DAY - 2 * HOUR, minutes=0), at=noon - 3 * DAY)
    for days in (2, 1, 0):
        journey.advance(at=noon - days * DAY)
    incident, alert = Incident.objects.get(), Alert.objects.get(alert_class="job_missed")
    first = f"{noon - 2 * DAY:%d %b}"
    assert first in alert.title and alert.occurrences == 3 and first in incident.title
    assert incident.opened_at.date() == (noon - 2 * DAY).date()
    assert [f"due {noon - days * DAY:%d %b}" in text for days, (_, text) in zip((1, 0), repeats(incident), strict=True)] == [True, True]


def test_a_priority_stands_in_the_story_when_it_was_reckoned_and_when_it_falls_again(noon):
    start = noon - 48 * HOUR
    tool = make_tool(at=start)
    for name, tier in (("low", 4), ("high", 1)):
        make_job(tool, name, at=start, service=make_service(f"SVC-{name}", at=start, rpo_s=6 * 3600, tier=tier))
    push(tool, *[run_record(name, "success", noon - 4 * HOUR, minutes=0) for name in ("low", "high")], at=noon - 4 * HOUR)
    journey.advance(at=noon - 4 * HOUR)
    for name in ("low", "high"):
        fail(tool, name, noon - 2 * HOUR, noon - HOUR)
    light, heavy = Incident.objects.order_by("-priority")
    before = light.priority
    into = merging.merge(incident=heavy, into=light, reason="one switch", by=make_user(), at=noon)
    moved = Alert.objects.filter(service__code="SVC-high", incident_alert__incident=into).values_list("pk", flat=True)
    merging.split(incident=into, alerts=list(moved), reason="two switches", by=make_user(), at=noon + MINUTE)
    lines = into.entries.filter(kind="priority").order_by("pk").values_list("at", "text")
    assert [at for at, _ in lines] == [noon, noon + MINUTE]
    rose, fell = (text for _, text in lines)
    assert rose.startswith(f"{into.priority}, was {before}. Impact high") and fell.startswith(f"{before}, was {into.priority}. ")


def test_the_page_names_the_instant_of_the_figures_that_it_shows(noon):
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - 2 * HOUR, noon - HOUR)
    journey.advance(at=noon - 50 * MINUTE)
    incident = _found(Incident.objects.get(), noon)
    assert incident.weighed_at == noon - 50 * MINUTE and incident.judged_at == noon - HOUR
    page = incident_page(incident=incident, user=make_admin(), moment=Moment(at=noon, now=noon))
    assert "11:00" in str(page.figures_of) or "figures" not in str(page.figures_of)
