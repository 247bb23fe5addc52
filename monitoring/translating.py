"""Mapping a tool's attributes to the catalogue's fields: drafted, looked at on its last answer, approved; and what comes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from catalogue import duties
from catalogue.declaring import Declared
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common.models import because
from monitoring import converting
from monitoring.attributes import Attribute, Told
from monitoring.converting import FIELDS, NotConvertible
from monitoring.models import AttributeMapping, Tool

KEYS = ("path", "field", "unit", "transform", "words")
State = AttributeMapping.State


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What one attribute came to: a value of the field in its unit, or why it did not become one."""

    path: str
    sample: str
    count: int
    field: str = ""
    unit: str = ""
    transform: str = ""
    words: Mapping[str, str] | None = None
    value: Any = None
    problem: str = ""


def observe(*, rows: Iterable[Mapping[str, Any]], told: Told | None, zone: str, job: str | None = None) -> list[Observed]:
    """Every attribute of the answer with what the mapping makes of it, mapped ones first; nothing is left out."""
    attributes = dict(told.attributes) if told else {}
    mapped = [_observed(row, attributes.pop(row["path"], Attribute(row["path"])), told, zone, job) for row in rows]
    rest = [Observed(path=path, sample=_sample(one), count=len(one.values)) for path, one in sorted(attributes.items())]
    return [*mapped, *rest]


def _observed(row: Mapping[str, Any], attribute: Attribute, told: Told | None, zone: str, job: str | None) -> Observed:
    plain = {name: row.get(name) for name in KEYS}
    shown: dict[str, Any] = {**plain, "sample": _sample(attribute), "count": len(attribute.values)}
    if told is None:
        return Observed(**shown, problem="The tool has not answered yet.")
    try:
        return Observed(**shown, value=converting.convert(row, attribute.of(job), at=told.at, zone=zone))
    except NotConvertible as error:
        return Observed(**shown, problem=str(error))


def _sample(attribute: Attribute) -> str:
    return str(attribute.values[-1][0])[:80] if attribute.values else ""


def in_force(tool: Tool, at: dt.datetime) -> AttributeMapping | None:
    """The version that counts at `at`."""
    return AttributeMapping.objects.in_force(at).filter(tool=tool).select_related("author", "approver").first()


def draft_mapping(*, tool: Tool, rows: Sequence[Mapping[str, Any]], by: Any, at: dt.datetime, reason: str) -> AttributeMapping:
    """The next version of the tool's mapping as a draft, or the author's open draft with these rows. Raises NotAllowed, NotReady."""
    check_author(tool, by, at)
    kept = [{name: row[name] for name in KEYS if row.get(name)} for row in rows]
    problems = [told for told in map(converting.problem_of, kept) if told]
    paths = [row.get("path", "") for row in kept]
    problems += [f"{path} is mapped twice." for path in sorted({path for path in paths if paths.count(path) > 1})]
    if not reason.strip():
        problems.append("Say why: the reason is kept with the version.")
    if problems:
        raise NotReady(problems)
    with transaction.atomic():
        Tool.objects.select_for_update().get(pk=tool.pk)
        return _written(tool, kept, by, reason.strip())


def _written(tool: Tool, rows: list[dict[str, Any]], by: Any, reason: str) -> AttributeMapping:
    newest = AttributeMapping.objects.filter(tool=tool).order_by("-number").first()
    row = newest if newest is not None and newest.state == State.DRAFT else None
    if row is None:
        row = AttributeMapping(tool=tool, number=(newest.number if newest else 0) + 1, author=by)
    elif row.author_id != by.pk:  # one author, so that nobody approves words of their own
        raise NotReady([f"{duties.names([row.author])} writes {row}: let them change it, or give it up and write the next one."])
    row.rows, row.reason = rows, reason
    problems = problems_of(row)
    if problems:
        raise NotReady(problems)
    with because(reason, by=by):
        row.save()
    return row


