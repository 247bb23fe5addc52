"""Whom a review is told to: its authors when it comes back, those concerned when it is published, and who is late with an action."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string

from catalogue.impact import consumers_of
from catalogue.models import ServiceVersion, Team
from incidents import announcing, withholding
from incidents.models import EntryProposal, Incident, IncidentEntry, PostIncidentReview, ReviewAction
from itsm_backup.common import outbox


def announce(*, review: PostIncidentReview, at: dt.datetime) -> int:
    """Tell owner, steward and team of every entry concerned, who worked on it, who has an action, and owners of what depends on them.

    Each address once. Who may not see the incident is told in words that name nothing but their own service. Returns how many mails.
    """
    people, teams, dependent = _concerned(review.incident, at)
    people |= {one.owner for one in review.actions.select_related("owner")}
    actions = list(review.actions.filter(state="open").select_related("owner").order_by("due_on", "pk"))
    proposals = EntryProposal.objects.filter(answer__review=review).select_related("service")
    subject = f"[{review.number}] {'Corrected' if review.revision > 1 else 'Published'}: review of {review.incident.number}"
    told, reached = {"review": review, "incident": review.incident, "actions": actions, "proposals": list(proposals)}, set()
    written = 0
    for person, name in [*((one, "") for one in sorted(people, key=lambda one: one.pk)), *dependent]:
        if not person.email or not person.is_active or person.email.lower() in reached:
            continue
        seen: Any = Incident.objects.told_to(person).filter(pk=review.incident_id).first()  # type: ignore[attr-defined]
        if seen is None and not name:
            continue
        reached.add(person.email.lower())
        if seen is None:
            words = f"[{review.number}] Published: a review that concerns {name}"
            written += _write(review, "beside", person.email, words, {"name": name}, at)
            continue
        withholding.retitle(person, [seen])
        own = {"title": seen.told_title, "mine": [one for one in actions if one.owner_id == person.pk]}
        theirs = list(proposals.filter(pk__in=EntryProposal.objects.visible_to(person)))
        written += _write(review, "published", person.email, subject, {**told, **own, "proposals": theirs}, at)
    for team in sorted(teams, key=lambda one: one.pk):
        if team.email and team.email.lower() not in reached:
            reached.add(team.email.lower())
            written += _write(review, "published", team.email, subject, {**told, "title": review.incident.title}, at)
    return written


def _concerned(incident: Incident, at: dt.datetime) -> tuple[set[Any], set[Team], list[tuple[Any, str]]]:
    """People and teams of the entries, who worked on it; and the owner of each dependent service with its name."""
    services = [one["service"] for one in incident.impact_at_opening.get("services", [])]
    services += [incident.service_id] if incident.service_id and incident.service_id not in services else []
    versions = ServiceVersion.objects.in_force(at).select_related("owner", "steward", "operations_team")
    people: set[Any] = set()
    teams = {incident.team} if incident.team else set()
    for version in versions.filter(service__in=services):
        people |= {version.owner, version.steward}
        teams |= {version.operations_team} if version.operations_team else set()
    worked = IncidentEntry.objects.filter(incident=incident, by__isnull=False).values("by")
    people |= set(get_user_model().objects.filter(pk__in=worked))
    people |= {incident.assignee} if incident.assignee else set()
    feels = [one.service_id for one in consumers_of(services, at=at)]
    dependent = [(one.owner, one.name) for one in versions.filter(service__in=feels).order_by("service__code")]
    return {one for one in people if one.is_active and one.email}, teams, dependent


def tell_authors(*, review: PostIncidentReview, reason: str, by: Any, at: dt.datetime) -> int:
    """Mail the authors that it came back, and why; returns how many."""
    people = get_user_model().objects.filter(pk__in=review.author_ids, is_active=True).exclude(pk=by.pk).exclude(email="").order_by("pk")
    context = {"review": review, "incident": review.incident, "reason": reason, "by": by.get_full_name() or by.get_username()}
    subject = f"[{review.number}] Sent back: review of {review.incident.number}"
    kind = f"sent_back/{at:%Y%m%d%H%M%S}"
    return sum(_write(review, kind, one.email, subject, context, at) for one in people)


def tell_late(*, action: ReviewAction, weeks: int, at: dt.datetime) -> int:
    """Remind who does it; from the second week on who published the review, too. Returns how many mails were written."""
    review = action.review
    people = [action.owner] + ([review.publisher] if weeks and review.publisher and review.publisher_id != action.owner_id else [])
    context = {"review": review, "incident": review.incident, "action": action}
    subject = f"[{review.number}] Overdue since {action.due_on:%d %b %Y}: {action.what}"
    kind = f"overdue/{action.pk}/{weeks}"
    live = [one for one in people if one.is_active and one.email]
    return sum(_write(review, kind, one.email, subject, {**context, "mine": one == action.owner}, at) for one in live)


def _write(review: PostIncidentReview, kind: str, recipient: str, subject: str, more: dict[str, Any], at: dt.datetime) -> bool:
    """One message for one address, once; withheld where the incident was replayed from recordings."""
    context = {"organisation": settings.ORGANISATION, "address": f"{settings.BASE_URL}/reviews/{review.number}/", **more}
    replayed = announcing.is_replayed(review.incident, None)
    return outbox.write(
        key=f"review/{review.pk}/{kind}/{recipient.lower()}"[:200], thread=f"review/{review.pk}", recipient=recipient, subject=subject,
        body=render_to_string(f"incidents/email/review_{kind.partition('/')[0]}.txt", context), at=at,
        withheld=announcing.REPLAYED if replayed else "",
    )  # fmt: skip
