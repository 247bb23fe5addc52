"""The columns of a sheet of entries: how each field is written for people, and read from what they wrote."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from catalogue import naming, wording
from catalogue.comparing import ALL_FIELDS, as_json
from catalogue.models import AgreementVersion, Offering, Team
from catalogue.packages import OfferingsField
from itsm_backup.common.admin.fields import form_field_of, listed, value_words, words_of
from itsm_backup.common.time import UTC, iso, parse_instant

CODE, VERSION = "code", "version"
PEOPLE, AGREED = ("owner", "steward"), ("sla", "ola", "contract")
_SHORTER = {name: re.sub(r"_(s|days)$", "", name) for name in ALL_FIELDS}  # the unit stands in the value
FIELDS = {column: name for name, column in _SHORTER.items()}
COLUMNS = (CODE, VERSION, *FIELDS)
_EXCEL_BEGAN = dt.datetime(1899, 12, 30, tzinfo=UTC)
_SERIAL = re.compile(r"\d{1,6}(\.\d+)?")
_OFFERINGS = OfferingsField(required=False)


class Unclear(ValueError):
    """A cell does not say a value of its field; the message says what to write."""


class Names:
    """What cells name and fields hold by number: people, teams, agreements; a few queries, whatever the number of rows."""

    def __init__(self, at: dt.datetime) -> None:
        self.unfit = naming.unfit(at)
        people = get_user_model().objects.filter(is_active=True)
        self.people = {person.get_username(): person.pk for person in people.only("pk", "username")}
        self.teams = dict(Team.objects.values_list("name", "pk"))
        agreed = AgreementVersion.objects.filter(state="approved").select_related("agreement").order_by("number")
        self.agreements = {(row.agreement.kind, name): row.pk for row in agreed for name in (row.agreement.name, str(row))}
        self._words: dict[str, dict[int, str]] = {
            "people": dict(get_user_model().objects.values_list("pk", "username")),
            "teams": {pk: name for name, pk in self.teams.items()},
            "agreements": {row.pk: str(row) for row in agreed},
        }

    def of(self, name: str, text: str) -> int:
        """The number of what the cell names. Raises Unclear, saying which names there are."""
        if name in PEOPLE:
            pk = self._found(self.people.get(text), text, "active account", "Write the name that they sign in with.")
            if rule := self.unfit[name].get(pk):
                raise Unclear(naming.sentence(text[:60], name, rule))
            return pk
        if name == "operations_team":
            return self._found(self.teams.get(text), text, "team", f"Teams: {_some(self.teams)}.")
        there = _some(sorted(each for kind, each in self.agreements if kind == name and "," not in each))
        return self._found(self.agreements.get((name, text)), text, "approved agreement of this kind", f"There is: {there or 'none yet'}.")

    def _found(self, pk: int | None, text: str, what: str, remedy: str) -> int:
        if pk is None:
            raise Unclear(f"{text[:60]} is no {what}. {remedy}")
        return pk

    def words(self, name: str, pk: int) -> str:
        kind = "people" if name in PEOPLE else "teams" if name == "operations_team" else "agreements"
        return self._words[kind].get(pk, "")


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")


def read(name: str, text: str, names: Names) -> Any:
    """The JSON value of a field (comparing.Content) that the cell says; an empty cell is the empty value. Raises Unclear."""
    if name in (*PEOPLE, *AGREED, "operations_team"):
        return names.of(name, text) if text else None
    try:
        if name == "offerings":
            levels = [{one: as_json(value) for one, value in each.items()} for each in _OFFERINGS.clean(text)]
            return sorted(levels, key=lambda each: str(each["name"]))
        return as_json(_cleaned(name, text))
    except ValidationError as error:
        raise Unclear(" ".join(error.messages)) from None


def _cleaned(name: str, text: str) -> Any:
    field = wording.FIELDS[name]
    kind = field.get_internal_type()
    if kind == "ArrayField":
        return words_of(text, ",;\n")
    if not text:
        return "" if kind in ("CharField", "TextField") else None
    if kind in _TIMES:
        return _TIMES[kind](text)
    if field.choices:
        return _chosen(dict(field.flatchoices), text)
    if name.endswith("_s") and text.isdecimal():
        raise Unclear("Write a number and its unit, such as 4 h or 90 min.")
    asked = form_field_of(field) or field.formfield()
    asked.required = False
    return asked.clean(text)


def _chosen(choices: Mapping[Any, str], text: str) -> Any:
    """The choice whose value or words stand in the cell."""
    found = next((value for value, words in choices.items() if text.casefold() in (str(value).casefold(), words.casefold())), None)
    if found is None:
        raise Unclear(f"{text[:40]} is none of the choices. Write {', '.join(map(str, choices))}.")
    return found


def _instant(text: str) -> dt.datetime:
    """ISO 8601 with a zone, a bare day (its first moment, UTC), or the number by which spreadsheets keep a day."""
    try:
        if _SERIAL.fullmatch(text):
            return _EXCEL_BEGAN + dt.timedelta(minutes=round(float(text) * 1_440))
        return parse_instant(f"{text}T00:00Z" if len(text) == 10 else text)
    except (ValueError, OverflowError):
        raise Unclear(f"{text[:40]} is no instant. Write it like 2026-11-23T09:42Z, or only the day: 2026-11-23.") from None


def _day(text: str) -> dt.date:
    try:
        return _instant(text).date() if _SERIAL.fullmatch(text) else dt.date.fromisoformat(text[:10])
    except ValueError:
        raise Unclear(f"{text[:40]} is no day. Write it like 2026-11-23.") from None


def _clock(text: str) -> dt.time:
    try:
        if _SERIAL.fullmatch(text) and float(text) < 1:
            return _instant(text).time()
        return dt.time.fromisoformat(text if re.match(r"\d\d:", text) else f"0{text}")
    except ValueError:
        raise Unclear(f"{text[:40]} is no time of day. Write it like 22:00.") from None


_TIMES: dict[str, Callable[[str], Any]] = {"DateTimeField": _instant, "DateField": _day, "TimeField": _clock}


def shown(name: str, value: Any, names: Names) -> str:
    """A JSON value of a field as the cell that says it: read again it gives the same value."""
    if value in (None, "", []):
        return ""
    if name in (*PEOPLE, *AGREED, "operations_team"):
        return names.words(name, value)
    if name == "offerings":
        return str(_OFFERINGS.prepare_value(value))
    field = wording.FIELDS[name]
    if field.get_internal_type() == "ArrayField":
        return listed(value)
    if field.get_internal_type() == "DateTimeField":
        return iso(field.to_python(value)) or ""
    if field.choices or field.get_internal_type() in ("DateField", "TimeField"):
        return str(value)[:5] if field.get_internal_type() == "TimeField" and str(value).endswith(":00") else str(value)
    return "".join([value_words(field, field.to_python(value))])  # plain text, where words are marked as safe for pages


def _python(name: str, value: Any) -> Any:
    return Offering._meta.get_field(name).to_python(value) if value not in (None, "") else value


def as_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values as the acts of drafting take them, related rows included. Raises Unclear for a row that is gone."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == "offerings":
            found[name] = [{each: _python(each, level) for each, level in one.items()} for one in value]
            continue
        field = wording.FIELDS[name]
        if field.is_relation and value is not None:
            row = field.related_model._default_manager.filter(pk=value).first()
            if row is None:
                raise Unclear(f"What stands under {wording.label(name).lower()} is gone by now. Choose another one.")
            found[name] = row
        else:
            found[name] = value if value is None or isinstance(value, list) else field.to_python(value)
    return found


def column(name: str) -> str:
    """The column of a field."""
    return _SHORTER[name]
