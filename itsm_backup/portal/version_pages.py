"""The versions of an entry: the list, one of them with what it changed, and any two side by side."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from catalogue import backing, checking, comparing, duties, publishing, withdrawing, wording
from catalogue.impact import EffectiveTier
from catalogue.models import Service, ServiceVersion
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.commitment_page import Check, checks_of
from itsm_backup.portal.detected_pages import ChangeRow, waiting_rows
from itsm_backup.portal.diffing import Diff, diff_of
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_reviews import drafted_because_of
from itsm_backup.portal.words import counts_as, instant, many, person
from monitoring.capability import measured

OPEN = (ServiceVersion.State.DRAFT, ServiceVersion.State.IN_REVIEW)


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    number: int
    numbers: str
    level: str
    state: str
    open: bool
    in_force: bool
    ahead: bool
    since: SafeString | str
    until: SafeString | str
    authors: str
    approver: str
    reason: str
    href: str
    compare: str  # with the one before


@dataclass(frozen=True, kw_only=True)
class VersionsPage:
    code: str
    name: str
    rows: tuple[VersionRow, ...]
    older: int
    newer: int
    detected: tuple[ChangeRow, ...]


@dataclass(frozen=True, kw_only=True)
class Said:
    who: str
    when: SafeString
    text: str
    is_return: bool  # the reason for which it came back from review
    stale: bool  # said about another content than the present one


@dataclass(frozen=True, kw_only=True)
class VersionPage:
    code: str
    name: str
    row: VersionRow
    before: VersionRow | None
    diff: Diff
    groups: tuple[tuple[str, tuple[wording.Told, ...]], ...]
    findings: tuple[Check, ...]
    comments: tuple[Said, ...]
    seen: str
    stale: str
    counts_as: str  # its effective tier, where a stricter one reaches it
    may_approve: bool
    stopped: str  # why it cannot be approved as it is, whoever may
    why_not: str
    may_return: bool
    may_comment: bool
    may_roll_back: bool
    may_withdraw: bool
    withdraw_told: tuple[str, ...]  # what withdrawing does to versions on their way
    withdraw_obstacles: tuple[str, ...]
    edit_href: str
    edit_words: str
    reviews: tuple[Link, ...]  # reviews of incidents that it was drafted because of


@dataclass(frozen=True, kw_only=True)
class ComparePage:
    code: str
    name: str
    one: VersionRow
    other: VersionRow
    diff: Diff


def find_service(*, code: str, user: Any) -> Service | None:
    return Service.objects.visible_to(user).filter(code=code).first()


def retired_at(service: Service, moment: Moment) -> dt.datetime | None:
    """When it left the catalogue, where it had by that moment."""
    done = service.retirements.filter(state="done", over_at__lte=moment.at)
    return done.values_list("over_at", flat=True).first()  # type: ignore[no-any-return]


def not_in_force(service: Service, moment: Moment) -> str:
    """Why no version of it is in force at that moment, and when one is, in a sentence."""
    if (gone := retired_at(service, moment)) is not None:
        return f"{service} was retired on {strip_tags(instant(gone))}. What it promised until then is kept."
    later = service.versions.approved().filter(approved_at__lte=moment.now, effective__startswith__gt=moment.at)
    first = later.order_by("effective").first()
    if first is None:
        return (
            f"{service} is not in force: none of its versions is approved and runs." if not moment.past else f"{service} was not in force."
        )
    told = strip_tags(instant(first.effective.lower))
    if moment.past:
        return f"{first.name} was not in force then: {first.numbers} took force on {told}."
    return f"{first.name} is not in force yet: {first.numbers} takes force on {told}."


def versions_of(service: Service, user: Any, moment: Moment) -> Any:
    """Its versions that the person may read at that moment, newest first."""
    rows = ServiceVersion.objects.filter(service=service).read_by(user, at=moment.at, past=moment.past)
    return rows.select_related("service", "approver", "commitment").prefetch_related("offerings").order_by("-number")


def versions_page(*, service: Service, user: Any, moment: Moment) -> VersionsPage:
    """All of them, newest first; three queries, however many there are."""
    versions = list(versions_of(service, user, moment))
    rows = _rows(versions, moment)
    numbers = [row.number for row in rows]
    return VersionsPage(
        code=service.code,
        name=versions[0].name if versions else service.code,
        rows=rows,
        older=numbers[1] if len(numbers) > 1 else 0,
        newer=numbers[0] if numbers else 0,
        detected=waiting_rows([service.pk], user=user, moment=moment),
    )


def version_page(*, version: ServiceVersion, user: Any, moment: Moment, seen: str = "") -> VersionPage:
    """One version against the one that it follows, with what people said and what this person can do."""
    before = _before(version, user, moment)
    content = comparing.content_of(version)
    found = _rows([version, *([before] if before else [])], moment)
    now_hash = comparing.hash_of(content)
    is_open = version.state in OPEN
    why_not = _why_not(version, user)
    told = wording.told(content)
    writes = not moment.past and Service.objects.visible_to(user, "change").filter(pk=version.service_id).exists()
    waits = version.state == ServiceVersion.State.IN_REVIEW and not moment.past
    checks = _findings(version, user, moment) if is_open else []
    withdraws = found[0].ahead and not moment.past and (writes or _approves(version, user))
    return VersionPage(
        code=version.service.code,
        name=version.name,
        row=found[0],
        before=found[1] if before else None,
        diff=diff_of(comparing.content_of(before), content) if before else diff_of(content, content),
        groups=tuple((title, tuple(told[name] for name in names)) for title, names in wording.GROUPS),
        findings=checks_of(checks, service=version.service, asks=writes and user.is_staff),
        comments=tuple(
            Said(
                who=person(each.by),
                when=instant(each.at),
                text=each.text,
                is_return=each.is_return,
                stale=is_open and each.content_hash != now_hash,
            )
            for each in version.comments.filter(at__lte=moment.at).select_related("by")
        ),
        seen=now_hash,
        stale=_stale(version, seen, content) if is_open and seen and seen != now_hash else "",
        counts_as=_counts_as(version, moment) if found[0].in_force else "",
        may_approve=waits and not why_not,
        stopped=_stopped(checks),
        why_not=why_not if waits else "",
        may_return=waits and (writes or not why_not),
        may_comment=not moment.past and is_open,
        may_roll_back=writes and version.state == ServiceVersion.State.APPROVED and not (found[0].in_force or found[0].ahead),
        may_withdraw=withdraws,
        withdraw_told=tuple(withdrawing.consequences(version)) if withdraws else (),
        withdraw_obstacles=tuple(withdrawing.obstacles(version)) if withdraws else (),
        edit_href=reverse("admin:catalogue_serviceversion_change", args=[version.pk]) if writes and user.is_staff and is_open else "",
        edit_words="Edit or submit it" if version.state == ServiceVersion.State.DRAFT else "In the administration",
        reviews=drafted_because_of(version=version, user=user, moment=moment),
    )


def _approves(version: ServiceVersion, user: Any) -> bool:
    return Service.objects.visible_to(user, "approve").filter(pk=version.service_id).exists()


def _counts_as(version: ServiceVersion, moment: Moment) -> str:
    tier = EffectiveTier("service_id", at=moment.at, known_then=moment.past)
    reached = ServiceVersion.objects.filter(pk=version.pk).values_list(tier, flat=True).first()
    told = counts_as(version.tier, reached)
    return f"{version.tier}{told}" if told else ""


def compare_page(*, one: ServiceVersion, other: ServiceVersion, moment: Moment) -> ComparePage:
    """Two versions side by side, the first on the left."""
    left, right = _rows([one, other], moment)
    return ComparePage(
        code=one.service.code,
        name=other.name,
        one=left,
        other=right,
        diff=diff_of(comparing.content_of(one), comparing.content_of(other)),
    )


def _findings(version: ServiceVersion, user: Any, moment: Moment) -> list[checking.Finding]:
    asked = checking.question_of(version, reader=user, known_then=moment.past)
    known = measured(version.service, moment.at)
    found = checking.findings(asked=asked, measured=known, at=moment.at)
    return [*found, *backing.considerations(asked=asked, measured=known, at=moment.at)]


def _before(version: ServiceVersion, user: Any, moment: Moment) -> ServiceVersion | None:
    return versions_of(version.service, user, moment).filter(state="approved", number__lt=version.number).first()  # type: ignore[no-any-return]


def _stopped(checks: list[checking.Finding]) -> str:
    stops = sum(each.stops for each in checks)
    words = f"{many(stops, 'condition stops', 'conditions stop')} it: they are named under “Can it hold?”."
    return f"It cannot be approved as it is. {words} Return it, or have a deviation granted." if stops else ""


def _stale(version: ServiceVersion, seen: str, content: comparing.Content) -> str:
    return str(publishing.Stale(version, seen, content))


def _why_not(version: ServiceVersion, user: Any) -> str:
    try:
        publishing.check_approver(version, user, now())
    except publishing.NotAllowed as error:
        return str(error)
    return ""


def _rows(versions: list[ServiceVersion], moment: Moment) -> tuple[VersionRow, ...]:
    wanted = {pk for version in versions for pk in version.author_ids}
    people = {user.pk: person(user) for user in get_user_model().objects.filter(pk__in=wanted)}
    numbers = sorted(version.number for version in versions)
    return tuple(_row(version, people, numbers, moment) for version in versions)


def _row(version: ServiceVersion, people: dict[int, str], numbers: list[int], moment: Moment) -> VersionRow:
    code, span = version.service.code, version.effective
    place = numbers.index(version.number)
    in_force = bool(span) and span.lower <= moment.at and (span.upper is None or span.upper > moment.at)
    ahead = bool(span) and span.lower > moment.at
    withdrawn = version.state == ServiceVersion.State.CANCELLED and version.approver_id is not None
    state = (
        "in force"
        if in_force
        else "takes effect later"
        if ahead
        else "superseded"
        if span
        else "withdrawn"
        if withdrawn
        else version.get_state_display()
    )
    return VersionRow(
        number=version.number,
        numbers=version.numbers,
        level=version.level,
        state=state,
        open=version.state in OPEN,
        in_force=in_force,
        ahead=ahead,
        since=instant(span.lower) if span else "",
        until=instant(span.upper) if span and span.upper and (span.upper <= moment.at or not moment.past) else "",
        authors=", ".join(people.get(pk, f"account {pk}") for pk in version.author_ids),
        approver=duties.names([version.approver]) if version.approver else "",
        reason=version.reason,
        href=moment.href("version", code, version.number),
        compare=moment.href("compare", code, numbers[place - 1], version.number) if place else "",
    )
