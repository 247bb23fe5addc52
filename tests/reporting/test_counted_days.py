"""A month of a service whose week-ends do not count: figures, the list of what was left out, the file, and the recount."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from itsm_backup import journey
from monitoring.models import ExpectedRun
from reporting import compiling, reconciling, rendering
from reporting.rows import rows_of
from reporting.scoping import Scope
from tests.factories import make_job, make_schedule, make_service, make_tool, push, run_record
from tests.reporting.makers import JULY_1, JUNE, MAY_20, ZONE, night

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.1"), pytest.mark.req("3.6")]


@pytest.fixture
def report():
    """June, whose 22 working nights were good; of the 8 at week-ends one failed and one never ran."""
    promise = {"measurement_calendar": "Mon-Fri"}
    service = make_service("SVC-1", name="Payroll", at=MAY_20, zone=ZONE, rpo_s=100 * 3600, success_rate="0.99", promise=promise)
    tool = make_tool(at=MAY_20)
    make_schedule(make_job(tool, "job", at=MAY_20, service=service), local_times="02:00", zone=ZONE, grace_s=4 * 3600)
    nights = [day for day in range(-11, 31) if day != 7]
    push(tool, *(run_record("job", "failed" if day == 6 else "success", night(day), minutes=10) for day in nights), at=JULY_1)
    journey.advance(at=JULY_1)
    return compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)[0]


def test_what_was_left_out_is_counted_apart_and_listed_with_its_reason(report):
    data = report.services.get().data
    success = data["figures"]["success"]
    assert (success["good"], success["settled"], success["excused"], success["uncounted"]) == (22, 22, 0, 8)
    assert data["figures"]["verdict"] == "kept" and report.data["totals"]["uncounted"] == 8
    assert data["inputs"]["uncounted"] == [["Saturday does not count by version 1", 4], ["Sunday does not count by version 1", 4]]
    assert not data["inputs"]["unusual"], "what counts nowhere takes no place of what does"
    assert data["inputs"]["days"][4:8] == "GFMG", "the strip still shows what came of each day"
    assert {one["check"]: one["state"] for one in report.data["checks"]["checks"]}["sources"] == "passed"

    text = " ".join(rendering.document("technical", report, rows_of(report)).split())
    assert "Saturday does not count by version 1 and Sunday does not count by version 1</td><td>8 due runs" in text
    assert "8 on days that do not count by the measurement calendar of their service" in text
    (row,) = csv.DictReader(io.StringIO(rendering.as_csv(rows_of(report)).decode()))
    assert (row["due_settled"], row["due_excused"], row["due_uncounted"]) == ("22", "0", "8")


def test_a_recount_of_the_raw_runs_agrees_and_finds_a_mark_that_is_wrong(report):
    found = reconciling.reconcile(report=report, at=JULY_1 + dt.timedelta(days=2))
    assert (found.agreeing, found.differing) == (1, 0)
    ExpectedRun.objects.filter(counts=False).update(counts=True)
    found = reconciling.reconcile(report=report, at=JULY_1 + dt.timedelta(days=3))
    assert found.differing == 1


def test_the_report_of_a_service_without_calendar_says_nothing_of_it(estate):
    report = compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)[0]
    assert "uncounted" not in report.data["totals"]
    assert all("uncounted" not in {**row.data["inputs"], **row.data["figures"]["success"]} for row in report.services.all())
