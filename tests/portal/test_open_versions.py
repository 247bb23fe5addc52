"""Who reads versions on their way: one answer for pages and API, asked as each role and as people with rights on one entry."""

import datetime as dt
import json

import pytest
from django.contrib.auth import get_user_model
from guardian.shortcuts import assign_perm

from catalogue import publishing
from catalogue.models import Service
from itsm_backup import granting
from itsm_backup.common.time import now
from monitoring.models import DetectedChange
from tests.catalogue.makers import make_user as known
from tests.factories import make_admin, make_service, make_user
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
HOUR = dt.timedelta(hours=1)
ROLES = {
    "steward": True, "approver": True, "auditor": True, "monitoring-admin": True, "change-manager": True,
    "operator": False, "requester": False, "stakeholder": False, "executive": False,
}  # fmt: skip
RIGHTS = {("change",): True, ("approve",): True, (): False}


@pytest.fixture
def draft():
    """Version 2 of an entry, by somebody who may no more than read it by now."""
    service = make_service("SVC-003", at=now() - 24 * HOUR, name="Imaging archive")
    make_service("SVC-014", at=now() - 24 * HOUR, name="Ward files")
    author = known("writer", "catalogue.view_service")
    return publishing.draft_version(
        service=service, content={"summary": "Pictures of CT"}, commitment={}, by=author, at=now() - HOUR, reason="Round the clock"
    )


def with_rights(service, *rights):
    """A person with rights on one entry, without a role and without the administration."""
    person = make_user()
    for right in ("view", *rights):
        assign_perm(f"catalogue.{right}_service", person, service)
    return person


def reads(client, person):
    """Which of the places show version 2 to the person, in pages and API."""
    client.force_login(person, backend=BACKEND)
    pages, api = "/services/SVC-003/versions/", "/api/v1/services/SVC-003/versions/"
    then = f"as_of={now() - HOUR / 2:%Y-%m-%dT%H:%MZ}"
    assert client.get(f"{pages}2/?{then}").status_code == client.get(f"{api}2/?{then}").status_code == 404, (
        "the past shows what was approved"
    )
    return {
        'versions/2/"' in client.get(pages).content.decode(),
        client.get(f"{pages}2/").status_code == 200,
        client.get(f"{pages}1..2/").status_code == 200,
        2 in [one["number"] for one in client.get(api).json()["results"]],
        client.get(f"{api}2/").status_code == 200,
        client.get("/api/v1/services/SVC-003/diff/?from=1&to=2").status_code == 200,
    }


def test_roles_that_work_on_entries_read_them(client, draft):
    assert {role: reads(client, make_person(role, now())) for role in ROLES} == {role: {may} for role, may in ROLES.items()}


def test_a_right_to_change_or_approve_the_entry_is_enough(client, draft):
    found = {rights: reads(client, with_rights(draft.service, *rights)) for rights in RIGHTS}
    assert found == {rights: {may} for rights, may in RIGHTS.items()}


def test_authors_read_what_they_wrote_and_a_right_elsewhere_is_no_right_here(client, draft):
    assert reads(client, known("writer")) == {True}
    elsewhere = with_rights(Service.objects.get(code="SVC-014"), "change", "approve")
    assign_perm("catalogue.view_service", elsewhere, draft.service)
    assert reads(client, elsewhere) == {False}


def test_a_right_to_change_outside_the_administration_carries_a_draft_to_its_approval(client):
    service = make_service("SVC-003", at=now() - 24 * HOUR, name="Imaging archive")
    writer, approver = with_rights(service, "change"), with_rights(service, "approve")
    base = "/api/v1/services/SVC-003/versions/"

    def post(person, address, etag="", **sent):
        client.force_login(person, backend=BACKEND)
        return client.post(base + address, json.dumps(sent), content_type="application/json", headers={"If-Match": etag} if etag else {})

    made = post(writer, "", reason="Night shift", content={"summary": "Pictures at night"})
    assert made.status_code == 201
    assert "Pictures at night" in client.get("/services/SVC-003/versions/2/").content.decode()
    assert client.post("/services/SVC-003/versions/2/comment", {"text": "Agreed with the wards"}).status_code == 302
    assert post(writer, "2/submit", made.headers["ETag"], reason="Ready").status_code == 200
    client.force_login(approver, backend=BACKEND)
    page = client.get("/services/SVC-003/versions/2/").content.decode()
    assert "Agreed with the wards" in page and "Approve version 2" in page
    assert post(approver, "2/approve", made.headers["ETag"]).status_code == 200
    client.force_login(writer, backend=BACKEND)
    late = client.post("/services/SVC-003/versions/2/comment", {"text": "One more"})
    assert late.status_code == 409 and "Comments belong to a version on its way" in late.content.decode()


def test_a_detected_change_names_a_draft_only_to_those_who_can_read_it(client, draft):
    DetectedChange.objects.create(service=draft.service, aspect="repository", before="A", after="B", detected_at=now() - HOUR / 2)
    for person, shown in ((known("writer"), True), (make_person("stakeholder", now()), False)):
        client.force_login(person, backend=BACKEND)
        assert ("version 2 is draft" in client.get("/services/SVC-003/versions/").content.decode()) is shown


def test_whoever_lost_a_role_reads_no_drafts_any_more(client, draft):
    person = make_person("approver", now())
    assert reads(client, person) == {True}
    granting.revoke(user=person, scope=granting.held_by(person)[0], by=make_admin(), at=now(), reason="Moved on")
    assign_perm("catalogue.view_service", person, draft.service)
    assert reads(client, get_user_model().objects.get(pk=person.pk)) == {False}
