"""What comes again is proposed as a problem, joined, muted, worked on, and closed only when it stayed away."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from catalogue.models import Service
from incidents import reasoning, recurring, solving, working
from incidents.models import Incident, IncidentAlert, Problem
from itsm_backup.portal import problem_page
from itsm_backup.portal.asof import Moment
from monitoring.models import Alert
from tests.factories import make_admin, make_service, make_tool, make_user
from tests.incidents.makers import HOUR, fail, make_cause, make_estate
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.3")]
DAY = dt.timedelta(days=1)
SIGNATURE = "disk-full"


def make_incidents(*ages_d: float, at: dt.datetime, signature: str = SIGNATURE, **fields) -> list[Incident]:
    """Resolved incidents of one signature, opened so many days before `at`."""
    weight = {"priority": "P4", "impact": "low", "urgency": "low", "state": "resolved", "title": "It fails"}
    return [
        Incident.objects.create(
            cause_key=f"test:{Incident.objects.count()}", signature=signature, opened_at=at - age * DAY, resolved_at=at - age * DAY + HOUR,
            updated_at=at, **{**weight, **fields},
        )
        for age in ages_d
    ]  # fmt: skip


def rules(problem: Problem) -> set[str]:
    return {reason["rule"] for reason in problem.because}


def test_many_in_a_month_are_proposed_with_their_incidents_and_counts(noon):
    made = make_incidents(60, 20, 15, 10, 5, 1, at=noon)
    recurring.study_incidents(at=noon)
    problem = Problem.objects.get()
    assert (problem.state, problem.signature, problem.problem_incidents.count()) == ("proposed", SIGNATURE, len(made))
    assert problem.because[0]["count"] == 5 and problem.because[0]["p_value"] == pytest.approx(0.000033, abs=1e-5)
    assert "5 incidents in 30 days, 0.3 expected" in problem.entries.get().text
    assert recurring.study_incidents(at=noon) == 0


def test_few_are_none(noon):
    make_incidents(20, 1, at=noon)
    make_incidents(1, 2, at=noon, signature="other")
    recurring.study_incidents(at=noon)
    assert not Problem.objects.exists()


def test_two_services_within_a_week_are_enough(noon):
    for code in ("SVC-a", "SVC-b"):
        make_incidents(3, at=noon, service=make_service(code, at=noon - 9 * DAY))
    recurring.study_incidents(at=noon)
    assert rules(Problem.objects.get()) == {"several_services"}


def on(*types: str, at: dt.datetime, ages: tuple[float, ...] = (3,)) -> None:
    """Incidents of one signature on a service of its own for each type."""
    for kind in types:
        make_incidents(*ages, at=at, service=make_service(at=at - 99 * DAY, application_type=kind))


def test_the_same_failure_on_services_of_one_type_is_proposed_as_that(noon):
    on("Database", "database", "Database", at=noon)
    recurring.study_incidents(at=noon)
    problem = Problem.objects.get()
    assert problem.title.casefold() == "no space left on services of type database, again and again"
    assert (problem.service_type.casefold(), problem.problem_incidents.count()) == ("database", 3)
    words = "; ".join(reason["words"] for reason in problem.because)
    assert "3 services of type Database within 7 days" in words and "3 incidents of services of type Database in 30 days" in words
    on("Archive", at=noon)
    recurring.study_incidents(at=noon)
    assert Problem.objects.get() == problem and problem.problem_incidents.count() == 3  # one archive is no problem, nor of the databases


def test_a_proposal_counts_what_joins_until_somebody_decides(noon):
    on("Database", "Database", at=noon)
    recurring.study_incidents(at=noon)
    on("Database", at=noon + HOUR, ages=(0,))
    recurring.study_incidents(at=noon + HOUR)
    problem = Problem.objects.get()
    assert "3 services of type Database within 7 days" in [reason["words"] for reason in problem.because]
    then, now = ([row.why for row in _listed(at, noon + HOUR)] for at in (noon, noon + HOUR))
    assert then[0].startswith("2 services of type Database") and "3 services of type Database within 7 days" in now[0]
    found = problem_page.find(number=problem.number, user=make_admin(), moment=Moment(at=noon, now=noon + HOUR))
    assert [reason["words"] for reason in found.because] == then
    go(problem, "new", at=noon + HOUR)
    on("Database", at=noon + 2 * HOUR, ages=(0,))
    recurring.study_incidents(at=noon + 2 * HOUR)
    assert Problem.objects.get().because == problem.because and problem.problem_incidents.count() == 4


def _listed(at, present):
    return problem_page.problems_page(user=make_admin(), moment=Moment(at=at, now=present), view="", page=1).rows


def test_services_without_an_application_type_are_told_by_the_kind_of_their_entry(noon):
    for _ in range(2):
        make_incidents(3, at=noon, service=make_service(at=noon - 9 * DAY, kind="backup_service"))
    recurring.study_incidents(at=noon)
    assert Problem.objects.get().because[0]["words"] == "2 backup services within 7 days"


def test_what_fails_alike_over_types_is_one_problem_that_says_how_many_of_which(noon):
    on("Archive", "Database", "Web", "Web", at=noon)
    recurring.study_incidents(at=noon)
    problem = Problem.objects.get()
    assert (problem.service_type, problem.problem_incidents.count()) == ("", 4)
    assert "4 services within 7 days (2 of type Web, 1 of type Archive, 1 of type Database)" in problem.entries.get().text


def test_each_type_has_a_problem_of_its_own_and_only_one_is_muted(noon):
    on("Database", at=noon, ages=(20, 15, 10))
    recurring.study_incidents(at=noon)
    databases = Problem.objects.get()
    solving.move(problem=databases, to="rejected", reason="test systems", by=make_user(), at=noon)
    on("Database", "Web", at=noon, ages=(0,))
    recurring.study_incidents(at=noon)
    assert Problem.objects.get() == databases  # neither again, nor under another name
    on("Web", at=noon, ages=(1,))
    recurring.study_incidents(at=noon)
    assert list(Problem.objects.live().values_list("service_type", flat=True)) == ["Web"]


def test_a_fix_is_not_blamed_for_failures_of_another_type(noon):
    on("Database", at=noon, ages=(20, 15, 10))
    recurring.study_incidents(at=noon)
    problem = go(Problem.objects.get(), *ALL, at=noon, **TEXTS)
    assert problem.service_type == "Database"
    on("Archive", at=noon + 9 * DAY, ages=(0,))
    recurring.study_incidents(at=noon + 9 * DAY)
    assert go(problem, "closed", at=noon + 31 * DAY).outcome == "fixed"


def test_reopened_twice_is_enough(noon):
    make_incidents(3, at=noon, reopened=2)
    recurring.study_incidents(at=noon)
    assert rules(Problem.objects.get()) == {"reopened"}


def test_more_from_month_to_month_is_enough(noon):
    ages = [30 * month + 2 + place for month, count in enumerate((12, 10, 8, 6, 4, 2)) for place in range(count)]
    (found,) = reasoning.worsening(make_incidents(*ages, at=noon), noon)
    assert found["counts"] == [2, 4, 6, 8, 10, 12]
    assert reasoning.worsening(make_incidents(1, 40, 70, at=noon, signature="x"), noon) == []


def test_the_next_one_joins(noon):
    make_incidents(20, 15, 10, at=noon)
    recurring.study_incidents(at=noon)
    problem = Problem.objects.get()
    (more,) = make_incidents(0, at=noon)
    recurring.study_incidents(at=noon)
    assert Problem.objects.get() == problem and problem.problem_incidents.filter(incident=more).exists()


def test_what_is_rejected_is_quiet_for_30_days(noon):
    make_incidents(20, 15, 10, at=noon)
    recurring.study_incidents(at=noon)
    with pytest.raises(working.NotPossible, match="Say why"):
        solving.move(problem=Problem.objects.get(), to="rejected", reason="", by=make_user(), at=noon)
    solving.move(problem=Problem.objects.get(), to="rejected", reason="a test system", by=make_user(), at=noon)
    make_incidents(0, at=noon + 29 * DAY)
    recurring.study_incidents(at=noon + 29 * DAY)
    assert Problem.objects.count() == 1
    make_incidents(4, 3, 2, 1, 0, at=noon + 31 * DAY)
    recurring.study_incidents(at=noon + 31 * DAY)
    assert Problem.objects.live().count() == 1


@pytest.fixture
def problem(noon):
    make_incidents(20, 15, 10, at=noon)
    recurring.study_incidents(at=noon)
    return Problem.objects.get()


def go(problem, *states, at, **texts):
    person = make_user()
    for state in states:
        if texts and state == "fix_in_progress":
            solving.write(problem=problem, by=person, at=at, **texts)
        problem = solving.move(problem=problem, to=state, reason="because", by=person, at=at)
    return problem


ALL = ("new", "assess", "root_cause_analysis", "fix_in_progress", "resolved")
TEXTS = {"root_cause": "the pool is too small", "permanent_fix": "CHG-17", "workaround": "prune by hand"}


def test_it_goes_through_its_states_and_closes_when_it_stayed_away(problem, noon):
    problem = go(problem, *ALL, at=noon, **TEXTS)
    assert (problem.fixed_at, problem.workaround) == (noon, "prune by hand")
    with pytest.raises(working.NotPossible, match="30 days after the fix"):
        go(problem, "closed", at=noon + 29 * DAY)
    closed = go(problem, "closed", at=noon + 30 * DAY)
    assert (closed.state, closed.outcome) == ("closed", "fixed")
    assert [entry.text for entry in closed.entries.order_by("pk")][-1] == "Closed: because"


@pytest.mark.parametrize(("again", "told"), [(True, "came back after the fix"), (False, "is open, and of the same kind")])
def test_what_goes_on_in_an_open_incident_is_not_fixed(problem, noon, again, told):
    (going_on,) = make_incidents(1, at=noon, state="in_progress")
    seen_at = noon + 9 * DAY if again else noon - DAY
    alert = Alert.objects.create(
        dedup_key="x", alert_class="job_failed", state="firing", severity="error", priority="P4", title="It failed", cause_key="x",
        opened_at=noon - DAY, noticed_at=noon - DAY, last_seen_at=seen_at, tool=make_tool(at=noon - 9 * DAY),
    )  # fmt: skip
    IncidentAlert.objects.create(incident=going_on, alert=alert, attached_at=noon)
    problem = go(problem, *ALL, at=noon, **TEXTS)
    with pytest.raises(working.NotPossible, match=told):
        go(problem, "closed", at=noon + 31 * DAY)


def test_what_comes_back_after_the_fix_reopens_it(problem, noon):
    problem = go(problem, *ALL, at=noon, **TEXTS)
    (back,) = make_incidents(0, at=noon + 3 * DAY)
    with pytest.raises(working.NotPossible, match="came back"):
        go(problem, "closed", at=noon + 31 * DAY)
    recurring.study_incidents(at=noon + 3 * DAY)
    problem.refresh_from_db()
    assert (problem.state, problem.fixed_at) == ("fix_in_progress", None)
    assert problem.entries.filter(text__startswith=f"It came back: {back.number}").exists()


def test_what_a_state_stands_on_is_asked_for(problem, noon):
    with pytest.raises(working.NotPossible, match="Accept it before"):
        solving.write(problem=problem, root_cause="x", by=make_user(), at=noon)
    problem = go(problem, "new", "assess", "root_cause_analysis", at=noon)
    with pytest.raises(working.NotPossible, match="root cause first"):
        go(problem, "fix_in_progress", at=noon)
    solving.write(problem=problem, root_cause="known", by=make_user(), at=noon)
    problem = go(problem, "fix_in_progress", at=noon)
    with pytest.raises(working.NotPossible, match="Name the change"):
        go(problem, "resolved", at=noon)
    for fix in ("javascript:alert(1)", "done", "ftp://host/1", "https://"):
        with pytest.raises(working.NotPossible, match="by its number, such as CHG-0042, or by its address"):
            solving.write(problem=problem, permanent_fix=fix, by=make_user(), at=noon)
    for fix in ("CHG-0042", "change 17", "https://itsm.example.org/changes/42"):
        solving.write(problem=problem, permanent_fix=fix, by=make_user(), at=noon)
    with pytest.raises(working.NotPossible, match="Nothing is new"):
        solving.write(problem=problem, root_cause=" known ", by=make_user(), at=noon)
    with pytest.raises(working.NotPossible, match="with an owner, and granted by somebody else"):
        go(problem, "closed", at=noon)
    with pytest.raises(working.NotPossible, match="steps that are offered"):
        go(problem, "new", at=noon)


def test_the_database_keeps_one_live_problem_for_each_kind(problem, noon):
    with pytest.raises(IntegrityError), transaction.atomic():
        Problem.objects.create(signature=SIGNATURE, title="again", proposed_at=noon, updated_at=noon)
    for_databases = {"signature": SIGNATURE, "title": "again", "proposed_at": noon, "updated_at": noon}
    Problem.objects.create(service_type="Database", **for_databases)
    with pytest.raises(IntegrityError), transaction.atomic():
        Problem.objects.create(service_type="database", **for_databases)
    with pytest.raises(IntegrityError), transaction.atomic():
        Problem.objects.filter(pk=problem.pk).update(state="resolved")


def test_the_fix_is_said_to_be_in_place_with_what_is_open_against_it(noon):
    made = make_incidents(20, 10, 5, 1, at=noon)
    recurring.study_incidents(at=noon)
    Incident.objects.filter(pk=made[-1].pk).update(state="new", resolved_at=None)
    problem = go(Problem.objects.get(), "new", "assess", "root_cause_analysis", at=noon)
    solving.write(problem=problem, root_cause="too small", permanent_fix="CHG-0042", by=make_user(), at=noon)
    problem = go(problem, "fix_in_progress", at=noon)
    page = problem_page.problem_page(problem=problem, user=make_admin(), moment=Moment(at=noon, now=noon))
    assert f"{made[-1].number} is open and of the same kind" in page.steps[0].says
    assert f"{made[-1].number} is open" in problem_page.standing_words(go(problem, "resolved", at=noon), make_admin())


def test_a_real_failure_gets_the_signature_of_its_message(noon):
    fail(make_estate(noon - 48 * HOUR, "a"), "a", noon - 2 * HOUR, noon - HOUR, message="write /srv/x/77: no space left on device")
    incident = Incident.objects.get()
    assert (incident.signature, incident.studied_at) == (SIGNATURE, noon - HOUR)


@pytest.mark.parametrize("kind", ["problem", "known_error"])
def test_two_people_in_one_form_do_not_wipe_each_other_out(client, noon, kind):
    from incidents.models import KnownError
    from itsm_backup.common.models import because

    problem = Problem.objects.create(signature="x", title="It comes again", state="new", proposed_at=noon, updated_at=noon)
    with because("test"):
        known = KnownError.objects.create(signature="x", title="Full", symptom="It stops", workaround="Make room")
    row, address = {
        "problem": (problem, f"/incidents/problems/{problem.number}/write"),
        "known_error": (known, f"/incidents/known-errors/{known.number}/write"),
    }[kind]
    client.force_login(make_user("root", is_superuser=True), backend="django.contrib.auth.backends.ModelBackend")
    opened = {"reason": "x", "root_cause": "", "was-root_cause": "", "workaround": row.workaround, "was-workaround": row.workaround}
    client.post(address, {**opened, "root_cause": "Too small"})
    client.post(address, {**opened, "workaround": "Add a disk"})
    row.refresh_from_db()
    assert (row.root_cause, row.workaround) == ("Too small", "Add a disk")
    refused = client.post(address, {**opened, "root_cause": "Too slow"}, follow=True).content.decode()
    row.refresh_from_db()
    assert row.root_cause == "Too small" and "Yours: Too slow" in refused


def test_a_problem_tells_every_service_that_its_incidents_hit(noon):
    """One storage fails three services at once: an incident names the one hit hardest, the problem all of them."""
    make_cause()
    start = noon - 9 * DAY
    tool = make_estate(start, "a", "b", "c")
    for name in ("a", "b", "c"):
        fail(tool, name, noon - 3 * HOUR, noon - 2 * HOUR, message="no space left", now=name == "c")
    incident = Incident.objects.get()
    other = make_incidents(3, at=noon, signature=incident.signature, service=make_service("SVC-d", at=start))[0]
    recurring.study_incidents(at=noon)
    problem = Problem.objects.get()
    assert problem.because[0]["count"] == 2 and "; their incidents hit 4 services in all" in problem.because[0]["words"]
    moment = Moment(at=noon, now=noon)

    def shown(user):
        found = problem_page.find(number=problem.number, user=user, moment=moment)
        page = problem_page.problem_page(problem=found, user=user, moment=moment)
        rows = {row.number: ([link.words for link in row.services], row.more) for row in page.incidents}
        return str(dict(page.facts)["Hit"]), rows

    words, rows = shown(make_admin())
    assert words == "Business service: 2 incidents of 4 services: SVC-a, SVC-b, SVC-c, SVC-d"
    assert rows == {incident.number: (["SVC-a", "SVC-b", "SVC-c"], ""), other.number: (["SVC-d"], "")}
    services = [Service.objects.get(code=code) for code in ("SVC-a", "SVC-b")]
    words, rows = shown(make_person("operator", noon, services=services))
    assert words == "Business service: 1 incident of 3 services: SVC-a, SVC-b and 1 that you may not see"
    assert rows == {incident.number: (["SVC-a", "SVC-b"], "and 1 that you may not see")}
