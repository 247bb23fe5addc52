"""The ledger remembers how far back it knew the history of its job."""

from django.db import migrations, models

FILL = """
UPDATE monitoring_jobstate AS state
SET ledger_from = COALESCE((SELECT min(due_at) FROM monitoring_expectedrun AS due WHERE due.job_id = state.job_id), ledger_until)
WHERE ledger_until IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ("monitoring", "0008_waiting"),
    ]

    operations = [
        migrations.AddField(
            model_name="jobstate",
            name="ledger_from",
            field=models.DateTimeField(help_text="The history behind the ledger was known back to here.", null=True),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
