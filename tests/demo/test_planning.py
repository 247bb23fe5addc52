"""What the demo's jobs do: the same whenever it is asked for, at whatever hour the estate is loaded."""

import datetime as dt
import itertools

import pytest

from itsm_backup.demo import keeping, learning, loading, planning, stories, strays
from itsm_backup.demo.world import day_at, estate, world

NOW = dt.datetime(2026, 11, 27, 9, 42, tzinfo=dt.UTC)
HOURS = [NOW + dt.timedelta(hours=n) for n in range(0, 24 * 4, 5)]
HOUR = dt.timedelta(hours=1)


def ran(anchor, tool, name, hours=30, until=None):
    told = world(anchor)
    end = until or anchor
    return list(planning.runs(told.jobs[tool, name], end - hours * HOUR, end, told.deviation))


def test_every_job_of_the_estate_has_a_size():
    declared = {(job["tool"], job["id"]) for job in estate()["jobs"]}
    stray = {(job["tool"], job["id"]) for job in strays.strays()["jobs"]}
    assert len(declared) == 47 and set(world(NOW).jobs) == declared | stray and not declared & stray


def test_runs_are_the_same_however_they_are_asked_for():
    job = world(NOW).jobs["pgbackrest-clinical", "epr"]
    told = world(NOW).deviation
    whole = list(planning.runs(job, NOW - 20 * HOUR, NOW, told))
    parts = [run for n in range(20, 0, -1) for run in planning.runs(job, NOW - n * HOUR, NOW - (n - 1) * HOUR, told)]
    assert whole == parts
    assert 38 <= len(whole) <= 41


def test_a_day_that_is_an_hour_longer_has_more_runs():
    job = world(NOW).jobs["pgbackrest-clinical", "epr"]
    days = [dt.date(2026, 10, 24), dt.date(2026, 10, 25), dt.date(2026, 3, 29)]
    assert [len(planning.due_on(job.schedule, day)) for day in days] == [48, 50, 46]


@pytest.mark.parametrize("anchor", HOURS, ids=lambda at: f"{at:%a-%H}")
def test_the_pool_is_full_for_six_to_eight_hours_whenever_the_estate_is_loaded(anchor):
    runs = ran(anchor, stories.FULL_POOL, stories.LEADING)
    good = max(run.started_at for run in runs if run.leaves_copy)
    failed = [run for run in runs if not run.leaves_copy]
    assert 6 * HOUR <= anchor - good < 8 * HOUR + dt.timedelta(minutes=5)
    assert 2 <= len(failed) <= 4
    assert all(run.started_at > good for run in failed)


@pytest.mark.parametrize("anchor", HOURS, ids=lambda at: f"{at:%a-%H}")
def test_the_other_stories_are_there_whenever_the_estate_is_loaded(anchor):
    told = world(anchor)
    assert not ran(anchor, *stories.VANISHED, hours=8 * 24)
    assert ran(anchor, *stories.VANISHED, hours=14 * 24)
    missed = stories.missed_due(told.jobs, anchor)
    assert 4 * HOUR < anchor - missed < 30 * HOUR
    assert [run.due_at for run in ran(anchor, *stories.MISSED_NIGHT, hours=60) if run.due_at == missed] == []
    assert told.is_silent(stories.SILENT_TOOL, anchor) and not told.is_silent(stories.SILENT_TOOL, anchor - 5 * 24 * HOUR)


def test_what_goes_on_after_loading_keeps_the_stories():
    later = NOW + 40 * HOUR
    assert not [run for run in ran(NOW, stories.FULL_POOL, stories.LEADING, until=later) if run.leaves_copy]
    assert [run for run in ran(NOW, *stories.MISSED_NIGHT, until=later) if run.leaves_copy]
    assert not ran(NOW, *stories.VANISHED, until=later)


