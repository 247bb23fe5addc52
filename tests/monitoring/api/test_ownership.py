"""Ownership through the API: gaps, jobs that two entries claim, and attestation, of what one may see."""

import datetime as dt

import pytest
from guardian.shortcuts import assign_perm

from catalogue import attesting
from catalogue.models import Service, Team, TeamMember
from itsm_backup.common.models import because
from itsm_backup.common.time import iso, now
from monitoring import correlation
from monitoring.gaps import ownership_gaps
from tests.catalogue import makers
from tests.factories import make_job, make_rule, make_service, make_tool, make_user
from tests.monitoring.api.test_duties import call

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.3")]
DAY = dt.timedelta(days=1)


def reader_of(*services):
    reader = make_user("reader")
    for service in services:
        assign_perm("catalogue.view_service", reader, service)
    return reader


def owner_of(service):
    return service.versions.get().owner


def test_gaps_are_those_of_the_page_for_entries_in_sight():
    at = now()
    erp, hidden = make_service("erp", at=at - 9 * DAY), make_service("hidden", at=at - 9 * DAY)
    reader = reader_of(erp)
    rows = call(reader, "get", "ownership-gaps/").json()["results"]
    assert {row["service"] for row in rows} == {"erp"} and hidden.code not in str(rows)
    expected = ownership_gaps(services=Service.objects.filter(pk=erp.pk), at=now())
    assert [(row["kind"], row["cause"], row["sentence"]) for row in rows] == [(gap.kind, gap.cause, gap.sentence) for gap in expected]
    assert [row["kind"] for row in call(reader, "get", "ownership-gaps/?kind=review&service=erp").json()["results"]] == ["review"]
    assert call(reader, "get", f"ownership-gaps/?as_of={iso(at - 10 * DAY)}").json()["count"] == 0
    refused = call(reader, "get", "ownership-gaps/?kind=odd")
    assert refused.status_code == 400 and "is none of owner, steward" in refused.json()["detail"]


def test_a_job_that_two_entries_claim_is_told_without_the_name_of_one_out_of_sight():
    at, tool = now(), make_tool(at=now() - 9 * DAY)
    erp, hidden = make_service("erp", at=at - 9 * DAY), make_service("hidden", at=at - 9 * DAY)
    job = make_job(tool, "nightly", at=at - 9 * DAY)
    first = make_rule(erp, tool, "nightly", at=at - 9 * DAY)
    make_rule(hidden, tool, "nightly", at=at - 9 * DAY)
    correlation.attribute_jobs(at=at)
    job.refresh_from_db()
    (row,) = call(reader_of(job.service), "get", "double-claims/").json()["results"]
    seen = [claim["service"] for claim in row["claims"]]
    assert (row["job"], row["name"]) == (job.pk, job.name) and sorted(seen, key=str) == [None, job.service.code], first
    assert call(make_user("stranger"), "get", "double-claims/").json()["count"] == 0


def test_only_who_is_asked_answers_once_and_says_what_is_not_right():
    at = now()
    erp, wiki = make_service("erp", at=at - 9 * DAY), make_service("wiki", at=at - 9 * DAY)
    steward = make_user("steward")
    opened = attesting.open_round(services=[erp, wiki], title="Yearly check", due_on=(at + 9 * DAY).date(), by=steward, at=at)
    owner, reader = owner_of(erp), reader_of(erp)
    (told,) = call(reader, "get", "attestation-rounds/").json()["results"]
    assert (told["id"], told["title"], told["asked"], told["answered"]) == (opened.pk, "Yearly check", 1, 0), "of those in sight"
    (row,) = call(reader, "get", f"attestations/?round={opened.pk}&service=erp&waiting=true").json()["results"]
    assert (row["service"], row["version"], row["person"], row["right"]) == ("erp", 1, owner.username, None)
    refused = call(reader, "post", f"attestations/{row['id']}/answer", right=True)
    assert refused.status_code == 403 and "nobody answers for them" in refused.json()["detail"]
    silent = call(owner, "post", f"attestations/{row['id']}/answer", right=False)
    assert silent.status_code == 409 and "Say what is not right" in silent.json()["detail"]
    before = now()
    said = call(owner, "post", f"attestations/{row['id']}/answer", right=False, remark="The team moved")
    assert (said.status_code, said.json()["right"], said.json()["remark"]) == (200, False, "The team moved")
    again = call(owner, "post", f"attestations/{row['id']}/answer", right=True)
    assert again.status_code == 409 and "an answer stays" in again.json()["detail"]
    (then,) = call(reader, "get", f"attestations/?as_of={iso(before)}").json()["results"]
    assert (then["answered_at"], then["right"], then["remark"]) == (None, None, ""), "the past does not know the answer"
    assert call(reader, "get", f"attestations/?person={owner.username}&waiting=true").json()["count"] == 0
    assert call(reader, "get", "attestations/?round=x").status_code == 400
    hidden = wiki.attestations.get()
    assert call(reader, "post", f"attestations/{hidden.pk}/answer", right=True).status_code == 404
    assert call(reader, "get", f"attestation-rounds/?as_of={iso(at - DAY)}").json()["count"] == 0


