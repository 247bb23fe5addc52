"""What the objectives of a service count besides its copies: months, unusual days, the newest due backups, what its tier starts with,
and what its peers did. One question, because each way to the database costs more than any of these."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from catalogue.models import ServiceVersion, TierDefault
from monitoring import burning, trending
from monitoring.asking import fetch
from monitoring.trending import Month

MOST_PEERS = 100

_TALLY = f"""
SELECT
  (SELECT json_agg(json_build_array(m.first, m.good, m.on_time, m.total)) FROM ({trending.COUNTED}) m),
  (SELECT json_build_array(
     count(*) FILTER (WHERE d.volume_unusual), count(*) FILTER (WHERE d.duration_unusual),
     count(*) FILTER (WHERE d.usual_bytes IS NOT NULL), count(*) FILTER (WHERE d.usual_s IS NOT NULL),
     coalesce(bool_or(d.volume_unusual AND d.day >= %(today)s - 1), false),
     coalesce(bool_or(d.duration_unusual AND d.day >= %(today)s - 1), false))
   FROM monitoring_backupjob j JOIN monitoring_jobday d ON d.job_id = j.id AND d.day >= %(month)s AND d.day <= %(today)s AND d.judged
   WHERE j.service_id = %(service)s),
  (SELECT json_agg(json_build_array(e.due_at, e.state)) FROM ({burning.NEWEST.format(service="%(service)s")}) e),
  (SELECT row_to_json(t) FROM catalogue_tierdefault t WHERE t.tier = %(tier)s),
  (SELECT w.at_risk_fraction FROM monitoring_statusworkflow w WHERE w.id = 1),
  (SELECT json_build_array(count(*) FILTER (WHERE did.days > 0), sum(did.good), sum(did.due)) FROM (
     SELECT v.service_id FROM catalogue_serviceversion v
     WHERE v.state = 'approved' AND v.effective @> %(at)s::timestamptz AND v.tier = %(tier)s AND v.application_type = %(type)s
     ORDER BY v.service_id LIMIT %(peers)s) peer
   CROSS JOIN LATERAL (SELECT count(*) AS days, sum(d.good) AS good, sum(d.good + d.failed + d.missed) AS due
     FROM monitoring_serviceday d WHERE d.service_id = peer.service_id AND d.day >= %(month)s AND d.day < %(today)s) did)
"""  # noqa: S608 - our own text


class Tally(msgspec.Struct, kw_only=True):
    """`months` are thirteen, the oldest first. `odd_days` are those of its jobs in the present month: how many had an unusual volume and an
    unusual duration, with how many each was compared, and whether the newest of a job was unusual by either.
    """

    months: list[Month]
    odd_days: tuple[int, int, int, int, bool, bool]
    outcomes: list[dict[str, Any]]  # as the rules by number read them
    default: TierDefault | None
    at_risk_fraction: float | None
    peers: tuple[int, int, int]  # services of its tier and type of application; good ones of their due backups in the month; all


def tally_of(*, version: ServiceVersion, at: dt.datetime, with_peers: bool) -> Tally:
    """Day cells are those of days that are over, as known today. Without `with_peers` nobody looks at others."""
    asked = trending.asked_of(version, at)
    months, days, newest, default, fraction, peers = fetch(_TALLY, {
        **asked, "month": asked["today"].replace(day=1), "at": at, "most": burning.LAST_TICKET, "tier": version.tier,
        "type": version.application_type, "peers": MOST_PEERS if with_peers else 0,
    })[0]  # fmt: skip
    return Tally(
        months=trending.filled(asked, [(dt.date.fromisoformat(first), *counts) for first, *counts in months or ()]),
        odd_days=tuple(days),
        outcomes=burning.outcomes_of(reversed(newest or ())),
        default=TierDefault(**default) if default else None,
        at_risk_fraction=float(fraction) if fraction is not None else None,
        peers=(peers[0], peers[1] or 0, peers[2] or 0),
    )
