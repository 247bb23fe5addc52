"""Migrations that make their tables at once, and a database of before is taken over or refused with a way out."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from itsm_backup.common.migrations._at_once import AtOnce
from itsm_backup.launcher.updating import LAST_OF_THE_MANY_STEPS, HalfMade, refuse_half_made

pytestmark = pytest.mark.django_db
FIRST = {key: step for key, step in MigrationLoader(None).disk_migrations.items() if isinstance(step, AtOnce) and step.initial}


def names(sql: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {name for (name,) in cursor.fetchall()}


def test_every_app_of_ours_begins_so():
    assert {app for app, _ in FIRST} == {"common", "catalogue", "monitoring", "incidents", "reporting"}


@pytest.mark.parametrize("app", sorted({app for app, _ in FIRST}))
def test_the_database_has_every_column_constraint_index_and_trigger_of_the_models(app):
    columns = names("SELECT table_name || '.' || column_name FROM information_schema.columns")
    constraints = names("SELECT conname FROM pg_constraint") | names("SELECT relname FROM pg_class WHERE relkind IN ('i', 'I')")
    triggers = names("SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid")
    for model in apps.get_app_config(app).get_models(include_auto_created=True):
        options = model._meta
        missing = {f"{options.db_table}.{field.column}" for field in options.local_concrete_fields} - columns
        if options.managed:
            missing |= {rule.name for rule in (*options.constraints, *options.indexes)} - constraints
        wanted = {f"{options.db_table}.{trigger.get_pgid(model)}" for trigger in getattr(options, "triggers", ())}
        assert not missing and not wanted - triggers, model


def test_a_foreign_key_is_kept_by_the_database():
    keys = names("SELECT conrelid::regclass || '' FROM pg_constraint WHERE contype = 'f' AND confrelid = 'catalogue_service'::regclass")
    assert {"catalogue_serviceversion", "incidents_incident"} <= keys


def test_a_step_of_another_kind_is_refused():
    step = AtOnce("nothing", "somewhere")
    step.operations = [migrations.RunSQL("SELECT 1")]
    with pytest.raises(TypeError, match="Put it into a migration of its own"):
        step.apply(ProjectState(), None)


def test_a_database_of_the_many_steps_is_taken_over():
    recorder = MigrationRecorder(connection)
    for key, step in FIRST.items():
        recorder.record_unapplied(*key)
        for old in step.replaces:
            recorder.record_applied(*old)
    refuse_half_made()
    loader = MigrationLoader(connection)
    assert set(FIRST) <= set(loader.applied_migrations) and not loader.detect_conflicts()


def test_a_database_that_stopped_between_the_many_steps_is_told_the_way_out():
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("monitoring", "0001_initial")
    for key in FIRST["monitoring", "0001_initial"].replaces[1:]:
        recorder.record_unapplied(*key)
    with pytest.raises(HalfMade, match=f"monitoring lacks 24 of the 25 steps .*git checkout {LAST_OF_THE_MANY_STEPS}"):
        refuse_half_made()


def test_an_empty_database_begins_anew():
    MigrationRecorder(connection).migration_qs.all().delete()
    refuse_half_made()
