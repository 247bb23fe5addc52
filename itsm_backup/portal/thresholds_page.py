"""Thresholds of the status, and what others would have made of past days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue import duties
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import STATUSES, clock, instant, many
from monitoring import rehearsing, rehearsing_alerts, workflow
from monitoring.models import StatusWorkflow
from monitoring.rehearsing import Course, Rehearsal
from monitoring.rehearsing_alerts import Told, Trial

DAYS, SHOWN = (1, 7, 30), 100


@dataclass(frozen=True, kw_only=True)
class FieldRow:
    name: str
    label: str
    hint: str
    now: str
    value: str


@dataclass(frozen=True, kw_only=True)
class CourseRow:
    service: Link
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps_before: int
    steps_after: int


@dataclass(frozen=True, kw_only=True)
class FlappingRow:
    job: str
    service: Link
    before: tuple[SafeString, ...]  # when it flapped
    after: tuple[SafeString, ...]
    alerts_before: int
    alerts_after: int


@dataclass(frozen=True, kw_only=True)
class ThresholdsPage:
    sentence: str
    fields: tuple[FieldRow, ...]
    days: int
    choices: tuple[int, ...]
    changed: bool
    problems: tuple[str, ...]
    tried: bool
    since: SafeString | str
    note: str
    rows: tuple[CourseRow, ...]
    more: int
    alerts_note: str
    flapping: tuple[FlappingRow, ...]
    may_change: bool
    why_not: str
    reason: str


_BEYOND = "beyond so many times the recovery point"
_HINTS = {
    "at_risk_fraction": "this share of the promised recovery point on",
    **{f"outage_factor_tier_{tier}": _BEYOND for tier in (1, 2, 3, 4)},
    "fall_after": "so many bad occurrences in a row",
    "rise_after": "so many good occurrences in a row",
    "flap_window": "so many of a job's latest occurrences",
    "flap_start_ratio": "this share of changes between good and bad",
    "flap_stop_ratio": "this share of changes",
}


def thresholds_page(
    *, user: Any, moment: Moment, typed: Mapping[str, str], days: int, reason: str = "", problems: tuple[str, ...] = ()
) -> ThresholdsPage:
    """The thresholds in force; with others typed, what these would have made of the last days."""
    row = workflow.current()
    values = {name: typed[name].strip() for name in workflow.FIELDS if name in typed}
    draft: StatusWorkflow | None = None
    if values and not problems:
        try:
            draft = workflow.drafted(values)
        except workflow.NotReady as error:
            problems = tuple(error.problems)
    flaps = draft is not None and workflow.flapping(draft) != workflow.flapping(row)
    changed = draft is not None and (flaps or workflow.thresholds(draft) != workflow.thresholds(row))
    tried = _tried(draft, user, moment, days) if draft is not None and changed else None
    rows = _rows(tried, moment) if tried else ()
    alerts = _alerts(row, draft, user, moment, days) if draft is not None and flaps else None
    why_not = duties.objection(user, StatusWorkflow, moment.now)
    may = not why_not and user.has_perm("monitoring.change_statusworkflow") and not moment.past
    return ThresholdsPage(
        sentence=_sentence(tried, len(rows), alerts),
        fields=tuple(
            FieldRow(
                name=name,
                label=workflow.LABELS[name],
                hint=hint,
                now=_plain(getattr(row, name)),
                value=values.get(name, _plain(getattr(row, name))),
            )
            for name, hint in _HINTS.items()
        ),
        days=days,
        choices=DAYS,
        changed=changed,
        problems=problems,
        tried=tried is not None,
        since=instant(tried.since) if tried else "",
        note=_note(tried) if tried else "",
        rows=rows[:SHOWN],
        more=max(0, len(rows) - SHOWN),
        alerts_note=_alerts_note(alerts) if alerts else "",
        flapping=_flapping_rows(alerts, moment) if alerts else (),
        may_change=may,
        why_not=why_not,
        reason=reason,
    )


def _plain(value: Any) -> str:
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _tried(draft: StatusWorkflow, user: Any, moment: Moment, days: int) -> Rehearsal:
    services = Service.objects.visible_to(user)
    since = moment.at - dt.timedelta(days=days)
    return rehearsing.rehearse(services=services, thresholds=workflow.thresholds(draft), since=since, until=moment.at)


def _alerts(row: StatusWorkflow, draft: StatusWorkflow, user: Any, moment: Moment, days: int) -> Trial:
    return rehearsing_alerts.rehearse(
        services=Service.objects.visible_to(user), thresholds=workflow.flapping(row), others=workflow.flapping(draft),
        since=moment.at - dt.timedelta(days=days), until=moment.at,
    )  # fmt: skip


def _sentence(tried: Rehearsal | None, differing: int, alerts: Trial | None) -> str:
    if tried is None:
        return "The thresholds by which measurements become a status."
    of = many(len(tried.courses), "service")
    told = f"{differing} of {of} would have stood otherwise" if differing else f"None of {of} would have stood otherwise"
    if alerts is None:
        return f"{told}."
    return f"{told}; {many(alerts.flapping('after'), 'job')} would have flapped, {alerts.flapping('before')} did."


def _alerts_note(alerts: Trial) -> str:
    told = f"{many(len(alerts.before), 'job')} failed or did not run in this time; what happened to them is told again. "
    told += f"Alerts of jobs: {alerts.alerts('before')} by the thresholds in force, {alerts.alerts('after')} with these."
    return f"{told} There were more jobs: the first {rehearsing_alerts.MOST_JOBS} by name are told." if alerts.cut else told


def _flapping_rows(alerts: Trial, moment: Moment) -> tuple[FlappingRow, ...]:
    rows = []
    for before, after in zip(alerts.before, alerts.after, strict=True):
        if before.flapped or after.flapped:
            code = before.job.service.code if before.job.service else ""
            rows.append(
                FlappingRow(
                    job=before.job.name, service=Link(code, moment.href("service", code)), before=_spans(before, moment),
                    after=_spans(after, moment), alerts_before=sum(before.classes.values()), alerts_after=sum(after.classes.values()),
                )
            )  # fmt: skip
    return tuple(rows[:SHOWN])


def _spans(told: Told, moment: Moment) -> tuple[SafeString, ...]:
    return tuple(format_html("{} to {}", clock(begun, moment), clock(ended, moment) if ended else "now") for begun, ended in told.flapped)


def _note(tried: Rehearsal) -> str:
    before = sum(len(each.before) - 1 for each in tried.courses)
    after = sum(len(each.after) - 1 for each in tried.courses)
    bad = [sum(_bad(each, steps) for each in tried.courses) for steps in ("before", "after")]
    told = f"{many(tried.evaluations, 'judgement')} made again. Steps of status: {before} before, {after} with these thresholds."
    if tried.unwatched:
        told += f" In {many(tried.unwatched, 'stretch', 'stretches')} nothing was judged at that time: there the last status stands."
    return f"{told} Degraded or out, all services together: {duration_words(bad[0])} before, {duration_words(bad[1])} with these."


def _bad(course: Course, which: str) -> float:
    spent = course.seconds(course.before if which == "before" else course.after)
    return spent.get("degraded", 0.0) + spent.get("outage", 0.0)


def _rows(tried: Rehearsal, moment: Moment) -> tuple[CourseRow, ...]:
    differing = [each for each in tried.courses if each.differs]
    pks = [each.service_id for each in differing]
    names = {row.service_id: row for row in ServiceVersion.objects.in_force(moment.at).filter(service__in=pks).select_related("service")}
    codes = dict(Service.objects.filter(pk__in=pks).values_list("pk", "code"))
    rows = []
    for each in differing:
        version, code = names.get(each.service_id), codes[each.service_id]
        rows.append(
            CourseRow(
                service=Link(version.name if version else code, moment.href("service", code)), before=_spent(each, each.before),
                after=_spent(each, each.after), steps_before=len(each.before) - 1, steps_after=len(each.after) - 1,
            )
        )  # fmt: skip
    return tuple(rows)


def _spent(course: Course, steps: Any) -> tuple[str, ...]:
    spent = course.seconds(steps)
    return tuple(f"{STATUSES[status][0]} {duration_words(seconds)}" for status, seconds in sorted(spent.items(), key=lambda one: -one[1]))
