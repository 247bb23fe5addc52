"""Known errors: drafted, published, suggested with their hit rate, judged once per incident, retired and brought back."""

from __future__ import annotations

import datetime as dt
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, transaction

from incidents import knowing, recurring, solving, working
from incidents.models import Feedback, KnownError, Problem
from itsm_backup.common.models import Notice, because
from itsm_backup.common.time import now
from itsm_backup.portal import known_error_page
from itsm_backup.portal.asof import Moment
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR
from tests.incidents.test_recurring import make_incidents

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.4")]
DAY = dt.timedelta(days=1)


@pytest.fixture
def incidents(noon):
    made = make_incidents(20, 15, 10, at=noon)
    recurring.study_incidents(at=noon)
    return made


@pytest.fixture
def published(incidents, noon):
    said = {"by": make_user(), "at": noon, "reason": "test"}
    made = knowing.draft(source=incidents[0], by=said["by"], at=noon)
    knowing.write(known_error=made, workaround="Prune by hand", **said)
    return knowing.move(known_error=made, to="published", **said)


def test_a_draft_of_a_problem_takes_what_is_known_of_it(incidents, noon):
    person = make_user()
    problem = solving.move(problem=Problem.objects.get(), to="new", reason="", by=person, at=noon)
    solving.write(problem=problem, root_cause="too small", workaround="prune", by=person, at=noon)
    problem.refresh_from_db()
    made = knowing.draft(source=problem, by=person, at=noon)
    assert (made.state, made.problem, made.root_cause, made.workaround) == ("draft", problem, "too small", "prune")
    assert made.symptom == "No space left. 3 incidents of this signature, the newest: It fails."
    with pytest.raises(working.NotPossible, match="already"):
        knowing.draft(source=problem, by=person, at=noon)


def test_one_draft_of_a_kind_is_worked_on_at_a_time(incidents, noon):
    said = {"by": make_user(), "at": noon}
    made = knowing.draft(source=incidents[0], **said)
    with pytest.raises(working.NotPossible, match=f"{made.number} is a draft of this kind of failure already"):
        knowing.draft(source=incidents[1], **said)
    knowing.move(known_error=made, to="retired", reason="none", **said)
    assert knowing.draft(source=incidents[1], **said).state == "draft"


def test_only_what_is_published_is_suggested_and_only_where_it_fits(published, incidents, noon):
    (other,) = make_incidents(1, at=noon, signature="other")
    assert [one.known_error for one in knowing.suggestions_for(incidents[1])] == [published]
    assert knowing.suggestions_for(other) == []
    knowing.move(known_error=published, to="retired", reason="fixed for good", by=make_user(), at=noon)
    assert knowing.suggestions_for(incidents[1]) == []
    back = knowing.move(known_error=published, to="published", reason="it is back", by=make_user(), at=noon)
    assert [row.history_change_reason for row in back.history.order_by("-history_id")][:2] == ["it is back", "fixed for good"]


def test_the_hit_rate_is_what_people_said_once_per_incident(published, incidents, noon):
    person = make_user()
    for incident, helped in zip(incidents, (True, True, False), strict=True):
        knowing.say(known_error=published, incident=incident, helped=helped, by=person, at=noon)
    (found,) = knowing.suggestions_for(incidents[0])
    assert (found.helped, found.failed, found.rate, found.said) == (2, 1, pytest.approx(2 / 3), True)
    assert incidents[0].entries.filter(text__startswith=f"{published.number} helped").exists()
    with pytest.raises(working.NotPossible, match="said already"):
        knowing.say(known_error=published, incident=incidents[0], helped=False, by=person, at=noon)
    with pytest.raises(IntegrityError), transaction.atomic():
        Feedback.objects.create(known_error=published, incident=incidents[0], helped=False, at=noon, by=person)


def test_what_helps_oftener_stands_first(published, incidents, noon):
    said = {"by": make_user(), "at": noon, "reason": "test"}
    better = knowing.draft(source=incidents[1], by=said["by"], at=noon)
    knowing.write(known_error=better, workaround="Add a disk", **said)
    knowing.move(known_error=better, to="published", **said)
    knowing.say(known_error=published, incident=incidents[0], helped=False, by=said["by"], at=noon)
    assert [one.known_error for one in knowing.suggestions_for(incidents[2])] == [better, published]


