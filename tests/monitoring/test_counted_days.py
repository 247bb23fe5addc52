"""Due backups on days that do not count by the measurement calendar: seen and told as ever, and counted by no rate."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import publishing
from catalogue.counted_days import calendar_of
from itsm_backup import journey
from monitoring import attaining, cells, relisting, repeating
from monitoring.matching import CountedDays, Run, match, uncounted
from monitoring.methods import measure
from monitoring.methods.success import windows
from monitoring.models import Alert, Evaluation, ExpectedRun, ServiceDay
from monitoring.schedules import Occurrence
from monitoring.wording import arithmetic, commitment_sentence
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, make_user, push, run_record
from tests.monitoring.test_recomputing import ZONES, arrive, cells_of, change_of_clocks, history

pytestmark = [pytest.mark.req("3.1")]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
UTC = dt.UTC


def watched(start, text="Mon-Fri", *, zone="UTC", times="02:00", rate=0.9, code="SVC-1", **schedule):
    """A service by this calendar, with a job that is due at these times."""
    promise = {"on_time_rate": 0.9, "measurement_calendar": text}
    service = make_service(code, at=start, rpo_s=30 * 86_400, zone=zone, success_rate=rate, promise=promise)
    tool = make_tool(at=start)
    make_schedule(make_job(tool, "job", at=start, service=service), local_times=times, grace_s=3600, zone=zone, **schedule)
    return tool, service


def run(at, outcome="success", **more):
    return run_record("job", outcome, at, **{"minutes": 10, **more})


def nights(noon, *bad):
    """A run each night from 6 to 14 July at 2; those of the days in `bad` failed."""
    days = [noon.replace(hour=2) - n * DAY for n in range(9)]
    return [run(at, "failed" if at.day in bad else "success") for at in days]


def standing(service, at):
    evaluation = Evaluation.objects.filter(service=service).latest("pk")
    found = attaining.standing_of(version=service.version_at(at), evaluation=evaluation, at=at, known_at=at)
    return {one.objective.key: one for one in found.attainments}, evaluation


@pytest.mark.django_db
def test_a_failed_saturday_is_seen_and_told_and_counts_nowhere(noon):
    start = noon - 9 * DAY
    tool, service = watched(start)
    push(tool, *nights(noon, 11), at=noon)
    journey.advance(at=noon)
    rows = {row.due_at.day: row for row in ExpectedRun.objects.filter(job__service=service)}
    assert {day for day, row in rows.items() if not row.counts} == {11, 12}
    assert (rows[11].state, rows[11].attempts, rows[11].excuse) == ("missed", 1, "Saturday does not count by version 1")
    assert (rows[12].state, rows[12].excuse) == ("satisfied", "Sunday does not count by version 1")
    assert rows[10].excuse == ""

    assert Alert.objects.filter(job__service=service, alert_class="job_failed").exists(), "who is woken is another matter"
    saturday, sunday = (ServiceDay.objects.get(service=service, day=dt.date(2026, 7, day)) for day in (11, 12))
    assert (saturday.worst, saturday.failed, saturday.good, saturday.uncounted) == ("F", 0, 0, 1)
    assert (sunday.worst, sunday.good, sunday.uncounted) == ("", 0, 1)

    found, evaluation = standing(service, noon)
    assert {one: found[one].objective.window for one in ("success_rate", "on_time_rate", "rpo_s")} == {
        "success_rate": "calendar month, Mon–Fri", "on_time_rate": "calendar month, Mon–Fri", "rpo_s": "at any time",
    }  # fmt: skip
    assert (found["success_rate"].part, found["success_rate"].whole) == (7, 7)
    assert (found["on_time_rate"].part, found["on_time_rate"].whole) == (6, 6)
    assert found["success_rate"].detail == "Due backups that are settled, 2 left out on days that do not count"
    told = evaluation.inputs["occurrences"]
    assert (told["good"], told["bad"], told["uncounted"]) == (7, 0, 2)
    assert "2 left out on days that do not count" in arithmetic(evaluation.inputs, evaluation.result)
    assert repeating.repeat(evaluation).agrees
    assert "due backups count on Mon–Fri" in commitment_sentence(service.version_at(noon).commitment)


@pytest.mark.django_db
def test_what_is_still_to_come_is_only_what_will_count(noon):
    """From 15 to 31 July there are 13 working days and 4 of the week-end."""
    start = noon - 9 * DAY
    for code, text, pending in (("SVC-1", "Mon-Fri", 13), ("SVC-2", "", 17), ("SVC-3", "Mon-Fri except 2026-07-20", 12)):
        tool, service = watched(start, text, code=code)
        push(tool, *nights(noon), at=noon)
        journey.advance(at=noon)
        assert standing(service, noon)[1].inputs["occurrences"]["pending"] == pending


@pytest.mark.django_db
def test_an_occurrence_belongs_to_the_version_in_force_when_it_opened(noon):
    start = noon - 9 * DAY
    tool, service = watched(start, "")
    push(tool, *nights(noon, 11, 12), at=noon)
    journey.advance(at=noon)
    author = make_user()
    draft = publishing.draft_version(
        service=service, content={}, commitment={"measurement_calendar": "Mon-Wed"}, by=author, at=noon, reason="Only these"
    )
    publishing.submit(version=draft, by=author, at=noon)
    publishing.approve(version=draft, by=make_admin(), at=noon, reason="Agreed")
    journey.advance(at=noon + HOUR)
    assert not ExpectedRun.objects.filter(job__service=service, opens_at__lt=noon, counts=False).exists(), "days that are over stay"
    push(tool, *(run(noon.replace(hour=2) + n * DAY) for n in (1, 2, 3)), at=noon + 3 * DAY)
    journey.advance(at=noon + 3 * DAY)
    journey.advance(at=noon + 4 * DAY)
    rows = ExpectedRun.objects.filter(job__service=service, due_at__day__in=(15, 16, 17)).order_by("due_at")
    assert [(row.counts, row.excuse) for row in rows] == [
        (True, ""), (False, "Thursday does not count by version 2"), (False, "Friday does not count by version 2"),
    ]  # fmt: skip
    told = standing(service, noon + 4 * DAY)[1].inputs["occurrences"]
    assert (told["bad"], told["good"], told["uncounted"]) == (2, 8, 3)


@pytest.mark.django_db
def test_what_lies_ahead_follows_a_new_calendar_at_once(noon):
    start = noon - 9 * DAY
    tool, service = watched(start, "")
    push(tool, *nights(noon), at=noon)
    journey.advance(at=noon)
    assert ExpectedRun.objects.get(job__service=service, due_at__day=15).counts
    author = make_user()
    draft = publishing.draft_version(
        service=service, content={}, commitment={"measurement_calendar": "every day except 2026-07-15"}, by=author, at=noon, reason="x"
    )
    publishing.submit(version=draft, by=author, at=noon)
    publishing.approve(version=draft, by=make_admin(), at=noon, reason="Agreed")
    journey.advance(at=noon + HOUR)
    row = ExpectedRun.objects.get(job__service=service, due_at__day=15)
    assert (row.counts, row.excuse) == (False, "15 Jul 2026 does not count by version 2")


@pytest.mark.django_db
def test_the_day_is_that_of_the_opening_in_the_zone_of_the_entry(noon):
    """Due on Monday 02:00 UTC, which is Sunday evening in New York."""
    tool, service = watched(noon - 9 * DAY, "Mon-Fri", zone="America/New_York", times="22:00")
    push(tool, *nights(noon), at=noon)
    journey.advance(at=noon)
    told = {row.due_at.day: row.excuse for row in ExpectedRun.objects.filter(job__service=service) if not row.counts}
    sunday = "Sunday does not count by version 1"
    assert told == {6: sunday, 12: "Saturday does not count by version 1", 13: sunday}


@pytest.mark.django_db
def test_runs_of_a_job_without_schedule_count_on_the_same_days(noon):
    start = noon - 9 * DAY
    service = make_service("SVC-1", at=start, promise={"measurement_calendar": "Mon-Fri"})
    tool = make_tool(at=start)
    make_job(tool, "job", at=start, service=service)
    push(tool, *nights(noon, 11), at=noon)
    journey.advance(at=noon)
    days = {row.day.day: (row.good, row.failed, row.uncounted, row.worst) for row in ServiceDay.objects.filter(service=service)}
    assert (days[10], days[11], days[12]) == ((1, 0, 0, ""), (0, 0, 1, "F"), (0, 0, 1, ""))


@pytest.mark.django_db
def test_what_fails_beside_the_schedule_and_what_nobody_knows_spoil_no_day_that_does_not_count(noon):
    start = noon - 9 * DAY
    tool, service = watched(start)
    beside = [run(noon.replace(day=day, hour=15), "failed") for day in (10, 11)]  # after the good one of the day: nothing was due any more
    push(tool, *nights(noon), *beside, at=noon)
    journey.advance(at=noon)
    friday, saturday = (ServiceDay.objects.get(service=service, day=dt.date(2026, 7, day)) for day in (10, 11))
    assert (friday.worst, friday.besides, friday.uncounted) == ("F", 1, 0)
    assert (saturday.worst, saturday.besides, saturday.uncounted) == ("F", 0, 2), "the good one that was due, and the failed one"
    ExpectedRun.objects.filter(job__service=service, local_on__day=12).update(state="unconfirmed")
    cells.recount(days={service.pk: cells.all_days(service.pk)}, zones={service.pk: "UTC"})
    sunday = ServiceDay.objects.get(service=service, day=dt.date(2026, 7, 12))
    assert (sunday.worst, sunday.unknown, sunday.uncounted) == ("?", 0, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ZONES[:3])
def test_rates_by_a_calendar_are_those_of_the_ledger_filtered_by_hand(zone):
    """After any order of arrival, across a change of clocks; a recount of the raw runs and of the cells changes nothing."""
    turn = change_of_clocks(zone, "first")
    start, at = turn.replace(hour=12) - 6 * DAY, turn.replace(hour=12) + 2 * DAY
    rng = random.Random(zone)
    text = f"Tue, Thu-Sat except {(turn - 2 * DAY).date()}"
    tool, service = watched(start, text, zone=zone, times="00:30,02:30,12:00,18:00")
    arrive(tool, history(rng, start, 8), rng, at)

    calendar, local = calendar_of(text), ZoneInfo(zone)
    by_hand = [row for row in ExpectedRun.objects.filter(job__service=service) if calendar.counts(row.opens_at.astimezone(local).date())]
    assert by_hand and len(by_hand) < ExpectedRun.objects.filter(job__service=service).count()
    counted = windows((row.state, row.settled_at is not None) for row in by_hand)
    evaluation = Evaluation.objects.filter(service=service).latest("pk")
    (claim,) = [one for one in evaluation.result["claims"] if one["claim"] == "success"]
    in_month = [row for row in by_hand if evaluation.inputs["period"][0] <= row.opens_at.isoformat() < evaluation.inputs["period"][1]]
    month = windows((row.state, row.settled_at is not None) for row in in_month)
    assert (claim["good"], claim["settled"]) == (month.good, month.settled)
    kinds = [kind for row in by_hand for kind in cells.kinds_of(row.state, row.worst_outcome, row.attempts)]
    days = ServiceDay.objects.filter(service=service)
    assert sum(one.good for one in days) == kinds.count("good") == counted.good
    assert sum(one.failed + one.missed for one in days) == kinds.count("failed") + kinds.count("missed")
    assert sum(one.late for one in days) == kinds.count("late")

    before = cells_of(service)
    cells.recount(days={service.pk: cells.all_days(service.pk)}, zones={service.pk: zone})
    assert cells_of(service) == before
    lines = relisting.again(periods={service.pk: (start, at)}, at=at)[service.pk]
    assert all(line.agrees for line in lines) and "uncounted" in {line.by_runs for line in lines}
    ExpectedRun.objects.filter(job__service=service, counts=False).update(counts=True)
    assert not all(line.agrees for line in relisting.again(periods={service.pk: (start, at)}, at=at)[service.pk])


MONDAY = dt.datetime(2026, 7, 6, 22, tzinfo=UTC)
texts = st.sampled_from(["", "Mon-Fri", "Sat", "Mon, Wed, Fri", "Mon-Fri except 2026-07-08", "every day except 2026-07-06, 2026-07-12"])
results = st.lists(st.sampled_from(["success", "warning", "partial", "failed", "none"]), min_size=1, max_size=21)


EDGES = {"opens_at": "opens_at", "closes_at": "deadline_at", "cutoff_at": "cutoff_at"}


def occurrence(night: int) -> Occurrence:
    opens = MONDAY + night * DAY
    return Occurrence(due_at=opens, opens_at=opens, deadline_at=opens + 4 * HOUR, cutoff_at=opens + DAY, local_on=opens.date())


@given(texts, results, st.sampled_from(["UTC", "Asia/Tokyo", "America/Lima"]), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_calendar_changes_what_counts_and_nothing_else(text, outcomes, zone, rng):
    """The ledger by a calendar is the ledger without one, of which the days that do not count are taken out by hand; so are the methods."""
    occurrences = [occurrence(night) for night in range(len(outcomes))]
    runs = [
        Run(id=n, started_at=MONDAY + n * DAY + HOUR, ended_at=MONDAY + n * DAY + 2 * HOUR, outcome=outcome)
        for n, outcome in enumerate(outcomes)
        if outcome != "none"
    ]
    rng.shuffle(runs)
    at = MONDAY + 40 * DAY
    asked = {"at": at, "pushed": True, "complete_reading_at": None, "monitored_from": MONDAY}
    days = CountedDays(version=1, starts_at=MONDAY, ends_at=None, zone=zone, calendar=calendar_of(text))
    plain, told = match(occurrences, runs, **asked), match(occurrences, runs, **asked, days=[days])
    assert [(line.state, line.settled_at, line.run_ids) for line in plain] == [(line.state, line.settled_at, line.run_ids) for line in told]
    counting = [line for line in plain if not uncounted(line.occurrence.opens_at, [days])]
    assert [line.occurrence for line in told if not line.uncounted] == [line.occurrence for line in counting]

    inputs = {
        "period": [MONDAY.isoformat(), at.isoformat()], "evaluated_at": at.isoformat(),
        "occurrences": [
            {"id": str(n), **{name: getattr(one, of).isoformat() for name, of in EDGES.items()}}
            for n, one in enumerate(occurrences)
        ],
        "runs": [
            {"occurrence": str(one.id), "started_at": one.started_at.isoformat(), "ended_at": one.ended_at.isoformat(),
             "status": one.outcome} for one in runs
        ],
    }  # fmt: skip
    kept = {one.occurrence.opens_at.isoformat() for one in counting}
    by_hand = {**inputs, "occurrences": [one for one in inputs["occurrences"] if one["opens_at"] in kept]}
    for method in ("BM-SR-WIN", "BM-FAS", "BM-CIW"):
        found, wanted = measure(method, {**inputs, "calendar": text, "zone": zone}), measure(method, by_hand)
        left = len(occurrences) - len(kept)
        assert {name: value for name, value in found.items() if name != "excluded"} == {k: v for k, v in wanted.items() if k != "excluded"}
        assert found.get("excluded", left) == left
