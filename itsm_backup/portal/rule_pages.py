"""The rules in force and their versions, and the queue of what no rule decides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count
from django.utils.safestring import SafeString

from catalogue import duties
from catalogue.models import Service, ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import instant, many, person, recent
from monitoring import unmatched
from monitoring.models import AttributionCondition, AttributionRule, BackupJob, CauseRule, RuleVersion, Tool

A_PAGE = 50
KINDS = {"attribution": "Which service a job belongs to", "cause": "What a failure means"}


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    name: Link
    says: str
    leads: str
    position: int
    version: str
    decides: int | None
    state: str


@dataclass(frozen=True, kw_only=True)
class DraftRow:
    draft: Link
    says: str
    author: str
    state: str
    mine: bool


@dataclass(frozen=True, kw_only=True)
class RulesPage:
    sentence: str
    kind: str
    kinds: tuple[tuple[str, str, str], ...]  # key, words, address
    rows: tuple[RuleRow, ...]
    text: str
    words: str
    earlier: str
    later: str
    drafts: tuple[DraftRow, ...]
    unmatched: int
    new: str  # address of a new rule's form; empty where the person may not write one


def rules_page(*, user: Any, moment: Moment, kind: str, text: str, page: int) -> RulesPage:
    """Rules of a kind in their order, as they stood at the moment; the number of queries does not grow with them."""
    rules = _rules(user, moment, kind)
    found = rules.filter(name__icontains=text) if text else rules
    total, start = found.count(), max(0, page - 1) * A_PAGE
    shown = list(found.order_by("position", "pk" if not moment.past else "id")[start : start + A_PAGE])
    drafts = (
        [] if moment.past else list(RuleVersion.objects.visible_to(user).filter(state="draft").select_related("author", "service", "tool"))
    )
    waiting = 0 if moment.past else unmatched.jobs_without_service(user).count()
    named = names_at((row.service_id for row in drafts), moment.at) if drafts else {}
    here = {"kind": kind, "text": text}
    return RulesPage(
        sentence=_sentence(kind, rules.filter(enabled=True).count(), len(drafts)),
        kind=kind,
        kinds=tuple((key, words, moment.href("rules", kind=key)) for key, words in KINDS.items()),
        rows=tuple(_rows(shown, kind, moment)),
        text=text,
        words=f"{start + 1:,} to {start + len(shown):,} of {many(total, 'rule')}" if shown else "",
        earlier=moment.href("rules", **here, page=page - 1) if start else "",
        later=moment.href("rules", **here, page=page + 1) if start + A_PAGE < total else "",
        drafts=tuple(_draft(row, user, moment, named) for row in drafts),
        unmatched=waiting,
        new="" if moment.past or not may_write(user, kind) else moment.href("new_rule", kind=kind),
    )


def may_write(user: Any, kind: str) -> bool:
    """Whether a form is worth showing: the act asks in full."""
    right = "monitoring.change_attributionrule" if kind == "attribution" else "monitoring.change_causerule"
    return bool(user.has_perm(right)) or (kind == "attribution" and _keeps_a_tool(user))


def _keeps_a_tool(user: Any) -> bool:
    return Tool.objects.visible_to(user, "change").exists()


def _rules(user: Any, moment: Moment, kind: str) -> Any:
    model = AttributionRule if kind == "attribution" else CauseRule
    if not moment.past:
        return model.objects.visible_to(user)
    rows = model.history.as_of(moment.at)
    if kind == "attribution":
        return rows.filter(service__in=Service.objects.visible_to(user))
    return rows if user.has_perm("monitoring.view_causerule") else rows.none()


def _sentence(kind: str, count: int, drafts: int) -> str:
    what = "decide which service a job belongs to" if kind == "attribution" else "name the cause of a failure"
    waiting = f" {many(drafts, 'draft')} {'is' if drafts == 1 else 'are'} on the bench." if drafts else ""
    return f"{many(count, 'rule')} {what}.{waiting}"


def _rows(rules: list[Any], kind: str, moment: Moment) -> Iterable[RuleRow]:
    versions = _newest([rule.name for rule in rules], kind, moment)
    belonging = kind == "attribution"
    conditions = _conditions(rules, moment) if belonging else {}
    counts = _decided(rules) if belonging and not moment.past else {}
    services = Service.objects.in_bulk({rule.service_id for rule in rules}) if belonging else {}
    named = names_at(services, moment.at) if belonging else {}
    for rule in rules:
        plain = [row.words(kind) for row in (conditions.get(rule.pk, []) if belonging else rule.plain)]
        written = versions.get(rule.name)
        over = belonging and rule.valid_to is not None and rule.valid_to <= moment.at
        yield RuleRow(
            name=Link(rule.name, moment.href("rule", kind, rule.pk)), says=" and ".join(plain) or "every job of its tool",
            leads=named.get(rule.service_id, str(services[rule.service_id])) if belonging else rule.title, position=rule.position,
            version=f"version {written.number}, {person(written.approver)}" if written else "came without a version",
            decides=counts.get(rule.pk, 0) if belonging and not moment.past else None,
            state="switched off" if not rule.enabled else "ended" if over else "in force",
        )  # fmt: skip


def names_at(services: Iterable[int | None], at: dt.datetime) -> dict[int | None, str]:
    """Service → its name in the catalogue with its code."""
    rows = ServiceVersion.objects.in_force(at).filter(service__in={pk for pk in services if pk})
    return {pk: f"{name} ({code})" for pk, name, code in rows.values_list("service", "name", "service__code")}


def _newest(names: list[str], kind: str, moment: Moment) -> dict[str, RuleVersion]:
    rows = RuleVersion.objects.filter(kind=kind, name__in=names, state="approved", approved_at__lte=moment.at)
    return {row.name: row for row in rows.select_related("approver").order_by("number")}


def _conditions(rules: list[Any], moment: Moment) -> dict[int, list[Any]]:
    rows = AttributionCondition.history.as_of(moment.at) if moment.past else AttributionCondition.objects.all()
    found: dict[int, list[Any]] = {}
    for row in rows.filter(rule_id__in=[rule.pk for rule in rules]).order_by("id"):
        found.setdefault(row.rule_id, []).append(row.plain)
    return found


def _decided(rules: list[Any]) -> Mapping[int, int]:
    """How many jobs each rule decides, by whichever of its versions."""
    entries = dict(AttributionRule.history.filter(id__in=[rule.pk for rule in rules]).values_list("history_id", "id"))
    counted = BackupJob.objects.filter(attribution_rule__in=entries).values_list("attribution_rule").annotate(Count("pk"))
    found: dict[int, int] = {}
    for entry, count in counted:
        found[entries[entry]] = found.get(entries[entry], 0) + count
    return found


def _draft(row: RuleVersion, user: Any, moment: Moment, names: Mapping[int | None, str]) -> DraftRow:
    return DraftRow(
        draft=Link(str(row), moment.href("rule_version", row.pk)), says=row.told(names.get(row.service_id, "")), author=person(row.author),
        state="waits for approval" if row.sent_at else "is written", mine=row.author_id == user.pk,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    version: Link
    says: str
    state: str
    reason: str
    author: str
    approver: str
    approved_at: SafeString | str


def versions_of(kind: str, name: str, user: Any, moment: Moment) -> tuple[VersionRow, ...]:
    """Every version of a rule that was known at the moment, the newest first."""
    rows = RuleVersion.objects.visible_to(user).filter(kind=kind, name=name)
    if moment.past:
        rows = rows.filter(approved_at__lte=moment.at)
    rows = list(rows.select_related("author", "approver", "service", "tool").order_by("-number")[:A_PAGE])
    named = names_at((row.service_id for row in rows), moment.at) if kind == "attribution" else {}
    return tuple(
        VersionRow(
            version=Link(f"version {row.number}", moment.href("rule_version", row.pk)), says=row.told(named.get(row.service_id, "")),
            state="waits for approval" if row.state == "draft" and row.sent_at else row.get_state_display(), reason=row.reason,
            author=person(row.author), approver=person(row.approver) if row.approver else "–",
            approved_at=instant(row.approved_at) if row.approved_at else "–",
        )
        for row in rows
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RulePage:
    kind: str
    name: str
    sentence: str
    state: str
    versions: tuple[VersionRow, ...]
    jobs: tuple[tuple[str, str, str], ...]  # job, tool, version that decided
    more_jobs: int
    change: str


def rule_page(*, kind: str, pk: int, user: Any, moment: Moment) -> RulePage | None:
    """One rule with its versions and, at present, the jobs that it decides; None for what one may not see."""
    rule = _rules(user, moment, kind).filter(**{"id" if moment.past else "pk": pk}).first()
    if rule is None:
        return None
    (row,) = _rows([rule], kind, moment)
    numbers = dict(RuleVersion.objects.filter(kind=kind, name=rule.name, decided__isnull=False).values_list("decided", "number"))
    entries = AttributionRule.history.filter(id=pk).values("history_id")
    jobs = (
        BackupJob.objects.visible_to(user).filter(attribution_rule__in=entries).select_related("tool").order_by("name") if entries else None
    )
    shown = list(jobs[:A_PAGE]) if jobs is not None else []
    leads = f"belongs to {row.leads}" if kind == "attribution" else f"means: {row.leads}"
    return RulePage(
        kind=kind, name=rule.name, sentence=f"What fulfils “{row.says}” {leads}.", state=row.state,
        versions=versions_of(kind, rule.name, user, moment),
        jobs=tuple((job.name, str(job.tool), _by(numbers.get(job.attribution_rule))) for job in shown[:A_PAGE]),
        more_jobs=jobs.count() - A_PAGE if len(shown) > A_PAGE else 0,
        change="" if moment.past or not may_write(user, kind) else moment.href("new_rule", kind=kind, rule=pk),
    )  # fmt: skip


def _by(number: int | None) -> str:
    return f"version {number}" if number else "the rule before it had versions"


@dataclass(frozen=True, kw_only=True)
class WaitingRow:
    pk: int
    job: str
    tool: str
    host: str
    seen: SafeString | str
    failing: str
    suggestion: str
    evidence: str
    one_click: bool
    write: str


@dataclass(frozen=True, kw_only=True)
class NamelessRow:
    text: str
    message: str
    count: int
    job: str
    write: bool


@dataclass(frozen=True, kw_only=True)
class UnmatchedPage:
    sentence: str
    rows: tuple[WaitingRow, ...]
    words: str
    earlier: str
    later: str
    nameless: tuple[NamelessRow, ...]
    more_nameless: int
    may_write: bool
    who: str  # who could, where this person may not


def unmatched_page(*, user: Any, moment: Moment, page: int) -> UnmatchedPage:
    """Jobs without a service with the rule that would fit, and failures without a name for their cause."""
    rows = unmatched.jobs_without_service(user)
    total, start = rows.count(), max(0, page - 1) * A_PAGE
    shown = list(rows[start : start + A_PAGE])
    suggested = unmatched.suggest(shown, user)
    named = names_at((one.service.pk for one in suggested.values() if one.service), moment.at)
    nameless = unmatched.failures_without_cause(user, at=moment.at)
    writes, names_causes = may_write(user, "attribution"), may_write(user, "cause")
    verb = "belongs" if total == 1 else "belong"
    return UnmatchedPage(
        sentence=f"{many(total, 'job')} {verb} to no service." if total else "Every job belongs to a service.",
        rows=tuple(_waiting(job, suggested[job.pk], moment, writes, named) for job in shown),
        words=f"{start + 1:,} to {start + len(shown):,} of {many(total, 'job')}" if shown else "",
        earlier=moment.href("unmatched", page=page - 1) if start else "",
        later=moment.href("unmatched", page=page + 1) if start + A_PAGE < total else "",
        nameless=tuple(_nameless(one, names_causes) for one in nameless[:A_PAGE]),
        more_nameless=max(0, len(nameless) - A_PAGE),
        may_write=writes,
        who="" if writes else duties.names(_writers()),
    )


def _writers() -> Any:
    backend = "django.contrib.auth.backends.ModelBackend"
    people = get_user_model().objects.with_perm("monitoring.change_attributionrule", backend=backend, include_superusers=False)
    return people.filter(is_active=True).order_by("username")


def _waiting(job: BackupJob, one: unmatched.Suggestion, moment: Moment, writes: bool, named: Mapping[int | None, str]) -> WaitingRow:
    streak = job.state.bad_streak if hasattr(job, "state") else 0
    words = " and ".join(condition.words("attribution") for condition in one.conditions)
    service = named.get(one.service.pk, str(one.service)) if one.service else ""
    return WaitingRow(
        pk=job.pk, job=job.name, tool=str(job.tool), host=job.target_name or "", failing=f"failed {streak} in a row" if streak else "",
        seen=recent(job.last_seen_at, moment) if job.last_seen_at else "not yet",
        suggestion=f"{words} belongs to {service}" if service else "", evidence=one.evidence,
        one_click=writes and one.service is not None, write=moment.href("new_rule", kind="attribution", job=job.pk) if writes else "",
    )  # fmt: skip


def _nameless(one: unmatched.Nameless, writes: bool) -> NamelessRow:
    job = one.newest.job.name if one.newest.job else ""
    return NamelessRow(text=one.text, message=one.message, count=one.count, job=job, write=writes)
