"""Compiling: the figures of a month, sealed; the same facts give the same report; late facts give a revision that says so."""

from __future__ import annotations

import datetime as dt

import pytest

from reporting import compiling
from reporting.models import Report, ReportedService
from reporting.scoping import Month, NotYet, Scope
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives, make_estate

pytestmark = pytest.mark.django_db


def compile_june(at=JULY_1, **more):
    return compiling.compile_month(month=JUNE, scope=more.pop("scope", Scope()), at=at, **more)


def test_it_tells_what_became_of_every_promise():
    make_estate()
    report, new = compile_june()
    assert new and report.revision == 1
    told = {row.data["inputs"]["service"]["name"]: row for row in report.services.all()}
    verdicts = {name: row.verdict for name, row in told.items()}
    print(verdicts, report.data["checks"], report.data["totals"])
    assert verdicts == {
        "Patient record (EPR)": "kept",
        "Data warehouse": "broken",
        "Imaging archive (PACS)": "kept",
        "Research file shares": "no_data",
        "Theatre scheduling": "kept",
    }
