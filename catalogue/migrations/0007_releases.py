"""Versions from before there were releases are numbered by their order: every one of them counts as a major change."""

from django.db import migrations

# The trigger lets nobody touch an approved version; this adds what its columns did not hold yet.
FORWARDS = """
ALTER TABLE catalogue_serviceversion DISABLE TRIGGER USER;
UPDATE catalogue_serviceversion SET release = number || '.0.0', level = 'major' WHERE release = '';
ALTER TABLE catalogue_serviceversion ENABLE TRIGGER USER;
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0006_entry_fields")]
    operations = [migrations.RunSQL(FORWARDS, migrations.RunSQL.noop)]
