"""Entries of which nothing of their own is measured, and on which others rest for their backup: a store, its keys, its control."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef, Q

from catalogue import weave
from catalogue.models import ServiceVersion
from monitoring.models import BackupJob

SERVES, WORDS = "serves", "Serves others"  # stands where a verdict stands: no data, because there is nothing of its own to measure
KINDS = (ServiceVersion.Kind.SUPPORTING, ServiceVersion.Kind.BACKUP)


def serving(*, at: dt.datetime, known_then: bool) -> Q:
    """As a condition of versions: no job belongs to the entry, which is no business service, and another one's backup rests on it."""
    own_jobs = BackupJob.objects.filter(service=OuterRef("service"))
    needed = weave.Needed("service", at=at, known_then=known_then, kinds=list(weave.ONLY_BACKUP), of_few=True)
    return Q(kind__in=KINDS) & Q(~Exists(own_jobs)) & Q(needed)