def test_the_warehouse_saves_everything_on_saturdays():
    runs = ran(NOW, "pgbackrest-warehouse", "warehouse", hours=15 * 24)
    full = [run for run in runs if run.level == "full"]
    usual = sorted(run.bytes_stored for run in runs if run.level != "full")
    assert {run.due_at.astimezone(planning.zone()).weekday() for run in full} == {5}
    assert min(run.bytes_stored for run in full) > 10 * usual[len(usual) // 2]


def test_a_service_whose_runs_go_well_always_keeps_its_promise():
    """The gaps between copies, with the time until a poll finds them, stay below what is promised."""
    limits = {"epr": 54, "pharmacy": 108, "theatres": 216, "chemo": 432}
    quiet = day_at(NOW, 5, dt.time(12))
    for name, limit in limits.items():
        taken = [run.ended_at for run in ran(NOW, "pgbackrest-clinical", name, until=quiet, hours=48)]
        gaps = [(after - before).total_seconds() / 60 for before, after in itertools.pairwise(taken)]
        assert max(gaps) + 11 < limit, name


def test_a_listing_holds_what_was_never_read_and_thins_out_the_rest():
    runs = ran(NOW, "restic-imaging", stories.LEADING, hours=45 * 24)
    unread = keeping.kept(runs, at=NOW, read_until=NOW - 40 * 24 * HOUR)
    read = keeping.kept(runs, at=NOW, read_until=NOW - HOUR)
    assert len(unread) > 400 > 60 > len(read)
    assert read[-1] == unread[-1] == [run for run in runs if run.leaves_copy][-1]
    later = keeping.kept(runs, at=NOW + 24 * HOUR, read_until=NOW)
    assert {run.id for run in later} <= {run.id for run in read}


@pytest.mark.parametrize("anchor", HOURS)
def test_each_missed_night_and_the_full_pool_are_looked_at_soon_after_they_happened(anchor):
    looks = list(loading._instants(anchor))
    assert looks == sorted(set(looks)) and looks[-1] == anchor
    nights = [day_at(anchor, days_ago, dt.time(1)) for days_ago in range(9)]
    late = [min(look for look in looks if look >= night) - night for night in nights if night <= anchor]
    assert max(late) <= HOUR
    full_from = stories.pool_full_from(world(anchor).jobs, anchor)
    assert all(later - earlier <= 2 * HOUR for earlier, later in itertools.pairwise(looks) if later > full_from)


ANCHORS = [*HOURS[::6], *(dt.datetime(2026, month, 30, 5, 10, tzinfo=dt.UTC) for month in (3, 6, 10)), NOW.replace(hour=0, minute=5)]


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda at: f"{at:%b-%d-%H}")
def test_what_people_did_about_the_pool_fits_what_happened_whenever_the_estate_is_loaded(anchor):
    """Two runs had failed when somebody looked first, the grave time was over when people said so, and nothing else failed between."""
    runs = [run for run in ran(anchor, stories.FULL_POOL, stories.LEADING, hours=30 * 24) if run.due_at >= day_at(anchor, 28, dt.time())]
    failed = {
        days_ago: [
            run
            for run in runs
            if not run.leaves_copy and stories.local_day(run.due_at) == stories.local_day(anchor) - dt.timedelta(days=days_ago)
        ]
        for days_ago in (26, 23, 19, 9)
    }
    assert [len(found) for found in failed.values()] == [2, 2, 4, 2]
    opened, declared, over = (day_at(anchor, 19, dt.time.fromisoformat(time)) for time in ("09:42", "13:45", "16:45"))
    assert opened in learning.looks(anchor) and sum(run.ended_at < opened for run in failed[19]) == 2
    before = max(run.started_at for run in runs if run.leaves_copy and run.started_at < opened)
    assert dt.timedelta(hours=8) < declared - before < dt.timedelta(hours=9), "more than twice what is promised"
    for name in (stories.LEADING, "ris01:/srv/reports", "echo01:/srv/echo"):
        since = max(run.ended_at for run in failed[19])
        assert any(
            run.leaves_copy and since < run.started_at and run.ended_at < over
            for run in ran(anchor, stories.FULL_POOL, name, hours=20 * 24)
        )
