"""The tables of incidents as the first release has them, in one step; `replaces` names the steps of before, which a database that has them all counts as this one."""

import catalogue.models.service
import catalogue.models.status
import datetime
import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import incidents.models.escalation
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
        ('incidents', '0001_first_facts'),
        ('incidents', '0002_entries_name_their_alert'),
        ('incidents', '0003_escalation_policies'),
        ('incidents', '0004_policies_for_open_incidents'),
        ('incidents', '0005_on_call'),
        ('incidents', '0006_channels'),
    ]

    dependencies = [
        ('catalogue', '0001_initial'),
        ('monitoring', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('kind', models.CharField(choices=[('webhook', 'webhook, signed'), ('service', 'chat or push service')], max_length=8)),
                ('secrets', itsm_backup.common.crypto.SecretsField(default=dict, help_text='Encrypted; never shown again.')),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='EscalationPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True)),
                ('position', models.PositiveIntegerField(default=100, help_text='Lower is asked first. The default is asked last.')),
                ('priorities', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('P1', 'P1'), ('P2', 'P2'), ('P3', 'P3'), ('P4', 'P4'), ('P5', 'P5')], max_length=2), blank=True, default=list, help_text='Only incidents of these priorities, such as P1,P2. Empty: of every priority.', size=None)),
                ('tiers', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)]), blank=True, default=list, help_text='Only where the service hit hardest is of these tiers, such as 1,2. Empty: of every tier.', size=None)),
                ('repeat_min', models.PositiveIntegerField(blank=True, help_text='Tell the level reached last again so often until it is resolved. Empty: never.', null=True, validators=[django.core.validators.MinValueValidator(15), django.core.validators.MaxValueValidator(44640)], verbose_name='repeat (minutes)')),
                ('quiet_from', models.TimeField(blank=True, help_text='Quiet hours begin, in the time zone below. Empty: none.', null=True)),
                ('quiet_to', models.TimeField(blank=True, null=True)),
                ('quiet_weekends', models.BooleanField(default=False, help_text='Whole Saturdays and Sundays are quiet, too.')),
                ('zone', models.CharField(default='UTC', help_text='Of the quiet hours.', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('bypass', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('P1', 'P1'), ('P2', 'P2'), ('P3', 'P3'), ('P4', 'P4'), ('P5', 'P5')], max_length=2), blank=True, default=incidents.models.escalation._urgent, help_text='These priorities are told in quiet hours, too.', size=None)),
                ('enabled', models.BooleanField(default=True, help_text='A policy that is not enabled can be tried on the page Who is told when.')),
                ('is_default', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'verbose_name_plural': 'escalation policies',
                'ordering': ['is_default', 'position', 'pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('is_default',), name='policy_one_default'), models.CheckConstraint(condition=models.Q(('is_default', False), models.Q(('enabled', True), ('priorities', []), ('tiers', [])), _connector='OR'), name='policy_default_fits_all', violation_error_message='The default policy is for every incident: it names no priorities and tiers and stays enabled.'), models.CheckConstraint(condition=models.Q(models.Q(('quiet_from', None), ('quiet_to', None), ('quiet_weekends', False)), models.Q(('quiet_from__isnull', False), ('quiet_to__isnull', False), models.Q(('quiet_from', models.F('quiet_to')), _negated=True)), _connector='OR'), name='policy_quiet_has_both_ends', violation_error_message='Quiet hours need a beginning and an end that differ.'), models.CheckConstraint(condition=models.Q(('priorities__contained_by', ['P1', 'P2', 'P3', 'P4', 'P5']), ('bypass__contained_by', ['P1', 'P2', 'P3', 'P4', 'P5'])), name='policy_priorities_known'), models.CheckConstraint(condition=models.Q(('tiers__contained_by', [1, 2, 3, 4])), name='policy_tiers_known'), models.CheckConstraint(condition=models.Q(('repeat_min', None), ('repeat_min__gte', 15), _connector='OR'), name='policy_repeats_not_too_often', violation_error_message='Repeat every 15 minutes or more seldom.')],
            },
        ),
        migrations.CreateModel(
            name='HistoricalChannel',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(db_index=True, max_length=80)),
                ('kind', models.CharField(choices=[('webhook', 'webhook, signed'), ('service', 'chat or push service')], max_length=8)),
                ('secrets', itsm_backup.common.crypto.SecretsField(default=dict, help_text='Encrypted; never shown again.')),
                ('enabled', models.BooleanField(default=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical channel',
                'verbose_name_plural': 'historical channels',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalEscalationPolicy',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('name', models.CharField(db_index=True, max_length=120)),
                ('position', models.PositiveIntegerField(default=100, help_text='Lower is asked first. The default is asked last.')),
                ('priorities', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('P1', 'P1'), ('P2', 'P2'), ('P3', 'P3'), ('P4', 'P4'), ('P5', 'P5')], max_length=2), blank=True, default=list, help_text='Only incidents of these priorities, such as P1,P2. Empty: of every priority.', size=None)),
                ('tiers', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(4)]), blank=True, default=list, help_text='Only where the service hit hardest is of these tiers, such as 1,2. Empty: of every tier.', size=None)),
                ('repeat_min', models.PositiveIntegerField(blank=True, help_text='Tell the level reached last again so often until it is resolved. Empty: never.', null=True, validators=[django.core.validators.MinValueValidator(15), django.core.validators.MaxValueValidator(44640)], verbose_name='repeat (minutes)')),
                ('quiet_from', models.TimeField(blank=True, help_text='Quiet hours begin, in the time zone below. Empty: none.', null=True)),
                ('quiet_to', models.TimeField(blank=True, null=True)),
                ('quiet_weekends', models.BooleanField(default=False, help_text='Whole Saturdays and Sundays are quiet, too.')),
                ('zone', models.CharField(default='UTC', help_text='Of the quiet hours.', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('bypass', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('P1', 'P1'), ('P2', 'P2'), ('P3', 'P3'), ('P4', 'P4'), ('P5', 'P5')], max_length=2), blank=True, default=incidents.models.escalation._urgent, help_text='These priorities are told in quiet hours, too.', size=None)),
                ('enabled', models.BooleanField(default=True, help_text='A policy that is not enabled can be tried on the page Who is told when.')),
                ('is_default', models.BooleanField(default=False, editable=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical escalation policy',
                'verbose_name_plural': 'historical escalation policies',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalEscalationStep',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('after_min', models.PositiveIntegerField(default=0, help_text='From the moment the incident became known, while nobody has acknowledged.', validators=[django.core.validators.MaxValueValidator(44640)], verbose_name='after (minutes)')),
                ('tell', models.CharField(choices=[('operations_team', 'operations team of the service'), ('on_call', 'whoever is on call'), ('owner', 'owner of the service'), ('steward', 'steward of the service'), ('team', 'team'), ('channel', 'channel'), ('person', 'person')], default='operations_team', max_length=16)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('channel', models.ForeignKey(blank=True, db_constraint=False, help_text='Where a channel is told.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='incidents.channel')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(blank=True, db_constraint=False, help_text='Where a person is told.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('policy', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='incidents.escalationpolicy')),
                ('team', models.ForeignKey(blank=True, db_constraint=False, help_text='Where a team is told, or who is on call for it. On call without a team: for the operations team of the service.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.team')),
            ],
            options={
                'verbose_name': 'historical escalation step',
                'verbose_name_plural': 'historical escalation steps',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRota',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('starts_on', models.DateField(help_text="Its hand-over begins the first member's first shift.", verbose_name='first day')),
                ('hand_over_at', models.TimeField(default=datetime.time(9, 0), help_text='Local time at which one shift ends and the next begins.', verbose_name='hand-over at')),
                ('zone', models.CharField(default='UTC', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('shift_days', models.PositiveSmallIntegerField(blank=True, default=7, help_text='Empty where a recurrence says when shifts begin.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(366)], verbose_name='shift (days)')),
                ('rule', models.CharField(blank=True, help_text='e.g. FREQ=WEEKLY;BYDAY=MO,FR: a shift of the week and one of the weekend. Empty where the length of a shift is given.', max_length=300, verbose_name='shifts begin (RFC 5545)')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalogue.team')),
            ],
            options={
                'verbose_name': 'historical rota',
                'verbose_name_plural': 'historical rotas',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause_key', models.CharField(max_length=200)),
                ('cause_is_specific', models.BooleanField(default=False)),
                ('title', models.CharField(max_length=240)),
                ('state', models.CharField(choices=[('new', 'New'), ('in_progress', 'In progress'), ('on_hold', 'On hold'), ('resolved', 'Resolved'), ('closed', 'Closed'), ('cancelled', 'Cancelled')], default='new', max_length=12)),
                ('priority', models.CharField(max_length=2)),
                ('impact', models.CharField(max_length=6)),
                ('urgency', models.CharField(max_length=6)),
                ('priority_reason', models.TextField(help_text='The arithmetic of the priority, in words.')),
                ('opened_at', models.DateTimeField()),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('resolved_by_evaluation', models.BigIntegerField(help_text='The evaluation that proved it over.', null=True)),
                ('impact_at_opening', models.JSONField(default=dict, help_text='Who felt it when it opened: a frozen copy.')),
                ('updated_at', models.DateTimeField()),
                ('assignee', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to=settings.AUTH_USER_MODEL)),
                ('service', models.ForeignKey(help_text='The one hit hardest.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='catalogue.service')),
                ('team', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='catalogue.team')),
            ],
            options={
                'permissions': [('resolve_incident', 'Can resolve an incident by hand')],
            },
        ),
        migrations.CreateModel(
            name='Escalation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='1, and one more each time another policy took over.')),
                ('policy_version', models.BigIntegerField(help_text='History id of the policy.', null=True)),
                ('snapshot', models.JSONField(help_text='Name, levels, repeat and quiet hours of the policy as they counted.')),
                ('priority', models.CharField(max_length=2)),
                ('started_at', models.DateTimeField(help_text='Delays count from here.')),
                ('next_at', models.DateTimeField(help_text='When somebody may have to be told.', null=True)),
                ('ended_at', models.DateTimeField(help_text='When another policy took over.', null=True)),
                ('policy', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='incidents.escalationpolicy')),
                ('incident', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='escalations', to='incidents.incident')),
            ],
            options={
                'ordering': ['incident', 'number'],
            },
        ),
        migrations.CreateModel(
            name='IncidentAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attached_at', models.DateTimeField()),
                ('alert', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='incident_alert', to='monitoring.alert')),
                ('incident', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='incident_alerts', to='incidents.incident')),
            ],
        ),
        migrations.CreateModel(
            name='IncidentEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('opened', 'opened'), ('joined', 'alert joined'), ('repeated', 'happened again'), ('state', 'state changed'), ('priority', 'priority changed'), ('note', 'note'), ('mail', 'message')], max_length=10)),
                ('text', models.TextField()),
                ('alert', models.ForeignKey(help_text='The alert whose words the line has.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='monitoring.alert')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('incident', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='incidents.incident')),
            ],
        ),
        migrations.CreateModel(
            name='Rota',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_on', models.DateField(help_text="Its hand-over begins the first member's first shift.", verbose_name='first day')),
                ('hand_over_at', models.TimeField(default=datetime.time(9, 0), help_text='Local time at which one shift ends and the next begins.', verbose_name='hand-over at')),
                ('zone', models.CharField(default='UTC', max_length=64, validators=[catalogue.models.service.validate_zone], verbose_name='time zone')),
                ('shift_days', models.PositiveSmallIntegerField(blank=True, default=7, help_text='Empty where a recurrence says when shifts begin.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(366)], verbose_name='shift (days)')),
                ('rule', models.CharField(blank=True, help_text='e.g. FREQ=WEEKLY;BYDAY=MO,FR: a shift of the week and one of the weekend. Empty where the length of a shift is given.', max_length=300, verbose_name='shifts begin (RFC 5545)')),
                ('team', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='rota', to='catalogue.team')),
            ],
            options={
                'ordering': ['team__name'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalRotaSwap',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=300)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rota', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='incidents.rota')),
            ],
            options={
                'verbose_name': 'historical rota swap',
                'verbose_name_plural': 'historical rota swaps',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRotaMember',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_change_reason', models.TextField()),
                ('place', models.PositiveSmallIntegerField(help_text='1 has the first shift.')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rota', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='incidents.rota')),
            ],
            options={
                'verbose_name': 'historical rota member',
                'verbose_name_plural': 'historical rota members',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='RotaMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveSmallIntegerField(help_text='1 has the first shift.')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rota', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='incidents.rota')),
            ],
            options={
                'ordering': ['rota', 'place'],
            },
        ),
        migrations.CreateModel(
            name='RotaSwap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=300)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rota', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='swaps', to='incidents.rota')),
            ],
            options={
                'ordering': ['starts_at'],
            },
        ),
        migrations.CreateModel(
            name='Telling',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.PositiveSmallIntegerField()),
                ('sequence', models.PositiveIntegerField(help_text='0 for the level itself, then counting its repeats.')),
                ('kind', models.CharField(choices=[('notify', 'told'), ('escalate', 'escalated'), ('repeat', 'told again')], max_length=8)),
                ('at', models.DateTimeField()),
                ('recipients', models.JSONField(help_text='Who was told, and at which address.')),
                ('escalation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tellings', to='incidents.escalation')),
            ],
            options={
                'ordering': ['at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='EscalationStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('after_min', models.PositiveIntegerField(default=0, help_text='From the moment the incident became known, while nobody has acknowledged.', validators=[django.core.validators.MaxValueValidator(44640)], verbose_name='after (minutes)')),
                ('tell', models.CharField(choices=[('operations_team', 'operations team of the service'), ('on_call', 'whoever is on call'), ('owner', 'owner of the service'), ('steward', 'steward of the service'), ('team', 'team'), ('channel', 'channel'), ('person', 'person')], default='operations_team', max_length=16)),
                ('channel', models.ForeignKey(blank=True, help_text='Where a channel is told.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='incidents.channel')),
                ('person', models.ForeignKey(blank=True, help_text='Where a person is told.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='incidents.escalationpolicy')),
                ('team', models.ForeignKey(blank=True, help_text='Where a team is told, or who is on call for it. On call without a team: for the operations team of the service.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.team')),
            ],
            options={
                'ordering': ['after_min', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('channel', None), ('person', None), ('team__isnull', False), ('tell', 'team')), models.Q(('channel__isnull', False), ('person', None), ('team', None), ('tell', 'channel')), models.Q(('channel', None), ('person__isnull', False), ('team', None), ('tell', 'person')), models.Q(('channel', None), ('person', None), ('tell', 'on_call')), models.Q(models.Q(('tell__in', ['team', 'person', 'on_call', 'channel']), _negated=True), ('channel', None), ('person', None), ('team', None)), _connector='OR'), name='step_names_whom_it_tells', violation_error_message='Name the team, person or channel that is told, and nobody else.'), models.UniqueConstraint(fields=('policy', 'after_min', 'tell', 'team', 'person', 'channel'), name='step_once', nulls_distinct=False, violation_error_message='This policy tells them after that time already.')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalchannel',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a503125ddc21221f9d74dafcb03552f8ab2311a3', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_21d7f', table='incidents_historicalchannel', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalchannel',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='a7f1877d201ccfd7ee5ea9992905920b4430cee4', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_ea082', table='incidents_historicalchannel', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalchannel',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='18082465b25bfddcf497a5f854a6d1eec284af03', operation='INSERT', pgid='pgtrigger_needs_reason_27416', table='incidents_historicalchannel', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalescalationpolicy',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='d7ab0e7e6c90171f770a14bc31231cda8e95661d', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b0b28', table='incidents_historicalescalationpolicy', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalescalationpolicy',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='e643f0746e8d55cb159ac8583bf4d265fcebc07e', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_94a50', table='incidents_historicalescalationpolicy', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalescalationpolicy',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='5a8ceabcddf8df43ed70ef26d4a1f22f020d7cb5', operation='INSERT', pgid='pgtrigger_needs_reason_b9d7d', table='incidents_historicalescalationpolicy', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalescalationstep',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='cb324ac69ae990380337c4e041a5e79927bf0a73', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_d976b', table='incidents_historicalescalationstep', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalescalationstep',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='d46fec3d3a61e89b0b0026ede36ea6013f04ba82', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_f0451', table='incidents_historicalescalationstep', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalescalationstep',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='6daeaa6ad3bf8e61ce540ef6e149523300b0abd6', operation='INSERT', pgid='pgtrigger_needs_reason_49256', table='incidents_historicalescalationstep', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrota',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='085ecdefae804cf67e19f66cc782220375729eb2', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_3bb4b', table='incidents_historicalrota', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrota',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='0cf3fdcde42635732702adc51d3528d987feb7a8', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_e1333', table='incidents_historicalrota', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrota',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='2b6ae3427bf02e79e55051dfa24c68403b575d96', operation='INSERT', pgid='pgtrigger_needs_reason_f836f', table='incidents_historicalrota', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('state__in', ['new', 'in_progress', 'on_hold'])), fields=['id'], name='incident_open'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(fields=['-opened_at'], name='incident_newest'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['new', 'in_progress', 'on_hold'])), fields=('cause_key',), name='incident_one_open_per_cause'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['resolved', 'closed']), _negated=True), ('resolved_at__isnull', False), _connector='OR'), name='incident_resolved_has_time'),
        ),
        migrations.AddIndex(
            model_name='escalation',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='escalation_due'),
        ),
        migrations.AddConstraint(
            model_name='escalation',
            constraint=models.UniqueConstraint(fields=('incident', 'number'), name='escalation_number_once'),
        ),
        migrations.AddConstraint(
            model_name='escalation',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('incident',), name='escalation_one_in_force'),
        ),
        migrations.AddConstraint(
            model_name='escalation',
            constraint=models.CheckConstraint(condition=models.Q(('ended_at', None), ('next_at', None), _connector='OR'), name='escalation_ended_tells_nobody'),
        ),
        migrations.AddIndex(
            model_name='incidententry',
            index=models.Index(fields=['incident', 'at', 'id'], name='entry_of_incident'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='incidententry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='164815308441630f6119baf8e59ae54f9845d716', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_a7b85', table='incidents_incidententry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='incidententry',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='d356277dc477e8c35fffe05104fb7a92ff9b13be', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_3ba2e', table='incidents_incidententry', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='rota',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rule', ''), ('shift_days__gte', 1)), models.Q(('shift_days', None), models.Q(('rule', ''), _negated=True)), _connector='OR'), name='rota_says_when_shifts_begin', violation_error_message='Give the length of a shift in days or a recurrence, one of the two.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrotaswap',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='6a1c9afd5422334c73eb56bb14d53dfc4ac9feaf', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_125f2', table='incidents_historicalrotaswap', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrotaswap',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='5f282a947d24caf8ee08831e0c5c26d1437dd6d0', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_b2c73', table='incidents_historicalrotaswap', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrotaswap',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='488b1bf0a0719a4eb8d013e6475beef80a68d4dc', operation='INSERT', pgid='pgtrigger_needs_reason_fe2be', table='incidents_historicalrotaswap', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrotamember',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='bfffdc717eb420b94c06e5bbf3a2387edfe41460', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_27468', table='incidents_historicalrotamember', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrotamember',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='80b777c793efd702b63e0327edfb3ed9e5f5195e', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_eeccd', table='incidents_historicalrotamember', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='historicalrotamember',
            trigger=pgtrigger.compiler.Trigger(name='needs_reason', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;", hash='f35c1ad283d0cc593fddcf05d2e3ed43316d42ba', operation='INSERT', pgid='pgtrigger_needs_reason_0fe40', table='incidents_historicalrotamember', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='rotamember',
            constraint=models.UniqueConstraint(fields=('rota', 'place'), name='member_place_once', violation_error_message='Two have the same place.'),
        ),
        migrations.AddConstraint(
            model_name='rotaswap',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='swap_ends_after_start', violation_error_message='The swap must end after it starts.'),
        ),
        migrations.AddConstraint(
            model_name='rotaswap',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(catalogue.models.status.Period(django.db.models.functions.comparison.Least('starts_at', 'ends_at'), django.db.models.functions.comparison.Greatest('starts_at', 'ends_at')), '&&'), (catalogue.models.service.SpanToItself(models.F('rota_id')), '&&')], name='swap_one_at_a_time', violation_error_message='Somebody stands in during that time already. Take that back first.'),
        ),
        migrations.AddConstraint(
            model_name='telling',
            constraint=models.UniqueConstraint(fields=('escalation', 'level', 'sequence'), name='telling_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='telling',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='20141f4b45a57118f21c3929206f8aa6d4fdd821', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_f0496', table='incidents_telling', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='telling',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;", hash='f5b2903b5d2a44ebb8a3239dc022f8054d1ec059', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_19608', table='incidents_telling', when='BEFORE')),
        ),
    ]
