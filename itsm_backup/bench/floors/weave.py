"""What the pages of the catalogue ask, by hand: one statement for each, which reads what the page shows and no more."""

from __future__ import annotations

from django.db import connection

from itsm_backup.bench.cataloguing import SMALL
from itsm_backup.bench.floors.questions import LIST, SERVICE

_NAMES = """
SELECT s.id, s.code, v.name, v.short_name, v.tier, v.department FROM catalogue_service s
JOIN catalogue_serviceversion v ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
"""
_OF_SMALL = f"v.department = '{SMALL}' AND s.lifecycle IN ('catalogue', 'pending_retirement')"
MATRIX = f"""
WITH shown AS ({_NAMES} WHERE {_OF_SMALL} ORDER BY v.department, v.name, s.code LIMIT 50), cells AS (
  SELECT r.* FROM catalogue_relation r JOIN shown ON shown.id = r.consumer_id WHERE r.valid_until IS NULL OR r.valid_until > now())
SELECT jsonb_build_object('rows', (SELECT jsonb_agg(shown) FROM shown), 'cells', (SELECT jsonb_agg(cells) FROM cells),
  'columns', (SELECT jsonb_agg(n) FROM ({_NAMES}) n WHERE n.id IN (SELECT provider_id FROM cells)),
  'rows of it', (SELECT count(*) FROM ({_NAMES} WHERE {_OF_SMALL}) n),
  'departments', (SELECT jsonb_agg(DISTINCT department) FROM catalogue_serviceversion WHERE state = 'approved' AND effective @> now()))
"""  # noqa: S608 - our own words
CLOSURE = """
WITH RECURSIVE reached(id) AS (
    SELECT id FROM catalogue_service WHERE code = %(code)s
  UNION SELECT r.{far} FROM reached JOIN catalogue_relation r ON r.{near} = reached.id
    WHERE r.strength = 'hard' AND (r.valid_until IS NULL OR r.valid_until > now()) AND (r.valid_from IS NULL OR r.valid_from <= now()))
SELECT r.provider_id, r.consumer_id, r.kind, r.strength FROM reached JOIN catalogue_relation r ON r.{near} = reached.id
WHERE r.strength = 'hard' AND (r.valid_until IS NULL OR r.valid_until > now()) AND (r.valid_from IS NULL OR r.valid_from <= now())
"""
UP, DOWN = CLOSURE.format(near="provider_id", far="consumer_id"), CLOSURE.format(near="consumer_id", far="provider_id")
ADMIN = """
WITH live AS MATERIALIZED (SELECT service_id, number, department, tier FROM catalogue_serviceversion v
  WHERE v.state = 'approved' AND v.effective @> now())
SELECT jsonb_build_object(
  'rows', (SELECT jsonb_agg(n) FROM (SELECT s.code, s.lifecycle, st.status, l.number,
     (SELECT v.name FROM catalogue_serviceversion v WHERE v.service_id = s.id ORDER BY number DESC LIMIT 1),
     (SELECT v.number FROM catalogue_serviceversion v WHERE v.service_id = s.id AND v.state IN ('draft', 'in_review')) AS unfinished
     FROM catalogue_service s LEFT JOIN catalogue_servicestatus st ON st.service_id = s.id LEFT JOIN live l ON l.service_id = s.id
     ORDER BY s.code LIMIT 50) n),
  'count', (SELECT count(*) FROM catalogue_service),
  'filters', (SELECT jsonb_build_array(jsonb_agg(DISTINCT department), jsonb_agg(DISTINCT tier)) FROM live))
"""
SEARCH = """
SELECT jsonb_build_object(
  'services', (SELECT jsonb_agg(n) FROM (SELECT s.code, v.name, v.tier, j.verdict FROM catalogue_service s
     JOIN catalogue_serviceversion v ON v.service_id = s.id AND v.state = 'approved' AND v.effective @> now()
     LEFT JOIN monitoring_servicestate j ON j.service_id = s.id WHERE s.lifecycle IN ('catalogue', 'pending_retirement') AND
       (upper(v.name) LIKE '%%ARCHIVE%%' OR upper(v.short_name) LIKE '%%ARCHIVE%%' OR upper(s.code) LIKE '%%ARCHIVE%%'
        OR upper(v.department) LIKE '%%ARCHIVE%%')
     ORDER BY CASE j.verdict WHEN 'broken' THEN 0 WHEN 'at_risk' THEN 1 ELSE 2 END, v.tier, j.captured_at, s.code LIMIT 11) n),
  'incidents', (SELECT jsonb_agg(i) FROM (SELECT id, title FROM incidents_incident WHERE upper(title) LIKE '%%ARCHIVE%%' LIMIT 10) i),
  'jobs', (SELECT jsonb_agg(j) FROM (SELECT j.name FROM monitoring_backupjob j JOIN monitoring_tool t ON t.id = j.tool_id
     WHERE upper(j.name) LIKE '%%ARCHIVE%%' OR upper(j.target_name) LIKE '%%ARCHIVE%%' OR upper(j.repository_name) LIKE '%%ARCHIVE%%'
        OR upper(t.name) LIKE '%%ARCHIVE%%' ORDER BY j.name LIMIT 10) j))
"""
BY_HAND = {"services list": LIST, "entry page": SERVICE, "matrix of a department": MATRIX, "admin list of entries": ADMIN, "search": SEARCH}


def ask(statement: str, code: str = "") -> int:
    """Ask it once and take the whole answer; returns how many rows it has."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"code": code})
        return len(cursor.fetchall())
