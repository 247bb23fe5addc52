"""Files of a report, made from its snapshot alone: the same snapshot gives the same bytes, and that can be proved at any time."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.template.loader import render_to_string

from itsm_backup.common import pdf
from reporting import attesting, briefing, composing, sealing, wording
from reporting.models import Report, ReportFile
from reporting.rows import Row, rows_of

MEDIA = {"pdf": "application/pdf", "html": "text/html; charset=utf-8", "csv": "text/csv; charset=utf-8", "json": "application/json"}
TITLES = {"technical": "Technical report", "executive": "Executive page", "auditor": "Auditor’s report"}
PAGES = {"technical": composing.technical, "executive": briefing.executive, "auditor": attesting.auditor}
CSV_HEAD = (
    "code", "name", "tier", "department", "application_type", "entry_version", "verdict", "reasons", "due_settled", "due_good", "due_late",
    "due_excused", "due_unconfirmed", "success", "success_promised", "points_to_promise", "confidence", "rpo_s", "longest_age_s",
    "over_rpo_s", "rpo_attainment", "rpo_breaches", "bytes_moved", "restore_tests", "restore_tests_passed", "days",
    "due_uncounted",
)  # fmt: skip


class Compared(msgspec.Struct, kw_only=True):
    """One file made again: equal, or why not. `kept` is None for a file that had not been made yet."""

    name: str
    kept: str | None
    made: str | None
    note: str = ""

    @property
    def equal(self) -> bool:
        return self.kept is not None and self.kept == self.made


class Proof(msgspec.Struct, kw_only=True):
    """The answer to "is this report what was made then?": the seal worked out again, and every file."""

    seal_kept: str
    seal_made: str
    files: list[Compared]

    @property
    def seal_equal(self) -> bool:
        return self.seal_kept == self.seal_made

    @property
    def equal(self) -> bool:
        return self.seal_equal and all(file.equal for file in self.files)


def render(*, report: Report, at: dt.datetime) -> list[ReportFile]:
    """Make and keep the files that the report does not have yet; returns the new ones. A stopped report gets none.

    Without PDF on this machine, HTML and CSV are kept all the same, and the PDFs follow when `render` is called where there is.
    """
    if report.state == Report.State.BLOCKED:
        return []
    have = set(report.files.values_list("name", flat=True))
    new = []
    for name, content in make(report, without=have):
        new.append(
            ReportFile(
                report=report, name=name, content=content, digest=hashlib.sha256(content).digest(), made_by=made_by(name), made_at=at
            )
        )
    ReportFile.objects.bulk_create(new, ignore_conflicts=True)  # another worker's copy has the same bytes
    return new


def make(report: Report, *, without: set[str] | frozenset[str] = frozenset()) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every file that this machine can make; writes nothing."""
    wanted = {"services.csv", *(f"{part}.{kind}" for part in TITLES for kind in ("html", "pdf"))} - without
    if pdf.why_off():
        wanted = {name for name in wanted if not name.endswith(".pdf")}
    if not wanted:
        return
    rows = rows_of(report)
    table = as_csv(rows)
    if "services.csv" in wanted:
        yield "services.csv", table
    for part in TITLES:
        if not {f"{part}.html", f"{part}.pdf"} & wanted:
            continue
        html = document(part, report, rows)
        if f"{part}.html" in wanted:
            yield f"{part}.html", html.encode()
        if f"{part}.pdf" in wanted:
            attached = [(f"{report.number}-services.csv", table, "Every figure of every service")]
            yield f"{part}.pdf", pdf.write(html, at=report.made_at, attachments=attached)


def context(part: str, report: Report, rows: list[Row]) -> dict[str, Any]:
    """What the template of this audience shows."""
    return PAGES[part](report, rows)


def document(part: str, report: Report, rows: list[Row]) -> str:
    """The report as one HTML document that needs nothing else."""
    told = context(part, report, rows)
    running = _running_head(told)
    title = f"{told['kind']}, {told['month']}"
    return render_to_string("reporting/document.html", {**told, "part": part, "title": title, "style": _style(), "running": running})


def _running_head(told: dict[str, Any]) -> str:
    """The margins of each page, as CSS."""
    left, right, foot = (_css_text(text) for text in (f"{told['organisation']} | {told['kind']}", told["month"], told["foot"]))
    return f"@page{{@top-left{{content:{left}}}@top-right{{content:{right}}}@bottom-left{{content:{foot}}}{_watermark(told['watermark'])}}}"


