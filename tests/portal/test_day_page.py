"""One day of a service: what was due, what answered it, the promise over the day, and what was learned later."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from catalogue.models import Window
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.portal import day_ledger, day_page, service_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.days import cell_of, cells_html
from monitoring.models import CauseRule, ExpectedRun, ServiceDay
from tests.factories import make_admin, make_job, make_schedule, make_service, make_tool, push, run_record
from tests.portal.makers import HOUR, add_services, make_person

pytestmark = pytest.mark.django_db
TODAY, DAY = dt.date(2026, 7, 14), dt.timedelta(days=1)


def shown(estate, user, on=TODAY, at=None, now=None, code="SVC-003"):
    moment = Moment(at=at or estate.at, now=now or at or estate.at)
    return day_page.day_page(version=service_page.find(code=code, user=user, moment=moment), user=user, moment=moment, on=on)


def told(page):
    """(hour, result) of each due backup."""
    return [(line.due.split(">")[1].split("<")[0], line.result) for line in page.due]


def facts(page):
    return dict(page.facts)


def test_every_due_backup_of_the_day_has_its_result_and_its_runs(estate, root):
    page = shown(estate, root)
    good = [(f"0{hour}:00", "Good") for hour in (1, 3, 5, 7)]
    assert told(page) == [*good, ("09:00", "Failed"), ("11:00", "Failed"), *((f"{hour}:00", "Still to come") for hour in range(13, 24, 2))]
    assert page.sentence == "Of 12 due backups on Tue 14 Jul 2026, 2 failed, 6 still to come, 4 good."
    assert page.due[0].runs[0].words == "Good, 10 min, 158 GB"
    assert page.due[0].runs[0].run.href.startswith("/runs/")
    assert page.due[4].runs[0].words == "Failed, 2 min"
    assert [len(line.runs) for line in page.due] == [1] * 6 + [0] * 6


def test_times_of_an_hour_that_the_clocks_show_twice_are_told_apart():
    moment = Moment(at=dt.datetime(2026, 11, 3, tzinfo=dt.UTC), now=dt.datetime(2026, 11, 3, tzinfo=dt.UTC))
    day = day_ledger.LocalDay(1, dt.date(2026, 11, 1), ZoneInfo("America/New_York"), moment)
    at = dt.datetime(2026, 11, 1, 5, 30, tzinfo=dt.UTC)
    told = [day.clock_words(at + HOUR * hours) for hours in (-1, 0, 1, 2)]
    assert told == ["00:30", "01:30 EDT", "01:30 EST", "02:30"]
    assert day.zone_words == "EDT, and in EST once the clocks changed"
    spring = day_ledger.LocalDay(1, dt.date(2026, 3, 8), day.zone, moment)
    assert [spring.clock_words(dt.datetime(2026, 3, 8, hour, 30, tzinfo=dt.UTC)) for hour in (6, 7)] == ["01:30", "03:30"]
    assert day_ledger.LocalDay(1, dt.date(2026, 7, 1), day.zone, moment).zone_words == "EDT"


def test_the_summary_tells_the_worst_and_its_cause_in_words(estate, root):
    assert facts(shown(estate, root))["Worst"] == "11:00, Fatal: unable to save snapshot: no space left on device"
    with because("test"):
        CauseRule.objects.create(name="full", title="the target is full", pattern="no space left")
    page = shown(estate, root)
    assert facts(page)["Worst"] == "11:00, the target is full"
    assert page.due[4].cause == "the target is full" and page.due[0].cause == ""
    assert facts(page)["Runs"] == "4 good, 2 failed, 6 still to come"
    assert (page.verdict, page.verdict_words) == ("broken", "Failed")


def test_the_promise_is_broken_from_when_to_when(estate, root):
    page = shown(estate, root)
    assert page.promise.words == "RPO 4 h, broken for 1 h so far"
    assert page.promise.spans == ("broken from 11:00 to now (1 h), the newest copy up to 1 h too old",)
    push(estate.tool, run_record("pacs-2h", "success", estate.at + HOUR), at=estate.at + 1.2 * HOUR)
    journey.advance(at=estate.at + 1.2 * HOUR)
    page = shown(estate, root, at=estate.at + 2 * HOUR)
    assert page.promise.spans == ("broken from 11:00 to 13:10 (2 h 10 min), the newest copy up to 2 h 10 min too old",)
    yesterday = shown(estate, root, on=TODAY - DAY)
    assert yesterday.promise.words == "RPO 4 h, kept that day"


def test_a_day_is_judged_as_it_stood_when_it_ended(estate, root):
    page = shown(estate, root)
    assert page.judged == "Broken" and page.why.startswith("/explain/evaluation/")
    later = shown(estate, root, on=TODAY - DAY)
    assert (later.judged, later.why) == ("", ""), "nothing was judged yet when that day ended"


def test_problems_of_the_day_stand_on_it_and_on_no_other(estate, root):
    page = shown(estate, root)
    assert [row.kind for row in page.problems] == ["Incident"]
    assert page.problems[0].note.startswith(Incident.objects.get().number)
    assert shown(estate, root, on=TODAY - DAY).problems == ()
    assert "Degraded" in page.history[0].what


def test_what_had_not_happened_is_not_told(estate, root):
    page = shown(estate, root, at=estate.at - 1.5 * HOUR, now=estate.at)
    assert told(page)[4:7] == [("09:00", "Failed"), ("11:00", "Still to come"), ("13:00", "Still to come")]
    assert page.due[5].runs == ()
    assert page.promise.words == "RPO 4 h, kept so far"
    assert "as_of=" in page.earlier and page.later == ""


def test_a_run_that_was_learned_of_later_is_marked_and_has_no_page_before(estate, root):
    tomorrow = estate.at + DAY
    push(estate.tool, run_record("pacs-2h", "success", estate.at - 3.8 * HOUR), at=tomorrow)
    journey.advance(at=tomorrow)
    for at, has_page in ((tomorrow, True), (estate.at, False)):
        page = shown(estate, root, at=at, now=tomorrow)
        late = [run for line in page.due for run in line.runs if run.notes]
        assert [(run.words, run.notes) for run in late] == [("Good, 10 min", ("Learned later, Wed 15 Jul 12:00",))]
        assert bool(late[0].run.href) == has_page


def test_news_that_comes_with_the_next_reading_is_no_late_news(root):
    noon = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)
    tool = make_tool(at=noon - 9 * DAY)
    service = make_service("SVC-001", at=noon - 9 * DAY)
    make_schedule(make_job(tool, service=service, at=noon - 9 * DAY), local_times="23:30", grace_s=3600)
    for back in (3, 2):
        start = dt.datetime(2026, 7, 14 - back, 23, 30, tzinfo=dt.UTC)
        push(tool, run_record("nightly", "success", start, minutes=50), at=start + HOUR)
    journey.advance(at=noon)
    moment = Moment(at=noon, now=noon)
    page = day_page.day_page(
        version=service_page.find(code="SVC-001", user=root, moment=moment), user=root, moment=moment, on=dt.date(2026, 7, 12)
    )
    assert [run.notes for line in page.due for run in line.runs] == [()]
    assert page.learned == ""


def test_history_that_came_at_once_is_told_once(estate, root):
    start = estate.at - 1.9 * DAY
    tool = make_tool(at=start, name="imported")
    service = make_service("SVC-050", at=start)
    make_job(tool, service=service, at=start)
    push(tool, *(run_record("nightly", "success", start + n * HOUR) for n in range(3)), at=estate.at)
    journey.advance(at=estate.at)
    page = shown(estate, root, on=start.date(), code="SVC-050")
    assert "Tue 14 Jul 2026, 12:00 UTC" in page.learned
    assert [run.notes for run in page.others] == [(), (), ()]


def test_a_correction_is_marked_and_the_past_shows_what_was_known(estate, root):
    corrected = run_record("pacs-2h", "success", estate.at - HOUR, minutes=2, source_revision="2")
    push(estate.tool, corrected, at=estate.at + DAY)
    journey.advance(at=estate.at + DAY)
    page = shown(estate, root, at=estate.at + DAY)
    assert page.due[5].result == "Good"
    assert page.due[5].runs[0].notes == ("Corrected later, Wed 15 Jul 12:00",)
    then = shown(estate, root, at=estate.at, now=estate.at + DAY)
    assert then.due[5].runs[0].words == "Failed, 2 min"
    assert then.due[5].runs[0].notes == ("Corrected later, Wed 15 Jul 12:00",)


def test_missed_late_and_held_say_why(root, noon):
    start = noon - 4 * DAY
    tool = make_tool(at=start)
    service = make_service("SVC-001", at=start)
    make_schedule(make_job(tool, service=service, at=start), local_times="01:00,05:00,09:00", grace_s=1800)
    admin = make_admin()
    with because("test"):
        Window.objects.create(
            service=service,
            starts_at=noon - 4 * HOUR,
            ends_at=noon - 2 * HOUR,
            purpose="Storage move",
            decided_at=start,
            decided_by=admin,
        )
    late = run_record("nightly", "success", noon - 7 * HOUR, minutes=75)
    push(tool, run_record("nightly", "success", noon - DAY - 11 * HOUR), late, at=noon - 5 * HOUR)
    journey.advance(at=noon)
    moment = Moment(at=noon, now=noon)
    page = day_page.day_page(version=service_page.find(code="SVC-001", user=root, moment=moment), user=root, moment=moment, on=TODAY)
    assert told(page) == [("01:00", "Missed, never ran"), ("05:00", "Good, but late"), ("09:00", "Held")]
    assert [line.notes for line in page.due] == [
        ("Nothing started by 01:30",),
        ("Past its deadline of 05:30 by 45 min",),
        ("Held by “Storage move”",),
    ]
    assert facts(page)["Worst"] == "01:00, missed, never ran"
    assert [(line.purpose, line.when) for line in page.windows] == [("Storage move", "08:00 to 10:00")]
    assert page.sentence == "Of 3 due backups on Tue 14 Jul 2026, 1 never ran, 1 came late, 1 held."


def test_runs_of_a_job_without_schedule_stand_by_themselves(estate, root):
    tool = make_tool(at=estate.at - 2 * DAY, name="loose")
    make_job(tool, "by-hand", at=estate.at - 2 * DAY, service=estate.research)
    push(tool, run_record("by-hand", "failed", estate.at - 3 * HOUR, native_message="Disk gone"), at=estate.at - 2 * HOUR)
    journey.advance(at=estate.at)
    page = shown(estate, root, code="SVC-033")
    assert page.due == () and [run.words for run in page.others] == ["Failed, backup of by-hand, 10 min"]
    assert page.sentence == "1 run on Tue 14 Jul 2026, nothing was due."
    assert facts(page)["Worst"] == "09:00, Disk gone"


def test_nothing_due_nothing_promised_nothing_known(estate, root):
    page = shown(estate, root, code="SVC-033")
    assert page.sentence == "Nothing was due on Tue 14 Jul 2026."
    assert page.promise.words == "RPO 48 h, no copy is known" and page.promise.verdict == "no_data"
    make_service("SVC-060", at=estate.at - DAY, rpo_s=None)
    assert shown(estate, root, code="SVC-060").promise.words == "No recovery point (RPO) is promised"


def test_what_moved_stands_beside_what_is_usual_for_the_weekday(root, noon):
    start = noon - 60 * DAY
    tool = make_tool(at=start)
    service = make_service("SVC-001", at=start)
    make_job(tool, service=service, at=start)
    tuesday = noon - HOUR
    weeks = [run_record("nightly", "success", tuesday - 7 * n * DAY, bytes_stored=2_400_000_000_000) for n in range(1, 5)]
    push(tool, *weeks, run_record("nightly", "success", tuesday, bytes_stored=1_900_000_000_000), at=noon)
    journey.advance(at=noon)

    def moved(at):
        moment = Moment(at=at, now=at)
        version = service_page.find(code="SVC-001", user=root, moment=moment)
        return facts(day_page.day_page(version=version, user=root, moment=moment, on=TODAY))["Data moved"]

    assert moved(noon) == "1.9 TB so far"
    assert moved(noon + DAY) == "1.9 TB of 2.4 TB usual"


def test_the_day_is_that_of_the_service_also_when_the_clocks_change(root):
    at = dt.datetime(2026, 10, 26, 12, 0, tzinfo=dt.UTC)
    start = at - 9 * DAY
    tool = make_tool(at=start)
    service = make_service("SVC-001", at=start, zone="Europe/London", rpo_s=3600)
    make_schedule(make_job(tool, service=service, at=start), local_times="00:30,23:30", zone="Europe/London", grace_s=3600)
    first, second = dt.datetime(2026, 10, 24, 23, 30, tzinfo=dt.UTC), dt.datetime(2026, 10, 25, 23, 30, tzinfo=dt.UTC)
    push(tool, run_record("nightly", "success", first), run_record("nightly", "success", second), at=at)
    journey.advance(at=at)
    moment = Moment(at=at, now=at)
    version = service_page.find(code="SVC-001", user=root, moment=moment)
    page = day_page.day_page(version=version, user=root, moment=moment, on=dt.date(2026, 10, 25))
    assert told(page) == [("00:30", "Good"), ("23:30", "Good")], "a day of 25 hours"
    assert page.promise.spans[-1] == "broken from 01:30 BST to 23:40 (23 h 10 min), the newest copy up to 23 h 10 min too old"
    assert page.zone_words == "BST, and in GMT once the clocks changed"


def test_the_newest_of_very_many_is_cut_with_what_was_not_good_first(estate, root, monkeypatch):
    monkeypatch.setattr(day_ledger, "MOST_DUE", 3)
    page = shown(estate, root, at=estate.at + 20 * HOUR)
    assert page.cut.startswith("More was due than is shown")
    assert "Failed" in [result for _, result in told(page)] and "Good" not in [result for _, result in told(page)]


def test_a_day_to_come_is_told_and_not_shown(client, root, estate_now):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    tomorrow = estate_now.at.date() + DAY
    response = client.get(f"/services/SVC-003/days/{tomorrow}/")
    assert response.status_code == 404 and "That day has not come" in response.content.decode()


def test_the_card_is_the_summary_of_the_page(client, root, estate_now):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    path = f"/services/SVC-003/days/{estate_now.at.date()}/"
    text = client.get(path, headers={"X-Fragment": "card"}).content.decode()
    assert "<h1" not in text and "<html" not in text
    assert "Imaging archive" in text and "Explain this cell" in text and "RPO 4 h, broken" in text


def test_a_cell_names_a_passed_restore_test_and_wears_its_corner(estate):
    cell = cell_of(TODAY, ServiceDay(day=TODAY, good=2, restores=1))
    assert cell.spoken == "Tue 14 Jul: good, 2 good, 1 restore test passed"
    assert 'class="day day--good day--restored"' in cells_html([cell], code="SVC-003", moment=estate.moment)
    assert cell_of(TODAY, ServiceDay(day=TODAY, restores=1)).kind == "not_scheduled", "a test is nothing that was due"


def test_a_tools_alert_is_told_only_to_who_may_see_the_tool(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.imaging])
    assert [row.kind for row in shown(estate, somebody).problems] == ["Incident"]


def test_it_asks_as_often_for_ten_times_as_much(estate, root, django_assert_max_num_queries):
    with django_assert_max_num_queries(16) as few:
        shown(estate, root)
    for number in range(9):
        job = make_job(estate.tool, f"more-{number}", at=estate.at - 2 * DAY, service=estate.imaging)
        make_schedule(job, local_times=",".join(f"{hour:02}:00" for hour in range(12)), grace_s=600)
        push(estate.tool, *(run_record(job.external_id, "failed", estate.at - n * HOUR) for n in range(1, 12)), at=estate.at)
    add_services(5, estate.at, estate.tool)
    journey.advance(at=estate.at)
    assert ExpectedRun.objects.filter(local_on=TODAY, job__service=estate.imaging).count() > 100
    with django_assert_max_num_queries(16) as many:
        assert len(shown(estate, root).due) > 100
    assert len(many) == len(few) + 1, "with several items their names are read too"
