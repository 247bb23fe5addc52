"""What the pages ask, written by hand as one statement each would be: the least that PostgreSQL can do for the same content."""

from __future__ import annotations

from django.db import connection

HOME = """
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
  'incidents', (SELECT count(*) FROM incidents_incident WHERE resolved_at IS NULL),
  'alerts', (SELECT jsonb_agg(a) FROM (SELECT service_id, title, opened_at FROM monitoring_alert WHERE state <> 'resolved'
             ORDER BY opened_at LIMIT 6) a))
"""
LIST = """
SELECT v.name, s.code, v.tier, v.department, j.verdict, j.captured_at, j.rpo_s, st.status, count(*) OVER ()
FROM catalogue_service s JOIN catalogue_serviceversion v ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
JOIN monitoring_servicestate j ON j.service_id = s.id JOIN catalogue_servicestatus st ON st.service_id = s.id
WHERE s.lifecycle IN ('catalogue', 'pending_retirement') ORDER BY CASE j.verdict WHEN 'broken' THEN 0 WHEN 'at_risk' THEN 1 ELSE 2 END,
  v.tier, j.captured_at, s.code LIMIT 50
"""
SERVICE = """
SELECT jsonb_build_object(
  'entry', (SELECT to_jsonb(x) FROM (SELECT v.*, c.*, j.verdict, j.captured_at, st.status, e.inputs, e.result
            FROM catalogue_serviceversion v
            JOIN catalogue_commitment c ON c.version_id = v.id JOIN monitoring_servicestate j ON j.service_id = v.service_id
            JOIN catalogue_servicestatus st ON st.service_id = v.service_id LEFT JOIN monitoring_evaluation e ON e.id = j.evaluation_id
            WHERE v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()) x),
  'runs', (SELECT jsonb_agg(r) FROM (SELECT id, occurred_at, started_at, ended_at, outcome, bytes_stored, message FROM monitoring_backuprun
           WHERE service_id = s.id ORDER BY occurred_at DESC LIMIT 50) r),
  'points', (SELECT jsonb_agg(p) FROM (SELECT p.captured_at, p.available_at FROM monitoring_protecteditem i
             JOIN monitoring_restorepoint p ON p.item_id = i.id AND p.captured_at > now() - interval '50 hours'
             WHERE i.service_id = s.id) p),
  'days', (SELECT jsonb_agg(d) FROM monitoring_serviceday d WHERE d.service_id = s.id AND d.day > current_date - 31),
  'alerts', (SELECT jsonb_agg(a) FROM (SELECT title, opened_at FROM monitoring_alert WHERE service_id = s.id LIMIT 20) a),
  'incidents', (SELECT count(*) FROM incidents_incident WHERE resolved_at IS NULL))
FROM catalogue_service s WHERE s.code = 'SVC-00007'
"""
BY_HAND = {"home": HOME, "services list": LIST, "service page": SERVICE}


def ask(page: str) -> None:
    """Ask it once and take the whole answer."""
    with connection.cursor() as cursor:
        cursor.execute(BY_HAND[page])
        cursor.fetchall()
