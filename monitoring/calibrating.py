"""Setting how often tools are asked: taking a recommendation over, letting one be followed by itself, and following it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from catalogue import duties
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup.common.models import because
from monitoring import cadence, polling
from monitoring.models import PollingPolicy, Tool, ToolState


def calibrate(*, names: Sequence[str], follow: bool, by: Any, at: dt.datetime, reason: str) -> list[Tool]:
    """Ask these tools as is recommended: from now on as set, or, with `follow`, as it is worked out anew every hour.

    Returns the tools that changed. All or none. Raises NotAllowed naming a tool that the person may not change, NotReady.
    """
    if objection := duties.objection(by, Tool, at):
        raise NotAllowed(objection)
    problems = [] if names else ["Choose at least one tool."]
    problems += [] if reason.strip() else ["Say why: the reason is kept with the tool's settings."]
    if problems:
        raise NotReady(problems)
    told = {one.tool.name: one for one in cadence.cadences(at=at)}
    with transaction.atomic(), because(reason.strip(), by=by):
        mine = {tool.name: tool for tool in Tool.objects.visible_to(by, "change").filter(name__in=names).select_for_update(of=("self",))}
        changed = []
        for name in sorted(set(names)):
            if name not in told:
                raise NotReady([f"{name} is not asked: it reports by itself or is switched off."])
            _check(told[name].tool, mine, by)
            if _set(mine[name], told[name].recommended_s, follow):
                changed.append(mine[name])
        recalculate(at=at)
    return changed


def _check(tool: Tool, mine: dict[str, Tool], by: Any) -> None:
    if tool.name not in mine or not by.is_active:
        able = duties.names(duties.who_may("change", tool, except_ids=[by.pk]))
        raise NotAllowed(f"You may not set how often {tool} is asked. {f'{able} can.' if able else 'Nobody can yet.'}")


def _set(tool: Tool, recommended_s: int, follow: bool) -> bool:
    wanted = Tool.Cadence.COMPUTED if follow else Tool.Cadence.FIXED
    interval_s = tool.poll_interval_s if follow else recommended_s
    if (tool.cadence, tool.poll_interval_s) == (wanted, interval_s):
        return False
    tool.cadence, tool.poll_interval_s = wanted, interval_s
    tool.save()
    return True


def recalculate(*, at: dt.datetime) -> int:
    """Work out the interval of every tool that follows the recommendation; returns how many changed.

    One that is to be asked more often than it waits is asked that much earlier, unless it is failing: then its own pace stands.
    """
    fixed = ToolState.objects.filter(tool__cadence=Tool.Cadence.FIXED, interval_s__isnull=False)
    changed = fixed.update(interval_s=None, next_judgement_at=at)
    for one in cadence.cadences(at=at):
        state = ToolState.objects.filter(tool=one.tool.pk)
        if one.tool.cadence == Tool.Cadence.COMPUTED:
            changed += state.exclude(interval_s=one.recommended_s).update(interval_s=one.recommended_s, next_judgement_at=at)
        wait = dt.timedelta(seconds=one.asked_every_s)
        late = state.filter(consecutive_failures=0, next_poll_at__gt=F("latest_answer_at") + wait * (1 + polling.JITTER))
        late.update(next_poll_at=F("latest_answer_at") + wait)
    return changed


def take_up(*, tool: Tool, at: dt.datetime) -> None:
    """Follow what was just set for this tool: whether it is silent is judged anew, and a longer wait than it has now ends earlier.

    The pace of one that fails is that of its new interval.
    """
    ToolState.objects.filter(tool=tool.pk).update(next_judgement_at=at)
    if tool.cadence == Tool.Cadence.COMPUTED:
        recalculate(at=at)
        return
    ToolState.objects.filter(tool=tool.pk, interval_s__isnull=False).update(interval_s=None)
    state = ToolState.objects.filter(tool=tool.pk, next_poll_at__isnull=False, latest_answer_at__isnull=False).first()
    if state is None:
        return
    wait = polling.pace(tool.poll_interval_s, state.consecutive_failures)
    # By what it waited for when it was read: a round that ended meanwhile has already set the next one.
    waits = ToolState.objects.filter(tool=tool.pk, next_poll_at=state.next_poll_at)
    waits.filter(next_poll_at__gt=F("latest_answer_at") + wait * (1 + polling.JITTER)).update(next_poll_at=F("latest_answer_at") + wait)


def shipped_policy() -> PollingPolicy:
    """The policy as a row that people can change; a fresh installation starts with the shipped one."""
    with because("Shipped policy"):
        return PollingPolicy.objects.get_or_create(pk=1)[0]
