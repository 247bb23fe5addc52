"""The lines of the scope register: where each backup service stands at an instant, and what is wrong with that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from catalogue import scoping
from catalogue.models import Relation, ScopeDecision, ScopeLine, Service, ServiceVersion
from catalogue.scoping import Answer, Outcome, Said
from itsm_backup.common.time import local_day
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import day, many, zone
from monitoring import discovering
from monitoring.discovering import Thing
from monitoring.models import BackupJob

OUTCOMES = {"listed": "Listed", "referenced": "Referenced", "excluded": "Left out"}
HOSTINGS = dict(ServiceVersion.Hosting.choices)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong with a line: kind undecided, orphaned, overdue or changed, and the sentence that says so."""

    kind: str
    verdict: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A backup service of the register with the decision that held at the instant, if there was one."""

    row: ScopeLine
    decision: ScopeDecision | None
    entry: ServiceVersion | None  # the entry's version in force
    jobs: int
    said: Mapping[str, Said]  # what the data say today
    findings: tuple[Finding, ...]


def lines(*, user: Any, moment: Moment, only: int | None = None) -> list[Line]:
    """Every line that the person may see, by name, or the one of this id; the number of queries does not grow with them."""
    rows = ScopeLine.objects.visible_to(user).filter(created_at__lte=moment.at)
    rows = list(rows.filter(pk=only) if only else rows)
    current = ScopeDecision.objects.current(moment.at).filter(line__in=[row.pk for row in rows])
    named = ServiceVersion.objects.approved().filter(service=OuterRef("entry")).order_by("-number").values("name")[:1]
    held = {one.line_id: one for one in current.select_related("entry", "decided_by").annotate(last_name=Subquery(named))}
    parts = discovering.users_of([row.pk for row in rows], moment.at) if rows else {}
    used = {line: {service for _, service in found if service} for line, found in parts.items()}
    services = {pk for found in used.values() for pk in found} | {one.entry_id for one in held.values() if one.entry_id}
    versions = discovering.versions_of(services, moment.at)
    return [
        _line(row, held.get(row.pk), versions, used.get(row.pk, set()), len(parts.get(row.pk, ())), moment) for row in rows
    ]  # fmt: skip


def _line(
    row: ScopeLine, decision: ScopeDecision | None, versions: Mapping[int, ServiceVersion], used: Collection[int], jobs: int, moment: Moment
) -> Line:
    said = scoping.evidence(consumers=[versions[pk] for pk in used if pk in versions])
    entry = versions.get(decision.entry_id or 0) if decision else None
    found = [Finding(kind="undecided", verdict="no_data", words="Nobody has decided on it yet.")]
    if decision is not None:
        today = local_day(moment.at, str(zone()))
        found = list(filter(None, (_orphaned(decision, entry), _overdue(decision, today), _changed(decision, said))))
    return Line(row=row, decision=decision, entry=entry, jobs=jobs, said=said, findings=tuple(found))


def _orphaned(decision: ScopeDecision, entry: ServiceVersion | None) -> Finding | None:
    service = decision.entry
    if service is None or (entry is not None and service.lifecycle != Service.Lifecycle.RETIRED):
        return None
    last_name = entry.name if entry else getattr(decision, "last_name", None)  # what is retired has no version in force
    name = f"{last_name} ({service.code})" if last_name else service.code
    is_gone = "is retired" if service.lifecycle == Service.Lifecycle.RETIRED else "has no version in force"
    role = "Its entry" if decision.outcome == Outcome.LISTED else "The entry that carries it,"
    joined = f"{role} {name}{',' if role.endswith(',') else ''} {is_gone}."
    return Finding(kind="orphaned", verdict="broken", words=f"{joined} Decide again.")


def _overdue(decision: ScopeDecision, today: dt.date) -> Finding | None:
    late = (today - decision.review_on).days
    if late <= 0:
        return None
    return Finding(kind="overdue", verdict="at_risk", words=f"Its review was due on {day(decision.review_on)}, {many(late, 'day')} ago.")


def _changed(decision: ScopeDecision, said: Mapping[str, Said]) -> Finding | None:
    turned = [
        name for name, one in said.items()
        if one.answer != Answer.UNKNOWN and decision.answers.get(name) not in (one.answer, Answer.UNKNOWN, None)
    ]  # fmt: skip
    if not turned:
        return None
    now_so = " ".join(said[name].because for name in turned)
    return Finding(kind="changed", verdict="at_risk", words=f"An answer that led to the decision is no longer so. {now_so}")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Something that stands in no decision: a line, an entry, or what a tool discovered. `subject` names it in addresses."""

    subject: str
    name: str
    source: str
    since: dt.datetime
    hosting: str
    said: Mapping[str, Said]
    version: ServiceVersion | None = None
    thing: Thing | None = None
    line: ScopeLine | None = None

    @property
    def proposal(self) -> scoping.Proposal:
        return scoping.propose({name: one.answer for name, one in self.said.items()})


