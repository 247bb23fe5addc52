"""Versions in the portal: who sees what, comparing, deciding with what was read, comments, going back."""

import datetime as dt

import pytest

from catalogue import comparing, publishing, reviewing
from catalogue.models import Comment, ServiceVersion
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from tests.factories import make_service
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
HOUR = dt.timedelta(hours=1)
BASE = "/services/SVC-003/versions/"


@pytest.fixture
def people(noon):
    return {role: make_person(role, noon) for role in ("steward", "approver", "auditor", "stakeholder")}


@pytest.fixture
def service(noon):
    return make_service("SVC-003", at=noon - 24 * HOUR, name="Imaging archive", summary="Pictures of X-ray")


@pytest.fixture
def waiting(service, people, noon):
    version = publishing.draft_version(
        service=service,
        content={"summary": "Pictures of CT"},
        commitment={"rpo_s": 4 * 3600},
        by=people["steward"],
        at=noon,
        reason="Around the clock",
    )
    return publishing.submit(version=version, by=people["steward"], at=noon)


def read(client, user, path):
    client.force_login(user, backend=BACKEND)
    response = client.get(path)
    return response.status_code, response.content.decode()


def seen(version):
    return comparing.hash_of(comparing.content_of(ServiceVersion.objects.get(pk=version.pk)))


def test_open_versions_are_for_those_who_work_on_entries(client, people, waiting):
    assert "in review" in read(client, people["auditor"], BASE)[1]
    status, text = read(client, people["stakeholder"], BASE)
    assert status == 200 and "in review" not in text
    assert read(client, people["stakeholder"], f"{BASE}2/")[0] == 404
    assert read(client, people["auditor"], f"{BASE}2/?as_of=2026-07-14T11:00Z")[0] == 404


def test_what_was_not_known_then_says_so_and_leads_back_to_now(client, people, waiting, noon):
    publishing.approve(version=waiting, by=people["approver"], at=noon + HOUR)
    then = f"?as_of={noon - 2 * HOUR:%Y-%m-%dT%H:%MZ}"
    for page in (f"{BASE}2/", f"{BASE}1..2/"):
        status, text = read(client, people["stakeholder"], page + then)
        assert status == 404 and "Version 2 of Imaging archive was not known then: it was approved on" in text, page
        assert "Back to now" in text
        assert read(client, people["stakeholder"], page)[0] == 200
    assert "not known then" not in read(client, people["stakeholder"], f"{BASE}3/{then}")[1]
    stranger = make_person("stakeholder", noon, services=[make_service("OTHER", at=noon)])
    assert "Imaging" not in read(client, stranger, f"{BASE}2/{then}")[1]


def test_the_page_shows_what_changes_word_by_word_and_who_can_decide(client, people, waiting):
    status, text = read(client, people["approver"], f"{BASE}2/")
    assert status == 200 and "A major change against version 1 (1.0.0): 2 of" in text
    assert "<del>Pictures of <b>X-ray</b></del>" in text and "<ins>Pictures of <b>CT</b></ins>" in text
    assert "Approve version 2</button>" in text
    text = read(client, people["steward"], f"{BASE}2/")[1]
    assert "You wrote part of" in text and "Approve version 2</button>" not in text
    assert "Approve version 2</button>" not in read(client, people["auditor"], f"{BASE}2/")[1]


def test_the_mail_shows_the_change_and_its_link_approves_only_by_sending_the_form(client, people, waiting):
    notice = Notice.objects.get(key__startswith=f"version/{waiting.pk}/submitted/")
    assert notice.recipient == people["approver"].email and "Recovery point (RPO): 26 h → 4 h" in notice.body
    link = next(line for line in notice.body.splitlines() if "/versions/2/?seen=" in line)
    path = link[link.index("/services/") :]
    assert client.get(path)["Location"].startswith("/accounts/login/?next=")
    assert read(client, people["approver"], path)[0] == 200
    waiting.refresh_from_db()
    assert waiting.state == "in_review"
    assert client.post(f"{BASE}2/approve", {"seen": seen(waiting)}).status_code == 302
    waiting.refresh_from_db()
    assert (waiting.state, waiting.approver, waiting.content_hash) == ("approved", people["approver"], seen(waiting))


def test_a_stale_link_says_what_changed_since_and_approves_nothing(client, people, waiting, noon):
    old = seen(waiting)
    publishing.edit_draft(version=waiting, content={}, commitment={"rpo_s": 3600}, by=people["steward"], at=noon + HOUR, reason="Tighter")
    publishing.submit(version=waiting, by=people["steward"], at=noon + HOUR)
    assert "Recovery point (RPO) 4 h → 1 h" in read(client, people["approver"], f"{BASE}2/?seen={old}")[1]
    response = client.post(f"{BASE}2/approve", {"seen": old})
    assert response.status_code == 409 and "is not what you read any more" in response.content.decode()
    waiting.refresh_from_db()
    assert waiting.state == "in_review"


def test_who_may_not_decide_is_refused_by_name(client, people, waiting):
    for role in ("steward", "auditor"):
        client.force_login(people[role], backend=BACKEND)
        assert client.post(f"{BASE}2/approve", {"seen": seen(waiting)}).status_code == 403
    assert client.post(f"{BASE}2/return", {"reason": "x"}).status_code == 403
    waiting.refresh_from_db()
    assert waiting.state == "in_review"


