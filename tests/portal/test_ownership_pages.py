"""Ownership, attestation and deviations in the portal: who may do what, and no more questions for a bigger estate."""

import datetime as dt
import re

import pytest

from catalogue import attesting, deviating, handing_over, publishing
from catalogue.models import AttestationRound, HandOver, Service, Team, TeamMember
from incidents.models import EscalationPolicy, EscalationStep
from itsm_backup.common.models import because
from itsm_backup.common.time import iso, now
from itsm_backup.portal import ownership_pages
from monitoring import correlation, detecting
from monitoring.models import BackupJob
from tests.factories import make_job, make_rule, make_schedule, make_service, make_tool, make_user
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)
PAGES = ("/ownership/", "/deviations/", "/services/SVC-001/ownership/", "/services/SVC-001/commitment/",
         "/services/detected/", "/services/SVC-001/versions/")  # fmt: skip


def entry(code, noon, people):
    service = make_service(code, at=noon - 9 * DAY, department="Imaging")
    tool = make_tool(at=noon - 9 * DAY)
    job = make_job(tool, f"job-{code}", at=noon - 9 * DAY, service=service)
    schedule = make_schedule(job, local_times="01:30")
    make_rule(make_service(f"X-{code}", at=noon - 9 * DAY), tool, f"job-{code}", at=noon - 9 * DAY)
    correlation.attribute_jobs(at=noon)
    BackupJob.objects.filter(pk=job.pk).update(service=service, first_seen_at=noon - 9 * DAY)
    detecting.detect_changes(at=noon - 2 * DAY)
    with because("Moved", by=people["steward"]):
        schedule.local_times = "02:30"
        schedule.save()
    detecting.detect_changes(at=noon - DAY)
    deviation = deviating.ask(
        service=service, code="SCHEDULE_EXCEEDS_RPO", owner=people["stakeholder"], expires_on=(noon + 9 * DAY).date(), by=people["steward"],
        at=noon - DAY, reason="New array",
    )  # fmt: skip
    deviating.grant(deviation=deviation, by=people["approver"], at=noon - DAY, reason="Yes")
    handing_over.ask(service=service, duty="owner", receiver=people["executive"], by=people["steward"], at=noon - DAY, reason="Moved")
    attesting.open_round(services=[service], title=f"Check {code}", due_on=(noon + DAY).date(), by=people["steward"], at=noon - DAY)
    return service


@pytest.fixture
def people(noon):
    return {role: make_person(role, noon) for role in ("steward", "approver", "stakeholder", "executive", "auditor")}


def test_pages_ask_as_often_for_many_entries_as_for_few(client, noon, people, django_assert_max_num_queries):
    entry("SVC-001", noon, people)
    client.force_login(people["auditor"], backend=BACKEND)
    counts = {}
    for page in PAGES:
        with django_assert_max_num_queries(32) as few:
            text = client.get(page).content.decode()
        counts[page] = len(few.captured_queries)
        if page == "/ownership/":
            assert "1 change detected behind it: it needs a new version" in text and "Check SVC-001" in text
    for number in range(2, 12):
        entry(f"SVC-{number:03}", noon, people)
    for page in PAGES:
        with django_assert_max_num_queries(counts[page]):
            assert client.get(page).status_code == 200, page


def test_only_the_right_people_act(client, noon, people):
    service = entry("SVC-001", noon, people)
    client.force_login(people["auditor"], backend=BACKEND)
    text = client.get("/services/SVC-001/ownership/").content.decode()
    assert "Ask them to take it over" not in text and "Ask the owners" not in client.get("/ownership/").content.decode()
    assert client.post("/services/SVC-001/ownership/hand-over", {"duty": "owner"}).status_code == 403
    assert client.post("/ownership/attest", {"title": "x"}).status_code == 403
    row = HandOver.objects.get(service=service)
    assert client.post(f"/ownership/hand-overs/{row.pk}/answer", {"answer": "accept"}).status_code == 403
    client.force_login(people["executive"], backend=BACKEND)
    assert client.post(f"/ownership/hand-overs/{row.pk}/answer", {"answer": "decline"}, follow=True).status_code == 200
    assert HandOver.objects.get().answered_at is None, "a decline needs its reason"
    client.post(f"/ownership/hand-overs/{row.pk}/answer", {"answer": "decline", "reason": "No time"})
    assert HandOver.objects.get().accepted is False
    assert "No time" in client.get("/services/SVC-001/ownership/").content.decode()


