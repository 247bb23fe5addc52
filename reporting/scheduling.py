"""When a report is due: at its hour of the month, and once a day afterwards, because late runs make a new revision."""

from __future__ import annotations

import datetime as dt
import logging
from zoneinfo import ZoneInfo

from django.db.models import Q

from reporting import compiling, delivering, rendering
from reporting.models import Report, ReportSchedule, ScheduleState
from reporting.scoping import Month, month_before

log = logging.getLogger(__name__)
LOOK_AGAIN = dt.timedelta(days=1)
AFTER_TROUBLE = dt.timedelta(hours=1)
CLAIM = dt.timedelta(minutes=30)  # longer than a report takes: then its worker has died


def claim_due(*, at: dt.datetime) -> list[int]:
    """Ids of the schedules to work on now, each claimed for this caller alone."""
    claimed = []
    for schedule in ReportSchedule.objects.filter(enabled=True).select_related("state"):
        if _is_due(schedule, at):
            state, _ = ScheduleState.objects.get_or_create(schedule=schedule)
            free = ScheduleState.objects.filter(Q(claimed_until=None) | Q(claimed_until__lte=at), pk=state.pk, looked_at=state.looked_at)
            if free.update(claimed_until=at + CLAIM):
                claimed.append(schedule.pk)
    return claimed


def _is_due(schedule: ReportSchedule, at: dt.datetime) -> bool:
    if at < due_at(schedule, month_before(at, zone=schedule.zone)):
        return False
    state = getattr(schedule, "state", None)
    if state is None or state.looked_at is None:
        return True
    return state.looked_at < due_at(schedule, month_before(at, zone=schedule.zone)) or at >= state.looked_at + (
        AFTER_TROUBLE if state.problem else LOOK_AGAIN
    )


def due_at(schedule: ReportSchedule, month: Month) -> dt.datetime:
    """When the report of the month is due."""
    day = month.following.replace(day=schedule.day_of_month)
    return dt.datetime.combine(day, schedule.local_time, ZoneInfo(schedule.zone)).astimezone(dt.UTC)


def work(*, schedule: ReportSchedule, at: dt.datetime, month: Month | None = None) -> tuple[Report, bool]:
    """Compile, render and deliver the report of the month (the one before, unless another is named); what is done stays done.

    Raises scoping.NotYet or compiling.Busy; any other failure stands in the schedule's state too.
    """
    try:
        made = _work(schedule, at, month or month_before(at, zone=schedule.zone))
    except Exception as error:
        ScheduleState.objects.update_or_create(
            schedule=schedule, defaults={"looked_at": at, "claimed_until": None, "problem": f"{type(error).__name__}: {error}"[:500]}
        )
        raise
    ScheduleState.objects.update_or_create(schedule=schedule, defaults={"looked_at": at, "claimed_until": None, "problem": ""})
    return made


def _work(schedule: ReportSchedule, at: dt.datetime, month: Month) -> tuple[Report, bool]:
    report, new = compiling.compile_month(month=month, scope=compiling.scope_of(schedule), at=at, schedule=schedule, policy=schedule.policy)
    rendering.render(report=report, at=at)
    delivering.deliver(report=report, at=at)
    return report, new
