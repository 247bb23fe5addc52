"""Rules written, sent for approval, put in force by somebody else: the only way by which what a rule says changes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max

from catalogue import duties
from catalogue.refusing import NotAllowed, NotReady, WrongState, problems_of
from itsm_backup.common.models import because
from monitoring.conditions import MOST_CONDITIONS, Condition, problem_of
from monitoring.models import AttributionCondition, AttributionRule, CauseRule, RuleVersion

CONTENT = ("position", "enabled", "conditions", "service", "tool", "valid_to", "title", "component")
State, Kind = RuleVersion.State, RuleVersion.Kind
MAY_APPROVE = "monitoring.approve_ruleversion"


def draft_rule(*, kind: str, name: str, content: Mapping[str, Any], by: Any, at: dt.datetime, reason: str) -> RuleVersion:
    """The next version of the rule of this name, or the author's open draft, with this content; what is left out stays.

    A draft that was changed has to be sent for approval anew. Raises NotAllowed, and NotReady with every problem.
    """
    kept = {**content_of(kind, name), **{field: content[field] for field in CONTENT if field in content}}
    kept["conditions"] = [_plain(row) for row in kept["conditions"]]
    newest = RuleVersion.objects.filter(kind=kind, name=name).order_by("-number").first()
    open_one = newest if newest is not None and newest.state == State.DRAFT else None
    row = open_one or RuleVersion(kind=kind, name=name.strip(), number=(newest.number if newest else 0) + 1, author=by)
    for field, value in kept.items():
        setattr(row, field, value)
    row.reason, row.sent_at = reason.strip(), None
    check_author(row, by, at)
    if row.author_id != by.pk:  # one author, so that nobody approves words of their own
        raise NotReady([f"{duties.names([row.author])} writes {row}: let them change it, or give it up and write the next one."])
    if problems := [*_problems(row), *problems_of(row)]:
        raise NotReady(list(dict.fromkeys(problems)))
    with transaction.atomic(), because(row.reason, by=by):
        row.save()
    return row


def send(*, row: RuleVersion, by: Any, at: dt.datetime, reason: str = "") -> RuleVersion:
    """Have the draft wait for approval, as it stands. Raises NotAllowed unless the person wrote it; WrongState."""
    with transaction.atomic(), because(reason.strip() or "Sent for approval.", by=by):
        held = _open(row)
        if held.author_id != by.pk:
            raise NotAllowed(f"{duties.names([held.author])} writes {held}, and sends it when it is done.")
        check_author(held, by, at)
        held.sent_at = at
        held.save()
    return held


def approve(*, row: RuleVersion, by: Any, at: dt.datetime, reason: str, seen: str = "") -> RuleVersion:
    """Put the draft in force: from now on the rule of its name says this.

    `seen` is the hash of what was read: raises WrongState when it says something else by now, or was not sent; NotAllowed.
    """
    with transaction.atomic(), because(reason.strip() or "Approved.", by=by):
        held = _open(row)
        check_approver(held, by, at)
        if held.sent_at is None:
            raise WrongState(f"{duties.names([held.author])} still writes {held}. It can be approved once it is sent for approval.")
        if seen and seen != hash_of(held):
            raise WrongState(f"{held} was changed since you read it. Nothing was put in force; read it again.")
        if problems := _problems(held):
            raise NotReady(problems)
        held.decided = _put_in_force(held, at)
        held.state, held.approver, held.approved_at = State.APPROVED, by, at
        held.save()
    return held


def give_up(*, row: RuleVersion, by: Any, at: dt.datetime, reason: str) -> RuleVersion:
    """Give the draft up; it stays readable. Raises NotAllowed, WrongState."""
    if row.author_id != by.pk and not may_approve(row, by, at):
        check_author(row, by, at)
    with transaction.atomic(), because(reason, by=by):
        held = _open(row)
        held.state = State.CANCELLED
        held.save()
    return held


def content_of(kind: str, name: str) -> dict[str, Any]:
    """What the rule of this name says now; of a new one, what a rule says that was told nothing."""
    content: dict[str, Any] = {
        "position": 100, "enabled": True, "conditions": [], "service": None, "tool": None, "valid_to": None, "title": "", "component": "",
    }  # fmt: skip
    rule = rule_named(kind, name)
    if rule is None:
        return content | ({"component": "job"} if kind == Kind.CAUSE else {})
    shared = {field: getattr(rule, field) for field in content if field != "conditions" and hasattr(rule, field)}
    plain = rule.plain if kind == Kind.CAUSE else [row.plain for row in rule.conditions.order_by("pk")]
    return {**content, **shared, "conditions": [one._asdict() for one in plain]}


def rule_named(kind: str, name: str) -> Any:
    """The rule in force, or switched off, of this name; None before its first version is approved."""
    return (AttributionRule if kind == Kind.ATTRIBUTION else CauseRule).objects.filter(name=name).first()


def hash_of(row: RuleVersion) -> str:
    """Tells whether two drafts say the same."""
    told = [row.kind, row.name, row.number, *(getattr(row, f"{field}_id", getattr(row, field)) for field in CONTENT)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def check_author(row: RuleVersion, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming who can, unless the person may write rules of this kind, or rules about this tool alone."""
    model = AttributionRule if row.kind == Kind.ATTRIBUTION else CauseRule
    if told := duties.objection(by, model, at):
        raise NotAllowed(told)
    right = f"monitoring.change_{model._meta.model_name}"
    seen = row.service is None or type(row.service).objects.visible_to(by).filter(pk=row.service_id).exists()
    if by.is_active and seen and (by.has_perm(right) or _changes_the_tool(row, by)):
        return
    named = duties.names(_with_right(right).exclude(pk=by.pk))
    raise NotAllowed(f"You may not write rules of this kind. {f'{named} can.' if named else 'An administrator can grant the role.'}")


