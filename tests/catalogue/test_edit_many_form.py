"""The form that changes fields of many entries: nothing that was typed is passed over, lists forgive a comma too many."""

from __future__ import annotations

import datetime as dt

import pytest
from django.http import QueryDict

from catalogue.admin.many import EditManyForm

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
UNTICKED = "You wrote here without ticking “Change”. Tick it, or empty the field."


def form(sent):
    return EditManyForm(QueryDict(f"change_reason=Why&{sent}"))


def test_what_is_typed_without_its_tick_is_told_and_nothing_is_made():
    made = form("change=review_due_on&review_due_on=2027-05-31&rpo_s=24 h&department=")
    assert not made.is_valid()
    assert made.errors == {"rpo_s": [UNTICKED]}
    assert 'value="24 h"' in str(made["rpo_s"]), "what was typed stays"


def test_what_stands_in_the_form_by_itself_is_nothing_that_was_typed():
    made = form("change=rpo_s&rpo_s=24 h&zone=UTC&kind=business_service&hosting=on_premises&encryption=&labels=")
    assert made.is_valid(), made.errors
    assert made.values == {"rpo_s": 86_400}


@pytest.mark.parametrize(
    ("sent", "problems"),
    [
        ("change=review_due_on&review_due_on=5.5.2027", {"review_due_on": ["Write the day like 2027-05-31."]}),
        (
            f"change=labels&labels=a,,{'b' * 41}",
            {"labels": ["Number 2 between the commas: Ensure this value has at most 40 characters (it has 41)."]},
        ),
    ],
)
def test_what_cannot_be_read_says_how_it_is_written(sent, problems):
    assert form(sent).errors == problems


def test_days_are_chosen_and_a_comma_too_many_says_nothing():
    assert 'type="date"' in str(form("")["review_due_on"]) and 'type="datetime-local"' in str(form("")["commissioned_at"])
    made = form("change=labels&labels=a,, b ,&change=review_due_on&review_due_on=2027-05-31")
    assert made.is_valid(), made.errors
    assert made.cleaned_data["labels"] == ["a", "b"] and made.cleaned_data["review_due_on"] == dt.date(2027, 5, 31)
