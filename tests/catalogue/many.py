"""A large catalogue, written in SQL: services with a version in force, and relations with their history."""

from __future__ import annotations

from typing import Any

from django.db import connection

_SERVICES = """
INSERT INTO catalogue_service (code, lifecycle, created_at)
SELECT 'M-' || lpad(n::text, 5, '0'), 'catalogue', %(at)s FROM generate_series(1, %(services)s) n
"""
_VERSIONS = """
INSERT INTO catalogue_serviceversion SELECT (jsonb_populate_record(v, jsonb_build_object(
  'id', nextval(pg_get_serial_sequence('catalogue_serviceversion', 'id')), 'service_id', s.id, 'name', 'Service ' || s.code,
  'short_name', s.code, 'tier', 1 + s.id %% 4, 'department', 'Department ' || lpad((s.id %% %(departments)s)::text, 3, '0')))).*
FROM catalogue_serviceversion v CROSS JOIN catalogue_service s WHERE v.id = %(like)s AND s.code LIKE 'M-%%'
"""
# Each service needs a few that were made before it: layers without circles, as estates grow.
_RELATIONS = """
INSERT INTO catalogue_relation (consumer_id, provider_id, kind, strength)
SELECT c.id, p.id, (ARRAY['depends_on','hosted_on','stores_to','supplied_by'])[1 + (x.n + x.k) %% 4],
  CASE WHEN (x.n + x.k) %% 3 = 0 THEN 'soft' ELSE 'hard' END
FROM (SELECT n, k, 1 + mod(abs(hashint4(n * 31 + k))::bigint, n - 1)::int AS m
      FROM generate_series(2, %(services)s) n, generate_series(1, %(each)s) k) x
JOIN catalogue_service c ON c.code = 'M-' || lpad(x.n::text, 5, '0')
JOIN catalogue_service p ON p.code = 'M-' || lpad(x.m::text, 5, '0')
ON CONFLICT DO NOTHING
"""
_HISTORY = """
INSERT INTO catalogue_historicalrelation
  (id, consumer_id, provider_id, kind, strength, origin, history_date, history_type, history_change_reason)
SELECT id, consumer_id, provider_id, kind, strength, origin, %(at)s, '+', 'Generated' FROM catalogue_relation
"""


def fill(*, like: Any, services: int, each: int, departments: int, at: Any) -> int:
    """`services` entries like this version, each needing about `each` others; returns how many relations there are."""
    values = {"services": services, "each": each, "departments": departments, "like": like.pk, "at": at}
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # the guards of single rows would take minutes
        for statement in (_SERVICES, _VERSIONS, _RELATIONS, _HISTORY):
            cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ANALYZE catalogue_service, catalogue_serviceversion, catalogue_relation, catalogue_historicalrelation")
        cursor.execute("SELECT count(*) FROM catalogue_relation")
        return cursor.fetchone()[0]
