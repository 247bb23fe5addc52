"""How often tools are asked, how often they should be, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue import duties
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import clock_within, many
from monitoring import cadence
from monitoring.cadence import Cadence
from monitoring.models import Tool
from monitoring.polling import JITTER

SHOWN = 200
WHO = "Who may change a tool's settings sets how often it is asked."


@dataclass(frozen=True, kw_only=True)
class CadenceRow:
    name: str
    tool: Link
    services: str
    asked: str
    how: str
    waits: SafeString | str  # where it did not answer lately: how often, and when it is asked again
    recommended: str
    differs: bool
    oftener: bool
    reasons: tuple[str, ...]
    load_now: str
    load_then: str
    busy: str
    known: str
    at_most: str
    of_promise: str
    may_set: bool
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class BudgetRow:
    name: str
    allowed: str
    now: str
    then: str
    at_once: int
    verdict: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class CadencePage:
    sentence: str
    rows: tuple[CadenceRow, ...]
    more: int
    budgets: tuple[BudgetRow, ...]
    shares: tuple[tuple[int, str], ...]
    least: str
    most: str
    used: str
    may_set: bool
    why_not: str
    reason: str
    problems: tuple[str, ...]


def cadence_page(
    *, user: Any, moment: Moment, chosen: tuple[str, ...] = (), reason: str = "", problems: tuple[str, ...] = ()
) -> CadencePage:
    """Every tool that is asked and that the person may see; the number of queries does not grow with them."""
    policy = cadence.policy_in_force(moment.at if moment.past else None)
    everything = cadence.cadences(at=moment.at, past=moment.past, policy=policy)
    seen = set(Tool.objects.visible_to(user).values_list("pk", flat=True))
    mine = set() if moment.past else set(Tool.objects.visible_to(user, "change").values_list("pk", flat=True))
    told = [one for one in everything if one.tool.id in seen]
    told.sort(key=lambda one: (not one.differs, one.recommended_s / one.asked_every_s, one.tool.name))
    objection = duties.objection(user, Tool, moment.now)
    may_set = bool(mine) and not objection
    return CadencePage(
        sentence=_sentence(told, moment), rows=tuple(_row(one, moment, may_set and one.tool.id in mine, chosen) for one in told[:SHOWN]),
        more=max(0, len(told) - SHOWN), budgets=tuple(_budgets([one for one in everything if one.tool.budget_id], told)),
        shares=tuple((tier, _share(getattr(policy, f"tier_{tier}_fraction"))) for tier in (1, 2, 3, 4)),
        least=duration_words(policy.least_s), most=duration_words(policy.most_s), used=_share(policy.use_fraction),
        may_set=may_set, why_not=objection or WHO, reason=reason, problems=problems,
    )  # fmt: skip


def _share(fraction: Any) -> str:
    return f"{float(fraction) * 100:g}%"


def _sentence(told: list[Cadence], moment: Moment) -> str:
    if not told and moment.past:
        return "No tool that is asked was set up by then."
    if not told:
        return "No tool is asked: those that there are report by themselves."
    oftener = sum(one.recommended_s < one.asked_every_s for one in told)
    rarer = sum(one.recommended_s > one.asked_every_s for one in told)
    if not oftener and not rarer:
        return f"{'All' if len(told) > 1 else 'The one'} of {many(len(told), 'tool')} asked as often as the promises need."
    parts = [f"{oftener} should be asked more often"] if oftener else []
    parts += [f"{rarer} could be asked less often"] if rarer else []
    return f"Of {many(len(told), 'tool')}, {' and '.join(parts)}."


def _row(one: Cadence, moment: Moment, may_set: bool, chosen: tuple[str, ...]) -> CadenceRow:
    measured, within_s = one.measured, one.known_within_s(JITTER)
    known = "not measured yet"
    if measured.delay_s is not None:
        known = f"{duration_words(measured.delay_s)} on average, {duration_words(measured.longest_delay_s or 0)} at most"
    return CadenceRow(
        name=one.tool.name, tool=Link(one.tool.label or one.tool.name, moment.href("tool", one.tool.name)),
        services=f"{many(one.services, 'service')} through it" if one.services else "no service through it",
        asked=duration_words(one.asked_every_s), how=_how(one), waits=_waits(one, moment),
        recommended=duration_words(one.recommended_s), differs=one.differs, oftener=one.recommended_s < one.asked_every_s,
        reasons=one.reasons, load_now=_an_hour(one.load_now), load_then=_an_hour(one.load_then),
        busy=f"{duration_words(measured.busy_s)} of the last 7 days" if measured.busy_s >= 1 else "",
        known=known, at_most=duration_words(within_s),
        of_promise=f"{within_s / one.need.rpo_s:.0%} of the recovery point" if one.need else "",
        may_set=may_set, chosen=one.tool.name in chosen if chosen else False,
    )  # fmt: skip


def _how(one: Cadence) -> str:
    if one.tool.replayed:
        return "a recording that is replayed: nothing real is asked"
    return "follows what is recommended" if one.tool.cadence == Tool.Cadence.COMPUTED else "as people set it"


def _waits(one: Cadence, moment: Moment) -> SafeString | str:
    """A tool that fails again and again is left in peace for longer and longer; what was so in the past is not kept."""
    state = None if moment.past or one.tool.replayed else getattr(one.tool, "state", None)
    if state is None or state.consecutive_failures < 2 or state.next_poll_at is None:
        return ""
    return format_html("No answer {} times in a row; asked again {}", state.consecutive_failures, clock_within(state.next_poll_at, moment))


def _an_hour(load: float) -> str:
    return f"{load:,.1f}" if load < 100 else f"{load:,.0f}"


def _budgets(members: list[Cadence], told: list[Cadence]) -> list[BudgetRow]:
    """Budgets of which the person sees at least one tool; their load counts every tool."""
    seen = {one.tool.budget_id for one in told}
    found = []
    for pk in sorted({one.tool.budget_id for one in members} & seen):
        group = [one for one in members if one.tool.budget_id == pk]
        budget, allowed = group[0].tool.budget, group[0].allowed_per_hour or 0.0
        now, then = sum(one.load_now for one in group), sum(one.load_then for one in group)
        verdict = ("broken", "Too little") if not group[0].feasible else ("at_risk", "Over it now") if now > allowed else ("kept", "Fits")
        row = BudgetRow(
            name=f"{budget}, {many(len(group), 'tool')}", allowed=f"{_an_hour(allowed)} of {budget.requests_per_hour:,}",
            now=_an_hour(now), then=_an_hour(then), at_once=budget.at_once, verdict=verdict,
        )  # fmt: skip
        found.append(row)
    return found
