"""Form fields that take what people write: durations with their unit, shares in per cent, instants in one box."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.utils import display_for_field
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.forms import SimpleArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import formats
from django.utils.text import capfirst
from django.utils.timezone import localtime

UNIT_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WORDS = {"m": "min", "mins": "min", "minute": "min", "minutes": "min", "sec": "s", "second": "s", "seconds": "s", "hour": "h",
          "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w"}  # fmt: skip
_ASKS_FOR_QUOTES = re.compile(r'[,;\n]|^"')  # what stands between words, here or in sheets
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]*)")


def seconds_of(text: str) -> int:
    """Seconds of `4 h`, `1 d 2 h`, `90 min`, `35 d` or of a bare number of seconds; raises ValueError for anything else."""
    cleaned = text.strip().lower()
    parts = _PART.findall(cleaned)
    if not parts or _PART.sub("", cleaned).strip(" ,") or (len(parts) > 1 and not all(unit for _, unit in parts)):
        raise ValueError(text)
    total = Decimal(0)
    for number, unit in parts:
        short = _WORDS.get(unit, unit) or "s"
        if short not in UNIT_S:
            raise ValueError(text)
        total += Decimal(number.replace(",", ".")) * UNIT_S[short]
    return int(total)


def duration_text(seconds: int) -> str:
    """The shortest exact way to write a duration with one unit: 93600 → `26 h`, 5400 → `90 min`, 259200 → `3 d`."""
    for unit, least in (("d", 2), ("h", 1), ("min", 1)):
        count, rest = divmod(seconds, UNIT_S[unit])
        if not rest and count >= least:
            return f"{count} {unit}"
    return f"{seconds} s"


class WholeField(forms.CharField):
    """A text that is told to be too long. Browsers cut silently what is pasted into a field that names its length."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {}


