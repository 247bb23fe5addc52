"""What differs between two contents of an entry, how much it weighs, and who was faster when two people write at once.

A content is a mapping of field names to JSON values, the same for drafts, approved versions, revisions and the API.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import models

from catalogue.models import Commitment, Offering, ServiceVersion

Content = Mapping[str, Any]
Level = ServiceVersion.Level
MAJOR = ("kind", "tier", "labels", "hosting", "provider", "regions", "regulations", "zone", "commissioned_at", "sla", "ola", "contract")
MINOR = (
    "summary", "department", "application_type", "owner", "steward", "operations_team", "supplier", "escalation_policy", "review_due_on",
)  # fmt: skip
PATCH = ("name", "short_name", "change_reference")
CONTENT_FIELDS = (
    "name", "short_name", "summary", "kind", "department", "application_type", "labels", "tier", "zone", "commissioned_at",
    "hosting", "provider", "regions", "owner", "steward", "operations_team", "supplier", "regulations", "review_due_on",
    "sla", "ola", "contract", "escalation_policy", "change_reference",
)  # fmt: skip
OF_ITS_OWN = ("change_reference",)  # what belongs to one version alone: the next one does not begin with it
COMMITMENT_FIELDS = (
    "rpo_s", "rto_s", "retention_days", "success_rate", "on_time_rate", "window_opens", "window_closes", "restore_test_days",
    "rpo_attainment_rate", "retention_min_days", "retention_max_days", "immutability_days", "copy_scheme", "encryption",
    "measurement_calendar",
)  # fmt: skip
OFFERING_FIELDS = ("name", "price", "rpo_s", "rto_s", "retention_days", "success_rate")
ALL_FIELDS = (*CONTENT_FIELDS, *COMMITMENT_FIELDS, "offerings")
# What contents and hashes of before do not hold means this
_LATER: dict[str, Any] = {"escalation_policy": "", "change_reference": "", "measurement_calendar": ""}


class Change(NamedTuple):
    """One field that differs, with both values as JSON."""

    field: str
    before: Any
    after: Any


def content_of(version: ServiceVersion) -> dict[str, Any]:
    """Everything that the version says and promises, as it is stored."""
    promise = getattr(version, "commitment", None) or Commitment()
    return put_together(version, promise, version.offerings.all())


def put_together(version: ServiceVersion, promise: Commitment, offerings: Iterable[Offering]) -> dict[str, Any]:
    """The same of rows that need not be stored yet."""
    return {
        **{name: value_of(version, name) for name in CONTENT_FIELDS},
        **{name: value_of(promise, name) for name in COMMITMENT_FIELDS},
        "offerings": sorted((offered(row) for row in offerings), key=lambda levels: levels["name"]),
    }


def offered(row: Offering) -> dict[str, Any]:
    return {name: value_of(row, name) for name in OFFERING_FIELDS}


def value_of(row: models.Model, name: str) -> Any:
    """The JSON value of one field: people, teams and agreements by number, instants in UTC, shares as text without trailing zeros."""
    return as_json(getattr(row, row._meta.get_field(name).attname))  # type: ignore[union-attr]


def as_json(value: Any) -> Any:
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return [as_json(each) for each in value] if isinstance(value, (list, tuple)) else value


def hash_of(content: Content) -> str:
    """SHA-256 over the content, the same in every process, and the same as before a field came to it that says nothing."""
    said = {name: value for name, value in content.items() if name not in _LATER or value != _LATER[name]}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def diff(old: Content, new: Content) -> list[Change]:
    """What differs, in the order of the fields. `applied` to `old` it gives `new`."""
    names = [*(name for name in ALL_FIELDS if name in old or name in new), *sorted((old.keys() | new.keys()) - set(ALL_FIELDS))]
    pairs = [Change(name, old.get(name, _LATER.get(name)), new.get(name, _LATER.get(name))) for name in names]
    return [each for each in pairs if each.before != each.after]


def applied(changes: Iterable[Change], old: Content) -> dict[str, Any]:
    """`old` with the changes made. Raises ValueError when a change starts from another value than stands there."""
    new = dict(old)
    for change in changes:
        if new.get(change.field, _LATER.get(change.field)) != change.before:
            raise ValueError(f"{change.field} is {new.get(change.field)!r}, not {change.before!r}: the change was made to other content.")
        new[change.field] = change.after
    return new


def level_of(changes: Iterable[Change]) -> str:
    """How much a difference weighs: major for what is promised and for whom it holds, minor for who answers and what it is about,
    patch for wording; empty for no difference.
    """
    levels = {_level(change) for change in changes}
    return next((str(level) for level in (Level.MAJOR, Level.MINOR, Level.PATCH) if level in levels), "")


def _level(change: Change) -> Level:
    if change.field in PATCH or (change.field == "summary" and _bare(change.before) == _bare(change.after)):
        return Level.PATCH
    return Level.MINOR if change.field in MINOR else Level.MAJOR


def _bare(text: Any) -> list[str]:
    """The words alone: capitals, points and spaces are wording."""
    return re.findall(r"\w+", str(text or "").casefold())


def next_release(release: str, level: str) -> str:
    """`2.3.1` after a change of this level; the first release is 1.0.0."""
    if not release:
        return "1.0.0"
    major, minor, patch = map(int, release.split("."))
    return {
        str(Level.MAJOR): f"{major + 1}.0.0",
        str(Level.MINOR): f"{major}.{minor + 1}.0",
        str(Level.PATCH): f"{major}.{minor}.{patch + 1}",
    }.get(level, release)


class Merge(NamedTuple):
    """Two people's work on one draft: `content` keeps both; where both changed a field, `mine` stands and `both` names it."""

    content: dict[str, Any]
    theirs: list[Change]
    both: tuple[str, ...]


def merged(*, base: Content, mine: Content, theirs: Content) -> Merge:
    """What I changed on top of what the others made of the same beginning."""
    ours, others = diff(base, mine), diff(base, theirs)
    touched = {change.field for change in others}
    both = tuple(change.field for change in ours if change.field in touched and theirs.get(change.field) != change.after)
    return Merge({**theirs, **{change.field: change.after for change in ours}}, others, both)
