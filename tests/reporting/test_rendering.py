"""Files from the snapshot: the same bytes at any time, in any process; changed data show."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from django.db import connection

from itsm_backup.common import pdf
from reporting import compiling, rendering, sealing
from reporting.models import Report
from reporting.rows import rows_of
from reporting.scoping import Scope
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_estate

DAY = dt.timedelta(days=1)
ROOT = Path(__file__).parents[2]
needs_pdf = pytest.mark.skipif(bool([name for name in pdf.LIBRARIES if not pdf._opens(pdf.LIBRARIES[name])]), reason="Pango is not here")


@pytest.fixture
def report(estate, typefaces):
    return compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)[0]


@needs_pdf
@pytest.mark.django_db
def test_it_keeps_every_file_and_makes_them_again_byte_by_byte(report):
    made = {file.name: file for file in rendering.render(report=report, at=JULY_1)}
    assert sorted(made) == [f"{part}.{kind}" for part in ("auditor", "executive") for kind in ("html", "pdf")] + [
        "services.csv",
        "technical.html",
        "technical.pdf",
    ]
    assert rendering.render(report=report, at=JULY_1) == []  # nothing is missing
    proof = rendering.prove(report)
    assert proof.equal and len(proof.files) == 7


@needs_pdf
@pytest.mark.django_db
def test_the_pdf_is_tagged_dated_by_the_snapshot_and_carries_the_csv(report, tmp_path):
    made = {file.name: bytes(file.content) for file in rendering.render(report=report, at=JULY_1)}
    content = made["technical.pdf"]
    parts = [_inflated(part) for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, flags=re.DOTALL)]
    for sign in (b"/StructTreeRoot", b"/MarkInfo", b"/EmbeddedFile", b"(D:20260701050000Z)", b"pdfuaid"):
        assert any(sign in part for part in [content, *parts]), sign
    if shutil.which("pdfdetach"):
        (tmp_path / "report.pdf").write_bytes(content)
        subprocess.run(["pdfdetach", "-saveall", "-o", tmp_path, tmp_path / "report.pdf"], check=True)
        assert next(tmp_path.glob("*-services.csv")).read_bytes() == made["services.csv"]


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


@needs_pdf
@pytest.mark.django_db(transaction=True)
def test_two_other_processes_make_the_same_bytes(typefaces):
    make_estate()
    report, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    kept = {file.name: bytes(file.digest).hex() for file in rendering.render(report=report, at=JULY_1)}
    program = (
        "import django, sys, json, hashlib; django.setup()\n"
        "from reporting import rendering; from reporting.models import Report\n"
        "report = Report.objects.get(pk=int(sys.argv[1]))\n"
        "print(json.dumps([{name: hashlib.sha256(content).hexdigest() for name, content in rendering.make(report)},"
        " rendering.prove(report).equal]))"
    )
    for seed in ("1", "2"):  # another order of hashing, another time zone of the machine
        environment = {**os.environ, **_same_database(), "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if seed == "2" else "UTC"}
        done = subprocess.run(
            [sys.executable, "-c", program, str(report.pk)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout) == [kept, True]


_ON_ANOTHER_DAY = """
import datetime as dt, hashlib, json, sys, time
real, day = time.time, dt.datetime.fromisoformat(sys.argv[1])
shift_s = day.timestamp() - real()
time.time = lambda: real() + shift_s
from itsm_backup.common import time as clock
clock.now = lambda: day
import django
django.setup()
from django.core.management import call_command
from reporting import rendering
from reporting.models import Report
call_command("compile_report", "--month", "2026-06")
for report in Report.objects.order_by("revision"):
    print(json.dumps({name: hashlib.sha256(content).hexdigest() for name, content in rendering.make(report)}))
"""


def _made_on(day: dt.datetime, *, zone: str) -> tuple[str, list[dict[str, str]]]:
    """What the command says in a process whose clock shows that day, and the digests of every file of each revision, made there."""
    environment = {**os.environ, **_same_database(), "TZ": zone}
    command = [sys.executable, "-c", _ON_ANOTHER_DAY, day.isoformat()]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    made = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.stdout, made


@needs_pdf
@pytest.mark.django_db(transaction=True)
@pytest.mark.req("7.5")
def test_a_past_month_made_on_two_days_is_the_same_and_a_late_run_makes_a_revision(typefaces):
    estate = make_estate()
    said, made = _made_on(JULY_1, zone="UTC")
    assert "revision 1" in said and "made now" in said
    kept = {file.name: bytes(file.digest).hex() for file in Report.objects.get().files.all()}
    assert made == [kept] and len(kept) == 7

    said, made = _made_on(JULY_1 + 20 * DAY, zone="Pacific/Auckland")
    assert "nothing changed since it was made" in said and made == [kept]

    late_run_arrives(estate, at=JULY_1 + 21 * DAY)
    said, made = _made_on(JULY_1 + 22 * DAY, zone="America/Chicago")
    assert "revision 2" in said and "made now" in said
    assert "the backup “warehouse-nightly” due on Wed 17 Jun 2026" in said and "its run arrived later" in said
    assert made[0] == kept and made[1].keys() == kept.keys()
    assert all(made[1][name] != kept[name] for name in ("services.csv", "technical.html", "technical.pdf"))


def _same_database() -> dict[str, str]:
    """The environment with which another process sees this test's database."""
    found = connection.get_connection_params()
    head, _, tail = os.environ["DATABASE_URL"].rpartition("/")
    query = f"?{tail.split('?', 1)[1]}" if "?" in tail else ""
    return {
        "DATABASE_URL": f"{head}/{found['dbname']}{query}",
        "DJANGO_SETTINGS_MODULE": "itsm_backup.settings",
        "ORGANISATION": "Northmoor Hospitals",
    }


