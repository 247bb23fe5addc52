"""One restore test by people: what is planned, what came of it, who verified it; and the form that plans one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue import duties
from catalogue.models import Service
from catalogue.refusing import NotAllowed
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import names_of
from itsm_backup.portal.restore_plans_page import PlanRow, plan_row, result_of, what_of
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import day, instant, person
from monitoring import testing_restores
from monitoring.models import BackupJob, RestorePlan, RestoreTest

MOST_PEOPLE = 200
State = RestorePlan.State
OUTCOMES = (("passed", "It passed"), ("failed", "It failed"))
COMPARED = (("yes", "Compared, and it is what was saved"), ("no", "Compared, and it differs"), ("", "Nobody compared it"))


@dataclass(frozen=True, kw_only=True)
class RestorePlanPage:
    pk: int
    row: PlanRow
    name: str
    code: str
    facts: tuple[tuple[str, Any], ...]
    run: str
    may_record: bool
    may_verify: bool
    may_reject: bool
    may_cancel: bool
    why_not: str
    problems: tuple[str, ...]
    typed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PlanForm:
    code: str
    name: str
    jobs: tuple[Choice, ...]
    testers: tuple[Choice, ...]
    scopes: tuple[Choice, ...]
    why_not: str
    problems: tuple[str, ...]
    typed: Mapping[str, str]


def restore_plan_page(
    *,
    plan: RestorePlan,
    user: Any,
    moment: Moment,
    problems: tuple[str, ...] = (),
    typed: Mapping[str, str] | None = None,
) -> RestorePlanPage:
    """The page of a test that the person may see."""
    names, state = names_of([plan.service_id], moment), plan.state_at(moment.at)
    present = not moment.past
    not_planner = duties.refusal(by=user, act="test_restores", on=plan.service, at=moment.now)
    return RestorePlanPage(
        pk=plan.pk, row=plan_row(plan, names, moment), name=names.get(plan.service_id, plan.service.code), code=plan.service.code,
        facts=tuple(_facts(plan, state)), run=moment.href("run", plan.run_id) if plan.run_id and state != State.PLANNED else "",
        may_record=present and state == State.PLANNED and user.pk == plan.tester_id,
        may_verify=present and state == State.RECORDED and not _not_verifier(plan, user, moment), may_reject=plan.outcome == "passed",
        may_cancel=present and state == State.PLANNED and not not_planner,
        why_not=_why_not(plan, user, state, moment) if present else "", problems=problems, typed=typed or {},
    )  # fmt: skip


def _not_verifier(plan: RestorePlan, user: Any, moment: Moment) -> str:
    try:
        testing_restores.check_verifier(row=plan, by=user, at=moment.now)
    except NotAllowed as error:
        return str(error)
    return ""


def _why_not(plan: RestorePlan, user: Any, state: str, moment: Moment) -> str:
    if state == State.PLANNED and user.pk != plan.tester_id:
        return f"{person(plan.tester)} runs it and records what came of it."
    return _not_verifier(plan, user, moment) if state == State.RECORDED else ""


def _facts(plan: RestorePlan, state: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [
        ("Day", day(plan.planned_on)), ("What", what_of(plan)), ("Tester", person(plan.tester)),
        ("Where", plan.place or "not said"), ("Planned by", f"{person(plan.made_by)}"),
    ]  # fmt: skip
    if state in (State.PLANNED, State.CANCELLED) or plan.started_at is None or plan.ended_at is None:
        return found
    found += [
        ("Result", result_of(plan)), ("Started", _started(plan.started_at, plan.made_at)),
        ("Measured", duration_words((plan.ended_at - plan.started_at).total_seconds())), ("What was done", plan.remark),
    ]  # fmt: skip
    if state != State.RECORDED:
        found += [("Verified by" if state == State.VERIFIED else "Rejected by", person(plan.verified_by)), ("Looked at", plan.finding)]
    return found


def _started(started_at: dt.datetime, made_at: dt.datetime) -> SafeString:
    return format_html("{}, before it was planned", instant(started_at)) if started_at < made_at else instant(started_at)


def plan_form(
    *, service: Service, user: Any, moment: Moment, problems: tuple[str, ...] = (), typed: Mapping[str, str] | None = None
) -> PlanForm:
    """The form that plans a test of a service that the person may see."""
    typed = typed or {"scope": "full", "tester": str(user.pk)}
    jobs = BackupJob.objects.filter(service=service).order_by("name")[:MOST_PEOPLE]
    return PlanForm(
        code=service.code, name=names_of([service.pk], moment).get(service.pk, service.code),
        jobs=tuple(_choice(one.pk, one.name, typed.get("job")) for one in jobs),
        testers=tuple(_choice(one.pk, person(one), typed.get("tester")) for one in _testers(service, user)),
        scopes=tuple(_choice(value, label.capitalize(), typed.get("scope")) for value, label in RestoreTest.Scope.choices),
        why_not=duties.refusal(by=user, act="test_restores", on=service, at=moment.now), problems=problems, typed=typed,
    )  # fmt: skip


def _choice(value: Any, words: str, chosen: str | None) -> Choice:
    return Choice(value=str(value), words=words, chosen=str(value) == chosen)


def _testers(service: Service, user: Any) -> list[Any]:
    """Who may see the entry, by name; the person who plans first."""
    able = {one.pk for one in duties.who_may("view", service)} | {user.pk}
    people: Any = get_user_model().objects.filter(pk__in=able, is_active=True).order_by("first_name", "last_name", "username")
    return list(people[:MOST_PEOPLE])
