"""Pages of reviews: who reads what, the past, and that they take as many questions for many as for one."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import assigning, following_up, reviewing
from incidents.models import Incident, PostIncidentReview
from itsm_backup import journey
from itsm_backup.portal.waiting import waiting_for
from tests.factories import push, run_record
from tests.incidents.test_reviewing import published, write_all
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.5")]
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def incident(estate_now) -> Incident:
    push(estate_now.tool, run_record("pacs-2h", "success", estate_now.at, minutes=0), at=estate_now.at)
    journey.advance()
    return Incident.objects.get()


@pytest.fixture
def operator(estate_now):
    return make_person("operator", estate_now.at)


@pytest.fixture
def review(incident, estate_now, operator) -> PostIncidentReview:
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    publisher = make_person("change-manager", estate_now.at)
    return published(draft, operator, publisher, estate_now.at, rpo="8 h", dependencies="Research, too")


def signed_in(client, person):
    client.force_login(person, backend=BACKEND)
    return client


def test_a_published_review_is_read_by_those_of_the_service_and_nobody_else(client, estate_now, review):
    mine = make_person("stakeholder", estate_now.at, services=[estate_now.imaging])
    other = make_person("stakeholder", estate_now.at, services=[estate_now.research])
    text = signed_in(client, mine).get(f"/reviews/{review.number}/").content.decode()
    assert "8 h" in text and 'method="post" action="/reviews/' not in text
    assert signed_in(client, other).get(f"/reviews/{review.number}/").status_code == 404
    assert "0 reviews are published." in client.get("/reviews/").content.decode()
    assert "Imaging" not in client.get("/reviews/?view=published&q=pool").content.decode()


def test_what_it_names_that_one_may_not_see_is_left_out(client, estate_now, review):
    beside = make_person("stakeholder", estate_now.at, services=[estate_now.imaging])
    text = signed_in(client, beside).get(f"/reviews/{review.number}/").content.decode()
    assert "Imaging archive" in text and "Radiology reporting" not in text
    api = client.get(f"/api/v1/reviews/{review.number}/").json()
    assert {one["code"] for one in api["facts"]["services"]} == {"SVC-003"}


def test_the_past_shows_what_was_there_then_and_offers_no_deed(client, incident, estate_now, operator):
    signed_in(client, operator)
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at - HOUR / 2)
    reviewing.write(review=draft, cause="Learned later", by=operator, at=estate_now.at)
    then = f"?as_of={estate_now.at - HOUR / 4:%Y-%m-%dT%H:%MZ}"
    text = client.get(f"/reviews/{draft.number}/{then}").content.decode()
    assert "Learned later" not in text and 'method="post" action="/reviews/' not in text and "You are looking at" in text
    before = f"?as_of={estate_now.at - HOUR:%Y-%m-%dT%H:%MZ}"
    assert client.get(f"/reviews/{draft.number}/{before}").status_code == 404
    assert "0 reviews were on their way." in client.get(f"/reviews/{before}&view=open").content.decode()


def test_who_may_not_do_it_is_refused_whatever_they_send(client, incident, estate_now, operator):
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    signed_in(client, make_person("steward", estate_now.at))
    for form in ("write", "answers", "reread", "actions"):
        assert client.post(f"/reviews/{draft.number}/{form}", {"cause": "x"}).status_code == 403, form
    assert client.post(f"/reviews/{draft.number}/step", {"act": "publish"}).status_code == 403
    assert client.post(f"/reviews/{draft.number}/step", {"act": "submit"}).status_code == 403
    signed_in(client, make_person("stakeholder", estate_now.at, services=[estate_now.imaging]))
    assert client.post(f"/reviews/{draft.number}/write", {"cause": "x"}).status_code == 404
    assert client.post(f"/incidents/{incident.number}/review").status_code == 403


def test_an_action_is_offered_to_those_only_who_may_see_the_incident(client, incident, estate_now, operator):
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    mine = make_person("stakeholder", estate_now.at, services=[estate_now.imaging])
    other = make_person("stakeholder", estate_now.at, services=[estate_now.research])
    gone = make_person("operator", estate_now.at)
    gone.is_active = False
    gone.save()
    text = signed_in(client, operator).get(f"/reviews/{draft.number}/").content.decode()
    offered = {int(key) for key in re.findall(r'<option value="(\d+)"', text.partition('id="owner"')[2].partition("</select>")[0])}
    assert {operator.pk, mine.pk} <= offered and not {other.pk, gone.pk} & offered
    people = get_user_model().objects.filter(is_active=True, is_superuser=False)
    assert offered == {one.pk for one in people if Incident.objects.visible_to(one).filter(pk=incident.pk).exists()}, (
        "as the act takes them"
    )


def test_pages_take_few_questions_however_many_reviews_there_are(client, estate_now, review, operator, django_assert_max_num_queries):
    signed_in(client, make_person("operator", estate_now.at, services=[estate_now.imaging, estate_now.reporting]))
    counts = {}
    lists = ("/reviews/", "/reviews/?view=published&q=pool", "/reviews/?view=actions")
    for page in (f"/reviews/{review.number}/", *lists, "/services/SVC-003/"):
        client.get(page)
        with django_assert_max_num_queries(24 if "PIR" in page else 18) as found:
            assert client.get(page).status_code == 200, page
        counts[page] = len(found)
    for number in range(5):
        weight = {"priority": "P2", "impact": "low", "urgency": "low", "state": "resolved", "title": "It fails"}
        one = Incident.objects.create(
            cause_key=f"test:{number}", opened_at=estate_now.at, resolved_at=estate_now.at, updated_at=estate_now.at, **weight
        )
        alert = review.incident.incident_alerts.first().alert
        alert.pk = None
        alert.dedup_key = f"test:{number}"
        alert.state, alert.resolved_at = "resolved", estate_now.at
        alert.save()
        one.incident_alerts.create(alert=alert, attached_at=estate_now.at)
        reviewing.start(incident=one, by=operator, at=estate_now.at)
    for page in lists:
        with CaptureQueriesContext(connection) as found:
            client.get(page)
        assert len(found) == counts[page], page


def test_what_waits_for_somebody_stands_on_their_first_page(incident, estate_now, operator):
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    publisher, steward = make_person("change-manager", estate_now.at), make_person("steward", estate_now.at)
    following_up.add(review=draft, what="Watch it", owner=operator, due_on=estate_now.at.date(), by=operator, at=estate_now.at)

    def waits(person):
        return [one.words for one in waiting_for(user=person, moment=estate_now.moment)]

    write_all(draft, operator, estate_now.at, rpo="8 h")
    reviewing.submit(review=draft, by=operator, at=estate_now.at)
    assert waits(publisher) == ["1 review waits to be published"] and waits(operator) == []
    reviewing.publish(review=draft, by=publisher, at=estate_now.at)
    assert waits(publisher) == [] and waits(operator) == ["1 action of a review is yours"]
    assert waits(steward) == ["1 answer of a review asks an entry to say something else"]


def test_the_second_answer_to_a_question_does_not_wipe_out_the_first(client, incident, estate_now, operator):
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    other = make_person("operator", estate_now.at)
    other.last_name = "Second"
    other.save()
    page = signed_in(client, other).get(f"/reviews/{draft.number}/").content.decode()
    was = re.search(r'name="was-rpo" value="([^"]*)"', page)[1]
    reviewing.answer(review=draft, question="rpo", said="yes", by=operator, at=estate_now.at)
    sent = {"answer-rpo": "no", "note-rpo": "Should be 4 h", "was-rpo": was}
    answer = client.post(f"/reviews/{draft.number}/answers", sent)
    text = answer.content.decode()
    assert answer.status_code == 409 and "was answered by Operator Person meanwhile: Yes." in text and text.count("meanwhile: Yes") == 1
    assert draft.answers.get(question="rpo").answer == "yes" and "Should be 4 h" in text
    sent["was-rpo"] = re.search(r'name="was-rpo" value="([^"]*)"', text)[1]
    assert client.post(f"/reviews/{draft.number}/answers", sent).status_code == 302, "who has read theirs may answer otherwise"
    assert draft.answers.get(question="rpo").answer == "no"


def test_what_somebody_else_answered_stays_when_another_question_is_answered_on_an_old_page(client, incident, estate_now, operator):
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    reviewing.answer(review=draft, question="rpo", said="yes", by=operator, at=estate_now.at)
    was = "yes|SVC-003|"
    reviewing.answer(review=draft, question="rpo", said="unknown", by=operator, at=estate_now.at)
    signed_in(client, operator)
    client.post(
        f"/reviews/{draft.number}/answers",
        {"answer-rpo": "yes", "note-rpo": "", "was-rpo": was, "answer-tier": "yes", "was-tier": "|SVC-003|"},
    )
    assert draft.answers.get(question="rpo").answer == "unknown" and draft.answers.get(question="tier").answer == "yes"


def test_a_form_that_is_looked_at_leads_back_to_its_page_and_a_refusal_stands_once(client, incident, estate_now, operator):
    draft = reviewing.start(incident=incident, by=operator, at=estate_now.at)
    signed_in(client, operator)
    answer = client.get(f"/reviews/{draft.number}/answers")
    assert (answer.status_code, answer["Location"]) == (302, f"/reviews/{draft.number}/")
    page = client.post(f"/reviews/{draft.number}/step", {"act": "submit"}).content.decode()
    assert page.count("Write what caused it.") == 1


def test_whoever_has_several_roles_is_offered_once(incident, estate_now, operator):
    operator.groups.add(*make_person("steward", estate_now.at).groups.all())
    assert list(assigning.readers_of(incident)).count(operator) == 1
