"""A month of all services, asked by hand: only its totals, and every row that a report has to tell of, kept as it was read."""

from __future__ import annotations

import time

from django.db import connection

from reporting.scoping import Month

TOTALS = """
SELECT v.department, count(DISTINCT d.service_id), sum(d.good), sum(d.failed + d.missed) FROM monitoring_serviceday d
JOIN catalogue_serviceversion v ON v.service_id = d.service_id AND v.state = 'approved' AND v.effective @> %(until)s - interval '1 second'
WHERE d.day BETWEEN %(first)s AND %(last)s GROUP BY v.department
"""
WHOLE = """
INSERT INTO floor_month SELECT s.id, jsonb_build_object(
  'entry', (SELECT to_jsonb(v) FROM catalogue_serviceversion v WHERE v.service_id = s.id AND v.state = 'approved' LIMIT 1),
  'due', (SELECT jsonb_agg(e) FROM (SELECT e.state, count(*) FROM monitoring_backupjob j JOIN monitoring_expectedrun e ON e.job_id = j.id
          AND e.local_on BETWEEN %(first)s AND %(last)s WHERE j.service_id = s.id GROUP BY 1) e),
  'points', (SELECT jsonb_agg(jsonb_build_array(p.captured_at, p.available_at)) FROM monitoring_protecteditem i
             JOIN monitoring_restorepoint p ON p.item_id = i.id AND p.captured_at >= %(since)s AND p.captured_at < %(until)s
             WHERE i.service_id = s.id),
  'runs', (SELECT jsonb_build_array(count(*), sum(r.bytes_stored)) FROM monitoring_backuprun r
           WHERE r.service_id = s.id AND r.occurred_at >= %(since)s AND r.occurred_at < %(until)s),
  'days', (SELECT string_agg(d.worst, ',' ORDER BY d.day) FROM monitoring_serviceday d
           WHERE d.service_id = s.id AND d.day BETWEEN %(first)s AND %(last)s))
FROM catalogue_service s
"""


def totals_ms(month: Month) -> float:
    """Good and bad due backups of each department."""
    return _took_ms(TOTALS, month)


def whole_ms(month: Month) -> float:
    """Every due run, copy, run and day of each service, read and kept in one statement."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS floor_month; CREATE TABLE floor_month (service_id bigint PRIMARY KEY, data jsonb NOT NULL)")
    return _took_ms(WHOLE, month)


def _took_ms(statement: str, month: Month) -> float:
    given = {"first": month.first, "last": month.days[-1], "since": month.starts_at, "until": month.ends_at}
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        if cursor.description:
            cursor.fetchall()
    return (time.perf_counter() - began) * 1000