def test_a_round_is_opened_for_named_entries_by_who_may_change_all_of_them():
    at = now()
    erp = make_service("erp", at=at - 9 * DAY, department="Finance")
    make_service("wiki", at=at - 9 * DAY)
    steward, asked = makers.make_user("steward", "catalogue.change_service", "catalogue.view_service"), {"title": "Yearly check"}
    day = f"{(at + 9 * DAY).date()}"
    refused = call(reader_of(erp), "post", "attestation-rounds/", **asked, due_on=day)
    assert refused.status_code == 403 and "takes the role steward" in refused.json()["detail"]
    unknown = call(steward, "post", "attestation-rounds/", **asked, due_on=day, services=["erp", "gone"])
    assert unknown.status_code == 400 and "no entry gone about which you may ask" in unknown.json()["detail"]
    over = call(steward, "post", "attestation-rounds/", **asked, due_on="2020-01-31")
    assert over.status_code == 409 and "31 Jan 2020 is over already" in over.json()["detail"]
    made = call(steward, "post", "attestation-rounds/", **asked, due_on=day, department="Finance")
    assert (made.status_code, made.json()["asked"], made.json()["opened_by"]) == (201, 1, "steward")
    assert call(steward, "post", "attestation-rounds/", **asked, due_on=day).json()["asked"] == 2
    assert erp.attestations.count() == 2


def test_who_is_asked_answers_about_the_version_in_force_and_a_former_owner_is_told_who_answers():
    at = now()
    maeve, nora = make_user("maeve"), make_user("nora")
    erp, wiki = (makers.make_service(code, at=at - 9 * DAY, owner=maeve) for code in ("erp", "wiki"))
    by = makers.make_author()
    opened = attesting.open_round(services=[erp, wiki], title="Check", due_on=(at + DAY).date(), by=by, at=at - 2 * DAY)
    makers.make_service("erp", at=at - DAY, owner=maeve, supplier="New")
    makers.make_service("wiki", at=at - DAY, owner=nora)
    pks = {row.service.code: row.pk for row in opened.attestations.select_related("service")}
    assert [row["version"] for row in call(maeve, "get", "attestations/?service=erp").json()["results"]] == [2]
    gone = call(maeve, "post", f"attestations/{pks['wiki']}/answer", right=True)
    assert gone.status_code == 403 and "nora is asked about wiki" in gone.json()["detail"]
    stale = call(maeve, "post", f"attestations/{pks['erp']}/answer", right=True)
    assert stale.status_code == 409 and "Version 2" in stale.json()["detail"]
    said = call(maeve, "post", f"attestations/{pks['erp']}/answer", right=True, version=2)
    assert (said.status_code, said.json()["version"]) == (200, 2)


def test_a_duty_goes_to_who_accepts_it():
    at = now()
    erp = make_service("erp", at=at - 9 * DAY)
    steward = makers.make_user("steward", "catalogue.change_service", "catalogue.view_service")
    receiver, reader = makers.make_user("receiver"), reader_of(erp)
    wish = {"service": "erp", "duty": "owner", "receiver": "receiver", "reason": "New head"}
    assert call(reader, "post", "hand-overs/", **wish).status_code == 403
    assert call(receiver, "post", "hand-overs/", **wish).status_code == 404
    unknown = call(steward, "post", "hand-overs/", **{**wish, "receiver": "nobody"})
    assert unknown.status_code == 400 and "no active account nobody" in unknown.json()["detail"]
    unseen = call(steward, "post", "hand-overs/", **wish)
    assert unseen.status_code in (400, 409) and "may not see" in unseen.json()["detail"], unseen.json()
    assign_perm("catalogue.view_service", receiver, erp)
    made = call(steward, "post", "hand-overs/", **wish)
    pk = made.json()["id"]
    assert (made.status_code, made.json()["giver"], made.json()["accepted"]) == (201, owner_of(erp).username, None)
    again = call(steward, "post", "hand-overs/", **wish)
    assert again.status_code == 409 and "waits for its answer already" in again.json()["detail"]
    assert call(makers.make_user("stranger"), "get", "hand-overs/").json()["count"] == 0
    assert call(receiver, "get", "hand-overs/?waiting=true&receiver=receiver&service=erp").json()["count"] == 1, "who is asked sees it"
    other = call(reader, "post", f"hand-overs/{pk}/accept")
    assert other.status_code == 403 and "Only receiver can answer this" in other.json()["detail"]
    assert call(receiver, "post", f"hand-overs/{pk}/decline").status_code == 400, "a no has a reason"
    before = now()
    done = call(receiver, "post", f"hand-overs/{pk}/accept", reason="Gladly")
    assert (done.status_code, done.json()["accepted"], done.json()["answer"], done.json()["version"]) == (200, True, "Gladly", 2)
    assert erp.versions.get(number=2).owner == receiver and erp.versions.get(number=2).state == "in_review"
    late = call(receiver, "post", f"hand-overs/{pk}/decline", reason="No")
    assert late.status_code == 409 and "answered already" in late.json()["detail"]
    (then,) = call(reader, "get", f"hand-overs/?as_of={iso(before)}").json()["results"]
    assert (then["accepted"], then["answer"], then["version"]) == (None, "", None), "the past does not know the answer"


