"""Which promises to get copies back want a restore test: unproven, refuted, or proven for a few days more."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

from catalogue.models import Service
from itsm_backup.common.time import iso

SOON = dt.timedelta(days=30)
MOST = 100
# The claim as last judged; a test that is planned for it, or waits to be verified, answers it.
_DUE = """
SELECT s.service_id, claim, count(*) OVER () FROM monitoring_servicestate s JOIN monitoring_evaluation e ON e.id = s.evaluation_id
CROSS JOIN LATERAL jsonb_array_elements(e.result -> 'claims') claim
WHERE claim ->> 'claim' = 'restore' AND (claim ->> 'reason' <> 'kept' OR claim ->> 'due_at' < %(soon)s) AND s.service_id IN ({services})
  AND NOT EXISTS (SELECT FROM monitoring_restoreplan p WHERE p.service_id = s.service_id AND p.scope = 'full'
    AND p.state IN ('planned', 'recorded'))
ORDER BY claim ->> 'due_at' NULLS FIRST, s.service_id LIMIT %(most)s
"""


@dataclass(frozen=True)
class Due:
    """A service whose promise wants a test; `claim` is what was last judged."""

    service_id: int
    claim: dict[str, Any]


def due_tests(*, user: Any, at: dt.datetime) -> tuple[list[Due], int]:
    """The services that the person may see and that want a test which nobody has planned, never tested first; and how many there are.

    Of the present: nothing here looks back.
    """
    services, params = Service.objects.listed().visible_to(user).values("pk").query.sql_with_params()
    statement = _DUE.replace("%(soon)s", "%s").replace("%(most)s", "%s").format(services=services)
    with connection.cursor() as cursor:
        cursor.execute(statement, [iso(at + SOON), *params, MOST])
        rows = cursor.fetchall()
    return [Due(service, json.loads(claim)) for service, claim, _ in rows], rows[0][2] if rows else 0
