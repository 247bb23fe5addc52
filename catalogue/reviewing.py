"""What people say about a version on its way, and who is told: approvers of what waits for them, authors of what came back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.template.loader import render_to_string

from catalogue import comparing, duties, telling, wording
from catalogue.models import Comment, ServiceVersion
from catalogue.refusing import NotReady, words_of
from itsm_backup.common import outbox

MOST = 4_000


def comment(*, version: ServiceVersion, text: str, by: Any, at: dt.datetime, is_return: bool = False) -> Comment:
    """Keep a remark about the version as it stands; it is never changed or deleted. Raises NotReady for an empty one and a too long one."""
    said = text.strip()
    if not said:
        raise NotReady(["Write what you want to say about it."])
    if len(said) > MOST:
        raise NotReady([f"The remark has {len(said):,} characters, and at most {MOST:,} are kept. Shorten it."])
    seen = version.content_hash or comparing.hash_of(comparing.content_of(version))
    kept = Comment.objects.create(version=version, at=at, by=by, text=said, content_hash=seen, is_return=is_return)
    if not is_return:  # of a return the authors are told apart
        concerned = Q(pk__in=version.author_ids) | Q(pk__in=version.comments.values("by"))
        _tell(version, get_user_model().objects.filter(concerned), by, f"comment/{kept.pk}", f"commented on {_title(version)}.", said, at)
    return kept


def tell_approved(*, version: ServiceVersion, by: Any, reason: str, at: dt.datetime) -> None:
    """Mail its authors, its owner and its steward that it is approved, and from when it is in force."""
    people = [*get_user_model().objects.filter(pk__in=version.author_ids), version.owner, version.steward]
    told = f"approved {_title(version)}. It is in force from {words_of(version.effective.lower)}."
    _tell(version, people, by, "approved", told, reason, at)


def _tell(version: ServiceVersion, people: Iterable[Any], by: Any, what: str, said: str, text: str, at: dt.datetime) -> None:
    page = f"/services/{version.service.code}/versions/{version.number}/"
    telling.tell(people=people, by=by, what=f"version/{version.pk}/{what}", subject=f"{_title(version)}: {what.split('/', maxsplit=1)[0]}",
                 said=said, reason=text, address=page, at=at)  # fmt: skip


def ask_approvers(*, version: ServiceVersion, by: Any, at: dt.datetime) -> int:
    """Mail everybody who may approve the version, with what it changes and a link to the page where they do; returns how many."""
    before = version.service.versions.approved().exclude(pk=version.pk).order_by("-number").first()
    content = comparing.content_of(version)
    seen = comparing.hash_of(content)
    changes = wording.tell(comparing.diff(comparing.content_of(before), content)) if before else []
    context = {
        "version": version, "before": before, "changes": changes, "by": duties.names([by]), "organisation": settings.ORGANISATION,
        "address": f"{address(version)}?seen={seen}",
    }  # fmt: skip
    return sum(
        _write(version, person, f"submitted/{version.revisions.count()}/{seen[:16]}", f"For approval: {_title(version)}", context, at)
        for person in duties.who_may("approve", version.service, except_ids=[*version.author_ids, version.steward_id])
    )


def tell_authors(*, version: ServiceVersion, by: Any, reason: str, at: dt.datetime) -> int:
    """Mail the authors that their version came back, and why; returns how many."""
    context = {
        "version": version, "by": duties.names([by]), "reason": reason, "organisation": settings.ORGANISATION, "address": address(version)
    }  # fmt: skip
    people = get_user_model().objects.filter(pk__in=version.author_ids, is_active=True).exclude(pk=by.pk)
    key = f"returned/{at:%Y%m%d%H%M%S}"
    return sum(_write(version, person, key, f"Returned: {_title(version)}", context, at) for person in people)


def address(version: ServiceVersion) -> str:
    return f"{settings.BASE_URL}/services/{version.service.code}/versions/{version.number}/"


def _title(version: ServiceVersion) -> str:
    return f"{version.name}, {version.numbers}"


def _write(version: ServiceVersion, person: Any, key: str, subject: str, context: dict[str, Any], at: dt.datetime) -> bool:
    if not person.email:
        return False
    template = f"catalogue/email/{key.split('/', maxsplit=1)[0]}.txt"
    return outbox.write(
        key=f"version/{version.pk}/{key}/{person.pk}", thread=f"version/{version.pk}/{person.pk}", recipient=person.email,
        subject=subject, body=render_to_string(template, context), at=at,
    )  # fmt: skip
