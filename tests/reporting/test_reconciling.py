"""Published figures are recounted from the raw runs: nothing is changed, what differs is told with its cause, and followed up."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue import publishing
from catalogue.models import Window
from catalogue.refusing import NotAllowed, NotReady
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.models import AttributionRule, BackupRun, ExpectedRun
from reporting import comparing, compiling, following_up, reconciling
from reporting.models import Discrepancy, Reconciliation, Report, Settlement
from reporting.scoping import Scope
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_user, push, run_record
from tests.reporting.makers import JULY_1, JUNE, MAY_20, NIGHT, late_run_arrives, night, run

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.6")]
DAY = dt.timedelta(days=1)
LATER = JULY_1 + 2 * DAY


@pytest.fixture
def report(estate):
    return compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)[0]


def recount(report, at=LATER):
    return reconciling.reconcile(report=report, at=at)


def figures(code):
    return {one.figure: one for one in Discrepancy.objects.filter(service__code=code, settlement=None)}


def test_nothing_differs_when_nothing_changed(report):
    seal, data = bytes(report.seal), report.data
    count = recount(report)
    assert (count.agreeing, count.differing, Discrepancy.objects.count()) == (5, 0, 0)
    assert count.result["status"] == "agree" and count.result["report_rate"] == pytest.approx(117 / 119, abs=1e-6)
    report.refresh_from_db()
    assert (bytes(report.seal), report.data) == (seal, data)


def test_a_run_that_arrives_later_is_told_as_such_beside_what_was_published(estate, report):
    late_run_arrives(estate)
    count = recount(report)
    assert (count.agreeing, count.differing, count.result["status"]) == (4, 1, "discrepancy")
    assert count.result["outcome_mismatch"] == ["SVC-002 warehouse-nightly 2026-06-17T01:00:00Z"]
    found = figures("SVC-002")
    assert set(found) == {"success", "recovery"}
    assert (found["success"].published, found["success"].found) == ({"good": 28, "settled": 30}, {"good": 29, "settled": 30})
    assert found["success"].causes == ["late_data"]
    assert any("because its run arrived later" in one for one in found["success"].told)
    assert report.services.get(service__code="SVC-002").data["figures"]["success"]["good"] == 28, "what was published stays"


def test_the_same_finding_is_told_once_and_settles_when_a_revision_tells_it(estate, report):
    late_run_arrives(estate)
    recount(report)
    recount(report, LATER + DAY)
    assert Discrepancy.objects.count() == 2 and not Settlement.objects.exists()
    revision, new = compiling.compile_month(month=JUNE, scope=Scope(), at=LATER + DAY)
    assert new
    recount(revision, LATER + 2 * DAY)
    told = {(one.how, one.by, one.report) for one in Settlement.objects.all()}
    assert told == {("revised", None, revision)} and Settlement.objects.count() == 2 and Discrepancy.objects.count() == 2


def test_a_person_says_why_it_stands_and_another_finding_is_told_anew(estate, report):
    late_run_arrives(estate)
    recount(report)
    row, by = figures("SVC-002")["success"], make_admin()
    with pytest.raises(NotReady, match="Say why"):
        following_up.explain(discrepancy=row, by=by, at=LATER, reason=" ")
    with pytest.raises(NotAllowed, match="steward or operator"):
        following_up.explain(discrepancy=row, by=make_user(), at=LATER, reason="It stands")
    following_up.explain(discrepancy=row, by=by, at=LATER, reason="The board has read it")
    with pytest.raises(NotReady, match="meanwhile"):
        following_up.explain(discrepancy=row, by=by, at=LATER, reason="Again")
    recount(report, LATER + DAY)
    assert "success" not in figures("SVC-002"), "explained once is explained"
    push(estate.tool, run("warehouse", 6, after=NIGHT), at=LATER + DAY)
    journey.advance(at=LATER + DAY)
    recount(report, LATER + 2 * DAY)
    assert figures("SVC-002")["success"].found == {"good": 30, "settled": 30}
    assert Settlement.objects.filter(how="found_anew").exists(), "the recovery point was found before, with other figures"


def test_what_agrees_again_settles_and_is_told_again_when_it_comes_back(estate, report):
    row = ExpectedRun.objects.get(job=estate.jobs["records"], due_at=night(10))
    for state, at in (("missed", LATER), ("satisfied", LATER + DAY), ("missed", LATER + 2 * DAY)):
        ExpectedRun.objects.filter(pk=row.pk).update(state=state)
        recount(report, at)
    assert list(Settlement.objects.values_list("how", flat=True).distinct()) == ["agrees"]
    assert set(figures("SVC-001")) == {"success", "verdict", "ledger"} or set(figures("SVC-001")) == {"success", "ledger"}


def test_a_ledger_that_does_not_follow_from_the_runs_is_found(estate, report):
    """Somebody wrote into the ledger past the product: the figures of the page would follow it, the recount does not."""
    ExpectedRun.objects.filter(job=estate.jobs["records"], due_at=night(10)).update(state="missed")
    count = recount(report)
    found = figures("SVC-001")["ledger"]
    assert found.causes[0] == "ledger"
    assert found.published == [["records-nightly", "2026-06-10T01:00:00Z", "missed"]]
    assert found.found == [["records-nightly", "2026-06-10T01:00:00Z", "satisfied"]]
    assert count.result["status"] == "agree", "by the raw runs nothing changed"


def test_corrected_runs_later_windows_and_later_rules_are_named(estate, report):
    push(estate.tool, run("records", 8, "failed"), at=LATER)
    with because("test"):
        Window.objects.create(
            service=estate.imaging, starts_at=night(12) - NIGHT, ends_at=night(12) + 6 * NIGHT, purpose="Told late",
            decided_at=JULY_1 + DAY, decided_by=make_user(),
        )  # fmt: skip
    journey.advance(at=LATER)
    count = recount(report, LATER + DAY)
    assert count.differing >= 1
    assert "corrected_run" in figures("SVC-001")["success"].causes
    # a window that was decided on after the occurrence opened excuses nothing, so it changes no figure
    assert not figures("SVC-003")


def test_a_job_that_belongs_elsewhere_by_a_later_rule_is_named(estate, report):
    other = make_service("SVC-009", name="New owner of the jobs", at=MAY_20, rpo_s=30 * 3600)
    with because("test"):
        AttributionRule.objects.filter(service=estate.warehouse).first().delete()
    make_rule(other, estate.tool, "warehouse-nightly", at=LATER)
    journey.advance(at=LATER)
    recount(report, LATER + DAY)
    success = figures("SVC-002")["success"]
    assert success.found["settled"] < success.published["settled"]
    assert success.causes == ["changed_rule"], "its runs went with the job: none was deleted"
    assert any("due on Wed 17 Jun 2026" in one and "not told of it any more" in one for one in success.told)
    assert "nothing was due, where 28 of 30 due runs were good" in success.told


def test_what_a_job_brought_along_is_not_said_to_have_been_good_before():
    figures = {"verdict": "kept", "success": {"good": 0, "settled": 0}, "recovery": {"longest_s": 60, "exceeded_s": 0}}
    old = {"inputs": {"promises": [], "unusual": [], "jobs": 0}, "figures": figures}
    failed = [{"job": "coding", "due_at": "2026-06-10T01:00:00+00:00", "state": "failed"}]
    grown = {"promises": [], "unusual": failed, "jobs": 1}
    new = {"inputs": grown, "figures": {**figures, "success": {"good": 29, "settled": 30}}}
    assert comparing.differences(old, new, ZoneInfo("UTC")) == [
        "the backup “coding” due on Wed 10 Jun 2026, 01:00 UTC counts as failed now", "success is 29 of 30 due runs, where nothing was due",
    ]  # fmt: skip


def test_another_version_of_the_entry_that_took_force_within_its_month_is_named(estate):
    """Its month ends in New York, four hours after the report was made in London; no version takes force before its approval."""
    at = JUNE.ends_at + dt.timedelta(minutes=30)
    service = make_service("SVC-008", name="Branch files", at=MAY_20, zone="America/New_York", rpo_s=800 * 3600, success_rate="0.5")
    make_schedule(make_job(estate.tool, "branch", at=MAY_20, service=service), local_times="02:00", zone="UTC", grace_s=4 * 3600)
    push(estate.tool, *(run_record("branch", "success", night(day) + NIGHT) for day in range(-11, 11)), at=at)
    journey.advance(at=at)
    report = compiling.compile_month(month=JUNE, scope=Scope(), at=at)[0]
    author = make_user("author")
    draft = publishing.draft_version(
        service=service, content={}, commitment={"rpo_s": 30 * 3600}, by=author, at=at, reason="A day is enough"
    )
    publishing.submit(version=draft, by=author, at=at)
    publishing.approve(version=draft, by=make_admin(), at=at + NIGHT, reason="Agreed")
    journey.advance(at=LATER)
    recount(report)
    found = figures("SVC-008")
    assert found["recovery"].causes == ["changed_entry"], found["recovery"].causes
    assert "another version of the entry was in force" in found["recovery"].told


def test_runs_that_are_gone_are_named(estate, report):
    gone = BackupRun.objects.filter(job=estate.jobs["records"], occurred_at=night(9))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        assert gone.delete()[0] >= 1
        cursor.execute("SET LOCAL session_replication_role = origin")
    recount(report)
    found = figures("SVC-001")
    assert "deleted_run" in found["ledger"].causes and found["ledger"].found[0][2] == "missed"


def test_each_report_is_recounted_once_a_day_and_only_its_newest_revision(estate, report):
    assert reconciling.reconcile_due(at=JULY_1 + NIGHT) == 0, "just made"
    assert reconciling.reconcile_due(at=LATER) == 1
    assert reconciling.reconcile_due(at=LATER + NIGHT) == 0
    assert reconciling.reconcile_due(at=LATER + DAY) == 1
    late_run_arrives(estate)
    compiling.compile_month(month=JUNE, scope=Scope(), at=LATER + DAY)
    assert reconciling.reconcile_due(at=LATER + 3 * DAY) == 1
    assert Reconciliation.objects.latest("pk").report.revision == 2
    assert reconciling.reconcile_due(at=JULY_1 + 500 * DAY) == 0, "years later it is history"
    assert Report.objects.count() == 2


def test_questions_do_not_grow_with_services(estate, report, django_assert_max_num_queries):
    with django_assert_max_num_queries(60):
        recount(report)


@pytest.mark.parametrize("model", [Discrepancy, Settlement, Reconciliation])
def test_the_record_is_only_ever_added_to(estate, report, model):
    late_run_arrives(estate)
    recount(report)
    following_up.explain(discrepancy=figures("SVC-002")["success"], by=make_admin(), at=LATER, reason="It stands")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET at = now()")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table}")


def test_an_explanation_without_author_or_reason_is_refused_by_the_database(estate, report):
    late_run_arrives(estate)
    recount(report)
    row = figures("SVC-002")["success"]
    with pytest.raises(DatabaseError), transaction.atomic():
        Settlement.objects.create(discrepancy=row, how="explained", at=LATER)
    with pytest.raises(DatabaseError), transaction.atomic():
        Settlement.objects.create(discrepancy=row, how="revised", at=LATER)
