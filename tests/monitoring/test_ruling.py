"""What a rule says changes in one way only: drafted, sent, put in force by somebody who is no author of it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from guardian.shortcuts import assign_perm

from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from monitoring import ruling
from monitoring.causes import read_cause
from monitoring.correlation import attribute_jobs
from monitoring.models import AttributionRule, BackupRun, CauseRule, RuleVersion
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
CONDITIONS = [("name", "starts_with_any", "pacs-, endo-"), ("name", "is_not", "pacs-test")]


@pytest.fixture
def mona(noon):
    return make_person("monitoring-admin", noon)


@pytest.fixture
def peter(noon):
    return make_person("approver", noon)


@pytest.fixture
def service(noon):
    return make_service("PACS", at=noon - 99 * HOUR)


def drafted(owner, mona, noon, **more):
    content = {"service": owner, "conditions": CONDITIONS, **more}
    return ruling.draft_rule(kind="attribution", name="Archive", content=content, by=mona, at=noon, reason="Asked for")


def in_force(row, mona, peter, noon):
    ruling.send(row=row, by=mona, at=noon)
    return ruling.approve(row=row, by=peter, at=noon, reason="Read")


def test_a_draft_counts_only_when_somebody_else_put_it_in_force(service, mona, peter, noon):
    job = make_job(make_tool(), "pacs-nightly")
    row = drafted(service, mona, noon)
    attribute_jobs(at=noon)
    job.refresh_from_db()
    assert job.service is None and not AttributionRule.objects.exists()
    row = in_force(row, mona, peter, noon)
    attribute_jobs(at=noon)
    job.refresh_from_db()
    rule = AttributionRule.objects.get()
    assert (job.service, job.attribution_rule) == (service, row.decided)
    assert (row.author, row.approver, row.number, row.reason) == (mona, peter, 1, "Asked for")
    assert {one.plain for one in rule.conditions.all()} == set(map(tuple, CONDITIONS))
    assert rule.history.first().history_user == mona, "who wrote it set what is measured, not who read it"


def test_the_next_version_leaves_the_rule_alone_until_it_is_approved(service, mona, peter, noon):
    first = in_force(drafted(service, mona, noon), mona, peter, noon)
    second = drafted(service, mona, noon, conditions=[("name", "equals", "pacs-hourly")], position=5)
    assert (second.number, AttributionRule.objects.get().position, AttributionRule.objects.get().conditions.count()) == (2, 100, 2)
    second = in_force(second, mona, peter, noon)
    rule = AttributionRule.objects.get()
    assert (rule.position, [str(one) for one in rule.conditions.all()]) == (5, ["job name is pacs-hourly"])
    first.refresh_from_db()
    assert (first.plain[0].value, first.state) == ("pacs-, endo-", "approved"), "the former version stays as it was"
    assert first.decided != second.decided


def test_what_is_left_out_stays(service, mona, peter, noon):
    in_force(drafted(service, mona, noon, position=7), mona, peter, noon)
    row = ruling.draft_rule(kind="attribution", name="Archive", content={"enabled": False}, by=mona, at=noon, reason="Not now")
    assert (row.position, row.service, row.enabled, len(row.conditions)) == (7, service, False, 2)
    in_force(row, mona, peter, noon)
    assert not AttributionRule.objects.in_force(noon).exists()


def test_its_author_never_approves_it_not_even_as_superuser(service, mona, peter, noon):
    root = make_admin("root")
    row = drafted(service, root, noon)
    ruling.send(row=row, by=root, at=noon)
    with pytest.raises(NotAllowed, match=r"You wrote Archive, version 1, so somebody else must approve it\. .*Person.* can\."):
        ruling.approve(row=row, by=root, at=noon, reason="Mine")
    with pytest.raises(NotAllowed, match="You may not approve"):
        ruling.approve(row=row, by=mona, at=noon, reason="No right")
    row.refresh_from_db()
    assert row.state == "draft" and not AttributionRule.objects.exists()


def test_the_database_refuses_an_author_as_approver_and_a_change_of_what_was_approved(service, mona, peter, noon):
    row = drafted(service, mona, noon)
    with pytest.raises(IntegrityError, match="rule_author_never_approves"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_ruleversion SET state='approved', approver_id=author_id, approved_at=now(), decided=1 WHERE id=%s", [row.pk]
        )
    in_force(row, mona, peter, noon)
    with pytest.raises(Exception, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_ruleversion SET conditions='[]' WHERE id=%s", [row.pk])


def test_only_what_was_sent_and_read_is_put_in_force(service, mona, peter, noon):
    row = drafted(service, mona, noon)
    with pytest.raises(WrongState, match="still writes"):
        ruling.approve(row=row, by=peter, at=noon, reason="Early")
    ruling.send(row=row, by=mona, at=noon)
    seen = ruling.hash_of(row)
    changed = drafted(service, mona, noon, conditions=[("name", "contains", "x")])
    assert changed.pk == row.pk and changed.sent_at is None, "a changed draft has to be sent anew"
    ruling.send(row=row, by=mona, at=noon)
    with pytest.raises(WrongState, match="changed since you read it"):
        ruling.approve(row=row, by=peter, at=noon, reason="Read", seen=seen)
    changed.refresh_from_db()
    ruling.approve(row=row, by=peter, at=noon, reason="Read", seen=ruling.hash_of(changed))
    with pytest.raises(WrongState, match="already approved"):
        ruling.approve(row=row, by=peter, at=noon, reason="Twice")


def test_a_draft_has_one_author(service, mona, peter, noon):
    drafted(service, mona, noon)
    other = make_person("monitoring-admin", noon)
    with pytest.raises(NotReady, match="writes Archive, version 1"):
        drafted(service, other, noon)
    with pytest.raises(NotAllowed, match="exclude each other"):
        drafted(service, peter, noon)
    with pytest.raises(NotAllowed, match=r"You may not write rules of this kind\. .*Person.* can\."):
        drafted(service, make_person("operator", noon), noon)
    ruling.give_up(row=RuleVersion.objects.get(), by=other, at=noon, reason="She left")
    assert drafted(service, other, noon).number == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"conditions": []}, "would match no job"),
        ({"service": None}, "Choose the service"),
        ({"conditions": [("name", "matches", "(")]}, "no valid pattern"),
        ({"conditions": [("name", "matches", ".*")]}, "takes every text"),
        ({"conditions": [("message", "contains", "x")]}, "no field message"),
        ({"conditions": [("name", "equals", str(number)) for number in range(13)]}, "At most 12"),
    ],
)
def test_a_rule_that_cannot_work_is_no_draft(service, mona, noon, content, told):
    with pytest.raises(NotReady, match=told):
        drafted(service, mona, noon, **content)
    assert not RuleVersion.objects.exists()


def test_a_right_on_the_tool_is_enough_for_rules_about_its_jobs_alone(service, noon):
    mine, other = make_tool(), make_tool()
    keeper = make_person("monitoring-admin", noon, tools=[mine])
    assign_perm("catalogue.view_service", keeper, service)
    keeper = type(keeper).objects.get(pk=keeper.pk)
    assert drafted(service, keeper, noon, tool=mine).tool == mine
    for wanted in (other, None):
        with pytest.raises(NotAllowed):
            drafted(service, keeper, noon, tool=wanted)


def test_a_cause_rule_reads_message_and_result(service, mona, peter, noon):
    tool = make_tool(at=noon - 9 * HOUR)
    make_job(tool, "pacs-nightly", service=service)
    content = {
        "conditions": [("message", "any_of", "target full, almost full"), ("outcome", "one_of", "failed, partial")],
        "title": "its target is full", "component": "tool",
    }  # fmt: skip
    row = ruling.draft_rule(kind="cause", name="target-full", content=content, by=mona, at=noon, reason="Seen often")
    row = in_force(row, mona, peter, noon)
    for hours, outcome in ((3, "failed"), (2, "success")):
        push(tool, run_record("pacs-nightly", outcome, noon - hours * HOUR, native_message="TARGET FULL at 79%"), at=noon)
    runs = {run.outcome: run for run in BackupRun.objects.select_related("job")}
    found = read_cause(run=runs["failed"], job=runs["failed"].job)
    assert (found.name, found.title, found.rule, found.key) == ("target-full", "its target is full", row.decided, f"tool:{tool.pk}")
    assert not read_cause(run=runs["success"], job=runs["success"].job).is_specific
    assert CauseRule.objects.get().plain == list(map(tuple, content["conditions"]))


def test_the_explanation_names_the_version_who_wrote_and_who_approved_it(service, mona, peter, noon):
    from monitoring.explaining import _mapping

    job = make_job(make_tool(at=noon - 9 * HOUR), "pacs-nightly")
    row = in_force(drafted(service, mona, noon), mona, peter, noon)
    journey.advance(at=noon)
    job.refresh_from_db()
    told = _mapping(job.attribution_rule, noon)
    assert told.title == "Archive, version 1" and told.version == row.decided
    assert "starts with any of pacs-, endo-" in told.text and "is not pacs-test" in told.text
    assert told.by == f"{mona.get_full_name()}, approved by {peter.get_full_name()}"