def test_what_is_published_says_what_helps(incidents, noon):
    said = {"by": make_user(), "at": noon}
    made = knowing.draft(source=incidents[0], **said)
    with pytest.raises(working.NotPossible, match="workaround first"):
        knowing.move(known_error=made, to="published", reason="x", **said)
    with pytest.raises(working.NotPossible, match="Say why"):
        knowing.write(known_error=made, reason=" ", workaround="x", **said)
    with pytest.raises(working.NotPossible, match="4,001 characters"):
        knowing.write(known_error=made, reason="x", workaround="x" * 4_001, **said)
    with pytest.raises(IntegrityError), transaction.atomic(), because("test"):
        made.state = "published"
        made.save()
    assert KnownError.objects.get().state == "draft"


def test_what_was_said_by_mistake_is_corrected_and_counted_as_corrected(published, incidents, noon):
    said = {"known_error": published, "incident": incidents[0], "by": make_user()}
    with pytest.raises(working.NotPossible, match="Nobody said yet"):
        knowing.say(helped=True, corrects=True, at=noon, **said)
    knowing.say(helped=False, at=noon, **said)
    with pytest.raises(working.NotPossible, match="said already"):
        knowing.say(helped=False, corrects=True, at=noon, **said)
    knowing.say(helped=True, corrects=True, at=noon + HOUR, **said)
    (found,) = knowing.suggestions_for(incidents[0])
    assert (found.helped, found.failed, found.said) == (1, 0, True)
    assert incidents[0].entries.latest("pk").text.startswith(f"Corrected: {published.number} helped")
    then = knowing.as_of(KnownError.objects.all(), at=noon + HOUR / 2)
    assert knowing.said_by(noon + HOUR / 2).get().helped is False and len(then) <= 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_say_it_at_once_the_second_is_told_so(published, incidents, noon):
    start, told, people = Barrier(2), [], [make_user(), make_user()]

    def say(by, helped):
        start.wait(10)
        try:
            told.append(knowing.say(known_error=published, incident=incidents[0], helped=helped, by=by, at=noon).pk)
        except working.NotPossible as error:
            told.append(str(error))
        finally:
            connection.close()

    threads = [Thread(target=say, args=asked) for asked in zip(people, (True, False), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(isinstance(one, int) for one in told) == [False, True]
    assert next(one for one in told if isinstance(one, str)).startswith("It is said already")
    assert Feedback.objects.count() == 1


def test_what_is_published_is_looked_at_again_and_its_publisher_is_reminded_once_a_week(published, noon):
    published.refresh_from_db()
    assert published.review_on == (noon + knowing.REVIEWED_AFTER).date()
    said = {"by": make_user("olive", is_superuser=True), "at": noon, "reason": "test"}
    with pytest.raises(working.NotPossible, match="later than today"):
        knowing.write(known_error=published, review_on=noon.date(), **said)
    knowing.move(known_error=published, to="retired", **said)
    knowing.move(known_error=published, to="published", **said)
    changed = {**said, "by": make_user("otto", is_superuser=True)}
    row = knowing.write(known_error=published, review_on=(noon + 7 * DAY).date(), **changed)  # who changes it did not publish it
    assert knowing.remind(at=noon + 6 * DAY) == 0
    assert [knowing.remind(at=noon + days * DAY) for days in (7, 8, 14)] == [1, 0, 1]
    told = Notice.objects.order_by("pk").first()
    assert (told.recipient, told.subject) == ("olive@example.org", f"[{row.number}] Look at it again: {row.title}")
    knowing.move(known_error=row, to="retired", **said)
    assert knowing.remind(at=noon + 21 * DAY) == 0


def test_its_history_says_what_was_changed(published, noon):
    knowing.write(known_error=published, workaround="Add a disk", reason="better", by=make_user(), at=noon)
    found = known_error_page.find(number=published.number, user=make_admin())
    page = known_error_page.known_error_page(known_error=found, user=make_admin(), moment=Moment(at=now(), now=now()))
    assert page.story[0].text == "Published: better\nWorkaround: “Add a disk”, was “Prune by hand”"
