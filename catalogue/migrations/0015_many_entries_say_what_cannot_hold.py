from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0014_what_leaves_is_told_outside"),
    ]

    operations = [
        migrations.AddField(
            model_name="batchitem",
            name="stops",
            field=models.JSONField(default=list, help_text="[code, sentence] of every inequality that would not hold, as it was asked for."),
        ),
    ]
