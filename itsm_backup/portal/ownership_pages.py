"""Who answers for what: the responsibility matrix of an entry and of the estate, gaps, double claims, hand-overs, attestation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from catalogue import attesting, handing_over, responsibilities
from catalogue.models import Attestation, AttestationRound, HandOver, Service, ServiceVersion
from incidents import choosing
from itsm_backup.common.time import local_day
from itsm_backup.portal import gaps as gap_rows
from itsm_backup.portal import offered_duties
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.hand_over_rows import HandOverRow, hand_over_rows, waiting_at
from itsm_backup.portal.remarks import Remark, open_remarks, reply_words
from itsm_backup.portal.service_list import Paging, paging_of
from itsm_backup.portal.words import day, many, person, zone
from monitoring.gaps import ownership_gaps
from monitoring.models import BackupJob
from monitoring.overlaps import overlaps

MOST_JOBS, SHOWN = 5_000, 50
REPLY = ("reply__replied_by", "reply__version")


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    activity: str
    letters: tuple[tuple[str, str], ...]  # party and letter


@dataclass(frozen=True, kw_only=True)
class DoubleRow:
    job: str
    tool: str
    claims: tuple[Link, ...]


@dataclass(frozen=True, kw_only=True)
class HolderRow:
    service: Link
    owner: str
    steward: str
    team: str
    review: str
    attested: str


@dataclass(frozen=True, kw_only=True)
class RoundRow:
    title: Link
    due: str
    answered: int
    asked: int
    wrong: int
    late: bool


@dataclass(frozen=True, kw_only=True)
class OwnershipPage:
    sentence: str
    causes: tuple[gap_rows.CauseLink, ...]
    gaps: tuple[gap_rows.CauseRows, ...]
    gaps_paging: Paging
    doubles: tuple[DoubleRow, ...]
    offers: tuple[HandOverRow, ...]  # what waits for this person's answer, also of entries out of their sight
    hand_overs: tuple[HandOverRow, ...]  # the others that wait
    holders: tuple[HolderRow, ...]
    holders_paging: Paging
    rounds: tuple[RoundRow, ...]
    parties: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]
    may_ask: bool
    departments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EntryOwnershipPage:
    code: str
    name: str
    parties: tuple[tuple[str, str], ...]  # party and who it is
    matrix: tuple[MatrixRow, ...]
    gaps: tuple[str, ...]
    hand_overs: tuple[HandOverRow, ...]
    remarks: tuple[Remark, ...]  # to be answered by this person
    attested: tuple[tuple[str, str], ...]
    may_hand_over: bool
    people: tuple[tuple[int, str], ...]
    teams: tuple[tuple[int, str], ...]  # those with members, who can accept


@dataclass(frozen=True, kw_only=True)
class Said:
    """What somebody ticked and typed about an entry."""

    right: bool = False
    wrong: bool = False
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class AttestationRow:
    service_id: int
    service: Link
    version: Link
    person: str
    state: str
    remark: str
    reply: str
    open: bool
    number: int  # of the version that is read
    said: Said  # in a form that was refused


@dataclass(frozen=True, kw_only=True)
class RoundPage:
    pk: int
    title: str
    sentence: str
    mine: tuple[AttestationRow, ...]
    others: tuple[AttestationRow, ...]


class _Links(Mapping[int, Link]):
    """The link to each entry, made when it is asked for: of ten thousand entries a page names a few hundred."""

    def __init__(self, names: Mapping[int, tuple[str, str]], moment: Moment) -> None:
        self.names, self.moment = names, moment

    def __getitem__(self, pk: int) -> Link:
        name, code = self.names[pk]
        return Link(name, self.moment.href("entry_ownership", code))

    def __iter__(self) -> Iterator[int]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _matrix() -> tuple[MatrixRow, ...]:
    rows = responsibilities.MATRIX
    return tuple(MatrixRow(activity=name, letters=tuple(zip(responsibilities.PARTIES, letters, strict=True))) for name, letters in rows)


def ownership_page(*, user: Any, moment: Moment, page: int = 1, gaps_page: int = 1, cause: str = "") -> OwnershipPage:
    """The estate's page, one page of gaps (of one cause, where it is named) and one of entries; queries do not grow with it."""
    seen = Service.objects.visible_to(user)
    versions = ServiceVersion.objects.in_force(moment.at).filter(service__in=seen)
    names = {pk: (name, code) for pk, name, code in versions.values_list("service", "name", "service__code")}
    first = _first(page, len(names))
    rows = list(versions.select_related("service", "owner", "steward", "operations_team").order_by("name", "pk")[first : first + SHOWN])
    links = _Links(names, moment)
    found = ownership_gaps(services=seen, at=moment.at)
    wanted = gap_rows.of_cause(found, cause) or found
    cause = cause if wanted is not found else ""
    start = _first(gaps_page, len(wanted))
    doubles = _doubles(seen, links, moment)
    attested = _attested(seen, moment)
    told = Q(service__in=seen) if moment.past else Q(service__in=seen) | handing_over.asked_of(user)
    held = hand_over_rows(waiting_at(moment).filter(told), links, user, moment, most=SHOWN)
    return OwnershipPage(
        sentence=_sentence(len({gap.service_id for gap in found} & links.keys()), len(doubles), len(names)),
        causes=gap_rows.causes(found, cause, SHOWN, moment),
        gaps=gap_rows.by_cause(wanted, start, SHOWN, _with_unpublished(wanted, links)),
        gaps_paging=_paging(moment, "gaps", start, len(wanted), cause=cause, page=first // SHOWN + 1),
        doubles=doubles[:SHOWN],
        offers=tuple(row for row in held if row.mine),
        hand_overs=tuple(row for row in held if not row.mine),
        holders=tuple(_holder(row, links, attested) for row in rows),
        holders_paging=_paging(moment, "page", first, len(names), cause=cause, gaps=start // SHOWN + 1),
        rounds=_rounds(seen, moment),
        parties=responsibilities.PARTIES,
        matrix=_matrix(),
        may_ask=not moment.past and user.has_perm("catalogue.change_service"),
        departments=tuple(versions.exclude(department="").order_by("department").values_list("department", flat=True).distinct()),
    )


def _with_unpublished(found: list[responsibilities.Gap], links: _Links) -> _Links:
    """The links, and those of entries with gaps of which no version is in force: by their code."""
    missing = {gap.service_id for gap in found if gap.service_id} - links.names.keys()
    codes = Service.objects.filter(pk__in=missing).values_list("pk", "code") if missing else ()
    return _Links({**links.names, **{pk: (code, code) for pk, code in codes}}, links.moment)


def _first(page: int, total: int) -> int:
    """How many rows stand before the page; the last one is shown when there are not so many."""
    return SHOWN * (min(max(1, page), max(1, -(-total // SHOWN))) - 1)


def _paging(moment: Moment, name: str, first: int, total: int, *, cause: str, **other: int) -> Paging:
    kept: dict[str, Any] = {**({"cause": cause} if cause else {}), **{key: number for key, number in other.items() if number > 1}}
    return paging_of(
        first, min(SHOWN, total - first), total, SHOWN,
        lambda number: moment.href("ownership", **kept, **{name: number}) + ("#gaps-title" if name == "gaps" else "#holders-title"),
    )  # fmt: skip


def _sentence(gaps: int, doubles: int, entries: int) -> str:
    if not gaps and not doubles:
        return f"{many(entries, 'entry', 'entries')}, and somebody answers for everything."
    told = [f"{many(gaps, 'entry', 'entries')} of {entries} {'has' if gaps == 1 else 'have'} gaps"]
    if doubles:
        told.append(f"{many(doubles, 'job')} {'is' if doubles == 1 else 'are'} claimed twice")
    return f"{', '.join(told)}."


def _holder(row: ServiceVersion, links: Mapping[int, Link], attested: dict[int, str]) -> HolderRow:
    return HolderRow(
        service=links[row.service_id], owner=person(row.owner), steward=person(row.steward), team=str(row.operations_team),
        review=day(row.review_due_on) if row.review_due_on else "–", attested=attested.get(row.service_id, "–"),
    )  # fmt: skip


def _doubles(seen: Any, links: Mapping[int, Link], moment: Moment) -> tuple[DoubleRow, ...]:
    if moment.past:
        return ()
    jobs = BackupJob.objects.filter(service__in=seen).select_related("tool").order_by("pk")[:MOST_JOBS]
    return tuple(
        DoubleRow(
            job=each.job.name,
            tool=str(each.job.tool),
            claims=tuple(Link(f"{links.get(rule.service_id, Link(rule.service.code, '')).words}, by {rule.name}",
                              links.get(rule.service_id, Link("", "")).href) for rule in each.rules),
        )
        for each in overlaps(jobs=jobs, at=moment.at)
    )  # fmt: skip


def _attested(seen: Any, moment: Moment) -> dict[int, str]:
    rows = Attestation.objects.filter(service__in=seen, answered_at__lte=moment.at).order_by("answered_at")
    told = rows.values_list("service_id", "answered_at", "right")
    return {pk: f"{'right' if right else 'not right'}, {day(at.astimezone(zone()).date())}" for pk, at, right in told}


def _rounds(seen: Any, moment: Moment) -> tuple[RoundRow, ...]:
    mine = Q(attestations__service__in=seen)
    rows = AttestationRound.objects.filter(opened_at__lte=moment.at).annotate(
        asked=Count("attestations", filter=mine),
        answered=Count("attestations", filter=mine & Q(attestations__answered_at__lte=moment.at)),
        wrong=Count("attestations", filter=mine & Q(attestations__right=False, attestations__answered_at__lte=moment.at)),
    )
    today = local_day(moment.at, str(zone()))
    rows = rows.filter(asked__gt=0)
    return tuple(
        RoundRow(
            title=Link(row.title, moment.href("attestation", row.pk)), due=day(row.due_on), answered=row.answered, asked=row.asked,
            wrong=row.wrong, late=row.answered < row.asked and row.due_on < today,
        )
        for row in rows[:20]
    )  # fmt: skip


def entry_page(*, service: Service, user: Any, moment: Moment) -> EntryOwnershipPage:
    """One entry: who does what by name, what is missing, and how its duties moved."""
    rows = ServiceVersion.objects.in_force(moment.at).filter(service=service)
    version = rows.select_related("service", "owner", "steward", "operations_team").first()
    name = version.name if version else service.code
    links = {service.pk: Link(name, moment.href("service", service.code))}
    found = ownership_gaps(services=[service.pk], at=moment.at)
    may = not moment.past and version is not None and Service.objects.visible_to(user, "change").filter(pk=service.pk).exists()
    related = ("person", "round", *REPLY)
    answers = service.attestations.filter(answered_at__lte=moment.at).select_related(*related).order_by("-answered_at")
    return EntryOwnershipPage(
        code=service.code,
        name=name,
        parties=_parties(version),
        matrix=_matrix(),
        gaps=(*(gap.sentence for gap in found if gap.service_id == service.pk), *(_unescalated(version) if not moment.past else ())),
        hand_overs=hand_over_rows(HandOver.objects.filter(service=service), links, user, moment, most=SHOWN + 1),
        attested=tuple(
            (f"{row.round.title}: {'right' if row.right else 'not right'}",
             f"{person(row.person)}, {day(row.answered_at.astimezone(zone()).date())}" + (f". {row.remark}" if row.remark else "")
             + (f" {told}" if (told := reply_words(row, moment)) else ""))
            for row in answers[:30]
        ),
        remarks=open_remarks(service, moment) if may else (),
        may_hand_over=may,
        people=offered_duties.people(service, moment) if may else (),
        teams=offered_duties.teams(version, moment) if may and version else (),
    )  # fmt: skip


def _unescalated(version: ServiceVersion | None) -> Iterator[str]:
    """What is wrong with the escalation policy that it names; the catalogue keeps the name alone."""
    if version is not None and choosing.missing(version.escalation_policy):
        told = f"It names the escalation policy {version.escalation_policy}, which is not there, not in force or tells nobody"
        yield f"{told}: its incidents escalate by priority and tier. Correct the name in its next version."


def _parties(version: ServiceVersion | None) -> tuple[tuple[str, str], ...]:
    named = [person(version.steward), person(version.owner), str(version.operations_team)] if version else ["–"] * 3
    held = [", ".join(person(each) for each in responsibilities.holders(role)[:5]) or "nobody" for role in
            ("monitoring-admin", "change-manager", "auditor")]  # fmt: skip
    return tuple(zip(responsibilities.PARTIES, [*named, *held], strict=True))


def round_page(*, row: AttestationRound, user: Any, moment: Moment, said: Mapping[int, Said] | None = None) -> RoundPage:
    """One round: first what this person is asked, then what the others said of entries that the person may see.

    `said` is what was typed into its form, where that was refused.
    """
    seen = Service.objects.visible_to(user)
    rows = row.attestations.filter(Q(service__in=seen) | Q(person=user)).select_related("service", "version", "person", *REPLY)
    asked = list(rows) if moment.past else attesting.asked_now(rows, moment.at)
    told = [(each.person_id == user.pk, _attestation(each, moment, said or {})) for each in asked]
    open_ones = sum(each.open for _, each in told)
    return RoundPage(
        pk=row.pk,
        title=row.title,
        sentence=f"Due {day(row.due_on)}. {len(told) - open_ones} of {len(told)} are answered.",
        mine=tuple(each for mine, each in told if mine),
        others=tuple(each for mine, each in told if not mine),
    )


def _attestation(row: Attestation, moment: Moment, said: Mapping[int, Said]) -> AttestationRow:
    answered = row.answered_at is not None and row.answered_at <= moment.at
    return AttestationRow(
        service_id=row.service_id,
        service=Link(row.version.name, moment.href("service", row.service.code)),
        version=Link(row.version.numbers, moment.href("version", row.service.code, row.version.number)),
        person=person(row.person),
        state=("right" if row.right else "not right") if answered else "not answered",
        remark=row.remark if answered else "",
        reply=reply_words(row, moment),
        open=not answered,
        number=row.version.number,
        said=said.get(row.service_id, Said()),
    )
