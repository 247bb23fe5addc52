"""A polled tool that stops answering is one fact about the tool; the services behind it are unknown until it answers."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from catalogue.models import Service, ServiceStatus
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.metrics import Estate
from itsm_backup.portal import service_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.day_ledger import LocalDay
from itsm_backup.portal.day_promise import promise_of
from monitoring import attaining
from monitoring.explaining import explain, plainly
from monitoring.models import Alert, BackupRun, Evaluation, ServiceState, ToolState
from monitoring.naming import leaving_out
from monitoring.silence import judge_tool
from monitoring.standing import standings
from tests.factories import make_admin, make_job, make_rule, make_service, make_tool, push, run_record
from tests.readings import no_answer, poll_answer, snapshot, take_reading

PROMISES: tuple[dict[str, str], ...] = (
    {}, {"rpo_attainment_rate": "0.95", "copy_scheme": "2 copies", "encryption": "at_rest"}, {"rpo_attainment_rate": "0.999"},
)  # fmt: skip
UTC = ZoneInfo("UTC")
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


def inputs(**more):
    usual = {
        "at": "2026-07-14T12:00:00Z", "tool": 1, "enabled": True, "polled": True, "poll_interval_s": 900, "silent_after_polls": 3,
        "monitored_from": "2026-07-01T00:00:00Z", "latest_complete_at": "2026-07-14T11:15:00Z", "problem": "",
    }  # fmt: skip
    return {**usual, **more}


def test_it_is_silent_only_after_the_third_missing_answer():
    assert judge_tool(inputs())["silent"] is False
    assert judge_tool(inputs())["next_change_at"] == "2026-07-14T12:00:01Z"
    assert judge_tool(inputs(at="2026-07-14T12:00:01Z"))["silent"] is True


def test_a_tool_that_never_answered_counts_from_the_beginning_of_its_watch():
    assert judge_tool(inputs(latest_complete_at=None))["since"] == "2026-07-01T00:00:00Z"


@pytest.mark.parametrize("more", [{"polled": False}, {"enabled": False}])
def test_one_that_reports_by_itself_or_is_off_is_never_silent(more):
    assert judge_tool(inputs(at="2027-01-01T00:00:00Z", **more)) == {
        "silent": False, "since": "2026-07-14T11:15:00Z", "limit_at": "2026-07-14T12:00:00Z", "problem": "", "next_change_at": None,
    }  # fmt: skip


@pytest.fixture
def repository(noon):
    """One repository behind three services, all well."""
    start = noon - 48 * HOUR
    tool = make_tool("restic", at=start, settings={"repository": "/srv/repo"}, poll_interval_s=900)
    shots = [snapshot(noon - 2 * HOUR, host=f"db{number}") for number in range(3)]
    take_reading(tool, poll_answer(*shots), at=noon)
    for number, run in enumerate(BackupRun.objects.order_by("pk")):
        service = make_service(f"SVC-{number}", at=start, rpo_s=26 * 3600, promise=PROMISES[number])
        make_rule(service, tool, run.job.external_id, at=start)
    journey.advance(at=noon)
    return tool, shots


@pytest.mark.django_db
def test_silence_is_one_alert_one_incident_and_one_mail_and_the_services_are_unknown(repository, noon):
    tool, _ = repository
    assert set(ServiceStatus.objects.values_list("status", flat=True)) == {"operational"}
    for minutes in (15, 30, 45):
        take_reading(tool, no_answer(), at=noon + minutes * MINUTE)
        journey.advance(at=noon + minutes * MINUTE)
    assert not Alert.objects.exists()
    journey.advance(at=noon + 46 * MINUTE)
    assert list(Alert.objects.values_list("alert_class", "state", "service")) == [("source_stale", "firing", None)]
    assert (Incident.objects.count(), Notice.objects.count()) == (1, 1)
    assert set(ServiceState.objects.values_list("verdict", flat=True)) == {"no_data"}
    assert set(ServiceStatus.objects.values_list("status", flat=True)) == {"unknown"}
    assert ToolState.objects.get().silent_since == noon
    assert Incident.objects.get().title == f"{tool} has not answered: restic failed"
    assert "no such file" in Alert.objects.get().evaluation.result["problem"]  # the tool's own words, for the explanation


@pytest.mark.django_db
def test_a_service_of_which_one_item_is_behind_it_has_no_known_copy_in_any_door(repository, noon):
    """The copy of its other item says nothing of the service: that behind the silent tool could be older."""
    service, at = Service.objects.get(code="SVC-0"), noon + 46 * MINUTE
    reporting = make_tool("push", at=noon - 48 * HOUR, name="reporting")
    make_job(reporting, "dump", at=noon - 48 * HOUR, service=service)
    push(reporting, run_record("dump", "success", noon - HOUR), at=noon + MINUTE)
    journey.advance(at=noon + MINUTE)
    (known,) = standings([service], at=noon + MINUTE)
    assert known.captured_at == noon - 2 * HOUR and known.exposure_s == 2 * 3600 + 60, "the oldest of its items"
    for minutes in (15, 30, 45):
        take_reading(repository[0], no_answer(), at=noon + minutes * MINUTE)
    journey.advance(at=at)
    claim = ServiceState.objects.get(service=service).evaluation.result["claims"][0]
    assert (claim["reason"], claim["captured_at"] is None) == ("source_silent", False)
    for asked in ({}, {"now": at + HOUR}):
        (one,) = standings([service], at=at, **asked)
        assert (one.verdict, one.captured_at, one.exposure_s) == ("no_data", None, None)
    gauges = {family.name: family.samples for family in Estate(make_admin(), at).collect()}
    assert "SVC-0" not in {sample.labels["service"] for sample in gauges["itsm_backup_service_exposure_seconds"]}
    evaluation = Evaluation.objects.filter(service=service).latest("pk")
    found = attaining.standing_of(version=service.version_at(at), evaluation=evaluation, at=at, known_at=at).attainments[0]
    assert (found.objective.key, found.actual, found.detail) == ("rpo_s", None, "Its backup tool has not answered")


@pytest.mark.django_db
def test_why_a_service_is_unknown_names_the_tool_since_when_and_after_how_many_intervals(repository, noon):
    tool, _ = repository
    journey.advance(at=noon + 46 * MINUTE)
    told = explain(ServiceState.objects.first().evaluation)
    why = f"{tool.name}: no complete answer since 2026-07-14 12:00:00Z; asked every 15 min × 3 = 45 min, so silent"
    why += " from 2026-07-14 12:45:00Z on"
    assert told.arithmetic[0] == why
    assert plainly(told, leaving_out([tool.name])).arithmetic[0] == why.replace(tool.name, "…")


@pytest.mark.django_db
def test_it_recovers_when_the_tool_answers(repository, noon):
    tool, shots = repository
    take_reading(tool, no_answer(), at=noon + 15 * MINUTE)
    journey.advance(at=noon + 3 * HOUR)
    take_reading(tool, poll_answer(*shots), at=noon + 4 * HOUR)
    journey.advance(at=noon + 4 * HOUR)
    assert set(ServiceStatus.objects.values_list("status", flat=True)) == {"operational"}
    assert (Alert.objects.get().state, Incident.objects.get().state) == ("resolved", "resolved")
    assert Notice.objects.count() == 2


@pytest.mark.django_db
def test_it_remembers_each_turn_once(repository, noon):
    tool, _ = repository
    for hours in (3, 4, 5):
        take_reading(tool, no_answer(), at=noon + hours * HOUR)
        journey.advance(at=noon + hours * HOUR)
    evaluation = Evaluation.objects.get(tool=tool)
    assert (evaluation.status, evaluation.result["silent"]) == ("unknown", True)
    assert Alert.objects.get().evaluation == evaluation


@pytest.mark.django_db
def test_the_time_since_it_fell_silent_is_neither_within_nor_beyond_any_promise(repository, noon):
    """Two days of silence with a recovery point of 26 h: whether copies were made nobody knows."""
    service, at, reader = Service.objects.get(code="SVC-1"), noon + 48 * HOUR, make_admin()
    take_reading(repository[0], no_answer(), at=noon + 15 * MINUTE)
    journey.advance(at=at)
    _, found = objectives_of(service, at)
    within = found["rpo_attainment_rate"]
    assert (within.status, within.whole, within.whole - within.part) == ("no_data", 48 * 3600, 20 * 3600), "as far as it answered"
    assert found["copy_scheme"].status == found["encryption"].status == "no_data" and "has not answered" in found["copy_scheme"].detail
    moment = Moment(at=at, now=at)
    page = service_page.service_page(version=service_page.find(code="SVC-1", user=reader, moment=moment), user=reader, moment=moment)
    assert [claim.verdict for claim in page.claims if claim.name in ("Copies and places", "Encryption")] == ["no_data", "no_data"]
    told = promise_of(LocalDay(service.pk, (noon + 24 * HOUR).date(), UTC, moment))
    assert (told.verdict, told.spans) == ("no_data", ()) and told.words == "RPO 26 h, not known: its backup tool has not answered since"
    told = promise_of(LocalDay(service.pk, noon.date(), UTC, Moment(at=noon, now=noon)))
    assert told.verdict == "broken", "before its first copy"


@pytest.mark.django_db
def test_what_was_broken_before_it_fell_silent_stays_broken(repository, noon):
    take_reading(repository[0], no_answer(), at=noon + 15 * MINUTE)
    journey.advance(at=noon + 48 * HOUR)
    _, found = objectives_of(Service.objects.get(code="SVC-2"), noon + 48 * HOUR)
    within = found["rpo_attainment_rate"]
    assert (within.status, within.whole) == ("broken", 48 * 3600)


@pytest.mark.django_db
def test_a_budget_behind_it_burns_as_when_it_answered_last(repository, noon):
    """Its last two hours were within; that they would be beyond by now is not known."""
    take_reading(repository[0], no_answer(), at=noon + 15 * MINUTE)
    journey.advance(at=noon + 48 * HOUR)
    standing, _ = objectives_of(Service.objects.get(code="SVC-2"), noon + 48 * HOUR)
    page = standing.recovery.burn[0]
    assert page["short"] == 0 and not page["fires"]


def objectives_of(service, at):
    evaluation = Evaluation.objects.filter(service=service).latest("pk")
    standing = attaining.standing_of(version=service.version_at(at), evaluation=evaluation, at=at, known_at=at)
    return standing, {one.objective.key: one for one in standing.attainments}
