"""Relations added and ended on the pages of an entry and of its draft."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from catalogue import publishing
from catalogue.models import Relation
from itsm_backup.common.time import now
from tests.factories import make_service
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)


@pytest.fixture
def entries():
    at = now() - 5 * DAY
    return {code: make_service(code, name=name, at=at) for code, name in (("PACS", "Imaging archive"), ("NET", "Network core"))}


@pytest.fixture
def steward(client):
    person = make_person("steward", now())
    client.force_login(person, backend=BACKEND)
    return person


def add(client, service, **more):
    sent = {"kind": "depends_on", "strength": "hard", "other": "NET", "change_reason": "As built", **more}
    return client.post(reverse("admin:catalogue_service_relate", args=[service.pk]), sent, follow=True)


def test_a_steward_adds_and_ends_one_without_leaving_the_draft(client, steward, entries):
    said = {"by": steward, "at": now(), "reason": "More"}
    draft = publishing.draft_version(service=entries["PACS"], content={"summary": "Pictures"}, commitment={}, **said)
    page = reverse("admin:catalogue_serviceversion_change", args=[draft.pk])
    assert "Add a relation" in client.get(page).content.decode()
    answer = add(client, entries["PACS"], other="network core", next=page)
    assert answer.redirect_chain[-1][0] == f"{page}#relations"
    assert "PACS depends on NET: it stands." in answer.content.decode()
    row = Relation.objects.get()
    assert (row.consumer, row.provider, row.strength) == (entries["PACS"], entries["NET"], "hard")
    assert Relation.history.get().history_change_reason == "As built"
    ended = client.post(
        reverse("admin:catalogue_service_unrelate", args=[entries["PACS"].pk, row.pk]), {"change_reason": "Replaced"}, follow=True
    )
    assert "holds no longer" in ended.content.decode() and not Relation.objects.standing(now()).exists()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"change_reason": " "}, "Say why"),
        ({"other": "NOWHERE"}, "names no entry that you may see"),
        ({"other": ""}, "names no entry that you may see"),
        ({"other": "PACS"}, "cannot"),
        ({"kind": "loves"}, "Choose how the two hang together"),
    ],
)
def test_what_cannot_be_is_told(client, steward, entries, sent, told):
    assert told in add(client, entries["PACS"], **sent).content.decode()
    assert not Relation.objects.exists()


def test_a_circle_is_told_and_nobody_is_led_away(client, steward, entries):
    add(client, entries["PACS"], kind="part_of")
    answer = add(client, entries["NET"], kind="part_of", other="PACS", next="https://evil.example/")
    assert answer.redirect_chain[-1][0].startswith("/admin/catalogue/service/") and Relation.objects.count() == 1


def test_others_do_not(client, entries):
    client.force_login(make_person("auditor", now()), backend=BACKEND)
    page = client.get(reverse("admin:catalogue_service_change", args=[entries["PACS"].pk])).content.decode()
    assert "Relations" in page and "Add a relation" not in page
    assert "The attempt is on record" in add(client, entries["PACS"]).content.decode() and not Relation.objects.exists()
    assert client.get(reverse("admin:catalogue_service_relate", args=[entries["PACS"].pk])).status_code == 404


def test_the_list_tells_tier_department_and_steward(client, steward, entries):
    text = client.get(reverse("admin:catalogue_service_changelist")).content.decode()
    assert "column-tier" in text and "column-department" in text and "column-steward" in text
