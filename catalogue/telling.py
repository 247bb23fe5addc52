"""What people are told by mail of what others did with their entries: one short message each, never of their own deeds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from catalogue import duties
from catalogue.models import AgreementVersion, ServiceVersion
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice


def tell(*, people: Iterable[Any], by: Any, what: str, subject: str, said: str, address: str, at: dt.datetime, reason: str = "") -> int:
    """Mail each of them once that `by` did what is `said`; returns how many. Not to who did it, who has left or has no address.

    `what` names the deed in the key of the message; `address` is the path of the page where it stands.
    """
    context = {"by": duties.names([by]), "said": said, "reason": reason, "organisation": settings.ORGANISATION,
               "address": f"{settings.BASE_URL}{address}"}  # fmt: skip
    body = render_to_string("catalogue/email/told.txt", context)
    receivers = {one.pk: one for one in people if one is not None and one.is_active and one.email and one.pk != by.pk}
    return sum(
        outbox.write(
            key=f"told/{what}/{pk}", thread=f"told/{what.rsplit('/', 1)[0]}/{pk}", recipient=one.email, subject=subject, body=body, at=at
        )
        for pk, one in receivers.items()
    )


def told_of(what: str) -> list[int]:
    """Ids of whom a message of this deed was written to."""
    keys = Notice.objects.filter(key__startswith=f"told/{what}/").values_list("key", flat=True)
    return [int(key.rpartition("/")[2]) for key in keys]


def of_newer_agreement(*, newer: AgreementVersion, by: Any, at: dt.datetime) -> int:
    """Mail the stewards of entries in force that name an older version of the agreement, one message each for all of theirs."""
    bearing = ServiceVersion.objects.in_force(at).select_related("steward", "service").order_by("name")
    stewards: dict[int | None, list[ServiceVersion]] = {}
    for version in bearing.naming(newer.agreement, older_than=newer.number):
        stewards.setdefault(version.steward_id, []).append(version)
    return sum(
        tell(
            people=[theirs[0].steward], by=by, what=f"agreement/{newer.pk}/newer", subject=f"A newer version of {newer.agreement.name}",
            said=f"approved {newer}, in force from {newer.from_on:%d %b %Y}. These entries of yours name an older one: "
            + ", ".join(f"{each.name} ({each.service.code})" for each in theirs)
            + ". Their next version can name the newer one.",
            address="/ownership/", at=at,
        )
        for theirs in stewards.values()
    )  # fmt: skip
