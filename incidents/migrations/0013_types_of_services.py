import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

# As the journey tells it when an incident is studied: the type of the application, or else the kind of the entry.
OF_EACH = """
UPDATE incidents_incident i SET service_type = coalesce(nullif(btrim(v.application_type), ''), replace(v.kind, '_', ' '))
FROM catalogue_serviceversion v WHERE v.service_id = i.service_id AND v.state = 'approved' AND v.effective @> i.opened_at
"""


class Migration(migrations.Migration):

    dependencies = [
        ("catalogue", "0008_a_return_is_a_comment"),
        ("incidents", "0012_impact_by_columns"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="problem",
            name="problem_one_live_per_signature",
        ),
        migrations.AddField(
            model_name="incident",
            name="service_type",
            field=models.CharField(blank=True, help_text="What type of service it hit: database, archive …", max_length=80),
        ),
        migrations.AddField(
            model_name="problem",
            name="service_type",
            field=models.CharField(blank=True, help_text="The type of the services it is about; empty: of all types.", max_length=80),
        ),
        migrations.AddConstraint(
            model_name="problem",
            constraint=models.UniqueConstraint(models.F("signature"), django.db.models.functions.text.Lower("service_type"), condition=models.Q(("state__in", ["proposed", "new", "assess", "root_cause_analysis", "fix_in_progress", "resolved"])), name="problem_one_live_per_kind"),
        ),
        migrations.RunSQL(OF_EACH, migrations.RunSQL.noop),
    ]
