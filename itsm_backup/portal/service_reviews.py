"""The reviews of a service: what incidents taught about it, and what they ask its entry to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils.safestring import SafeString

from catalogue.models import ServiceVersion
from incidents import proposing
from incidents.models import EntryProposal, PostIncidentReview, ReviewAnswer
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import day, many, recent

MOST = 10


@dataclass(frozen=True, kw_only=True)
class Taught:
    """One published review, and each thing that it asks the entry to say with what became of that."""

    name: Link
    when: SafeString
    words: str
    asked: tuple[tuple[str, str], ...]


def reviews_of(*, service_id: int, user: Any, moment: Moment) -> tuple[Taught, ...]:
    """Those published by then, the newest first; two questions."""
    about = ReviewAnswer.objects.filter(service=service_id).values("review")
    rows: Any = PostIncidentReview.objects.visible_to(user).newest().filter(pk__in=about, published_at__lte=moment.at)
    rows = rows.annotate(wrong=Count("answers", filter=Q(answers__answer="no", answers__service=service_id), distinct=True))
    shown = list(rows.defer("facts").order_by("-published_at", "-pk")[:MOST])
    asked: dict[int, list[tuple[str, str]]] = {}
    if shown:
        incidents = [one.incident_id for one in shown]
        known = EntryProposal.objects.filter(service=service_id, incident__in=incidents, made_at__lte=moment.at)
        for one in known.select_related("version"):
            became = "" if moment.past else proposing.became(one)
            asked.setdefault(one.incident_id, []).append((one.text, became))
    return tuple(
        Taught(
            name=Link(f"{one.number}: {one.cause}"[:160], moment.href("review", one.number)),
            when=recent(one.published_at, moment),
            words=f"{many(one.wrong, 'answer')} found the entry not right" if one.wrong else "The entry was right",
            asked=tuple(asked.get(one.incident_id, ())),
        )
        for one in shown
    )


def drafted_because_of(*, version: ServiceVersion, user: Any, moment: Moment) -> tuple[Link, ...]:
    """The reviews that asked for this version, of those that the user may read."""
    reviews = PostIncidentReview.objects.visible_to(user)
    rows = EntryProposal.objects.filter(version=version, answer__review__in=reviews, answered_at__lte=moment.at)
    found = {one.answer.review_id: one for one in rows.select_related("answer__review")}
    return tuple(
        Link(f"{one.answer.review.number} of {day(one.made_at.date())}", moment.href("review", one.answer.review.number))
        for one in found.values()
    )
