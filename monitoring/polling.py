"""Ask tools that are due: claim, ask, keep what they said, note how they are."""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as deployment
from django.db import connection, transaction
from django.db.models import Q

from itsm_backup.common.http.client import trusting
from monitoring import attending, intake, mapping, quick_rounds, sameness
from monitoring.connectors.base import Answer, Runner, Step
from monitoring.connectors.fetching import fetching
from monitoring.connectors.querying import querying
from monitoring.connectors.running import run_program
from monitoring.models import BackupJob, RequestBudget, Tool, ToolState
from monitoring.models.tools import ToolStateQuerySet
from monitoring.storing import judge_again

log = logging.getLogger(__name__)
CLAIM = dt.timedelta(minutes=15)  # longer than any connector's own time limit
LONGEST_WAIT_S = 6 * 3600
JITTER = 0.1


def claim_due(*, at: dt.datetime, limit: int = 20, failing_at_once: int | None = None) -> list[int]:
    """Ids of tools to ask now, claimed so that nobody else asks them too.

    Of the tools that share a budget no more are claimed at a time than it lets be asked at once, and of those that did not answer
    in full the last time no more than `failing_at_once`.
    """
    with transaction.atomic():
        budgets = dict(RequestBudget.objects.order_by("pk").select_for_update().values_list("pk", "at_once"))
        busy = Counter(ToolState.objects.filter(claimed_until__gt=at, tool__budget__in=budgets).values_list("tool__budget", flat=True))
        free = {pk: at_once - busy[pk] for pk, at_once in budgets.items()}
        full = [pk for pk, places in free.items() if places <= 0]
        due = ToolState.objects.due(at).exclude(tool__budget__in=full)
        if failing_at_once is not None:
            due = _without_too_many_failing(due, at, failing_at_once)
        ids = []
        chosen = due.select_for_update(skip_locked=True, of=("self",)).order_by("next_poll_at")
        for tool, budget in chosen.values_list("pk", "tool__budget")[:limit]:
            if budget is None or free[budget] > 0:
                ids.append(tool)
                free[budget] = free.get(budget, 0) - 1
        ToolState.objects.filter(pk__in=ids).update(claimed_until=at + CLAIM)
    return ids


def _without_too_many_failing(due: ToolStateQuerySet, at: dt.datetime, most: int) -> ToolStateQuerySet:
    busy = ToolState.objects.filter(claimed_until__gt=at, consecutive_failures__gt=0).count()
    failing = due.filter(consecutive_failures__gt=0).order_by("next_poll_at").values("pk")[: max(0, most - busy)]
    return due.filter(Q(consecutive_failures=0) | Q(pk__in=list(failing.values_list("pk", flat=True))))


def give_back(tools: Sequence[int]) -> None:
    """Let others ask these tools, which were claimed and not asked."""
    ToolState.objects.filter(pk__in=tools).update(claimed_until=None)


class Replayed(ValueError):
    """The tool's answers are replayed recordings: there is nothing that could be asked."""


def poll(*, tool: Tool, at: dt.datetime, run: Runner | None = None) -> intake.Receipt:
    """Ask one tool once and store what it said; the tool's state tells how it went.

    `run` stands in for the program that the connector would start. Raises Replayed for a tool that has no program, and
    otherwise only if storing fails.
    """
    if tool.replayed and run is None:
        raise Replayed(f"{tool} is a replayed recording: it answers by itself, and there is nothing to ask.")
    known = quick_rounds.known_of(tool)
    answer = ask(tool=tool, cursor=known.cursor, run=run or run_program, at=at)
    reading = intake.understand(tool, answer)
    digest = sameness.digest_of(reading, at)
    next_poll_at = at + _wait(tool.asked_every_s(known.interval_s))
    usual = quick_rounds.keep(tool=tool, known=known, answer=answer, reading=reading, digest=digest, next_poll_at=next_poll_at, at=at)
    if usual:
        return usual
    receipt = intake.receive(tool=tool, answer=answer, at=at, understood=reading)
    attending.note_round(tool=tool, answer=answer, receipt=receipt, since=known.latest_complete_at, at=at)
    _note(tool=tool, receipt=receipt, digest=digest, at=at)
    return receipt


def ask(*, tool: Tool, cursor: Mapping[str, Any], at: dt.datetime, run: Runner = run_program) -> Answer:
    """What the tool says when it is asked from this place on. Stores nothing."""
    connector = tool.connector
    if not connector.polled:
        raise ValueError(f"{tool} reports by itself and cannot be polled.")
    settings = {**tool.settings, "zone": tool.zone, **mapping.settings_of(tool)}
    if getattr(connector, "over_sql", False):
        secrets: Any = tool.secrets
        with querying(allowed=deployment.TOOL_ADDRESSES, settings=settings, secrets=secrets) as query:
            queried: Answer = connector.ask(settings=settings, secrets=secrets, query=query, cursor=cursor)
        return queried
    if not getattr(connector, "over_http", False):
        asked: Answer = connector.ask(settings=settings, secrets=tool.secrets, run=run, cursor=cursor)
        return asked
    try:
        verify = trusting(tool.settings.get("certificates", ""))
    except ValueError as error:
        return Answer(kind="poll", steps=[Step(name="certificates", stderr=str(error))])
    with fetching(allowed=deployment.TOOL_ADDRESSES, verify=verify) as fetch:
        heard: Answer = connector.ask(settings=settings, secrets=tool.secrets, fetch=fetch, cursor={**cursor, "at": at.isoformat()})
    return heard


@transaction.atomic
def _note(*, tool: Tool, receipt: intake.Receipt, at: dt.datetime, digest: bytes | None = None) -> None:
    state = ToolState.objects.select_for_update().get(pk=tool.pk)
    state.claimed_until, state.compared_digest, state.compared_answer = None, digest, receipt.answer
    state.latest_answer_at = at
    state.cursor = receipt.cursor or state.cursor  # only now, when what was read is kept: what was not is asked for again
    if receipt.complete:
        is_first = state.latest_complete_at is None  # until now nothing was known through it
        state.latest_complete_at, state.consecutive_failures, state.problem = at, 0, ""
        _settle_what_waited(tool, at)
        if is_first:  # after the jobs, as settling does it: two who wait for each other would never end
            judge_again(BackupJob.objects.filter(tool=tool, service__isnull=False).values_list("service", flat=True), at)
    else:
        state.consecutive_failures += 1
        state.problem = " ".join(receipt.problems)[:1_000] or "The answer was not complete."
        log.warning("%s: %s", tool.name, state.problem)
    state.next_poll_at = at + _wait(state.asked_every_s, state.consecutive_failures)
    state.next_judgement_at = at
    state.save()


def _wait(usual_s: int, failures: int = 0) -> dt.timedelta:
    """Until the next question: the interval, doubled from the second failure in a row up to six hours, with jitter."""
    return pace(usual_s, failures) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing


def pace(usual_s: int, failures: int) -> dt.timedelta:
    """How long a tool that failed so often in a row waits, without jitter."""
    wait_s = usual_s if failures <= 1 else min(usual_s * 2 ** (failures - 1), LONGEST_WAIT_S)
    return dt.timedelta(seconds=max(wait_s, usual_s))


def _settle_what_waited(tool: Tool, at: dt.datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(quick_rounds.SETTLE, {"tool": tool.pk, "at": at})
