"""Incidents that are open while policies arrive: what was told of them counts as told, so that nobody is told again."""

from django.db import migrations

ADOPT = """
INSERT INTO incidents_escalation (incident_id, number, policy_id, policy_version, snapshot, priority, started_at, next_at, ended_at)
SELECT id, 1, NULL, NULL,
  '{"policy": "Operations team, once", "levels": [{"level": 1, "after_min": 0, "targets": [{"tell": "operations_team"}]}],
    "repeat_min": null, "quiet": null, "zone": "UTC", "bypass": ["P1", "P2"]}'::jsonb,
  priority, opened_at, NULL, NULL
FROM incidents_incident i
WHERE state IN ('new', 'in_progress', 'on_hold') AND NOT EXISTS (SELECT FROM incidents_escalation e WHERE e.incident_id = i.id);
INSERT INTO incidents_telling (escalation_id, level, sequence, kind, at, recipients)
SELECT e.id, 1, 0, 'notify', e.started_at,
  jsonb_build_array(jsonb_build_object('who', t.name, 'address', t.email, 'thread', '', 'why', ''))
FROM incidents_escalation e JOIN incidents_incident i ON i.id = e.incident_id JOIN catalogue_team t ON t.id = i.team_id
WHERE e.policy_id IS NULL AND e.number = 1 AND NOT EXISTS (SELECT FROM incidents_telling g WHERE g.escalation_id = e.id);
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0003_escalation_policies"), ("catalogue", "0001_first_facts")]

    operations = [migrations.RunSQL(ADOPT, migrations.RunSQL.noop)]
