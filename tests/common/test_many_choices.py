"""Forms and filters where there is too much to choose from: a row is named by its code."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from catalogue import publishing
from catalogue.models import Relation, Service
from itsm_backup.common.admin import rights

AT = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def root(db):
    return get_user_model().objects.create_superuser("root", "root@example.org")


@pytest.fixture
def many(root, monkeypatch):
    monkeypatch.setattr(rights, "MOST_OFFERED", 3)
    return [publishing.create_service(code=f"svc-{n}", by=root, at=AT, reason="test") for n in range(5)]


@pytest.fixture
def client(root):
    client = Client()
    client.force_login(root)
    return client


def test_a_relation_is_added_by_codes(client, many):
    page = client.get(f"{reverse('admin:catalogue_relation_add')}?consumer={many[0].pk}").content.decode()
    assert '<input type="text" name="consumer" value="svc-0"' in page and "<option value" in page
    assert f'value="{many[3].pk}"' not in page
    said = {"consumer": "svc-0", "provider": "svc-3", "kind": "depends_on", "strength": "hard", "change_reason": "test"}
    answer = client.post(reverse("admin:catalogue_relation_add"), said)
    assert answer.status_code == 302
    assert Relation.objects.filter(consumer=many[0], provider=many[3]).count() == 1


def test_a_code_that_is_not_there_is_told(client, many):
    said = {"consumer": "svc-0", "provider": "svc-9", "kind": "depends_on", "strength": "hard", "change_reason": "test"}
    page = client.post(reverse("admin:catalogue_relation_add"), said)
    assert "There is no “svc-9” that you may choose here." in page.content.decode()
    assert 'value="svc-9"' in page.content.decode()
    assert not Relation.objects.exists()


def test_a_new_version_offers_only_the_entry_that_the_address_names(client, many):
    page = client.get(f"{reverse('admin:catalogue_serviceversion_add')}?service={many[1].pk}").content.decode()
    assert f'<option value="{many[1].pk}" selected>svc-1</option>' in page and "svc-2" not in page


def test_a_new_version_without_an_address_is_of_the_code_that_is_written(client, many):
    page = client.post(reverse("admin:catalogue_serviceversion_add"), {"service": "svc-2", "change_reason": "test"}).content.decode()
    assert "<h1>Version 1 of svc-2</h1>" in page


def test_a_filter_offers_nothing_where_that_is_too_much(client, many, root):
    assert Service.objects.count() > rights.MOST_OFFERED
    page = client.get(reverse("admin:catalogue_window_changelist")).content.decode()
    assert "svc-1" not in page
