"""The daily digest: what each person should know of what they may see, exceptions first, as one mail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.template.loader import render_to_string
from django.urls import reverse

from catalogue.models import Service
from incidents import exposing, muting, withholding
from incidents.models import Digest, DigestPreference, EntryProposal, Incident, PostIncidentReview, ReviewAction
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from itsm_backup.portal import muted_page
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.rule_pages import names_at
from itsm_backup.portal.standing import exposure_of, standings, worst_first
from itsm_backup.portal.words import VERDICTS, many
from monitoring import standing_alerts
from monitoring.due_restores import due_tests
from monitoring.models import Alert, RestorePlan
from monitoring.models.alerts import OPEN_STATES
from monitoring.naming import plains_for, throughout
from monitoring.serving import SERVES
from reporting.models import Discrepancy, Report

MOST, A_DAY = 10, dt.timedelta(days=1)
BAD = ("broken", "no_data")
Wish = DigestPreference.Wish
Names = dict[int | None, str]  # service → its name with its code


@dataclass(frozen=True, kw_only=True)
class Part:
    """One heading with its lines; `more` are those that are not listed, `href` where all of them are."""

    title: str
    lines: tuple[str, ...]
    more: int
    href: str


@dataclass(frozen=True, kw_only=True)
class Composed:
    subject: str
    sentence: str
    exceptions: tuple[Part, ...]
    rest: tuple[Part, ...]

    @property
    def count(self) -> int:
        return sum(len(part.lines) + part.more for part in self.exceptions)


def digest_due(*, at: dt.datetime) -> int:
    """Make the digest of everybody whose hour has come today and who has none yet; returns how many mails were written."""
    wanted = DigestPreference.objects.exclude(digest=Wish.NEVER).filter(person__is_active=True).exclude(person__email="")
    days = {row.pk: (row, at.astimezone(ZoneInfo(row.zone))) for row in wanted.select_related("person")}
    due = [(row, local.date()) for row, local in days.values() if local.time() >= row.told_at]
    made = set(Digest.objects.filter(person__in=[row.person_id for row, _ in due], at__gt=at - 2 * A_DAY).values_list("person", "on"))
    return sum(_make(row, on, at) for row, on in due if (row.person_id, on) not in made)


def _make(row: DigestPreference, on: dt.date, at: dt.datetime) -> bool:
    told = compose(person=row.person, at=at)
    silent = row.digest == Wish.EXCEPTIONS and not told.count
    key = f"digest/{row.person_id}/{on}"
    try:
        with transaction.atomic():
            if not silent:
                outbox.write(
                    key=key, thread=f"person/{row.person_id}", recipient=row.person.email, subject=told.subject, body=body_of(told), at=at
                )  # fmt: skip
            notice = None if silent else Notice.objects.get(key=key)
            Digest.objects.create(person=row.person, on=on, at=at, exceptions=told.count, notice=notice)
    except IntegrityError:
        return False  # another worker made it
    return not silent


def body_of(told: Composed) -> str:
    """The digest as the text of a mail."""
    address = f"{settings.BASE_URL}{reverse('portal:digest')}"
    return render_to_string("portal/email/digest.txt", {"told": told, "address": address, "organisation": settings.ORGANISATION})


def compose(*, person: Any, at: dt.datetime) -> Composed:
    """What the digest of the person says at `at`: a fixed number of questions."""
    rows: Any = standings(person, Moment(at=at, now=at))
    counts = dict(rows.order_by().values_list("verdict").annotate(Count("pk")))
    kept, total = counts.get("kept", 0) + counts.get("at_risk", 0), sum(counts.values()) - counts.get(SERVES, 0)
    muted, actions = muting.mutes(user=person, at=at), _actions(person, at)
    names = names_at((pk for one in muted for pk in one.services), at)
    told = (_services(rows, counts, at), *_exceptions(person, muted, actions, names, at))
    exceptions = tuple(part for part in told if part.lines)
    count = sum(len(part.lines) + part.more for part in exceptions)
    keep = "keeps its promise" if total == 1 else "keep their promise"
    sentence = f"{kept:,} of {many(total, 'service')} {keep}." if total else "No service is in sight for you."
    subject = f"{many(count, 'exception')}: {sentence}" if count else f"No exceptions: {sentence}"
    rest = tuple(part for part in _rest(person, muted, actions, names, at) if part.lines)
    return Composed(subject=subject, sentence=sentence, exceptions=exceptions, rest=rest)


def _services(rows: Any, counts: dict[str, int], at: dt.datetime) -> Part:
    bad: Any = worst_first(rows.filter(verdict__in=BAD))[:MOST]
    told = [f"{row.name}: {VERDICTS[row.verdict].lower()}, {_age(row, at)}" for row in bad]
    return _part("Services that do not keep their promise", told, "services", total=sum(counts.get(one, 0) for one in BAD))


def _actions(person: Any, at: dt.datetime) -> list[ReviewAction]:
    """Open actions of published reviews: the person's own, and those that are late of the reviews that they may read."""
    late = Q(due_on__lt=at.date(), review__in=PostIncidentReview.objects.visible_to(person))
    rows = ReviewAction.objects.filter(late | Q(owner=person), state="open", review__state="published")
    return list(rows.select_related("owner", "review").order_by("due_on", "pk"))


