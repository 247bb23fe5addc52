"""Restore tests of the estate: what wants one, what is planned, overdue or waits to be verified, and what came of the latest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from catalogue.models import Service
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link, names_of
from itsm_backup.portal.words import PROVEN, day, many, person
from monitoring.due_restores import Due, due_tests
from monitoring.models import RestorePlan
from monitoring.wording import restore_sentence

MOST, DONE = 200, 30
State = RestorePlan.State
STATES = {
    State.PLANNED: ("held", "Planned"),
    State.RECORDED: ("at_risk", "Waits to be verified"),
    State.VERIFIED: ("kept", "Verified"),
    State.REJECTED: ("no_data", "Rejected"),
    State.CANCELLED: ("no_data", "Cancelled"),
}


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """`state` is a mark and its word; `result` what came of it, empty before."""

    href: str
    service: Link
    what: str
    on: str
    tester: str
    state: tuple[str, str]
    result: str


@dataclass(frozen=True, kw_only=True)
class DueRow:
    service: Link
    verdict: tuple[str, str]
    why: str
    by: str
    plan: str


@dataclass(frozen=True, kw_only=True)
class RestorePlansPage:
    sentence: str
    due: tuple[DueRow, ...]
    more_due: int
    open: tuple[PlanRow, ...]
    more_open: int
    done: tuple[PlanRow, ...]
    may_plan: bool


def restore_plans_page(*, user: Any, moment: Moment) -> RestorePlansPage:
    """What the person may see of it at the moment; a fixed number of queries."""
    seen = RestorePlan.objects.visible_to(user).filter(made_at__lte=moment.at).select_related("service", "job", "tester")
    over = Q(verified_at__lte=moment.at) | Q(cancelled_at__lte=moment.at)
    going = seen.exclude(pk__in=seen.filter(over).values("pk"))
    rows, done = list(going[: MOST + 1]), list(seen.filter(over).order_by("-planned_on", "-pk")[:DONE])
    due, wanted = ([], 0) if moment.past else due_tests(user=user, at=moment.at)
    names = names_of([*(one.service_id for one in (*rows, *done)), *(one.service_id for one in due)], moment)
    codes = dict(Service.objects.filter(pk__in=[one.service_id for one in due]).values_list("pk", "code")) if due else {}
    overdue = going.filter(planned_on__lt=moment.at.date()).exclude(recorded_at__lte=moment.at).count()
    return RestorePlansPage(
        sentence=_sentence(overdue, wanted, moment),
        due=tuple(_due(one, codes[one.service_id], names, moment) for one in due),
        more_due=wanted - len(due),
        open=tuple(plan_row(one, names, moment) for one in rows[:MOST]),
        more_open=_more(going, rows),
        done=tuple(plan_row(one, names, moment) for one in done),
        may_plan=not moment.past and Service.objects.visible_to(user, "override").exists(),
    )


def _more(going: QuerySet[RestorePlan], rows: list[RestorePlan]) -> int:
    return going.count() - MOST if len(rows) > MOST else 0


def _sentence(overdue: int, wanted: int, moment: Moment) -> str:
    if overdue:
        return f"{many(overdue, 'restore test')} {'is' if overdue == 1 else 'are'} overdue."
    if wanted:
        return f"{many(wanted, 'service')} {'wants' if wanted == 1 else 'want'} a restore test that nobody has planned."
    return "No restore test was overdue." if moment.past else "Every promise to get copies back is proven, or a test of it is planned."


def _due(one: Due, code: str, names: Mapping[int, str], moment: Moment) -> DueRow:
    claim = one.claim
    mark = "kept" if claim["reason"] == "kept" else "broken" if claim["reason"] == "contradicted" else "no_data"
    by = day(parse_instant(claim["due_at"]).date()) if claim["due_at"] else "now"
    href = moment.href("plan_restore", code)
    return DueRow(
        service=Link(names.get(one.service_id, code), moment.href("service", code)), verdict=(mark, PROVEN[mark]),
        why=restore_sentence(claim), by=by, plan=href,
    )  # fmt: skip


def plan_row(one: RestorePlan, names: Mapping[int, str], moment: Moment) -> PlanRow:
    """One test as lists show it, as it stood at the moment."""
    state = one.state_at(moment.at)
    late = state == State.PLANNED and one.planned_on < moment.at.date()
    code = one.service.code
    return PlanRow(
        href=moment.href("restore_plan", one.pk), service=Link(names.get(one.service_id, code), moment.href("service", code)),
        what=what_of(one), on=day(one.planned_on), tester=person(one.tester),
        state=("broken", "Overdue") if late else STATES[State(state)],
        result=result_of(one) if state not in (State.PLANNED, State.CANCELLED) else "",
    )  # fmt: skip


def what_of(one: RestorePlan) -> str:
    return f"{'Everything' if one.scope == 'full' else 'A sample'} of {one.job.name}"


def result_of(one: RestorePlan) -> str:
    """`Passed in 2 h 10 min, compared and right`."""
    if one.started_at is None or one.ended_at is None:
        return ""
    took = duration_words((one.ended_at - one.started_at).total_seconds())
    compared = {True: "compared and right", False: "not as saved", None: "not compared"}[one.compared]
    return f"{one.get_outcome_display().capitalize()} {'in' if one.outcome == 'passed' else 'after'} {took}, {compared}"