def test_it_is_returned_with_a_reason_that_the_authors_get(client, people, waiting):
    client.force_login(people["approver"], backend=BACKEND)
    assert client.post(f"{BASE}2/return", {"reason": " "}).status_code == 409
    assert client.post(f"{BASE}2/return", {"reason": "4 h cannot be paid for"}).status_code == 302
    waiting.refresh_from_db()
    assert waiting.state == "draft"
    notice = Notice.objects.get(key__contains="/returned/")
    assert notice.recipient == people["steward"].email and "4 h cannot be paid for" in notice.body
    for page in (f"{BASE}2/", "/admin/", f"/admin/catalogue/serviceversion/{waiting.pk}/change/"):
        assert "4 h cannot be paid for" in read(client, people["steward"], page)[1], page
    publishing.submit(version=waiting, by=people["steward"], at=now())
    assert "Returned to draft:</b> 4 h cannot be paid for" in read(client, people["approver"], f"{BASE}2/")[1]


def test_comments_stay_and_tell_when_the_content_moved_on(client, people, waiting, noon):
    client.force_login(people["approver"], backend=BACKEND)
    assert client.post(f"{BASE}2/comment", {"text": ""}).status_code == 409
    client.post(f"{BASE}2/comment", {"text": "Who pays?"})
    assert "Who pays?" in read(client, people["auditor"], f"{BASE}2/")[1]
    publishing.edit_draft(version=waiting, content={"tier": 1}, commitment={}, by=people["steward"], at=noon + HOUR, reason="x")
    assert "about an earlier content" in read(client, people["auditor"], f"{BASE}2/")[1]
    assert Comment.objects.get().by == people["approver"]
    client.force_login(people["stakeholder"], backend=BACKEND)
    assert client.post(f"{BASE}2/comment", {"text": "x"}).status_code == 404


def test_going_back_drafts_what_the_old_version_said(client, people, service, waiting, noon):
    publishing.approve(version=waiting, by=people["approver"], at=noon)
    client.force_login(people["approver"], backend=BACKEND)
    assert client.post(f"{BASE}1/again", {"reason": "x"}).status_code == 403
    client.force_login(people["steward"], backend=BACKEND)
    assert client.post(f"{BASE}1/again", {"reason": "Too expensive"}).status_code == 302
    three = service.versions.get(number=3)
    assert three.state == "draft" and seen(three) == seen(service.versions.get(number=1))
    assert "open version already" in client.post(f"{BASE}1/again", {"reason": "x"}, follow=True).content.decode()


def test_any_two_are_compared(client, people, service, waiting):
    client.force_login(people["auditor"], backend=BACKEND)
    assert client.get(f"{BASE}?from=2&to=1")["Location"] == f"{BASE}2..1/"
    text = client.get(f"{BASE}2..1/").content.decode()
    assert "Version 2 (2.0.0)" in text and "Show all" in text and "Together that is a major change" in text
    assert client.get(f"{BASE}1..9/").status_code == 404 and client.get(f"{BASE}1..99999999999999/").status_code == 404


def test_the_list_asks_as_often_for_many_versions_as_for_few(client, people, service, noon, django_assert_max_num_queries):
    client.force_login(people["auditor"], backend=BACKEND)
    with django_assert_max_num_queries(13) as few:
        client.get(BASE)
    for number in range(1, 11):
        draft = publishing.draft_version(
            service=service, content={"summary": f"{number}"}, commitment={}, by=people["steward"], at=noon + number * HOUR, reason="x"
        )
        publishing.submit(version=draft, by=people["steward"], at=noon + number * HOUR, announce=False)
        publishing.approve(version=draft, by=people["approver"], at=noon + number * HOUR)
        reviewing.comment(version=draft, text="Seen", by=people["auditor"], at=noon)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get(BASE)
    with django_assert_max_num_queries(26):
        assert client.get(f"{BASE}11/").status_code == 200


def test_a_reason_that_is_too_long_is_refused_and_shown_again_never_cut(client, people, waiting):
    client.force_login(people["approver"], backend=BACKEND)
    answer = client.post(f"{BASE}2/return", {"reason": "x" * 2_001})
    assert answer.status_code == 409 and "stand 2,001 characters, and at most 2,000 are kept" in answer.content.decode()
    assert "x" * 2_001 in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.state == "in_review"


def test_a_version_that_lies_ahead_tells_its_end_too(client, people, waiting):
    at, days = now(), dt.timedelta(days=1)
    publishing.approve(version=waiting, by=people["approver"], at=at, effective_from=at + days)
    said = {"by": people["steward"], "at": at}
    later = publishing.draft_version(service=waiting.service, content={"summary": "All"}, commitment={}, reason="x", **said)
    publishing.submit(version=later, **said)
    publishing.approve(version=later, by=people["approver"], at=at, effective_from=at + 2 * days)
    assert "</b> to <b>" in read(client, people["auditor"], f"{BASE}2/")[1]
    assert "</b> to <b>" not in read(client, people["auditor"], f"{BASE}3/")[1]
