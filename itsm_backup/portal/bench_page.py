"""The bench: a draft beside what it would have done in the last days."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue.models import Service
from catalogue.refusing import NotAllowed
from itsm_backup.common.charts import Chart, DayBar, day_bars
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.rule_pages import VersionRow, names_at, versions_of
from itsm_backup.portal.words import clock, instant, many, person, zone
from monitoring import ruling
from monitoring.conditions import CHOICES, FIELDS, MOST_CONDITIONS, OPERATORS, plain
from monitoring.models import CauseRule, RuleVersion, Tool
from monitoring.trying import DAYS, MOST_ALERTS, MOST_JOBS, MOST_JOBS_FOLLOWED, MOST_RUNS, Line, Trial, try_rule

MOST_SHOWN, MOST_CHOICES = 50, 200
TABS = ("matched", "services", "near", "unmatched")


@dataclass(frozen=True, kw_only=True)
class Tile:
    figure: str
    words: str
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class EventRow:
    mark: str  # "+", "−", "~" or nothing
    tone: str
    job: str
    tool: str
    when: SafeString | str
    message: str
    goes_to: str
    why: str
    explain: str


@dataclass(frozen=True, kw_only=True)
class Effect:
    tiles: tuple[Tile, ...]
    chart: Chart
    chart_narrow: Chart
    about: str  # what was looked at, in words
    warnings: tuple[str, ...]
    taken: tuple[str, ...]
    tabs: tuple[tuple[str, str, str], ...]  # key, words, address
    tab: str
    rows: tuple[EventRow, ...]
    more: int
    totals: tuple[tuple[str, int], ...]
    days: tuple[tuple[int, str], ...]
    chosen_days: int


@dataclass(frozen=True, kw_only=True)
class Form:
    """What can be written; `rows` are the conditions, and empty ones to fill."""

    kind: str
    name: str
    is_new: bool
    position: int
    enabled: bool
    rows: tuple[dict[str, str], ...]
    service: str
    tool: str
    title: str
    component: str
    ends_on: str
    reason: str
    fields: tuple[tuple[str, str], ...]
    operators: tuple[tuple[str, str], ...]
    services: tuple[tuple[str, str], ...]
    tools: tuple[tuple[str, str], ...]
    components: tuple[tuple[str, str], ...]
    may_add: bool
    hint: str


@dataclass(frozen=True, kw_only=True)
class BenchPage:
    title: str
    lead: str
    kind: str
    pk: int
    seen: str
    sentence: str
    form: Form | None
    facts: tuple[tuple[str, SafeString | str], ...]
    effect: Effect | None
    sent: bool
    may_send: bool
    may_approve: bool
    may_give_up: bool
    approval: str
    versions: tuple[VersionRow, ...]
    problems: tuple[str, ...] = ()


def bench_page(
    *, row: RuleVersion, user: Any, moment: Moment, days: int, tab: str, spare: int = 1, typed: Mapping[str, Any] | None = None,
    problems: tuple[str, ...] = (),
) -> BenchPage:  # fmt: skip
    """A version: as a draft with its effect, later as it was put in force. `typed` is what was refused."""
    draft = row.state == "draft" and not moment.past
    mine = draft and row.author_id == user.pk
    refusal = _refusal(row, user, moment) if draft else ""
    effect = None
    if draft and not problems:
        effect = _effect(row, try_rule(row=row, user=user, at=moment.at, days=days), moment, tab)
    in_force = RuleVersion.objects.filter(kind=row.kind, name=row.name, state="approved").order_by("-number").first() if draft else None
    return BenchPage(
        title=row.name, lead=_lead(row, in_force, moment, days), kind=row.kind, pk=row.pk, seen=ruling.hash_of(row),
        sentence=row.told(names_at([row.service_id], moment.at).get(row.service_id, "")),
        form=form_of(row, user, moment.at, spare=spare, typed=typed) if mine else None, facts=_facts(row), effect=effect,
        sent=row.sent_at is not None, may_send=mine and row.sent_at is None, may_approve=draft and not refusal and row.sent_at is not None,
        may_give_up=draft and (mine or not refusal), approval=refusal, versions=versions_of(row.kind, row.name, user, moment),
        problems=problems,
    )  # fmt: skip


def new_page(
    *, row: RuleVersion, user: Any, at: dt.datetime, spare: int = 1, typed: Mapping[str, Any] | None = None,
    problems: tuple[str, ...] = (),
) -> BenchPage:  # fmt: skip
    """The form of a version that is not kept yet."""
    return BenchPage(
        title=row.name or "New rule", lead="Nothing is kept yet. Keep it as a draft to see what it would have done.", kind=row.kind, pk=0,
        seen="", sentence="", form=form_of(row, user, at, spare=spare, typed=typed), facts=(), effect=None, sent=False, may_send=False,
        may_approve=False, may_give_up=False, approval="", versions=(), problems=problems,
    )  # fmt: skip


def _refusal(row: RuleVersion, user: Any, moment: Moment) -> str:
    try:
        ruling.check_approver(row, user, moment.at)
    except NotAllowed as error:
        return str(error)
    return ""


def _lead(row: RuleVersion, in_force: RuleVersion | None, moment: Moment, days: int) -> str:
    if moment.past:
        return f"Version {row.number}. The bench tries drafts on the present only."
    if row.state != "draft":
        return f"Version {row.number}, {row.get_state_display()}."
    held = f"Version {in_force.number} stays in force" if in_force else "Nothing of it counts"
    return f"Draft of version {row.number}. {held} until another person approves. Tried on the last {days} days, nothing is changed."


def _facts(row: RuleVersion) -> tuple[tuple[str, SafeString | str], ...]:
    told: list[tuple[str, SafeString | str]] = [
        ("Written by", person(row.author)),
        ("Why", row.reason),
        ("Asked at position", str(row.position)),
    ]
    if row.approver and row.approved_at:
        told += [("Approved by", person(row.approver)), ("In force from", instant(row.approved_at))]
    if row.valid_to:
        told.append(("Ends", instant(row.valid_to)))
    return tuple(told)


_HINT = f"Results: {', '.join(CHOICES['outcome'])}. Operations: {plain(', '.join(CHOICES['operation']))}."


def form_of(row: RuleVersion, user: Any, at: dt.datetime, *, spare: int, typed: Mapping[str, Any] | None) -> Form:
    """The fields of a version, filled with what was typed, else with what it says."""
    told = typed or {}
    kept = told.get("conditions", row.conditions)
    rows = [{**one, "value": plain(one["value"]) if one["field"] == "operation" else one["value"]} for one in kept] + [
        {"field": "", "operator": "", "value": ""}
    ] * max(0 if kept else 1, spare)
    services = dict(
        Service.objects.visible_to(user).filter(lifecycle="catalogue").order_by("code").values_list("pk", "code")[:MOST_CHOICES]
    )
    named = names_at(services, at) if row.kind == "attribution" else {}
    tools = Tool.objects.visible_to(user).order_by("name")[:MOST_CHOICES]
    return Form(
        kind=row.kind, name=told.get("name", row.name), is_new=row.pk is None and not ruling.rule_named(row.kind, row.name),
        position=told.get("position", row.position), enabled=told.get("enabled", row.enabled), rows=tuple(rows[:MOST_CONDITIONS]),
        service=told.get("service", row.service.code if row.service else ""), tool=told.get("tool", row.tool.name if row.tool else ""),
        title=told.get("title", row.title), component=told.get("component", row.component),
        ends_on=told.get("ends_on", _last_day(row.valid_to)), reason=told.get("reason", row.reason),
        fields=tuple(FIELDS[row.kind].items()), operators=tuple(OPERATORS.items()),
        services=tuple((code, named.get(pk, code)) for pk, code in services.items()) if row.kind == "attribution" else (),
        tools=tuple((one.name, str(one)) for one in tools) if row.kind == "attribution" else (),
        components=tuple(CauseRule.Component.choices) if row.kind == "cause" else (), may_add=len(rows) < MOST_CONDITIONS, hint=_HINT,
    )  # fmt: skip


def _last_day(until: dt.datetime | None) -> str:
    return (until - dt.timedelta(seconds=1)).astimezone(zone()).date().isoformat() if until else ""


def _effect(row: RuleVersion, told: Trial, moment: Moment, tab: str) -> Effect:
    belonging = row.kind == "attribution"
    noun, what = ("job", "runs") if belonging else ("failure", "failures")
    chosen = tab if tab in TABS else "matched"
    lines = {"matched": told.lines, "near": told.near, "unmatched": told.unmatched}.get(chosen, [])
    order = {"new": 0, "moved": 1, "lost": 2, "same": 3}
    shown = (sorted(lines, key=lambda line: order.get(line.mark, 0)) if belonging else list(lines))[:MOST_SHOWN]
    rules = {rule for line in [*told.lines, *shown] for rule in (line.before, line.after) if rule is not None}
    names = names_at((rule.service_id for rule in rules), moment.at) if belonging else {}
    totals = _totals(told, names)

    def address(**query: Any) -> str:
        return moment.href("rule_version", row.pk, **query)

    said = {
        "matched": f"{noun.capitalize()}s, {len(told.lines)}", "services": f"By {'service' if belonging else 'cause'}, {len(totals)}",
        "near": f"Near misses, {len(told.near)}", "unmatched": f"Unmatched in the estate, {len(told.unmatched)}",
    }  # fmt: skip
    return Effect(
        tiles=_tiles(told, noun), chart=_chart(told, moment, what), chart_narrow=_chart(told, moment, what, width=330),
        about=_about_jobs(told) if belonging else _about_failures(told), warnings=tuple(_warnings(told, noun)),
        taken=tuple(f"{many(count, noun)} from {rule}" for rule, count in sorted(told.taken.items())),
        tabs=tuple((key, words, address(days=told.days, show=key) + "#events") for key, words in said.items()),
        tab=chosen, rows=tuple(_event(line, moment, belonging, names) for line in shown), more=len(lines) - len(shown),
        totals=totals, days=tuple((days, address(days=days)) for days in DAYS), chosen_days=told.days,
    )  # fmt: skip


def _tiles(told: Trial, noun: str) -> tuple[Tile, ...]:
    against = "against the rules in force"
    change = told.incidents_after - told.incidents_before
    stolen = sum(told.taken.values())
    return (
        Tile(figure=f"{told.matched:,}", words=f"{noun}{'' if told.matched == 1 else 's'} matched of {told.considered:,}"),
        Tile(figure=_signed(told.count("new")), words=f"new, {against}{f', {stolen:,} of them taken from other rules' if stolen else ''}"),
        Tile(figure=_signed(-told.count("lost")), words="no longer matched", tone="bad" if told.count("lost") else ""),
        Tile(
            figure=_signed(change),
            words=f"incident{'' if abs(change) == 1 else 's'} {'fewer' if change < 0 else 'would have opened'} in {told.days} days",
            tone="risk" if change > 0 else "",
        ),
    )  # fmt: skip


def _signed(change: int) -> str:
    return f"{'+' if change > 0 else '−' if change < 0 else ''}{abs(change):,}"


def _about_jobs(told: Trial) -> str:
    said = f"Compared with {many(told.considered, 'job')} that you may see."
    if told.cut:
        said += f" There are more: the first {MOST_JOBS:,} are compared."
    if told.runs_cut:
        said += f" Runs and incidents are those of {MOST_JOBS_FOLLOWED} of the jobs concerned, of their newest {MOST_RUNS:,} runs at most."
    return f"{said} Missed runs are not counted as failures."


def _about_failures(told: Trial) -> str:
    said = f"Compared with {many(told.considered, 'failed run')} behind the alerts of these days that you may see."
    return said + (f" There are more: the newest {MOST_ALERTS:,} alerts and {MOST_RUNS:,} runs are compared." if told.cut else "")


def _warnings(told: Trial, noun: str) -> list[str]:
    if told.matched and told.matched == told.considered and told.considered > 1:
        return [f"It takes every one of the {told.considered:,} {noun}s. Add a condition, unless that is meant."]
    if told.considered >= 4 and told.matched * 2 >= told.considered:
        return [f"It takes {told.matched:,} of {told.considered:,} {noun}s, half of them or more."]
    return [f"It matches no {noun} of these days."] if not told.matched else []


def _chart(told: Trial, moment: Moment, what: str, width: float = 720) -> Chart:
    days = [moment.at.date() - dt.timedelta(days=back) for back in range(told.days, -1, -1)]
    counts = [(on, told.per_day.get(on, Counter())) for on in days]
    return day_bars(
        days=[DayBar(on=on, both=one["same"], new=one["new"] + one["moved"], lost=one["lost"]) for on, one in counts], what=what
    )


def _totals(told: Trial, names: Mapping[int | None, str]) -> tuple[tuple[str, int], ...]:
    counted: Counter[str] = Counter(_leads(line.after, names) for line in told.lines if line.after is not None)
    return tuple(counted.most_common())


def _leads(rule: Any, names: Mapping[int | None, str]) -> str:
    """Where a rule leads: the service, for one of belonging, else what it calls the cause."""
    if rule is None:
        return "nothing"
    service = getattr(rule, "service_id", None)
    return names.get(service, str(rule.service)) if service else str(rule.title)


def _event(line: Line, moment: Moment, belonging: bool, names: Mapping[int | None, str]) -> EventRow:
    marks = {"new": ("+", "new"), "lost": ("−", "lost"), "moved": ("~", "new")}
    mark, tone = marks.get(line.mark, ("", ""))
    before, after, run = _leads(line.before, names), _leads(line.after, names), line.run
    nowhere = "the unmatched queue" if belonging else "no named cause"
    return EventRow(
        mark=mark, tone=tone, job=line.job.name, tool=str(line.job.tool), when=clock(run.occurred_at, moment) if run else "",
        message=(run.message or "") if run else "", goes_to=after if line.after else nowhere,
        why=line.why or (f"was {before}" if before != after and line.before is not None else ""),
        explain=moment.href("run", run.pk) if run else "",
    )  # fmt: skip
