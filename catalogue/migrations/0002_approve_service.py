"""The approver's own permission: granted for all services by role, or on single services."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_first_facts")]

    operations = [
        migrations.AlterModelOptions(
            name="service",
            options={"ordering": ["code"], "permissions": [("approve_service", "Can approve versions of a service")]},
        ),
    ]
