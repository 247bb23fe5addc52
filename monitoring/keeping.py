"""How the copies of one service are kept: encrypted, for how long, locked, where they lie; and those of the sawtooth. One question."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from catalogue.models import Commitment, ServiceVersion
from itsm_backup.common.time import iso
from monitoring import locking, placing
from monitoring.asking import fetch
from monitoring.locking import Locked, Newest
from monitoring.methods import measure
from monitoring.placing import Placed, least_of
from monitoring.restorable import MOST_POINTS, Copy

LIVE = """p.item_id = i.id AND p.captured_at <= %(at)s AND p.available_at <= %(at)s AND p.first_seen_at <= %(known_at)s
    AND (p.gone_at IS NULL OR p.gone_at > %(at)s) AND (p.invalid_from IS NULL OR p.invalid_from > %(at)s)
    AND (p.expires_at IS NULL OR p.expires_at > %(at)s)"""
# What nobody promised is not looked for. How far copies reach back is looked for within twice the promise: it does not grow with history.
_ITEMS = f"""
SELECT j.tool_id, coalesce(nullif(t.label, ''), t.name), coalesce(j.repository_name, ''), newest.captured_at,
  c.id, c.occurred_at, c.operation, c.good, i.id, j.name, newest.locked_until, newest.expires_at,
  saw.captured, saw.available, saw.ends, encrypted.total, encrypted.so, encrypted.not_known,
  reach.beyond, reach.oldest, reach.first, reach.listed,
  (SELECT restore_test_days FROM catalogue_tierdefault WHERE tier = %(tier)s),
  EXISTS (SELECT FROM monitoring_historicalrepository)
FROM monitoring_protecteditem i JOIN monitoring_backupjob j ON j.id = i.job_id JOIN monitoring_tool t ON t.id = j.tool_id
LEFT JOIN LATERAL (
  SELECT captured_at, locked_until, expires_at FROM monitoring_restorepoint p WHERE {LIVE}
  ORDER BY p.captured_at DESC LIMIT 1) newest ON true
LEFT JOIN LATERAL (
  SELECT id, occurred_at, operation, coalesce(verified, false) AS good FROM monitoring_backuprun r
  WHERE r.job_id = j.id AND r.operation IN ('restore_test', 'verify') AND r.state = 'finished' AND r.occurred_at <= %(at)s
    AND r.first_seen_at <= %(known_at)s AND (r.verified IS NOT NULL OR r.operation = 'restore_test' AND r.outcome = 'failed')
  ORDER BY r.occurred_at DESC, r.id DESC LIMIT 1) c ON %(places)s
LEFT JOIN LATERAL (
  SELECT array_agg(p.captured_at) AS captured, array_agg(greatest(p.available_at, p.captured_at)) AS available,
    array_agg(least(p.expires_at, p.gone_at, p.invalid_from)) AS ends
  FROM (
    (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at >= %(start)s AND p.captured_at <= %(at)s
       AND p.first_seen_at <= %(known_at)s ORDER BY p.captured_at DESC LIMIT %(most)s)
    UNION ALL
    (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at < %(start)s AND p.first_seen_at <= %(known_at)s
       AND (p.expires_at IS NULL OR p.expires_at > %(start)s) AND (p.gone_at IS NULL OR p.gone_at > %(start)s)
       AND (p.invalid_from IS NULL OR p.invalid_from > %(start)s) ORDER BY p.captured_at DESC LIMIT 3)) p) saw ON true
LEFT JOIN LATERAL (
  SELECT count(*) AS total, count(*) FILTER (WHERE r.encrypted) AS so, count(*) FILTER (WHERE r.encrypted IS NULL) AS not_known
  FROM (SELECT p.run_id FROM monitoring_restorepoint p WHERE {LIVE}
    ORDER BY p.captured_at DESC LIMIT %(encrypted_most)s) p
  JOIN monitoring_backuprun r ON r.id = p.run_id) encrypted ON %(encryption)s
LEFT JOIN LATERAL (
  SELECT (SELECT min(p.captured_at) FROM monitoring_restorepoint p WHERE {LIVE} AND p.captured_at <= %(promised_from)s
            AND p.captured_at > %(twice_from)s) AS beyond,
    ARRAY(SELECT p.captured_at FROM monitoring_restorepoint p WHERE {LIVE} AND p.captured_at > %(promised_from)s
          ORDER BY p.captured_at LIMIT 2) AS oldest,
    (SELECT min(p.captured_at) FROM monitoring_restorepoint p WHERE p.item_id = i.id) AS first,
    (SELECT bool_or(p.listed_at IS NOT NULL OR p.gone_at IS NOT NULL OR p.expires_at IS NOT NULL) FROM (
       SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at <= %(at)s
       ORDER BY p.captured_at DESC LIMIT 50) p) AS listed) reach ON %(retention)s
