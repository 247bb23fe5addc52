"""Compiling: the figures of a month, sealed; the same facts give the same report; late facts give a revision that says so."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from django.template.loader import render_to_string

from catalogue import publishing
from reporting import attesting, compiling, composing
from reporting.models import Report, ReportedService
from reporting.rows import rows_of
from reporting.scoping import Month, NotYet, Scope, month_before, month_of
from tests.factories import bear, make_admin, make_user
from tests.reporting.makers import JULY_1, JUNE, ZONE, late_run_arrives, night

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def compile_june(at=JULY_1, **more):
    return compiling.compile_month(month=JUNE, scope=more.pop("scope", Scope()), at=at, **more)


def line_of(report, code):
    return report.services.get(service__code=code).data


def test_it_tells_what_became_of_every_promise(estate):
    report, new = compile_june()
    assert (new, report.revision, report.state) == (True, 1, "issued")
    assert {row.service.code: row.verdict for row in report.services.select_related("service")} == {
        "SVC-001": "kept",
        "SVC-002": "broken",
        "SVC-003": "at_risk",
        "SVC-004": "no_data",
        "SVC-005": "kept",
    }
    totals = report.data["totals"]
    assert (totals["good"], totals["settled"], totals["excused"], totals["breaches"]) == (117, 119, 1, 2)


def test_it_measures_success_and_recovery_by_the_published_methods(estate):
    figures = line_of(compile_june()[0], "SVC-002")["figures"]
    assert (figures["success"]["good"], figures["success"]["settled"]) == (28, 30)
    assert figures["success"]["variance"]["variance_to_target_pp"] == pytest.approx(-4.666667)
    # nightly at 02:00, ten minutes long: a night without a copy is 48 h 10 min, 22 h 10 min over the 26 h promised
    assert figures["recovery"]["longest_s"] == 48 * 3600 + 600
    assert [breach["over_s"] for breach in figures["recovery"]["breaches"]] == [22 * 3600 + 600] * 2
    assert figures["recovery"]["breaches"][0]["from"] == "2026-06-06T03:00:00Z"
    assert figures["recovery"]["exceeded_s"] == 2 * (22 * 3600 + 600)


def test_it_holds_each_day_against_the_promise_of_that_day(estate):
    author, approver = make_user(), make_admin()
    version = publishing.draft_version(
        service=estate.records, content={}, commitment={"rpo_s": 20 * 3600}, by=author, at=night(15), reason="Less may be lost"
    )
    publishing.submit(version=version, by=author, at=night(15), reason="test")
    publishing.approve(version=version, by=approver, at=night(15), reason="test")
    line = line_of(compile_june()[0], "SVC-001")
    assert [part["rpo_s"] for part in line["inputs"]["promises"]] == [30 * 3600, 20 * 3600]
    assert line["figures"]["verdict"] == "broken"
    assert min(breach["from"] for breach in line["figures"]["recovery"]["breaches"]) > "2026-06-15"


@pytest.mark.req("3.1")
def test_offerings_are_measured_by_the_figures_of_their_entry(estate):
    author, approver = make_user(), make_admin()
    before = compile_june()[0]
    assert "offerings" not in line_of(before, "SVC-001")["figures"]
    levels = [{"name": "Gold", "rpo_s": 20 * 3600, "success_rate": "0.99"}, {"name": "Bare"}, {"name": "Calm", "rpo_s": 90 * 3600}]
    version = publishing.draft_version(
        service=estate.records, content={}, commitment={}, by=author, at=night(15), reason="Packages", offerings=levels
    )
    bear(estate.records, "OFFERING_STRONGER_THAN_ENTRY", at=night(15))
    publishing.submit(version=version, by=author, at=night(15), reason="test")
    publishing.approve(version=version, by=approver, at=night(15), reason="test")
    report = compile_june()[0]
    figures = line_of(report, "SVC-001")["figures"]
    assert figures["verdict"] == "kept"
    calm, gold = figures["offerings"]
    assert (gold["name"], gold["verdict"], gold["rpo_s"], gold["target"]) == ("Gold", "broken", 20 * 3600, 0.99) and gold["exceeded_s"] > 0
    assert (calm["name"], calm["verdict"], calm["target"]) == ("Calm", "kept", None)
    for page in (composing.technical(report, rows_of(report)), attesting.auditor(report, rows_of(report))):
        assert next((row["service"], row["name"], row["promised"]) for row in page["offerings"][1:]) == (
            "Patient record (EPR)",
            "Gold",
            "99.0%",
        )
    shown = render_to_string("reporting/sections/entries.html", attesting.auditor(report, rows_of(report)))
    assert "Offerings with levels of their own" in shown and "Calm" in shown


def test_the_same_facts_on_another_day_give_the_same_report(estate):
    first, _ = compile_june()
    again, new = compile_june(at=JULY_1 + 20 * DAY)
    assert not new and again.pk == first.pk
    assert ReportedService.objects.count() == 5  # the draft that was thrown away left nothing


def test_a_late_run_makes_a_revision_that_says_what_changed_and_the_first_stays(estate):
    first, _ = compile_june()
    seal, services = bytes(first.seal), list(first.services.values_list("data", flat=True))
    late_run_arrives(estate)
    second, new = compile_june(at=JULY_1 + 2 * DAY)
    assert new and (second.revision, bytes(second.seal) != seal) == (2, True)
    assert second.changes[0] == (
        "Data warehouse (SVC-002): the backup “warehouse-nightly” due on Wed 17 Jun 2026, 02:00 BST counted as missed and now counts as "
        "good, because its run arrived later; success is 29 of 30 due runs instead of 28 of 30; the time over the RPO is 22 h 10 min "
        "instead of 44 h 20 min."
    )
    assert not any("SVC-001" in change for change in second.changes)
    first.refresh_from_db()
    assert bytes(first.seal) == seal and list(first.services.values_list("data", flat=True)) == services


def test_a_scope_holds_only_its_services(estate):
    codes = {}
    for scope in (Scope(tier=1), Scope(department="Finance"), Scope(application_type="Business systems"), Scope(label="Patient data")):
        report, _ = compile_june(scope=scope)
        codes[scope.words] = sorted(report.services.values_list("service__code", flat=True))
    assert codes == {
        "Tier 1": ["SVC-001", "SVC-003"],
        "Department Finance": ["SVC-002"],
        "Type Business systems": ["SVC-002", "SVC-004"],
        "Label Patient data": [],
    }
    assert Report.objects.count() == 4


def test_it_asks_the_same_number_of_questions_for_more_services(estate, django_assert_max_num_queries):
    with django_assert_max_num_queries(60) as few:
        compile_june(scope=Scope(tier=1))
    with django_assert_max_num_queries(len(few.captured_queries) + 2):  # the whole estate also counts its jobs, and those that map
        compile_june()


def test_a_month_that_lasts_is_refused_with_the_day_it_can_be_made(noon):
    with pytest.raises(NotYet, match=r"July 2026 is not over. Its report can be made from 2026-08-01 on"):
        month_of("2026-07", zone=ZONE, at=noon)
    with pytest.raises(NotYet, match="is no month"):
        month_of("July", zone=ZONE, at=noon)
    with pytest.raises(NotYet):
        compiling.compile_month(month=Month(dt.date(2026, 7, 1), ZONE), scope=Scope(), at=noon)
    assert month_before(dt.datetime(2026, 6, 30, 23, 30, tzinfo=dt.UTC), zone=ZONE) == JUNE  # already July in London


def test_the_database_refuses_to_change_what_was_reported(estate):
    report, _ = compile_june()
    for table in ("reporting_report", "reporting_reportedservice"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET data = '{{}}'")
    assert report.services.count() == 5