@pytest.mark.django_db
def test_the_csv_holds_every_figure_of_every_service(report):
    rows = list(csv.DictReader(io.StringIO(rendering.as_csv(rows_of(report)).decode())))
    assert [row["code"] for row in rows] == ["SVC-001", "SVC-002", "SVC-003", "SVC-004", "SVC-005"]
    warehouse = rows[1]
    assert (warehouse["due_good"], warehouse["due_settled"], warehouse["over_rpo_s"], warehouse["verdict"]) == (
        "28",
        "30",
        "159600",
        "broken",
    )
    assert (warehouse["days"][5], warehouse["days"][16], rows[4]["days"][26]) == ("F", "M", "H")


@pytest.mark.django_db
def test_the_technical_report_says_what_the_figures_say(report):
    text = re.sub(
        r"\s+",
        " ",
        re.sub(r"<style>.*?</style>|<[^>]+>", " ", rendering.document("technical", report, rows_of(report)), flags=re.DOTALL),
    )
    for said in (
        "3 of 5 services kept every promise in June",
        "Run success was 98.3%, 117 of 119 due runs, 1.8 points above the 96.5% that all services together promise.",
        "1 service exceeded its recovery point: Data warehouse. Nothing is known of 1 service.",
        "Checks of the inputs before this report was made: 9 of 9 passed.",
        "6 Jun, 04:00",
        "Controller exchange",
        "Every due run is accounted for",
        "BM-RPO-TW",
        report.seal_words,
    ):
        assert said in text, said


@pytest.mark.django_db
def test_the_executive_page_names_no_tool_no_job_and_no_code(report):
    text = rendering.document("executive", report, rows_of(report))
    assert "Up to 22 h 10 min of work beyond the promise of 26 h." in text
    for word in ("bkp-ctl-02", "Backup control", "warehouse-nightly", "SVC-0", "NAS-02"):
        assert word not in text


@pytest.mark.django_db
def test_names_from_the_catalogue_cannot_break_out_of_the_page(report):
    report.data["organisation"] = 'A"}</style><script>alert(1)</script>'
    text = rendering.document("technical", report, rows_of(report))
    assert "<script>" not in text and text.count("</style>") == 1


@pytest.mark.django_db
def test_the_snapshot_holds_all_that_the_seal_is_made_of(report):
    told = json.loads(b"".join(rendering.snapshot_json(report)))
    digests = [hashlib.sha256(sealing.canonical(service)).digest() for service in told["services"]]
    assert sealing.seal_of(told["data"], digests).hex() == told["report"]["seal"] == bytes(report.seal).hex()


@pytest.mark.django_db
def test_a_number_changed_behind_the_products_back_shows(report):
    rendering.render(report=report, at=JULY_1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE reporting_reportedservice DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE reporting_reportedservice SET data = jsonb_set(data, '{figures,success,good}', '30')"
            " WHERE data->'inputs'->'service'->>'code' = 'SVC-002'"
        )
    proof = rendering.prove(Report.objects.get(pk=report.pk))
    assert not proof.seal_equal and not proof.equal
    assert {file.name for file in proof.files if not file.equal} >= {"services.csv", "technical.html"}


@pytest.mark.django_db
def test_a_stopped_report_has_no_files(report):
    report.state = "blocked"
    assert rendering.render(report=report, at=JULY_1) == []


def test_the_colours_on_paper_are_those_of_the_pages():
    from itsm_backup.common.charts import paper

    light = (ROOT / "static/tokens.css").read_text().split("@media")[0].upper()
    used = {value for paint in paper.PAINT.values() for value in paint.values() if value.startswith("#")}
    assert used and [colour for colour in used if colour.upper() not in light] == []


WITHOUT_PANGO = """
import cffi.api
opens = cffi.api.FFI.dlopen
def dlopen(self, name, *flags):
    if name and ("pango" in str(name)):
        raise OSError(f"cannot load library '{name}'")
    return opens(self, name, *flags)
cffi.api.FFI.dlopen = dlopen
"""


@pytest.mark.django_db(transaction=True)
def test_without_pango_html_and_csv_go_out_and_everybody_is_told_why(typefaces, tmp_path):
    make_estate()
    report, _ = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PANGO)
    program = (
        "import django, sys, json; django.setup()\n"
        "from django.test import Client\n"
        "from itsm_backup.common import pdf, time; from reporting import rendering; from reporting.models import Report\n"
        "report = Report.objects.get(pk=int(sys.argv[1]))\n"
        "made = sorted(file.name for file in rendering.render(report=report, at=time.now()))\n"
        "try:\n    pdf.write('<p>', at=time.now()); refused = ''\nexcept pdf.PdfOff as error:\n    refused = str(error)\n"
        "print(json.dumps([made, pdf.why_off(), refused, Client().get('/healthz').json()['pdf']]))"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {**os.environ, **_same_database(), "PYTHONPATH": path, "ALLOWED_HOSTS": "testserver"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(report.pk)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    made, why, refused, health = json.loads(done.stdout.splitlines()[-1])
    assert made == ["auditor.html", "executive.html", "services.csv", "technical.html"]
    assert why.startswith("PDF is off: Pango and PangoFT2 cannot be found on this machine. Install libpango-1.0-0")
    assert refused == why == health
    if not pdf.why_off():  # where Pango is, the missing files follow
        assert [file.name for file in rendering.render(report=report, at=JULY_1)] == ["technical.pdf", "executive.pdf", "auditor.pdf"]


def test_fonts_are_asked_for_before_a_pdf_is_tried(settings, tmp_path):
    settings.FONTS_DIR = tmp_path
    if all(pdf._opens(names) for names in pdf.LIBRARIES.values()):
        assert "the typefaces are missing" in pdf.why_off() and "first_start" in pdf.why_off()
