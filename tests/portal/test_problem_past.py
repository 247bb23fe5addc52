"""Problems on pages of the past: what was proposed then, in the state and with the words of then."""

from __future__ import annotations

import datetime as dt

import pytest

from incidents import knowing, solving
from incidents.models import Incident, Problem, ProblemIncident
from itsm_backup.common.time import now
from itsm_backup.portal import problem_page
from itsm_backup.portal.asof import Moment
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR, fail, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.3")]
DAY = dt.timedelta(days=1)


@pytest.fixture
def present():
    return now().replace(microsecond=0)


@pytest.fixture
def problem(present):
    """Proposed ten days ago, taken nine days ago, fixed eight days ago."""
    fail(make_estate(present - 13 * DAY, "a"), "a", present - 12 * DAY, present - 12 * DAY + HOUR)
    made = Problem.objects.create(signature="job_failed: y", title="It fails", proposed_at=present - 10 * DAY, updated_at=present)
    ProblemIncident.objects.create(problem=made, incident=Incident.objects.get(), attached_at=present - 10 * DAY)
    person = make_user(first_name="Ada", last_name="Berg")
    for to in ("new", "assess", "root_cause_analysis"):
        solving.move(problem=made, to=to, reason="", by=person, at=present - 9 * DAY)
    texts = {"root_cause": "too small", "permanent_fix": "CHG-7"}
    solving.write(problem=made, by=person, at=present - 9 * DAY, **texts)
    for to in ("fix_in_progress", "resolved"):
        made = solving.move(problem=made, to=to, reason="", by=person, at=present - 8 * DAY)
    return made


def facts_then(problem, moment):
    user = make_admin()
    found = problem_page.find(number=problem.number, user=user, moment=moment)
    page = problem_page.problem_page(problem=found, user=user, moment=moment)
    return dict(page.facts), {text.name: text.value for text in page.texts}, page


def test_a_refused_form_keeps_every_text_that_was_typed(client, problem, present):
    open_one = solving.move(problem=problem, to="fix_in_progress", reason="again", by=make_user(), at=present - DAY)
    client.force_login(make_admin(), backend="django.contrib.auth.backends.ModelBackend")
    typed = {"root_cause": "Too few disks", "workaround": "Prune", "permanent_fix": "we will do something"}
    page = client.post(f"/incidents/problems/{open_one.number}/write", typed).content.decode()
    assert "Name the change by its number" in page and all(text in page for text in typed.values())


def test_a_problem_is_shown_as_it_was(problem, present):
    facts, texts, page = facts_then(problem, Moment(at=present - 9.5 * DAY, now=present))
    assert (facts["State"], facts["With"], texts["root_cause"]) == ("Proposed", "Nobody yet", "")
    assert "Fix in place" not in facts and [one.state for one in page.incidents] == ["Open"]
    facts, texts, page = facts_then(problem, Moment(at=present - 8.5 * DAY, now=present))
    assert (facts["State"], facts["With"], texts["root_cause"], texts["permanent_fix"]) == (
        "Root cause is sought", "Ada Berg", "too small", "CHG-7",
    )  # fmt: skip
    assert facts_then(problem, Moment(at=present - DAY, now=present))[0]["State"] == "Resolved"
    problem.refresh_from_db()
    assert problem.state == "resolved"


def test_known_errors_that_were_written_later_are_not_there(problem, present):
    made = knowing.draft(source=problem, by=make_user(), at=now())
    user, later = make_admin(), now() + DAY

    def named(moment):
        return [
            one.words
            for one in problem_page.problem_page(
                problem=problem_page.find(number=problem.number, user=user, moment=moment), user=user, moment=moment
            ).known_errors
        ]

    assert named(Moment(at=present - DAY, now=present)) == []
    assert named(Moment(at=later, now=later)) == named(Moment(at=later, now=later + DAY)) == [f"{made.number} {made.title}"]


def test_the_list_holds_what_was_proposed_by_then(problem, present):
    def states(days: float, view: str = "") -> list[str]:
        moment = Moment(at=present - days * DAY, now=present)
        return [row.state for row in problem_page.problems_page(user=make_admin(), moment=moment, view=view, page=1).rows]

    assert (
        states(11) == [] and problem_page.find(number="PRB-1", user=make_admin(), moment=Moment(at=present - 11 * DAY, now=present)) is None
    )
    assert states(9.5) == states(9.5, "proposed") == ["Proposed"]
    assert states(8.5) == ["Root cause is sought"] and states(8.5, "proposed") == []
    Problem.objects.filter(pk=problem.pk).update(state="closed", closed_at=present, outcome="fixed")
    assert states(1) == ["Resolved"] and states(1, "over") == []


def test_an_incident_that_was_none_is_not_counted(problem, present):
    user, moment = make_admin(), Moment(at=present, now=present)
    (row,) = problem_page.problems_page(user=user, moment=moment, view="", page=1).rows
    assert row.incidents == 1
    Incident.objects.update(state="cancelled", updated_at=present)
    (row,) = problem_page.problems_page(user=user, moment=moment, view="", page=1).rows
    assert row.incidents == 0 and facts_then(problem, moment)[2].incidents == ()
