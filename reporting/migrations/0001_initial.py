"""The tables of reporting as the first release has them, in one step; `replaces` names the steps of before, which a database that has them all counts as this one."""

import catalogue.models.service
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import simple_history.models
from django.conf import settings
from django.db import migrations, models

from itsm_backup.common.migrations._at_once import AtOnce


class Migration(AtOnce):

    initial = True
    replaces = [
        ('reporting', '0001_first_facts'),
        ('reporting', '0002_templates_overrides_and_chain'),
    ]

    dependencies = [
        ('catalogue', '0001_initial'),
        ('common', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ReportSchedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Names the report in the library and in its mails.', max_length=80, unique=True)),
                ('enabled', models.BooleanField(default=True)),
                ('audience', models.CharField(choices=[('both', 'Technical report and executive page'), ('technical', 'Technical report'), ('executive', 'Executive page'), ('auditor', "Auditor's report"), ('all', 'All three')], default='both', max_length=10, verbose_name='sends')),
                ('recipients', django.contrib.postgres.fields.ArrayField(base_field=models.EmailField(max_length=254), blank=True, default=list, help_text='Addresses, separated by commas. They get the report by mail, whether or not they may sign in here.', size=None)),
                ('department', models.CharField(blank=True, help_text='Only services of this department; empty: all.', max_length=80)),
                ('application_type', models.CharField(blank=True, help_text='Only services of this type; empty: all.', max_length=80)),
                ('tier', models.PositiveSmallIntegerField(blank=True, help_text='Only this tier; empty: all.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)])),
                ('label', models.CharField(blank=True, help_text='Only services with this classification label; empty: all.', max_length=40)),
                ('policy', models.CharField(choices=[('block', 'Stop it when the data cannot carry it, mark it when in doubt'), ('strict', 'Stop it at any failed check'), ('mark', 'Never stop it, only mark it')], default='block', max_length=8, verbose_name='a failed check')),
                ('day_of_month', models.PositiveSmallIntegerField(default=1, help_text='Day on which the month before is reported.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(28)])),
                ('local_time', models.TimeField(default='06:00', verbose_name='time of day')),
                ('zone', models.CharField(default='UTC', help_text='Of the month and the time.', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('owner', models.ForeignKey(help_text='Is told by mail when a failed check stops the report.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='ReportTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('audience', models.CharField(choices=[('technical', 'Technical report'), ('executive', 'Executive page'), ('auditor', "Auditor's report")], editable=False, max_length=10, unique=True)),
                ('sections', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), help_text='Numbered in the order in which they stand; empty: left out.', size=None)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalReportSchedule',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(db_index=True, help_text='Names the report in the library and in its mails.', max_length=80)),
                ('enabled', models.BooleanField(default=True)),
                ('audience', models.CharField(choices=[('both', 'Technical report and executive page'), ('technical', 'Technical report'), ('executive', 'Executive page'), ('auditor', "Auditor's report"), ('all', 'All three')], default='both', max_length=10, verbose_name='sends')),
                ('recipients', django.contrib.postgres.fields.ArrayField(base_field=models.EmailField(max_length=254), blank=True, default=list, help_text='Addresses, separated by commas. They get the report by mail, whether or not they may sign in here.', size=None)),
                ('department', models.CharField(blank=True, help_text='Only services of this department; empty: all.', max_length=80)),
                ('application_type', models.CharField(blank=True, help_text='Only services of this type; empty: all.', max_length=80)),
                ('tier', models.PositiveSmallIntegerField(blank=True, help_text='Only this tier; empty: all.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)])),
                ('label', models.CharField(blank=True, help_text='Only services with this classification label; empty: all.', max_length=40)),
                ('policy', models.CharField(choices=[('block', 'Stop it when the data cannot carry it, mark it when in doubt'), ('strict', 'Stop it at any failed check'), ('mark', 'Never stop it, only mark it')], default='block', max_length=8, verbose_name='a failed check')),
                ('day_of_month', models.PositiveSmallIntegerField(default=1, help_text='Day on which the month before is reported.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(28)])),
                ('local_time', models.TimeField(default='06:00', verbose_name='time of day')),
                ('zone', models.CharField(default='UTC', help_text='Of the month and the time.', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('owner', models.ForeignKey(blank=True, db_constraint=False, help_text='Is told by mail when a failed check stops the report.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical report schedule',
                'verbose_name_plural': 'historical report schedules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalReportTemplate',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('audience', models.CharField(choices=[('technical', 'Technical report'), ('executive', 'Executive page'), ('auditor', "Auditor's report")], db_index=True, editable=False, max_length=10)),
                ('sections', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), help_text='Numbered in the order in which they stand; empty: left out.', size=None)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical report template',
                'verbose_name_plural': 'historical report templates',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('series', models.CharField(help_text='What makes revisions belong together: the schedule, or the services chosen.', max_length=300)),
                ('title', models.CharField(max_length=120)),
                ('month', models.DateField(help_text='First day of the month it tells of.')),
                ('revision', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('issued', 'Issued'), ('qualified', 'Issued, marked'), ('blocked', 'Stopped by a check'), ('overridden', 'Issued by override')], max_length=10)),
                ('made_at', models.DateTimeField()),
                ('data', models.JSONField()),
                ('seal', models.BinaryField(max_length=32)),
                ('changes', models.JSONField(default=list, help_text='Sentences: what differs from the revision before.')),
                ('manifest', models.JSONField(default=dict, help_text='What the report was made of, with the digest of the manifest before it.')),
                ('manifest_digest', models.BinaryField(max_length=32, null=True)),
                ('follows', models.OneToOneField(help_text='The report of the series made before this one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='followed_by', to='reporting.report')),
                ('schedule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='reporting.reportschedule')),
            ],
            options={
                'permissions': [('compile_report', 'Can have a report compiled'), ('override_report', 'Can issue a report that a check stopped')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recipient', models.CharField(max_length=254)),
                ('at', models.DateTimeField()),
                ('notice', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='delivery', to='common.notice')),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='reporting.report')),
            ],
        ),
        migrations.CreateModel(
            name='ReportedService',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(help_text='Order in the report, by code.')),
                ('verdict', models.CharField(max_length=8)),
                ('data', models.JSONField()),
                ('digest', models.BinaryField(max_length=32)),
                ('report', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='services', to='reporting.report')),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.service')),
                ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.serviceversion')),
            ],
        ),
        migrations.CreateModel(
            name='ReportFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='technical.pdf, executive.html, services.csv, snapshot.json …', max_length=20)),
                ('content', models.BinaryField()),
                ('digest', models.BinaryField(max_length=32)),
                ('made_by', models.CharField(help_text='What laid it out, with its version.', max_length=60)),
                ('made_at', models.DateTimeField()),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='reporting.report')),
            ],
        ),
        migrations.CreateModel(
            name='ScheduleState',
            fields=[
                ('schedule', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='state', serialize=False, to='reporting.reportschedule')),
                ('looked_at', models.DateTimeField(null=True)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('problem', models.TextField(blank=True, help_text='Why the latest attempt failed; empty when it did not.')),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalreportschedule',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='b96e80d05f7dd5584094f0da47271aa238d1064e', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_8891a', table='reporting_historicalreportschedule', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalreportschedule',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='5e6cc8af86e1d429679094fbbe441776ed725b47', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_173d7', table='reporting_historicalreportschedule', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalreportschedule',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='ab1aee89d78372bcd0915537c5af32aaac8bbeab', operation='INSERT', pgid='pgtrigger_needs_reason_1ae96', table='reporting_historicalreportschedule', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalreporttemplate',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='2790189e525c52615555c17eee4750d719aa9386', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_7555b', table='reporting_historicalreporttemplate', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalreporttemplate',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a98072a74be9f0f510cafc6387278175d4f2c4fe', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_5f7dc', table='reporting_historicalreporttemplate', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalreporttemplate',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='52308b68751ca3f799e8bc86405e416886a4b0a3', operation='INSERT', pgid='pgtrigger_needs_reason_d4490', table='reporting_historicalreporttemplate', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('report', 'recipient'), name='report_delivered_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='delivery',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a8213a22eb2c57f56a533baf9b5596e8a94db983', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b25dc', table='reporting_delivery', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='delivery',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='39d11edb7fd8e04da9461465d9be0b55c11db199', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_03f94', table='reporting_delivery', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='reportedservice',
            constraint=models.UniqueConstraint(fields=('report', 'position'), name='reported_service_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reportedservice',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='73946ace0b9c6eff6b4880c61334df9cc3df5f90', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_15fde', table='reporting_reportedservice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reportedservice',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='00a102678135b6f1b96a5c64ee844736a1c60835', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d232f', table='reporting_reportedservice', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='reportfile',
            constraint=models.UniqueConstraint(fields=('report', 'name'), name='report_file_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reportfile',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='f5ea312d4103317f61a7748733a277d162c91675', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_a5ce2', table='reporting_reportfile', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reportfile',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='78e1d284d6dbfe92a4515cd53ccc75865ea51add', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_c9dcb', table='reporting_reportfile', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='reportschedule',
            constraint=models.CheckConstraint(condition=models.Q(('day_of_month__gte', 1), ('day_of_month__lte', 28)), name='report_schedule_day_exists_in_every_month'),
        ),
        migrations.AddIndex(
            model_name='report',
            index=models.Index(fields=['-made_at', '-id'], name='report_newest'),
        ),
        migrations.AddIndex(
            model_name='report',
            index=models.Index(fields=['series', '-id'], name='report_series'),
        ),
        migrations.AddConstraint(
            model_name='report',
            constraint=models.UniqueConstraint(fields=('series', 'month', 'revision'), name='report_revision_once'),
        ),
        migrations.AddConstraint(
            model_name='report',
            constraint=models.UniqueConstraint(condition=models.Q(('follows', None), models.Q(('manifest_digest', None), _negated=True)), fields=('series',), name='report_chain_begins_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='report',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='7e58d42658663d34baf3f5eb251e52439456f6cb', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_2413d', table='reporting_report', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='report',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a9bf41ab9d8baad16daa208b822528c6ac3bdd47', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_1015f', table='reporting_report', when='BEFORE')),
        ),
    ]
