"""Alerts of conditions that last: one for each while it lasts, warnings that open no incident, except damage that nothing else tells."""

from __future__ import annotations

import datetime as dt

import pytest

from catalogue.models import Window
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring import burning, explaining, locking, standing_alerts
from monitoring.models import Alert, DetectedChange, Repository
from monitoring.recalculating import recalculate
from tests.factories import make_job, make_schedule, make_service, make_tool, make_user, push, run_record

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
AT = dt.datetime(2026, 7, 20, 12, tzinfo=dt.UTC)
START = AT - 40 * DAY


def look(at=AT):
    journey.advance(at=at)
    count = standing_alerts.follow_conditions(at=at)
    journey.advance(at=at)
    return count


def alerts(kind):
    return list(Alert.objects.open().filter(alert_class=kind))


def check(job, outcome, at, passed):
    state = "passed" if passed else "failed"
    return run_record(job, outcome, at, operation="verify", verification_state=state, external_id=f"check@{at.isoformat()}")


@pytest.fixture
def tool():
    return make_tool(at=START)


def test_damage_is_an_incident_until_a_later_check_is_good(tool):
    service = make_service("SVC-1", at=START)
    make_job(tool, service=service, at=START)
    push(tool, run_record("nightly", "success", AT - 9 * HOUR), check("nightly", "failed", AT - 2 * HOUR, False), at=AT - HOUR)
    assert look() == 1
    assert [(one.service, one.severity) for one in alerts("integrity_error")] == [(service, "error")]
    assert Incident.objects.get().title == "nightly has damaged copies, a check found"
    assert look(AT + HOUR) == 0, "it is told once"
    push(tool, check("nightly", "success", AT + 2 * HOUR, True), run_record("nightly", "success", AT + 2 * HOUR), at=AT + 3 * HOUR)
    look(AT + 3 * HOUR)
    assert not alerts("integrity_error") and Incident.objects.get().state == "resolved"


def test_damage_that_refutes_a_promised_restore_is_told_as_that_alone(tool):
    service = make_service("SVC-1", at=START, restore_test_days=90)
    make_job(tool, service=service, at=START)
    push(tool, run_record("nightly", "success", AT - 9 * HOUR), check("nightly", "failed", AT - 2 * HOUR, False), at=AT - HOUR)
    look()
    assert alerts("rto_test_failed") and not alerts("integrity_error")


@pytest.mark.parametrize(("told", "count"), [(False, 1), (True, 0), (None, 0)])
def test_copies_that_are_not_encrypted_as_promised_are_told_and_unknown_is_not_called_so(tool, told, count):
    service = make_service("SVC-1", name="Archive", at=START, promise={"encryption": "at_rest"})
    make_job(tool, service=service, at=START)
    push(tool, run_record("nightly", "success", AT - HOUR, encrypted=told), at=AT)
    look()
    assert len(alerts("unencrypted")) == count and not Incident.objects.exists()


def test_jobs_without_service_are_one_alert_a_tool_with_their_number(tool):
    for name in ("a", "b", "c", "d"):
        push(tool, run_record(name, "success", AT - 30 * HOUR), at=AT - 29 * HOUR)
    look(AT - 20 * HOUR)
    assert not alerts("unmapped_job"), "a new job has a day"
    push(tool, *(run_record(name, "success", AT - HOUR) for name in "abcd"), at=AT)
    look()
    (alert,) = alerts("unmapped_job")
    assert (alert.tool, alert.title) == (tool, f"a, b and 2 more of {tool.name} belong to no service")
    make_job_belong(tool, "a")
    look(AT + HOUR)
    (alert,) = alerts("unmapped_job")
    assert alert.title == f"b, c and d of {tool.name} belong to no service" and alert.occurrences == 1


def make_job_belong(tool, external_id):
    from tests.factories import make_rule

    make_rule(make_service("SVC-9", at=START), tool, external_id, at=AT)


def test_changed_backups_are_an_alert_until_they_are_settled(tool):
    service = make_service("SVC-1", name="Archive", at=START)
    make_job(tool, service=service, at=START)
    change = DetectedChange.objects.create(service=service, aspect="schedule", before="Daily", after="Weekly", detected_at=AT - HOUR)
    look()
    assert [one.title for one in alerts("drift")] == ["Archive is backed up otherwise than when it was approved: schedule"]
    DetectedChange.objects.filter(pk=change.pk).update(undone_at=AT + HOUR)
    look(AT + HOUR)
    assert not alerts("drift")


def nights(service, bad, *, count=30):
    """A run each night until today, of which the named ones, counted from the newest, failed."""
    last = AT.replace(hour=2)
    tool = make_tool(at=last - count * DAY - HOUR)
    make_schedule(make_job(tool, service=service, at=START), local_times="02:00", grace_s=3600)
    for back in range(count, -1, -1):
        night = last - back * DAY
        push(tool, run_record("nightly", "failed" if back in bad else "success", night), at=night + HOUR)
        journey.advance(at=night + 23 * HOUR if back else AT)


def test_a_budget_that_burns_is_an_alert_that_wakes_nobody():
    service = make_service("SVC-1", name="Archive", at=START, success_rate="0.9", rpo_s=200 * 3600)
    nights(service, {1, 2, 3, 4, 5, 6, 7})
    told = burning.by_number({service.pk: 0.9}, AT)[service.pk]
    assert [(rule["name"], rule["fires"]) for rule in told] == [("page", False), ("ticket", True)]
    before = Incident.objects.count()
    look()
    (alert,) = alerts("slo_burn")
    assert alert.title.startswith("Archive uses its error budget up steadily") and alert.severity == "warning"
    assert Incident.objects.count() == before, "each failure was told when it happened"