def _changes_the_tool(row: RuleVersion, by: Any) -> bool:
    return row.tool is not None and type(row.tool).objects.visible_to(by, "change").filter(pk=row.tool_id).exists()


def check_approver(row: RuleVersion, by: Any, at: dt.datetime) -> None:
    """Raises NotAllowed, naming who can, unless `by` may put this version in force."""
    named = approvers(row, but=by)
    others = f"{named} can." if named else "Nobody else may yet: an administrator can grant the role approver."
    if row.author_id == by.pk:
        raise NotAllowed(f"You wrote {row}, so somebody else must approve it. {others}")
    if not by.is_active or not RuleVersion.objects.visible_to(by, "approve").filter(pk=row.pk).exists():
        raise NotAllowed(f"You may not approve {row}. {others}")
    if row.service is not None:
        duties.keep_apart(by=by, act="rule", on=row.service, at=at)


def may_approve(row: RuleVersion, by: Any, at: dt.datetime) -> bool:
    try:
        check_approver(row, by, at)
    except NotAllowed:
        return False
    return True


def approvers(row: RuleVersion, *, but: Any) -> str:
    """Who can put it in force, by name."""
    return duties.names(_with_right(MAY_APPROVE).exclude(pk__in=[row.author_id, but.pk]))


def _with_right(right: str) -> Any:
    able = get_user_model().objects.with_perm(right, backend="django.contrib.auth.backends.ModelBackend", include_superusers=False)
    return able.filter(is_active=True).order_by("username")


def _open(row: RuleVersion) -> RuleVersion:
    held = RuleVersion.objects.select_for_update(of=("self",)).select_related("service", "tool", "author").get(pk=row.pk)
    if held.state != State.DRAFT:
        raise WrongState(f"{held} is already {held.get_state_display()}. Nothing was changed; look at it again.")
    return held


def _plain(row: Any) -> dict[str, str]:
    parts = row if isinstance(row, Mapping) else Condition(*row)._asdict()
    return {part: str(parts.get(part, "")).strip() for part in Condition._fields}


def _problems(row: RuleVersion) -> list[str]:
    """What keeps the version from being a rule, a sentence for each."""
    problems = [told for told in (problem_of(one, row.kind) for one in row.plain) if told]
    if len(row.conditions) > MOST_CONDITIONS:
        problems.append(f"At most {MOST_CONDITIONS} conditions. Use the comparisons with lists.")
    if not row.name.strip():
        problems.append("Say what the rule is called.")
    if not row.reason.strip():
        problems.append("Say why: the reason is kept with the version.")
    return problems + (_of_belonging(row) if row.kind == Kind.ATTRIBUTION else _of_causes(row))


def _of_belonging(row: RuleVersion) -> list[str]:
    problems = []
    if row.service is None:
        problems.append("Choose the service that the jobs belong to.")
    if not row.conditions and row.tool is None:
        problems.append("The rule would match no job. Add a condition, or choose a tool to take all of its jobs.")
    return problems


def _of_causes(row: RuleVersion) -> list[str]:
    problems = []
    if not row.title.strip():
        problems.append("Say what the message means: it completes the sentence “the backup fails because …”.")
    if not any(one.field in ("message", "outcome") for one in row.plain):
        problems.append("The rule has to say something about the message or the result of a run.")
    if len(row.name) > 60 or any(letter.isspace() for letter in row.name):
        problems.append("A rule of causes is called by a short word with dashes, of at most 60 letters.")
    if row.component not in CauseRule.Component.values:
        problems.append("Choose what has the fault: incidents are grouped by it.")
    return problems


def _put_in_force(row: RuleVersion, at: dt.datetime) -> int:
    """Have the rule say what the version says, as its author's change; returns the history id of it."""
    with because(row.reason, by=row.author):
        rule = _belonging(row, at) if row.kind == Kind.ATTRIBUTION else _cause(row)
    newest: int = rule.history.aggregate(newest=Max("history_id"))["newest"]
    return newest


def _belonging(row: RuleVersion, at: dt.datetime) -> AttributionRule:
    rule = AttributionRule.objects.select_for_update().filter(name=row.name).first() or AttributionRule(name=row.name, valid_from=at)
    for field in ("position", "enabled", "service", "tool", "valid_to"):
        setattr(rule, field, getattr(row, field))
    if rule.pk is None:
        rule.save()
    _align(rule, row.plain)
    rule.save()  # after its conditions, so that this entry of its history is the whole version
    return rule


def _align(rule: AttributionRule, wanted: Iterable[Condition]) -> None:
    missing = dict.fromkeys(wanted)
    for held in rule.conditions.all():
        if held.plain in missing:
            del missing[held.plain]
        else:
            held.delete()
    for one in missing:
        AttributionCondition.objects.create(rule=rule, **one._asdict())


def _cause(row: RuleVersion) -> CauseRule:
    rule = CauseRule.objects.select_for_update().filter(name=row.name).first() or CauseRule(name=row.name)
    for field in ("position", "enabled", "title", "component"):
        setattr(rule, field, getattr(row, field))
    patterns = [one for one in row.plain if (one.field, one.operator) == ("message", "matches") and len(one.value) <= 400]
    rule.pattern = patterns[0].value if patterns else ""
    rule.conditions = [one._asdict() for one in row.plain if one not in patterns[:1]]
    rule.save()
    return rule
