"""What was told an audience, to be read on its page: only what was approved and sent, as it was sent."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from incidents.models import Audience, MajorDelivery, MajorIncident, MajorMessage, MajorUpdate, StatusLink
from incidents.working import NotPossible

MAKE = "incidents.add_statuslink"
READS_ALL = "incidents.view_majorincident"
_LINKS_LOCK = 7_310_041


def readable_by(user: Any) -> list[Audience]:
    """Audiences whose page the user may read: all for those who work on them, business for everybody, others for who was told so."""
    if user.has_perm(READS_ALL):
        return list(Audience)
    told = set(MajorDelivery.objects.filter(person=user).values_list("message__audience", flat=True))
    return [one for one in Audience if one == Audience.BUSINESS or one.value in told]


def told_to(audience: str, *, at: dt.datetime, user: Any = None) -> QuerySet[MajorMessage]:
    """Messages to the audience that were sent by `at`, newest first; with `user` those of incidents that they may see, or were told of."""
    rows = MajorMessage.objects.filter(audience=audience, update__state="sent", update__sent_at__lte=at)
    if user is not None:
        told = MajorDelivery.objects.filter(message=OuterRef("pk"), person=user)
        rows = rows.filter(Q(update__major__in=MajorIncident.objects.visible_to(user)) | Exists(told))
    return rows.select_related("update__major").order_by("-update__sent_at", "-pk")


def newest_of_each(rows: QuerySet[MajorMessage]) -> dict[int, bool]:
    """The newest of these messages of each major incident, and whether that incident goes on by it."""
    newest = rows.order_by("update__major", "-update__sent_at", "-pk").distinct("update__major")
    return {pk: kind != MajorUpdate.Kind.CLOSURE for pk, kind in newest.values_list("pk", "update__kind")}


def going_on_first(rows: QuerySet[MajorMessage], newest: dict[int, bool]) -> QuerySet[MajorMessage]:
    """What was told last of each that goes on stands first, however much was told of others since; then all others, newest first."""
    first = [pk for pk, goes_on in newest.items() if goes_on]
    return rows.order_by(Case(When(pk__in=first, then=Value(0)), default=Value(1)), "-update__sent_at", "-pk")


def told_of(user: Any, *, at: dt.datetime) -> QuerySet[MajorIncident]:
    """Major incidents that go on by what this reader was told: of each the newest update that went to them, or to business users where
    they may see it. `told_next_at` is when it said that people are told again."""
    mine = MajorDelivery.objects.filter(update=OuterRef("pk"), person=user)
    seen = Q(audiences__contains=[Audience.BUSINESS], major__in=MajorIncident.objects.visible_to(user))
    told = MajorUpdate.objects.filter(Exists(mine) | seen, major=OuterRef("pk"), state="sent", sent_at__lte=at)
    newest = told.order_by("-sent_at", "-number")
    rows = MajorIncident.objects.live().annotate(told_kind=Subquery(newest.values("kind")[:1]))
    rows = rows.annotate(told_next_at=Subquery(newest.values("next_update_at")[:1]))
    return rows.filter(told_kind=MajorUpdate.Kind.UPDATE)


@transaction.atomic
def make_link(*, label: str, by: Any, at: dt.datetime) -> tuple[StatusLink, str]:
    """A new address for the page of business users: the row, and its secret part, which is not kept.

    Raises NotPossible without a label, and for one that an address in force has: nobody could tell them apart to take one back.
    """
    label = label.strip()
    if not label:
        raise NotPossible("Say for whom the address is.")
    if len(label) > 120:
        raise NotPossible("Say for whom the address is in at most 120 characters.")
    with connection.cursor() as cursor:  # of two at once the second sees the first
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LINKS_LOCK])
    if others_of(label).exists():
        raise NotPossible(f"There is an address for {label} already. Take it back first, or say more exactly for whom this one is.")
    token = secrets.token_urlsafe(32)
    return StatusLink.objects.create(label=label, token_hash=_hash(token), made_at=at, made_by=by), token


def others_of(label: str) -> QuerySet[StatusLink]:
    """Addresses in force for the same."""
    return StatusLink.objects.in_force().filter(label__iexact=label)


def revoke_link(*, link: StatusLink, by: Any, at: dt.datetime) -> None:
    """From now on nobody reads by this address. Raises NotPossible for one that was taken back already."""
    if not StatusLink.objects.in_force().filter(pk=link.pk).update(revoked_at=at, revoked_by=by):
        raise NotPossible(f"The address for {link.label} was taken back already.")


def link_of(token: str) -> StatusLink | None:
    """The address in force with this secret part."""
    return StatusLink.objects.in_force().filter(token_hash=_hash(token)).first()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