def test_a_member_of_the_new_team_accepts_its_backups_on_the_page(client, noon, people):
    service = make_service("SVC-001", at=noon - DAY, name="Imaging archive")
    page = "/services/SVC-001/ownership/"
    client.force_login(people["steward"], backend=BACKEND)
    assert "No other team has members who could accept" in client.get(page).content.decode()
    member = make_person("operator", noon)
    with because("test"):
        team = Team.objects.create(name="Databases", email="db@example.org")
        TeamMember.objects.create(team=team, person=member)
    assert f'<option value="{team.pk}">Databases</option>' in client.get(page).content.decode()
    asked = client.post(f"{page}hand-over", {"duty": "operations_team", "team": team.pk, "reason": "New rota"}, follow=True)
    assert "Databases is asked. Nothing moves before one of its members accepts." in asked.content.decode()
    assert "Accept for Databases" not in asked.content.decode()
    client.force_login(member, backend=BACKEND)
    assert "1 duty is offered to you" in client.get("/").content.decode()
    assert "Accept for Databases" in client.get(page).content.decode() and "Databases" in client.get("/ownership/").content.decode()
    row = HandOver.objects.get(service=service)
    done = client.post(f"/ownership/hand-overs/{row.pk}/answer", {"answer": "accept"}, follow=True).content.decode()
    assert "Databases takes it over as soon as version 2 is approved." in done
    assert "Hand-over accepted: operations team" in client.get("/services/SVC-001/history/").content.decode()


def test_a_form_that_cannot_be_done_says_why(client, noon, people):
    entry("SVC-001", noon, people)
    client.force_login(people["steward"], backend=BACKEND)
    answer = client.post("/services/SVC-001/ownership/hand-over", {"duty": "king", "receiver": "x"}, follow=True)
    assert "Choose the duty and who takes it over" in answer.content.decode()
    answer = client.post("/ownership/attest", {"title": "Check", "due_on": "soon"}, follow=True)
    assert "Choose the day by which owners answer" in answer.content.decode()
    made = AttestationRound.objects.get()
    answer = client.post(f"/attestations/{made.pk}/answer", {"right": made.attestations.get().service_id}, follow=True)
    assert "Choose at least one entry that is yours" in answer.content.decode()


def test_a_stranger_finds_no_round(client, noon, people):
    entry("SVC-001", noon, people)
    client.force_login(make_person("stakeholder", noon, services=[make_service("OTHER", at=noon)]), backend=BACKEND)
    assert client.get(f"/attestations/{AttestationRound.objects.get().pk}/").status_code == 404
    assert client.get("/services/SVC-001/ownership/").status_code == 404
    assert "SVC-001" not in client.get("/ownership/").content.decode() + client.get("/deviations/").content.decode()


def test_entries_and_gaps_come_in_pages(client, noon, people, monkeypatch):
    monkeypatch.setattr(ownership_pages, "SHOWN", 2)
    for number in range(5):
        make_service(f"SVC-{number}", name=f"Entry {number}", at=noon - DAY)
    client.force_login(people["auditor"], backend=BACKEND)
    first, last = (client.get(f"/ownership/?page={page}&gaps=2").content.decode() for page in (1, 9))
    held = [re.findall(r">(Entry \d)</a></th><td data-head", text) for text in (first, last)]
    assert held == [["Entry 0", "Entry 1"], ["Entry 4"]]
    assert "Entries 1 to 2 of 5" in first and "Entries 5 to 5 of 5" in last and "Gaps 3 to 4 of" in first
    assert 'href="/ownership/?gaps=2&amp;page=2#holders-title"' in first