class DurationField(forms.Field):
    """A duration as text with its unit; gives whole seconds, or whole days with `in_days`."""

    default_error_messages = {
        "invalid": "Write a number and its unit, such as 4 h, 26 h, 35 d or 90 min.",
        "days": "This is counted in whole days: write for example 35 d.",
    }

    def __init__(self, *, in_days: bool = False, **kwargs: Any) -> None:
        self.in_days = in_days
        kwargs.setdefault("widget", forms.TextInput(attrs={"class": "short", "autocomplete": "off"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        return f"{value} d" if self.in_days else duration_text(value)

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if isinstance(value, int):
            return value
        text = f"{value} d" if self.in_days and str(value).strip().isdigit() else str(value)
        try:
            seconds = seconds_of(text)
        except (ValueError, InvalidOperation):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None
        if not self.in_days:
            return seconds
        days, rest = divmod(seconds, UNIT_S["d"])
        if rest:
            raise forms.ValidationError(self.error_messages["days"], code="days")
        return days


def listed(words: Iterable[Any]) -> str:
    """Words as one text, with commas between them; a word that holds a comma stands in quotes: `"London, UK", Leeds`."""
    texts = map(str, words)
    return ", ".join('"{}"'.format(text.replace('"', '""')) if _ASKS_FOR_QUOTES.search(text) else text for text in texts)


def words_of(text: str, between: str = ",") -> list[str]:
    """The words of such a text: what is `listed` comes back as it was. A comma too many says nothing, so it is passed over."""
    word = rf'\s*(?:"((?:[^"]|"")*)"\s*(?=[{between}]|\Z)|([^{between}]*))(?:[{between}]|\Z)'
    found = (quoted.replace('""', '"') or plain for quoted, plain in re.findall(word, text))
    return [each.strip() for each in found if each.strip()]


class ListField(SimpleArrayField):
    """Words separated by commas, in quotes where they hold one. A word that is refused is named by its place."""

    default_error_messages = {"item_invalid": "Number %(nth)s between the commas:"}

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = words_of(value, self.delimiter)
        return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        return listed(value) if isinstance(value, list) else value


class ShareField(forms.Field):
    """A share written in per cent (`98 %`, `99.5`) or as a fraction (`0.98`); gives the fraction."""

    default_error_messages = {"invalid": "Write a share such as 98 % or 0.98."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"class": "short", "autocomplete": "off"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value if (isinstance(value, str) and "%" in value) or value in self.empty_values else share_text(value)

    def to_python(self, value: Any) -> Decimal | None:
        if value in self.empty_values:
            return None
        text = str(value).replace("%", "").replace(",", ".").strip()
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None
        share = number / 100 if "%" in str(value) or number > 1 else number
        if not 0 < share <= 1:
            raise forms.ValidationError("A share lies above 0 % and is at most 100 %.", code="range")
        return share


def share_text(value: Any) -> Any:
    """`98 %` of 0.98; what is no number comes back as it is."""
    try:
        return f"{(Decimal(str(value)) * 100).normalize():f} %"
    except InvalidOperation:
        return value


class InstantInput(forms.DateTimeInput):
    """The browser's own field for date and time, without seconds where there are none."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> Any:
        if isinstance(value, dt.datetime):
            return value.replace(microsecond=0).isoformat(timespec="seconds" if value.second else "minutes").removesuffix("+00:00")
        return value


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%Y-%m-%d", **kwargs)


class ClockInput(forms.TimeInput):
    input_type = "time"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", **kwargs)


def _unit(field: models.Field) -> str:
    """s, days, share or nothing: names carry their unit."""
    if isinstance(field, models.DecimalField) and field.name.endswith(("_rate", "_fraction")):
        return "share"
    if isinstance(field, models.IntegerField):
        return next((unit for unit in ("s", "days") if field.name.endswith(f"_{unit}")), "")
    return ""


def label_of(field: models.Field) -> str:
    """The name of a field for people: the unit stands in the value, not in the name."""
    name = str(field.verbose_name)
    return capfirst(re.sub(r"(, seconds| s| days| …)+$", "", name) if _unit(field) in ("s", "days") else name)


def form_field_of(field: models.Field) -> forms.Field | None:
    """The friendly form field of a model field whose name carries a unit, or that is an instant, day or clock time; else None."""
    common = {"required": not field.blank, "label": label_of(field), "help_text": field.help_text}
    if field.has_default():
        common["initial"] = field.get_default()
    unit = _unit(field)
    if unit == "share":
        return ShareField(**common)
    if unit:
        return DurationField(in_days=unit == "days", validators=_limits(field, unit), **common)
    if isinstance(field, models.DateTimeField):
        told = f"{field.help_text} Times are {settings.TIME_ZONE}.".strip()
        return forms.DateTimeField(widget=InstantInput(), **{**common, "help_text": told})
    if isinstance(field, models.DateField):
        return forms.DateField(widget=DayInput(), error_messages={"invalid": "Write the day like 2027-05-31."}, **common)
    if isinstance(field, models.TimeField):
        return forms.TimeField(widget=ClockInput(), **common)
    return None


def _limits(field: models.Field, unit: str) -> list[Any]:
    """The limits of the model, told in the unit that people write."""
    found: list[Any] = []
    for limit in field.validators:
        if isinstance(limit, (MinValueValidator, MaxValueValidator)):
            value = limit.limit_value() if callable(limit.limit_value) else limit.limit_value
            words = f"{value} d" if unit == "days" else duration_text(value)
            at = "least" if isinstance(limit, MinValueValidator) else "most"
            found.append(type(limit)(value, f"It must be at {at} {words}."))
    return found


def value_words(field: models.Field, value: Any) -> Any:
    """A stored value as people read it: `26 h`, `98 %`, `Tue 14 Jul 2026, 12:00 UTC`; empty values as –."""
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, AbstractBaseUser):
        return getattr(value, "get_full_name", str)() or value.get_username()
    if isinstance(value, DateTimeTZRange):
        return " ".join(f"{word} {formats.localize(localtime(at))}" for word, at in (("from", value.lower), ("to", value.upper)) if at)
    unit = _unit(field)
    if unit == "share":
        return share_text(value)
    if unit:
        return f"{value} d" if unit == "days" else duration_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return listed(value) if _holds_words(field) else ", ".join(map(str, value))
    if isinstance(value, dict) and not any(isinstance(part, dict) for part in value.values()):
        return "; ".join(f"{name}: {_part(part)}" if name else _part(part) for name, part in value.items())
    return display_for_field(value, field, "–")


def _holds_words(field: models.Field) -> bool:
    """Whether its values are lists of words, not of sentences."""
    return isinstance(getattr(field, "base_field", None), models.CharField)


def _part(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


@cache
def in_words(field: models.Field) -> Callable[[Any], Any]:
    """A read-only column of the admin that shows the field as people read it."""

    def shown(row: Any) -> Any:
        return value_words(field, getattr(row, field.name))

    shown.__name__ = f"{field.name}_in_words"
    shown.short_description = label_of(field)  # type: ignore[attr-defined]
    shown.admin_order_field = field.name  # type: ignore[attr-defined]
    return shown
