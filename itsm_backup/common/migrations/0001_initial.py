"""The tables of the common floor as the first release has them, in one step; `replaces` names the steps of before, which a database that has them all counts as this one."""

import django.contrib.admin.models
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from itsm_backup.common.migrations._at_once import AtOnce


class Migration(AtOnce):

    initial = True
    replaces = [
        ('common', '0001_first_facts'),
        ('common', '0002_log_of_people_append_only'),
        ('common', '0003_enclosure'),
        ('common', '0004_saved_filters'),
        ('common', '0005_external_catalogues'),
        ('common', '0006_cmdb_channel'),
        ('common', '0007_refused_attempts'),
        ('common', '0008_monitoring_channel'),
        ('common', '0009_notices_of_channels'),
    ]

    # The tables of other packages come first: each of their steps renders anew every model that is there already.
    dependencies = [
        ('account', '0009_emailaddress_unique_primary_email'),
        ('guardian', '0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more'),
        ('mfa', '0003_authenticator_type_uniq'),
        ('socialaccount', '0006_alter_socialaccount_extra_data'),
        ('admin', '0003_logentry_add_action_flag_choices'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedFilter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('list', models.CharField(help_text='The model whose list it is, such as catalogue.service.', max_length=80)),
                ('name', models.CharField(max_length=60)),
                ('query', models.CharField(max_length=1000)),
                ('shared', models.BooleanField(default=False)),
            ],
            options={
                'ordering': ['list', 'name', 'pk'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='AccountHistory',
            fields=[
            ],
            options={
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('admin.logentry',),
            managers=[
                ('objects', django.contrib.admin.models.LogEntryManager()),
            ],
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(choices=[('email', 'e-mail'), ('catalogue', 'external catalogue'), ('cmdb', 'CMDB'), ('monitoring', 'external monitoring'), ('channel', 'webhook, chat or push')], default='email', max_length=10)),
                ('key', models.CharField(help_text='What this message is about; the same fact never makes two messages.', max_length=200, unique=True)),
                ('thread', models.CharField(help_text='Messages of one thread arrive in order.', max_length=120)),
                ('recipient', models.CharField(max_length=254)),
                ('subject', models.CharField(max_length=300)),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('not_before', models.DateTimeField()),
                ('claimed_until', models.DateTimeField(editable=False, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('latest_error', models.TextField(blank=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('given_up_at', models.DateTimeField(null=True)),
            ],
            options={
                'permissions': [('read_body_notice', 'Can read what was sent')],
                'indexes': [models.Index(condition=models.Q(('given_up_at', None), ('sent_at', None)), fields=['not_before', 'id'], name='notice_waiting'), models.Index(condition=models.Q(('given_up_at', None), ('sent_at', None)), fields=['thread', 'id'], name='notice_thread')],
            },
        ),
        migrations.CreateModel(
            name='Enclosure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('media_type', models.CharField(max_length=80)),
                ('content', models.BinaryField()),
                ('notice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enclosures', to='common.notice')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Refusal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('who', models.CharField(max_length=150)),
                ('person', models.BigIntegerField(null=True)),
                ('method', models.CharField(max_length=10)),
                ('path', models.CharField(max_length=500)),
                ('address', models.CharField(blank=True, max_length=45, verbose_name='from')),
                ('action', models.CharField(max_length=60, verbose_name='wanted to')),
                ('what', models.CharField(blank=True, max_length=200, verbose_name='on')),
                ('why', models.CharField(max_length=1000)),
            ],
            options={
                'verbose_name': 'refused attempt',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['-at'], name='refusal_by_time'), models.Index(fields=['what', '-at'], name='refusal_of_object')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='refusal',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='7b865fe281462acd8ecc43888e10b10c43fcf218', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b56b3', table='common_refusal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='refusal',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='7cca3a258a3ab22be72a18f47bd531c7193bbbcd', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_6f288', table='common_refusal', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='savedfilter',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accounthistory',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='238c251fbb91431bbe8f3a6fd707be462bbd9dda', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_48c49', table='django_admin_log', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accounthistory',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='f09fcdc57170a7a5e5631d6516dd99f194d7b54f', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_10c18', table='django_admin_log', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='savedfilter',
            constraint=models.UniqueConstraint(fields=('list', 'owner', 'name'), name='saved_filter_once'),
        ),
    ]
