"""Every list asks the database as often for ten times as many rows: portal, API and admin, walked one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from catalogue.models import Service
from itsm_backup.bench import multiplying, pattern
from itsm_backup.common.time import now
from itsm_backup.granting import ensure_roles, grant
from monitoring.models import Tool

OF_ONE = ["/?by=department", "/search?q=service", "/services/KEPT/", "/services/KEPT/runs/", "/services/KEPT/calendar/"]


def addresses(patterns: list[Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each address of the product and the module that answers it."""
    for one in patterns:
        address = f"{before}{one.pattern}"
        if hasattr(one, "url_patterns"):
            yield from addresses(one.url_patterns, address)
        else:
            view = getattr(one.callback, "view_class", one.callback)
            yield f"/{address}", view.__module__


def lists() -> list[str]:
    """The address of every list that there is: those of the portal and of the API that name no row, and the admin's."""
    plain = [(address, module) for address, module in addresses(get_resolver().url_patterns) if not set("<(^") & set(address)]
    own = [address for address, module in plain if address.startswith("/api/v1/") or module.startswith("itsm_backup.portal.")]
    assert {"/", "/services/", "/incidents/", "/reports/", "/api/v1/runs/", "/api/v1/incidents/"} <= set(own)
    models = [f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry]
    return [*OF_ONE, *own, *(reverse(name) for name in models)]


def questions(client: Client, address: str) -> int | None:
    """How many questions the list asks when it is looked at for the second time; None for one that takes things, leads on or is closed."""
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(address)
        if answer.status_code in (302, 403, 405):
            return None
        assert answer.status_code == 200, (address, answer.status_code)
    return len(seen.captured_queries)


def asked_by(client: Client, *, at_least: int) -> dict[str, int]:
    found = {address: count for address in lists() if (count := questions(client, address)) is not None}
    assert len(found) > at_least
    return found


def let_see(person: Any, *, by: Any) -> None:
    """Every service and tool that there is by now, each by a right on the very object, and nothing by a role."""
    grant(user=person, role="steward", by=by, at=now(), reason="test", services=Service.objects.all())
    grant(user=person, role="operator", by=by, at=now(), reason="test", tools=Tool.objects.all())


@pytest.mark.django_db(transaction=True)
def test_every_list_asks_as_often_for_ten_times_as_many_rows_whatever_lets_one_see_them():
    made = pattern.make(at=now(), runs=8)
    root = get_user_model().objects.get(pk=made.person)
    limited = get_user_model().objects.create_user("limited", "limited@example.org", None)
    ensure_roles(at=now())
    let_see(limited, by=root)
    clients = {}
    for person in (root, limited):
        clients[person.username] = Client()
        clients[person.username].force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    few = {"root": asked_by(clients["root"], at_least=40), "limited": asked_by(clients["limited"], at_least=20)}
    assert {"/", "/services/", "/incidents/", "/api/v1/runs/", reverse("admin:catalogue_service_changelist")} <= set(few["limited"])
    multiplying.multiply(made, services=20)
    let_see(limited, by=root)
    assert b"SVC-00007" in clients["limited"].get("/services/").content
    for name, client in clients.items():
        many = {address: questions(client, address) for address in few[name]}
        assert {address: (few[name][address], many[address]) for address in many if many[address] > few[name][address]} == {}, name
