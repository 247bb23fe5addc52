"""What waits is found by index: alerts that ended lately, and history entries whose transactions took their time."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("monitoring", "0007_told_from"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("resolved_at__isnull", False)), fields=["resolved_at"], name="alert_lately_over"),
        ),
        migrations.AddField(
            model_name="watermark",
            name="latest_entries",
            field=models.IntegerField(default=0),
        ),
    ]
