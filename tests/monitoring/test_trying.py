"""The bench tells what activation then does, and changes nothing by telling it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import ruling
from monitoring.causes import read_cause
from monitoring.correlation import attribute_jobs
from monitoring.models import Alert, AttributionRule, BackupJob, BackupRun, CauseRule
from monitoring.trying import incidents, try_rule
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record
from tests.incidents.makers import make_cause
from tests.monitoring.test_correlation import rule_of

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
NAMES = ("pacs-nightly", "pacs-hourly", "endo-nightly", "db", "test-db")
CONDITION = st.tuples(
    st.sampled_from(["name", "external_id", "target_name"]),
    st.sampled_from(["equals", "starts_with_any", "one_of", "is_not", "contains", "matches"]),
    st.sampled_from(["pacs-", "db", "pacs-nightly, db", "nightly", "host-1", "endo-nightly"]),
)


@pytest.fixture
def root():
    return make_admin("root")


def draft(root, noon, kind="attribution", name="Draft", **content):
    return ruling.draft_rule(kind=kind, name=name, content=content, by=root, at=noon, reason="Tried")


def put_in_force(row, root, noon):
    ruling.send(row=row, by=root, at=noon)
    return ruling.approve(row=row, by=make_admin(), at=noon, reason="Read")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_bench_says_what_activation_then_does(root, noon, data):
    from django.db import transaction

    with transaction.atomic():
        one, two = make_service(at=noon - 9 * DAY), make_service(at=noon - 9 * DAY)
        tool = make_tool()
        for number, name in enumerate(NAMES):
            make_job(tool, name, target_name=f"host-{number % 3}")
        for service, position in ((one, 10), (two, 100), (one, 100)):
            conditions = data.draw(st.lists(CONDITION, min_size=1, max_size=2))
            rule_of(service, *conditions, position=position, at=noon - HOUR)
        attribute_jobs(at=noon)
        row = draft(
            root, noon, name=data.draw(st.sampled_from(["Draft", AttributionRule.objects.last().name[:120]])),
            service=data.draw(st.sampled_from([one, two])), conditions=data.draw(st.lists(CONDITION, min_size=1, max_size=2)),
            position=data.draw(st.sampled_from([5, 50, 100, 200])), enabled=data.draw(st.booleans()),
        )  # fmt: skip
        before = dict(BackupJob.objects.values_list("pk", "service"))
        told = try_rule(row=row, user=root, at=noon)
        assert dict(BackupJob.objects.values_list("pk", "service")) == before, "nothing is changed by it"
        put_in_force(row, root, noon)
        attribute_jobs(at=noon)
        after = dict(BackupJob.objects.values_list("pk", "service"))
        assert told.decided == after
        assert {line.job.pk for line in told.unmatched} == {pk for pk, service in after.items() if service is None}
        transaction.set_rollback(True)


@pytest.fixture
def estate(noon):
    """PACS has its two jobs by one rule, endoscopy one by another; the lab's job belongs to nobody and has failed twice."""
    pacs, endo, lab = (make_service(code, at=noon - 9 * DAY) for code in ("PACS", "ENDO", "LAB"))
    tool = make_tool(at=noon - 9 * DAY, name="vault")
    for name in ("pacs-nightly", "pacs-hourly", "endo-nightly", "lab-nightly", "lab-test"):
        make_job(tool, name, at=noon - 9 * DAY)
    rule_of(pacs, ("name", "starts_with", "pacs-"), position=10, at=noon - 9 * DAY)
    rule_of(endo, ("name", "equals", "endo-nightly"), position=20, at=noon - 9 * DAY)
    for hours in (30, 6, 4):
        push(tool, run_record("lab-nightly", "failed", noon - hours * HOUR, native_message="no space left"), at=noon - 3 * HOUR)
    push(tool, run_record("pacs-nightly", "success", noon - 5 * HOUR), at=noon - 3 * HOUR)
    journey.advance(at=noon)
    return {"pacs": pacs, "endo": endo, "lab": lab, "tool": tool}


def names(lines):
    return sorted(line.job.name for line in lines)


