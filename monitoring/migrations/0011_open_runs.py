"""Indexes of the runs that are still open and of those that were listed: what intake looks for, whatever the job's history."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("monitoring", "0010_restore_tests")]

    operations = [
        migrations.AddIndex(
            model_name="backuprun",
            index=models.Index(condition=models.Q(("state", "running")), fields=["job", "occurred_at"], name="run_open"),
        ),
        migrations.AddIndex(
            model_name="backuprun",
            index=models.Index(condition=models.Q(("evidence_kind", "artefact")), fields=["job", "occurred_at"], name="run_listed"),
        ),
    ]