def approve(*, row: AttributeMapping, by: Any, at: dt.datetime, reason: str) -> AttributeMapping:
    """Make the draft count from now on. Raises NotAllowed for its author and for who is no approver; WrongState."""
    with transaction.atomic(), because(reason.strip() or "Approved.", by=by):
        held = _open(row)
        check_approver(held, by)
        held.state, held.approver, held.approved_at = State.APPROVED, by, at
        held.save()
    return held


def give_up(*, row: AttributeMapping, by: Any, at: dt.datetime, reason: str) -> AttributeMapping:
    """Give the draft up; it stays readable. Raises NotAllowed, WrongState."""
    check_author(row.tool, by, at)
    with transaction.atomic(), because(reason, by=by):
        held = _open(row)
        held.state = State.CANCELLED
        held.save()
    return held


def _open(row: AttributeMapping) -> AttributeMapping:
    held = AttributeMapping.objects.select_for_update(of=("self",)).select_related("tool", "author").get(pk=row.pk)
    if held.state != State.DRAFT:
        raise WrongState(f"The {held} is already {held.get_state_display()}. Nothing was changed; look at it again.")
    return held


def check_author(tool: Tool, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming who can, unless the person may change this tool."""
    if told := duties.objection(by, Tool, at):
        raise NotAllowed(told)
    if not by.is_active or not Tool.objects.visible_to(by, "change").filter(pk=tool.pk).exists():
        able = duties.names(duties.who_may("change", tool, except_ids=[by.pk]))
        raise NotAllowed(f"You may not map the attributes of {tool}. {f'{able} can.' if able else 'Nobody can yet.'}")


def check_approver(row: AttributeMapping, by: Any) -> None:
    """Raises NotAllowed, naming who can, unless `by` may approve this version."""
    check_approver_of(row, by)


def check_approver_of(row: Any, by: Any) -> None:
    """The same for every kind of map of a tool: its author never approves it, and others need the right to."""
    kind = type(row)._meta
    able = get_user_model().objects.with_perm(
        f"{kind.app_label}.approve_{kind.model_name}", backend="django.contrib.auth.backends.ModelBackend", include_superusers=False
    )
    named = duties.names(able.filter(is_active=True).exclude(pk__in=[row.author_id, by.pk]).order_by("username"))
    others = f"{named} can." if named else "Nobody else may yet: an administrator can grant the role approver."
    if row.author_id == by.pk:
        raise NotAllowed(f"You wrote the {row}, so somebody else must approve it. {others}")
    if not by.is_active or not type(row).objects.visible_to(by, "approve").filter(pk=row.pk).exists():
        raise NotAllowed(f"You may not approve the {row}. {others}")


def declare_mapping(*, tool: Tool, rows: Sequence[Mapping[str, Any]], by: Any, approver: Any, at: dt.datetime, reason: str) -> Declared:
    """The tool's mapping with these rows in force: a new version, written by `by` and approved by `approver`, where it differs."""
    held = in_force(tool, at)
    wanted = [{name: row[name] for name in KEYS if row.get(name)} for row in rows]
    if held is not None and held.rows == wanted:
        return Declared(held)
    row = draft_mapping(tool=tool, rows=wanted, by=by, at=at, reason=reason)
    approve(row=row, by=approver, at=at, reason=reason)
    changed = {"attributes": (words_of(held.rows) if held else None, words_of(wanted))}
    return Declared(row, held is None, changed)


def words_of(rows: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{row['path']} → {FIELDS[row['field']].label}" for row in rows)


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs between two versions, a sentence for each attribute."""
    old, new = ({row["path"]: row for row in rows} for rows in (before, after))
    told = [f"{path} is mapped to {_said(new[path])}." for path in new if path not in old]
    told += [f"{path} is no longer mapped." for path in old if path not in new]
    return told + [f"{path}: {_said(old[path])} → {_said(new[path])}." for path in new if path in old and old[path] != new[path]]


def _said(row: Mapping[str, Any]) -> str:
    words = "; ".join(f"{said}={means}" for said, means in row.get("words", {}).items())
    how = f"{converting.UNITS[row['unit']]}, {converting.TRANSFORMS[row['transform']]}{f' ({words})' if words else ''}"
    return f"{FIELDS[row['field']].label} ({how})"
