"""What people write in forms: durations with their unit, shares in per cent, instants."""

import datetime as dt
from decimal import Decimal

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import Commitment, ServiceVersion
from itsm_backup.common.admin.fields import DurationField, ShareField, duration_text, form_field_of, label_of, seconds_of, value_words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4 h", 14_400), ("26h", 93_600), ("35 d", 3_024_000), ("90 min", 5_400), ("90m", 5_400), ("1 d 2 h", 93_600),
     ("1 hour, 30 minutes", 5_400), ("1.5 h", 5_400), ("1,5 h", 5_400), ("2 weeks", 1_209_600), ("3600", 3_600),
     ("45 s", 45), ("  4  H ", 14_400)],
)  # fmt: skip
def test_it_reads_durations_as_people_write_them(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "4 lightyears", "h", "-4 h", "4 h 30", "1 2", "4 h; DROP", "4..5 h", "1e3 s"])
def test_it_refuses_what_is_no_duration_and_says_what_to_write(text):
    with pytest.raises(ValueError):
        seconds_of(text)
    if text:
        with pytest.raises(forms.ValidationError, match="number and its unit, such as 4 h"):
            DurationField().clean(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_what_it_writes_it_reads_back(seconds):
    assert seconds_of(duration_text(seconds)) == seconds


def test_it_writes_one_unit():
    assert [duration_text(s) for s in (93_600, 86_400, 172_800, 5_400, 61, 0)] == ["26 h", "24 h", "2 d", "90 min", "61 s", "0 s"]


def test_days_are_whole_days():
    field = DurationField(in_days=True)
    assert (field.clean("35 d"), field.clean("5 weeks"), field.clean("35"), field.clean("48 h")) == (35, 35, 35, 2)
    with pytest.raises(forms.ValidationError, match="whole days"):
        field.clean("36 h")


def test_a_form_that_was_only_opened_has_not_changed():
    class Form(forms.Form):
        rpo_s = DurationField()
        share = ShareField()

    opened = Form(initial={"rpo_s": 93_600, "share": Decimal("0.98000")})
    sent = {name: opened[name].value() for name in opened.fields}
    assert sent == {"rpo_s": "26 h", "share": "98 %"}
    assert not Form(sent, initial=opened.initial).has_changed()
    assert Form({**sent, "rpo_s": "24 h"}, initial=opened.initial).changed_data == ["rpo_s"]


@pytest.mark.parametrize(
    ("text", "share"), [("98 %", "0.98"), ("99.5", "0.995"), ("0.98", "0.98"), ("98,5 %", "0.985"), ("100%", "1"), ("1", "1")]
)
def test_it_reads_shares(text, share):
    assert ShareField().clean(text) == Decimal(share)


@pytest.mark.parametrize("text", ["0", "101 %", "-5 %", "most", "0 %"])
def test_it_refuses_what_is_no_share(text):
    with pytest.raises(forms.ValidationError):
        ShareField().clean(text)


def test_the_limit_of_a_model_is_told_in_the_unit_that_people_write():
    with pytest.raises(forms.ValidationError, match="It must be at least 1 min"):
        form_field_of(Commitment._meta.get_field("rpo_s")).clean("30 s")


def test_names_leave_the_unit_to_the_value():
    names = ("rpo_s", "retention_days", "restore_test_days", "success_rate")
    assert [label_of(Commitment._meta.get_field(name)) for name in names] == [
        "Recovery point (RPO)", "Retention", "Restore test at least every", "Success rate",
    ]  # fmt: skip


def test_it_shows_values_as_people_read_them(settings):
    settings.TIME_ZONE = "UTC"
    rpo, rate, at = (
        Commitment._meta.get_field("rpo_s"),
        Commitment._meta.get_field("success_rate"),
        ServiceVersion._meta.get_field("approved_at"),
    )
    assert value_words(rpo, 14_400) == "4 h" and value_words(rpo, None) == "–" and value_words(rate, Decimal("0.98000")) == "98 %"
    assert value_words(at, dt.datetime(2026, 7, 14, 9, 42, tzinfo=dt.UTC)) == "Tue 14 Jul 2026, 09:42 UTC"
