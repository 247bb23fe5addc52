"""What the demo's people made of a cause that came again and again: loaded with the part of the estate that it is about."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from incidents import knowing, leading, solving, updating
from incidents.announcing import REPLAYED
from incidents.models import (
    EntryProposal,
    Incident,
    KnownError,
    MajorDelivery,
    MajorIncident,
    MajorUpdate,
    PostIncidentReview,
    Problem,
    ReviewAction,
)
from itsm_backup import journey
from itsm_backup.common.models import Notice
from itsm_backup.demo import learning, loading, removing, stating, strays, world
from itsm_backup.demo.models import Replay
from itsm_backup.demo.world import day_at
from itsm_backup.estate.beginning import begin
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.major_lead import lead_of, state_then
from itsm_backup.portal.major_page import majors_page

NOW = dt.datetime(2026, 11, 25, 14, 10, tzinfo=dt.UTC)  # a Wednesday; another anchor than that of the whole estate, whose world is kept
TOOLS = ("restic-imaging", "pgbackrest-clinical", "borg-campus")
JOBS = ("pacs01:/srv/images", "ris01:/srv/reports", "echo01:/srv/echo", "lims", "bloodbank", "lib01:catalogue", "pex01:volunteers")
HOUR = dt.timedelta(hours=1)
pytestmark = [pytest.mark.django_db, pytest.mark.req("2.4", "5.3", "5.4", "5.5", "5.6")]


@pytest.fixture(scope="module")
def told(django_db_setup, django_db_blocker, tmp_path_factory):
    """Loaded once for the module, inside a transaction that is undone at its end; every test has a savepoint of its own."""

    whole = world.estate()
    part = {
        "tools": [tool for tool in whole["tools"] if tool["name"] in TOOLS],
        "jobs": [job for job in whole["jobs"] if job["id"] in JOBS],
        "mappings": [mapping for mapping in whole["mappings"] if mapping["tool"] in TOOLS],
        "scope": [],
    }

    def looks(anchor):
        nights = [day_at(anchor, days_ago, dt.time(23, 55)) for days_ago in (20, 6, 3)]
        return sorted([*nights, *learning.looks(anchor), anchor - 5 * HOUR, anchor])

    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(world, "DAYS", 41)  # with the restore test of the archive before it
        patch.setattr(loading, "_instants", looks)
        for module in (world, stating):
            patch.setattr(module, "estate", lambda: {**whole, **part})
        patch.setattr(loading.amending, "amendments", list)
        patch.setattr(strays, "strays", lambda: {"jobs": [], "unreadable": []})
        begin(at=NOW, data_dir=tmp_path_factory.mktemp("demo"), empty=False)
        journey.advance(at=NOW)
        loading.load_demo(at=NOW)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def pool(told) -> list[Incident]:
    """Every time that the imaging pool was full, in order."""
    return list(Incident.objects.filter(signature="disk-full").order_by("opened_at"))


def of(username):
    return get_user_model().objects.get(username=username)


def at_time(days_ago, time):
    return day_at(NOW, days_ago, dt.time.fromisoformat(time))


def test_the_product_proposed_the_problem_and_people_worked_on_it(pool):
    assert len(pool) == 5 and all(one.service.code == "SVC-003" for one in pool)
    problem = Problem.objects.get(signature="disk-full")
    assert problem.title == "No space left on services of type Archive, again and again"
    first, *later = problem.entries.order_by("at", "pk").values_list("text", "by__username")
    assert first[0].startswith("Proposed with 3 incidents: 3 incidents of services of type Archive in 30 days") and first[1] is None
    assert {by for _, by in later} == {None, "operator"} and problem.assignee == of("operator")
    assert set(Incident.objects.filter(problem_incidents__problem=problem)) == set(pool)
    assert all((problem.root_cause, problem.workaround, problem.permanent_fix))
    assert problem.state == "fix_in_progress", "it came back today, after the fix was thought to be in place"
    assert f"It came back: {pool[-1].number} opened after the fix was in place" in [text for text, _ in later]


def test_one_problem_waits_for_whoever_comes(told):
    waiting = Problem.objects.get(state="proposed")
    assert waiting.title == "The database cannot be reached on services of type Database, again and again"
    hit = waiting.problem_incidents.values_list("incident__service__code", flat=True)
    assert set(hit) == {"SVC-004", "SVC-009"}
    solving.move(problem=waiting, to="new", reason="", by=of("operator"), at=NOW)


def test_the_known_error_was_suggested_the_next_time_and_helped(pool):
    known = KnownError.objects.get()
    assert (known.state, known.problem.signature) == ("published", "disk-full")
    assert list(known.feedback.values_list("incident", "helped", "by__username")) == [(pool[3].pk, True, "operator")]
    (suggestion,) = knowing.suggestions_for(pool[4])
    assert (suggestion.known_error, suggestion.rate, suggestion.said) == (known, 1.0, None)
    assert pool[3].acknowledged_at < known.feedback.get().at


def test_the_known_error_is_told_in_the_past_as_it_was_then(pool):
    assert not knowing.suggestions_then(pool[2], at=at_time(18, "10:30"))
    assert knowing.suggestions_then(pool[2], at=at_time(18, "10:51"))
    assert knowing.as_of(KnownError.objects.all(), at=at_time(18, "10:47"))[0].state == "draft"


def test_a_major_incident_was_led_told_of_and_closed(pool):
    major = MajorIncident.objects.get(state="closed")
    assert major.incident == pool[2] and pool[2].state == "closed" and major.because[0]["rule"] == "exposure_of_tier_1"
    assert (major.manager.username, major.communications_lead.username) == ("incident-manager", "operator")
    sent = list(MajorUpdate.objects.order_by("number").values_list("kind", "state", "approver__username", "author_ids"))
    assert sent == [(kind, "sent", "incident-manager", [of("operator").pk]) for kind in ("update", "closure")]
    assert leading.is_told_over(major) and major.resolved_at >= pool[2].resolved_at
    assert {row.message.audience for row in MajorDelivery.objects.select_related("message")} >= {"responders", "owners", "business"}
    assert all(notice.given_up_at and not notice.sent_at for notice in Notice.objects.filter(key__startswith=f"major/{major.pk}/"))


def test_who_did_it_may_do_it(told):
    assert of("operator").has_perm(updating.WRITE) and of("incident-manager").has_perm(updating.APPROVE)
    assert of("incident-manager").has_perm(leading.DECLARE) and of("incident-manager").has_perm("incidents.publish_postincidentreview")
    for right in ("change_incident", "change_problem", "add_knownerror", "change_knownerror", "add_postincidentreview"):
        assert of("operator").has_perm(f"incidents.{right}"), right


@pytest.mark.parametrize(
    ("time", "state"),
    [("13:46", "Candidate"), ("13:52", "Declared"), ("14:30", "Mitigating"), ("16:51", "Resolved"), ("17:06", "In review")],
)
def test_the_state_of_a_major_incident_in_the_past_is_that_of_then(pool, time, state):
    moment = Moment(at=at_time(19, time), now=NOW)
    major = MajorIncident.objects.get(state="closed")
    assert state_then(major, moment) == state
    assert lead_of(incident=pool[2], user=of("operator"), moment=moment).state == state
    page = majors_page(user=of("operator"), moment=moment, view="", page=1)
    assert [(row.number, row.state) for row in page.rows] == [(major.number, state)]
    assert majors_page(user=of("operator"), moment=moment, view="over", page=1).rows == ()


def test_a_major_incident_that_is_over_was_over_then(told):
    moment = Moment(at=at_time(16, "12:00"), now=NOW)
    page = majors_page(user=of("operator"), moment=moment, view="over", page=1)
    assert [row.state for row in page.rows] == ["Closed"]
    assert majors_page(user=of("operator"), moment=moment, view="", page=1).sentence == "No major incident is open."


def test_an_update_was_due_while_it_was_mitigated(pool):
    lead = lead_of(incident=pool[2], user=of("operator"), moment=Moment(at=at_time(19, "14:30"), now=NOW))
    assert lead.due.words.endswith("in 2 h 30 min")


def test_what_was_told_says_that_nothing_left_because_it_was_replayed(pool):
    lead = lead_of(incident=pool[2], user=of("operator"), moment=Moment(at=NOW, now=NOW))
    assert lead.told[3] == "0 of 9 sent", "the banner says how many, the messages below it why"
    assert {(row.verdict, row.became) for row in lead.messages} == {("no_data", REPLAYED.rstrip("."))}


def test_its_review_found_one_answer_wrong_and_asks_the_entry(pool):
    review = PostIncidentReview.objects.get(state="published")
    assert review.incident == pool[2] and review.publisher == of("incident-manager") and review.author_ids == [of("operator").pk]
    said = dict(review.answers.values_list("question", "answer"))
    assert [question for question, answer in said.items() if answer == "no"] == ["rpo"]
    assert all(answer == proposed for answer, proposed in review.answers.values_list("answer", "proposed")), (
        "nobody knows better than the data"
    )
    asked = EntryProposal.objects.get()
    assert (asked.service.code, asked.question, asked.state) == ("SVC-003", "rpo", "open")
    assert ReviewAction.objects.get().due_on > NOW.date()
    waiting = {one.incident: one.required for one in PostIncidentReview.objects.filter(state="proposed")}
    assert waiting.pop(pool[3]) is True, "the next one waits for somebody to begin"
    assert set(waiting) == set(pool[:2]) and not any(waiting.values()), "two of before may be reviewed, too"


def test_an_interrupted_load_does_nothing_twice(told):
    since = at_time(19, "13:45")
    counted = [model.objects.count() for model in (MajorUpdate, ReviewAction, KnownError, EntryProposal)]
    assert learning.learn(anchor_at=Replay.objects.get().anchor_at, since=since, at=NOW) == 0
    assert [model.objects.count() for model in (MajorUpdate, ReviewAction, KnownError, EntryProposal)] == counted


def test_it_goes_without_trace(told):
    removing.remove_demo(at=NOW)
    for model in (Problem, KnownError, MajorIncident, PostIncidentReview, EntryProposal, Incident, Notice):
        assert not model.objects.exists(), model
    assert not KnownError.history.exists()
    transaction.get_connection().check_constraints()
