"""Contents and their differences in words: what a mail, a page or a refusal says about a field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import models

from catalogue.comparing import ALL_FIELDS, COMMITMENT_FIELDS, CONTENT_FIELDS, OFFERING_FIELDS, Change
from catalogue.counted_days import EVERY_DAY
from catalogue.models import AgreementVersion, Commitment, Offering, ServiceVersion, Team
from itsm_backup.common.admin.fields import label_of, value_words

FIELDS: dict[str, models.Field] = {
    **{name: ServiceVersion._meta.get_field(name) for name in CONTENT_FIELDS},  # type: ignore[misc]
    **{name: Commitment._meta.get_field(name) for name in COMMITMENT_FIELDS},  # type: ignore[misc]
}
_OFFERED: dict[str, Any] = {name: Offering._meta.get_field(name) for name in OFFERING_FIELDS}
_RELATED: dict[str, Callable[[], Any]] = {
    "owner": get_user_model, "steward": get_user_model, "operations_team": lambda: Team,
    "sla": lambda: AgreementVersion, "ola": lambda: AgreementVersion, "contract": lambda: AgreementVersion,
}  # fmt: skip
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What it is", ("name", "short_name", "summary", "kind", "department", "application_type", "labels", "tier", "zone",
                    "commissioned_at")),
    ("Where it runs", ("hosting", "provider", "regions")),
    ("Who answers for it", ("owner", "steward", "operations_team", "supplier", "escalation_policy")),
    ("What it promises", ("rpo_s", "rto_s", "success_rate", "on_time_rate", "rpo_attainment_rate", "measurement_calendar",
                          "window_opens", "window_closes", "restore_test_days", "offerings")),
    ("How it is protected", ("retention_days", "retention_min_days", "retention_max_days", "copy_scheme", "encryption",
                             "immutability_days")),
    ("What stands behind it", ("sla", "ola", "contract", "regulations", "review_due_on", "change_reference")),
)  # fmt: skip


class Told(NamedTuple):
    """One field in words, before and after."""

    field: str
    label: str
    before: str
    after: str


def label(name: str) -> str:
    return "Offerings" if name == "offerings" else label_of(FIELDS[name]) if name in FIELDS else name.replace("_", " ").capitalize()


def tell(changes: Iterable[Change]) -> list[Told]:
    """The changes in words; people, teams and agreements by name, with one query for each kind of them."""
    listed = list(changes)
    names = _names(listed)
    return [Told(each.field, label(each.field), *(_side(each, value, names) for value in (each.before, each.after))) for each in listed]


def _side(change: Change, value: Any, names: Mapping[tuple[str, int], str]) -> str:
    """One side of a change; where a calendar comes or goes, the empty side says what it means."""
    if change.field == "measurement_calendar" and not value and change.before != change.after:
        return EVERY_DAY
    return _words(change.field, value, names)


def told(content: Mapping[str, Any]) -> dict[str, Told]:
    """A whole content in words, field by field."""
    return {each.field: each for each in tell(Change(name, content.get(name), content.get(name)) for name in ALL_FIELDS)}


def sentence(changes: Iterable[Change], *, most: int = 4) -> str:
    """`Recovery point (RPO) 6 h → 4 h; Tier 2 → 1`, with the number of those that are left out."""
    words = [f"{each.label} {_cut(each.before)} → {_cut(each.after)}" for each in tell(changes)]
    left = len(words) - most
    return "; ".join(words[:most]) + (f"; and {left} more" if left > 0 else "")


def _cut(text: str) -> str:
    """Its beginning: a sentence names the change, and the page beside it shows the whole."""
    return text if len(text) <= 120 else f"{text[:100].rstrip()} …"


def _names(changes: Collection[Change]) -> dict[tuple[str, int], str]:
    wanted: dict[Any, set[int]] = {}
    for each in changes:
        if each.field in _RELATED:
            wanted.setdefault(_RELATED[each.field](), set()).update(pk for pk in (each.before, each.after) if pk is not None)
    found: dict[tuple[str, int], str] = {}
    for model, pks in wanted.items():
        rows = model._default_manager.filter(pk__in=pks) if pks else []
        if pks and model is AgreementVersion:
            rows = rows.select_related("agreement")
        found |= {(model._meta.label, row.pk): _name(row) for row in rows}
    return found


def _name(row: Any) -> str:
    return (row.get_full_name() or row.get_username()) if hasattr(row, "get_username") else str(row)


def _words(name: str, value: Any, names: Mapping[tuple[str, int], str]) -> str:
    if value in (None, "", []):
        return "–"
    if name in _RELATED:
        return names.get((_RELATED[name]()._meta.label, value), f"number {value} (gone)")
    if name == "offerings":
        return "; ".join(_offering(each) for each in value)
    if name not in FIELDS:
        return str(value)
    field = FIELDS[name]
    return str(value_words(field, value if isinstance(value, list) else field.to_python(value)))


def _offering(levels: Mapping[str, Any]) -> str:
    said = [
        f"{label_of(_OFFERED[name])} {value_words(_OFFERED[name], _OFFERED[name].to_python(levels[name]))}"
        for name in OFFERING_FIELDS[1:]
        if levels.get(name) not in (None, "")
    ]
    return f"{levels['name']}: {', '.join(said)}" if said else str(levels["name"])
