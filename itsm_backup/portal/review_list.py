"""Reviews: those on their way, the library of what is published, and the actions that came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.safestring import SafeString

from incidents import reviewing, withholding
from incidents.models import Incident, PostIncidentReview, ReviewAction
from incidents.models.reviews import READ_EARLY, UNFINISHED
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import PAGE, Choice, Paging, paging_of
from itsm_backup.portal.words import day, many, person, recent
from monitoring.naming import is_told_all

VIEWS = {"open": "On their way", "published": "Published", "actions": "Open actions", "mine": "My actions"}
ACTIONS = ("actions", "mine")


@dataclass(frozen=True, kw_only=True)
class ReviewRow:
    name: Link
    number: str
    incident: Link
    state: str
    required: bool
    wrong: int  # how many answers say that the catalogue was not right
    actions: int
    when: SafeString


@dataclass(frozen=True, kw_only=True)
class ActionRow:
    what: Link
    number: str
    owner: str
    due: str
    verdict: str  # broken once it is late, else kept


@dataclass(frozen=True, kw_only=True)
class ReviewsPage:
    sentence: str
    view: str
    views: tuple[Choice, ...]
    query: str
    rows: tuple[ReviewRow, ...]
    actions: tuple[ActionRow, ...]
    paging: Paging


def reviews_page(*, user: Any, moment: Moment, view: str, query: str, page: int) -> ReviewsPage:
    """One page of the list; without a view what is on its way for who may read that, else the library."""
    early = user.has_perm(READ_EARLY)
    views = {key: words for key, words in VIEWS.items() if early or key != "open"}
    view = view if view in views else next(iter(views))
    found: QuerySet[Any] = _actions(user, moment, view) if view in ACTIONS else _reviews(user, moment, view, query)
    total = found.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    shown = list(found[first : first + PAGE])
    plain = str if view in ACTIONS else withholding.for_reader(user, [one.incident for one in shown])
    return ReviewsPage(
        sentence=_sentence(total, view, query, moment),
        view=view,
        views=tuple(Choice(value=moment.href("reviews", view=key), words=words, chosen=key == view) for key, words in views.items()),
        query=query,
        rows=() if view in ACTIONS else tuple(_row(one, plain, moment) for one in shown),
        actions=tuple(_action(one, moment) for one in shown) if view in ACTIONS else (),
        paging=paging_of(first, len(shown), total, PAGE, lambda number: moment.href("reviews", view=view, q=query, page=number)),
    )


def known_then(user: Any, moment: Moment) -> QuerySet[Any]:
    """Reviews that the user may read and that were there at the moment, with `state_then`, as it was."""
    rows = PostIncidentReview.objects.visible_to(user)
    if not moment.past:
        return rows.annotate(state_then=Case(*(When(state=one, then=Value(one)) for one in PostIncidentReview.State.values)))  # type: ignore[no-any-return]
    then = PostIncidentReview.history.filter(id=OuterRef("pk"), history_date__lte=moment.at).order_by("-history_id")
    rows = rows.annotate(state_then=Subquery(then.values("state")[:1])).exclude(state_then=None)
    return rows if user.has_perm(READ_EARLY) else rows.filter(state_then="published")  # type: ignore[no-any-return]


def _reviews(user: Any, moment: Moment, view: str, query: str) -> QuerySet[Any]:
    rows = known_then(user, moment)
    rows = rows.filter(state_then__in=UNFINISHED) if view == "open" else rows.filter(state_then="published")
    if view == "published" and not moment.past:
        rows = rows.filter(pk__in=PostIncidentReview.objects.newest())
    for word in query.split()[:10]:
        found = of_incident(user, word)
        for name in reviewing.FIELDS:
            found |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(found)
    told = Incident.objects.told_to(user).filter(pk=OuterRef("incident"))  # type: ignore[attr-defined]
    rows = (
        rows.select_related("incident")
        .defer("incident__impact_at_opening", "facts")
        .annotate(
            title=Subquery(told.values("told_title")[:1]),
            wrong=Count("answers", filter=Q(answers__answer="no"), distinct=True),
            open_actions=Count("actions", filter=Q(actions__state="open"), distinct=True),
        )
    )
    order = ("-required", "proposed_at", "pk") if view == "open" else ("-published_at", "-pk")
    return rows.order_by(*order)


def of_incident(user: Any, word: str) -> Q:
    """Reviews of incidents in whose title, of what the user may read of it, the word stands."""
    named = Incident.objects.told_to(user).filter(Q(service=None) | Q(service_is_seen=True))  # type: ignore[attr-defined]
    if is_told_all(user):
        return Q(incident__title__icontains=word, incident__in=named)
    return Q(incident__in=named.filter(withholding.titled(user, named, word)))


def _actions(user: Any, moment: Moment, view: str) -> QuerySet[ReviewAction]:
    """Actions of published reviews that were open at the moment, the earliest due first."""
    open_then = Q(ended_at=None) | Q(ended_at__gt=moment.at)
    rows = ReviewAction.objects.filter(open_then, review__published_at__lte=moment.at).select_related("review", "owner")
    mine = Q(owner=user)
    seen = mine if view == "mine" else Q(review__in=PostIncidentReview.objects.visible_to(user)) | mine
    return rows.filter(seen).order_by("due_on", "pk")  # type: ignore[no-any-return]


def _sentence(total: int, view: str, query: str, moment: Moment) -> str:
    verb = ("was" if moment.past else "is") if total == 1 else ("were" if moment.past else "are")
    if view in ACTIONS:
        return f"{many(total, 'action')} {verb} open{' with you' if view == 'mine' else ''}."
    if view == "open":
        return f"{many(total, 'review')} {verb} on {'its' if total == 1 else 'their'} way."
    return f"{many(total, 'review')} {verb} published{' with these words' if query else ''}."


def _row(one: Any, plain: Callable[[str], str], moment: Moment) -> ReviewRow:
    return ReviewRow(
        name=Link(plain(one.title or one.incident.number), moment.href("review", one.number)),
        number=one.number,
        incident=Link(one.incident.number, moment.href("incident", one.incident.number)),
        state=PostIncidentReview.State(one.state_then).label,
        required=one.required,
        wrong=one.wrong,
        actions=one.open_actions,
        when=recent(one.published_at if one.state_then == "published" else one.proposed_at, moment),
    )


def _action(one: Any, moment: Moment) -> ActionRow:
    late = one.due_on < moment.at.date()
    return ActionRow(
        what=Link(one.what, moment.href("review", one.review.number)),
        number=one.review.number,
        owner=person(one.owner),
        due=f"{'Late, due' if late else 'Due'} {day(one.due_on)}",
        verdict="broken" if late else "kept",
    )
