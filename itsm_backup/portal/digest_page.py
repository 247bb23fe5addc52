"""A person's own digest: what it would say now, and the choice when it comes and what waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents.models import Digest, DigestPreference
from incidents.models.digests import MAY_WAIT
from itsm_backup import digesting
from itsm_backup.digesting import Composed
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import instant


@dataclass(frozen=True, kw_only=True)
class DigestPage:
    told: Composed
    wishes: tuple[Choice, ...]
    waits: tuple[Choice, ...]
    told_at: str
    zone: str
    latest: Any
    address: str
    problems: tuple[str, ...]


def digest_page(*, user: Any, moment: Moment, problems: tuple[str, ...] = (), typed: Mapping[str, Any] | None = None) -> DigestPage:
    """The page of the person who looks at it."""
    row = DigestPreference.objects.filter(person=user).first() or DigestPreference(person=user)
    said = typed or {"digest": row.digest, "told_at": f"{row.told_at:%H:%M}", "zone": row.zone, "waits": row.waits}
    wishes = DigestPreference.Wish.choices
    latest = Digest.objects.filter(person=user, notice__isnull=False).order_by("-at").first()
    return DigestPage(
        told=digesting.compose(person=user, at=moment.at),
        wishes=tuple(Choice(value=value, words=words.capitalize(), chosen=value == said["digest"]) for value, words in wishes),
        waits=tuple(Choice(value=one, words=one, chosen=one in said["waits"]) for one in MAY_WAIT),
        told_at=said["told_at"], zone=said["zone"], latest=instant(latest.at) if latest else "", address=user.email, problems=problems,
    )  # fmt: skip
