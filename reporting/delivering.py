"""Sending a report: one message for each recipient, through the outbox; a stopped report goes to its owner, with the reason."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string

from itsm_backup.common import outbox, pdf
from itsm_backup.common.models import Notice
from reporting import composing
from reporting.models import Delivery, Report, ReportSchedule
from reporting.rendering import MEDIA

MOST_BYTES = 8_000_000  # what mail servers commonly take; the rest is fetched from the library


def deliver(*, report: Report, at: dt.datetime) -> int:
    """Write the messages that this report owes; returns how many are new. Safe to repeat: each recipient gets one per revision."""
    schedule = report.schedule
    if schedule is None:
        return 0
    if report.state == Report.State.BLOCKED:
        address = schedule.owner.email
        return int(bool(address) and _write(report, address, "stopped", [], at))
    enclosures = _enclosures(report, schedule)
    return sum(_write(report, recipient, "report", enclosures, at) for recipient in sorted(set(schedule.recipients)))


def _enclosures(report: Report, schedule: ReportSchedule) -> list[tuple[str, str, bytes]]:
    """The files to send: PDF where there is one, else HTML; the CSV stands beside it."""
    files = {file.name: bytes(file.content) for file in report.files.all()}
    names = [f"{part}.pdf" if f"{part}.pdf" in files else f"{part}.html" for part in schedule.parts] + ["services.csv"]
    found = [(f"{report.number}-{name}", MEDIA[name.rsplit(".")[-1]].split(";")[0], files[name]) for name in names if name in files]
    return found if sum(len(content) for *_, content in found) <= MOST_BYTES else []


@transaction.atomic
def _write(report: Report, recipient: str, kind: str, enclosures: list[tuple[str, str, bytes]], at: dt.datetime) -> bool:
    key = f"report/{report.pk}/{recipient}"
    subject = f"{report.title}, {report.month:%B %Y}"
    if report.revision > 1:
        subject += f", revision {report.revision}"
    if kind == "stopped":
        subject = f"Stopped: {subject}"
    body = render_to_string(
        f"reporting/email/{kind}.txt",
        {
            "report": report,
            "month": f"{report.month:%B %Y}",
            "sentence": composing.sentence_of(report),
            "banner": composing.frame_of(report, "")["banner"],
            "checks": report.data["checks"]["checks"],
            "enclosed": [name for name, *_ in enclosures],
            "pdf_off": pdf.why_off() if enclosures and not any(name.endswith(".pdf") for name, *_ in enclosures) else "",
            "address": f"{settings.BASE_URL}/reports/{report.pk}/",
            "seal": bytes(report.seal).hex(),
            "organisation": settings.ORGANISATION,
        },
    )
    made = outbox.write(
        key=key, thread=f"report/{report.series}/{recipient}", recipient=recipient, subject=subject, body=body, at=at, enclosures=enclosures
    )
    if made:
        Delivery.objects.create(report=report, recipient=recipient, notice=Notice.objects.get(key=key), at=at)
    return made
