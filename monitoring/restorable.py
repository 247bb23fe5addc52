"""The restorable copies of a service over a time, item by item, as far as they were known at an instant."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection

MOST_POINTS = 500
_POINTS = """
SELECT i.id, p.captured_at, greatest(p.available_at, p.captured_at), least(p.expires_at, p.gone_at, p.invalid_from)
FROM monitoring_protecteditem i LEFT JOIN LATERAL (
  (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at >= %(start)s AND p.captured_at <= %(end)s
     AND p.first_seen_at <= %(known_at)s ORDER BY p.captured_at DESC LIMIT %(most)s)
  UNION ALL
  (SELECT * FROM monitoring_restorepoint p WHERE p.item_id = i.id AND p.captured_at < %(start)s AND p.first_seen_at <= %(known_at)s
     AND (p.expires_at IS NULL OR p.expires_at > %(start)s) AND (p.gone_at IS NULL OR p.gone_at > %(start)s)
     AND (p.invalid_from IS NULL OR p.invalid_from > %(start)s) ORDER BY p.captured_at DESC LIMIT 3)
) p ON true
WHERE i.service_id = %(service)s
"""


@dataclass(frozen=True)
class Copy:
    """A restore point as the sawtooth needs it: usable in [available_at, ends_at)."""

    captured_at: dt.datetime
    available_at: dt.datetime
    ends_at: dt.datetime | None


def copies_of(
    *, service_id: int, start: dt.datetime, end: dt.datetime, known_at: dt.datetime, most: int = MOST_POINTS
) -> dict[int, list[Copy]]:
    """The copies of each item that count from start to end, as far as they were known by `known_at`: one bounded question.

    Of more than `most` of an item the newest.
    """
    found: dict[int, list[Copy]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_POINTS, {"service": service_id, "start": start, "end": end, "known_at": known_at, "most": most})
        for item, captured_at, available_at, ends_at in cursor.fetchall():
            found.setdefault(item, [])
            if captured_at is not None:
                found[item].append(Copy(captured_at, available_at, ends_at))
    return found
