"""Restore tests by people: planned, recorded by the tester, verified by somebody else; then they prove what tools' tests prove."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import iso
from monitoring import attaining, repeating, testing_restores, wording
from monitoring.due_restores import due_tests
from monitoring.models import Alert, RestorePlan, RestoreTest, ServiceState
from tests.factories import make_admin, make_job, make_service, make_tool, make_user, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2")]
AT = dt.datetime(2026, 7, 1, 8, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def job():
    service = make_service("SVC-050", name="Pharmacy", rto_s=4 * 3600, restore_test_days=90)
    tool = make_tool()
    job = make_job(tool, service=service)
    push(tool, run_record("nightly", "success", AT - 8 * HOUR), at=AT - 7 * HOUR)
    journey.advance(at=AT)
    job.refresh_from_db()
    return job


@pytest.fixture
def operator():
    return make_person("operator", AT)


def planned(job, tester, by, **more):
    return testing_restores.plan(job=job, scope="full", planned_on=AT.date(), tester=tester, by=by, at=AT, reason="Quarterly", **more)


def result(**more):
    told = {"started_at": AT + HOUR, "ended_at": AT + 3 * HOUR, "outcome": "passed", "compared": True, "remark": "All tables, counted"}
    return {**told, "at": AT + 4 * HOUR, **more}


def claim(job, at):
    journey.advance(at=at)
    found = ServiceState.objects.select_related("evaluation").get(service=job.service).evaluation.result["claims"]
    return next(one for one in found if one["claim"] == "restore")


def test_it_proves_the_promise_once_somebody_else_has_verified_it_and_no_longer_than_its_cadence(job, operator):
    assert claim(job, AT)["detail"] == "never_tested"
    assert [one.service_id for one in due_tests(user=operator, at=AT)[0]] == [job.service_id]
    tester = make_person("operator", AT)
    row = planned(job, tester, operator)
    assert due_tests(user=operator, at=AT) == ([], 0), "what is planned wants no other"
    row = testing_restores.record(row=row, by=tester, **result())
    told = claim(job, AT + 4 * HOUR)
    assert (told["detail"], told["measured_s"], told["run"]) == ("not_verified", None, None), "unverified, it proves nothing"
    row = testing_restores.verify(row=row, agrees=True, finding="Read the log", by=operator, at=AT + 5 * HOUR)
    told = claim(job, AT + 5 * HOUR)
    assert (told["verdict"], told["detail"], told["measured_s"], told["run"]) == ("kept", "proven", 7200, row.run_id)
    assert claim(job, AT + 3 * HOUR + 91 * DAY)["detail"] == "too_old"
    test = RestoreTest.objects.get(run=row.run_id)
    assert (test.scope, test.outcome, test.verified, test.duration_s) == ("full", "passed", True, 7200)
    assert test.run.evidence_kind == "manual" and "All tables, counted Read the log" in test.message


def verified(job, tester, operator):
    row = testing_restores.record(row=planned(job, tester, operator), by=tester, **result())
    testing_restores.verify(row=row, agrees=True, finding="Read the log", by=operator, at=AT + 5 * HOUR)
    return claim(job, AT + 5 * HOUR)


def again(job, tester, operator, *, days=10, **more):
    """Another test, recorded so many days later and not verified."""
    at = AT + days * DAY
    row = testing_restores.plan(
        job=job, scope=more.pop("scope", "full"), planned_on=at.date(), tester=tester, by=operator, at=at, reason="Again"
    )  # fmt: skip
    told = {"started_at": at + HOUR, "ended_at": at + 2 * HOUR, **more}
    return testing_restores.record(row=row, by=tester, **result(**told, at=at + 9 * HOUR)), at + 9 * HOUR


def test_one_that_waits_to_be_verified_takes_nothing_away_from_what_the_newest_verified_one_proves(job, operator):
    tester = make_person("operator", AT)
    before = verified(job, tester, operator)
    row, at = again(job, tester, operator)
    told = claim(job, at)
    assert {**told, "waiting_at": None} == {**before, "waiting_at": None} and told["waiting_at"] == iso(row.ended_at)
    assert wording.restore_sentence(told).endswith("That of 11 Jul 2026 waits to be verified.")
    judged = ServiceState.objects.get(service=job.service).evaluation
    assert repeating.repeat(judged).agrees
    standing = attaining.standing_of(version=job.service.version_at(at), evaluation=judged, at=at, known_at=at)
    found = {one.objective.key: one for one in standing.attainments}
    assert (found["rto_s"].status, found["rto_s"].actual, found["rto_s"].part, found["rto_s"].whole) == ("kept", 7200, 1, 1)
    assert found["restore_test_days"].status == "kept" and "waits to be verified" in found["restore_test_days"].detail
    testing_restores.verify(row=row, agrees=True, finding="Read it", by=operator, at=at + HOUR)
    assert claim(job, at + HOUR)["run"] == row.run_id
    assert repeating.repeat(judged).agrees, "what was judged before it was verified repeats after it"


def test_one_that_waits_and_took_too_long_refutes_at_once(job, operator):
    tester = make_person("operator", AT)
    verified(job, tester, operator)
    _, at = again(job, tester, operator, ended_at=AT + 10 * DAY + 8 * HOUR)
    assert claim(job, at)["detail"] == "too_slow"


def test_a_sample_that_waits_hides_no_sample_that_failed(job, operator):
    tester = make_person("operator", AT)
    verified(job, tester, operator)
    _, at = again(job, tester, operator, days=5, scope="sample", outcome="failed", compared=None)
    assert claim(job, at)["detail"] == "sample_failed"
    _, at = again(job, tester, operator, scope="sample")
    assert claim(job, at)["detail"] == "sample_failed"


def test_it_begins_neither_before_the_entry_was_commissioned_nor_long_before_it_was_planned(job, operator):
    row = planned(job, operator, operator)
    commissioned_at = job.service.version_at(AT).commissioned_at
    with pytest.raises(NotReady, match="before SVC-050 was commissioned"):
        testing_restores.record(row=row, by=operator, **result(started_at=commissioned_at - HOUR, ended_at=commissioned_at))
    with pytest.raises(NotReady, match="It was planned on 1 Jul 2026, 08:00 UTC, and began more than a day before"):
        testing_restores.record(row=row, by=operator, **result(started_at=AT - DAY - HOUR, ended_at=AT - DAY))
    row.refresh_from_db()
    assert row.state == "planned"
    testing_restores.record(row=row, by=operator, **result(started_at=AT - 3 * HOUR, ended_at=AT - HOUR))


def test_what_took_longer_than_promised_contradicts_it_and_is_an_alert(job, operator):
    row = planned(job, operator, operator)
    testing_restores.record(row=row, by=operator, **result(ended_at=AT + 6 * HOUR, at=AT + 7 * HOUR))
    assert claim(job, AT + 7 * HOUR)["detail"] == "too_slow"
    assert Alert.objects.open().filter(service=job.service, alert_class="rto_test_failed").exists()


def test_a_failure_counts_at_once_and_stands(job, operator):
    row = planned(job, operator, operator)
    row = testing_restores.record(row=row, by=operator, **result(outcome="failed", compared=None))
    assert claim(job, AT + 4 * HOUR)["detail"] == "test_failed"
    other = make_person("operator", AT)
    with pytest.raises(NotReady, match="stands"):
        testing_restores.verify(row=row, agrees=False, finding="I doubt it", by=other, at=AT + 5 * HOUR)
    with pytest.raises(IntegrityError, match="restore_plan_failure_stands"), transaction.atomic(), because("test"):
        row.state, row.verified_by, row.verified_at, row.finding = "rejected", other, AT + 5 * HOUR, "No"
        row.save()


def test_what_is_rejected_proves_nothing(job, operator):
    row = planned(job, operator, operator)
    row = testing_restores.record(row=row, by=operator, **result())
    owner = job.service.version_at(AT).owner
    testing_restores.verify(row=row, agrees=False, finding="The log is of another server", by=owner, at=AT + 5 * HOUR)
    assert claim(job, AT + 5 * HOUR)["detail"] == "never_tested"
    assert RestoreTest.objects.get(run=row.run_id).outcome == "inconclusive"
    assert due_tests(user=operator, at=AT + 5 * HOUR)[1] == 1


def test_nobody_verifies_their_own_test_and_the_database_knows(job, operator):
    row = planned(job, operator, operator)
    row = testing_restores.record(row=row, by=operator, **result())
    with pytest.raises(NotAllowed, match="somebody else"):
        testing_restores.verify(row=row, agrees=True, finding="Fine", by=operator, at=AT + 5 * HOUR)
    with pytest.raises(NotAllowed):
        testing_restores.verify(row=row, agrees=True, finding="Fine", by=make_person("stakeholder", AT), at=AT + 5 * HOUR)
    with pytest.raises(IntegrityError, match="restore_plan_not_verified_by_tester"), transaction.atomic(), because("test"):
        row.state, row.verified_by, row.verified_at, row.finding = "verified", operator, AT + 5 * HOUR, "Fine"
        row.save()


def test_only_its_tester_records_it_whole_and_once(job, operator):
    row = planned(job, operator, operator)
    with pytest.raises(NotAllowed, match="runs this test"):
        testing_restores.record(row=row, by=make_admin(), **result())
    for wrong, told in (
        ({"ended_at": AT}, "ends after it starts"),
        ({"ended_at": AT + 9 * HOUR}, "future"),
        ({"remark": " "}, "what was restored"),
        ({"compared": False}, "Say failed"),
        ({"outcome": ""}, "passed or failed"),
    ):
        with pytest.raises(NotReady, match=told):
            testing_restores.record(row=row, by=operator, **result(**wrong))
    testing_restores.record(row=row, by=operator, **result())
    with pytest.raises(WrongState, match="waits to be verified"):
        testing_restores.record(row=row, by=operator, **result())
    with pytest.raises(WrongState):
        testing_restores.cancel(row=row, by=operator, at=AT + 5 * HOUR, reason="Too late")


def test_planning_takes_an_operator_a_day_ahead_and_a_tester_who_may_see_it(job, operator):
    with pytest.raises(NotAllowed):
        planned(job, operator, make_person("stakeholder", AT))
    with pytest.raises(NotReady, match="may not see"):
        planned(job, make_user(), operator)
    with pytest.raises(NotReady, match="day that is not over"):
        testing_restores.plan(
            job=job, scope="full", planned_on=(AT - DAY).date(), tester=operator, by=operator, at=AT, reason="Late"
        )  # fmt: skip
    planned(job, operator, operator)
    with pytest.raises(NotReady, match="planned for that day already"):
        planned(job, operator, operator)


def test_what_is_overdue_is_told_until_it_is_recorded_or_cancelled(job, operator):
    row = planned(job, operator, operator)
    later = (AT + 2 * DAY).date()
    assert list(RestorePlan.objects.overdue(later)) == [row] and not RestorePlan.objects.overdue(AT.date()).exists()
    with pytest.raises(NotReady, match="Say why"):
        testing_restores.cancel(row=row, by=operator, at=AT + 2 * DAY, reason="")
    testing_restores.cancel(row=row, by=operator, at=AT + 2 * DAY, reason="The room was locked")
    assert not RestorePlan.objects.overdue(later).exists()
    assert row.history.latest().history_change_reason == "The room was locked"
    row.refresh_from_db()
    assert (row.state_at(AT + DAY), row.state_at(AT + 3 * DAY)) == ("planned", "cancelled")
