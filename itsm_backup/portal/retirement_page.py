"""How entries leave the catalogue: one entry's way out, and all that are leaving or gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q
from django.utils.safestring import SafeString

from catalogue import duties, retiring
from catalogue.models import Relation, Retirement, ScopeDecision, Service, ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Paging, paging_of
from itsm_backup.portal.words import instant, many, person

PAGE, SHOWN = 50, 30
MARKS = {"asked": "no_data", "planned": "at_risk", "done": "held", "refused": "", "called_off": ""}


@dataclass(frozen=True, kw_only=True)
class Row:
    service: Link
    code: str
    state: str
    mark: str
    ends: SafeString
    reason: str
    asked: SafeString
    asked_by: str
    decided: SafeString | str
    decided_by: str
    over: SafeString | str
    answer: str
    off: str  # who called it off and why
    successor: Link | None


@dataclass(frozen=True, kw_only=True)
class RetirementPage:
    code: str
    name: str
    sentence: str
    stops: tuple[str, ...]  # what stands in the way, a sentence each
    follows: tuple[str, ...]  # what happens with it on that day
    open: Row | None
    past: tuple[Row, ...]
    may_ask: bool
    may_decide: bool
    why_not: str  # why the person does not decide on the one that is asked for
    may_call_off: bool


@dataclass(frozen=True, kw_only=True)
class RetiredPage:
    sentence: str
    rows: tuple[Row, ...]
    paging: Paging


def retirement_page(*, service: Service, user: Any, moment: Moment) -> RetirementPage:
    """The way of one entry out of the catalogue, as it was known at that moment."""
    known = service.retirements.filter(asked_at__lte=moment.at).select_related("service", "successor", "asked_by", "decided_by")
    rows = list(known[:SHOWN])
    at_work = next((row for row in rows if retiring.state_at(row, moment.at) in Retirement.OPEN), None)
    name = _names([service.pk]).get(service.pk, service.code)
    off = retiring.callings_off(rows)
    told = [_row(row, {service.pk: name}, off, moment) for row in rows]
    lives = not any(retiring.state_at(row, moment.at) == "done" for row in rows)
    writes = not moment.past and Service.objects.visible_to(user, "change").filter(pk=service.pk).exists()
    state = at_work.state if at_work and not moment.past else ""
    refusal = _refusal(at_work, user, moment) if at_work and state == "asked" else ""
    return RetirementPage(
        code=service.code,
        name=name,
        sentence=_sentence(name, at_work, rows, moment),
        stops=tuple(retiring.obstacles(service=service, at=moment.at, reader=user)) if lives and not moment.past else (),
        follows=tuple(_follows(service, moment)) if lives and not moment.past else (),
        open=next((one for row, one in zip(rows, told, strict=True) if row is at_work), None),
        past=tuple(one for row, one in zip(rows, told, strict=True) if row is not at_work),
        may_ask=writes and at_work is None and lives,
        may_decide=state == "asked" and not refusal,
        why_not=refusal,
        may_call_off=bool(state) and (writes or (state == "planned" and duties.may(by=user, act="retire", on=service, at=moment.at))),
    )


def retired_page(*, user: Any, moment: Moment, page: int) -> RetiredPage:
    """Every entry that the person may see and that leaves, or left; those that wait first. A fixed number of queries."""
    rows = Retirement.objects.filter(service__in=Service.objects.visible_to(user), asked_at__lte=moment.at)
    rows = rows.exclude(state__in=("refused", "called_off"), over_at__lte=moment.at)
    counted = rows.aggregate(total=Count("pk"), open=Count("pk", filter=Q(over_at=None) | Q(over_at__gt=moment.at)))
    total, open_ones = counted["total"], counted["open"]
    first = PAGE * (max(1, page) - 1) if PAGE * (max(1, page) - 1) < total else 0
    waiting_first = rows.order_by(F("over_at").desc(nulls_first=True), "ends_at", "pk")
    shown = list(waiting_first.select_related("service", "successor", "asked_by", "decided_by")[first : first + PAGE])
    names, off = _names([row.service_id for row in shown]), retiring.callings_off(shown)
    return RetiredPage(
        sentence=f"{many(open_ones, 'entry leaves', 'entries leave')} the catalogue, {total - open_ones} left it.",
        rows=tuple(_row(row, names, off, moment) for row in shown),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("retired", page=number)),
    )


def _names(services: list[int]) -> dict[int, str]:
    """The name that each had last."""
    rows = ServiceVersion.objects.approved().filter(service__in=services).order_by("service", "number")
    return dict(rows.values_list("service", "name"))


def _row(row: Retirement, names: dict[int, str], callings_off: dict[int, retiring.CallingOff], moment: Moment) -> Row:
    state = retiring.state_at(row, moment.at)
    decided, over = row.decided_at is not None and row.decided_at <= moment.at, state not in Retirement.OPEN
    code, off = row.service.code, callings_off.get(row.pk)
    return Row(
        service=Link(names.get(row.service_id, code), moment.href("retirement", code)),
        code=code,
        state=Retirement.State(state).label,
        mark=MARKS[state],
        ends=instant(row.ends_at),
        reason=row.reason,
        asked=instant(row.asked_at),
        asked_by=person(row.asked_by),
        decided=instant(row.decided_at) if decided and row.decided_at else "",
        decided_by=person(row.decided_by) if decided else "",
        over=instant(row.over_at) if over and row.over_at else "",
        answer=(off.answer if off else row.answer) if decided or over else "",
        off=_off(off) if off and over else "",
        successor=Link(row.successor.code, moment.href("service", row.successor.code)) if row.successor else None,
    )


def _off(off: retiring.CallingOff) -> str:
    return f"{f'Called off by {person(off.by)}' if off.by else 'Called off'}: {off.why}"


def _refusal(row: Retirement, user: Any, moment: Moment) -> str:
    try:
        retiring.check_decider(row, user, moment.at)
    except retiring.NotAllowed as error:
        return str(error)
    return ""


def _sentence(name: str, at_work: Retirement | None, rows: list[Retirement], moment: Moment) -> str:
    if at_work is None:
        done = next((row for row in rows if retiring.state_at(row, moment.at) == "done"), None)
        return f"{name} is retired." if done else f"{name} stays in the catalogue."
    planned = retiring.state_at(at_work, moment.at) == "planned"
    return f"{name} leaves the catalogue." if planned else f"{name} is to leave the catalogue, says its steward."


def _follows(service: Service, moment: Moment) -> list[str]:
    """What happens with it on that day, beside its own end."""
    standing = Relation.objects.standing(moment.at).exclude(kind=Relation.Kind.SUPERSEDES)
    relations = standing.filter(Q(consumer=service) | Q(provider=service)).count()
    carried = ScopeDecision.objects.current(moment.at).filter(entry=service).count()
    told = [
        "Its version in force ends; it leaves every list, total, chart and report of what comes after. What was so before stays readable.",
        "Nothing is expected of it any more, its alerts end, and nobody is asked to attest it.",
    ]
    if relations:
        told.append(f"{many(relations, 'relation')} of it {'ends' if relations == 1 else 'end'}.")
    if carried:
        told.append(
            f"{many(carried, 'backup service')} of the scope register {'is' if carried == 1 else 'are'} carried by it, and"
            f" {'waits' if carried == 1 else 'wait'} for a new decision then."
        )
    return told
