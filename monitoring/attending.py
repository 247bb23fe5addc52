"""How asking tools goes, kept day by day: rounds, failures, load, and how late runs were known."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models.functions import Coalesce

from monitoring.connectors.base import Answer
from monitoring.intake import Receipt
from monitoring.models import BackupRun, Tool
from monitoring.scoring import took_s

ADD = """
INSERT INTO monitoring_toolday AS d
  (tool_id, "on", rounds, failures, exchanges, size_bytes, took_s, longest_s, runs_known, delay_s, longest_delay_s, problem)
SELECT %(tool)s, %(on)s, 1, %(failed)s, %(exchanges)s, %(volume)s, %(took)s, %(took)s, %(known)s, %(delay)s, %(longest)s, %(problem)s
  {given}
ON CONFLICT (tool_id, "on") DO UPDATE SET rounds = d.rounds + 1, failures = d.failures + EXCLUDED.failures,
  exchanges = d.exchanges + EXCLUDED.exchanges, size_bytes = d.size_bytes + EXCLUDED.size_bytes, took_s = d.took_s + EXCLUDED.took_s,
  longest_s = greatest(d.longest_s, EXCLUDED.longest_s), runs_known = d.runs_known + EXCLUDED.runs_known,
  delay_s = d.delay_s + EXCLUDED.delay_s, longest_delay_s = greatest(d.longest_delay_s, EXCLUDED.longest_delay_s),
  problem = coalesce(nullif(EXCLUDED.problem, ''), d.problem)
"""


def note_round(*, tool: Tool, answer: Answer, receipt: Receipt, since: dt.datetime | None, at: dt.datetime) -> None:
    """Add one round to the tool's day. `since` is the full round before it: what ended earlier was known late for another reason."""
    with connection.cursor() as cursor:
        cursor.execute(ADD.format(given=""), added(tool=tool, answer=answer, receipt=receipt, since=since, at=at))


def added(*, tool: Tool, answer: Answer, receipt: Receipt, since: dt.datetime | None, at: dt.datetime) -> dict[str, Any]:
    """What `ADD` is given of a round."""
    delays = [] if tool.replayed else _delays(receipt, since, at)  # a replay looks at days at once, so its delays mean nothing
    return {
        "tool": tool.pk,
        "on": at.astimezone(dt.UTC).date(),
        "failed": int(not receipt.complete),
        "exchanges": len(answer.steps),
        "volume": sum(len(step.stdout or "") for step in answer.steps),
        "took": sum(took_s(step) or 0.0 for step in answer.steps),
        "known": len(delays),
        "delay": sum(delays),
        "longest": max(delays, default=0.0),
        "problem": "" if receipt.complete else " ".join(receipt.problems)[:1_000],
    }


def _delays(receipt: Receipt, since: dt.datetime | None, at: dt.datetime) -> list[float]:
    """Seconds from the end of each run that this round told for the first time until now."""
    stored = [result.run for result in receipt.results if result.status == "stored" and result.run]
    if since is None or not stored:
        return []
    fresh = BackupRun.objects.filter(pk__in=stored, first_seen_at=at).annotate(end=Coalesce("ended_at", "captured_at"))
    return [(at - end).total_seconds() for end in fresh.filter(end__gt=since, end__lte=at).values_list("end", flat=True)]
