"""Restore tests as facts of their own, read from the runs that are known already, too."""

import django.db.models.deletion
from django.db import migrations, models


TOUCH = """
UPDATE monitoring_jobstate AS state SET touched_at = now(), touched_from = least(coalesce(state.touched_from, told.first), told.first)
FROM (SELECT job_id, min(occurred_at) AS first FROM monitoring_backuprun WHERE operation = 'restore_test' GROUP BY job_id) AS told
WHERE state.job_id = told.job_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0002_approve_service'),
        ('monitoring', '0009_ledger_from'),
    ]

    operations = [
        migrations.CreateModel(
            name='RestoreTest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('full', 'everything'), ('sample', 'a sample')], max_length=6)),
                ('outcome', models.CharField(choices=[('passed', 'passed'), ('failed', 'failed'), ('inconclusive', 'inconclusive')], max_length=12)),
                ('verified', models.BooleanField(help_text='Whether what came back was compared and right; empty: nobody compared it.', null=True)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField()),
                ('usable_at', models.DateTimeField(help_text='When the service could have used what came back; empty when it could not.', null=True)),
                ('duration_s', models.PositiveIntegerField(help_text='From the start until usable; empty when one of them is not known.', null=True)),
                ('rows', models.BigIntegerField(null=True)),
                ('files', models.BigIntegerField(null=True)),
                ('size_bytes', models.BigIntegerField(null=True)),
                ('message', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='serviceday',
            name='cell_once',
        ),
        migrations.AddField(
            model_name='backuprun',
            name='rows_total',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='backuprun',
            name='verified',
            field=models.BooleanField(help_text='Whether what was restored or checked was compared and right; empty: not told.', null=True),
        ),
        migrations.AddField(
            model_name='serviceday',
            name='restores',
            field=models.PositiveIntegerField(default=0, help_text='Restore tests passed that day, by their start.'),
        ),
        migrations.AlterField(
            model_name='alert',
            name='alert_class',
            field=models.CharField(choices=[('job_failed', 'Backup failed'), ('job_missed', 'Backup missed'), ('rpo_at_risk', 'Recovery point at risk'), ('rpo_breach', 'Recovery point broken'), ('rto_test_failed', 'Restore test failed'), ('source_stale', 'Tool silent')], max_length=20),
        ),
        migrations.AddIndex(
            model_name='backuprun',
            index=models.Index(condition=models.Q(('operation__in', ['restore_test', 'verify'])), fields=['job', 'occurred_at'], name='run_proof'),
        ),
        migrations.AddConstraint(
            model_name='serviceday',
            constraint=models.UniqueConstraint(fields=('service', 'day'), include=('good', 'warned', 'late', 'failed', 'missed', 'unknown', 'held', 'pending', 'restores', 'worst'), name='cell_once'),
        ),
        migrations.AddField(
            model_name='restoretest',
            name='job',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='restore_tests', to='monitoring.backupjob'),
        ),
        migrations.AddField(
            model_name='restoretest',
            name='point',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='restore_tests', to='monitoring.restorepoint'),
        ),
        migrations.AddField(
            model_name='restoretest',
            name='run',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='restore_test', to='monitoring.backuprun'),
        ),
        migrations.AddIndex(
            model_name='restoretest',
            index=models.Index(models.F('job'), models.OrderBy(models.F('ended_at'), descending=True), name='restore_test_of_job'),
        ),
        migrations.AddConstraint(
            model_name='restoretest',
            constraint=models.CheckConstraint(condition=models.Q(('ended_at__gte', models.F('started_at'))), name='restore_test_ends_after_start'),
        ),
        migrations.AddConstraint(
            model_name='restoretest',
            constraint=models.CheckConstraint(condition=models.Q(('usable_at', None), ('outcome', 'passed'), _connector='OR'), name='restore_test_usable_when_passed'),
        ),
        migrations.RunSQL(TOUCH, migrations.RunSQL.noop, elidable=True),
    ]
