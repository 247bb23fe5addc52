"""How often each tool should be asked, by what the catalogue promises through it and by what its source stands, with the reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from django.db.models import Max, Sum

from catalogue import impact
from catalogue.models import ServiceVersion
from itsm_backup.common.time import duration_words
from monitoring.connectors import CONNECTORS
from monitoring.methods.planning import polling_frequency
from monitoring.models import BackupJob, PollingPolicy, Tool, ToolDay

MEASURED_DAYS = 7
UNLIMITED = 10**9  # questions an hour: a tool without a budget is bounded by its own interval alone
_SUMS = ("rounds", "exchanges", "took_s", "runs_known", "delay_s")


class Need(msgspec.Struct, frozen=True):
    """The service that asks for the shortest interval of a tool, and what it asks for."""

    name: str
    tier: int
    rpo_s: int
    wanted_s: int


class Measured(msgspec.Struct, frozen=True):
    """How asking went in the last seven days: questions a round, seconds, and how late runs were known."""

    rounds: int = 0
    questions: float = 1.0
    busy_s: float = 0.0
    longest_s: float = 0.0
    known: int = 0
    delay_s: float | None = None
    longest_delay_s: float | None = None


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """One tool: what it is asked, what it should be, why. `recommended_s` equals `asked_every_s` where nothing speaks for another."""

    tool: Any
    asked_every_s: int
    recommended_s: int
    services: int
    need: Need | None
    measured: Measured
    feasible: bool
    allowed_per_hour: float | None
    reasons: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return self.recommended_s != self.asked_every_s

    @property
    def load_now(self) -> float:
        """Questions an hour."""
        return self.measured.questions * 3600 / self.asked_every_s

    @property
    def load_then(self) -> float:
        return self.measured.questions * 3600 / self.recommended_s

    def known_within_s(self, jitter: float) -> float:
        """Seconds from the end of a run until it is known at the latest, as long as the tool answers."""
        return self.recommended_s * (1 + jitter) + self.measured.longest_s


def polled_tools(at: dt.datetime | None = None) -> list[Any]:
    """Tools that are enabled and of a kind that is asked, replayed recordings too; with `at`, as they were set then."""
    rows = Tool.history.as_of(at) if at else Tool.objects.defer("secrets")
    kinds = [kind for kind, connector in CONNECTORS.items() if connector.polled]
    asked = rows.filter(enabled=True, kind__in=kinds).select_related(*(("budget",) if at else ("budget", "state")))
    return sorted(asked, key=lambda tool: tool.name)


def cadences(*, at: dt.datetime, past: bool = False, policy: PollingPolicy | None = None) -> list[Cadence]:
    """Every tool that is asked, by name. Eight queries at most, however many tools. With `past`, as all was known at `at`."""
    tools = polled_tools(at if past else None)
    policy = policy or policy_in_force(at if past else None)
    served = _served([tool.pk for tool in tools], at, policy)
    measured = _measured([tool.pk for tool in tools], at)
    budgets: dict[int | None, list[Any]] = {}
    for tool in tools:
        budgets.setdefault(tool.budget_id, []).append(tool)
    found: dict[int, Cadence] = {}
    for budget_id, group in budgets.items():
        budget = group[0].budget if budget_id else None
        for members in [group] if budget else [[tool] for tool in group]:
            found.update(_planned(members, budget, policy, served, measured))
    return [found[tool.pk] for tool in tools]


def policy_in_force(at: dt.datetime | None = None) -> PollingPolicy:
    """The policy, the shipped one where nobody set another; with `at`, as it was then."""
    rows = PollingPolicy.history.as_of(at) if at else PollingPolicy.objects.filter(pk=1)
    return rows.first() or PollingPolicy(pk=1)


def _factor(policy: PollingPolicy, tier: int) -> float:
    return float(getattr(policy, f"tier_{tier}_fraction"))


def _served(tools: list[int], at: dt.datetime, policy: PollingPolicy) -> dict[int, list[Need]]:
    """What each service that is backed up by a tool asks for, the shortest interval first."""
    pairs = BackupJob.objects.filter(tool__in=tools, service__isnull=False).values_list("tool", "service").distinct()
    known = list(pairs)
    services = {service for _, service in known}
    versions = ServiceVersion.objects.in_force(at).filter(service__in=services, commitment__isnull=False)
    promised = {pk: (name, rpo_s) for pk, name, rpo_s in versions.values_list("service", "name", "commitment__rpo_s")}
    tiers = impact.effective_tiers(promised, at=at) if promised else {}
    found: dict[int, list[Need]] = {}
    for tool, service in known:
        name, rpo_s = promised.get(service, ("", None))
        if rpo_s:
            tier = tiers[service]
            found.setdefault(tool, []).append(Need(name, tier, rpo_s, round(rpo_s * _factor(policy, tier))))
    return {tool: sorted(needs, key=lambda need: (need.wanted_s, need.tier, need.name)) for tool, needs in found.items()}


def _measured(tools: list[int], at: dt.datetime) -> dict[int, Measured]:
    until = at.astimezone(dt.UTC).date()
    rows = ToolDay.objects.filter(tool__in=tools, on__gt=until - dt.timedelta(days=MEASURED_DAYS), on__lte=until).values("tool")
    sums = rows.annotate(
        **{f"{name}_": Sum(name) for name in _SUMS}, longest_=Max("longest_s"), longest_delay_=Max("longest_delay_s")
    ).order_by("tool")
    return {row["tool"]: _of_days(row) for row in sums if row["rounds_"]}


def _of_days(row: Mapping[str, Any]) -> Measured:
    known = row["runs_known_"]
    return Measured(
        rounds=row["rounds_"], questions=max(1.0, row["exchanges_"] / row["rounds_"]), busy_s=row["took_s_"], longest_s=row["longest_"],
        known=known, delay_s=row["delay_s_"] / known if known else None, longest_delay_s=row["longest_delay_"] if known else None,
    )  # fmt: skip


def _planned(
    tools: list[Any], budget: Any, policy: PollingPolicy, served: Mapping[int, list[Need]], measured: Mapping[int, Measured]
) -> dict[int, Cadence]:
    """BM-FREQ over the tools that share a budget. A tool that nothing is promised through keeps its interval as its wish."""
    sources = []
    for tool in tools:
        need = served[tool.pk][0] if tool.pk in served else None
        tier = need.tier if need else 4
        rpo_s = need.rpo_s if need else tool.poll_interval_s / _factor(policy, 4)
        questions = measured.get(tool.pk, Measured()).questions
        sources.append({"id": str(tool.pk), "rpo_seconds": rpo_s, "tier": tier, "calls_per_poll": questions})
    plan = polling_frequency({
        "sources": sources, "factors": {str(tier): _factor(policy, tier) for tier in (1, 2, 3, 4)},
        "min_seconds": policy.least_s, "max_seconds": policy.most_s, "use_fraction": float(policy.use_fraction),
        "budget_requests_per_hour": budget.requests_per_hour if budget else UNLIMITED,
    })  # fmt: skip
    return {
        tool.pk: _told(tool, plan["interval_seconds"][str(tool.pk)], plan, budget, policy, served.get(tool.pk, []), measured)
        for tool in tools
    }


def _told(
    tool: Any, planned_s: int, plan: Mapping[str, Any], budget: Any, policy: PollingPolicy, needs: list[Need],
    measured: Mapping[int, Measured],
) -> Cadence:  # fmt: skip
    need = needs[0] if needs else None
    wish_s = need.wanted_s if need else tool.poll_interval_s
    bounded_s = min(policy.most_s, max(policy.least_s, wish_s))
    recommended_s = planned_s if need or budget else tool.poll_interval_s
    return Cadence(
        tool=tool, asked_every_s=tool.poll_interval_s if tool.cadence == "fixed" else recommended_s, recommended_s=recommended_s,
        services=len(needs), need=need, measured=measured.get(tool.pk, Measured()), feasible=plan["feasible"],
        allowed_per_hour=plan["allowed"] if budget else None,
        reasons=tuple(_reasons(need, policy, bounded_s, recommended_s, budget, plan)),
    )  # fmt: skip


def _reasons(
    need: Need | None, policy: PollingPolicy, bounded_s: int, recommended_s: int, budget: Any, plan: Mapping[str, Any]
) -> Iterable[str]:
    """Why this interval, in the order in which it was worked out."""
    if need is None:
        yield "Nothing is promised through it yet, so nothing asks for another interval."
    else:
        share = f"{_factor(policy, need.tier) * 100:g}%"
        yield (
            f"{need.name} stands as tier {need.tier} and may lose {duration_words(need.rpo_s)}; "
            f"{share} of that is {duration_words(need.wanted_s)}."
        )
        if bounded_s > need.wanted_s:
            yield f"No tool is asked more often than every {duration_words(policy.least_s)}."
        if bounded_s < need.wanted_s:
            yield f"Every tool is asked at least every {duration_words(policy.most_s)}."
    if budget and recommended_s > bounded_s:
        yield (
            f"Longer, because {budget.name} lets {plan['allowed']:,.0f} of its {budget.requests_per_hour:,} questions an hour be used,"
            " and the lowest tier waits first."
        )
    if not plan["feasible"]:
        yield (
            f"Even so {plan['requests_per_hour']:,.0f} questions an hour are more than the {plan['allowed']:,.0f} that {budget.name} lets"
            " be used: ask for a higher limit, or read it through fewer tools."
        )
