"""What waits for a person: duties offered, entries to attest, versions, deviations, retirements, reviews, candidates and updates of major
incidents to decide on, their actions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count

from catalogue import handing_over
from catalogue.models import Attestation, Deviation, HandOver, Retirement, Service, ServiceVersion
from incidents import leading, updating
from incidents.models import EntryProposal, MajorIncident, MajorUpdate, PostIncidentReview, ReviewAction
from itsm_backup.common.time import local_day
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link, told_as_one
from itsm_backup.portal.words import many, zone


def waiting_for(*, user: Any, moment: Moment) -> tuple[Link, ...]:
    """Each with how many there are and where they are answered; one query. Nothing waits in the past."""
    if moment.past:
        return ()
    approvable = Service.objects.visible_to(user, "approve")
    reviews = ServiceVersion.objects.filter(state="in_review", service__in=approvable)
    reviews = reviews.exclude(author_ids__contains=[user.pk]).exclude(steward=user)
    today = local_day(moment.at, str(zone()))
    asked = Deviation.objects.filter(granted_at=None, ended_at=None, expires_on__gte=today, service__in=approvable)
    asked = asked.exclude(owner=user).exclude(asked_by=user)
    publishable = PostIncidentReview.objects.visible_to(user, "publish").filter(state="in_review").exclude(author_ids__contains=[user.pk])
    updates = MajorUpdate.objects.filter(state="draft", major__in=MajorIncident.objects.visible_to(user))
    updates = updates.exclude(author_ids__contains=[user.pk]) if user.has_perm(updating.APPROVE) else updates.none()
    candidates = MajorIncident.objects.visible_to(user).filter(state="candidate")
    candidates = candidates if user.has_perm(leading.DECLARE) else candidates.none()
    rows = (
        candidates, updates,
        HandOver.objects.filter(handing_over.asked_of(user), answered_at=None).exclude(team__isnull=False, asked_by=user),
        Attestation.objects.filter(person=user, answered_at=None).exclude(service__lifecycle=Service.Lifecycle.RETIRED),
        reviews, asked, Retirement.objects.filter(state="asked", service__in=approvable).exclude(asked_by=user), publishable,
        ReviewAction.objects.filter(owner=user, state="open", review__state="published"),
        EntryProposal.objects.filter(state="open", service__in=Service.objects.visible_to(user, "change")),
    )  # fmt: skip
    told = get_user_model().objects.filter(pk=user.pk).values_list(*(told_as_one(each, n=Count("*")) for each in rows)).get()
    counts = (each["n"] if each else 0 for each in told)
    majors, drafts, offers, attestations, versions, deviations, leaving, finished, actions, proposals = counts
    found = (
        (majors, many(majors, "major incident is", "major incidents are") + " proposed: declare or reject", "majors", "candidate"),
        (drafts, many(drafts, "update", "updates") + " of a major incident to read and approve", "majors", ""),
        (offers, many(offers, "duty is", "duties are") + " offered to you", "ownership", ""),
        (attestations, many(attestations, "entry waits", "entries wait") + " for your word that it is right", "ownership", ""),
        (versions, many(versions, "version waits", "versions wait") + " for your approval", "approvals", ""),
        (deviations, many(deviations, "deviation waits", "deviations wait") + " for your decision", "deviations", ""),
        (leaving, many(leaving, "retirement waits", "retirements wait") + " for your decision", "retired", ""),
        (finished, many(finished, "review waits", "reviews wait") + " to be published", "reviews", "open"),
        (actions, many(actions, "action of a review is", "actions of reviews are") + " yours", "reviews", "mine"),
        (
            proposals,
            many(proposals, "answer of a review asks", "answers of reviews ask") + " an entry to say something else",
            "reviews",
            "published",
        ),
    )
    return tuple(Link(words, moment.href(name, view=view)) for count, words, name, view in found if count)
