from django.db import migrations, models
from django.utils import timezone

CLASSES = (
    "job_failed", "job_missed", "job_flapping", "rpo_at_risk", "rpo_breach", "rto_test_failed", "source_stale", "volume_anomaly",
    "duration_anomaly", "integrity_error", "unencrypted", "lock_missing", "unmapped_job", "drift", "slo_burn",
)  # fmt: skip
OF_NO_CAUSE = ("job_failed", "job_missed", "job_flapping", "rpo_breach", "rpo_at_risk")
OF_RULES = {
    "storage-full": "disk-full",
    "storage-not-writable": "disk-full",
    "repository-damaged": "damaged",
    "database-down": "source-down",
    "network-unreachable": "unreachable",
    "access-denied": "permission",
    "log-archive-broken": "log-archiving",
    "dump-failed": "command-failed",
    "switched-off": "stopped",
}
LIVE = ("resolved", "fix_in_progress", "root_cause_analysis", "assess", "new", "proposed")  # the furthest first
LOOK_BACK = "6 months"  # so far back incidents are counted; those are looked at again
# Why it failed, without the class of the alert that came first; a rule of the product tells a reason as messages tell it.
_TOLD = r"substr(signature, position(': ' in signature) + 2)"
_OLD = f"split_part(signature, ': ', 1) IN ({', '.join(repr(one) for one in CLASSES)}) AND position(': ' in signature) > 0"
_NEW = f"CASE {_TOLD} {' '.join(f'WHEN {old!r} THEN {new!r}' for old, new in OF_RULES.items())} ELSE {_TOLD} END"
INCIDENTS = f"""
UPDATE incidents_incident SET signature = {_NEW},
    studied_at = CASE WHEN opened_at > now() - interval '{LOOK_BACK}' THEN NULL ELSE studied_at END
WHERE {_OLD}
"""  # noqa: S608 - our own words
TOLD = """
UPDATE incidents_incidentalert link SET told_occurrences = alert.occurrences, told_at = alert.last_seen_at
FROM monitoring_alert alert WHERE alert.id = link.alert_id
"""


def new_form(signature):
    head, _, told = signature.partition(": ")
    return OF_RULES.get(told, told) if told and head in CLASSES else signature


def problems(apps, schema_editor):
    """Of live problems that turn out to be of one reason, the one that is furthest goes on with the incidents of both."""
    Problem, Entry = apps.get_model("incidents", "Problem"), apps.get_model("incidents", "ProblemEntry")
    at = timezone.now()
    kept = {}
    rows = sorted(Problem.objects.all(), key=lambda row: (LIVE.index(row.state) if row.state in LIVE else -1, row.pk))
    for row in rows:
        row.signature = new_form(row.signature)
        if row.state == "proposed" and row.signature in OF_NO_CAUSE:
            close(row, Entry, at, "Closed: that backups fail or are late says nothing of a cause that they have in common")
        if row.state in LIVE:
            first = kept.setdefault((row.signature, row.service_type.lower()), row)
            if first is not row:
                join(apps, row, first, at)
                close(row, Entry, at, f"Closed: the same reason as PRB-{first.pk:04d}, which goes on with its incidents")
        row.save()


def join(apps, row, first, at):
    Link, Entry = apps.get_model("incidents", "ProblemIncident"), apps.get_model("incidents", "ProblemEntry")
    held = set(Link.objects.filter(problem=first).values_list("incident", flat=True))
    for link in Link.objects.filter(problem=row).exclude(incident__in=held):
        Link.objects.create(problem=first, incident_id=link.incident_id, attached_at=at)
    Entry.objects.create(problem=first, at=at, text=f"PRB-{row.pk:04d} has the same reason: its incidents belong to this one, too")


def close(row, Entry, at, text):
    row.state, row.outcome, row.closed_at, row.updated_at = "closed", "no_problem", at, at
    Entry.objects.create(problem=row, at=at, text=text)


def known_errors(apps, schema_editor):
    """Each keeps its number and words; a title that is there already gets its number added. Its history says what was changed."""
    KnownError, History = apps.get_model("incidents", "KnownError"), apps.get_model("incidents", "HistoricalKnownError")
    at = timezone.now()
    taken = set(KnownError.objects.values_list("signature", "title"))
    for row in KnownError.objects.order_by("pk"):
        signature = new_form(row.signature)
        if signature == row.signature:
            continue
        title = row.title if (signature, row.title) not in taken else f"{row.title[:185]} (KE-{row.pk:04d})"
        taken.add((signature, title))
        row.signature, row.title = signature, title
        KnownError._base_manager.filter(pk=row.pk).update(signature=signature, title=title)
        told = {field.attname: getattr(row, field.attname) for field in KnownError._meta.concrete_fields}
        reason = "One reason has one signature, whatever alert came first"
        History.objects.create(**told, history_date=at, history_type="~", history_change_reason=reason)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0013_types_of_services"), ("monitoring", "0011_api_token_in_words")]

    operations = [
        migrations.AddField(
            model_name="incident",
            name="judged_at",
            field=models.DateTimeField(editable=False, help_text="The instant of the figures its priority stands on.", null=True),
        ),
        migrations.AddField(
            model_name="incidentalert",
            name="told_occurrences",
            field=models.PositiveIntegerField(default=1, help_text="How many of its occurrences the story of the incident tells."),
        ),
        migrations.AddField(
            model_name="incidentalert",
            name="told_at",
            field=models.DateTimeField(help_text="When the newest happened that the story tells.", null=True),
        ),
        migrations.RunSQL(TOLD, migrations.RunSQL.noop),
        migrations.RunSQL(INCIDENTS, migrations.RunSQL.noop),
        migrations.RunPython(problems, migrations.RunPython.noop),
        migrations.RunPython(known_errors, migrations.RunPython.noop),
    ]
