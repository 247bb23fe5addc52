"""The month's report: its data beside one statement over the same rows, its PDF beside a plain document of as many pages."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from itsm_backup.bench import databases, measuring, multiplying, pattern
from itsm_backup.bench.floors import month, paper
from itsm_backup.bench.measuring import Measured, tell
from itsm_backup.bench.serving import REPOSITORY
from itsm_backup.bench.sizes import Size
from itsm_backup.common import pdf
from itsm_backup.common.time import now
from itsm_backup.portal.fonts import ensure_fonts
from reporting import compiling, rendering
from reporting.models import Report
from reporting.scoping import Month, Scope, month_before

LONG_PAGES = 40
_RENDER = """
import resource, sys, django
django.setup()
from reporting import rendering
from reporting.models import Report
for name, content in rendering.make(Report.objects.get(pk=int(sys.argv[1]))):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
MOST_RSS_MB = 300
RUNS = 130  # the month before in full, and what came after it


def measure(size: Size, template: str) -> Iterator[Measured]:
    """G15."""
    url = databases.clone(template, "report")
    databases.use(url)
    tell(f"report: {size.report_services:,} services")
    at = now()
    multiplying.multiply(pattern.make(at=at, runs=RUNS), services=size.report_services)
    yield from _data(size, month_before(at, zone="UTC"), at)
    ensure_fonts(settings.FONTS_DIR)
    if why := pdf.why_off():
        tell(f"report: no PDF is measured. {why}")
    else:
        yield from _papers(size, month_before(at, zone="UTC"), at)
        yield _memory(month_before(at, zone="UTC"), at)
    databases.drop(url)


def _data(size: Size, of: Month, at: dt.datetime) -> Iterator[Measured]:
    rounds = measuring.alternate(
        {
            "product": lambda: _compiled_s(of, at) * 1000,
            "one statement over the same rows": lambda: month.whole_ms(of),
            "month totals of the day cells": lambda: month.totals_ms(of),
        },
        rounds=min(size.rounds, 3),
    )
    common: dict[str, Any] = {"goal": "G15", "product": "product", "limit": 3, "at_least": False, "unit": "ms"}
    yield measuring.compared(
        rounds, what=f"data of a report on {size.report_services:,} services beside the month's totals",
        base="month totals of the day cells",
        note="The product reads every due run, copy and promise of each service, works the figures out, and keeps them with their inputs.",
        **common,
    )  # fmt: skip
    yield measuring.compared(
        rounds, what="the same beside reading and keeping those rows in one statement", base="one statement over the same rows", **common
    )


def _compiled_s(of: Month, at: dt.datetime) -> float:
    """Compiled and thrown away again, so that every round makes a first report."""
    began = time.perf_counter()
    with transaction.atomic():
        compiling.compile_month(month=of, scope=Scope(), at=at, policy="mark")
        took_s = time.perf_counter() - began
        transaction.set_rollback(True)
    return took_s


def _papers(size: Size, of: Month, at: dt.datetime) -> Iterator[Measured]:
    report, _ = compiling.compile_month(month=of, scope=_some(at), at=at, policy="mark")
    pages = _pages(report)
    sides = {"product": lambda: pages / _written_s(report), "plain document of as many pages": lambda: _plain(pages)}
    for act in sides.values():  # typefaces are found once
        act()
    rounds = measuring.alternate(sides, rounds=min(size.rounds, 3))
    yield measuring.compared(
        rounds, goal="G15", what=f"PDF of {pages} pages", product="product", base="plain document of as many pages", limit=0.7,
        at_least=True, unit="pages/s", note="Tagged as PDF/UA, with charts, running heads and the CSV attached; the plain one is bare.",
    )  # fmt: skip


def _some(at: dt.datetime) -> Scope:
    """The services of one department: a report of the length that is sent."""
    return Scope(department="Department 1")


def _plain(pages: int) -> float:
    made, took_s = paper.laid_out(pages)
    return made / took_s


def _written_s(report: Report) -> float:
    began = time.perf_counter()
    rows = rendering.rows_of(report)
    html = rendering.document("technical", report, rows)
    pdf.write(html, at=report.made_at, attachments=[("services.csv", rendering.as_csv(rows), "Every figure of every service")])
    return time.perf_counter() - began


def _pages(report: Report) -> int:
    import weasyprint

    html = rendering.document("technical", report, rendering.rows_of(report))
    return len(weasyprint.HTML(string=html).render().pages)


def _memory(of: Month, at: dt.datetime) -> Measured:
    """The peak of a fresh process that makes all files of the report on every service, in megabytes."""
    report, _ = compiling.compile_month(month=of, scope=Scope(), at=at, policy="mark")
    done = subprocess.run(
        [sys.executable, "-c", _RENDER, str(report.pk)], cwd=REPOSITORY, capture_output=True, text=True, check=True,
        env={**os.environ, "DATABASE_URL": databases.named(os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"]))},
    )  # fmt: skip
    peak_mb, pages = done.stdout.split()[-1], _pages(report)
    note = f"A report never grows to {LONG_PAGES} pages: what is long stands in its CSV. This one has {pages}."
    return measuring.counted(
        goal="G15", what="memory of making every file of the report on all services", value=float(peak_mb), limit=MOST_RSS_MB, unit="MB",
        note=note,
    )  # fmt: skip
