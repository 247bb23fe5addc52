"""A risk is accepted until a day, owned by somebody and granted by somebody else; when the day is over, it is decided again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from incidents import accepting, muting, recurring, solving, working
from incidents.models import Incident, Problem, ProblemIncident, RiskAcceptance
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from itsm_backup.portal import problem_page
from itsm_backup.portal.asof import Moment
from tests.factories import make_admin
from tests.incidents.makers import fail, make_estate
from tests.incidents.test_recurring import make_incidents
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.3")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)


@pytest.fixture
def present():
    return now().replace(microsecond=0)


@pytest.fixture
def people(db):
    return [make_admin() for _ in range(3)]  # who asks, who owns, who grants


@pytest.fixture
def problem(present, people) -> Problem:
    make_incidents(20, 15, 10, at=present)
    recurring.study_incidents(at=present)
    problem = Problem.objects.get()
    for to in ("new", "assess", "root_cause_analysis"):
        problem = solving.move(problem=problem, to=to, reason="", by=people[0], at=present)
    return problem


def ask(problem: Problem, people, at: dt.datetime, *, days: int = 30, **said) -> RiskAcceptance:
    asked = {"owner": people[1], "until": (at + days * DAY).date(), "reason": "The disks come in spring", "by": people[0], "at": at}
    return accepting.ask(problem=problem, **{**asked, **said})


def grant(row: RiskAcceptance, by, at: dt.datetime) -> RiskAcceptance:
    return accepting.answer(acceptance=row, granted=True, reason="", by=by, at=at)


def test_it_is_granted_by_neither_who_asked_nor_who_owns_it(problem, people, present):
    row = ask(problem, people, present)
    problem.refresh_from_db()
    assert problem.state == "root_cause_analysis"
    for own in people[:2]:
        with pytest.raises(working.NotPossible, match="Neither who asked"):
            grant(row, own, present)
        with pytest.raises(DatabaseError), transaction.atomic():
            RiskAcceptance.objects.filter(pk=row.pk).update(granted=True, answered_by=own, answered_at=present)
    grant(row, people[2], present)
    problem.refresh_from_db()
    assert (problem.state, problem.outcome) == ("closed", "risk_accepted")
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        RiskAcceptance.objects.filter(pk=row.pk).update(until=present.date() + 300 * DAY)
    with pytest.raises(working.NotPossible, match="answered meanwhile"):
        grant(row, people[2], present)


@pytest.mark.parametrize(
    ("said", "why"),
    [({"days": 0}, "later than today"), ({"days": 400}, "within a year"), ({"reason": " "}, "Say why"), ({"owner": None}, "who answers")],
)
def test_without_day_owner_and_reason_nothing_is_asked(problem, people, present, said, why):
    with pytest.raises(working.NotPossible, match=why):
        ask(problem, people, present, **said)
    assert not RiskAcceptance.objects.exists()


def test_a_refusal_says_why_and_the_problem_goes_on(problem, people, present):
    row = ask(problem, people, present)
    with pytest.raises(working.NotPossible, match="asked for already"):
        ask(problem, people, present)
    with pytest.raises(working.NotPossible, match="Say why"):
        accepting.answer(acceptance=row, granted=False, reason=" ", by=people[2], at=present)
    accepting.answer(acceptance=row, granted=False, reason="Too dear", by=people[2], at=present)
    problem.refresh_from_db()
    assert problem.state == "root_cause_analysis" and problem.entries.latest("pk").text == "The risk is not accepted: Too dear"
    assert ask(problem, people, present).granted is None


def test_while_it_holds_it_is_listed_and_nothing_is_proposed_anew(problem, people, present):
    grant(ask(problem, people, present), people[2], present)
    (made,) = make_incidents(0, at=present)
    recurring.study_incidents(at=present)
    assert Problem.objects.get().problem_incidents.filter(incident=made).exists()
    (mute,) = [one for one in muting.mutes(user=people[2], at=present) if one.kind == "risk"]
    assert (mute.owner, mute.reason, mute.until.date()) == (people[1], "The disks come in spring", (present + 31 * DAY).date())
    assert problem.number in mute.what


def test_when_its_day_is_over_it_is_decided_again_and_owner_and_asker_are_told(problem, people, present):
    for one, name in zip(people, ("asks", "owns", "grants"), strict=True):
        type(one).objects.filter(pk=one.pk).update(email=f"{name}@example.org")
    grant(ask(problem, people, present), people[2], present)
    assert accepting.look_again(at=present + 29 * DAY) == 0
    later = present + 32 * DAY
    assert (accepting.look_again(at=later), accepting.look_again(at=later)) == (1, 0)
    problem.refresh_from_db()
    assert (problem.state, problem.outcome, problem.closed_at) == ("assess", "", None)
    told = Notice.objects.filter(subject=f"[{problem.number}] Decide again: {problem.title}").values_list("recipient", flat=True)
    assert sorted(told) == ["asks@example.org", "owns@example.org"]
    assert not [one for one in muting.mutes(user=people[2], at=later) if one.kind == "risk"]
    assert [one.kind for one in muting.mutes(user=people[2], at=present + DAY)] == ["risk"]


def test_pages_of_the_past_show_what_held_then(problem, people, present):
    grant(ask(problem, people, present - 3 * DAY), people[2], present - 2 * DAY)
    seen = {}
    for days in (2.5, 1):
        moment = Moment(at=present - days * DAY, now=present)
        Problem.objects.filter(pk=problem.pk).update(proposed_at=present - 9 * DAY)
        found = problem_page.find(number=problem.number, user=people[2], moment=moment)
        page = problem_page.problem_page(problem=found, user=people[2], moment=moment)
        seen[days] = (bool(page.risk.waits), dict(page.facts).get("Owner of the risk"))
    assert seen[2.5] == (True, None) and seen[1][0] is False and seen[1][1]


def test_two_people_do_it_by_the_pages_and_by_the_api_it_is_the_same(present):
    fail(make_estate(present - 3 * DAY, "a"), "a", present - 2 * DAY, present - DAY)
    problem = Problem.objects.create(signature="x", title="It fails", state="fix_in_progress", proposed_at=present, updated_at=present)
    ProblemIncident.objects.create(problem=problem, incident=Incident.objects.get(), attached_at=present)
    people, address = [make_person("operator", present) for _ in range(3)], f"/incidents/problems/{problem.number}/"
    clients = [Client() for _ in people]
    for client, one in zip(clients, people, strict=True):
        client.force_login(one, backend=BACKEND)
    said = {"owner": str(people[1].pk), "until": "2026-02-31", "reason": "The disks come in spring"}
    assert "Choose the last day" in clients[0].post(f"{address}risk", said).content.decode()
    said["until"] = (present + 30 * DAY).date().isoformat()
    page = clients[0].post(f"{address}risk", said, follow=True).content.decode()
    assert "grants it." in page and "Grant it" not in page
    assert "Grant it" in clients[2].get(address).content.decode()
    assert "Neither who asked" in clients[1].post(f"{address}risk-answer", {"answer": "grant"}).content.decode()
    granted = clients[2].post(f"{address}risk-answer", {"answer": "grant"}, follow=True).content.decode()
    assert "Risk accepted until" in granted and "Closed, risk accepted" in granted
    told = clients[2].get(f"/api/v1/problems/{problem.number}/").json()["risks"]
    assert [(one["granted"], one["owner"], one["answered_by"]) for one in told] == [(True, people[1].username, people[2].username)]
    assert clients[2].post(f"{address}risk-answer", {"answer": "grant"}).status_code == 409
