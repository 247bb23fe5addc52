"""Known errors: found by words, with how often each helped; and one of them with what it says, where it was seen, and its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.safestring import SafeString

from catalogue.models import Service, ServiceVersion
from incidents import knowing, signing
from incidents.models import Incident, KnownError
from itsm_backup.portal import tense
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_page import Story, rate_of
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.words import clock, many, person
from monitoring.models import Alert

VIEWS = {"": "Published", "draft": "Drafts", "retired": "Retired"}
STATES = {"": "published", "draft": "draft", "retired": "retired"}
STEPS = {
    "draft": (("published", "Publish it"), ("retired", "Retire it")),
    "published": (("retired", "Retire it"),),
    "retired": (("published", "Bring it back"),),
}
CHANGE = "incidents.change_knownerror"
MOST_LINES, MOST_QUOTED = 100, 200
CHANGED = {
    "title": "Title", "symptom": "Symptom", "root_cause": "Root cause", "workaround": "Workaround", "signature": "Signature",
    "review_on": "Looked at again by",
}  # fmt: skip
NEWEST, MOST_ENTRIES = 10, 10
LOOKED_AT = 50  # so many of its newest incidents say which entries it hits: ten years of them are not read for each look


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
class Text:
    """A text of it; `typed` is what was typed into a form that was refused."""

    name: str
    label: str
    value: str
    typed: str | None = None

    @property
    def shown(self) -> str:
        return self.value if self.typed is None else self.typed


@dataclass(frozen=True, kw_only=True)
class KnownErrorPage:
    number: str
    title: str
    facts: tuple[tuple[str, str | SafeString], ...]
    texts: tuple[Text, ...]
    problem: Link | None
    services: tuple[Link, ...]
    services_head: str
    more_services: bool
    seen_head: str
    seen: tuple[Seen, ...]
    story: tuple[Story, ...]
    steps: tuple[tuple[str, str], ...]
    may_write: bool
    review_on: str  # as a form has it


def known_errors_page(*, user: Any, moment: Moment, view: str, query: str, page: int) -> KnownErrorsPage:
    """One page of those in a state whose words hold all words of the query."""
    view = view if view in VIEWS else ""
    rows = holding(KnownError.objects.visible_to(user).filter(state=STATES[view]), query)
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


def holding(rows: QuerySet[KnownError], query: str) -> QuerySet[KnownError]:
    """Those whose words hold all words of the query, with its number, or of the kind of failure that the query tells as a tool does."""
    found = Q()
    for word in query.split()[:10]:
        found &= _any(Q(**{f"{name}__icontains": word}) for name in ("title", "symptom", "root_cause", "workaround", "signature"))
    if kind := signing.kind_of(query):
        found |= Q(signature=kind)
    number = query.strip().upper().removeprefix("KE-")
    if number.isascii() and number.isdigit() and len(number) < 18:
        found |= Q(pk=int(number))
    return rows.filter(found)


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
    count = Incident.objects.of_kind(known_error.signature).count()
    seen = Incident.objects.told_to(user).of_kind(known_error.signature).order_by("-opened_at", "-pk")
    newest = Incident.objects.visible_to(user).of_kind(known_error.signature).order_by("-opened_at", "-pk").values("pk")[:LOOKED_AT]
    hit = Alert.objects.filter(incident_alert__incident__in=newest, service__isnull=False)
    services = _services(hit.values("service"), user, moment)
    said = dict(knowing.said_by(moment.at).filter(known_error=known_error.pk).values_list("incident", "helped"))
    words = {True: "helped", False: "did not help"}
    problem = known_error.problem
    return KnownErrorPage(
        number=known_error.number,
        title=known_error.title,
        facts=(
            ("State", known_error.get_state_display()),
            ("Kind of failure", signing.words_of(known_error.signature)),
            ("Hit rate", rate_of(known_error.helped, known_error.failed)),
            ("Seen in", many(count, "incident")),
            *review_of(known_error, moment),
        ),
        texts=(
            Text(name="title", label="Title", value=known_error.title),
            Text(name="symptom", label="Symptom", value=known_error.symptom),
            Text(name="root_cause", label="Root cause", value=known_error.root_cause),
            Text(name="workaround", label="Workaround", value=known_error.workaround),
        ),
        problem=Link(f"{problem.number} {problem.title}", moment.href("problem", problem.number)) if problem else None,
        services=services[:MOST_ENTRIES],
        services_head=f"Entries that the newest {LOOKED_AT} hit" if count > LOOKED_AT else "Entries that they hit",
        more_services=len(services) > MOST_ENTRIES,
        seen_head=f"The newest {NEWEST} of {many(count, 'incident')} of this kind" if count > NEWEST else "Incidents of this kind",
        seen=tuple(
            Seen(
                name=Link(
                    tense.told(row.told_title, over=not row.is_open and row.ended_at <= moment.at), moment.href("incident", row.number)
                ),
                number=row.number,
                helped=words.get(said.get(row.pk), ""),  # type: ignore[arg-type]
            )
            for row in seen[:NEWEST]
        ),
        story=story_of(known_error, moment),
        steps=STEPS[known_error.state] if may else (),
        may_write=may,
        review_on=known_error.review_on.isoformat() if known_error.review_on else "",
    )


def kept_typing(texts: tuple[Text, ...], sent: Mapping[str, str]) -> tuple[Text, ...]:
    """The texts with what was typed; not where somebody else changed one meanwhile, which the refusal tells."""
    mine = {one.name for one in texts if one.name in sent and sent.get(f"was-{one.name}", one.value).split() == one.value.split()}
    return tuple(replace(one, typed=sent[one.name]) if one.name in mine else one for one in texts)


def review_of(known_error: Any, moment: Moment) -> tuple[tuple[str, str], ...]:
    """By when somebody looks whether it still helps, of what is published."""
    if known_error.review_on is None or known_error.state != KnownError.State.PUBLISHED:
        return ()
    late = " (over)" if known_error.review_on <= moment.at.date() else ""
    return (("Looked at again by", f"{known_error.review_on:%d %b %Y}{late}"),)


def story_of(known_error: Any, moment: Moment) -> tuple[Story, ...]:
    """Every change known at the moment, newest first, with what was changed."""
    rows = known_error.history.filter(history_date__lte=moment.at).select_related("history_user").order_by("-history_id")
    rows = list(rows[: MOST_LINES + 1])
    before = [*rows[1:], None]
    return tuple(_line(row, earlier, moment) for row, earlier in zip(rows, before, strict=True))[:MOST_LINES]


def _services(hit: Any, user: Any, moment: Moment) -> tuple[Link, ...]:
    """The entries of the catalogue that incidents of the signature hit, of those that the user may see; one more than are named."""
    rows = ServiceVersion.objects.in_force(moment.at).filter(service__in=hit).filter(service__in=Service.objects.visible_to(user))
    named = rows.order_by("name", "service__code").values_list("name", "service__code")[: MOST_ENTRIES + 1]
    return tuple(Link(name, moment.href("service", code)) for name, code in named)


def _line(row: Any, before: Any, moment: Moment) -> Story:
    what = {"+": "Written: ", "~": f"{row.get_state_display()}: ", "-": "Deleted: "}[row.history_type]
    who = person(row.history_user) if row.history_user else ""
    changed = _changes(row, before) if before is not None else []
    text = "\n".join([f"{what}{row.history_change_reason}", *changed])
    return Story(when=clock(row.history_date, moment), text=text, who=who)


def _changes(row: Any, before: Any) -> list[str]:
    """`Workaround: “Prune”, was “none”`."""
    told = ((label, getattr(row, name), getattr(before, name)) for name, label in CHANGED.items())
    return [f"{label}: {_quoted(now)}, was {_quoted(was)}" for label, now, was in told if now != was]


def _quoted(value: Any) -> str:
    words = " ".join(str(value or "").split())
    return f"“{words[:MOST_QUOTED]}{'…' if len(words) > MOST_QUOTED else ''}”" if words else "nothing"
