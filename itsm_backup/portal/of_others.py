"""What is known of an entry of which nothing of its own is measured: how those stand that rest on it for their backup."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Q

from catalogue import weave
from catalogue.models import ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.standing import standings
from itsm_backup.portal.words import many, short_instant

NOTHING = "Nothing of its own is measured, because no job belongs to it."


def told_of_others(version: ServiceVersion, *, has_jobs: bool, user: Any, moment: Moment) -> str:
    """A sentence for a store, control or other part of the backup without a job; empty for every other entry. Two questions.

    It is no verdict: that those which rest on it have fresh copies does not prove that it works, and where their copies lie is told by
    their own pages.
    """
    if has_jobs or version.kind == ServiceVersion.Kind.BUSINESS:
        return ""
    near = weave.relations_at(moment.at, known_then=moment.past, touching=[version.service_id], kinds=list(weave.ONLY_BACKUP))
    resting = {one.consumer_id for one in near if one.provider_id == version.service_id}
    if not resting:
        return f"{NOTHING} No entry is said to rest on it for its backup."
    found = standings(user, moment).filter(service__in=resting).aggregate(
        seen=Count("pk"), newest=Max("captured_at"), kept=Count("pk", filter=Q(verdict__in=("kept", "at_risk")))
    )  # fmt: skip
    who = many(found["seen"], "service rests", "services rest")
    told = f"{NOTHING} {who} on it for {'its' if found['seen'] == 1 else 'their'} backup"
    if hidden := len(resting) - found["seen"]:
        told += f", and {hidden:,} that you may not see"
    if not found["seen"]:
        return f"{told}."
    newest = (
        f"the newest copy of one that can be restored is of {short_instant(found['newest'])}" if found["newest"] else "no copy is known"
    )
    return f"{told}: {found['kept']:,} of {found['seen']:,} keep their promise, {newest}."
