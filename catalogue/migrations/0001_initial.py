"""The tables of the catalogue as the first release has them, in one step; `replaces` names the steps of before, which a database that has them all counts as this one."""

import catalogue.models.configuration
import catalogue.models.service
import catalogue.models.status
import datetime
import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import itsm_backup.common.crypto
import pgtrigger.compiler
import pgtrigger.migrations
import simple_history.models
from django.conf import settings
from django.db import migrations, models

from itsm_backup.common.migrations._at_once import AtOnce


class Migration(AtOnce):

    initial = True
    replaces = [
        ('catalogue', '0001_first_facts'),
        ('catalogue', '0002_approve_service'),
        ('catalogue', '0003_relations_with_time'),
        ('catalogue', '0004_duties_and_holds'),
        ('catalogue', '0006_entry_fields'),
        ('catalogue', '0007_releases'),
        ('catalogue', '0008_scope_register'),
        ('catalogue', '0009_batches'),
        ('catalogue', '0010_external_catalogues'),
        ('catalogue', '0011_configuration_items'),
        ('catalogue', '0012_status_override'),
        ('catalogue', '0013_told_relations'),
        ('catalogue', '0014_propagation'),
    ]

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('common', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Agreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('sla', 'service level agreement (SLA), with customers'), ('ola', 'operational level agreement (OLA), with a team of ours'), ('contract', 'underpinning contract, with a supplier')], max_length=8)),
                ('name', models.CharField(max_length=120, unique=True)),
                ('party', models.CharField(help_text='With whom: the customer, team or supplier.', max_length=120)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Cmdb',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(help_text='Lower-case word by which addresses know it.', max_length=80, unique=True)),
                ('label', models.CharField(blank=True, help_text='The name that people use.', max_length=120)),
                ('kind', models.CharField(choices=catalogue.models.configuration.cmdb_choices, max_length=12)),
                ('address', models.URLField(help_text='Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.')),
                ('account', models.CharField(blank=True, help_text='Who signs in there; empty where a token is enough.', max_length=120)),
                ('secrets', itsm_backup.common.crypto.SecretsField(default=dict, help_text='Encrypted; never shown again.')),
                ('certificates', models.TextField(blank=True, help_text='PEM, where no public authority vouches for the server.', verbose_name='trusted certificates')),
                ('tables', models.JSONField(blank=True, default=list, help_text='What is read, in this order. Empty: what the kind usually has.')),
                ('columns', models.JSONField(blank=True, default=dict, help_text='Field → column there. Empty: the usual ones of the kind.')),
                ('writes', models.BooleanField(default=False, help_text='Whether columns of which this CMDB is not the master are written there.', verbose_name='write back')),
                ('poll_interval_s', models.PositiveIntegerField(default=900, validators=[django.core.validators.MinValueValidator(60)], verbose_name='read every … seconds')),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'verbose_name': 'CMDB',
                'verbose_name_plural': 'CMDBs',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('text', models.TextField()),
                ('content_hash', models.CharField(help_text='What it was said about.', max_length=64)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='ServiceVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('draft', 'draft'), ('in_review', 'in review'), ('approved', 'approved'), ('cancelled', 'cancelled')], default='draft', max_length=12)),
                ('name', models.CharField(max_length=160)),
                ('short_name', models.CharField(help_text='At most 22 characters, for tiles.', max_length=22)),
                ('summary', models.TextField(blank=True, help_text="What it does, in the customers' words.")),
                ('kind', models.CharField(choices=[('business_service', 'business service'), ('supporting_service', 'supporting service'), ('backup_service', 'backup service')], default='business_service', max_length=20)),
                ('department', models.CharField(blank=True, max_length=80)),
                ('application_type', models.CharField(blank=True, max_length=80)),
                ('labels', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, help_text='Classification labels.', size=None)),
                ('hosting', models.CharField(choices=[('on_premises', 'on premises'), ('cloud', 'cloud'), ('hybrid', 'hybrid')], default='on_premises', max_length=12)),
                ('provider', models.CharField(blank=True, help_text='Who hosts it, where that is somebody else.', max_length=120)),
                ('regions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, help_text='Where its data and copies lie.', size=None)),
                ('tier', models.PositiveSmallIntegerField(help_text='1 is critical to life, 4 is supporting.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)])),
                ('zone', models.CharField(default='UTC', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('commissioned_at', models.DateTimeField(help_text='From here on data exists that can be lost.')),
                ('supplier', models.CharField(blank=True, help_text='Who is paid for it, under the underpinning contract.', max_length=120)),
                ('regulations', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=80), blank=True, default=list, help_text='What it must comply with.', size=None)),
                ('review_due_on', models.DateField(blank=True, help_text='By then somebody reads the entry again.', null=True, verbose_name='review due')),
                ('release', models.CharField(blank=True, editable=False, help_text='major.minor.patch, by what changed.', max_length=24)),
                ('level', models.CharField(blank=True, choices=[('major', 'major'), ('minor', 'minor'), ('patch', 'patch')], editable=False, max_length=5)),
                ('content_hash', models.CharField(blank=True, editable=False, help_text='SHA-256 of what was approved.', max_length=64)),
                ('author_ids', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), default=list, editable=False, size=None)),
                ('submitted_at', models.DateTimeField(editable=False, null=True)),
                ('approved_at', models.DateTimeField(editable=False, null=True)),
                ('effective', django.contrib.postgres.fields.ranges.DateTimeRangeField(editable=False, null=True)),
                ('reason', models.TextField(help_text='Why this version is made.')),
            ],
            options={
                'ordering': ['service', '-number'],
            },
        ),
        migrations.CreateModel(
            name='ConfigurationItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=80)),
                ('external_id', models.CharField(max_length=80, verbose_name='number there')),
                ('name', models.CharField(max_length=200)),
                ('state', models.CharField(blank=True, max_length=80, verbose_name='state there')),
                ('retired', models.BooleanField(default=False)),
                ('address', models.CharField(blank=True, max_length=500, verbose_name='page there')),
                ('fields', models.JSONField(default=dict)),
                ('told_relations', models.JSONField(default=list, help_text='(kind, table, number there) of other items, as it told them.')),
                ('changed_at', models.DateTimeField(null=True, verbose_name='changed there')),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('gone_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['name', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Deviation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(editable=False, help_text='The inequality that does not hold.', max_length=40)),
                ('reason', models.TextField(help_text='Why it is borne, and what is done about it.')),
                ('expires_on', models.DateField(help_text='The last day on which it holds.', verbose_name='bears until')),
                ('asked_at', models.DateTimeField(editable=False)),
                ('granted_at', models.DateTimeField(editable=False, null=True)),
                ('ended_at', models.DateTimeField(editable=False, help_text='Refused or taken back, before it ran out.', null=True)),
            ],
            options={
                'ordering': ['-asked_at'],
            },
        ),
        migrations.CreateModel(
            name='DutyException',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('one', models.CharField(choices=[('monitoring-admin', 'monitoring-admin'), ('steward', 'steward'), ('approver', 'approver'), ('requester', 'requester'), ('change-manager', 'change-manager'), ('operator', 'operator'), ('auditor', 'auditor')], max_length=20, verbose_name='duty')),
                ('other', models.CharField(choices=[('monitoring-admin', 'monitoring-admin'), ('steward', 'steward'), ('approver', 'approver'), ('requester', 'requester'), ('change-manager', 'change-manager'), ('operator', 'operator'), ('auditor', 'auditor')], max_length=20, verbose_name='and duty')),
                ('reason', models.TextField(help_text='Why the two cannot be kept apart for now, and what is done about it.')),
                ('approved_at', models.DateTimeField(editable=False)),
                ('valid_from', models.DateTimeField()),
                ('valid_until', models.DateTimeField(help_text='At most a year.')),
            ],
            options={
                'ordering': ['-valid_until'],
            },
        ),
        migrations.CreateModel(
            name='ExternalCatalogue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('kind', models.CharField(choices=[('servicenow', 'ServiceNow (Table API)'), ('itop', 'iTop (REST/JSON)')], max_length=12)),
                ('address', models.URLField(help_text='Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.')),
                ('table', models.CharField(blank=True, help_text='Empty: the one that the kind usually has.', max_length=80, verbose_name='table or class')),
                ('account', models.CharField(help_text='Who signs in there. It needs to read and write this table only.', max_length=120)),
                ('secrets', itsm_backup.common.crypto.SecretsField(default=dict, help_text='Encrypted; never shown again.')),
                ('mapping', models.JSONField(blank=True, default=dict, help_text='Column → what it takes. Empty: what the kind usually has.')),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='FieldMaster',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('field', models.CharField(choices=[('entry', 'Catalogue entry'), ('in_use', 'In use'), ('owner', 'Owner'), ('team', 'Operations team'), ('rpo_s', 'Recovery point (RPO)'), ('jobs', 'Backup jobs'), ('schedule', 'Schedule'), ('runs', 'Good backups in 7 days'), ('store', 'Backup store'), ('status', 'Backup status'), ('last_good', 'Last good backup')], max_length=20, unique=True)),
                ('master', models.CharField(choices=[('catalogue', 'catalogue'), ('cmdb', 'CMDB'), ('monitoring', 'monitoring')], max_length=10)),
            ],
            options={
                'verbose_name': 'master of a field',
                'verbose_name_plural': 'masters of fields',
                'ordering': ['field'],
            },
        ),
        migrations.CreateModel(
            name='GrantEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('role', 'role'), ('right', 'right everywhere'), ('row_right', 'right on one row'), ('role_right', 'right of a role')], max_length=10)),
                ('person', models.BigIntegerField(help_text='Id of the account; empty for a right of a role.', null=True)),
                ('holder', models.CharField(help_text='Name of the account or the role.', max_length=300)),
                ('what', models.CharField(max_length=300)),
                ('on', models.CharField(blank=True, help_text='The row, for a right on one.', max_length=300)),
                ('given', models.BooleanField()),
                ('by', models.BigIntegerField(help_text="Id of who did it; empty when it was done outside the product's pages and acts.", null=True)),
                ('reason', models.TextField(blank=True)),
            ],
            options={
                'verbose_name_plural': 'grant entries',
            },
        ),
        migrations.CreateModel(
            name='HandOver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('duty', models.CharField(choices=[('owner', 'owner'), ('steward', 'steward')], max_length=8)),
                ('asked_at', models.DateTimeField()),
                ('reason', models.TextField()),
                ('answered_at', models.DateTimeField(null=True)),
                ('accepted', models.BooleanField(null=True)),
                ('answer', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-asked_at'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalAgreement',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('kind', models.CharField(choices=[('sla', 'service level agreement (SLA), with customers'), ('ola', 'operational level agreement (OLA), with a team of ours'), ('contract', 'underpinning contract, with a supplier')], max_length=8)),
                ('name', models.CharField(db_index=True, max_length=120)),
                ('party', models.CharField(help_text='With whom: the customer, team or supplier.', max_length=120)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical agreement',
                'verbose_name_plural': 'historical agreements',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalAgreementVersion',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('number', models.PositiveIntegerField(editable=False)),
                ('state', models.CharField(choices=[('draft', 'draft'), ('approved', 'approved'), ('cancelled', 'cancelled')], default='draft', editable=False, max_length=9)),
                ('approved_at', models.DateTimeField(editable=False, null=True)),
                ('from_on', models.DateField(verbose_name='in force from')),
                ('until_on', models.DateField(blank=True, help_text='The last day; empty: until it is replaced.', null=True, verbose_name='in force until')),
                ('rpo_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('retention_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('success_rate', models.DecimalField(blank=True, decimal_places=5, max_digits=6, null=True)),
                ('text', models.TextField(blank=True, help_text='What else was agreed, or where the signed paper lies.')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical agreement version',
                'verbose_name_plural': 'historical agreement versions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalCmdb',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.SlugField(help_text='Lower-case word by which addresses know it.', max_length=80)),
                ('label', models.CharField(blank=True, help_text='The name that people use.', max_length=120)),
                ('kind', models.CharField(choices=catalogue.models.configuration.cmdb_choices, max_length=12)),
                ('address', models.URLField(help_text='Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.')),
                ('account', models.CharField(blank=True, help_text='Who signs in there; empty where a token is enough.', max_length=120)),
                ('secrets', itsm_backup.common.crypto.SecretsField(default=dict, help_text='Encrypted; never shown again.')),
                ('certificates', models.TextField(blank=True, help_text='PEM, where no public authority vouches for the server.', verbose_name='trusted certificates')),
                ('tables', models.JSONField(blank=True, default=list, help_text='What is read, in this order. Empty: what the kind usually has.')),
                ('columns', models.JSONField(blank=True, default=dict, help_text='Field → column there. Empty: the usual ones of the kind.')),
                ('writes', models.BooleanField(default=False, help_text='Whether columns of which this CMDB is not the master are written there.', verbose_name='write back')),
                ('poll_interval_s', models.PositiveIntegerField(default=900, validators=[django.core.validators.MinValueValidator(60)], verbose_name='read every … seconds')),
                ('enabled', models.BooleanField(default=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical CMDB',
                'verbose_name_plural': 'historical CMDBs',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalCommitment',
            fields=[
                ('history_change_reason', models.TextField()),
                ('rpo_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('retention_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('success_rate', models.DecimalField(blank=True, decimal_places=5, help_text='Share of due backups that succeed in a month, e.g. 0.98.', max_digits=6, null=True)),
                ('on_time_rate', models.DecimalField(blank=True, decimal_places=5, max_digits=6, null=True)),
                ('window_opens', models.TimeField(blank=True, null=True, verbose_name='backup window opens')),
                ('window_closes', models.TimeField(blank=True, null=True, verbose_name='backup window closes')),
                ('restore_test_days', models.PositiveIntegerField(blank=True, null=True, verbose_name='restore test at least every … days')),
                ('rpo_attainment_rate', models.DecimalField(blank=True, decimal_places=5, help_text='Share of a month in which a fresh enough copy exists, e.g. 0.99.', max_digits=6, null=True, verbose_name='time within the recovery point')),
                ('retention_min_days', models.PositiveIntegerField(blank=True, help_text='What law or contract asks for; retention may not be shorter.', null=True, verbose_name='kept at least … days')),
                ('retention_max_days', models.PositiveIntegerField(blank=True, help_text='What law or contract allows; retention may not be longer.', null=True, verbose_name='kept at most … days')),
                ('immutability_days', models.PositiveIntegerField(blank=True, null=True, verbose_name='copies locked for … days')),
                ('copy_scheme', models.CharField(blank=True, help_text='How many copies on which media, e.g. 3-2-1-1-0.', max_length=40)),
                ('encryption', models.CharField(blank=True, choices=[('none', 'none'), ('at_rest', 'at rest'), ('everywhere', 'at rest and in transit')], max_length=20)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical commitment',
                'verbose_name_plural': 'historical commitments',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalDeviation',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('code', models.CharField(editable=False, help_text='The inequality that does not hold.', max_length=40)),
                ('reason', models.TextField(help_text='Why it is borne, and what is done about it.')),
                ('expires_on', models.DateField(help_text='The last day on which it holds.', verbose_name='bears until')),
                ('asked_at', models.DateTimeField(editable=False)),
                ('granted_at', models.DateTimeField(editable=False, null=True)),
                ('ended_at', models.DateTimeField(editable=False, help_text='Refused or taken back, before it ran out.', null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical deviation',
                'verbose_name_plural': 'historical deviations',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalDutyException',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('one', models.CharField(choices=[('monitoring-admin', 'monitoring-admin'), ('steward', 'steward'), ('approver', 'approver'), ('requester', 'requester'), ('change-manager', 'change-manager'), ('operator', 'operator'), ('auditor', 'auditor')], max_length=20, verbose_name='duty')),
                ('other', models.CharField(choices=[('monitoring-admin', 'monitoring-admin'), ('steward', 'steward'), ('approver', 'approver'), ('requester', 'requester'), ('change-manager', 'change-manager'), ('operator', 'operator'), ('auditor', 'auditor')], max_length=20, verbose_name='and duty')),
                ('reason', models.TextField(help_text='Why the two cannot be kept apart for now, and what is done about it.')),
                ('approved_at', models.DateTimeField(editable=False)),
                ('valid_from', models.DateTimeField()),
                ('valid_until', models.DateTimeField(help_text='At most a year.')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical duty exception',
                'verbose_name_plural': 'historical duty exceptions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalExternalCatalogue',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(db_index=True, max_length=80)),
                ('kind', models.CharField(choices=[('servicenow', 'ServiceNow (Table API)'), ('itop', 'iTop (REST/JSON)')], max_length=12)),
                ('address', models.URLField(help_text='Its base address, as TOOL_ADDRESSES allows it. Redirects are not followed.')),
                ('table', models.CharField(blank=True, help_text='Empty: the one that the kind usually has.', max_length=80, verbose_name='table or class')),
                ('account', models.CharField(help_text='Who signs in there. It needs to read and write this table only.', max_length=120)),
                ('secrets', itsm_backup.common.crypto.SecretsField(default=dict, help_text='Encrypted; never shown again.')),
                ('mapping', models.JSONField(blank=True, default=dict, help_text='Column → what it takes. Empty: what the kind usually has.')),
                ('enabled', models.BooleanField(default=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical external catalogue',
                'verbose_name_plural': 'historical external catalogues',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalFieldMaster',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('field', models.CharField(choices=[('entry', 'Catalogue entry'), ('in_use', 'In use'), ('owner', 'Owner'), ('team', 'Operations team'), ('rpo_s', 'Recovery point (RPO)'), ('jobs', 'Backup jobs'), ('schedule', 'Schedule'), ('runs', 'Good backups in 7 days'), ('store', 'Backup store'), ('status', 'Backup status'), ('last_good', 'Last good backup')], db_index=True, max_length=20)),
                ('master', models.CharField(choices=[('catalogue', 'catalogue'), ('cmdb', 'CMDB'), ('monitoring', 'monitoring')], max_length=10)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical master of a field',
                'verbose_name_plural': 'historical masters of fields',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalImpactAnalysis',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('number', models.PositiveIntegerField(editable=False)),
                ('state', models.CharField(choices=[('draft', 'draft'), ('approved', 'approved'), ('cancelled', 'cancelled')], default='draft', editable=False, max_length=9)),
                ('approved_at', models.DateTimeField(editable=False, null=True)),
                ('mtpd_s', models.PositiveIntegerField(help_text='After this, not working again is unacceptable.', validators=[django.core.validators.MinValueValidator(60)], verbose_name='longest tolerable outage (MTPD), seconds')),
                ('tolerated_loss_s', models.PositiveIntegerField(help_text='So much work may be lost at most.', validators=[django.core.validators.MinValueValidator(60)], verbose_name='tolerable data loss, seconds')),
                ('wrt_s', models.PositiveIntegerField(default=0, help_text='Checks and re-entry, once the systems are back.', verbose_name='work after recovery (WRT), seconds')),
                ('mbco', models.TextField(blank=True, help_text='What must work during the disruption, in words.', verbose_name='least acceptable operation (MBCO)')),
                ('review_due_on', models.DateField(help_text='By then the analysis is done again.', verbose_name='review due')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical impact analysis',
                'verbose_name_plural': 'historical impact analyses',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalItemLink',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('made_at', models.DateTimeField(editable=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical configuration item of an entry',
                'verbose_name_plural': 'historical configuration items of entries',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalLabel',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('word', models.CharField(db_index=True, max_length=40)),
                ('meaning', models.TextField(blank=True, help_text='Whom or what it protects, and what that asks of the backups.')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical label',
                'verbose_name_plural': 'historical labels',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalLegalHold',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('reason', models.TextField(help_text='The matter, e.g. the file number of the proceedings.')),
                ('held_from', models.DateTimeField()),
                ('held_until', models.DateTimeField(blank=True, help_text='Empty: until it is released.', null=True)),
                ('released_at', models.DateTimeField(editable=False, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical legal hold',
                'verbose_name_plural': 'historical legal holds',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalOffering',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(max_length=60)),
                ('price', models.CharField(blank=True, help_text='As customers read it, e.g. 120 a month for each TB.', max_length=80)),
                ('rpo_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('retention_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('success_rate', models.DecimalField(blank=True, decimal_places=5, max_digits=6, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical offering',
                'verbose_name_plural': 'historical offerings',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRejectedRelation',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('reason', models.TextField()),
                ('rejected_at', models.DateTimeField()),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical rejected relation',
                'verbose_name_plural': 'historical rejected relations',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRelation',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('kind', models.CharField(choices=[('protects', 'is protected by'), ('depends_on', 'depends on'), ('hosted_on', 'is hosted on'), ('stores_to', 'stores to'), ('copies_to', 'copies to'), ('part_of', 'is part of'), ('offers', 'is offered by'), ('supplied_by', 'is supplied by'), ('supersedes', 'supersedes')], default='depends_on', max_length=20)),
                ('strength', models.CharField(choices=[('hard', 'hard: the consumer stops with it'), ('soft', 'soft: the consumer goes on without it')], default='hard', max_length=4)),
                ('origin', models.CharField(choices=[('declared', 'declared by a person'), ('discovered', 'discovered, then confirmed by a person')], db_default='declared', default='declared', editable=False, max_length=10)),
                ('valid_from', models.DateTimeField(blank=True, help_text='Empty: as far back as anybody knows.', null=True)),
                ('valid_until', models.DateTimeField(blank=True, help_text='Empty: until further notice.', null=True)),
                ('confirmed_at', models.DateTimeField(editable=False, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical relation',
                'verbose_name_plural': 'historical relations',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalScopeDecision',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('outcome', models.CharField(choices=[('listed', 'listed as an entry of its own'), ('referenced', 'referenced through another entry'), ('excluded', 'left out of the catalogue')], max_length=10, verbose_name='decision')),
                ('hosting', models.CharField(choices=[('on_premises', 'on premises'), ('cloud', 'cloud'), ('hybrid', 'hybrid')], max_length=12)),
                ('provider', models.CharField(blank=True, help_text='Who hosts it, where that is somebody else.', max_length=120)),
                ('answers', models.JSONField(help_text='Question of the catalogue → yes, no or unknown.')),
                ('reason', models.TextField()),
                ('review_on', models.DateField(help_text='By then somebody decides again.', verbose_name='next review')),
                ('decided_at', models.DateTimeField()),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical scope decision',
                'verbose_name_plural': 'historical scope decisions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalScopeLine',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(db_index=True, help_text='What people call it, e.g. Backup of the clinical databases.', max_length=160)),
                ('created_at', models.DateTimeField(editable=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical backup service in scope',
                'verbose_name_plural': 'historical backup services in scope',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalService',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('code', models.CharField(db_index=True, help_text='Never changes: reports, tools and people refer to it.', max_length=40, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._-]*\\Z', 'Use letters, digits, dot, dash and underscore only.')])),
                ('lifecycle', models.CharField(choices=[('pipeline', 'pipeline'), ('catalogue', 'catalogue'), ('pending_retirement', 'pending retirement'), ('retired', 'retired')], default='pipeline', max_length=20)),
                ('created_at', models.DateTimeField()),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical service',
                'verbose_name_plural': 'historical services',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalServiceVersion',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('number', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('draft', 'draft'), ('in_review', 'in review'), ('approved', 'approved'), ('cancelled', 'cancelled')], default='draft', max_length=12)),
                ('name', models.CharField(max_length=160)),
                ('short_name', models.CharField(help_text='At most 22 characters, for tiles.', max_length=22)),
                ('summary', models.TextField(blank=True, help_text="What it does, in the customers' words.")),
                ('kind', models.CharField(choices=[('business_service', 'business service'), ('supporting_service', 'supporting service'), ('backup_service', 'backup service')], default='business_service', max_length=20)),
                ('department', models.CharField(blank=True, max_length=80)),
                ('application_type', models.CharField(blank=True, max_length=80)),
                ('labels', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, help_text='Classification labels.', size=None)),
                ('hosting', models.CharField(choices=[('on_premises', 'on premises'), ('cloud', 'cloud'), ('hybrid', 'hybrid')], default='on_premises', max_length=12)),
                ('provider', models.CharField(blank=True, help_text='Who hosts it, where that is somebody else.', max_length=120)),
                ('regions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, help_text='Where its data and copies lie.', size=None)),
                ('tier', models.PositiveSmallIntegerField(help_text='1 is critical to life, 4 is supporting.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)])),
                ('zone', models.CharField(default='UTC', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('commissioned_at', models.DateTimeField(help_text='From here on data exists that can be lost.')),
                ('supplier', models.CharField(blank=True, help_text='Who is paid for it, under the underpinning contract.', max_length=120)),
                ('regulations', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=80), blank=True, default=list, help_text='What it must comply with.', size=None)),
                ('review_due_on', models.DateField(blank=True, help_text='By then somebody reads the entry again.', null=True, verbose_name='review due')),
                ('release', models.CharField(blank=True, editable=False, help_text='major.minor.patch, by what changed.', max_length=24)),
                ('level', models.CharField(blank=True, choices=[('major', 'major'), ('minor', 'minor'), ('patch', 'patch')], editable=False, max_length=5)),
                ('content_hash', models.CharField(blank=True, editable=False, help_text='SHA-256 of what was approved.', max_length=64)),
                ('author_ids', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), default=list, editable=False, size=None)),
                ('submitted_at', models.DateTimeField(editable=False, null=True)),
                ('approved_at', models.DateTimeField(editable=False, null=True)),
                ('effective', django.contrib.postgres.fields.ranges.DateTimeRangeField(editable=False, null=True)),
                ('reason', models.TextField(help_text='Why this version is made.')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical service version',
                'verbose_name_plural': 'historical service versions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalStatusOverride',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('status', models.CharField(choices=[('operational', 'Operational'), ('degraded', 'Degraded'), ('outage', 'Outage'), ('maintenance', 'Maintenance')], max_length=12)),
                ('reason', models.TextField()),
                ('made_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical status override',
                'verbose_name_plural': 'historical status overrides',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalTeam',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(db_index=True, max_length=120)),
                ('email', models.EmailField(help_text="Incidents of this team's services are mailed here.", max_length=254)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical team',
                'verbose_name_plural': 'historical teams',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalTierDefault',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('tier', models.PositiveSmallIntegerField(db_index=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)])),
                ('rpo_s', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('success_rate', models.DecimalField(decimal_places=5, help_text='Share of due backups that succeed in a month.', max_digits=6)),
                ('rpo_attainment_rate', models.DecimalField(decimal_places=5, max_digits=6, verbose_name='time within the recovery point')),
                ('restore_test_days', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)], verbose_name='restore test at least every … days')),
                ('copy_scheme', models.CharField(max_length=40)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical tier default',
                'verbose_name_plural': 'historical tier defaults',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalWindow',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('purpose', models.CharField(max_length=200)),
                ('decided_at', models.DateTimeField(editable=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical window',
                'verbose_name_plural': 'historical windows',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='ImpactAnalysis',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(editable=False)),
                ('state', models.CharField(choices=[('draft', 'draft'), ('approved', 'approved'), ('cancelled', 'cancelled')], default='draft', editable=False, max_length=9)),
                ('approved_at', models.DateTimeField(editable=False, null=True)),
                ('mtpd_s', models.PositiveIntegerField(help_text='After this, not working again is unacceptable.', validators=[django.core.validators.MinValueValidator(60)], verbose_name='longest tolerable outage (MTPD), seconds')),
                ('tolerated_loss_s', models.PositiveIntegerField(help_text='So much work may be lost at most.', validators=[django.core.validators.MinValueValidator(60)], verbose_name='tolerable data loss, seconds')),
                ('wrt_s', models.PositiveIntegerField(default=0, help_text='Checks and re-entry, once the systems are back.', verbose_name='work after recovery (WRT), seconds')),
                ('mbco', models.TextField(blank=True, help_text='What must work during the disruption, in words.', verbose_name='least acceptable operation (MBCO)')),
                ('review_due_on', models.DateField(help_text='By then the analysis is done again.', verbose_name='review due')),
            ],
            options={
                'verbose_name': 'impact analysis',
                'verbose_name_plural': 'impact analyses',
                'ordering': ['service', '-number'],
            },
        ),
        migrations.CreateModel(
            name='ItemLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField(editable=False)),
            ],
            options={
                'verbose_name': 'configuration item of an entry',
                'verbose_name_plural': 'configuration items of entries',
                'ordering': ['service', 'item'],
            },
        ),
        migrations.CreateModel(
            name='ItemReject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=80)),
                ('external_id', models.CharField(max_length=80, verbose_name='number there')),
                ('reason', models.TextField()),
                ('excerpt', models.TextField(blank=True)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'unreadable record of a CMDB',
                'verbose_name_plural': 'unreadable records of CMDBs',
                'ordering': ['-last_seen_at'],
            },
        ),
        migrations.CreateModel(
            name='ItemRelation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=80)),
            ],
            options={
                'ordering': ['item', 'kind', 'other'],
            },
        ),
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('word', models.CharField(max_length=40, unique=True)),
                ('meaning', models.TextField(blank=True, help_text='Whom or what it protects, and what that asks of the backups.')),
            ],
            options={
                'ordering': ['word'],
            },
        ),
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField(help_text='The matter, e.g. the file number of the proceedings.')),
                ('held_from', models.DateTimeField()),
                ('held_until', models.DateTimeField(blank=True, help_text='Empty: until it is released.', null=True)),
                ('released_at', models.DateTimeField(editable=False, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Offering',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('price', models.CharField(blank=True, help_text='As customers read it, e.g. 120 a month for each TB.', max_length=80)),
                ('rpo_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('retention_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('success_rate', models.DecimalField(blank=True, decimal_places=5, max_digits=6, null=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Service',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(help_text='Never changes: reports, tools and people refer to it.', max_length=40, unique=True, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._-]*\\Z', 'Use letters, digits, dot, dash and underscore only.')])),
                ('lifecycle', models.CharField(choices=[('pipeline', 'pipeline'), ('catalogue', 'catalogue'), ('pending_retirement', 'pending retirement'), ('retired', 'retired')], default='pipeline', max_length=20)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['code'],
                'permissions': [('approve_service', 'Can approve versions of a service'), ('override_service', 'Can set the status of a service by hand')],
            },
        ),
        migrations.CreateModel(
            name='Propagation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('status', models.CharField(blank=True, choices=[('degraded', 'Degraded'), ('outage', 'Outage')], max_length=12)),
                ('inputs', models.JSONField(help_text='Own status, status of the cause, and the relations between them with their versions.')),
                ('inputs_hash', models.BinaryField(max_length=32)),
                ('method_version', models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name='Publication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(max_length=12)),
                ('mapping_hash', models.CharField(max_length=16)),
                ('external_id', models.CharField(blank=True, max_length=80, verbose_name='number there')),
                ('answered_at', models.DateTimeField(null=True)),
                ('answer', models.TextField(blank=True, verbose_name='last answer')),
                ('accepted', models.BooleanField(null=True)),
            ],
            options={
                'ordering': ['catalogue', 'service'],
            },
        ),
        migrations.CreateModel(
            name='RejectedRelation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField()),
                ('rejected_at', models.DateTimeField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Relation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('protects', 'is protected by'), ('depends_on', 'depends on'), ('hosted_on', 'is hosted on'), ('stores_to', 'stores to'), ('copies_to', 'copies to'), ('part_of', 'is part of'), ('offers', 'is offered by'), ('supplied_by', 'is supplied by'), ('supersedes', 'supersedes')], default='depends_on', max_length=20)),
                ('strength', models.CharField(choices=[('hard', 'hard: the consumer stops with it'), ('soft', 'soft: the consumer goes on without it')], default='hard', max_length=4)),
                ('origin', models.CharField(choices=[('declared', 'declared by a person'), ('discovered', 'discovered, then confirmed by a person')], db_default='declared', default='declared', editable=False, max_length=10)),
                ('valid_from', models.DateTimeField(blank=True, help_text='Empty: as far back as anybody knows.', null=True)),
                ('valid_until', models.DateTimeField(blank=True, help_text='Empty: until further notice.', null=True)),
                ('confirmed_at', models.DateTimeField(editable=False, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Revision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('reason', models.TextField()),
                ('content', models.JSONField()),
                ('content_hash', models.CharField(max_length=64)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='ScopeDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('outcome', models.CharField(choices=[('listed', 'listed as an entry of its own'), ('referenced', 'referenced through another entry'), ('excluded', 'left out of the catalogue')], max_length=10, verbose_name='decision')),
                ('hosting', models.CharField(choices=[('on_premises', 'on premises'), ('cloud', 'cloud'), ('hybrid', 'hybrid')], max_length=12)),
                ('provider', models.CharField(blank=True, help_text='Who hosts it, where that is somebody else.', max_length=120)),
                ('answers', models.JSONField(help_text='Question of the catalogue → yes, no or unknown.')),
                ('reason', models.TextField()),
                ('review_on', models.DateField(help_text='By then somebody decides again.', verbose_name='next review')),
                ('decided_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'scope decision',
                'ordering': ['-decided_at'],
            },
        ),
        migrations.CreateModel(
            name='ScopeLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='What people call it, e.g. Backup of the clinical databases.', max_length=160, unique=True)),
                ('created_at', models.DateTimeField(editable=False)),
            ],
            options={
                'verbose_name': 'backup service in scope',
                'verbose_name_plural': 'backup services in scope',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SeenRelation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('protects', 'is protected by'), ('depends_on', 'depends on'), ('hosted_on', 'is hosted on'), ('stores_to', 'stores to'), ('copies_to', 'copies to'), ('part_of', 'is part of'), ('offers', 'is offered by'), ('supplied_by', 'is supplied by'), ('supersedes', 'supersedes')], max_length=20)),
                ('evidence', models.TextField(help_text='What was seen, in a sentence.')),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('gone_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='StatusChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('from_status', models.CharField(blank=True, choices=[('operational', 'Operational'), ('degraded', 'Degraded'), ('outage', 'Outage'), ('maintenance', 'Maintenance'), ('unknown', 'Unknown')], max_length=12)),
                ('to_status', models.CharField(choices=[('operational', 'Operational'), ('degraded', 'Degraded'), ('outage', 'Outage'), ('maintenance', 'Maintenance'), ('unknown', 'Unknown')], max_length=12)),
                ('reason', models.TextField()),
                ('evaluation', models.BigIntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='StatusOverride',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('operational', 'Operational'), ('degraded', 'Degraded'), ('outage', 'Outage'), ('maintenance', 'Maintenance')], max_length=12)),
                ('reason', models.TextField()),
                ('made_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-made_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True)),
                ('email', models.EmailField(help_text="Incidents of this team's services are mailed here.", max_length=254)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='TierDefault',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tier', models.PositiveSmallIntegerField(unique=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)])),
                ('rpo_s', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('success_rate', models.DecimalField(decimal_places=5, help_text='Share of due backups that succeed in a month.', max_digits=6)),
                ('rpo_attainment_rate', models.DecimalField(decimal_places=5, max_digits=6, verbose_name='time within the recovery point')),
                ('restore_test_days', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)], verbose_name='restore test at least every … days')),
                ('copy_scheme', models.CharField(max_length=40)),
            ],
            options={
                'ordering': ['tier'],
            },
        ),
        migrations.CreateModel(
            name='Window',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('purpose', models.CharField(max_length=200)),
                ('decided_at', models.DateTimeField(editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='AgreementVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(editable=False)),
                ('state', models.CharField(choices=[('draft', 'draft'), ('approved', 'approved'), ('cancelled', 'cancelled')], default='draft', editable=False, max_length=9)),
                ('approved_at', models.DateTimeField(editable=False, null=True)),
                ('from_on', models.DateField(verbose_name='in force from')),
                ('until_on', models.DateField(blank=True, help_text='The last day; empty: until it is replaced.', null=True, verbose_name='in force until')),
                ('rpo_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('retention_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('success_rate', models.DecimalField(blank=True, decimal_places=5, max_digits=6, null=True)),
                ('text', models.TextField(blank=True, help_text='What else was agreed, or where the signed paper lies.')),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='catalogue.agreement')),
                ('approver', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('author', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['agreement', '-number'],
            },
        ),
        migrations.CreateModel(
            name='AttestationRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=120)),
                ('due_on', models.DateField(verbose_name='due')),
                ('opened_at', models.DateTimeField()),
                ('opened_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-opened_at'],
            },
        ),
        migrations.CreateModel(
            name='Attestation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('answered_at', models.DateTimeField(null=True)),
                ('right', models.BooleanField(null=True)),
                ('remark', models.TextField(blank=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('round', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attestations', to='catalogue.attestationround')),
            ],
            options={
                'ordering': ['service__code'],
            },
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('act', models.CharField(choices=[('draft', 'make drafts'), ('submit', 'submit for approval'), ('approve', 'approve')], max_length=8)),
                ('title', models.CharField(max_length=160)),
                ('reason', models.TextField()),
                ('asked_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('stopped_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'batches',
                'ordering': ['-pk'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BatchItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveIntegerField(help_text='The row of the file, or the place in the list that was chosen.')),
                ('code', models.CharField(blank=True, max_length=200)),
                ('wish', models.JSONField(default=dict, help_text='Field → wanted value, or the hash of the content that was seen.')),
                ('words', models.TextField(blank=True, help_text='What would happen, in words.')),
                ('problems', models.JSONField(default=list, help_text='[column, what to do] of everything that is in the way.')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('done', 'done'), ('nothing', 'nothing to do'), ('refused', 'refused')], default='waiting', max_length=8)),
                ('told', models.TextField(blank=True, help_text='What came of it.')),
                ('done_at', models.DateTimeField(null=True)),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='catalogue.batch')),
            ],
            options={
                'ordering': ['batch', 'place'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='CmdbState',
            fields=[
                ('cmdb', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='state', serialize=False, to='catalogue.cmdb')),
                ('next_read_at', models.DateTimeField()),
                ('claimed_until', models.DateTimeField(null=True)),
                ('latest_answer_at', models.DateTimeField(null=True)),
                ('latest_complete_at', models.DateTimeField(help_text='Start of the latest reading that came to its end.', null=True)),
                ('cursor', models.JSONField(default=dict)),
                ('consecutive_failures', models.PositiveIntegerField(default=0)),
                ('problem', models.TextField(blank=True)),
            ],
            options={
                'verbose_name': 'state of a CMDB',
                'verbose_name_plural': 'states of CMDBs',
            },
        ),
        migrations.AddConstraint(
            model_name='cmdb',
            constraint=models.CheckConstraint(condition=models.Q(('poll_interval_s__gte', 60)), name='cmdb_read_at_most_every_minute'),
        ),
        migrations.AddField(
            model_name='comment',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.CreateModel(
            name='Commitment',
            fields=[
                ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='commitment', serialize=False, to='catalogue.serviceversion')),
                ('rpo_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery point (RPO), seconds')),
                ('rto_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(60)], verbose_name='recovery time (RTO), seconds')),
                ('retention_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('success_rate', models.DecimalField(blank=True, decimal_places=5, help_text='Share of due backups that succeed in a month, e.g. 0.98.', max_digits=6, null=True)),
                ('on_time_rate', models.DecimalField(blank=True, decimal_places=5, max_digits=6, null=True)),
                ('window_opens', models.TimeField(blank=True, null=True, verbose_name='backup window opens')),
                ('window_closes', models.TimeField(blank=True, null=True, verbose_name='backup window closes')),
                ('restore_test_days', models.PositiveIntegerField(blank=True, null=True, verbose_name='restore test at least every … days')),
                ('rpo_attainment_rate', models.DecimalField(blank=True, decimal_places=5, help_text='Share of a month in which a fresh enough copy exists, e.g. 0.99.', max_digits=6, null=True, verbose_name='time within the recovery point')),
                ('retention_min_days', models.PositiveIntegerField(blank=True, help_text='What law or contract asks for; retention may not be shorter.', null=True, verbose_name='kept at least … days')),
                ('retention_max_days', models.PositiveIntegerField(blank=True, help_text='What law or contract allows; retention may not be longer.', null=True, verbose_name='kept at most … days')),
                ('immutability_days', models.PositiveIntegerField(blank=True, null=True, verbose_name='copies locked for … days')),
                ('copy_scheme', models.CharField(blank=True, help_text='How many copies on which media, e.g. 3-2-1-1-0.', max_length=40)),
                ('encryption', models.CharField(blank=True, choices=[('none', 'none'), ('at_rest', 'at rest'), ('everywhere', 'at rest and in transit')], max_length=20)),
            ],
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='approver',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='contract',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.agreementversion', verbose_name='underpinning contract'),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='ola',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.agreementversion', verbose_name='operational level agreement (OLA)'),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='owner',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='sla',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.agreementversion', verbose_name='service level agreement (SLA)'),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='steward',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='comment',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='batchitem',
            name='version',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='attestation',
            name='version',
            field=models.ForeignKey(help_text='What it was asked about.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='configurationitem',
            name='cmdb',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='catalogue.cmdb'),
        ),
        migrations.AddField(
            model_name='deviation',
            name='approver',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='deviation',
            name='asked_by',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='deviation',
            name='owner',
            field=models.ForeignKey(help_text='Who answers for it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='dutyexception',
            name='approver',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='dutyexception',
            name='owner',
            field=models.ForeignKey(help_text='Who answers for it, and looks at what is done under it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='dutyexception',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='duty_exceptions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='fieldmaster',
            constraint=models.CheckConstraint(condition=models.Q(('master__in', ['catalogue', 'cmdb', 'monitoring'])), name='field_master_is_a_side'),
        ),
        migrations.AddConstraint(
            model_name='fieldmaster',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('field', 'in_use'), _negated=True), ('master', 'cmdb'), _connector='OR'), name='field_in_use_is_the_cmdbs', violation_error_message="Whether something is in use is always the CMDB's to say."),
        ),
        migrations.AddIndex(
            model_name='grantentry',
            index=models.Index(models.OrderBy(models.F('at'), descending=True), name='grantentry_newest'),
        ),
        migrations.AddIndex(
            model_name='grantentry',
            index=models.Index(fields=['person'], name='grantentry_of_person'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='grantentry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='26c22b9c43f79e1e8260eb1a77990dc0c2c1cc4b', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_1762d', table='catalogue_grantentry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='grantentry',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a082e49bd147c172aa913930633beb195e825f93', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_f934a', table='catalogue_grantentry', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='handover',
            name='asked_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handover',
            name='giver',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handover',
            name='receiver',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handover',
            name='version',
            field=models.ForeignKey(help_text='The version that names the receiver.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='hand_overs', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='historicalagreement',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalagreementversion',
            name='agreement',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.agreement'),
        ),
        migrations.AddField(
            model_name='historicalagreementversion',
            name='approver',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalagreementversion',
            name='author',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalagreementversion',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalcmdb',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalcommitment',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalcommitment',
            name='version',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='historicaldeviation',
            name='approver',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldeviation',
            name='asked_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldeviation',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldeviation',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='Who answers for it.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldutyexception',
            name='approver',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldutyexception',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldutyexception',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='Who answers for it, and looks at what is done under it.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldutyexception',
            name='person',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalexternalcatalogue',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalfieldmaster',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalimpactanalysis',
            name='approver',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalimpactanalysis',
            name='author',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalimpactanalysis',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalitemlink',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalitemlink',
            name='item',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.configurationitem'),
        ),
        migrations.AddField(
            model_name='historicallabel',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicallegalhold',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicallegalhold',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='Who answers for it.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicallegalhold',
            name='released_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaloffering',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaloffering',
            name='version',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='historicalrejectedrelation',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalrejectedrelation',
            name='rejected_by',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalrelation',
            name='confirmed_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalrelation',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalscopedecision',
            name='decided_by',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalscopedecision',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalscopeline',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalservice',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='approver',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='contract',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.agreementversion', verbose_name='underpinning contract'),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='ola',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.agreementversion', verbose_name='operational level agreement (OLA)'),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='sla',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.agreementversion', verbose_name='service level agreement (SLA)'),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='steward',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalstatusoverride',
            name='ended_by',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalstatusoverride',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalstatusoverride',
            name='made_by',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalstatusoverride',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='Who answers for it.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalteam',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaltierdefault',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalwindow',
            name='decided_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalwindow',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='analysis',
            field=models.ForeignKey(blank=True, editable=False, help_text='The impact analysis that it was checked against when it was approved.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.impactanalysis'),
        ),
        migrations.AddField(
            model_name='impactanalysis',
            name='approver',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='impactanalysis',
            name='author',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='analysis',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='The impact analysis that it was checked against when it was approved.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.impactanalysis'),
        ),
        migrations.AddField(
            model_name='itemlink',
            name='item',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='link', to='catalogue.configurationitem'),
        ),
        migrations.AddField(
            model_name='itemreject',
            name='cmdb',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rejects', to='catalogue.cmdb'),
        ),
        migrations.AddField(
            model_name='itemrelation',
            name='item',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='relations', to='catalogue.configurationitem'),
        ),
        migrations.AddField(
            model_name='itemrelation',
            name='other',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='related_from', to='catalogue.configurationitem'),
        ),
        migrations.AddField(
            model_name='legalhold',
            name='owner',
            field=models.ForeignKey(help_text='Who answers for it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='legalhold',
            name='released_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='offering',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='offerings', to='catalogue.serviceversion'),
        ),
        migrations.CreateModel(
            name='PropagatedStatus',
            fields=[
                ('service', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='propagated', serialize=False, to='catalogue.service')),
                ('status', models.CharField(choices=[('degraded', 'Degraded'), ('outage', 'Outage')], max_length=12)),
                ('since', models.DateTimeField(help_text='Since when it has been affected so, whatever caused it first.')),
            ],
            options={
                'verbose_name_plural': 'propagated statuses',
            },
        ),
        migrations.CreateModel(
            name='ServiceStatus',
            fields=[
                ('service', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='status', serialize=False, to='catalogue.service')),
                ('status', models.CharField(choices=[('operational', 'Operational'), ('degraded', 'Degraded'), ('outage', 'Outage'), ('maintenance', 'Maintenance'), ('unknown', 'Unknown')], default='unknown', max_length=12)),
                ('since', models.DateTimeField()),
                ('reason', models.TextField(blank=True)),
                ('evaluation', models.BigIntegerField(null=True)),
                ('propagate_at', models.DateTimeField(help_text='When it has to be looked at whom the status reaches.', null=True)),
            ],
            options={
                'verbose_name_plural': 'service statuses',
            },
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='legalhold',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='legal_holds', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='itemlink',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='item_links', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='impactanalysis',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='analyses', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalwindow',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalstatusoverride',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalscopedecision',
            name='entry',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='The entry that it is, or that carries it.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalrelation',
            name='consumer',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalrelation',
            name='provider',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicallegalhold',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalitemlink',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicalimpactanalysis',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='historicaldeviation',
            name='service',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='handover',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='hand_overs', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='deviation',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deviations', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='batchitem',
            name='service',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='attestation',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attestations', to='catalogue.service'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='service',
            trigger=pgtrigger.compiler.Trigger(name='code_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF NEW.code <> OLD.code THEN RAISE EXCEPTION 'the code of a service never changes'; END IF; RETURN NEW;", hash='68f2ead13e19b980efc1b21562c285f827456ceb', operation='UPDATE OF "code"', pgid='pgtrigger_code_is_fixed_c7ded', table='catalogue_service', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='service',
            trigger=pgtrigger.compiler.Trigger(name='held_is_not_retired', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n        IF NEW.lifecycle = 'retired' AND OLD.lifecycle <> 'retired' AND EXISTS (\n          SELECT 1 FROM catalogue_legalhold h WHERE h.service_id = NEW.id AND h.released_at IS NULL\n            AND h.held_from <= clock_timestamp() AND (h.held_until IS NULL OR h.held_until > clock_timestamp())\n        ) THEN\n          RAISE EXCEPTION 'a service under legal hold is not retired: have the hold released first' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n        ", hash='9028a6b9c62a1e2df2b66911c52fece6607fe3ae', operation='UPDATE OF "lifecycle"', pgid='pgtrigger_held_is_not_retired_f0ec6', table='catalogue_service', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='propagation',
            name='cause',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='propagation',
            name='service',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='propagations', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='publication',
            name='catalogue',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='publications', to='catalogue.externalcatalogue'),
        ),
        migrations.AddField(
            model_name='publication',
            name='notice',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='common.notice'),
        ),
        migrations.AddField(
            model_name='publication',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='publication',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='rejectedrelation',
            name='rejected_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='relation',
            name='confirmed_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='relation',
            name='consumer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='provider_relations', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='relation',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consumer_relations', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='revision',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='revision',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='revisions', to='catalogue.serviceversion'),
        ),
        migrations.AddField(
            model_name='scopedecision',
            name='decided_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='scopedecision',
            name='entry',
            field=models.ForeignKey(blank=True, help_text='The entry that it is, or that carries it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='scope_decisions', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='scopedecision',
            name='line',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='catalogue.scopeline', verbose_name='backup service'),
        ),
        migrations.AddField(
            model_name='historicalscopedecision',
            name='line',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.scopeline', verbose_name='backup service'),
        ),
        migrations.AddField(
            model_name='seenrelation',
            name='consumer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seen_relations', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='seenrelation',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='rejectedrelation',
            name='seen',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='rejected', to='catalogue.seenrelation'),
        ),
        migrations.AddField(
            model_name='historicalrejectedrelation',
            name='seen',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.seenrelation'),
        ),
        migrations.AddField(
            model_name='statuschange',
            name='by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='statuschange',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='status_changes', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='statusoverride',
            name='ended_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='statusoverride',
            name='made_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='statusoverride',
            name='owner',
            field=models.ForeignKey(help_text='Who answers for it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='statusoverride',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='status_overrides', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='serviceversion',
            name='operations_team',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.team'),
        ),
        migrations.AddField(
            model_name='historicalserviceversion',
            name='operations_team',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.team'),
        ),
        migrations.AddConstraint(
            model_name='tierdefault',
            constraint=models.CheckConstraint(condition=models.Q(('tier__gte', 1), ('tier__lte', 4)), name='tier_default_tier_1_to_4'),
        ),
        migrations.AddConstraint(
            model_name='tierdefault',
            constraint=models.CheckConstraint(condition=models.Q(('rpo_attainment_rate__gt', 0), ('rpo_attainment_rate__lte', 1), ('success_rate__gt', 0), ('success_rate__lte', 1)), name='tier_default_rates_are_shares'),
        ),
        migrations.AddField(
            model_name='window',
            name='decided_by',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='window',
            name='service',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='windows', to='catalogue.service'),
        ),
        migrations.AddConstraint(
            model_name='agreementversion',
            constraint=models.UniqueConstraint(fields=('agreement', 'number'), name='agreement_number_once'),
        ),
        migrations.AddConstraint(
            model_name='agreementversion',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('agreement',), name='agreement_one_draft'),
        ),
        migrations.AddConstraint(
            model_name='agreementversion',
            constraint=models.CheckConstraint(condition=models.Q(('success_rate__isnull', True), models.Q(('success_rate__gt', 0), ('success_rate__lte', 1)), _connector='OR'), name='agreement_success_rate_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='agreementversion',
            constraint=models.CheckConstraint(condition=models.Q(('until_on__isnull', True), ('until_on__gte', models.F('from_on')), _connector='OR'), name='agreement_ends_after_it_starts', violation_error_message='It cannot end before it starts.'),
        ),
        migrations.AddConstraint(
            model_name='agreementversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'approved'), _negated=True), models.Q(('approved_at__isnull', False), ('approver__isnull', False)), _connector='OR'), name='agreement_approved_is_complete'),
        ),
        migrations.AddConstraint(
            model_name='agreementversion',
            constraint=models.CheckConstraint(condition=models.Q(('approver__isnull', True), models.Q(('approver', models.F('author')), _negated=True), _connector='OR'), name='agreement_author_never_approves', violation_error_message='Its author cannot approve it.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='agreementversion',
            trigger=pgtrigger.compiler.Trigger(name='approved_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF OLD.state = 'approved' THEN RAISE EXCEPTION 'what was approved is immutable: make a new version'; END IF; RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;", hash='e82cf2c1b72409c2ab0c035e29b25d2d8e9d7897', operation='UPDATE OR DELETE', pgid='pgtrigger_approved_is_fixed_23cb7', table='catalogue_agreementversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='attestationround',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='e05ee7059330637ed891863db35cb6e435ab5d05', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_c3d9f', table='catalogue_attestationround', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='attestationround',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='bae01ed9fdd74c01b3c0929670ea7275778b6fcb', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_3b38c', table='catalogue_attestationround', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(models.F('id'), condition=models.Q(('finished_at', None), ('started_at__isnull', False), ('stopped_at', None)), name='batch_running'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='batch',
            trigger=pgtrigger.compiler.Trigger(name='asked_once', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF (NEW.act, NEW.title, NEW.reason, NEW.by_id, NEW.asked_at) IS DISTINCT FROM\n                   (OLD.act, OLD.title, OLD.reason, OLD.by_id, OLD.asked_at)\n                   OR (OLD.finished_at IS NOT NULL AND NEW IS DISTINCT FROM OLD)\n                THEN RAISE EXCEPTION 'what a batch was asked for never changes'; END IF;\n                RETURN NEW;\n                ", hash='65b672141c5ddcaa92e92d4ff0b1117d787c40a7', operation='UPDATE', pgid='pgtrigger_asked_once_4677e', table='catalogue_batch', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='cmdbstate',
            index=models.Index(fields=['next_read_at'], name='cmdb_due'),
        ),
        migrations.AddConstraint(
            model_name='commitment',
            constraint=models.CheckConstraint(condition=models.Q(('success_rate__isnull', True), models.Q(('success_rate__gt', 0), ('success_rate__lte', 1)), _connector='OR'), name='commitment_success_rate_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='commitment',
            constraint=models.CheckConstraint(condition=models.Q(('on_time_rate__isnull', True), models.Q(('on_time_rate__gt', 0), ('on_time_rate__lte', 1)), _connector='OR'), name='commitment_on_time_rate_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='commitment',
            constraint=models.CheckConstraint(condition=models.Q(('rpo_attainment_rate__isnull', True), models.Q(('rpo_attainment_rate__gt', 0), ('rpo_attainment_rate__lte', 1)), _connector='OR'), name='commitment_rpo_attainment_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='commitment',
            constraint=models.CheckConstraint(condition=models.Q(('retention_min_days__isnull', True), ('retention_max_days__isnull', True), ('retention_min_days__lte', models.F('retention_max_days')), _connector='OR'), name='commitment_retention_bounds_in_order', violation_error_message='“Kept at least” cannot be longer than “kept at most”.'),
        ),
        migrations.AddConstraint(
            model_name='commitment',
            constraint=models.CheckConstraint(condition=models.Q(('rpo_s__isnull', True), ('rpo_s__gte', 60), _connector='OR'), name='commitment_rpo_at_least_a_minute'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='commitment',
            trigger=pgtrigger.compiler.Trigger(name='approved_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF EXISTS (SELECT 1 FROM catalogue_serviceversion v WHERE v.state = 'approved'\n                           AND v.id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.version_id ELSE OLD.version_id END,\n                                        CASE WHEN TG_OP = 'DELETE' THEN OLD.version_id ELSE NEW.version_id END))\n                THEN RAISE EXCEPTION 'the commitment of an approved version is immutable'; END IF;\n                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;\n                ", hash='ac511daacd75036c5cb049142875b7ec0c4191a7', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_approved_is_fixed_fc1df', table='catalogue_commitment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comment',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='2ddbb3c16481b9a5e172b73d17d1914ee4c43e56', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_9d71e', table='catalogue_comment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comment',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='d3fa7923d6f249ddceb0908e85252696fb103d2a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_2346a', table='catalogue_comment', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='configurationitem',
            index=models.Index(fields=['name'], name='ci_by_name'),
        ),
        migrations.AddConstraint(
            model_name='configurationitem',
            constraint=models.UniqueConstraint(fields=('cmdb', 'table', 'external_id'), name='item_once_per_cmdb'),
        ),
        migrations.AddConstraint(
            model_name='dutyexception',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('approver', models.F('person')), _negated=True), models.Q(('owner', models.F('person')), _negated=True)), name='exception_not_for_oneself', violation_error_message='Nobody approves or owns an exception for themselves.'),
        ),
        migrations.AddConstraint(
            model_name='dutyexception',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__gt', models.F('valid_from')), ('valid_until__lte', django.db.models.expressions.CombinedExpression(models.F('valid_from'), '+', models.Value(datetime.timedelta(days=366))))), name='exception_of_a_year_at_most', violation_error_message='An exception ends after it begins, and within a year.'),
        ),
        migrations.AddConstraint(
            model_name='dutyexception',
            constraint=models.CheckConstraint(condition=models.Q(('one', models.F('other')), _negated=True), name='exception_of_two_duties'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalagreement',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='626610ee0f2998cfa7be64ae47d65141d8a866e5', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_eeae2', table='catalogue_historicalagreement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalagreement',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='b9836d3ea8a5ddbb304df783a374ded48da48235', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_2ac60', table='catalogue_historicalagreement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalagreement',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='b00b72b186ff4fa19c68e40452dd329a319b9aca', operation='INSERT', pgid='pgtrigger_needs_reason_906b3', table='catalogue_historicalagreement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalagreementversion',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='c6061d142f33783b9be8d1a829a1beec80c1e23e', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b810f', table='catalogue_historicalagreementversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalagreementversion',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='ea6066792b47a6ba1a18de8d80e3de3660cde103', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_8a420', table='catalogue_historicalagreementversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalagreementversion',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='96827617015d5000287d0d7830729b096dcc4507', operation='INSERT', pgid='pgtrigger_needs_reason_97326', table='catalogue_historicalagreementversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalcmdb',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='aef381e1fdbc458a3e8e2136c378751b9453c0fd', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_eadcd', table='catalogue_historicalcmdb', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalcmdb',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='89a2e35554c7d0605ac39ca96f933710d74fa1bc', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_043f3', table='catalogue_historicalcmdb', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalcmdb',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='f5926a792fa61b27a040464f22649c99c36e6e77', operation='INSERT', pgid='pgtrigger_needs_reason_c5bd4', table='catalogue_historicalcmdb', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalcommitment',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='065fd481cf977ca0bf67763d80d4a774a21db78e', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_65929', table='catalogue_historicalcommitment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalcommitment',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='b0a723fbc16f5c8801987a38912d830d653f9504', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_b3f50', table='catalogue_historicalcommitment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalcommitment',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='33992761e0a9d9ad8b643bd7ffa7e4b453833922', operation='INSERT', pgid='pgtrigger_needs_reason_473b7', table='catalogue_historicalcommitment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaldutyexception',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='635be4927f211e4d31aae6293dab5d1b46cc9100', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_d449e', table='catalogue_historicaldutyexception', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaldutyexception',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='c1096bc737d79e83864da4326c1c3addebdada56', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_40c83', table='catalogue_historicaldutyexception', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaldutyexception',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='bda1bb8220d69cd3d0fdda03ebf951d2613929b6', operation='INSERT', pgid='pgtrigger_needs_reason_62b08', table='catalogue_historicaldutyexception', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalexternalcatalogue',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='811d0e2d63b33c7d78532fbd7b0eae127b895194', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_670fa', table='catalogue_historicalexternalcatalogue', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalexternalcatalogue',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='43f5f2368465cbd4ed4a4d169a4e5f73b3a12e1a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_2480a', table='catalogue_historicalexternalcatalogue', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalexternalcatalogue',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='712ceaa3f023e7f7d967ee22562e25e7a0cafffc', operation='INSERT', pgid='pgtrigger_needs_reason_d8f94', table='catalogue_historicalexternalcatalogue', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalfieldmaster',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='abf74b2dff08f1f023c98672162ac6837a933142', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b8dc0', table='catalogue_historicalfieldmaster', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalfieldmaster',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='844010ff6231203ae4f5ecfc1f5e90511dd16270', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d43e1', table='catalogue_historicalfieldmaster', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalfieldmaster',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='61d88629903fa2dafb8b1716cd92c1cc85646b2d', operation='INSERT', pgid='pgtrigger_needs_reason_71ee0', table='catalogue_historicalfieldmaster', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicallabel',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a72fc4f271fa744c13fbb97abed930578f60f6dc', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_5e98f', table='catalogue_historicallabel', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicallabel',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='b8f52f9e395cb983640d271430bf2286a5ce3497', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_7d024', table='catalogue_historicallabel', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicallabel',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='3ada86d142cefd6cf16a7c4e0e5ca219ad631118', operation='INSERT', pgid='pgtrigger_needs_reason_89436', table='catalogue_historicallabel', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaloffering',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='131e29c98868b2783f19a7ce256125f7805da605', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_5b7e8', table='catalogue_historicaloffering', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaloffering',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='70b8ff5b2a162e17406b802897d698f13745a940', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_a21f5', table='catalogue_historicaloffering', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaloffering',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='b975db7a28ffd4314f4075ebcd7a37a372f69288', operation='INSERT', pgid='pgtrigger_needs_reason_af7c0', table='catalogue_historicaloffering', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalscopeline',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='fc382afde60d1dca006e8f75cd3df6520d0ad3e7', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_7ae48', table='catalogue_historicalscopeline', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalscopeline',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='f88f1a885effaabfe93bb86a42cdae788aa26e88', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_cccf7', table='catalogue_historicalscopeline', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalscopeline',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='8c251bb711354ea90bb968fdc4211220053af528', operation='INSERT', pgid='pgtrigger_needs_reason_f532f', table='catalogue_historicalscopeline', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalservice',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='b34e5f90500e93d5ce658a20e617fc7be5d0bc00', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_27777', table='catalogue_historicalservice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalservice',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='3d1f0f21ecdc938cac8ab92a64a1706dcf24e562', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_bee8c', table='catalogue_historicalservice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalservice',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='adad10e488d4eb8cfded2fbb3895b8a4486d1365', operation='INSERT', pgid='pgtrigger_needs_reason_c6763', table='catalogue_historicalservice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalteam',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='eb381181a6d766fff9438ece2487d4815078ea5f', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_c46a7', table='catalogue_historicalteam', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalteam',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='fb7a6a8f992555cb2146f83a9f97878ed54e8fa0', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_7f39a', table='catalogue_historicalteam', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalteam',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='eb22928faba3fd4c96b963185731d858424b03d0', operation='INSERT', pgid='pgtrigger_needs_reason_a456c', table='catalogue_historicalteam', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaltierdefault',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='75f95e9269bc2889bf489111d6f98e45167f1360', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_daf40', table='catalogue_historicaltierdefault', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaltierdefault',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='81a0c3d90b8385cf0c3fbeaa9a73b930d427ac7d', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_c9d28', table='catalogue_historicaltierdefault', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaltierdefault',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='a409662c65d1cc01d9fdbc9b0bfac81857b6f7b5', operation='INSERT', pgid='pgtrigger_needs_reason_16b22', table='catalogue_historicaltierdefault', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='itemreject',
            constraint=models.UniqueConstraint(fields=('cmdb', 'table', 'external_id'), name='item_reject_once'),
        ),
        migrations.AddConstraint(
            model_name='itemrelation',
            constraint=models.UniqueConstraint(fields=('item', 'kind', 'other'), name='item_relation_once'),
        ),
        migrations.AddConstraint(
            model_name='itemrelation',
            constraint=models.CheckConstraint(condition=models.Q(('item', models.F('other')), _negated=True), name='item_relation_between_two'),
        ),
        migrations.AddConstraint(
            model_name='offering',
            constraint=models.UniqueConstraint(fields=('version', 'name'), name='offering_once'),
        ),
        migrations.AddConstraint(
            model_name='offering',
            constraint=models.CheckConstraint(condition=models.Q(('success_rate__isnull', True), models.Q(('success_rate__gt', 0), ('success_rate__lte', 1)), _connector='OR'), name='offering_success_rate_is_a_share'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='offering',
            trigger=pgtrigger.compiler.Trigger(name='approved_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF EXISTS (SELECT 1 FROM catalogue_serviceversion v WHERE v.state = 'approved'\n                           AND v.id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.version_id ELSE OLD.version_id END,\n                                        CASE WHEN TG_OP = 'DELETE' THEN OLD.version_id ELSE NEW.version_id END))\n                THEN RAISE EXCEPTION 'the commitment of an approved version is immutable'; END IF;\n                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;\n                ", hash='7ccf1a0eaab8bbe3f2f6b8a549ad7f0c9222d159', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_approved_is_fixed_e1234', table='catalogue_offering', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='propagatedstatus',
            name='cause',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.service'),
        ),
        migrations.AddField(
            model_name='propagatedstatus',
            name='step',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.propagation'),
        ),
        migrations.AddIndex(
            model_name='servicestatus',
            index=models.Index(condition=models.Q(('propagate_at__isnull', False)), fields=['propagate_at'], name='status_to_propagate'),
        ),
        migrations.AddConstraint(
            model_name='legalhold',
            constraint=models.CheckConstraint(condition=models.Q(('held_until__isnull', True), ('held_until__gt', models.F('held_from')), _connector='OR'), name='hold_ends_after_start', violation_error_message='The hold must end after it begins.'),
        ),
        migrations.AddConstraint(
            model_name='legalhold',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('released_at', None), ('released_by', None)), models.Q(('released_at__isnull', False), ('released_by__isnull', False)), _connector='OR'), name='hold_released_by_somebody'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='legalhold',
            trigger=pgtrigger.compiler.Trigger(name='stays', sql=pgtrigger.compiler.UpsertTriggerSql(func="\nIF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'a legal hold is released, never deleted' USING ERRCODE = 'check_violation'; END IF;\nIF OLD.released_at IS NOT NULL OR NEW.service_id <> OLD.service_id OR NEW.held_from <> OLD.held_from THEN\n  RAISE EXCEPTION 'a released legal hold, its service and its beginning never change' USING ERRCODE = 'check_violation';\nEND IF;\nRETURN NEW;\n", hash='61f92f3ed58afd2f38565aa7d25a2e28e41fe5f9', operation='UPDATE OR DELETE', pgid='pgtrigger_stays_4e7e8', table='catalogue_legalhold', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='impactanalysis',
            constraint=models.UniqueConstraint(fields=('service', 'number'), name='analysis_number_once'),
        ),
        migrations.AddConstraint(
            model_name='impactanalysis',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('service',), name='analysis_one_draft'),
        ),
        migrations.AddConstraint(
            model_name='impactanalysis',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'approved'), _negated=True), models.Q(('approved_at__isnull', False), ('approver__isnull', False)), _connector='OR'), name='analysis_approved_is_complete'),
        ),
        migrations.AddConstraint(
            model_name='impactanalysis',
            constraint=models.CheckConstraint(condition=models.Q(('approver__isnull', True), models.Q(('approver', models.F('author')), _negated=True), _connector='OR'), name='analysis_author_never_approves', violation_error_message='Its author cannot approve it.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='impactanalysis',
            trigger=pgtrigger.compiler.Trigger(name='approved_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF OLD.state = 'approved' THEN RAISE EXCEPTION 'what was approved is immutable: make a new version'; END IF; RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;", hash='1f8d3e3a1e16c05dc5f68d7c9510aa230cf3b292', operation='UPDATE OR DELETE', pgid='pgtrigger_approved_is_fixed_439b1', table='catalogue_impactanalysis', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalwindow',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='e333ddf839837a1956719dd0b909f8f90b864cae', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_c3418', table='catalogue_historicalwindow', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalwindow',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='42830806625ba4a2bbe94b30f47414de89d485da', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_2fa18', table='catalogue_historicalwindow', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalwindow',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='73698840f7a1cf2f650c5cbc58589b43f29a6873', operation='INSERT', pgid='pgtrigger_needs_reason_02503', table='catalogue_historicalwindow', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalstatusoverride',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='2a313e23f995533eccafa75f73d308a5d61a77a7', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b76b1', table='catalogue_historicalstatusoverride', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalstatusoverride',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a108a3af8af3d6173b7b8456e67e503737905b4b', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_53bfb', table='catalogue_historicalstatusoverride', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalstatusoverride',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='bf91267c279b5368d1d65c833a8665211aa6d9da', operation='INSERT', pgid='pgtrigger_needs_reason_1b4da', table='catalogue_historicalstatusoverride', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrelation',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='8b08f1c3ca3877817453e0bbba950d099e4f655f', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_848b3', table='catalogue_historicalrelation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrelation',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='1bc5a4acf1f0d7de9b40bc781403b99204d0534c', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_50402', table='catalogue_historicalrelation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrelation',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='766d6f93d917d38760cf4c6984625f9ecd476ff9', operation='INSERT', pgid='pgtrigger_needs_reason_33ff0', table='catalogue_historicalrelation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicallegalhold',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='21a64811213d40c4495d40ff7a226862f8099bc9', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_a3e20', table='catalogue_historicallegalhold', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicallegalhold',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='22d78a695a7ec1391bce9a428540b93bcceedc8f', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_40222', table='catalogue_historicallegalhold', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicallegalhold',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='20ca1f13e55e1e62522c41301a2c7cce4efeb4eb', operation='INSERT', pgid='pgtrigger_needs_reason_b3b6b', table='catalogue_historicallegalhold', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalitemlink',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='bb471ae3da8569f8b14cdebde71205601bde3c93', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_30bc4', table='catalogue_historicalitemlink', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalitemlink',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='1488e67ba3b74919c44eba6d8f3702b52869b235', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_214dd', table='catalogue_historicalitemlink', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalitemlink',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='060f87c27c0fdab04ece12631e75dc1c67a96e20', operation='INSERT', pgid='pgtrigger_needs_reason_12e5f', table='catalogue_historicalitemlink', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalimpactanalysis',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='1236d2551985e13835011ac3ed75243164be529f', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_46c23', table='catalogue_historicalimpactanalysis', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalimpactanalysis',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='4b601d57dd5dfea14c7d0b90411e4ea4f821e64b', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_3b523', table='catalogue_historicalimpactanalysis', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalimpactanalysis',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='28f02f651acdfdd0c299038c7666bc42f96f4894', operation='INSERT', pgid='pgtrigger_needs_reason_71272', table='catalogue_historicalimpactanalysis', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaldeviation',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='482164a5358a54c51a9b490bf044874f59cfeb75', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_bc01f', table='catalogue_historicaldeviation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaldeviation',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='4a46c3ee933f6d4ab9174c3aeb218b7b37af01b0', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_3aa86', table='catalogue_historicaldeviation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicaldeviation',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='9a6561175e22c9d7058b674cf81b502bd53f1ae6', operation='INSERT', pgid='pgtrigger_needs_reason_09426', table='catalogue_historicaldeviation', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='handover',
            constraint=models.UniqueConstraint(condition=models.Q(('answered_at', None)), fields=('service', 'duty'), name='hand_over_one_open'),
        ),
        migrations.AddConstraint(
            model_name='handover',
            constraint=models.CheckConstraint(condition=models.Q(('giver', models.F('receiver')), _negated=True), name='hand_over_to_somebody_else'),
        ),
        migrations.AddConstraint(
            model_name='handover',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('accepted__isnull', True), ('answered_at__isnull', True)), models.Q(('accepted__isnull', False), ('answered_at__isnull', False)), _connector='OR'), name='hand_over_answer_is_whole'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='handover',
            trigger=pgtrigger.compiler.Trigger(name='answered_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF TG_OP = 'DELETE' OR OLD.answered_at IS NOT NULL THEN RAISE EXCEPTION 'an answer that was given stays'; END IF; RETURN NEW;", hash='616cbd8a8f8d92879d0352cde418096609d4b03e', operation='UPDATE OR DELETE', pgid='pgtrigger_answered_is_fixed_a1e17', table='catalogue_handover', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='deviation',
            index=models.Index(fields=['service', 'code'], name='deviation_of_service'),
        ),
        migrations.AddConstraint(
            model_name='deviation',
            constraint=models.CheckConstraint(condition=models.Q(('approver__isnull', True), models.Q(models.Q(('approver', models.F('owner')), _negated=True), models.Q(('approver', models.F('asked_by')), _negated=True)), _connector='OR'), name='deviation_granted_by_somebody_else', violation_error_message='Neither the owner of a deviation nor who asked for it can grant it.'),
        ),
        migrations.AddConstraint(
            model_name='deviation',
            constraint=models.CheckConstraint(condition=models.Q(('granted_at__isnull', True), ('approver__isnull', False), _connector='OR'), name='deviation_granted_by_somebody'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='deviation',
            trigger=pgtrigger.compiler.Trigger(name='granted_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                IF OLD.granted_at IS NOT NULL AND (TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL\n                   OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at'))\n                THEN RAISE EXCEPTION 'a granted deviation never changes: it may only be taken back'; END IF;\n                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;\n                ", hash='31c57a1d638d96d8fec3586aba9e3e2401014e7b', operation='UPDATE OR DELETE', pgid='pgtrigger_granted_is_fixed_0d7f3', table='catalogue_deviation', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='batchitem',
            index=models.Index(models.F('batch'), models.F('place'), condition=models.Q(('state', 'waiting')), name='batch_waiting'),
        ),
        migrations.AddConstraint(
            model_name='batchitem',
            constraint=models.UniqueConstraint(fields=('batch', 'place'), name='batch_item_once'),
        ),
        migrations.AddConstraint(
            model_name='batchitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('done_at__isnull', True), ('state', 'waiting')), models.Q(models.Q(('state', 'waiting'), _negated=True), ('done_at__isnull', False)), _connector='OR'), name='batch_item_decided_has_a_time'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='batchitem',
            trigger=pgtrigger.compiler.Trigger(name='decided_once', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."state" IN (\'done\', \'nothing\', \'refused\'))', func="RAISE EXCEPTION 'an item of a batch is decided once';", hash='e7a809f0d3441ae0e639a08e0c384856f12ccd05', operation='UPDATE', pgid='pgtrigger_decided_once_df8bf', table='catalogue_batchitem', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='attestation',
            index=models.Index(condition=models.Q(('answered_at', None)), fields=['person'], name='attestation_open'),
        ),
        migrations.AddConstraint(
            model_name='attestation',
            constraint=models.UniqueConstraint(fields=('round', 'service'), name='attestation_once_a_round'),
        ),
        migrations.AddConstraint(
            model_name='attestation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answered_at__isnull', True), ('right__isnull', True)), models.Q(('answered_at__isnull', False), ('right__isnull', False)), _connector='OR'), name='attestation_answer_is_whole'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='attestation',
            trigger=pgtrigger.compiler.Trigger(name='answered_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF TG_OP = 'DELETE' OR OLD.answered_at IS NOT NULL THEN RAISE EXCEPTION 'an answer that was given stays'; END IF; RETURN NEW;", hash='6ce73ba77a71c715b6b5765fcd7b696760ca1d2c', operation='UPDATE OR DELETE', pgid='pgtrigger_answered_is_fixed_d9064', table='catalogue_attestation', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='propagation',
            index=models.Index(models.F('service'), models.OrderBy(models.F('at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='propagation_of_service'),
        ),
        migrations.AddConstraint(
            model_name='propagation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('cause', None), ('status', '')), models.Q(models.Q(('status', ''), _negated=True), ('cause__isnull', False)), _connector='OR'), name='propagation_has_a_cause'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='propagation',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='0c8dc8729294931712c7525874c4999b55e3f07d', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b40d6', table='catalogue_propagation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='propagation',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a1726405e6fbedd307444777b40b22442036d210', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_ae83e', table='catalogue_propagation', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='publication',
            constraint=models.UniqueConstraint(fields=('catalogue', 'service'), name='publication_once'),
        ),
        migrations.AddConstraint(
            model_name='relation',
            constraint=models.UniqueConstraint(condition=models.Q(('valid_until__isnull', True)), fields=('provider', 'consumer', 'kind'), name='relation_once', violation_error_message='This relation stands already.'),
        ),
        migrations.AddConstraint(
            model_name='relation',
            constraint=models.CheckConstraint(condition=models.Q(('provider', models.F('consumer')), _negated=True), name='relation_not_to_itself', violation_error_message='A service cannot depend on itself.'),
        ),
        migrations.AddConstraint(
            model_name='relation',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__gt', models.F('valid_from')), ('valid_from', None), ('valid_until', None), _connector='OR'), name='relation_ends_after_start', violation_error_message='The relation must end after it begins.'),
        ),
        migrations.AddConstraint(
            model_name='relation',
            constraint=models.CheckConstraint(condition=models.Q(('kind', 'supersedes'), ('strength', 'hard'), _negated=True), name='relation_supersedes_is_soft', violation_error_message='A service does not stop with the one that it supersedes: choose soft.'),
        ),
        migrations.AddConstraint(
            model_name='relation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('confirmed_at', None), ('confirmed_by', None)), models.Q(('confirmed_at__isnull', False), ('confirmed_by__isnull', False)), _connector='OR'), name='relation_confirmed_by_somebody'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='relation',
            trigger=pgtrigger.compiler.Trigger(name='stands', sql=pgtrigger.compiler.UpsertTriggerSql(func="\nIF TG_OP = 'UPDATE' AND (NEW.consumer_id, NEW.provider_id, NEW.kind) IS DISTINCT FROM (OLD.consumer_id, OLD.provider_id, OLD.kind) THEN\n  RAISE EXCEPTION 'a relation keeps its two services and its kind: end it and make another' USING ERRCODE = 'check_violation';\nEND IF;\nIF NEW.valid_until <= NEW.valid_from THEN\n  RAISE EXCEPTION 'a relation ends after it begins' USING ERRCODE = 'check_violation';\nEND IF;\nPERFORM pg_advisory_xact_lock(7315010);\nIF EXISTS (\n  SELECT 1 FROM catalogue_relation r\n  WHERE r.consumer_id = NEW.consumer_id AND r.provider_id = NEW.provider_id AND r.kind = NEW.kind AND r.id <> NEW.id\n    AND tstzrange(r.valid_from, r.valid_until) && tstzrange(NEW.valid_from, NEW.valid_until)\n) THEN\n  RAISE EXCEPTION 'this relation stands already in that time' USING ERRCODE = 'unique_violation';\nEND IF;\nIF NEW.kind IN ('part_of', 'supersedes') AND EXISTS (\n  WITH RECURSIVE above(id) AS (\n      SELECT NEW.provider_id\n    UNION\n      SELECT r.provider_id FROM above JOIN catalogue_relation r ON r.consumer_id = above.id\n      WHERE r.kind = NEW.kind AND r.id <> NEW.id AND tstzrange(r.valid_from, r.valid_until) && tstzrange(NEW.valid_from, NEW.valid_until)\n  ) SELECT 1 FROM above WHERE id = NEW.consumer_id\n) THEN\n  RAISE EXCEPTION 'a service cannot be part of, or supersede, itself through others' USING ERRCODE = 'check_violation';\nEND IF;\nRETURN NEW;\n", hash='12e28f18e1fad75bb5fa4217c6a0d9d2a219778b', operation='INSERT OR UPDATE', pgid='pgtrigger_stands_4e3f3', table='catalogue_relation', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='revision',
            index=models.Index(models.F('version'), models.OrderBy(models.F('id'), descending=True), name='revision_newest'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='revision',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='1772f55aa15863365f522a578c5ae4b2f2e8f15e', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b9fa8', table='catalogue_revision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='revision',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='81f8a6d4203b17582799553660b282e6a943467c', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_ba3e8', table='catalogue_revision', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='scopedecision',
            index=models.Index(models.F('line'), models.OrderBy(models.F('decided_at'), descending=True), name='scope_newest'),
        ),
        migrations.AddConstraint(
            model_name='scopedecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('entry__isnull', True), ('outcome', 'excluded')), models.Q(('entry__isnull', False), ('outcome__in', ['listed', 'referenced'])), _connector='OR'), name='scope_names_its_entry', violation_error_message='What is listed or referenced names its entry; what is left out names none.'),
        ),
        migrations.AddConstraint(
            model_name='scopedecision',
            constraint=models.CheckConstraint(condition=models.Q(('answers__has_keys', ['customers', 'agreement', 'commitments', 'consumers', 'regulated'])), name='scope_answers_every_question'),
        ),
        migrations.AddConstraint(
            model_name='scopedecision',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='scope_has_a_reason'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='scopedecision',
            trigger=pgtrigger.compiler.Trigger(name='decided', sql=pgtrigger.compiler.UpsertTriggerSql(func="\nPERFORM pg_advisory_xact_lock(7315013);\nIF EXISTS (SELECT 1 FROM catalogue_scopedecision d WHERE d.line_id = NEW.line_id AND d.decided_at >= NEW.decided_at) THEN\n  RAISE EXCEPTION 'decisions on a backup service follow one another' USING ERRCODE = 'check_violation';\nEND IF;\nIF NEW.review_on <= (NEW.decided_at AT TIME ZONE 'UTC')::date THEN\n  RAISE EXCEPTION 'the next review of a decision lies after it' USING ERRCODE = 'check_violation';\nEND IF;\nIF NEW.entry_id IS NOT NULL AND NOT EXISTS (\n  SELECT 1 FROM catalogue_serviceversion v JOIN catalogue_service s ON s.id = v.service_id\n  WHERE s.id = NEW.entry_id AND s.lifecycle IN ('catalogue', 'pending_retirement')\n    AND v.state = 'approved' AND v.effective @> NEW.decided_at\n) THEN\n  RAISE EXCEPTION 'a decision names an entry that is published' USING ERRCODE = 'check_violation';\nEND IF;\nIF NEW.outcome = 'listed' AND EXISTS (\n  SELECT 1 FROM catalogue_scopedecision d WHERE d.entry_id = NEW.entry_id AND d.outcome = 'listed' AND d.line_id <> NEW.line_id\n    AND NOT EXISTS (SELECT 1 FROM catalogue_scopedecision n WHERE n.line_id = d.line_id AND n.decided_at > d.decided_at)\n) THEN\n  RAISE EXCEPTION 'this entry stands for another backup service already' USING ERRCODE = 'unique_violation';\nEND IF;\nRETURN NEW;\n", hash='73ff7cfb9593cdf125746b1c9807447856e93572', operation='INSERT', pgid='pgtrigger_decided_8e262', table='catalogue_scopedecision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='scopedecision',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='07afdff627d85c955e87c430c84c867fbade5137', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_1df29', table='catalogue_scopedecision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='scopedecision',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='8397d18e62077930de5fba5dc8f923b41ce9042b', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_b27ef', table='catalogue_scopedecision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalscopedecision',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='457a3cce47a63b3289d965a5d91c0a5d550bea20', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_eaad4', table='catalogue_historicalscopedecision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalscopedecision',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='34c7a6fe406c858880e8a5531255d40241205d0f', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_b9e52', table='catalogue_historicalscopedecision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalscopedecision',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='a982ac270d48117e2e6fb285c91a55f508cad36e', operation='INSERT', pgid='pgtrigger_needs_reason_71784', table='catalogue_historicalscopedecision', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='seenrelation',
            constraint=models.UniqueConstraint(fields=('consumer', 'provider', 'kind'), name='seen_relation_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrejectedrelation',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='e5b7709fe8a1b30ca8d2098e3caebc1c3ca68da9', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_cf340', table='catalogue_historicalrejectedrelation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrejectedrelation',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='e271d70d123eaf8f786062d1d39b997ffc702bfc', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_ca180', table='catalogue_historicalrejectedrelation', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrejectedrelation',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='3b5f58048d2a41ff0b921d224f9b43eae9791e4f', operation='INSERT', pgid='pgtrigger_needs_reason_02713', table='catalogue_historicalrejectedrelation', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='statuschange',
            index=models.Index(models.F('service'), models.OrderBy(models.F('at'), descending=True), name='statuschange_of_service'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='statuschange',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='eaa30d731faf23a0452b0d02aa75b7ccbd798710', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_27933', table='catalogue_statuschange', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='statuschange',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='1cac71449d1fb9abdcdcc3356f104860536b93ca', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_42827', table='catalogue_statuschange', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='statusoverride',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('made_at')), ('expires_at__lte', django.db.models.expressions.CombinedExpression(models.F('made_at'), '+', models.Value(datetime.timedelta(days=30))))), name='override_expires', violation_error_message='It must end after it begins, and within 30 days.'),
        ),
        migrations.AddConstraint(
            model_name='statusoverride',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_by', None)), models.Q(('ended_at__gte', models.F('made_at')), ('ended_by__isnull', False)), _connector='OR'), name='override_ended_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='statusoverride',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(catalogue.models.status.Period('made_at', django.db.models.functions.comparison.Coalesce('ended_at', 'expires_at')), '&&'), (catalogue.models.service.SpanToItself(models.F('service_id')), '&&')], name='override_one_at_a_time', violation_error_message='Its status is set by hand already. End that first.'),
        ),
        migrations.AddIndex(
            model_name='serviceversion',
            index=models.Index(models.F('service'), models.OrderBy(models.F('number'), descending=True), name='version_newest'),
        ),
        migrations.AddConstraint(
            model_name='serviceversion',
            constraint=models.UniqueConstraint(fields=('service', 'number'), name='version_number_once'),
        ),
        migrations.AddConstraint(
            model_name='serviceversion',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['draft', 'in_review'])), fields=('service',), name='version_one_open', violation_error_message='There is already an open version of this service. Finish or cancel that one first.'),
        ),
        migrations.AddConstraint(
            model_name='serviceversion',
            constraint=models.CheckConstraint(condition=models.Q(('tier__gte', 1), ('tier__lte', 4)), name='version_tier_1_to_4'),
        ),
        migrations.AddConstraint(
            model_name='serviceversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'approved'), _negated=True), models.Q(('approved_at__isnull', False), ('approver__isnull', False), ('effective__isnull', False), ('operations_team__isnull', False), ('owner__isnull', False), ('steward__isnull', False)), _connector='OR'), name='version_approved_is_complete', violation_error_message='An approved version needs exactly one owner, one steward, one operations team and an approver.'),
        ),
        migrations.AddConstraint(
            model_name='serviceversion',
            constraint=models.CheckConstraint(condition=models.Q(('approver__isnull', True), models.Q(('author_ids__contains', models.Func(models.F('approver_id'), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None), template='ARRAY[%(expressions)s]::integer[]')), _negated=True), _connector='OR'), name='version_author_never_approves', violation_error_message='An author of a version cannot approve it.'),
        ),
        migrations.AddConstraint(
            model_name='serviceversion',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(condition=models.Q(('state', 'approved')), expressions=[(catalogue.models.service.SpanToItself(models.F('service_id')), '&&'), ('effective', '&&')], name='version_one_effective', violation_error_message='Another version is in force in that time.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='serviceversion',
            trigger=pgtrigger.compiler.Trigger(name='approved_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(func="\nIF TG_OP = 'DELETE' THEN\n  IF OLD.state = 'approved' THEN RAISE EXCEPTION 'an approved version is never deleted'; END IF;\n  RETURN OLD;\nEND IF;\nIF OLD.state = 'approved' AND (\n  (to_jsonb(NEW) - 'effective') IS DISTINCT FROM (to_jsonb(OLD) - 'effective')\n  OR lower(NEW.effective) IS DISTINCT FROM lower(OLD.effective)\n  OR (NOT upper_inf(OLD.effective) AND upper(NEW.effective) IS DISTINCT FROM upper(OLD.effective))\n) THEN\n  RAISE EXCEPTION 'an approved version is immutable: only the end of its range may close';\nEND IF;\nRETURN NEW;\n", hash='8da932e9eee9ea1df55236180e24160749cf3b23', operation='UPDATE OR DELETE', pgid='pgtrigger_approved_is_fixed_7293a', table='catalogue_serviceversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalserviceversion',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='900ea16aec7ccce57a9d7eeb74b28b91adb2a351', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_807cf', table='catalogue_historicalserviceversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalserviceversion',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='51d4306dce2dc761c6b348c3c3b277050e479394', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_e3e70', table='catalogue_historicalserviceversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalserviceversion',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='8e8d1a396f77f6ef6d9bb80105b775976a073512', operation='INSERT', pgid='pgtrigger_needs_reason_3231b', table='catalogue_historicalserviceversion', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='window',
            index=models.Index(fields=['service', 'starts_at', 'ends_at'], name='window_of_service'),
        ),
        migrations.AddConstraint(
            model_name='window',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='window_ends_after_start', violation_error_message='The window must end after it starts.'),
        ),
        migrations.AddConstraint(
            model_name='propagatedstatus',
            constraint=models.CheckConstraint(condition=models.Q(('service', models.F('cause')), _negated=True), name='propagated_from_another'),
        ),
    ]
