"""Makers for tests of the catalogue, with the people told apart: author, approver, others."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from catalogue import publishing
from catalogue.models import Service, ServiceVersion, Team
from itsm_backup.common.models import because
from itsm_backup.common.time import now

NOON = dt.datetime(2026, 7, 14, 12, 0, tzinfo=dt.UTC)


def make_user(username: str, *permissions: str, **fields: Any) -> Any:
    """A person holding these permissions ("catalogue.approve_service") everywhere."""
    user, _ = get_user_model().objects.get_or_create(username=username, defaults={"email": f"{username}@example.org", **fields})
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return get_user_model().objects.get(pk=user.pk)  # without the cache of permissions


def make_author() -> Any:
    return make_user("author", "catalogue.view_service", "catalogue.change_service")


def make_approver(username: str = "approver") -> Any:
    return make_user(username, "catalogue.view_service", "catalogue.approve_service")


def make_team(name: str = "Storage") -> Team:
    found = Team.objects.filter(name=name).first()
    if found:
        return found
    with because("A team for tests"):
        return Team.objects.create(name=name, email=f"{name.lower().replace(' ', '-')}@example.org")


def make_content(code: str = "pacs", **other: Any) -> dict[str, Any]:
    """Complete content of a version."""
    return {
        "name": f"Service {code}", "short_name": code[:22], "tier": 3, "commissioned_at": NOON - dt.timedelta(days=365),
        "owner": make_user("owner"), "steward": make_author(), "operations_team": make_team(), **other,
    }  # fmt: skip


def make_draft(code: str = "pacs", *, at: dt.datetime = NOON, rpo_s: int = 93_600, **content: Any) -> ServiceVersion:
    author = make_author()
    service = Service.objects.filter(code=code).first() or publishing.create_service(code=code, by=author, at=at, reason="New")
    full = content if service.versions.approved().exists() else make_content(code, **content)
    return publishing.draft_version(service=service, content=full, commitment={"rpo_s": rpo_s}, by=author, at=at, reason="Test")


def make_service(code: str = "pacs", *, at: dt.datetime = NOON, rpo_s: int = 93_600, **content: Any) -> Service:
    """A service in the catalogue, with an approved version (a further one when it exists already)."""
    version = make_draft(code, at=at, rpo_s=rpo_s, **content)
    publishing.submit(version=version, by=make_author(), at=at)
    return publishing.approve(version=version, by=make_approver(), at=at).service


def take_out(service: Service, *, at: dt.datetime | None = None) -> Service:
    """The service, retired: its version in force ended at `at` (default: now)."""
    with because("Taken out for a test"):
        for version in service.versions.approved().filter(effective__endswith=None):
            version.effective = (version.effective.lower, at or now())
            version.save()
        service.lifecycle = Service.Lifecycle.RETIRED
        service.save()
    return service