WHERE i.service_id = %(service)s
"""  # noqa: S608 - our own text


class Encrypted(msgspec.Struct, kw_only=True):
    """Copies that can be restored, of each item the newest 500 (BM-ENC)."""

    total: int
    covered: int
    unknown: int


class Reach(msgspec.Struct, kw_only=True):
    """How far copies reach back (BM-RET): the oldest copy of the item that stands worst."""

    status: str  # kept, short or unknown
    oldest_at: dt.datetime | None
    tells_what_is_held: bool
    items: int


class Kept(msgspec.Struct, kw_only=True):
    """What is known of the copies of a service; None where nothing of the kind is promised. `copies` are those of the sawtooth, by item."""

    copies: dict[int, list[Copy]]
    encrypted: Encrypted | None = None
    reach: Reach | None = None
    locked: Locked | None = None
    placed: Placed | None = None


class Wanted(msgspec.Struct, kw_only=True, frozen=True):
    """What is to be looked for; what is empty is left out. A check counts for `test_days`, else as the tier has it."""

    scheme: str = ""
    encryption: bool = False
    retention_days: int | None = None
    lock_days: int | None = None
    test_days: int | None = None


def promised_by(commitment: Commitment | None) -> Wanted:
    """What the commitment promises of copies."""
    if commitment is None:
        return Wanted()
    return Wanted(
        scheme=commitment.copy_scheme, encryption=commitment.encryption not in ("", Commitment.Encryption.NONE),
        retention_days=commitment.retention_days, lock_days=commitment.immutability_days, test_days=commitment.restore_test_days,
    )  # fmt: skip


def kept_of(
    *, version: ServiceVersion, wanted: Wanted, start: dt.datetime, at: dt.datetime, known_at: dt.datetime, most: int = MOST_POINTS
) -> Kept:
    """How the copies stand at `at` by what was known at `known_at`, with at most so many of each item from `start` on.

    One question, and one for what was declared of repositories where that counts and something was.
    """
    scheme, locks, retention = wanted.scheme, wanted.lock_days, wanted.retention_days
    rows = fetch(_ITEMS, {
        "service": version.service_id, "tier": version.tier, "start": start, "at": at, "known_at": known_at, "most": most,
        "encrypted_most": MOST_POINTS, "places": bool(least_of(scheme)), "encryption": wanted.encryption, "retention": bool(retention),
        "promised_from": at - dt.timedelta(days=retention or 0), "twice_from": at - dt.timedelta(days=2 * (retention or 0)),
    })  # fmt: skip
    counts = rows and rows[0][23] and (least_of(scheme) or locks)
    said = placing.declared({row[0] for row in rows}, known_at) if counts else {}
    test_days = wanted.test_days or (rows[0][22] if rows else None)
    return Kept(
        copies={row[8]: [Copy(*one) for one in zip(*row[12:15], strict=True)] if row[12] else [] for row in rows},
        encrypted=Encrypted(total=_sum(rows, 15), covered=_sum(rows, 16), unknown=_sum(rows, 17)) if wanted.encryption else None,
        reach=_reach(rows, retention, at) if retention else None,
        locked=locking.locked([_newest(row) for row in rows if row[3]], days=locks, said=said, at=at) if locks else None,
        placed=placing.placed_of([row[:8] for row in rows], said, scheme=scheme, fresh_days=test_days, at=at) if scheme else None,
    )


def _sum(rows: list[tuple[Any, ...]], column: int) -> int:
    return sum(row[column] for row in rows)


def _newest(row: tuple[Any, ...]) -> Newest:
    return Newest(
        tool=row[0], tool_name=row[1], repository=row[2], captured_at=row[3], job=row[9], told_until=row[10], expires_at=row[11]
    )  # fmt: skip


def _reach(rows: list[tuple[Any, ...]], days: int, at: dt.datetime) -> Reach:
    items = [
        {"id": number, "oldest_at": iso(row[18] or next(iter(row[19]), None)), "first_seen_copy_at": iso(row[20]),
         "second_oldest_at": iso(row[19][1]) if not row[18] and len(row[19]) > 1 else None, "tells_what_is_held": bool(row[21])}
        for number, row in enumerate(rows)
    ]  # fmt: skip
    found = measure("BM-RET", {"at": iso(at), "required_days": days, "items": items})
    status = next((name for name in ("short", "unknown", "kept") if found[name]), "unknown")
    worst = [row for number, row in enumerate(rows) if number in found[status]]
    oldest = [row[18] or next(iter(row[19]), None) for row in worst]
    return Reach(
        status=status, oldest_at=max((one for one in oldest if one), default=None) if all(oldest) else None,
        tells_what_is_held=all(row[21] for row in worst), items=len(rows),
    )  # fmt: skip
