"""Packages of an entry as lines of text: how people write them in forms and sheets, and how they are read."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalogue.models import Offering
from itsm_backup.common.admin.fields import DurationField, ShareField, value_words

_LEVELS: dict[str, tuple[str, Any]] = {
    "recovery point": ("rpo_s", DurationField()),
    "recovery time": ("rto_s", DurationField()),
    "kept": ("retention_days", DurationField(in_days=True)),
    "success": ("success_rate", ShareField()),
    "price": ("price", forms.CharField(max_length=80)),
}


class OfferingsField(forms.Field):
    """Packages as lines of text: `Gold: recovery point 4 h; recovery time 4 h; kept 90 d; success 99 %; price 120 a month`."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(map(line_of, value))

    def to_python(self, value: Any) -> list[dict[str, Any]]:
        if isinstance(value, list):
            return value
        lines = [line.strip() for line in str(value or "").splitlines() if line.strip()]
        return [_read_line(number, line) for number, line in enumerate(lines, start=1)]


def line_of(levels: dict[str, Any]) -> str:
    parts = [f"{word} {_shown(name, levels[name])}" for word, (name, _) in _LEVELS.items() if levels.get(name) not in (None, "")]
    return f"{levels['name']}: {'; '.join(parts)}" if parts else levels["name"]


def _shown(name: str, value: Any) -> Any:
    field: Any = Offering._meta.get_field(name)
    return value_words(field, field.to_python(value))


def _read_line(number: int, line: str) -> dict[str, Any]:
    try:
        return _read(line)
    except ValidationError as error:
        name = line.partition(":")[0].strip()[:60]
        raise ValidationError([f"Line {number} ({name}): {said}" for said in error.messages]) from None


def _read(line: str) -> dict[str, Any]:
    name, _, rest = line.partition(":")
    levels: dict[str, Any] = {"name": name.strip(), "price": "", "rpo_s": None, "rto_s": None, "retention_days": None, "success_rate": None}
    for part in filter(None, (part.strip() for part in rest.split(";"))):
        word = next((word for word in _LEVELS if re.match(rf"{word}\b", part, re.IGNORECASE)), None)
        if word is None:
            raise ValidationError(f"“{part}” is no level. Write {', '.join(_LEVELS)} and a value, with a semicolon between them.")
        field, reader = _LEVELS[word]
        try:
            levels[field] = reader.clean(part[len(word) :].strip(" :"))
        except ValidationError as error:
            raise ValidationError([f"{word}: {said}" for said in error.messages]) from None
    return levels
