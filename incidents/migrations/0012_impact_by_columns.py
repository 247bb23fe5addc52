import incidents.models.felt
from django.conf import settings
from django.db import migrations, models

# Each side of a copy that was kept as a list of entries becomes {name: [value of each entry, …]}.
_SIDE = """
    SELECT coalesce(jsonb_object_agg(name, listed), '{{}}') FROM (
        SELECT one.key AS name, jsonb_agg(entry.value -> one.key ORDER BY entry.place) AS listed
        FROM jsonb_array_elements(impact_at_opening -> '{side}') WITH ORDINALITY AS entry(value, place),
            jsonb_object_keys(impact_at_opening #> '{{{side},0}}') AS one(key)
        GROUP BY one.key
    ) columns
"""
BY_COLUMNS = f"""
UPDATE incidents_incident SET impact_at_opening = impact_at_opening || jsonb_build_object(
    'services', ({_SIDE.format(side="services")}), 'consumers', ({_SIDE.format(side="consumers")}))
WHERE jsonb_typeof(impact_at_opening -> 'services') = 'array'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0008_a_return_is_a_comment"),
        ("incidents", "0011_reopened_at"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="incident", name="incident_merged"),
        migrations.AddIndex(
            model_name="incident", index=models.Index(fields=["cause_key", "-opened_at"], name="incident_of_cause")
        ),
        migrations.AlterField(
            model_name="incident",
            name="impact_at_opening",
            field=incidents.models.felt.FeltField(default=dict, help_text="Who felt it when it opened: a frozen copy."),
        ),
        migrations.RunSQL(BY_COLUMNS, migrations.RunSQL.noop),
    ]
