"""Correctness lives in the database: each constraint is broken by raw SQL here, and refused."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, connection, transaction

from catalogue import publishing
from catalogue.models import ServiceVersion
from incidents.models import Incident, IncidentAlert, IncidentEntry
from itsm_backup import journey
from itsm_backup.common.models import ReasonMissing, because
from monitoring import workflow
from monitoring.models import Alert, BackupRun, Evaluation, ExpectedRun, Tool
from tests.factories import make_admin, make_job, make_schedule, make_service, make_team, make_tool, make_user, push, run_record

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def refused(sql: str, *parameters: object) -> str:
    """The database's words when it refuses; fails the test when it does not."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing pending may stand in the way of what is tried
        cursor.execute(sql, parameters)
    return str(caught.value)


def row_copied(table: str, pk: int, **changes: object) -> str:
    """SQL that inserts a copy of a row with other values (PostgreSQL's own record functions)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_name <> 'id'", [table])
        columns = [name for (name,) in cursor.fetchall()]
    values = [f"{changes[name]}" if name in changes else name for name in columns]
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} WHERE id = {pk}"


@pytest.fixture
def service(noon):
    return make_service("SVC-001", at=noon - 48 * HOUR)


@pytest.fixture
def failing(service, noon):
    """A service with an evaluation, an alert, an incident and a timeline."""
    tool = make_tool(at=noon - 24 * HOUR)
    job = make_job(tool, at=noon - 24 * HOUR, service=service)
    make_schedule(job, local_times="10:00")
    push(tool, run_record("nightly", "success", noon - 30 * HOUR), at=noon - 29 * HOUR)
    for hours in (2, 1):
        push(tool, run_record("nightly", "failed", noon - hours * HOUR), at=noon)
    journey.advance(at=noon)
    return job


def test_it_refuses_two_versions_in_force_at_once(service):
    version = service.versions.get()
    sql = row_copied("catalogue_serviceversion", version.pk, number="number + 1")
    assert "version_one_effective" in refused(sql)


def test_it_refuses_an_approver_who_is_an_author(service):
    version = service.versions.get()
    sql = row_copied(
        "catalogue_serviceversion", version.pk, number="number + 1", author_ids="ARRAY[approver_id]", effective="'[2020-01-01,2020-01-02)'"
    )
    assert "version_author_never_approves" in refused(sql)


@pytest.mark.parametrize("field", ["owner_id", "steward_id", "operations_team_id", "approver_id", "effective"])
def test_it_refuses_an_approved_version_that_is_not_complete(service, field):
    version = service.versions.get()
    changes = {"number": "number + 1", "effective": "'[2020-01-01,2020-01-02)'", field: "NULL"}
    assert "version_approved_is_complete" in refused(row_copied("catalogue_serviceversion", version.pk, **changes))


@pytest.mark.parametrize("change", ["name = 'other'", "tier = 3", "state = 'draft'", "effective = tstzrange('2020-01-01', NULL)"])
def test_it_refuses_to_change_an_approved_version(service, change):
    assert "immutable" in refused(f"UPDATE catalogue_serviceversion SET {change}")
    assert "never deleted" in refused("DELETE FROM catalogue_serviceversion")


def test_it_lets_only_the_end_of_an_approved_range_close(service, noon):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_serviceversion SET effective = tstzrange(lower(effective), %s)", [noon])
    assert "immutable" in refused("UPDATE catalogue_serviceversion SET effective = tstzrange(lower(effective), NULL)")


def test_it_refuses_to_change_the_commitment_of_an_approved_version(service):
    assert "immutable" in refused("UPDATE catalogue_commitment SET rpo_s = 60")
    assert "immutable" in refused("DELETE FROM catalogue_commitment")


def test_it_refuses_a_second_open_version(service, noon):
    author = make_user()
    publishing.draft_version(service=service, content={"name": "n"}, commitment={}, by=author, at=noon, reason="test")
    draft = ServiceVersion.objects.get(state="draft")
    assert "version_one_open" in refused(row_copied("catalogue_serviceversion", draft.pk, number="number + 1"))


def test_it_refuses_to_change_the_code_of_a_service(service):
    assert "never changes" in refused("UPDATE catalogue_service SET code = 'OTHER'")


@pytest.mark.parametrize("table", ["catalogue_historicalservice", "catalogue_historicalserviceversion", "catalogue_historicalcommitment"])
def test_it_keeps_history_append_only(service, table):
    assert "append-only" in refused(f"UPDATE {table} SET history_change_reason = 'rewritten'")
    assert "append-only" in refused(f"DELETE FROM {table}")
    assert "append-only" in refused(f"TRUNCATE {table}")


def test_it_keeps_the_log_of_people_and_roles_append_only(service):
    person = make_admin()
    LogEntry.objects.create(user=person, content_type=None, object_id="1", object_repr="a role", action_flag=2, change_message="given")
    assert "append-only" in refused("UPDATE django_admin_log SET change_message = 'rewritten'")
    assert "append-only" in refused("DELETE FROM django_admin_log")
    assert "append-only" in refused("TRUNCATE django_admin_log")


def test_it_refuses_a_history_entry_without_a_reason(service):
    sql = row_copied("catalogue_historicalservice", 0, history_change_reason="' '").replace("WHERE id = 0", "LIMIT 1")
    assert "needs a reason" in refused(sql)


def test_it_refuses_a_tracked_change_without_a_reason(noon):
    with pytest.raises(ReasonMissing):
        Tool.objects.create(name="x", kind="push", monitored_from=noon)
    with pytest.raises(TypeError):
        make_team() and type(make_team()).objects.update(name="y")


FACTS = ["monitoring_evaluation", "monitoring_figure", "catalogue_statuschange", "incidents_incidententry"]


@pytest.mark.parametrize("table", FACTS)
def test_it_keeps_what_was_decided_append_only(failing, table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0] > 0
    assert "append-only" in refused(f"UPDATE {table} SET id = id")
    assert "append-only" in refused(f"DELETE FROM {table}")
    assert "append-only" in refused(f"TRUNCATE {table} CASCADE")


def test_it_keeps_revisions_of_runs_append_only(failing, noon):
    run = BackupRun.objects.filter(outcome="failed").first()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO monitoring_runrevision (run_id, at, before, after) VALUES (%s, %s, '{}', '{}')", [run.pk, noon])
    assert "append-only" in refused("UPDATE monitoring_runrevision SET after = '{}'")
    assert "append-only" in refused("DELETE FROM monitoring_runrevision")


def test_it_refuses_a_second_open_alert_of_a_key(failing):
    alert = Alert.objects.open().first()
    assert "alert_one_open_per_key" in refused(row_copied("monitoring_alert", alert.pk))


def test_it_refuses_a_second_open_incident_of_a_cause(failing):
    incident = Incident.objects.get()
    assert "incident_one_open_per_cause" in refused(row_copied("incidents_incident", incident.pk))


def test_it_refuses_an_alert_in_two_incidents(failing):
    link = IncidentAlert.objects.first()
    assert "alert_id" in refused(row_copied("incidents_incidentalert", link.pk))


def test_it_refuses_a_run_twice(failing):
    run = BackupRun.objects.first()
    assert "key" in refused(row_copied("monitoring_backuprun", run.pk))


def test_it_refuses_a_finished_run_without_outcome(failing):
    assert "run_finished_has_outcome" in refused("UPDATE monitoring_backuprun SET outcome = NULL")
    assert "run_finished_has_outcome" in refused("UPDATE monitoring_backuprun SET state = 'running'")


def test_it_refuses_a_job_an_item_or_a_due_time_twice(failing):
    assert "job_once_per_tool" in refused(row_copied("monitoring_backupjob", failing.pk, ping_uuid="gen_random_uuid()"))
    assert "item_once_per_tool" in refused(row_copied("monitoring_protecteditem", failing.items.get().pk))
    assert "expected_once" in refused(row_copied("monitoring_expectedrun", ExpectedRun.objects.first().pk))


def test_it_refuses_a_second_status_workflow(failing):
    workflow.current()
    assert "workflow_is_one_row" in refused("UPDATE monitoring_statusworkflow SET id = 2")


def test_it_refuses_an_evaluation_of_nothing(failing):
    evaluation = Evaluation.objects.first()
    assert "evaluation_of_service_or_tool" in refused(row_copied("monitoring_evaluation", evaluation.pk, service_id="NULL", tool_id="NULL"))


def test_it_refuses_a_relation_to_itself(service):
    with because("test"):
        sql = "INSERT INTO catalogue_relation (provider_id, consumer_id, kind, strength) VALUES (%s, %s, 'depends_on', 'hard')"
        assert "relation_not_to_itself" in refused(sql, service.pk, service.pk)


def test_it_keeps_the_timeline(failing):
    assert IncidentEntry.objects.filter(kind="opened").count() == 1
