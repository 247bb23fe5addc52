"""Tools, jobs, schedules and rules as people state them."""

import datetime as dt

import pytest

from catalogue.publishing import NotReady
from monitoring import declaring
from monitoring.models import AttributionRule, CauseRule, JobState, ProtectedItem, Tool, ToolState
from tests.factories import make_service, make_tool, make_user
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def said(noon):
    return {"by": make_user("mona"), "at": noon, "reason": "Declared in test.yaml"}


@pytest.fixture
def ruled(said):
    return {**said, "by": make_person("monitoring-admin", said["at"]), "approver": make_person("approver", said["at"])}


def restic(said, **more):
    wanted = {"settings": {"repository": "/srv/a"}, "secrets": {"password": "one"}, **more}
    return declaring.declare_tool(name="restic-a", kind="restic", **said, **wanted)


def test_a_new_tool_is_monitored_and_asked_from_now_on(said, noon):
    declared = restic(said, zone="Europe/London")
    tool = Tool.objects.get()
    assert declared.made and (tool.monitored_from, tool.zone, tool.state.next_poll_at) == (noon, "Europe/London", noon)
    assert tool.history.get().history_change_reason == "Declared in test.yaml"
    assert tool.history.get().history_user.username == "mona"


def test_a_tool_that_reports_by_itself_is_never_asked(said):
    declaring.declare_tool(name="scripts", kind="ping", **said)
    assert ToolState.objects.get().next_poll_at is None


def test_the_same_tool_again_writes_nothing(said):
    restic(said)
    ToolState.objects.update(next_poll_at=None)
    assert not restic(said).wrote
    assert Tool.history.count() == 1
    assert ToolState.objects.get().next_poll_at is None


def test_a_changed_setting_is_told_and_tried_at_once_and_others_stay(said, noon):
    restic(said, settings={"repository": "/srv/a", "host": "db1"})
    later = {**said, "at": noon + HOUR}
    declared = declaring.declare_tool(name="restic-a", kind="restic", **later, settings={"repository": "/srv/b"})
    assert declared.changed == {"settings": ({"repository": "/srv/a", "host": "db1"}, {"repository": "/srv/b", "host": "db1"})}
    assert ToolState.objects.get().next_poll_at == noon + HOUR
    assert Tool.objects.get().monitored_from == noon


def test_it_says_everything_that_is_wrong_with_the_settings_at_once(said):
    with pytest.raises(NotReady) as refusal:
        declaring.declare_tool(name="a", kind="restic", **said, settings={"password": "x", "repo": "/srv"}, secrets={})
    assert sorted(refusal.value.problems) == [
        "secrets: password is still needed (Repository password).",
        "settings: password belongs under secrets.",
        "settings: repo is unknown; restic knows: repository, host, tag, path, timeout_s.",
        "settings: repository is still needed (Repository).",
    ]
    assert not Tool.objects.exists()


def test_a_tool_keeps_its_kind(said):
    restic(said)
    with pytest.raises(NotReady, match="cannot become ping"):
        declaring.declare_tool(name="restic-a", kind="ping", **said)
    with pytest.raises(NotReady, match="no kind of tool called tape"):
        declaring.declare_tool(name="b", kind="tape", **said)


def test_a_declared_job_has_its_state_its_item_and_an_address(said, noon):
    tool = make_tool("ping")
    job = declaring.declare_job(tool=tool, external_id="nightly", at=noon, name="Nightly dump", profile="restic").row
    assert (job.declared, job.name, job.profile, job.ping_uuid is not None) == (True, "Nightly dump", "restic", True)
    assert JobState.objects.get().touched_at == noon
    assert ProtectedItem.objects.get().job == job
    assert not declaring.declare_job(tool=tool, external_id="nightly", at=noon + HOUR, name="Nightly dump").wrote
    assert declaring.declare_job(tool=tool, external_id="nightly", at=noon + HOUR, name="Dump").changed == {
        "name": ("Nightly dump", "Dump")
    }
    assert JobState.objects.get().touched_at == noon + HOUR
    with pytest.raises(NotReady, match="called tar"):
        declaring.declare_job(tool=tool, external_id="other", at=noon, profile="tar")


def test_a_schedule_says_what_is_wrong_with_it(said, noon):
    job = declaring.declare_job(tool=make_tool("ping"), external_id="nightly", at=noon).row
    declared = declaring.declare_schedule(job=job, **said, rrule="FREQ=DAILY", local_times="01:30", zone="Europe/Paris", grace_s=7_200)
    assert declared.made and job.schedule.grace_s == 7_200
    assert declaring.declare_schedule(job=job, **said, rrule="FREQ=DAILY;BYHOUR=4", local_times="").wrote
    with pytest.raises(NotReady, match="needs FREQ"):
        declaring.declare_schedule(job=job, **said, rrule="EVERY=DAY")


def test_a_rule_holds_exactly_its_conditions(ruled):
    service, other, tool = make_service("pacs"), make_service("ris"), make_tool()
    rule = {"name": "PACS", "service": service, "tool": tool, **ruled}
    declared = declaring.declare_rule(conditions=[("external_id", "equals", "a"), ("name", "contains", "b")], **rule)
    assert declared.made and declared.changed["conditions"] == (None, "job id is a and job name contains b")
    assert not declaring.declare_rule(conditions=[("name", "contains", "b"), ("external_id", "equals", "a")], **rule).wrote
    changed = declaring.declare_rule(conditions=[("external_id", "equals", "a")], **{**rule, "service": other}).changed
    assert changed == {"service": (service, other), "conditions": ("job id is a and job name contains b", "job id is a")}
    assert AttributionRule.objects.get().conditions.count() == 1


def test_changed_conditions_are_a_new_version_of_the_rule(ruled):
    service = make_service("pacs")
    declaring.declare_rule(name="PACS", service=service, conditions=[("external_id", "equals", "a")], **ruled)
    before = AttributionRule.history.count()
    declaring.declare_rule(name="PACS", service=service, conditions=[("external_id", "equals", "b")], **ruled)
    assert AttributionRule.history.count() == before + 1


def test_a_bad_pattern_changes_nothing(ruled):
    with pytest.raises(NotReady, match="no valid pattern"):
        declaring.declare_rule(name="PACS", service=make_service("pacs"), conditions=[("name", "matches", "(")], **ruled)
    with pytest.raises(NotReady, match="no valid pattern"):
        declaring.declare_cause_rule(name="full", title="the disk is full", pattern="(", **ruled)
    assert not AttributionRule.objects.exists() and not CauseRule.objects.exists()
