"""Restore tests in the report: what was tried, how it went, and whether it took longer than promised."""

from __future__ import annotations

import re

import pytest

from itsm_backup import journey
from reporting import compiling, rendering
from reporting.rows import rows_of
from reporting.scoping import Scope
from tests.factories import make_job, make_service, push, restore_record
from tests.reporting.makers import JULY_1, JUNE, MAY_20, ZONE, night

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(estate):
    bank = make_service("SVC-006", at=MAY_20, zone=ZONE, name="Blood bank", rpo_s=None, rto_s=4 * 3600)
    make_job(estate.tool, "bank-restore", at=MAY_20, service=bank)
    tests = [
        restore_record("bank-restore", "success", night(9), minutes=185),
        restore_record("bank-restore", "success", night(12), minutes=300),
        restore_record("bank-restore", "failed", night(20), minutes=10),
        restore_record("bank-restore", "success", night(32), minutes=60),  # in July
    ]
    push(estate.tool, *tests, at=JULY_1)
    journey.advance(at=JULY_1)
    return compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)[0]


def test_it_tells_each_test_of_the_month_failed_ones_first(report):
    text = rendering.document("technical", report, rows_of(report))
    section = text[text.index("Restore tests</h2>") :]
    rows = [
        re.sub(r"\s+", " ", re.sub(r"<title>.*?</title>|<[^>]+>", " ", row)).strip() for row in re.findall(r"<tr>.*?</tr>", section)[1:4]
    ]
    assert rows == [
        "Blood bank 20 Jun, 02:10 – Failed",
        "Blood bank 12 Jun, 07:00 5 h of 4 h Too slow",
        "Blood bank 9 Jun, 05:05 3 h 5 min of 4 h Passed",
    ]
    totals = report.data["totals"]
    assert (totals["restores"], totals["restores_passed"], totals["restore_median_s"]) == (3, 2, 185 * 60)


def test_the_executive_reads_that_data_could_not_be_got_back(report):
    text = rendering.document("executive", report, rows_of(report))
    assert "2 of 3" in text and "Some data could not be got back" in text
    assert "bank-restore" not in text