def test_it_tells_what_is_new_stolen_lost_near_and_left(estate, root, noon):
    row = draft(
        root, noon, service=estate["lab"], position=5, conditions=[("name", "matches", "-nightly$"), ("name", "is_not", "pacs-nightly")]
    )
    told = try_rule(row=row, user=root, at=noon)
    assert (told.considered, told.matched, told.count("new"), told.count("lost")) == (5, 2, 2, 0)
    assert list(told.taken.values()) == [1], "the job of endoscopy is taken from its rule"
    assert names(line for line in told.lines if line.before is None) == ["lab-nightly"]
    assert names(told.unmatched) == ["lab-test"] and told.unmatched_before == 2
    near = {line.job.name: line.why for line in told.near}
    assert near["pacs-nightly"] == "not: job name is not pacs-nightly" and near["lab-test"] == "not: job name matches pattern -nightly$"


def test_the_incident_that_its_failures_would_have_opened_is_counted(estate, root, noon):
    row = draft(root, noon, service=estate["lab"], conditions=[("name", "starts_with", "lab-")])
    told = try_rule(row=row, user=root, at=noon)
    assert (told.incidents_before, told.incidents_after) == (0, 1)
    assert sum(sum(counts.values()) for counts in told.per_day.values()) == 3
    assert try_rule(row=row, user=root, at=noon + 60 * DAY, days=7).incidents_after == 0, "that is too long ago"


def test_a_narrower_version_loses_jobs(estate, root, noon):
    rule = AttributionRule.objects.get(position=10)
    row = draft(root, noon, name=rule.name, conditions=[("name", "equals", "pacs-hourly")])
    told = try_rule(row=row, user=root, at=noon)
    assert (told.count("same"), told.count("lost")) == (1, 1) and names(told.unmatched) == ["lab-nightly", "lab-test", "pacs-nightly"]


def test_a_rule_that_is_asked_too_late_is_a_near_miss(estate, root, noon):
    row = draft(root, noon, service=estate["lab"], position=500, conditions=[("name", "contains", "pacs")])
    told = try_rule(row=row, user=root, at=noon)
    assert told.matched == 0 and names(told.near) == ["pacs-hourly", "pacs-nightly"]
    assert {line.why for line in told.near} == {f"{AttributionRule.objects.get(position=10)} is asked first"}


def test_only_what_the_person_may_see_is_told(estate, noon):
    from tests.portal.makers import make_person

    keeper = make_person("monitoring-admin", noon, tools=[make_tool(name="other")])
    row = draft(make_admin(), noon, service=estate["lab"], conditions=[("name", "starts_with", "lab-")])
    assert try_rule(row=row, user=keeper, at=noon).considered == 0


def test_a_cause_rule_is_tried_on_failures_and_names_what_activation_names(estate, root, noon):
    with because("test"):
        rule = AttributionRule.objects.create(name="lab", service=estate["lab"], tool=estate["tool"], position=900, valid_from=noon - DAY)
    assert rule
    make_cause("disk", "space", "job")
    push(estate["tool"], run_record("lab-test", "failed", noon - 2 * HOUR, native_message="no space left"),
         run_record("lab-test", "failed", noon - HOUR, native_message="I/O error"), at=noon)  # fmt: skip
    journey.advance(at=noon)
    failed = BackupRun.objects.filter(outcome="failed", pk__in=[pk for alert in Alert.objects.all() for pk in alert.run_ids])
    content = {"conditions": [("message", "contains", "no space LEFT"), ("outcome", "equals", "failed")], "title": "the pool is full"}
    row = draft(root, noon, kind="cause", name="pool-full", **content, component="tool", position=1)
    told = try_rule(row=row, user=root, at=noon)
    assert told.considered == failed.count() >= 3
    assert told.taken == {"the storage is full": told.count("new")} and told.count("new") == told.matched
    assert [line.run.message for line in told.unmatched] == ["I/O error"]
    assert (told.incidents_before, told.incidents_after) >= (1, 1)
    put_in_force(row, root, noon)
    assert told.decided == {run.pk: read_cause(run=run, job=run.job).name or None for run in failed}
    assert CauseRule.objects.get(name="pool-full").pattern == ""


def test_incidents_that_share_component_and_time_are_one(noon):
    spans = [("a", noon, noon + HOUR), ("a", noon + HOUR, None), ("b", noon, None), ("a", noon + 9 * DAY, None)]
    assert incidents(spans) == 2
    assert incidents([("a", noon, noon + HOUR), ("a", noon + 2 * HOUR, None)]) == 2
