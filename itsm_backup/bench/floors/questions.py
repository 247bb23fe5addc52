"""What the pages ask, written by hand as one statement each: the least that PostgreSQL can do for everything that they show."""

from __future__ import annotations

from typing import Any

from django.db import connection

# What stands beside every page: services, those with a job, approved versions, open incidents, how fresh the tools are.
RAIL = """
  'rail', jsonb_build_array(
    (SELECT jsonb_build_array(count(*), count(*) FILTER (WHERE id IN
       (SELECT service_id FROM monitoring_backupjob WHERE service_id IS NOT NULL)))
     FROM catalogue_service WHERE lifecycle IN ('catalogue', 'pending_retirement')),
    (SELECT count(*) FROM catalogue_serviceversion WHERE state = 'approved' AND approved_at <= now()),
    (SELECT count(*) FROM incidents_incident WHERE resolved_at IS NULL AND state <> 'cancelled'),
    (SELECT jsonb_build_array(count(*), min(s.latest_answer_at), max(s.latest_answer_at), count(s.silent_since))
     FROM monitoring_toolstate s JOIN monitoring_tool t ON t.id = s.tool_id WHERE t.enabled))
"""
HOME = f"""
WITH standing AS (
  SELECT v.tier, v.name, v.short_name, s.code, j.verdict, j.captured_at, j.rpo_s,
    row_number() OVER (PARTITION BY v.tier ORDER BY j.verdict, j.captured_at) AS place
  FROM catalogue_service s JOIN catalogue_serviceversion v ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
  JOIN monitoring_servicestate j ON j.service_id = s.id WHERE s.lifecycle IN ('catalogue', 'pending_retirement'))
SELECT jsonb_build_object(
  'counts', (SELECT jsonb_agg(c) FROM (SELECT tier, verdict, count(*), min(rpo_s), max(rpo_s) FROM standing GROUP BY tier, verdict) c),
  'tiles', (SELECT jsonb_agg(t) FROM (SELECT * FROM standing WHERE place <= 40) t),
  'days', (SELECT jsonb_agg(d) FROM (SELECT day, sum(good), sum(failed + missed) FROM monitoring_serviceday
           WHERE day > current_date - 31 GROUP BY day) d),
  'alerts', (SELECT jsonb_agg(a) FROM (SELECT service_id, title, opened_at FROM monitoring_alert WHERE state <> 'resolved'
             ORDER BY opened_at LIMIT 6) a),{RAIL})
"""  # noqa: S608 - our own text
LIST = f"""
WITH shown AS (
  SELECT s.id, v.name, s.code, v.tier, v.department, j.verdict, j.captured_at, j.rpo_s, st.status, u.username, count(*) OVER ()
  FROM catalogue_service s JOIN catalogue_serviceversion v ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
  JOIN monitoring_servicestate j ON j.service_id = s.id JOIN catalogue_servicestatus st ON st.service_id = s.id
  LEFT JOIN auth_user u ON u.id = v.steward_id
  WHERE s.lifecycle IN ('catalogue', 'pending_retirement') ORDER BY CASE j.verdict WHEN 'broken' THEN 0 WHEN 'at_risk' THEN 1 ELSE 2 END,
    v.tier, j.captured_at, s.code LIMIT 50)
SELECT jsonb_build_object(
  'rows', (SELECT jsonb_agg(r) FROM shown r),
  'alerts', (SELECT jsonb_agg(a) FROM (SELECT a.service_id, a.title, a.severity, i.id, i.title, i.state FROM shown
             JOIN monitoring_alert a ON a.service_id = shown.id AND a.resolved_at IS NULL
             LEFT JOIN incidents_incidentalert x ON x.alert_id = a.id LEFT JOIN incidents_incident i ON i.id = x.incident_id
             WHERE shown.verdict <> 'kept') a),
  'departments', (SELECT jsonb_agg(d) FROM (SELECT v.department, count(*) FROM catalogue_service s JOIN catalogue_serviceversion v
             ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
             WHERE s.lifecycle IN ('catalogue', 'pending_retirement') GROUP BY 1) d),{RAIL})
"""  # noqa: S608
SERVICE = f"""
SELECT jsonb_build_object(
  'entry', (SELECT to_jsonb(x) FROM (SELECT v.*, c.*, j.verdict, j.captured_at, st.status, e.inputs, e.result,
              (SELECT username FROM auth_user WHERE id = v.owner_id), (SELECT username FROM auth_user WHERE id = v.steward_id),
              (SELECT name FROM catalogue_team WHERE id = v.operations_team_id),
              EXISTS (SELECT FROM catalogue_legalhold h WHERE h.service_id = s.id),
              EXISTS (SELECT FROM catalogue_deviation d WHERE d.service_id = s.id)
            FROM catalogue_serviceversion v
            JOIN catalogue_commitment c ON c.version_id = v.id JOIN monitoring_servicestate j ON j.service_id = v.service_id
            JOIN catalogue_servicestatus st ON st.service_id = v.service_id LEFT JOIN monitoring_evaluation e ON e.id = j.evaluation_id
            WHERE v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()) x),
  'runs', (SELECT jsonb_agg(r) FROM (SELECT id, occurred_at, started_at, ended_at, outcome, bytes_stored, message FROM monitoring_backuprun
           WHERE service_id = s.id ORDER BY occurred_at DESC LIMIT 250) r),
  'jobs', (SELECT jsonb_agg(j) FROM (SELECT b.name, t.name, h.rrule, h.local_times, h.zone, h.grace_s, g.next_due_at, r.outcome
           FROM monitoring_backupjob b JOIN monitoring_tool t ON t.id = b.tool_id LEFT JOIN monitoring_jobschedule h ON h.job_id = b.id
           LEFT JOIN monitoring_jobstate g ON g.job_id = b.id LEFT JOIN monitoring_backuprun r ON r.id = g.latest_run_id
           WHERE b.service_id = s.id) j),
  'points', (SELECT jsonb_agg(p) FROM (SELECT p.captured_at, p.available_at FROM monitoring_protecteditem i
             JOIN monitoring_restorepoint p ON p.item_id = i.id AND p.captured_at > now() - interval '50 hours'
             WHERE i.service_id = s.id) p),
  'days', (SELECT jsonb_agg(d) FROM monitoring_serviceday d WHERE d.service_id = s.id AND d.day > current_date - 31),
  'alerts', (SELECT jsonb_agg(a) FROM (SELECT a.title, a.opened_at, i.title, i.state, i.priority FROM monitoring_alert a
             LEFT JOIN incidents_incidentalert x ON x.alert_id = a.id LEFT JOIN incidents_incident i ON i.id = x.incident_id
             WHERE a.service_id = s.id LIMIT 20) a),
  'history', (SELECT jsonb_agg(y) FROM (SELECT at, from_status, to_status, reason FROM catalogue_statuschange WHERE service_id = s.id
              UNION ALL SELECT approved_at, number::text, approver_id::text, reason FROM catalogue_serviceversion
              WHERE service_id = s.id AND state = 'approved' ORDER BY 1 DESC LIMIT 30) y),{RAIL})
FROM catalogue_service s WHERE s.code = 'SVC-00007'
"""  # noqa: S608
CALENDAR = f"""
WITH entry AS (
  SELECT s.id, s.code, v.tier, v.name, v.department, v.zone FROM catalogue_service s
  JOIN catalogue_serviceversion v ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
  WHERE s.lifecycle IN ('catalogue', 'pending_retirement')),
shown AS (SELECT * FROM entry ORDER BY tier, code LIMIT 200)
SELECT jsonb_build_object(
  'groups', (SELECT jsonb_agg(g) FROM (SELECT tier, d.worst, count(*) FROM entry JOIN monitoring_serviceday d ON d.service_id = entry.id
             WHERE d.day > current_date - 31 AND d.day <= current_date GROUP BY tier, d.worst) g),
  'tiers', (SELECT jsonb_agg(t) FROM (SELECT tier, count(*) FROM entry GROUP BY tier) t),
  'departments', (SELECT jsonb_agg(DISTINCT department) FROM entry),
  'rows', (SELECT jsonb_agg(shown) FROM shown),
  'cells', (SELECT jsonb_agg(d) FROM monitoring_serviceday d WHERE d.service_id IN (SELECT id FROM shown)
            AND d.day > current_date - 31 AND d.day <= current_date),{RAIL})
"""  # noqa: S608
_ENTRY = """
  'entry', (SELECT to_jsonb(x) FROM (SELECT v.*, c.*, j.verdict, j.captured_at, e.result FROM catalogue_serviceversion v
            JOIN catalogue_commitment c ON c.version_id = v.id JOIN monitoring_servicestate j ON j.service_id = v.service_id
            LEFT JOIN monitoring_evaluation e ON e.id = j.evaluation_id
            WHERE v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()) x)"""
