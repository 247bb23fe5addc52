"""Records become rows once, whoever sends them how often; corrections are kept; points follow their runs."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from itsm_backup import journey
from monitoring import pointing, storing
from monitoring.connectors.base import Held, Reading, Record
from monitoring.models import BackupJob, BackupRun, JobState, ProtectedItem, RestorePoint, RunRevision
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.readings import poll_answer, snapshot, take_reading

HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def tool(noon):
    return make_tool(at=noon - dt.timedelta(days=9))


def test_it_makes_job_state_and_item_of_what_it_hears_for_the_first_time(tool, noon):
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    job = BackupJob.objects.get(tool=tool)
    assert (job.external_id, job.declared, job.state.touched_at) == ("nightly", False, noon)
    assert ProtectedItem.objects.get(job=job).points.count() == 1


def test_it_stores_a_run_once_however_often_it_is_sent(tool, noon):
    record = run_record("nightly", "success", noon - HOUR)
    first = push(tool, record, at=noon)
    again = push(tool, record, at=noon + HOUR)
    assert [one.status for one in (*first.results, *again.results)] == ["stored", "unchanged"]
    assert first.results[0].run == again.results[0].run
    assert BackupRun.objects.get().first_seen_at == noon


def test_an_unchanged_record_touches_nothing(tool, noon):
    record = run_record("nightly", "success", noon - HOUR)
    push(tool, record, at=noon)
    JobState.objects.update(touched_at=None, touched_from=None)
    push(tool, record, at=noon + HOUR)
    assert JobState.objects.get().touched_at is None


def test_it_answers_for_every_record_of_a_batch_that_repeats_itself(tool, noon):
    record = run_record("nightly", "failed", noon - HOUR)
    receipt = push(tool, record, {**record, "outcome": "success"}, record, at=noon)
    assert [(one.index, one.status) for one in receipt.results] == [(0, "stored"), (1, "stored"), (2, "stored")]
    assert len({one.run for one in receipt.results}) == 1
    assert BackupRun.objects.get().outcome == "failed"


def test_it_keeps_what_a_correction_changed(tool, noon):
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    push(tool, run_record("nightly", "failed", noon - HOUR, native_message="checksum differs"), at=noon + HOUR)
    revision = RunRevision.objects.get()
    assert (revision.before, revision.after, revision.at) == ({"outcome": "success"}, {"outcome": "failed"}, noon + HOUR)


def test_a_run_that_only_goes_on_is_no_correction(tool, noon):
    start = {"external_id": "r1", "job_external_id": "nightly", "state": "running", "started_at": (noon - HOUR).isoformat()}
    push(tool, start, at=noon)
    push(tool, {**start, "state": "finished", "outcome": "success", "ended_at": noon.isoformat()}, at=noon)
    assert BackupRun.objects.get().outcome == "success"
    assert not RunRevision.objects.exists()


def test_a_point_is_taken_back_when_its_run_turns_out_bad_and_given_again(tool, noon):
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    point = RestorePoint.objects.get()
    assert (point.captured_at, point.available_at) == (noon - HOUR, noon - HOUR + dt.timedelta(minutes=10))
    push(tool, run_record("nightly", "failed", noon - HOUR), at=noon)
    point.refresh_from_db()
    assert point.invalid_from == noon
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    point.refresh_from_db()
    assert point.invalid_from is None


def test_a_copy_ends_when_its_tool_said_that_it_is_kept_until(tool, noon):
    made = run_record("nightly", "success", noon - 2 * HOUR, retention_until=(noon + HOUR).isoformat())
    push(tool, made, run_record("nightly", "success", noon - 20 * HOUR, external_id="older"), at=noon)
    assert [point.expires_at for point in RestorePoint.objects.order_by("captured_at")] == [None, noon + HOUR]
    older = RestorePoint.objects.usable_at(noon + 2 * HOUR).get()
    assert older.captured_at == noon - 20 * HOUR
    JobState.objects.update(touched_at=None)
    push(tool, {**made, "retention_until": (noon + 9 * HOUR).isoformat()}, at=noon + HOUR)
    assert RestorePoint.objects.usable_at(noon + 2 * HOUR).count() == 2, "what was said last counts"
    assert JobState.objects.get().touched_at == noon + HOUR, "and what was judged by it is judged again"


def test_an_end_before_the_copy_was_taken_says_nothing(tool, noon):
    push(tool, run_record("nightly", "success", noon - HOUR, retention_until=(noon - 24 * HOUR).isoformat()), at=noon)
    assert RestorePoint.objects.get().expires_at is None


def test_a_failed_run_makes_no_point(tool, noon):
    push(tool, run_record("nightly", "failed", noon - HOUR), at=noon)
    assert not RestorePoint.objects.exists()


def test_it_looks_again_from_where_a_corrected_run_was_and_is(tool, noon):
    push(tool, run_record("nightly", "success", noon - 50 * HOUR, external_id="r1", created_at=noon.isoformat()), at=noon)
    JobState.objects.update(touched_at=None, touched_from=None)
    push(tool, run_record("nightly", "success", noon - 2 * HOUR, external_id="r1", created_at=noon.isoformat()), at=noon)
    assert BackupRun.objects.get().occurred_at == noon - 2 * HOUR
    assert JobState.objects.get().touched_from == noon - 50 * HOUR


def test_a_run_that_is_said_to_be_running_again_is(tool, noon):
    push(tool, run_record("nightly", "failed", noon - HOUR, external_id="r1", source_revision="1"), at=noon)
    again = {"external_id": "r1", "job_external_id": "nightly", "state": "running", "started_at": (noon - HOUR).isoformat()}
    receipt = push(tool, {**again, "source_revision": "2"}, at=noon)
    assert [one.status for one in receipt.results] == ["stored"]
    assert (BackupRun.objects.get().state, BackupRun.objects.get().outcome) == ("running", None)


def test_it_takes_the_service_that_a_job_has_when_its_turn_comes(tool, noon):
    service = make_service(at=noon - dt.timedelta(days=9))
    make_job(tool, "nightly", service=service, at=noon - dt.timedelta(days=9))
    journey.advance(at=noon)
    push(tool, run_record("nightly", "success", noon - HOUR), at=noon)
    assert BackupRun.objects.get().service == service


def test_a_point_that_left_a_complete_listing_is_gone_and_may_come_back(noon):
    repository = make_tool("restic", at=noon - dt.timedelta(days=9), settings={"repository": "/srv/repo"})
    one, two = snapshot(noon - 30 * HOUR), snapshot(noon - 6 * HOUR)
    take_reading(repository, poll_answer(one, two), at=noon)
    take_reading(repository, poll_answer(two), at=noon + HOUR)
    assert list(RestorePoint.objects.order_by("captured_at").values_list("gone_at", flat=True)) == [noon + HOUR, None]
    take_reading(repository, poll_answer(two, stdout="[{"), at=noon + 2 * HOUR)
    assert list(RestorePoint.objects.order_by("captured_at").values_list("gone_at", flat=True)) == [noon + HOUR, None]
    take_reading(repository, poll_answer(one, two), at=noon + 3 * HOUR)
    assert list(RestorePoint.objects.order_by("captured_at").values_list("gone_at", flat=True)) == [None, None]


def numbered(*numbers: int, held=None, at) -> Reading:
    """What a tool tells that numbers its copies and says which it still holds."""
    told = {"evidence_kind": "run_log", "job_external_id": "nightly", "outcome": "success"}
    runs = [
        Record(
            external_id=str(number), identity=(str(number), str(at)), created_at=at, started_at=at, ended_at=at, consistent_at=at, **told
        )
        for number in numbers
    ]
    return Reading(records=runs, complete=True, held=held)


def gone() -> dict[int, bool]:
    return {int(name): gone_at is not None for name, gone_at in RestorePoint.objects.order_by("pk").values_list("external_id", "gone_at")}


def test_a_numbered_copy_that_is_not_held_any_more_is_gone(tool, noon):
    def take(reading, at):
        with transaction.atomic():
            storing.store(tool=tool, reading=reading, answer_id=1, at=at)

    take(numbered(1, 2, 3, 7, held=Held(stretches=[(1, 3), (7, 9)], until=9), at=noon), noon)
    assert gone() == {1: False, 2: False, 3: False, 7: False}
    JobState.objects.update(touched_at=None)
    take(numbered(held=Held(stretches=[(2, 2)], until=3), at=noon), noon + HOUR)
    assert gone() == {1: True, 2: False, 3: True, 7: False}  # of 7 this answer knew nothing
    assert JobState.objects.get().touched_at == noon + HOUR
    take(numbered(held=None, at=noon), noon + HOUR)
    assert gone()[2] is False

    take(numbered(2, held=Held(stretches=[(2, 2)], until=7), at=noon + HOUR), noon + 2 * HOUR)  # set up again: the numbers begin anew
    assert list(RestorePoint.objects.filter(gone_at=None).values_list("external_id", "captured_at")) == [("2", noon + HOUR)]


def test_copies_that_build_on_a_full_one_that_is_gone_do_not_count(tool, noon):
    """Full 1, incremental 2, full 3 with its copy 4 moved to another pool, differential 5, incremental 6 of another job."""
    told = {"evidence_kind": "run_log", "outcome": "success"}
    levels = {1: "full", 2: "incremental", 3: "full", 4: "full", 5: "differential", 6: "incremental"}

    def take(held, at):
        records = []
        for number, level in levels.items():
            made_at = noon + (3 if number == 4 else number) * HOUR
            times = {"created_at": made_at, "started_at": made_at, "ended_at": made_at, "consistent_at": made_at}
            job = "other" if number == 6 else "nightly"
            records.append(Record(external_id=str(number), identity=(str(number),), job_external_id=job, level=level, **times, **told))
        with transaction.atomic():
            storing.store(tool=tool, reading=Reading(records=records, complete=True, held=held), answer_id=1, at=at)

    def of_no_use() -> set[str]:
        return set(RestorePoint.objects.filter(gone_at=None).exclude(invalid_from=None).values_list("external_id", flat=True))

    later = noon + 10 * HOUR
    take(Held(stretches=[(1, 6)], until=6), later)
    assert of_no_use() == set()
    JobState.objects.update(touched_at=None)
    take(Held(stretches=[(2, 2), (4, 6)], until=6), later + HOUR)  # 1 and 3 are gone, of 3 there is a copy
    assert of_no_use() == {"2"}
    assert JobState.objects.get(job__external_id="nightly").touched_at == later + HOUR
    take(Held(stretches=[(2, 2), (5, 6)], until=6), later + 2 * HOUR)
    assert of_no_use() == {"2", "5"}  # 6 builds on what is not known here
    base = pointing.base_of(BackupRun.objects.select_related("point").get(external_id="5"))
    assert base and base.captured_at == noon + 3 * HOUR
    assert pointing.base_of(BackupRun.objects.select_related("point").get(external_id="6")) is None


def test_a_copy_that_its_sender_says_is_gone_does_not_count(tool, noon):
    record = run_record("nightly", "success", noon - 6 * HOUR, artefact_id="a1")
    push(tool, record, at=noon - 5 * HOUR)
    receipt = push(tool, {**record, "artefact_gone_at": (noon - HOUR).isoformat()}, at=noon)
    assert [one.status for one in receipt.results] == ["unchanged"]
    assert RestorePoint.objects.get().gone_at == noon - HOUR
    assert not RestorePoint.objects.usable_at(noon).exists()


def test_every_row_carries_its_seal(tool, noon):
    from monitoring.combining import seal_of

    push(tool, *[run_record("nightly", "success", noon - n * HOUR) for n in range(1, 5)], at=noon)
    assert all(bytes(run.seal) == seal_of(run) for run in BackupRun.objects.all())


def test_the_table_of_runs_loses_nothing_between_its_columns():
    """The wide ones first. A column that came by a later migration stands at the end; it costs nothing while it is empty."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, attlen FROM pg_attribute WHERE attrelid = 'monitoring_backuprun'::regclass AND attnum > 0"
            " AND NOT attisdropped AND attname NOT IN ('rows_total') ORDER BY attnum"
        )
        widths = [(name, width) for name, width in cursor.fetchall() if width not in (-1, 1)]  # texts and truths fit anywhere
        cursor.execute(
            "SELECT min(attnum) FROM pg_attribute WHERE attrelid = 'monitoring_backuprun'::regclass AND attnum > 0 AND attlen = -1"
        )
        first_text = cursor.fetchone()[0]
    assert widths == sorted(widths, key=lambda column: -column[1])
    assert first_text > len(widths)


