"""The constraints of a table, asked of a row before it is stored: all checks in one question where all of them hold."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CheckConstraint, Q


def full_clean(row: Any, *, exclude: Collection[str]) -> None:
    """What `Model.full_clean(exclude)` does, with the same ValidationError; a row that keeps all checks costs fewer questions.

    Django puts each check to the database by itself, inside a savepoint. Most rows keep all of them, so that is asked first; only
    of a row that may not is each asked, for its own words.
    """
    left_out = set(exclude)
    try:
        row.full_clean(exclude=left_out, validate_constraints=False)
        if not all_checks_hold(row, left_out):
            row.validate_constraints(exclude=left_out)
            return
        others = [one for _, constraints in row.get_constraints() for one in constraints if not isinstance(one, CheckConstraint)]
        for constraint in others:
            constraint.validate(type(row), row, exclude=left_out)
    except ValidationError:
        row.full_clean(exclude=left_out)


def all_checks_hold(row: Any, left_out: Collection[str]) -> bool:
    """Whether every check that reads none of the fields left out certainly holds; False when one does not, or it cannot be told.

    Asked the other way round, since Django takes "unknown" and a question that the database cannot answer for a yes.
    """
    unknown = {*left_out} | {field.attname for field in row._meta.concrete_fields if field.name in left_out}
    checks = [Q(one.condition) for _, constraints in row.get_constraints() for one in constraints if isinstance(one, CheckConstraint)]
    asked = [check for check in checks if not check.referenced_base_fields & unknown]
    if not asked:
        return True
    try:
        CheckConstraint(condition=~Q(*asked), name="one_is_broken").validate(type(row), row, exclude=set(left_out))
    except ValidationError:
        return True
    return False