SERVICE_CALENDAR = f"""
SELECT jsonb_build_object({_ENTRY},
  'days', (SELECT jsonb_agg(d) FROM monitoring_serviceday d WHERE d.service_id = s.id AND d.day > current_date - 367),{RAIL})
FROM catalogue_service s WHERE s.code = 'SVC-00007'
"""  # noqa: S608
OBJECTIVES = f"""
SELECT jsonb_build_object({_ENTRY},
  'defaults', (SELECT jsonb_agg(t) FROM catalogue_tierdefault t),
  'days', (SELECT jsonb_agg(d) FROM (SELECT day, good, late, failed, missed FROM monitoring_serviceday
           WHERE service_id = s.id AND day > current_date - 400) d),
  'points', (SELECT jsonb_agg(p) FROM (SELECT p.captured_at, p.available_at, p.expires_at FROM monitoring_protecteditem i
             JOIN monitoring_restorepoint p ON p.item_id = i.id AND p.captured_at > date_trunc('month', now()) - interval '3 days'
             WHERE i.service_id = s.id) p),
  'due', (SELECT jsonb_agg(x) FROM (SELECT x.due_at, x.state FROM monitoring_backupjob b JOIN monitoring_expectedrun x ON x.job_id = b.id
          WHERE b.service_id = s.id AND x.settled_at IS NOT NULL ORDER BY x.due_at DESC LIMIT 30) x),{RAIL})
FROM catalogue_service s WHERE s.code = 'SVC-00007'
"""  # noqa: S608
BY_HAND = {
    "home": HOME,
    "services list": LIST,
    "service page": SERVICE,
    "calendar": CALENDAR,
    "calendar of a service": SERVICE_CALENDAR,
    "objectives and trend of a service": OBJECTIVES,
}
# How much work each service would lose now: from the row that holds its state, and by looking for the newest good run of each.
EXPOSURE = """
SELECT service_id, verdict, extract(epoch FROM now() - captured_at), rpo_s FROM monitoring_servicestate
"""
EXPOSURE_OF_RUNS = """
SELECT service_id, extract(epoch FROM now() - max(started_at)) FROM monitoring_backuprun
WHERE outcome IN ('success', 'warning') AND operation = 'backup' GROUP BY service_id
"""


def ask(page: str) -> None:
    """Ask what the page asks once and take the whole answer."""
    rows(BY_HAND[page])


def rows(statement: str) -> list[tuple[Any, ...]]:
    """Every row of the answer."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
