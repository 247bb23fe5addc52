"""Known errors: found by words, with how often each helped; and one of them with what it says, where it was seen, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.safestring import SafeString

from catalogue.models import Service, ServiceVersion
from incidents import knowing, signing
from incidents.models import Incident, KnownError
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_page import Story, rate_of
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.words import clock, many, person

VIEWS = {"": "Published", "draft": "Drafts", "retired": "Retired"}
STATES = {"": "published", "draft": "draft", "retired": "retired"}
STEPS = {
    "draft": (("published", "Publish it"), ("retired", "Retire it")),
    "published": (("retired", "Retire it"),),
    "retired": (("published", "Bring it back"),),
}
CHANGE = "incidents.change_knownerror"
MOST = 100


@dataclass(frozen=True, kw_only=True)
class KnownListRow:
    name: Link
    number: str
    kind: str
    workaround: str
    rate: str


@dataclass(frozen=True, kw_only=True)
class KnownErrorsPage:
    sentence: str
    rows: tuple[KnownListRow, ...]
    views: tuple[Choice, ...]
    view: str
    query: str
    paging: Paging


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One incident of its signature, and whether it helped there."""

    name: Link
    number: str
    helped: str


@dataclass(frozen=True, kw_only=True)
class KnownErrorPage:
    number: str
    title: str
    facts: tuple[tuple[str, str | SafeString], ...]
    texts: tuple[tuple[str, str, str], ...]  # name, label, value
    problem: Link | None
    services: tuple[Link, ...]
    seen: tuple[Seen, ...]
    story: tuple[Story, ...]
    steps: tuple[tuple[str, str], ...]
    may_write: bool


def known_errors_page(*, user: Any, moment: Moment, view: str, query: str, page: int) -> KnownErrorsPage:
    """One page of those in a state whose words hold all words of the query."""
    view = view if view in VIEWS else ""
    rows = KnownError.objects.visible_to(user).filter(state=STATES[view])
    for word in query.split()[:10]:
        fields = (Q(**{f"{name}__icontains": word}) for name in ("title", "symptom", "root_cause", "workaround", "signature"))
        rows = rows.filter(*[_any(fields)])
    total = rows.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    shown: list[Any] = list(knowing.rated(rows).order_by("title", "pk")[first : first + PAGE])
    return KnownErrorsPage(
        sentence=f"{many(total, 'known error')} {'matches' if total == 1 else 'match'}." if query else f"{many(total, 'known error')}.",
        rows=tuple(
            KnownListRow(
                name=Link(row.title, moment.href("known_error", row.number)),
                number=row.number,
                kind=signing.words_of(row.signature),
                workaround=row.workaround,
                rate=rate_of(row.helped, row.failed),
            )
            for row in shown
        ),
        views=tuple(_view(key, view, query, moment) for key in VIEWS),
        view=view,
        query=query,
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("known_errors", view=view, q=query, page=number)),
    )


def _view(key: str, chosen: str, query: str, moment: Moment) -> Choice:
    return Choice(value=moment.href("known_errors", view=key, q=query), words=VIEWS[key], chosen=key == chosen)


def _any(parts: Any) -> Q:
    found = Q()
    for part in parts:
        found |= part
    return found


def find(*, number: str, user: Any) -> KnownError | None:
    rows = knowing.rated(KnownError.objects.visible_to(user)).select_related("problem")
    return rows.filter(pk=int(number.upper().removeprefix("KE-"))).first()


def known_error_page(*, known_error: Any, user: Any, moment: Moment) -> KnownErrorPage:
    """The page of a known error that `find` gave."""
    may = user.has_perm(CHANGE) and not moment.past
    alike = Incident.objects.filter(signature=known_error.signature)
    said = dict(known_error.feedback.values_list("incident", "helped"))
    words = {True: "helped", False: "did not help"}
    problem = known_error.problem
    return KnownErrorPage(
        number=known_error.number,
        title=known_error.title,
        facts=(
            ("State", known_error.get_state_display()),
            ("Kind of failure", signing.words_of(known_error.signature)),
            ("Hit rate", rate_of(known_error.helped, known_error.failed)),
            ("Seen in", many(alike.count(), "incident")),
        ),
        texts=(
            ("title", "Title", known_error.title),
            ("symptom", "Symptom", known_error.symptom),
            ("root_cause", "Root cause", known_error.root_cause),
            ("workaround", "Workaround", known_error.workaround),
        ),
        problem=Link(f"{problem.number} {problem.title}", moment.href("problem", problem.number)) if problem else None,
        services=_services(alike.exclude(service=None).values("service"), user, moment),
        seen=tuple(
            Seen(
                name=Link(row.told_title, moment.href("incident", row.number)),
                number=row.number,
                helped=words.get(said.get(row.pk), ""),  # type: ignore[arg-type]
            )
            for row in Incident.objects.told_to(user).filter(signature=known_error.signature).order_by("-opened_at", "-pk")[:MOST]
        ),
        story=tuple(_line(row, moment) for row in known_error.history.select_related("history_user").order_by("-history_id")[:MOST]),
        steps=STEPS[known_error.state] if may else (),
        may_write=may,
    )


def _services(hit: Any, user: Any, moment: Moment) -> tuple[Link, ...]:
    """The entries of the catalogue that incidents of the signature hit, of those that the user may see."""
    rows = ServiceVersion.objects.in_force(moment.at).filter(service__in=hit).filter(service__in=Service.objects.visible_to(user))
    return tuple(Link(row.name, moment.href("service", row.service.code)) for row in rows.select_related("service").order_by("name")[:MOST])


def _line(row: Any, moment: Moment) -> Story:
    what = {"+": "Written: ", "~": f"{row.get_state_display()}: ", "-": "Deleted: "}[row.history_type]
    who = person(row.history_user) if row.history_user else ""
    return Story(when=clock(row.history_date, moment), text=f"{what}{row.history_change_reason}", who=who)
