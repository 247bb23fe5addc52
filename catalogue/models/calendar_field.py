"""The column of a measurement calendar, and its place in forms: both keep the one way to write it."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from catalogue.counted_days import calendar_of


def _as_kept(value: str | None) -> str:
    try:
        return calendar_of(value or "").text
    except ValueError as error:
        raise ValidationError(str(error)) from None


class CalendarFormField(forms.CharField):
    """Gives the one way to write what was written."""

    def to_python(self, value: object) -> str:
        return _as_kept(super().to_python(value))


class CalendarField(models.CharField):
    """A measurement calendar as text, kept in the one way to write it."""

    def to_python(self, value: object) -> str:
        said = super().to_python(value)
        return _as_kept(said) if said else said

    def formfield(self, **kwargs: object) -> forms.Field | None:
        return super().formfield(**{"form_class": CalendarFormField, **kwargs})  # type: ignore[arg-type]
