"""The usual round of a tool that is asked: it says what it said before, and one statement keeps that.

The statement begins with the tool's state, and goes on only if the same was compared before and nothing was heard of the tool
since: so either nobody came between, or nothing is written and the answer is stored under the way of `intake.receive`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from monitoring import answers
from monitoring.asking import fetch_prepared
from monitoring.attending import ADD, added
from monitoring.connectors.base import Answer, Reading
from monitoring.intake import Receipt, unchanged
from monitoring.models import Tool, ToolState

# A complete reading can confirm what was absent: jobs with an unsettled occurrence past its deadline look again.
SETTLE = """
UPDATE monitoring_jobstate SET next_settlement_at = %(at)s
WHERE (next_settlement_at IS NULL OR next_settlement_at > %(at)s) AND job_id IN (
  SELECT e.job_id FROM monitoring_expectedrun e JOIN monitoring_backupjob j ON j.id = e.job_id
  WHERE j.tool_id = %(tool)s AND e.settled_at IS NULL AND e.deadline_at < %(at)s)"""
_KNOWN = """
SELECT cursor::text, compared_digest, compared_answer, latest_complete_at, interval_s FROM monitoring_toolstate WHERE tool_id = %(tool)s"""
# The row of the state is locked last, as by everybody else: two who wait for each other would never end.
_KEEP = f"""
WITH same AS (SELECT FROM monitoring_toolstate WHERE tool_id = %(tool)s AND compared_digest = %(said)s AND NOT EXISTS (
  SELECT FROM monitoring_rawanswer WHERE tool_id = %(tool)s AND received_at >= %(since)s AND id > %(compared)s)),
kept AS (INSERT INTO monitoring_rawanswer (received_at, tool_id, kind, body, size_bytes, sha256, read_at)
  SELECT %(at)s, %(tool)s, %(kind)s, %(body)s, %(size)s, %(sha256)s, %(at)s FROM same RETURNING id),
day AS ({ADD.format(given="FROM kept")} RETURNING 1),
settled AS ({SETTLE} AND EXISTS (SELECT FROM kept) RETURNING 1),
noted AS (UPDATE monitoring_toolstate SET claimed_until = NULL, latest_answer_at = %(at)s, latest_complete_at = %(at)s,
    cursor = %(cursor)s::jsonb, compared_answer = kept.id, consecutive_failures = 0, problem = '', next_poll_at = %(next)s,
    next_judgement_at = %(at)s
  FROM kept WHERE tool_id = %(tool)s AND (SELECT count(*) FROM day) + (SELECT count(*) FROM settled) >= 0)
SELECT id FROM kept"""  # noqa: S608 - our own names


class Known(msgspec.Struct, kw_only=True, frozen=True):
    """What is known of the tool before it is asked."""

    cursor: dict[str, Any]
    compared_digest: bytes | None
    compared_answer: int | None
    latest_complete_at: dt.datetime | None
    interval_s: int | None


def known_of(tool: Tool) -> Known:
    """The state of the tool as it stands now; a tool without one gets it."""
    row = fetch_prepared(_KNOWN, {"tool": tool.pk}, changes_nothing=True)
    if row is None:
        ToolState.objects.get_or_create(tool=tool)
        return known_of(tool)
    cursor, digest, *others = row
    names = ("compared_answer", "latest_complete_at", "interval_s")
    return Known(cursor=msgspec.json.decode(cursor), compared_digest=digest and bytes(digest), **dict(zip(names, others, strict=True)))


def keep(
    *, tool: Tool, known: Known, answer: Answer, reading: Reading, digest: bytes | None, next_poll_at: dt.datetime, at: dt.datetime
) -> Receipt | None:
    """Keep an answer that says what is known by this digest, and note the round. None, and nothing written, when it does not."""
    if digest is None or digest != known.compared_digest:
        return None
    packed = answers.pack(answer)
    receipt = unchanged(reading, 0)
    told = added(tool=tool, answer=answer, receipt=receipt, since=None, at=at)
    kept = fetch_prepared(
        _KEEP,
        told
        | {"said": digest, "since": known.latest_complete_at, "compared": known.compared_answer, "next": next_poll_at, "at": at}
        | {"kind": answer.kind, "body": packed.body, "size": packed.size_bytes, "sha256": packed.sha256}
        | {"cursor": msgspec.json.encode(receipt.cursor or known.cursor).decode()},
    )
    return msgspec.structs.replace(receipt, answer=kept[0]) if kept else None
