"""The register of tools with how each is, and one tool with its scorecard."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils.safestring import SafeString

from catalogue.refusing import NotAllowed
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import instant, many, person, recent, size
from monitoring import assessing, permitting, scoring
from monitoring.connectors.base import TESTED_WORDS
from monitoring.connectors.capabilities import CAPABILITIES
from monitoring.models import Assessment, Tool, ToolDay, ToolState
from monitoring.scoring import Found

MOST_TOOLS, LATEST, WEEK, MOST_NAMED = 200, 12, 7, 12
LEVELS = {"full": ("kept", "Yes"), "part": ("at_risk", "In part"), "none": ("broken", "No")}
DECLARED = {"full": "Yes", "part": "In part", "none": "No"}


@dataclass(frozen=True, kw_only=True)
class ToolRow:
    tool: Link
    kind: str
    tested: str
    verdict: str
    health: str
    problem: str
    answered: SafeString | str
    asked_next: SafeString | str
    score: str
    tried: SafeString | str
    rounds: str
    load: str
    delay: str


@dataclass(frozen=True, kw_only=True)
class ToolsPage:
    sentence: str
    rows: tuple[ToolRow, ...]
    more: int


def tools_page(*, user: Any, moment: Moment) -> ToolsPage:
    """Every tool that the person may see; the number of queries does not grow with them."""
    tools = list(Tool.objects.visible_to(user).select_related("state").defer("secrets").order_by("name"))
    tried = latest(tools, moment.at)
    week = _week(tools, moment.at)
    rows = [_row(tool, tried.get(tool.pk), week.get(tool.pk, []), moment) for tool in tools[:MOST_TOOLS]]
    told = f"{len(tried)} of {many(len(tools), 'tool')} {'has' if len(tried) == 1 else 'have'} been tried"
    ill = 0 if moment.past else sum(row.verdict in ("no_data", "at_risk", "broken") for row in rows)
    told += f", {ill} {'needs' if ill == 1 else 'need'} a look." if ill else "."
    return ToolsPage(sentence=told if tools else "No tool is connected yet.", rows=tuple(rows), more=max(0, len(tools) - MOST_TOOLS))


def latest(tools: Iterable[Tool], at: dt.datetime) -> dict[int, Assessment]:
    """The latest trial of each tool until `at`."""
    rows = Assessment.objects.filter(tool__in=list(tools), at__lte=at).order_by("tool_id", "-at", "-pk").distinct("tool_id")
    return {row.tool_id: row for row in rows.select_related("by")}


def _week(tools: Iterable[Tool], at: dt.datetime) -> dict[int, list[ToolDay]]:
    found: dict[int, list[ToolDay]] = {}
    until = at.astimezone(dt.UTC).date()
    for day in ToolDay.objects.filter(tool__in=list(tools), on__gt=until - dt.timedelta(days=WEEK), on__lte=until).order_by("-on"):
        found.setdefault(day.tool_id, []).append(day)
    return found


def _row(tool: Tool, tried: Assessment | None, week: list[ToolDay], moment: Moment) -> ToolRow:
    state = getattr(tool, "state", None)
    verdict, health = health_of(tool, state, moment)
    return ToolRow(
        tool=Link(str(tool), moment.href("tool", tool.name)), kind=tool.connector.label, tested=TESTED_WORDS[tool.connector.tested],
        verdict=verdict, health=health, problem=state.problem if state and not moment.past else "",
        answered=recent(state.latest_answer_at, moment) if state and state.latest_answer_at and not moment.past else "–",
        asked_next=_asked_next(tool, state, moment),
        score=score_words(tried.score) if tried else "–", tried=instant(tried.at) if tried else "never tried",
        rounds=_rounds(week), load=_load(week), delay=_delay(week),
    )  # fmt: skip


def health_of(tool: Tool, state: ToolState | None, moment: Moment) -> tuple[str, str]:
    """(verdict, word) of how the tool is now; of the past this is not told, as the state is the present one."""
    if moment.past:
        return "held", "Not told of the past"
    if not tool.enabled:
        return "held", "Switched off"
    if state is None or state.latest_answer_at is None:
        return "no_data", "Never answered"
    if state.silent_since:
        return "no_data", "Silent"
    return ("at_risk", "In trouble") if state.consecutive_failures else ("kept", "Answers")


def _asked_next(tool: Tool, state: ToolState | None, moment: Moment) -> SafeString | str:
    if not tool.connector.polled:
        return "reports by itself"
    return recent(state.next_poll_at, moment) if state and state.next_poll_at and not moment.past else "–"


def score_words(score: Any) -> str:
    return "–" if score is None else f"{float(score):.0f}"


def _rounds(week: list[ToolDay]) -> str:
    rounds, failures = sum(day.rounds for day in week), sum(day.failures for day in week)
    return f"{many(rounds, 'round')}, {failures:,} failed" if rounds else "not asked"


def _load(week: list[ToolDay]) -> str:
    took, sent = sum(day.took_s for day in week), sum(day.size_bytes for day in week)
    return f"{size(sent)}, {duration_words(took) if took >= 1 else f'{took:.1f} s'}" if week else "–"


def _delay(week: list[ToolDay]) -> str:
    known = sum(day.runs_known for day in week)
    if not known:
        return "–"
    mean, longest = sum(day.delay_s for day in week) / known, max(day.longest_delay_s for day in week)
    return f"{duration_words(mean)} on average, {duration_words(longest)} at most"


@dataclass(frozen=True, kw_only=True)
class Line:
    name: str
    label: str
    asks: str
    weight: int
    declared: str
    declared_words: str
    verdict: str
    seen: str
    seen_words: str
    missing: str
    worth: str


def lines_shown(lines: Iterable[Found], weights: dict[str, int]) -> tuple[Line, ...]:
    """The scorecard as tables show it, in the order of the questions."""
    by_name = {line.name: line for line in lines}
    return tuple(_line(by_name[name], weights.get(name, 0)) for name in CAPABILITIES if name in by_name)


def _line(line: Found, weight: int) -> Line:
    one = CAPABILITIES[line.name]
    unseen = ("held", "Not offered") if line.declared == "none" else ("no_data", "Not shown")
    verdict, seen = LEVELS[line.seen] if line.seen else unseen
    worth = scoring.WORTH[line.seen] if line.seen else scoring.WORTH[line.declared] * scoring.UNSEEN
    return Line(
        name=line.name, label=one.label, asks=one.asks, weight=weight, declared=DECLARED[line.declared], declared_words=line.declared_words,
        verdict=verdict, seen=seen, seen_words=line.seen_words, missing=line.missing, worth=f"{worth * weight:g} of {weight}",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    at: SafeString
    by: str
    source: str
    score: str
    version: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DayRow:
    on: dt.date
    rounds: int
    failures: int
    exchanges: int
    load: str
    longest: str
    delay: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class ToolPage:
    name: str
    label: str
    kind: str
    tested: str
    sentence: str
    verdict: str
    health: str
    facts: tuple[tuple[str, SafeString | str], ...]
    problem: str
    score: str
    trial: TrialRow | None
    lines: tuple[Line, ...]
    asked: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    history: tuple[TrialRow, ...]
    days: tuple[DayRow, ...]
    may_try: bool
    why_not: str
    live: bool
    quarantined: int
    edit: str
    who: tuple[tuple[str, str], ...]


def tool_page(*, tool: Tool, user: Any, moment: Moment) -> ToolPage:
    """One tool: how it is, its scorecard with the questions of the latest trial, earlier trials, and how asking went."""
    rows = list(Assessment.objects.filter(tool=tool, at__lte=moment.at).select_related("by").order_by("-at", "-pk")[: LATEST + 1])
    now, state = rows[0] if rows else None, ToolState.objects.filter(tool=tool).first()
    weights = assessing.weights()
    found = assessing.lines_of(now) if now else scoring.as_declared(assessing.declared_of(tool))
    verdict, health = health_of(tool, state, moment)
    why_not = _refusal(tool, user)
    until = moment.at.astimezone(dt.UTC).date()
    days = ToolDay.objects.filter(tool=tool, on__lte=until).order_by("-on")[:14]
    score = score_words(scoring.score(found, weights))
    return ToolPage(
        name=tool.name, label=str(tool), kind=tool.connector.label, tested=TESTED_WORDS[tool.connector.tested],
        sentence=_sentence(now, score, found), verdict=verdict, health=health, facts=_facts(tool, state, moment),
        problem=state.problem if state and not moment.past else "", score=score,
        trial=_trial(now, None) if now else None, lines=lines_shown(found, weights), asked=tuple(now.asked) if now else (),
        problems=tuple(now.problems) if now else (),
        history=tuple(_trial(row, before) for row, before in zip(rows[:LATEST], [*rows[1:], None], strict=False)),
        days=tuple(_day(day) for day in days), may_try=not why_not and not moment.past, why_not=why_not,
        live=tool.connector.polled and not tool.replayed, quarantined=_quarantined(tool, moment),
        edit=f"/admin/monitoring/tool/{tool.pk}/change/" if _may_change(tool, user) and not moment.past else "",
        who=() if moment.past else tuple((deed.words, _names(people)) for deed, people in permitting.who_may(tool)),
    )  # fmt: skip


def _names(people: list[Any]) -> str:
    named = ", ".join(person(one) for one in people[:MOST_NAMED])
    more = f" and {many(len(people) - MOST_NAMED, 'more person', 'more people')}" if len(people) > MOST_NAMED else ""
    return f"{named}{more}" or "Nobody yet: an administrator can grant a role."


def _quarantined(tool: Tool, moment: Moment) -> int:
    waiting = Q(created_at__lte=moment.at) & (Q(resolved_at=None) | Q(resolved_at__gt=moment.at))
    return int(tool.quarantined.filter(waiting).aggregate(found=Count("pk"))["found"])


def _may_change(tool: Tool, user: Any) -> bool:
    return bool(Tool.objects.visible_to(user, "change").filter(pk=tool.pk).exists())


def _refusal(tool: Tool, user: Any) -> str:
    try:
        assessing.check_trier(tool, user)
    except NotAllowed as error:
        return str(error)
    return ""


def _sentence(now: Assessment | None, score: str, found: list[Found]) -> str:
    if now is None:
        return f"{score} of 100, as its connector declares it: nobody has tried it here yet."
    shown = [line for line in found if line.seen]
    short = [CAPABILITIES[line.name].label.lower() for line in shown if line.seen == "none"]
    told = f"{score} of 100: {len(shown)} of {len(found)} capabilities were shown"
    return f"{told}; missing: {', '.join(short)}." if short else f"{told}."


def _facts(tool: Tool, state: ToolState | None, moment: Moment) -> tuple[tuple[str, SafeString | str], ...]:
    if moment.past or state is None:
        return ()
    told: list[tuple[str, SafeString | str]] = []
    told += [("Latest answer", recent(state.latest_answer_at, moment))] if state.latest_answer_at else []
    told += [("Latest full reading", recent(state.latest_complete_at, moment))] if state.latest_complete_at else []
    told += [("Silent since", instant(state.silent_since))] if state.silent_since else []
    told += [("Asked next", _asked_next(tool, state, moment))]
    told += [("Failures in a row", str(state.consecutive_failures))] if state.consecutive_failures else []
    cursor = ", ".join(f"{name.replace('_', ' ')} {str(value)[:60]}" for name, value in sorted(state.cursor.items()))
    return (*told, ("Goes on from", cursor or "the beginning"))


def _trial(row: Assessment, before: Assessment | None) -> TrialRow:
    return TrialRow(
        at=instant(row.at), by=person(row.by) if row.by else "the product", source=row.get_source_display(), score=score_words(row.score),
        version=row.tool_version or "–", changed=tuple(_changes(before, row)) if before else (),
    )  # fmt: skip


def _changes(before: Assessment, after: Assessment) -> Iterable[str]:
    """What a trial found that the one before it had not."""
    old, new = ({line.name: line for line in assessing.lines_of(row)} for row in (before, after))
    said = {None: "not shown", **{level: words.lower() for level, (_, words) in LEVELS.items()}}
    for name, line in new.items():
        was = old.get(name)
        if was is not None and was.seen != line.seen:
            yield f"{CAPABILITIES[name].label}: {said[was.seen]} → {said[line.seen]}"
    if before.tool_version != after.tool_version:
        yield f"Version: {before.tool_version or 'not told'} → {after.tool_version or 'not told'}"


def _day(day: ToolDay) -> DayRow:
    return DayRow(
        on=day.on, rounds=day.rounds, failures=day.failures, exchanges=day.exchanges, load=_load([day]), longest=f"{day.longest_s:.1f} s",
        delay=_delay([day]), problem=day.problem if day.failures else "",
    )  # fmt: skip
