"""A version that is approved for a later day is withdrawn before it; what has been in force never is."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from catalogue import publishing, withdrawing
from catalogue.models import Comment, Service
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup.common.time import iso, now
from tests.catalogue.makers import make_approver, make_author, make_draft, make_service, make_user
from tests.factories import make_admin

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)


def planned(ahead=30, **content):
    at = now()
    version = publishing.submit(version=make_draft(at=at, **content), by=make_author(), at=at)
    return publishing.approve(version=version, by=make_approver(), at=at, effective_from=at + ahead * DAY)


def test_what_would_have_ended_goes_on_and_the_next_version_takes_force_at_once():
    service = make_service(at=now() - 9 * DAY)
    two = planned(rpo_s=7_200)
    with pytest.raises(NotReady, match=r"choose a later time for this one\. Or withdraw that one first"):
        planned(ahead=1, rpo_s=3_600)
    publishing.cancel(version=service.versions.get(number=3), by=make_author(), at=now(), reason="x")
    with pytest.raises(NotAllowed, match="approver can"):
        withdrawing.withdraw(version=two, by=make_user("reader", "catalogue.view_service"), at=now(), reason="x")
    done = withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="The year was wrong")
    assert (done.state, done.effective, done.approver) == ("cancelled", None, make_approver())
    one = service.versions.get(number=1)
    assert one.effective.upper is None and service.version_at(now() + 60 * DAY) == one
    assert planned(ahead=1, rpo_s=3_600).number == 4
    assert done.history.first().history_change_reason == "The year was wrong"


def test_what_lies_ahead_counts_nowhere_before_its_day(client):
    make_service("erp", at=now() - 9 * DAY)
    planned()
    client.force_login(make_admin(), backend=BACKEND)
    assert [row["code"] for row in client.get("/api/v1/services/").json()["results"]] == ["erp"]
    page = client.get("/services/").content.decode()
    assert "1 service in the catalogue" in page and "of 1 service<" in page.replace("\n", "") and "of 2 services" not in page
    assert client.get("/api/v1/services/", {"as_of": iso(now() - 10 * DAY)}).json()["count"] == 0
    told = client.get("/api/v1/services/", {"as_of": "2026-01-01T12:00"})
    assert told.status_code == 400 and "“2026-01-01T12:00” names no time zone." in told.json()["detail"]


def test_an_entry_that_has_nothing_else_waits_in_the_pipeline_again():
    version = planned()
    assert version.service.lifecycle == "catalogue"
    withdrawing.withdraw(version=version, by=make_author(), at=now(), reason="Too early")
    assert Service.objects.get().lifecycle == "pipeline"


def test_what_has_been_in_force_is_never_withdrawn_by_nobody():
    service = make_service(at=now() - 9 * DAY)
    one = service.versions.get()
    with pytest.raises(WrongState, match=r"what was promised stays\. Draft the next version"):
        withdrawing.withdraw(version=one, by=make_approver(), at=now(), reason="x")
    two = planned()
    statements = (
        ("state = 'cancelled', effective = NULL", one.pk), ("state = 'cancelled'", two.pk), ("approver_id = NULL", two.pk),
        ("state = 'cancelled', effective = NULL, name = 'Other'", two.pk),
    )  # fmt: skip
    for change, pk in statements:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE catalogue_serviceversion SET {change} WHERE id = %s", [pk])


def test_portal_and_api_withdraw_with_a_reason(client):
    make_service(at=now() - 9 * DAY)
    planned(rpo_s=7_200)
    base = "/services/pacs/versions/2/"
    client.force_login(make_user("reader", "catalogue.view_service"), backend=BACKEND)
    assert "Withdraw version 2" not in client.get(base).content.decode()
    assert client.post(f"{base}withdraw", {"reason": "x"}).status_code == 403
    client.force_login(make_approver(), backend=BACKEND)
    assert "Withdraw version 2" in client.get(base).content.decode()
    assert client.post(f"{base}withdraw", {"reason": " "}).status_code == 409
    assert client.post(f"{base}withdraw", {"reason": "The year was wrong"}, follow=True).status_code == 200
    assert "withdrawn" in client.get("/services/pacs/versions/").content.decode()
    planned(rpo_s=3_600)
    etag = client.get("/api/v1/services/pacs/versions/3/").headers["ETag"]
    answer = client.post(
        "/api/v1/services/pacs/versions/3/withdraw", {"reason": "Again"}, content_type="application/json", headers={"If-Match": etag}
    )
    assert answer.status_code == 200 and answer.json()["state"] == "cancelled"


def test_an_entry_that_is_not_in_force_says_so_instead_of_not_being_there(client):
    version = planned(ahead=3)
    client.force_login(make_approver(), backend=BACKEND)
    page = client.get("/services/pacs/", follow=True)
    text = page.content.decode()
    assert page.redirect_chain[0][0] == "/services/pacs/versions/" and "is not in force yet: version 1 (1.0.0) takes force on" in text
    past = client.get(f"/services/pacs/?as_of={now() - DAY:%Y-%m-%dT%H:%MZ}")
    assert past.status_code == 404 and "was not in force then: version 1 (1.0.0) took force on" in past.content.decode()
    client.force_login(make_user("nobody"), backend=BACKEND)
    assert client.get("/services/pacs/").status_code == 404 and version.name not in client.get("/services/pacs/").content.decode()
    client.force_login(make_author(), backend=BACKEND)
    assert "pacs" not in client.get("/ownership/").content.decode().partition('id="gaps"')[2].partition("</section>")[0]


def test_one_between_two_others_goes_and_the_one_before_it_holds_until_the_one_after_it():
    service = make_service(at=now() - 9 * DAY)
    two, three = planned(ahead=5, rpo_s=7_200), planned(ahead=10, rpo_s=3_600)
    withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="Not needed")
    one = service.versions.get(number=1)
    assert one.effective.upper == three.effective.lower
    assert service.version_at(now() + 7 * DAY) == one and service.version_at(now() + 11 * DAY) == three


def test_a_version_planned_after_it_that_carries_what_it_brought_in_goes_first(client):
    service = make_service(at=now() - 9 * DAY)
    two, three = planned(ahead=5, tier=2), planned(ahead=10, summary="Images of all wards")
    with pytest.raises(NotReady, match=r"Version 3, planned for .*, says the same: Tier 3 → 2\. Withdraw version 3 first"):
        withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="Not yet")
    client.force_login(make_approver(), backend=BACKEND)
    page = client.get("/services/pacs/versions/2/").content.decode()
    assert "It cannot be withdrawn yet." in page and "Tier 3 → 2" in page and "Withdraw it before its day" not in page
    etag = client.get("/api/v1/services/pacs/versions/2/")["ETag"]
    said = {"content_type": "application/json", "headers": {"If-Match": etag}}
    answer = client.post("/api/v1/services/pacs/versions/2/withdraw", {"reason": "Not yet"}, **said)
    assert answer.status_code == 409 and "says the same: Tier 3 → 2" in answer.json()["detail"]
    withdrawing.withdraw(version=three, by=make_approver(), at=now(), reason="Both")
    withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="Both")
    assert service.version_at(now() + 60 * DAY).number == 1


def test_a_version_in_review_goes_back_to_draft_and_is_told_what_it_carries(client):
    make_service(at=now() - 9 * DAY)
    two = planned(ahead=5, tier=2)
    three = publishing.submit(version=make_draft(at=now(), summary="All wards"), by=make_author(), at=now())
    client.force_login(make_approver(), backend=BACKEND)
    page = client.get("/services/pacs/versions/2/").content.decode()
    assert "Version 3 goes back to draft, because it was read against this one. It says the same: Tier 3 → 2." in page
    withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="Not yet")
    three.refresh_from_db()
    (said,) = Comment.objects.filter(version=three)
    assert (three.state, said.is_return) == ("draft", True)
    assert said.text.startswith("Version 2 is withdrawn: Not yet") and "still says what that brought in: Tier 3 → 2." in said.text


def test_a_draft_stays_one_with_a_remark_only_where_it_carries_something():
    make_service(at=now() - 9 * DAY)
    two = planned(ahead=5, tier=2)
    draft = make_draft(at=now(), tier=3)
    withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="Not yet")
    draft.refresh_from_db()
    assert draft.state == "draft" and not Comment.objects.exists(), "it says something else there"
    publishing.cancel(version=draft, by=make_author(), at=now(), reason="x")
    two = planned(ahead=5, tier=1)
    draft = make_draft(at=now(), summary="All wards")
    withdrawing.withdraw(version=two, by=make_approver(), at=now(), reason="Not yet")
    assert [(one.version, one.is_return) for one in Comment.objects.all()] == [(draft, False)]