def entries_waiting(*, user: Any, moment: Moment, code: str = "") -> list[Waiting]:
    """Published entries of the kind backup service that no line is listed as."""
    listed = ScopeDecision.objects.current(moment.at).filter(outcome=Outcome.LISTED).values("entry")
    seen = Service.objects.listed().visible_to(user)
    rows = ServiceVersion.objects.in_force(moment.at).filter(service__in=seen, kind=ServiceVersion.Kind.BACKUP).exclude(service__in=listed)
    rows = rows.filter(service__code=code) if code else rows
    found = list(rows.select_related("service").prefetch_related("offerings").order_by("name"))
    users = _consumers(found, moment)
    return [
        Waiting(
            subject=f"entry-{row.service.code}", name=row.name, source=f"Catalogue entry {row.service.code}", version=row,
            since=row.effective.lower, hosting=row.hosting, said=scoping.evidence(consumers=users.get(row.service_id, ()), bears_name=row),
        )
        for row in found
    ]  # fmt: skip


def _consumers(entries: Collection[ServiceVersion], moment: Moment) -> dict[int, list[ServiceVersion]]:
    """Entry → the versions in force of the services that need it."""
    if not entries:
        return {}
    pairs = Relation.objects.standing(moment.at).filter(provider__in=[row.service_id for row in entries])
    pairs = list(pairs.exclude(kind=Relation.Kind.SUPERSEDES).values_list("provider", "consumer"))
    versions = discovering.versions_of({consumer for _, consumer in pairs}, moment.at)
    found: dict[int, list[ServiceVersion]] = {}
    for provider, consumer in pairs:
        if consumer in versions:
            found.setdefault(provider, []).append(versions[consumer])
    return found


def jobs_waiting(*, user: Any, moment: Moment) -> Any:
    """Discovered jobs of no decision that the person may see."""
    return discovering.unclaimed(BackupJob.objects.visible_to(user), moment.at)


def waiting_of(things: Collection[Thing], moment: Moment) -> list[Waiting]:
    said = discovering.evidence_of(things, moment.at)
    return [
        Waiting(
            subject=f"job-{one.job_id}", name=one.name, since=one.since, thing=one, hosting=discovering.hosting_of(one.repository),
            source=f"{'Repository' if one.repository else 'Job'} of {one.tool}", said=said[one.job_id],
        )
        for one in things
    ]  # fmt: skip


def line_waiting(line: Line) -> Waiting:
    """A line as the form of a decision takes it: for the first time, or again."""
    hosting = line.decision.hosting if line.decision else "on_premises"
    source = f"{'Decided' if line.decision else 'Added'} by hand" if not line.jobs else f"{many(line.jobs, 'job')} of tools"
    return Waiting(
        subject=f"line-{line.row.pk}", name=line.row.name, source=source, since=line.row.created_at, hosting=hosting,
        said=line.said, line=line.row, version=line.entry,
    )  # fmt: skip


def may_read(user: Any) -> bool:
    """Whether the register is open to the person: all of it by role, else what concerns entries that they work on, or see there."""
    if user.has_perm("catalogue.view_scopeline") or user.is_staff:
        return True
    return ScopeLine.objects.visible_to(user).exists() or Service.objects.visible_to(user, "change").exists()


def may_decide(user: Any, moment: Moment) -> bool:
    """Whether the person decides on anything here: everywhere by role, or where an entry of theirs is concerned."""
    if moment.past:
        return False
    return user.has_perm(scoping.MAY_DECIDE) or Service.objects.visible_to(user, "change").exists()


def entries_offered(*, user: Any, moment: Moment, first: Collection[int]) -> list[tuple[str, str]]:
    """Published entries that the person may name, those of `first` ahead: code and name of 200 at most."""
    seen = Service.objects.listed().visible_to(user, "change")
    rows = ServiceVersion.objects.in_force(moment.at).filter(service__in=seen).order_by("name")
    near = rows.filter(service__in=list(first)).values_list("service__code", "name")
    others = rows.exclude(service__in=list(first)).values_list("service__code", "name")[: max(0, 200 - len(first))]
    return [*near, *others]


def named_entry(text: str, *, user: Any, moment: Moment) -> Service | None:
    """The published entry of this code or exact name that the person may see."""
    versions = ServiceVersion.objects.in_force(moment.at).filter(Q(service__code__iexact=text) | Q(name__iexact=text))
    return Service.objects.visible_to(user).filter(versions__in=versions).order_by("code").first() if text else None
