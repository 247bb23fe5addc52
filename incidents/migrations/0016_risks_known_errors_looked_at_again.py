import datetime

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


REVIEWED_AFTER = datetime.timedelta(days=180)


def reviewed(apps, schema_editor):
    """What is published already is looked at again, too; its history says since when."""
    KnownError, History = apps.get_model("incidents", "KnownError"), apps.get_model("incidents", "HistoricalKnownError")
    at = timezone.now()
    for row in KnownError.objects.filter(state="published", review_on=None).order_by("pk"):
        row.review_on = (at + REVIEWED_AFTER).date()
        KnownError._base_manager.filter(pk=row.pk).update(review_on=row.review_on)
        told = {field.attname: getattr(row, field.attname) for field in KnownError._meta.concrete_fields}
        reason = "What is published is looked at again after half a year"
        History.objects.create(**told, history_date=at, history_type="~", history_change_reason=reason)


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0015_wordings_and_authors_that_stay'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RiskAcceptance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField(help_text='Why it is borne, and what helps meanwhile.')),
                ('until', models.DateField(help_text='The last day on which it holds.')),
                ('asked_at', models.DateTimeField()),
                ('granted', models.BooleanField(help_text='Empty while it waits for somebody else.', null=True)),
                ('answered_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(help_text='When its last day was over and it was asked about again.', null=True)),
            ],
            options={
                'ordering': ['-asked_at'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='feedback',
            name='feedback_once_per_incident',
        ),
        migrations.AddField(
            model_name='feedback',
            name='corrects',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='corrected_by', to='incidents.feedback'),
        ),
        migrations.AddField(
            model_name='historicalknownerror',
            name='review_on',
            field=models.DateField(blank=True, help_text='By then somebody looks whether it still helps.', null=True, verbose_name='looked at again'),
        ),
        migrations.AddField(
            model_name='knownerror',
            name='review_on',
            field=models.DateField(blank=True, help_text='By then somebody looks whether it still helps.', null=True, verbose_name='looked at again'),
        ),
        migrations.AddConstraint(
            model_name='feedback',
            constraint=models.UniqueConstraint(condition=models.Q(('corrects', None)), fields=('known_error', 'incident'), name='feedback_once_per_incident'),
        ),
        migrations.AddField(
            model_name='riskacceptance',
            name='answered_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='riskacceptance',
            name='asked_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='riskacceptance',
            name='owner',
            field=models.ForeignKey(help_text='Who answers for it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='riskacceptance',
            name='problem',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='incidents.problem'),
        ),
        migrations.AddIndex(
            model_name='riskacceptance',
            index=models.Index(condition=models.Q(('ended_at', None), ('granted', True)), fields=['until'], name='risk_in_force'),
        ),
        migrations.AddConstraint(
            model_name='riskacceptance',
            constraint=models.UniqueConstraint(condition=models.Q(('granted', None)), fields=('problem',), name='risk_one_waits'),
        ),
        migrations.AddConstraint(
            model_name='riskacceptance',
            constraint=models.CheckConstraint(condition=models.Q(('granted', None), models.Q(('answered_at__isnull', False), ('answered_by__isnull', False)), _connector='OR'), name='risk_answered_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='riskacceptance',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('granted', True), _negated=True), models.Q(models.Q(('answered_by', models.F('asked_by')), _negated=True), models.Q(('answered_by', models.F('owner')), _negated=True)), _connector='OR'), name='risk_granted_by_somebody_else', violation_error_message='Neither who asked for it nor who owns the risk can grant it.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='riskacceptance',
            trigger=pgtrigger.compiler.Trigger(name='answered_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF OLD.granted IS NOT NULL AND (TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL\n                   OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at'))\n                THEN RAISE EXCEPTION 'an answered acceptance of a risk never changes: it only ends'; END IF;\n                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;\n                ", hash='002dda6d6e96be101e94041dc2e458a8d9f5f009', operation='UPDATE OR DELETE', pgid='pgtrigger_answered_is_fixed_42812', table='incidents_riskacceptance', when='BEFORE')),
        ),
        migrations.RunPython(reviewed, migrations.RunPython.noop),
    ]
