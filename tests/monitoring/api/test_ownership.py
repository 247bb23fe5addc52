"""Ownership through the API: gaps, jobs that two entries claim, and attestation, of what one may see."""

import datetime as dt

import pytest
from guardian.shortcuts import assign_perm

from catalogue import attesting
from catalogue.models import Service
from itsm_backup.common.time import iso, now
from monitoring import correlation
from monitoring.gaps import ownership_gaps
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
