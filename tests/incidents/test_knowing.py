"""Known errors: drafted, published, suggested with their hit rate, judged once per incident, retired and brought back."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from incidents import knowing, recurring, solving, working
from incidents.models import Feedback, KnownError, Problem
from itsm_backup.common.models import because
from tests.factories import make_user
from tests.incidents.test_recurring import make_incidents

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.4")]


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
