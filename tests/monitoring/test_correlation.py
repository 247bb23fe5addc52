"""Jobs find their service by identity alone; the first rule that matches decides."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.conditions import RuleSet
from monitoring.correlation import attribute_jobs, fact_of, rules_at
from monitoring.models import AttributionCondition, AttributionRule, BackupRun, ProtectedItem
from tests.factories import make_job, make_rule, make_service, make_tool, push, run_record

HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def tool(noon):
    return make_tool(at=noon - 99 * HOUR)


def rule_of(service, *conditions: tuple[str, str, str], position: int = 100, tool=None, at=None, **more) -> AttributionRule:
    with because("test"):
        rule = AttributionRule.objects.create(
            name=f"{service}-{position}-{conditions}", service=service, position=position, tool=tool, valid_from=at, **more
        )
        for field, operator, value in conditions:
            AttributionCondition.objects.create(rule=rule, field=field, operator=operator, value=value)
    return rule


def matches_job(rule, job, at) -> bool:
    return rule in RuleSet(rules_at(at)).every(fact_of(job))


def service_of(job) -> str | None:
    job.refresh_from_db()
    return job.service.code if job.service else None


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        (("external_id", "equals", "db01:/srv/data"), True),
        (("external_id", "equals", "db01"), False),
        (("external_id", "starts_with", "db01:"), True),
        (("name", "contains", "nightly"), True),
        (("name", "contains", "NIGHTLY"), False),
        (("target_name", "equals", "db01"), True),
        (("repository_name", "matches", r"^/srv/(repo|other)$"), True),
        (("repository_name", "matches", r"^/srv$"), False),
        (("target_name", "matches", r"(?i)DB\d+"), True),
    ],
)
def test_a_condition_reads_identity(tool, noon, condition, matches):
    job = make_job(tool, "db01:/srv/data", name="the nightly", target_name="db01", repository_name="/srv/repo")
    assert matches_job(rule_of(make_service(), condition, at=noon), job, noon) is matches


def test_what_the_tool_did_not_tell_matches_no_word(tool, noon):
    job = make_job(tool, "x")
    assert not matches_job(rule_of(make_service(), ("repository_name", "contains", "repo"), at=noon), job, noon)


def test_all_conditions_of_a_rule_must_hold(tool, noon):
    job = make_job(tool, "x", name="nightly")
    rule = rule_of(make_service(), ("external_id", "equals", "x"), ("name", "equals", "weekly"), at=noon)
    assert not matches_job(rule, job, noon)


def test_a_rule_without_conditions_takes_all_jobs_of_its_tool_and_no_others(tool, noon):
    rule = rule_of(make_service(), tool=tool, at=noon)
    assert matches_job(rule, make_job(tool, "x"), noon)
    assert not matches_job(rule, make_job(make_tool(), "x"), noon)
    assert not matches_job(rule_of(make_service(), at=noon), make_job(tool, "y"), noon)


def test_the_first_rule_by_position_decides(tool, noon):
    first, second = make_service("SVC-1"), make_service("SVC-2")
    rule_of(second, ("external_id", "equals", "x"), position=2, at=noon - HOUR)
    chosen = rule_of(first, ("external_id", "starts_with", "x"), position=1, at=noon - HOUR)
    job = make_job(tool, "x")
    attribute_jobs(at=noon)
    assert service_of(job) == "SVC-1"
    assert job.attribution_rule == chosen.history.latest().history_id


def test_runs_and_items_go_with_the_job(tool, noon):
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    service = make_service("SVC-1", at=noon - 99 * HOUR)
    make_rule(service, tool, "nightly", at=noon - HOUR)
    journey.advance(at=noon)
    assert BackupRun.objects.get().service == ProtectedItem.objects.get().service == service


def test_a_changed_rule_or_condition_is_applied_at_the_next_turn(tool, noon):
    one, two = make_service("SVC-1", at=noon - 99 * HOUR), make_service("SVC-2", at=noon - 99 * HOUR)
    job = make_job(tool, "x")
    rule = rule_of(one, ("external_id", "equals", "x"), at=noon - HOUR)
    journey.advance(at=noon)
    assert service_of(job) == "SVC-1"
    with because("other service"):
        rule.service = two
        rule.save()
    journey.advance(at=noon)
    assert service_of(job) == "SVC-2"
    with because("no longer"):
        condition = rule.conditions.get()
        condition.value = "y"
        condition.save()
    journey.advance(at=noon)
    assert service_of(job) is None


def test_a_rule_holds_only_in_its_time(tool, noon):
    job = make_job(tool, "x")
    rule_of(make_service("SVC-1"), ("external_id", "equals", "x"), at=noon, valid_to=noon + 2 * HOUR)
    for at, expected in ((noon - HOUR, None), (noon, "SVC-1"), (noon + 2 * HOUR, None)):
        journey.look_at_everything(at=at)
        journey.advance(at=at)
        assert service_of(job) == expected


def test_a_rule_begins_and_ends_by_itself(tool, noon):
    """A job that was considered before its rule began is considered again when it begins, and when it ends."""
    job = make_job(tool, "x", at=noon)
    rule_of(make_service("SVC-1"), ("external_id", "equals", "x"), at=noon + HOUR, valid_to=noon + 2 * HOUR)
    found = []
    for hours in (0, 1, 1.5, 2, 3):
        attribute_jobs(at=noon + hours * HOUR)
        job.refresh_from_db()
        found.append(job.service and job.service.code)
    assert found == [None, "SVC-1", "SVC-1", None, None]


def test_nothing_is_considered_twice(tool, noon):
    make_job(tool, "x")
    make_rule(make_service(), tool, "x", at=noon - HOUR)
    assert attribute_jobs(at=noon) == 1
    assert attribute_jobs(at=noon) == 0


def test_a_rule_whose_change_took_its_time_is_not_forgotten(tool, noon):
    """Its history id was given out before, and is committed after, that of another change."""
    late, quick = make_service("SVC-1", at=noon - 99 * HOUR), make_service("SVC-2", at=noon - 99 * HOUR)
    job = make_job(tool, "x")
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('monitoring_historicalattributionrule', 'history_id'))")
        early_id = cursor.fetchone()[0]
        cursor.execute("SELECT nextval(pg_get_serial_sequence('monitoring_historicalattributioncondition', 'history_id'))")
    rule_of(quick, ("external_id", "equals", "other"), at=noon - HOUR)
    journey.advance(at=noon)
    rule_of(late, ("external_id", "equals", "x"), at=noon - HOUR)
    newest = AttributionRule.history.order_by("-history_id").first().history_id
    assert newest > early_id
    journey.advance(at=noon)
    assert service_of(job) == "SVC-1"


def test_a_pattern_that_nobody_can_read_holds_no_other_rule_up(tool, noon):
    good, bad = make_service("SVC-1", at=noon - 99 * HOUR), make_service("SVC-2", at=noon - 99 * HOUR)
    broken = rule_of(bad, ("external_id", "matches", "x"), position=1, at=noon - HOUR)
    with connection.cursor() as cursor:  # as no form would let through
        cursor.execute("UPDATE monitoring_attributioncondition SET value = '((' WHERE rule_id = %s", [broken.pk])
    make_rule(good, tool, "x", at=noon - HOUR)
    job = make_job(tool, "x")
    attribute_jobs(at=noon)
    assert service_of(job) == "SVC-1"
