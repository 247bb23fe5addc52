"""Who does what for an entry, and where nobody does: the responsibility matrix and its gaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import Count, Min, OuterRef, Q, Subquery

from catalogue import duties, naming, replying
from catalogue.models import AgreementVersion, Attestation, ImpactAnalysis, Label, Service, ServiceVersion
from itsm_backup.common.time import local_day

PARTIES = ("Steward", "Owner", "Backup operations", "Monitoring administrators", "Change managers", "Auditors")
# R does it, A answers for it (exactly one in a row), C is asked, I is told.
MATRIX: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Content of the entry", ("R", "A", "C", "I", "C", "I")),
    ("What it promises", ("R", "A", "C", "I", "I", "C")),
    ("Configuration of its jobs", ("I", "C", "A/R", "I", "C", "I")),
    ("Tools, mapping, thresholds", ("I", "C", "C", "A/R", "C", "I")),
    ("Publication", ("R", "A", "I", "I", "C", "I")),
    ("Leave to change it", ("C", "C", "R", "C", "A", "I")),
    ("Restore tests", ("I", "A", "R", "I", "I", "C")),
    ("Attesting the evidence", ("I", "C", "C", "C", "I", "A/R")),
)


class Gap(NamedTuple):
    """One thing that nobody looks after: of which entry, and what to do about it. `cause` is what such gaps have in common."""

    service_id: int | None
    kind: str
    cause: str
    sentence: str


_OF_PERSON = [f"{duty}__{name}" for duty in ("owner", "steward") for name in ("username", "first_name", "last_name", "email", "is_active")]
_READ = ("service", "review_due_on", "labels", "operations_team__name", "operations_team__email", *_OF_PERSON)


def holders(role: str) -> list[Any]:
    """Active people who hold a role over the whole estate, by name."""
    return list(get_user_model().objects.filter(groups__name=role, is_active=True).order_by("last_name", "username"))


class _Look:
    """What is known of everybody before the entries are gone through: whom duties exclude, and who may change what."""

    def __init__(self, barred: Mapping[str, Mapping[int, str]], changing: naming.Changing) -> None:
        self.barred, self.changing = barred, changing


def gaps(*, services: Iterable[Service] | Any, at: dt.datetime) -> list[Gap]:
    """Everything that is missing in the ownership of these entries; the number of queries does not grow with them."""
    today = local_day(at, "UTC")
    look = _Look(naming.unfit(at), naming.changing())
    versions = ServiceVersion.objects.in_force(at).filter(service__in=services)
    found: list[Gap] = []
    read = versions.select_related("owner", "steward", "operations_team").only(*_READ)
    read = read.annotate(newer=_newer_agreement(at), analysis_due_on=_analysis_due(at))
    used: set[str] = set()
    for version in read.order_by("name"):
        used.update(version.labels)
        told = [*_of_people(version, look), *_of_version(version, today)]
        found += [Gap(version.service_id, kind, cause, sentence) for kind, cause, sentence in told]
    answers = Attestation.objects.filter(service__in=services, service__lifecycle__in=Service.LISTED).select_related("round", "person")
    for row in answers.filter(Q(answered_at=None, round__due_on__lt=today) | replying.unanswered(at)):
        found.append(_of_answer(row))
    not_over = Q(versions__effective__endswith=None) | Q(versions__effective__endswith__gt=at)  # what takes force later is no gap
    approved = Q(versions__state="approved", versions__approved_at__lte=at)  # with its first one it came into the catalogue
    unwritten = Service.objects.filter(pk__in=services, lifecycle__in=Service.LISTED).annotate(
        known=Count("versions", filter=approved, distinct=True),
        live=Count("versions", filter=approved & not_over, distinct=True),
        leaves_at=Min("retirements__ends_at", filter=Q(retirements__state="planned")),
    )
    found += [gap for row in unwritten.filter(Q(known__gt=0, live=0) | Q(leaves_at__lte=at)) for gap in _of_entry(row)]
    found += [
        Gap(None, "label", "A label that nobody explained", f"The label {row.word} is used, but nobody said what it means.")
        for row in Label.objects.filter(word__in=used, meaning="")
    ]
    return found


def _newer_agreement(at: dt.datetime) -> Subquery:
    """The name of an agreement of which a newer version is approved than the one that the entry names."""
    newer = Q()
    for kind in ("sla", "ola", "contract"):
        newer |= Q(agreement=OuterRef(f"{kind}__agreement"), number__gt=OuterRef(f"{kind}__number"))
    rows = AgreementVersion.objects.filter(newer, state="approved", approved_at__lte=at)
    return Subquery(rows.values("agreement__name")[:1])


def _analysis_due(at: dt.datetime) -> Subquery:
    """The day by which the impact analysis that counts is done again."""
    rows = ImpactAnalysis.objects.filter(service=OuterRef("service"), state="approved", approved_at__lte=at)
    return Subquery(rows.order_by("-number").values("review_due_on")[:1])


def _of_entry(row: Any) -> Iterable[Gap]:
    if not row.live:
        yield Gap(row.pk, "nothing in force", "No version is in force", "It stands in the catalogue, but no version of it is in force.")
        return
    told = f"It should have been retired on {row.leaves_at:%d %b %Y}, and something stands in the way. Its retirement says what."
    yield Gap(row.pk, "retirement", "Its retirement is overdue", told)


def _of_answer(row: Attestation) -> Gap:
    named = duties.names([row.person])
    if row.answered_at is None:
        told = f"{named} has not answered “{row.round.title}”, due {row.round.due_on:%d %b %Y}."
        return Gap(row.service_id, "attestation", "An attestation is late", told)
    told = f"{named} says that it is not right: {row.remark.rstrip(' .')}. Say what came of it on its page of ownership."
    return Gap(row.service_id, "wrong", "Its owner says that it is not right", told)


def _of_people(version: ServiceVersion, look: _Look) -> Iterable[tuple[str, str, str]]:
    for duty in ("owner", "steward"):
        person = getattr(version, duty)
        named = duties.names([person])
        if not person.is_active:
            yield duty, f"The {duty} has left", f"Its {duty}, {named}, has left. Hand the duty over."
        elif not person.email:
            yield duty, f"The {duty} has no e-mail address", f"Its {duty}, {named}, has no e-mail address and is told nothing."
        if rule := look.barred[duty].get(person.pk):
            yield duty, f"The {duty} holds a duty that excludes it", f"{named} cannot be its {duty}: {rule} Hand the duty over."
    if version.steward.is_active and not look.changing.may(version.steward.pk, version.service_id):
        named = duties.names([version.steward])
        told = f"Its steward, {named}, may not change it. An administrator gives {named} the role steward for it, or hand the duty over."
        yield "steward", "The steward may not change it", told
    if version.owner_id == version.steward_id:
        told = f"{duties.names([version.owner])} is owner and steward at once: nobody else looks at what is promised."
        yield "owner", "One person is owner and steward", told


def _of_version(version: Any, today: dt.date) -> Iterable[tuple[str, str, str]]:
    if version.newer:
        told = f"A newer version of {version.newer} is approved than the one that it names. Its next version can name that one."
        yield "agreement", "Its agreement has a newer version", told
    if not version.operations_team.email:
        told = f"The team {version.operations_team} has no e-mail address: its incidents reach nobody."
        yield "team", "The team has no e-mail address", told
    if version.review_due_on is None:
        yield "review", "No review day is set", "Nobody set a day by which it is read again."
    elif version.review_due_on < today:
        yield "review", "Its review is overdue", f"Its review was due on {version.review_due_on:%d %b %Y}."
    if version.analysis_due_on is not None and version.analysis_due_on < today:
        told = f"The review of its impact analysis was due on {version.analysis_due_on:%d %b %Y}. Write the next one and have it approved."
        yield "review", "Its impact analysis is overdue", told
