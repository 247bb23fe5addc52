"""What comes of an owner's word that an entry is not right: it stays a gap until a steward answers it or the owner attests anew."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from catalogue import duties, telling
from catalogue.models import Attestation, AttestationReply, ServiceVersion
from catalogue.refusing import NotReady, WrongState

MOST = 2_000


def unanswered(at: dt.datetime) -> Q:
    """The condition for attestations that say “not right” and of which nothing came by then."""
    anew = Attestation.objects.filter(service=OuterRef("service"), answered_at__gt=OuterRef("answered_at"), answered_at__lte=at)
    replied = AttestationReply.objects.filter(attestation=OuterRef("pk"), replied_at__lte=at)
    return Q(right=False, answered_at__lte=at) & ~Exists(anew) & ~Exists(replied)


def versions_since(attestation: Attestation) -> QuerySet[ServiceVersion]:
    """Versions of its entry that were approved after it: one of them may take it up."""
    return attestation.service.versions.approved().filter(approved_at__gt=attestation.answered_at).order_by("-number")


def reply(*, attestation: Attestation, text: str, version: ServiceVersion | None = None, by: Any, at: dt.datetime) -> AttestationReply:
    """A steward's answer to “not right”, with the version that takes it up where there is one; whoever said it is told.

    Raises NotAllowed, NotReady without words or for a version that cannot have taken it up, WrongState when nothing waits for an answer.
    """
    duties.check(by=by, act="change", on=attestation.service, at=at)
    said = text.strip()
    if not said or len(said) > MOST:
        raise NotReady([f"Say in at most {MOST:,} characters what came of it: its owner reads it."])
    with transaction.atomic():
        held = (
            Attestation.objects.select_for_update(of=("self",))
            .select_related("service", "round", "person", "version")
            .get(pk=attestation.pk)
        )
        if not Attestation.objects.filter(unanswered(at), pk=held.pk).exists():
            raise WrongState("Nothing waits for an answer here: it was answered already, or attested anew. Nothing was changed.")
        if version is not None and not versions_since(held).filter(pk=version.pk).exists():
            raise NotReady(["Choose a version of this entry that was approved after its owner said so."])
        made = AttestationReply.objects.create(attestation=held, text=said, version=version, replied_at=at, replied_by=by)
        _tell(made, held, by=by, at=at)
    return made


def _tell(made: AttestationReply, held: Attestation, *, by: Any, at: dt.datetime) -> None:
    live = held.service.version_at(at)
    taken_up = f" Version {made.version.number} takes it up." if made.version else ""
    telling.tell(
        people=[held.person, live.owner if live else None], by=by, what=f"attestation/{held.pk}/reply",
        subject=f"{held.version.name}: what came of “not right”",
        said=f"answered what was said of {held.version.name} in “{held.round.title}”: “{held.remark}”.{taken_up}",
        reason=made.text, address=f"/services/{held.service.code}/ownership/", at=at,
    )  # fmt: skip
