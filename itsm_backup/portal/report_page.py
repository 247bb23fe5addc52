"""One report: preview, files, who got it, its other revisions, and the proof that it can be made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Length
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from itsm_backup.common import pdf
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.report_list import STATE_VERDICTS, known_at
from itsm_backup.portal.words import recent, size
from reporting import composing, rendering, sections
from reporting.models import Report
from reporting.rendering import MEDIA, TITLES
from reporting.rows import rows_of

COMPILE = "reporting.compile_report"
OVERRIDE = "reporting.override_report"


@dataclass(frozen=True, kw_only=True)
class FileRow:
    name: str
    words: str
    href: str
    size: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class DeliveryRow:
    recipient: str
    verdict: str
    words: str | SafeString


@dataclass(frozen=True, kw_only=True)
class ReportPage:
    report: Report
    title: str
    verdict: str
    state: str
    facts: tuple[tuple[str, Any], ...]
    seal: str
    parts: tuple[tuple[str, Link, bool], ...]  # key, link, chosen
    preview: SafeString | None  # None for a stopped report
    checks: list[dict[str, Any]]
    files: tuple[FileRow, ...]
    pdf_off: str
    deliveries: tuple[DeliveryRow, ...]
    revisions: tuple[tuple[Link, SafeString], ...]
    may_compile: bool
    may_override: bool
    override_by: str  # who may, for those who may not
    past: bool


def find(*, pk: int, user: Any, moment: Moment) -> Report | None:
    return known_at(user, moment).filter(pk=pk).select_related("schedule").first()


def report_page(*, report: Report, user: Any, moment: Moment, part: str) -> ReportPage:
    part = part if part in TITLES else "technical"
    stopped = report.state == Report.State.BLOCKED
    revisions = known_at(user, moment).filter(series=report.series, month=report.month).exclude(pk=report.pk).order_by("-revision")
    is_newest = not any(other.revision > report.revision for other in revisions)
    return ReportPage(
        report=report,
        title=f"{report.title}, {report.month:%B %Y}",
        verdict=STATE_VERDICTS[report.state],
        state=report.get_state_display(),
        facts=_facts(report, moment),
        seal=bytes(report.seal).hex(),
        parts=tuple((key, Link(words, moment.href("report", report.pk, part=key)), key == part) for key, words in TITLES.items()),
        preview=None if stopped else _preview(report, part),
        checks=composing.checks_of(report),
        files=_files(report, moment),
        pdf_off="" if stopped else _pdf_off(report),
        deliveries=_deliveries(report, moment),
        revisions=tuple(
            (Link(f"Revision {other.revision}", moment.href("report", other.pk)), recent(other.made_at, moment)) for other in revisions
        ),
        may_compile=user.has_perm(COMPILE) and not moment.past,
        may_override=stopped and is_newest and user.has_perm(OVERRIDE) and not moment.past,
        override_by="the role approver" if stopped and is_newest else "",
        past=moment.past,
    )


def _preview(report: Report, part: str, names: list[str] | None = None) -> SafeString:
    """The report as its files show it, one heading level lower: the page has a title of its own. `names` are other sections to try."""
    told = rendering.context(part, report, rows_of(report))
    if names is not None:
        told["blocks"] = sections.blocks(names)
    return render_to_string("reporting/_page.html", {**told, "preview": True})


@dataclass(frozen=True, kw_only=True)
class TrialPage:
    title: str
    error: str
    preview: SafeString | None


def trial_page(*, audience: str, names: list[str], error: str, user: Any, moment: Moment) -> TrialPage:
    """How the newest report that the user may see would look with these sections; nothing is saved."""
    report = None if error else known_at(user, moment).exclude(state=Report.State.BLOCKED).order_by("-made_at", "-pk").first()
    if report is None and not error:
        error = "There is no report yet to try it with. Have one compiled: python3 manage.py compile_report"
    title = TITLES[audience] if report is None else f"{TITLES[audience]}, tried with {report.title}, {report.month:%B %Y}"
    return TrialPage(title=title, error=error, preview=_preview(report, audience, names) if report else None)


def _facts(report: Report, moment: Moment) -> tuple[tuple[str, Any], ...]:
    return (
        ("Services", report.data["scope"]["words"]),
        ("Revision", report.revision),
        ("Made", recent(report.made_at, moment)),
        ("Snapshot", report.number),
        ("Catalogue version", report.data["catalogue_version"]),
    )


def _files(report: Report, moment: Moment) -> tuple[FileRow, ...]:
    kept = report.files.filter(made_at__lte=moment.at).annotate(bytes=Length("content")).defer("content").order_by("name")
    rows = [
        FileRow(
            name=file.name,
            words=_words(file.name),
            href=moment.href("report_file", report.pk, file.name),
            size=size(file.bytes),
            digest=bytes(file.digest).hex()[:12],
        )
        for file in kept
    ]
    snapshot = FileRow(
        name="snapshot.json", words="The snapshot (JSON)", href=moment.href("report_file", report.pk, "snapshot.json"), size="", digest=""
    )
    manifest = FileRow(
        name="manifest.json",
        words="The manifest (JSON)",
        href=moment.href("report_file", report.pk, "manifest.json"),
        size="",
        digest=bytes(report.manifest_digest or b"").hex()[:12],
    )
    return (*rows, snapshot, manifest)


def _words(name: str) -> str:
    part, kind = name.split(".")
    return f"{TITLES[part]} ({kind.upper()})" if part in TITLES else f"Every service ({kind.upper()})"


def _pdf_off(report: Report) -> str:
    """Why there is no PDF of this report, when there is none."""
    if report.files.filter(name__endswith=".pdf").exists():
        return ""
    return pdf.why_off() or "PDF was off when this report was made. It can be made now."


def _deliveries(report: Report, moment: Moment) -> tuple[DeliveryRow, ...]:
    rows = []
    for delivery in report.deliveries.filter(at__lte=moment.at).select_related("notice").order_by("recipient"):
        notice = delivery.notice
        if notice.sent_at and notice.sent_at <= moment.at:
            rows.append(DeliveryRow(recipient=delivery.recipient, verdict="kept", words=recent(notice.sent_at, moment)))
        elif notice.given_up_at:
            rows.append(DeliveryRow(recipient=delivery.recipient, verdict="broken", words=f"Given up: {notice.latest_error}"))
        else:
            words = f"Waiting, {notice.attempts} refused: {notice.latest_error}" if notice.attempts else "Waiting to be sent"
            rows.append(DeliveryRow(recipient=delivery.recipient, verdict="at_risk" if notice.attempts else "held", words=words))
    return tuple(rows)


def media_of(name: str) -> str:
    return MEDIA[name.rsplit(".", maxsplit=1)[-1]]