def _exceptions(person: Any, muted: list[muting.Mute], actions: list[ReviewAction], names: Names, at: dt.datetime) -> Iterator[Part]:
    incidents = list(Incident.objects.told_to(person).open().order_by("priority", "opened_at", "pk"))  # type: ignore[attr-defined]
    withholding.retitle(person, incidents[:MOST])
    yield _part("Open incidents", [_incident(one) for one in incidents], "incidents")
    late = RestorePlan.objects.visible_to(person).overdue(at.date()).select_related("job", "tester", "service")  # type: ignore[attr-defined]
    told = [f"{named}: planned for {one.planned_on:%d %b %Y}, tester {_name(one.tester)}" for one, named in _named(late, person, at)]
    yield _part("Overdue restore tests", told, "restore_plans")
    yield _part("Overdue actions of reviews", [_action(one) for one in actions if one.due_on < at.date()], "reviews")
    exposed = [one for one, exposure in zip(muted, exposing.exposures(muted, at=at), strict=True) if exposure.past]
    yield _part("Muted while copies are older than promised", [_mute(one, names) for one in exposed], "muted")
    reports = Report.objects.visible_to(person)
    differing = list(Discrepancy.objects.visible_to(person).filter(report__in=reports, settlement=None).select_related("service", "report"))
    called = names_at((one.service_id for one in differing), at)
    lines = [f"{one.get_figure_display()} of {called.get(one.service_id, one.service.code)} in {one.report}" for one in differing]
    yield _part("Published figures that come out otherwise", lines, "reconciliation")


def _rest(person: Any, muted: list[muting.Mute], actions: list[ReviewAction], names: Names, at: dt.datetime) -> Iterator[Part]:
    lasting = Q(alert_class__in=standing_alerts.CLASSES)
    alerts = Alert.objects.visible_to(person).filter(lasting | Q(incident_alert=None), state__in=OPEN_STATES)
    standing = _titles(alerts, person)
    yield _part("Watched, no incident so far", [title for kind, title in standing if kind not in standing_alerts.CLASSES], "services")
    yield _part("Lasting conditions", [title for kind, title in standing if kind in standing_alerts.CLASSES], "services")
    mine = RestorePlan.objects.visible_to(person).filter(state="recorded").exclude(tester=person).select_related("service", "job")
    yield _part("Restore tests that wait to be verified", [named for _, named in _named(mine, person, at)], "restore_plans")
    _, wanted = due_tests(user=person, at=at)
    yield _part("Restore tests", [f"{many(wanted, 'service')} without a test that proves the promise, none planned"] if wanted else [],
                "restore_plans")  # fmt: skip
    entries = EntryProposal.objects.filter(state="open", service__in=Service.objects.visible_to(person, "change"))
    asked = list(entries.select_related("service"))
    called = names_at((one.service_id for one in asked), at)
    told = [f"{called.get(one.service_id, one.service.code)}: {one.get_question_display()} {one.text}" for one in asked]
    yield _part("What reviews ask of your entries", told, "reviews")
    own = [one for one in actions if one.owner_id == person.pk and one.due_on >= at.date()]
    yield _part("What you do of reviews", [_action(one) for one in own], "reviews")
    soon = [one for one in muted if one.until is not None and one.until <= at + A_DAY]
    yield _part("Ends within a day", [_mute(one, names) for one in soon], "muted")
    over = list(Incident.objects.told_to(person).filter(Q(resolved_at__gt=at - A_DAY, resolved_at__lte=at)).order_by("-resolved_at"))  # type: ignore[attr-defined]
    withholding.retitle(person, over[:MOST])
    yield _part("Resolved since yesterday", [_incident(one) for one in over], "incidents")


def _named(plans: Any, person: Any, at: dt.datetime) -> list[tuple[Any, str]]:
    """Restore plans with the service and the job that they are of, as the person may read of it."""
    rows = list(plans)
    called = names_at((one.service_id for one in rows), at)
    plains = plains_for(person, [(one.service_id, one.job.tool_id) for one in rows])
    jobs = [throughout(one.job.name, plains((one.service_id, one.job.tool_id))) for one in rows]
    return [(one, f"{called.get(one.service_id, one.service.code)}, {job}") for one, job in zip(rows, jobs, strict=True)]


def _titles(alerts: Any, person: Any) -> list[tuple[str, str]]:
    """Class and title of each, as the person may read it."""
    rows = list(alerts.order_by("alert_class", "title").values_list("alert_class", "title", "service", "tool"))
    plains = plains_for(person, [(service, tool) for *_, service, tool in rows])
    return [(kind, throughout(title, plains((service, tool)))) for kind, title, service, tool in rows]


def _part(title: str, lines: list[str], page: str, *, total: int = 0) -> Part:
    href = f"{settings.BASE_URL}{reverse(f'portal:{page}')}"
    return Part(title=title, lines=tuple(lines[:MOST]), more=max(0, max(total, len(lines)) - MOST), href=href)


def _age(row: Any, at: dt.datetime) -> str:
    """Of the newest copy, as tiles tell it; a service that has none says so."""
    told = exposure_of(row, Moment(at=at, now=at)).tile
    return told if told.startswith("no copy") else f"newest copy {told}"


def _incident(one: Any) -> str:
    taken = "" if one.acknowledged_at or one.resolved_at else ", nobody has taken it"
    return f"{one.number} {one.priority} {one.told_title}{taken}"


def _action(one: ReviewAction) -> str:
    return f"{one.review.number}, {one.what}: due {one.due_on:%d %b %Y}, {_name(one.owner)}"


def _mute(one: muting.Mute, names: Names) -> str:
    end = f"until {one.until:%d %b %Y %H:%M} UTC" if one.until else "without end"
    who = _name(one.owner) if one.owner else "nobody"
    return f"{muted_page.told_what(one, names)}: {muting.KINDS[one.kind].lower()} {end}, {who} answers for it"


def _name(person: Any) -> str:
    return str(person.get_full_name() or person.get_username())