@pytest.mark.req("1.3")
def test_a_member_of_the_new_team_accepts_its_backups():
    erp = make_service("erp", at=now() - DAY)
    steward = makers.make_user("steward", "catalogue.change_service", "catalogue.view_service", "catalogue.view_team")
    member = makers.make_user("member")
    wish = {"service": "erp", "duty": "operations_team", "team": "Databases", "reason": "New rota"}
    unknown = call(steward, "post", "hand-overs/", **wish)
    assert unknown.status_code == 400 and "There is no team" in unknown.json()["detail"]
    with because("test"):
        team = Team.objects.create(name="Databases", email="db@example.org")
        TeamMember.objects.create(team=team, person=member)
    made = call(steward, "post", "hand-overs/", **wish)
    assert made.status_code == 201
    told = made.json()
    assert (told["giver"], told["receiver"], told["team"], told["former_team"]) == (
        None, None, "Databases", erp.version_at(now()).operations_team.name,
    )  # fmt: skip
    refused = call(steward, "post", f"hand-overs/{told['id']}/accept")
    assert refused.status_code == 403 and "Only a member of Databases" in refused.json()["detail"]
    done = call(member, "post", f"hand-overs/{told['id']}/accept")
    assert (done.status_code, done.json()["receiver"], done.json()["version"]) == (200, "member", 2)
    assert erp.versions.get(number=2).operations_team == team


def test_lists_ask_as_often_for_many_entries_as_for_few(client, django_assert_max_num_queries):
    at, tool = now(), make_tool(at=now() - 9 * DAY)
    person = make_user("auditor")

    def add(number):
        service = make_service(f"erp-{number}", at=at - 9 * DAY)
        assign_perm("catalogue.view_service", person, service)
        job = make_job(tool, f"job-{number}", at=at - 9 * DAY, service=service)
        make_rule(make_service(f"other-{number}", at=at - 9 * DAY), tool, job.external_id, at=at - 9 * DAY)
        correlation.attribute_jobs(at=at)
        attesting.open_round(services=[service], title=f"Round {number}", due_on=at.date(), by=person, at=at)

    add(0)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    counts, lists = {}, ("ownership-gaps/", "double-claims/", "attestation-rounds/", "attestations/")
    for address in lists:
        with django_assert_max_num_queries(24) as few:
            assert client.get(f"/api/v1/{address}").json()["count"] == 1 or address == "ownership-gaps/", address
        counts[address] = len(few.captured_queries)
    for number in range(1, 8):
        add(number)
    for address in lists:
        with django_assert_max_num_queries(counts[address]):
            assert client.get(f"/api/v1/{address}").json()["count"] >= 8, address


def test_a_steward_says_what_came_of_not_right():
    at = now()
    service = make_service("erp", at=at - 9 * DAY)
    made = attesting.open_round(
        services=[service], title="Yearly", due_on=(at + 30 * DAY).date(), by=makers.make_author(), at=at - 8 * DAY
    )  # fmt: skip
    attesting.answer(round=made, right=[], wrong={service.pk: "Tier is 1"}, by=owner_of(service), at=at - 7 * DAY)
    row = made.attestations.get()
    address, author = f"attestations/{row.pk}/reply", makers.make_author()
    assert call(reader_of(service), "post", address, text="No").status_code == 403
    assert call(make_user("stranger"), "post", address, text="No").status_code == 404
    assert call(author, "post", address, text="x", version=9).status_code == 400
    assert call(author, "post", address, text="x", version=1).status_code == 409
    answer = call(author, "post", address, text="It stays 3: the wards agreed.")
    assert answer.status_code == 200 and answer.json()["reply"]["text"] == "It stays 3: the wards agreed."
    assert answer.json()["reply"]["version"] is None and call(author, "post", address, text="Again").status_code == 409
    (then,) = call(author, "get", f"attestations/?as_of={iso(at - 6 * DAY)}").json()["results"]
    assert (then["remark"], then["reply"]) == ("Tier is 1", None)
