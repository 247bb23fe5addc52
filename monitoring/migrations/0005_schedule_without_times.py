"""A recurrence may name its hours itself."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0004_run_seal'),
    ]

    operations = [
        migrations.AlterField(
            model_name='historicaljobschedule',
            name='local_times',
            field=models.CharField(blank=True, default='01:30', help_text='Comma-separated local times of day, e.g. 01:30, 13:30. Empty when the recurrence names hours itself.', max_length=200),
        ),
        migrations.AlterField(
            model_name='jobschedule',
            name='local_times',
            field=models.CharField(blank=True, default='01:30', help_text='Comma-separated local times of day, e.g. 01:30, 13:30. Empty when the recurrence names hours itself.', max_length=200),
        ),
    ]