def test_every_cause_stands_above_the_first_page_with_its_number_the_worst_first(client, noon, people, monkeypatch):
    monkeypatch.setattr(ownership_pages, "SHOWN", 4)
    for number in range(6):
        make_service(f"SVC-{number}", name=f"Entry {number}", at=noon - DAY, review_due_on=(noon - 9 * DAY).date() if number == 5 else None)
    client.force_login(people["auditor"], backend=BACKEND)
    text = client.get("/ownership/").content.decode()
    told = re.findall(r"<li><a href=\"([^\"]*)\"[^>]*>([^<]*)</a> <span class=\"quiet\">([^<]*)<", text)
    causes = [cause for _, cause, _ in told]
    assert causes[0] == "All gaps" and causes.index("Its review is overdue") < causes.index("No review day is set")
    href, _, counted = told[causes.index("No review day is set")]
    assert (href, counted) == ("/ownership/?cause=no-review-day-is-set#gaps", "5 entries")
    alone = client.get(href.partition("#")[0]).content.decode()
    assert "Gaps 1 to 4 of 5" in alone and "Its review was due" not in alone and 'aria-current="true">No review day is set' in alone
    assert 'href="/ownership/?cause=no-review-day-is-set&amp;gaps=2#gaps-title"' in alone
    assert '<details class="more" open>' in alone, "what fills the page is open"
    assert client.get("/ownership/?cause=nonsense").status_code == 200


def test_an_owner_without_a_role_reads_what_they_are_asked_about_and_nothing_else(client, noon, people):
    owner = make_user("maeve")
    mine, other = make_service("SVC-001", at=noon - DAY, owner=owner), make_service("SVC-002", at=noon - DAY)
    due = (now() + DAY).date()
    row = attesting.open_round(services=[mine, other], title="Yearly check", due_on=due, by=people["steward"], at=now())
    client.force_login(owner, backend=BACKEND)
    for page in (f"/attestations/{row.pk}/", "/services/SVC-001/", "/services/SVC-001/versions/1/", "/services/SVC-001/ownership/"):
        assert client.get(page).status_code == 200, page
    assert "Yearly check" in client.get("/ownership/").content.decode()
    assert {client.get(f"/services/SVC-002/{more}").status_code for more in ("", "versions/1/", "ownership/")} == {404}
    assert not Service.objects.visible_to(owner, "change").exists()
    assert list(Service.objects.visible_to(make_user("stranger"))) == []


def test_a_remark_says_that_it_is_not_right_and_nothing_typed_is_lost(client, noon, people):
    owner = make_user("maeve")
    one, two, three = (make_service(f"SVC-00{number}", at=noon - DAY, owner=owner) for number in (1, 2, 3))
    due = (now() + DAY).date()
    row = attesting.open_round(services=[one, two, three], title="Yearly check", due_on=due, by=people["steward"], at=now())
    address = f"/attestations/{row.pk}/answer"
    client.force_login(owner, backend=BACKEND)
    typed = {"right": [one.pk], "wrong": [three.pk], f"remark-{two.pk}": "Not mine any more", f"remark-{three.pk}": ""}
    answer = client.post(address, typed)
    text = answer.content.decode()
    assert answer.status_code == 409 and "Say what is not right" in text and 'value="Not mine any more"' in text
    assert f'name="right" value="{one.pk}" checked' in text and f'name="wrong" value="{three.pk}" checked' in text
    both = client.post(address, {"right": [two.pk], f"remark-{two.pk}": "Not mine any more"})
    assert both.status_code == 409 and "cannot be right and not right" in both.content.decode()
    assert not row.attestations.exclude(answered_at=None).exists()
    assert client.post(address, {**typed, "wrong": [], f"remark-{three.pk}": " "}).status_code == 302
    told = {each.service.code: (each.right, each.remark) for each in row.attestations.exclude(answered_at=None)}
    assert told == {"SVC-001": (True, ""), "SVC-002": (False, "Not mine any more")}
    assert client.post(address, {"right": ["x", "9" * 30], "remark-x": "?"}).status_code == 409


