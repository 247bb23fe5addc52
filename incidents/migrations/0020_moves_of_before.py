"""Which alerts were merged and split before their moves were on record, as far as the stories prove it."""

import re
from collections import defaultdict

from django.db import migrations

NAMES = re.compile(r"^(Merged into|Split off from) INC-(\d+)")


def moves(apps, schema_editor):
    Entry, Link = apps.get_model("incidents", "IncidentEntry"), apps.get_model("incidents", "IncidentAlert")
    events = []
    for row in Entry.objects.filter(kind__in=["merged", "split"]).order_by("at", "id"):
        if found := NAMES.match(row.text):
            events.append((row, found[1] == "Merged into", int(found[2])))
    concerned = {pk for row, _, other in events for pk in (row.incident_id, other)}
    goes_on = {row.incident_id: other for row, is_merge, other in events if is_merge}
    first = {}
    lines = Entry.objects.filter(incident__in=concerned, kind__in=["opened", "joined"], alert__isnull=False).order_by("at", "id")
    for alert, incident in lines.values_list("alert", "incident"):
        first.setdefault(alert, incident)
    ends_in = dict(Link.objects.filter(alert__in=first).values_list("alert", "incident"))
    held = defaultdict(set)
    for alert, incident in first.items():
        held[incident].add(alert)
    write(apps, events, held, ends_in, lambda pk: last_of(pk, goes_on))


def last_of(incident, goes_on):
    seen = set()
    while incident in goes_on and incident not in seen:
        seen.add(incident)
        incident = goes_on[incident]
    return incident


def write(apps, events, held, ends_in, last):
    """A merge moves all that the incident held then; a split what ended where it leads, or at least what its line names."""
    Move = apps.get_model("incidents", "AlertMove")
    made = []
    for row, is_merge, other in events:
        left, joined = (row.incident_id, other) if is_merge else (other, row.incident_id)
        moved = set(held[left])
        if not is_merge:
            apart = last(left) != last(joined)
            moved = {one for one in moved if one == row.alert_id or (apart and ends_in.get(one) == last(joined))}
        held[left] -= moved
        held[joined] |= moved
        made += [Move(alert_id=one, left_id=left, joined_id=joined, at=row.at) for one in sorted(moved)]
    Move.objects.bulk_create(made)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0019_known_at_and_moves_of_alerts")]

    operations = [migrations.RunPython(moves, migrations.RunPython.noop)]
