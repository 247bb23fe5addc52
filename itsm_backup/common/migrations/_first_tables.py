"""The first migration of an app, made in one go.

Django renders every model anew after each step of a migration. With some 500 steps among 150 models that is most of a minute, in
which nothing happens to the database. The first migration has no rows to carry along: its tables can be made at once in the shape
they have at its end.
"""

from __future__ import annotations

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint, AddField, AddIndex, CreateModel, Migration
from django.db.migrations.state import ProjectState
from pgtrigger.migrations import AddTrigger

_PART_OF_THE_TABLE = (AddField, AddIndex, AddConstraint)


class FirstTables(Migration):
    """A migration of new tables with their columns, indexes, constraints and triggers; TypeError for a step of another kind."""

    initial = True

    def apply(self, project_state: ProjectState, schema_editor: BaseDatabaseSchemaEditor, collect_sql: bool = False) -> ProjectState:
        """Make the tables as they are after the last step; returns the state then. With `collect_sql` they are only written down."""
        project_state.__dict__.pop("apps", None)  # rendered once, at the end
        self.mutate_state(project_state, preserve=False)
        for step in self.operations:
            if isinstance(step, CreateModel | AddTrigger):
                step.database_forwards(self.app_label, schema_editor, project_state, project_state)
            elif not isinstance(step, _PART_OF_THE_TABLE):
                raise TypeError(f"{step.describe()}: not a step of a first migration. Put it into a migration of its own.")
        return project_state
