"""A person's own digest: what it would say now, and the choice when it comes and what waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.safestring import SafeString

from incidents.models import Channel, Digest, DigestPreference, OwnChannel
from incidents.models.digests import MAY_WAIT
from incidents.models.own_channels import PRIORITIES
from itsm_backup import digesting
from itsm_backup.digesting import Composed
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.service_list import Choice
from itsm_backup.portal.words import instant


@dataclass(frozen=True, kw_only=True)
class OwnRow:
    """One own channel: what it is called and for what, never where."""

    pk: int
    name: str
    kind: str
    priorities: str
    confirmed: SafeString | str
    asked: SafeString


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
    own: tuple[OwnRow, ...]
    own_problems: tuple[str, ...]
    own_kinds: tuple[Choice, ...]
    own_priorities: tuple[Choice, ...]
    own_typed: Mapping[str, Any]


def digest_page(
    *, user: Any, moment: Moment, problems: tuple[str, ...] = (), typed: Mapping[str, Any] | None = None,
    own_problems: tuple[str, ...] = (), own_typed: Mapping[str, Any] | None = None,
) -> DigestPage:  # fmt: skip
    """The page of the person who looks at it."""
    sent = Digest.objects.filter(person=OuterRef("person"), notice__isnull=False).order_by("-at").values("at")[:1]
    row: Any = DigestPreference.objects.filter(person=user).annotate(latest_at=Subquery(sent)).first() or DigestPreference(person=user)
    latest_at = getattr(row, "latest_at", None)
    said = typed or {"digest": row.digest, "told_at": f"{row.told_at:%H:%M}", "zone": row.zone, "waits": row.waits}
    wishes = DigestPreference.Wish.choices
    own_said = own_typed or {"kind": Channel.Kind.SERVICE, "priorities": PRIORITIES}
    return DigestPage(
        told=digesting.compose(person=user, at=moment.at),
        wishes=tuple(Choice(value=value, words=words.capitalize(), chosen=value == said["digest"]) for value, words in wishes),
        waits=tuple(Choice(value=one, words=one, chosen=one in said["waits"]) for one in MAY_WAIT),
        told_at=said["told_at"], zone=said["zone"], latest=instant(latest_at) if latest_at else "", address=user.email, problems=problems,
        own=tuple(_own(row) for row in OwnChannel.objects.filter(person=user)), own_problems=own_problems, own_typed=own_said,
        own_kinds=tuple(
            Choice(value=value, words=words.capitalize(), chosen=value == own_said["kind"]) for value, words in Channel.Kind.choices
        ),
        own_priorities=tuple(Choice(value=one, words=one, chosen=one in own_said["priorities"]) for one in PRIORITIES),
    )  # fmt: skip


def _own(row: OwnChannel) -> OwnRow:
    return OwnRow(
        pk=row.pk, name=row.name, kind=row.get_kind_display(), priorities=", ".join(row.priorities), asked=instant(row.asked_at),
        confirmed=instant(row.confirmed_at) if row.confirmed_at else "",
    )  # fmt: skip
