"""How often tools are asked follows from promises, tiers, budgets and bounds; as many of a budget's tools at once as it lets."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from catalogue.models import Relation
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.models import because
from monitoring import cadence, calibrating, correlation, polling, silence
from monitoring.models import PollingPolicy, RequestBudget, Tool, ToolDay, ToolState
from tests.admin_forms import change_url, filled, signed_in
from tests.factories import LONG_AGO, make_admin, make_job, make_service, make_tool, make_user

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
pytestmark = pytest.mark.django_db


def asked(name, service, *, at, **fields):
    tool = make_tool("restic", name=name, settings={"repository": f"/{name}"}, **fields)
    if service:
        make_job(tool, service=service)
        correlation.attribute_jobs(at=at)
    return tool


def budget(**fields):
    with because("test"):
        return RequestBudget.objects.create(**{"name": "Account", "requests_per_hour": 10, **fields})


def told(at, **more):
    return {one.tool.name: one for one in cadence.cadences(at=at, **more)}


def measured(tool, at, *, rounds=10, exchanges=10, **more):
    return ToolDay.objects.create(tool=tool, on=at.date(), rounds=rounds, exchanges=exchanges, **more)


def test_the_most_pressing_service_decides_and_the_reasons_say_so(noon):
    tool = asked("vault", make_service(name="Imaging", tier=1, rpo_s=4 * 3600), at=noon)
    make_job(tool, "other", service=make_service(tier=4, rpo_s=50 * 3600))
    correlation.attribute_jobs(at=noon)
    one = told(noon)["vault"]
    assert (one.asked_every_s, one.recommended_s, one.services) == (900, 720, 2)
    assert one.reasons == ("Imaging stands as tier 1 and may lose 4 h; 5% of that is 12 min.",)
    assert one.known_within_s(polling.JITTER) == pytest.approx(792)


def test_bounds_hold_and_say_so(noon):
    asked("quick", make_service(tier=1, rpo_s=3600), at=noon)
    asked("slow", make_service(tier=4, rpo_s=50 * 3600), at=noon)
    found = told(noon)
    assert found["quick"].recommended_s == 300 and "No tool is asked more often than every 5 min." in found["quick"].reasons
    assert found["slow"].recommended_s == 21_600 and "Every tool is asked at least every 6 h." in found["slow"].reasons


def test_a_tier_is_inherited_from_what_stops_with_the_service(noon):
    storage, imaging = make_service(tier=4, rpo_s=24 * 3600), make_service(tier=1, rpo_s=4 * 3600)
    asked("vault", storage, at=noon)
    assert told(noon)["vault"].recommended_s == 17_280
    with because("test"):
        Relation.objects.create(consumer=imaging, provider=storage, kind="depends_on", strength="hard", valid_from=LONG_AGO)
    assert told(noon)["vault"].recommended_s == 4_320


def test_a_budget_lengthens_the_lowest_tier_first(noon):
    shared = budget(requests_per_hour=20)
    first = asked("first", make_service(tier=1, rpo_s=4 * 3600), at=noon, budget=shared)
    last = asked("last", make_service(tier=3, rpo_s=4 * 3600), at=noon, budget=shared)
    measured(first, noon, exchanges=20)
    measured(last, noon, exchanges=60)
    found = told(noon)
    assert found["first"].recommended_s == 720 and found["first"].load_then == pytest.approx(10)
    assert found["last"].recommended_s == 3_600 and found["last"].load_then == pytest.approx(6)
    assert "Longer, because Account lets 16 of its 20 questions an hour be used" in found["last"].reasons[-1]
    with because("test"):
        shared.requests_per_hour = 1
        shared.save()
    short = told(noon)["last"]
    assert not short.feasible and "ask for a higher limit" in short.reasons[-1]


def test_what_nothing_is_promised_through_keeps_its_interval(noon):
    asked("idle", None, at=noon, poll_interval_s=1_200)
    make_tool("push", name="reporting")
    with because("test"):
        Tool.objects.create(name="off", kind="restic", monitored_from=LONG_AGO, enabled=False)
    make_tool("restic", name="replayed", replayed=True)
    assert {name: one.recommended_s for name, one in told(noon).items()} == {"idle": 1_200, "replayed": 900}


def test_the_past_is_told_by_the_settings_of_then(noon):
    asked("vault", make_service(tier=1, rpo_s=4 * 3600), at=noon)
    before = Tool.history.latest("history_date").history_date
    calibrating.calibrate(names=["vault"], follow=False, by=make_admin(), at=noon, reason="As recommended")
    then = told(before, past=True)["vault"]
    assert then.asked_every_s == 900 and told(noon)["vault"].asked_every_s == 720


def test_a_recommendation_is_set_once_or_followed_by_itself(noon):
    service = make_service(tier=1, rpo_s=4 * 3600)
    once, follows = asked("once", service, at=noon), asked("follows", service, at=noon)
    ToolState.objects.update(latest_answer_at=noon, next_poll_at=noon + HOUR)
    by = make_admin()
    assert calibrating.calibrate(names=["once"], follow=False, by=by, at=noon, reason="Imaging may lose 4 h") == [once]
    assert calibrating.calibrate(names=["follows"], follow=True, by=by, at=noon, reason="Imaging may lose 4 h") == [follows]
    states = {state.tool.name: state for state in ToolState.objects.select_related("tool")}
    assert (states["once"].interval_s, states["once"].asked_every_s) == (None, 720)
    assert (states["follows"].interval_s, states["follows"].asked_every_s) == (720, 720)
    assert {state.next_poll_at for state in states.values()} == {noon + dt.timedelta(seconds=720)}, "asked that much earlier"
    assert Tool.history.filter(id=once.pk).latest("history_id").history_change_reason == "Imaging may lose 4 h"
    with because("test"):
        policy = calibrating.shipped_policy()
        policy.tier_1_fraction = Decimal("0.1")
        policy.save()
    assert calibrating.recalculate(at=noon) == 1
    assert ToolState.objects.get(tool=follows).asked_every_s == 1_440 and ToolState.objects.get(tool=once).asked_every_s == 720
    assert calibrating.recalculate(at=noon) == 0


def test_a_tool_that_fails_keeps_its_own_pace(noon):
    tool = asked("vault", make_service(tier=1, rpo_s=4 * 3600), at=noon, cadence="computed")
    ToolState.objects.update(latest_answer_at=noon, next_poll_at=noon + HOUR, consecutive_failures=3)
    calibrating.recalculate(at=noon)
    assert ToolState.objects.get(tool=tool).next_poll_at == noon + HOUR


def test_all_or_none_and_only_by_those_who_may(noon):
    asked("vault", make_service(), at=noon)
    make_tool("push", name="reporting")
    with pytest.raises(NotReady, match="reports by itself"):
        calibrating.calibrate(names=["vault", "reporting"], follow=False, by=make_admin(), at=noon, reason="x")
    with pytest.raises(NotReady, match="Say why"):
        calibrating.calibrate(names=["vault"], follow=False, by=make_admin(), at=noon, reason=" ")
    with pytest.raises(NotReady, match="at least one"):
        calibrating.calibrate(names=[], follow=False, by=make_admin(), at=noon, reason="x")
    with pytest.raises(NotAllowed, match="may not set how often vault is asked"):
        calibrating.calibrate(names=["vault"], follow=False, by=make_user(), at=noon, reason="x")
    assert Tool.objects.get(name="vault").poll_interval_s == 900


def test_as_many_tools_of_a_budget_at_once_as_it_lets(noon):
    shared = budget(at_once=2)
    members = [asked(f"m{number}", None, at=noon, budget=shared) for number in range(4)]
    other = asked("other", None, at=noon)
    first = polling.claim_due(at=noon)
    assert other.pk in first and len(set(first) & {tool.pk for tool in members}) == 2
    assert polling.claim_due(at=noon) == [], "the budget is full"
    ToolState.objects.filter(pk=first[0]).update(claimed_until=None, next_poll_at=noon + HOUR)
    ToolState.objects.filter(pk=first[1]).update(claimed_until=None, next_poll_at=noon + HOUR)
    assert 1 <= len(polling.claim_due(at=noon)) <= 2
    assert ToolState.objects.filter(claimed_until__gt=noon, tool__budget=shared).count() <= 2


@pytest.mark.parametrize("values", ["least_s = 30", "least_s = 7200, most_s = 3600", "use_fraction = 0", "tier_1_fraction = 1.5", "id = 2"])
def test_the_database_keeps_the_policy_sensible(values):
    with because("test"):
        PollingPolicy.objects.create(pk=1)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE monitoring_pollingpolicy SET {values}")


def test_questions_do_not_grow_with_tools(noon, django_assert_max_num_queries):
    shared = budget()
    for number in range(30):
        asked(f"t{number}", make_service(tier=number % 4 + 1), at=noon, budget=shared if number % 2 else None)
    with django_assert_max_num_queries(8):
        assert len(cadence.cadences(at=noon)) == 30


def test_a_tool_set_back_to_a_fixed_interval_is_asked_and_judged_by_it_at_once(noon):
    """By the interval that it followed it would be asked in hours, and its silence be found no earlier."""
    tool = asked("vault", None, at=noon, poll_interval_s=300, cadence="computed", secrets={"password": "x"})
    state = ToolState.objects.filter(tool=tool)
    told = {"interval_s": 9_360, "next_poll_at": noon + 5 * HOUR, "next_judgement_at": noon + 7 * HOUR}
    state.update(**told, latest_complete_at=noon - 16 * MINUTE, latest_answer_at=noon - MINUTE, consecutive_failures=3)
    client, typed = signed_in(make_admin("ada")), {"cadence": "fixed", "enabled": "on", "change_reason": "Ask it often again"}
    answer = client.post(change_url(tool), filled(client.get(change_url(tool)), **typed))
    assert answer.status_code == 302
    found = ToolState.objects.select_related("tool").get(tool=tool)
    assert (found.asked_every_s, found.interval_s) == (300, None)
    assert found.next_poll_at == noon - MINUTE + 4 * 300 * dt.timedelta(seconds=1), "its pace after three failures, of the new interval"
    assert found.next_judgement_at != told["next_judgement_at"], "judged at once"
    assert silence.judge_tool(silence.inputs_of(found, 3, noon))["silent"]


def test_what_was_worked_out_counts_only_while_it_is_followed(noon):
    tool = asked("vault", None, at=noon, poll_interval_s=300)
    ToolState.objects.filter(tool=tool).update(interval_s=9_360, next_judgement_at=None)
    assert ToolState.objects.get(tool=tool).asked_every_s == 300
    assert calibrating.recalculate(at=noon) == 1
    assert ToolState.objects.get(tool=tool).next_judgement_at == noon