def test_an_entry_that_names_a_policy_which_does_not_count_says_so(client, noon, people):
    make_service("SVC-001", at=noon - DAY, escalation_policy="Night shift")
    client.force_login(people["steward"], backend=BACKEND)
    page = "/services/SVC-001/ownership/"
    assert "It names the escalation policy Night shift, which is not there" in client.get(page).content.decode()
    with because("test"):
        EscalationStep.objects.create(policy=EscalationPolicy.objects.create(name="Night shift"))
    assert "It names the escalation policy" not in client.get(page).content.decode()


def in_force(service, by, at, **content):
    """Its next version, approved."""
    draft = publishing.draft_version(service=service, content=content, commitment={}, by=by["steward"], at=at, reason="Moved")
    publishing.submit(version=draft, by=by["steward"], at=at, reason="Moved")
    return publishing.approve(version=draft, by=by["approver"], at=at)


def test_an_attestation_offers_the_version_in_force_to_its_owner_and_takes_no_answer_about_another(client, noon, people):
    owner = make_user("maeve")
    one, two = (make_service(f"SVC-00{number}", at=noon - DAY, owner=owner, name=f"Entry {number}") for number in (1, 2))
    row = attesting.open_round(services=[one, two], title="Check", due_on=(now() + DAY).date(), by=people["steward"], at=noon)
    in_force(one, people, noon, supplier="New")
    in_force(two, people, noon, owner=people["executive"])
    client.force_login(owner, backend=BACKEND)
    text = client.get(f"/attestations/{row.pk}/").content.decode()
    assert f'name="read-{one.pk}" value="2"' in text and f'name="right" value="{two.pk}"' not in text
    address = f"/attestations/{row.pk}/answer"
    stale = client.post(address, {"right": [one.pk], f"read-{one.pk}": 1})
    assert stale.status_code == 409 and "Version 2 of Entry 1 is in force by now" in stale.content.decode()
    assert client.post(address, {"right": [one.pk], f"read-{one.pk}": 2}).status_code == 302
    client.force_login(people["executive"], backend=BACKEND)
    assert f'name="read-{two.pk}" value="2"' in client.get(f"/attestations/{row.pk}/").content.decode()
    assert client.post(address, {"right": [two.pk], f"read-{two.pk}": 2}).status_code == 302
    assert {each.version.number for each in row.attestations.exclude(answered_at=None)} == {2}


def test_a_hand_over_of_the_past_knows_no_answer_of_later(client, noon, people):
    service = make_service("SVC-001", at=noon - 9 * DAY)
    said = {"service": service, "duty": "owner", "receiver": people["executive"], "by": people["steward"], "reason": "Moved"}
    row = handing_over.ask(**said, at=noon - 3 * DAY)
    done = handing_over.accept(hand_over=row, by=people["executive"], at=noon - 2 * DAY, reason="Gladly, from Monday on")
    publishing.approve(version=done.version, by=people["approver"], at=noon - DAY)
    client.force_login(people["steward"], backend=BACKEND)

    def read(page, ago):
        return client.get(f"{page}?as_of={iso(noon - ago * DAY)}").content.decode()

    waiting = read("/services/SVC-001/ownership/", 2.5)
    assert "Waits for an answer" in waiting and "Gladly" not in waiting and "version 2" not in waiting
    assert "Hand-overs that wait" in read("/ownership/", 2.5) and "Hand-overs that wait" not in read("/ownership/", 1.5)
    handed_in = read("/services/SVC-001/ownership/", 1.5)
    assert "Accepted; in review as version 2" in handed_in and "/versions/2/" not in handed_in
    assert "/versions/2/" in read("/services/SVC-001/ownership/", 0.5)