def test_an_installation_whose_columns_have_another_order_stores_the_same(tool, noon):
    """Those made before the columns were ordered by width: every statement calls them by name."""
    from django.db import connection

    with connection.cursor() as cursor:
        for name, kind in (
            ("first_seen_at", "timestamptz"),
            ("bytes_source", "bigint"),
            ("level", "varchar(12)"),
            ("ended_at", "timestamptz"),
        ):
            cursor.execute(
                f"ALTER TABLE monitoring_backuprun ADD COLUMN moved {kind}, DROP COLUMN {name}; "
                f"ALTER TABLE monitoring_backuprun RENAME COLUMN moved TO {name}"
            )
    sent = run_record("nightly", "success", noon - HOUR, level="full", bytes_source=158_000)
    assert push(tool, sent, at=noon).results[0].status == "stored"
    assert push(tool, sent, at=noon).results[0].status == "unchanged"
    run = BackupRun.objects.get()
    assert (run.level, run.bytes_source, run.first_seen_at, run.ended_at) == (
        "full",
        158_000,
        noon,
        dt.datetime.fromisoformat(sent["ended_at"]),
    )


def test_a_run_is_narrow(tool, noon):
    """At most 450 bytes with its indexes, beside the names that its tool gives it."""
    from django.db import connection

    service = make_service(at=noon - dt.timedelta(days=9))
    for number in range(25):
        make_job(tool, f"job-{number}", service=service, at=noon - dt.timedelta(days=9))
    journey.advance(at=noon)
    for day in range(50, 0, -1):
        at = noon - day * HOUR
        records = [
            run_record(f"job-{number}", "success", at + turn * dt.timedelta(minutes=15), minutes=3, external_id=f"{day}-{number}-{turn}")
            for turn in range(4)
            for number in range(25)
        ]
        push(tool, *records, at=noon)
    with connection.cursor() as cursor:
        # a table of its own, without the dead rows that rolled-back tests left in the shared one; filled in the order of arrival
        cursor.execute("CREATE TEMP TABLE narrow (LIKE monitoring_backuprun INCLUDING ALL)")
        cursor.execute("INSERT INTO narrow SELECT * FROM monitoring_backuprun ORDER BY id")
        cursor.execute("SELECT count(*), pg_total_relation_size('narrow') FROM narrow")
        rows, size_bytes = cursor.fetchone()
    assert rows == 5000
    assert size_bytes / rows <= 450
