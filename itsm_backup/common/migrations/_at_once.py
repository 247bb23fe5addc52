"""Migrations that are worked out first and done at once.

Django renders every model anew after each step of a migration. With some 500 steps among 150 models that is most of a minute, in
which nothing happens to the database. Here the models are rendered twice, as they are before and after all steps: new tables are
made in the shape they have at the end, and columns of older ones are added or altered from the one to the other.
"""

from __future__ import annotations

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint, AddField, AddIndex, AlterField, CreateModel, Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from pgtrigger.migrations import AddTrigger

_PART_OF_A_NEW_TABLE = (AddField, AddIndex, AddConstraint)
_KNOWN = (CreateModel, AddTrigger, AlterField, *_PART_OF_A_NEW_TABLE)


class AtOnce(Migration):
    """A migration that adds tables, columns, indexes, constraints and triggers, or alters a column once; TypeError for another step."""

    def apply(self, project_state: ProjectState, schema_editor: BaseDatabaseSchemaEditor, collect_sql: bool = False) -> ProjectState:
        """Do all steps; returns the state after them. With `collect_sql` they are only written down."""
        if strange := [step.describe() for step in self.operations if not isinstance(step, _KNOWN)]:
            raise TypeError(f"{strange[0]}: not a step that adds to tables or alters a column. Put it into a migration of its own.")
        before = project_state.clone()
        project_state.__dict__.pop("apps", None)  # rendered once, at the end
        self.mutate_state(project_state, preserve=False)
        new = {step.name_lower for step in self.operations if isinstance(step, CreateModel)}
        for step in self.operations:
            if not (isinstance(step, _PART_OF_A_NEW_TABLE) and _model_of(step) in new):
                step.database_forwards(self.app_label, schema_editor, before, project_state)
        return project_state


def _model_of(step: Operation) -> str:
    return str(getattr(step, "model_name", "")).lower()
