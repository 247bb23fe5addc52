"""Checks that are asked together say the same as Django's, which asks them one by one."""

import datetime as dt
import random

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models import CheckConstraint
from django.test.utils import CaptureQueriesContext

from catalogue.constraints import all_checks_hold, full_clean
from catalogue.models import TierDefault
from catalogue.shipping import ship_defaults

pytestmark = pytest.mark.django_db
WITH_CHECKS = [model for model in apps.get_models() if any(isinstance(one, CheckConstraint) for one in model._meta.constraints)]
ROWS = 12
DAY = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def refusals(check):
    try:
        check()
    except ValidationError as error:
        return error.messages
    return []


def is_refused(constraints, row, left_out):
    return any(refusals(lambda one=one: one.validate(type(row), row, exclude=left_out)) for one in constraints)


def some_value(field, dice):
    if field.choices:
        return dice.choice([value for value, _ in field.flatchoices])
    by_kind = {
        models.DateTimeField: [None, DAY, DAY + dt.timedelta(hours=1)], models.DateField: [None, DAY.date()],
        models.BooleanField: [True, False], models.CharField: ["", "x"], models.TextField: ["", "x"],
        models.IntegerField: [None, -1, 0, 1, 5], models.DecimalField: [None, 0, 1, 2], models.FloatField: [None, -1.0, 0.5, 2.0],
        models.ForeignKey: [None, 1, 2], models.BinaryField: [None, b"x"],
    }  # fmt: skip
    return next((dice.choice(values) for kind, values in by_kind.items() if isinstance(field, kind)), None)


@pytest.mark.parametrize("model", WITH_CHECKS, ids=lambda model: model._meta.label)
def test_all_checks_hold_only_where_each_does(model):
    dice = random.Random(model._meta.label)
    checks = [one for one in model._meta.constraints if isinstance(one, CheckConstraint)]
    for _ in range(ROWS):
        row = model(**{field.attname: some_value(field, dice) for field in model._meta.concrete_fields})
        left_out = {field.name for field in model._meta.concrete_fields if dice.random() < 0.2}
        if all_checks_hold(row, left_out):
            assert not is_refused(checks, row, left_out), (row.__dict__, left_out)


def test_a_row_that_breaks_a_check_is_refused_in_its_words():
    row = TierDefault(tier=5, success_rate=2, rpo_attainment_rate=1)
    said = refusals(lambda: full_clean(row, exclude={"tier"}))
    assert said == refusals(lambda: row.full_clean(exclude={"tier"}))
    assert said


def test_a_valid_row_costs_one_question_for_all_checks():
    ship_defaults()
    row = TierDefault.objects.order_by("pk").first()
    with CaptureQueriesContext(connection) as asked:
        full_clean(row, exclude=set())
    assert len([one for one in asked if "_check" in one["sql"]]) == 1