def _watermark(words: str) -> str:
    """Across every page, pale enough to read through; in the margin's box, which readers aloud pass over."""
    if not words:
        return ""
    look = "width:0;overflow:visible;white-space:nowrap;font:600 36pt 'Source Sans Pro';color:rgba(158,27,22,.13);"
    return f"@left-middle{{content:{_css_text(words)};{look}transform-origin:0 50%;transform:translate(24mm,78mm) rotate(-52deg)}}"


def _css_text(text: str) -> str:
    """A CSS string that no text can break out of, neither of the string nor of the style element."""
    return '"' + "".join(letter if letter.isalnum() or letter in " ,.|:-" else f"\\{ord(letter):06x}" for letter in text) + '"'


def _style() -> str:
    return (settings.BASE_DIR / "static" / "report.css").read_text()


@cache
def look() -> str:
    """A short digest of style and templates: files laid out by another version of the product differ without other data."""
    folder = settings.BASE_DIR / "templates" / "reporting"
    found = hashlib.sha256(_style().encode())
    for path in sorted(Path(folder).glob("*.html")):
        found.update(path.read_bytes())
    return found.hexdigest()[:8]


def made_by(name: str) -> str:
    return f"{pdf.maker()}, look {look()}" if name.endswith(".pdf") else f"look {look()}"


def as_csv(rows: list[Row]) -> bytes:
    """Every service with every figure; times in seconds, shares as fractions; one letter for each day of the month."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_HEAD)
    for row in rows:
        told = [row.code, row.name, row.tier, row.department, row.application_type, row.version, row.verdict]
        told += [
            "; ".join(wording.REASONS[reason] for reason in row.reasons),
            row.settled,
            row.good,
            row.late,
            row.excused,
            row.unconfirmed,
        ]
        told += [round(row.good / row.settled, 6) if row.settled else "", row.target, row.points, row.confidence]
        told += [row.rpo_s, row.longest_s, row.exceeded_s, row.attainment, row.breach_count, row.moved_bytes, row.restores]
        writer.writerow([_harmless(value) for value in [*told, row.restores_passed, row.days, row.uncounted]])
    return out.getvalue().encode()


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def snapshot_json(report: Report) -> Iterator[bytes]:
    """The whole snapshot as one JSON document, piece by piece: shared data, then each service with its inputs and figures."""
    head = {"snapshot": report.number, "title": report.title, "revision": report.revision, "seal": bytes(report.seal).hex()}
    yield b'{"report":' + sealing.canonical(head) + b',"data":' + sealing.canonical(report.data) + b',"services":['
    stored = report.services.order_by("position").values_list("data", flat=True)
    for number, data in enumerate(stored.iterator(chunk_size=200)):
        yield (b"," if number else b"") + sealing.canonical(data)
    yield b"]}\n"


def prove(report: Report) -> Proof:
    """Work the seal out again from the stored snapshot, make every file again, and compare. Changes nothing."""
    kept = {file.name: file for file in report.files.defer("content")}
    made = {} if report.state == Report.State.BLOCKED else {name: hashlib.sha256(content).hexdigest() for name, content in make(report)}
    stored = report.services.order_by("position").values_list("data", flat=True)
    seal = sealing.seal_of(report.data, (sealing.digest_of(data) for data in stored.iterator(chunk_size=200)))
    return Proof(
        seal_kept=bytes(report.seal).hex(),
        seal_made=seal.hex(),
        files=[_compared(name, kept.get(name), made.get(name)) for name in sorted({*kept, *made})],
    )


def _compared(name: str, kept: ReportFile | None, made: str | None) -> Compared:
    note = ""
    if kept is None:
        note = "It had not been made yet, because PDF was off. Choose “Make the missing files”."
    elif made is None:
        note = pdf.why_off()
    elif bytes(kept.digest).hex() != made and kept.made_by != made_by(name):
        note = f"It was laid out by {kept.made_by}, here by {made_by(name)}: the look differs, the seal says whether the data do."
    return Compared(name=name, kept=bytes(kept.digest).hex() if kept else None, made=made, note=note)
