"""An impact analysis is done again by a day: whoever keeps the entry is told when that day is over."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.template.loader import render_to_string

from catalogue.models import ImpactAnalysis, ServiceVersion
from itsm_backup.common import outbox
from itsm_backup.common.time import local_day

AGAIN = dt.timedelta(days=28)


def remind(*, at: dt.datetime) -> int:
    """Mail the stewards of entries whose impact analysis is overdue, and every four weeks again; returns how many mails were written."""
    today = local_day(at, "UTC")
    newest = ImpactAnalysis.objects.filter(service=OuterRef("service"), state="approved", approved_at__lte=at).order_by("-number")
    versions = ServiceVersion.objects.in_force(at).annotate(
        analysis_pk=Subquery(newest.values("pk")[:1]), due_on=Subquery(newest.values("review_due_on")[:1])
    )
    late = versions.filter(due_on__lt=today, steward__is_active=True).exclude(steward__email="").select_related("service", "steward")
    return sum(_write(version, (today - version.due_on).days // AGAIN.days, at) for version in late)


def _write(version: ServiceVersion, times: int, at: dt.datetime) -> bool:
    due_on, pk = version.due_on, version.analysis_pk  # type: ignore[attr-defined]
    context = {
        "version": version, "due_on": due_on, "organisation": settings.ORGANISATION,
        "address": f"{settings.BASE_URL}/services/{version.service.code}/commitment/",
    }  # fmt: skip
    thread = f"impactanalysis/{pk}/overdue/{version.steward_id}"
    return outbox.write(
        key=f"{thread}/{times}", thread=thread, recipient=version.steward.email, subject=f"Overdue: impact analysis of {version.name}",
        body=render_to_string("catalogue/email/analysis_overdue.txt", context), at=at,
    )  # fmt: skip