def test_one_failure_of_few_burns_nothing():
    service = make_service("SVC-1", at=START, success_rate="0.98", rpo_s=200 * 3600)
    nights(service, {1}, count=12)
    look()
    assert not alerts("slo_burn")


def declare(tool, name="vault", *, at=START, **said):
    with because("Seen on site"):
        row = Repository(tool=tool, name=name, **said)
        row._history_date = at
        row.save()
    return row


@pytest.fixture
def locks(tool):
    """A service that promises locks of 14 days; its newest copy lies in the vault."""
    service = make_service("SVC-1", name="Archive", at=START, promise={"immutability_days": 14})
    make_job(tool, service=service, at=START, repository_name="vault")
    push(tool, run_record("nightly", "success", AT - HOUR), at=AT)
    return tool


@pytest.mark.parametrize(
    ("days", "told"), [(None, 0), (0, 1), (13, 1), (14, 0)], ids=["not said", "not locked", "too short", "exactly as long"]
)
def test_copies_that_are_declared_locked_for_less_than_promised_are_told_and_what_nobody_said_is_not(locks, days, told):
    declare(locks, lock_days=days)
    look()
    assert len(alerts("lock_missing")) == told and not Incident.objects.exists()


def test_nothing_is_told_of_locks_while_nobody_declared_the_repository(locks):
    look()
    assert not alerts("lock_missing")


def test_a_place_that_holds_every_copy_locks_them_and_ends_the_alert(locks):
    first = declare(locks, lock_days=0)
    look()
    (alert,) = alerts("lock_missing")
    assert alert.title == "Archive promises copies that are locked for 14 d, and the newest of nightly is not"
    assert alert.severity == "warning"
    assert look(AT + HOUR) == 0, "it is told once"
    declare(locks, "bucket", copy_of=first, lock_days=30, at=AT + HOUR)
    look(AT + 2 * HOUR)
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_at) == ("resolved", AT + 2 * HOUR)


def test_what_a_tool_says_of_a_copy_counts_before_what_people_declared_of_its_place(locks):
    declare(locks, lock_days=0)
    locked = run_record("nightly", "success", AT + HOUR, immutable_until=(AT + 15 * DAY + HOUR).isoformat())
    push(locks, locked, at=AT + 2 * HOUR)
    look(AT + 2 * HOUR)
    assert not alerts("lock_missing")
    push(locks, {**locked, "immutable_until": (AT + 3 * DAY).isoformat()}, at=AT + 3 * HOUR)
    look(AT + 3 * HOUR)
    assert alerts("lock_missing"), "what was said last counts"


def test_the_explanation_of_missing_locks_counts_them_and_its_figure_works_out_again(locks):
    declare(locks, lock_days=3)
    look()
    (alert,) = alerts("lock_missing")
    told = explaining.explain(alert.evaluation, alert=alert)
    assert told.methods == ["BM-IMM version 1"]
    assert told.arithmetic[1:3] == [
        "nightly: taken 2026-07-20 11:00 UTC, locked until 2026-07-23 11:00 UTC: not long enough",
        "0 of 1 newest copies locked for long enough, with everything that nobody said at its best",
    ]
    assert "copies locked for 14 d" in told.promise.text and recalculate(alert.figure)["agrees"]


def test_maintenance_silences_what_is_new_but_never_damage(tool):
    service = make_service("SVC-1", at=START, promise={"encryption": "at_rest"})
    make_job(tool, service=service, at=START)
    with because("test"):
        Window.objects.create(
            service=service, starts_at=AT - HOUR, ends_at=AT + HOUR, purpose="Move", decided_at=AT - 3 * HOUR, decided_by=make_user()
        )  # fmt: skip
    good = run_record("nightly", "success", AT - 4 * HOUR, encrypted=False)
    push(tool, good, check("nightly", "failed", AT - 2 * HOUR, False), at=AT - HOUR)
    look()
    assert alerts("integrity_error") and not alerts("unencrypted")
    look(AT + 2 * HOUR)
    assert alerts("unencrypted"), "told when the window is over"


def test_questions_do_not_grow_with_services(tool, django_assert_max_num_queries):
    for number in range(5):
        service = make_service(f"SVC-{number}", at=START, promise={"encryption": "at_rest"}, success_rate="0.9")
        make_job(tool, f"job-{number}", service=service, at=START)
        push(tool, run_record(f"job-{number}", "success", AT - HOUR, encrypted=True), at=AT)
    look()
    with django_assert_max_num_queries(10):
        assert standing_alerts.follow_conditions(at=AT + HOUR) == 0


def test_locks_of_many_services_are_looked_at_in_two_questions(tool, django_assert_num_queries):
    declare(tool, lock_days=0)
    for number in range(5):
        service = make_service(f"SVC-{number}", at=START, promise={"immutability_days": 7})
        make_job(tool, f"job-{number}", service=service, at=START, repository_name="vault")
        push(tool, run_record(f"job-{number}", "success", AT - HOUR), at=AT)
    journey.advance(at=AT)
    with django_assert_num_queries(2):
        assert len(list(locking.missing(AT))) == 5
