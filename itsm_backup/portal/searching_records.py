"""What the search finds of incidents and what belongs to them, by number and by words, and of retired entries; one question for all."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import BooleanField, CharField, Exists, ExpressionWrapper, F, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from catalogue.models import Service, ServiceVersion
from incidents import reviewing, withholding
from incidents.models import Incident, KnownError, MajorIncident, PostIncidentReview, Problem
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_list import known_at
from itsm_backup.portal.known_error_page import holding
from itsm_backup.portal.major_page import rows_for
from itsm_backup.portal.review_list import known_then, of_incident
from itsm_backup.portal.words import day, zone
from monitoring.naming import is_told_all

MOST = 10


class Kind(NamedTuple):
    """How a kind of record is called, and where a hit leads; `words` is written as `{words}` after its number."""

    name: str
    model: type[Model]
    page: str
    words: str = "{words}"


KINDS = {
    "incident": Kind("Incidents", Incident, "incident"),
    "major": Kind("Major incidents", MajorIncident, "major"),
    "problem": Kind("Problems", Problem, "problem"),
    "known_error": Kind("Known errors", KnownError, "known_error"),
    "review": Kind("Reviews", PostIncidentReview, "review", "of INC-{words:0>4}"),
}

RETIRED = "Retired"


def records(query: str, user: Any, moment: Moment) -> dict[str, list[tuple[Link, str]]]:
    """What is found by the name of its kind, what is open and the newest first."""
    found: dict[str, list[tuple[Link, str]]] = defaultdict(list)
    parts = list(_found(query, user, moment))
    rows = list(parts[0].union(*parts[1:], all=True))
    plain = withholding.for_reader(user, [Incident(pk=row[1]) for row in rows if row[0] == "incident"])
    for kind, pk, words, state, priority, _ in sorted(rows, key=lambda row: (row[5], -row[1])):
        if kind == RETIRED:
            found[RETIRED].append(_retired_hit(words, priority, moment))
            continue
        told = KINDS[kind]
        row: Any = told.model(pk=pk, state=state)
        said = told.words.format(words=plain(words))
        if kind == "incident" and query.lower() not in said.lower() and _id_of(query, "INC-") != pk:
            continue  # found by a name that this reader is not told
        link = Link(f"{row.number} {said}", moment.href(told.page, row.number))
        found[told.name].append((link, f"{priority}, {row.get_state_display().lower()}" if priority else row.get_state_display().lower()))
    return found


def _found(query: str, user: Any, moment: Moment) -> Iterator[QuerySet[Any]]:
    """The rows of each kind that the user may see: kind, number, words, state, priority, whether it is over."""
    known = known_at(user, moment)
    incidents = known.filter(_number(query, "INC-") | Q(told_title__icontains=query)).order_by("over", "-opened_at")
    yield _told("incident", incidents, F("told_title"), priority=F("priority"), over=F("over"))
    said = _any(query, *reviewing.FIELDS)
    if is_told_all(user):  # to others the incident itself is found, by what they read of its title
        said |= of_incident(user, query)
    reviews = known_then(user, moment).filter(_number(query, "PIR-") | said)
    yield _told("review", reviews, Cast("incident_id", CharField()))
    if user.has_perm("incidents.view_majorincident"):
        majors = rows_for(user, moment).filter(_number(query, "MAJ-") | Q(told_title__icontains=query))
        yield _told("major", majors, F("told_title"))
    if user.has_perm("incidents.view_problem"):
        words = _number(query, "PRB-") | _any(query, "title", "root_cause", "workaround", "permanent_fix")
        yield _told("problem", Problem.objects.visible_to(user).filter(words, proposed_at__lte=moment.at), F("title"))
    if user.has_perm("incidents.view_knownerror"):  # those whose words hold all words of the query, or are of the failure it tells
        yield _told("known_error", holding(KnownError.objects.visible_to(user), query), F("title"))
    code_and_name = Concat("service__code", Value(" "), "name", output_field=CharField())
    yield _told(RETIRED, _retired(query, user, moment), code_and_name, priority=F("effective__endswith"))


def _retired(query: str, user: Any, moment: Moment) -> QuerySet[ServiceVersion]:
    """The last versions of entries that had left the catalogue by then."""
    words = Q(service__code__icontains=query) | _any(query, "name", "short_name", "department", "labels")
    gone = Service.objects.visible_to(user).filter(lifecycle=Service.Lifecycle.RETIRED)
    newer = ServiceVersion.objects.approved().filter(service=OuterRef("service"), number__gt=OuterRef("number"))
    latest = ServiceVersion.objects.approved().filter(~Exists(newer), service__in=gone, effective__endswith__lte=moment.at)
    return latest.filter(words)


def _retired_hit(words: str, ended: str, moment: Moment) -> tuple[Link, str]:
    code, _, name = words.partition(" ")
    on = dt.datetime.fromisoformat(ended).astimezone(zone()).date()
    return Link(name, moment.href("versions", code)), f"{code}, retired on {day(on)}"


def _told(kind: str, rows: QuerySet[Any], words: Any, *, priority: Any = None, over: Any = None) -> QuerySet[Any]:
    told = rows.select_related(None) if over else rows.select_related(None).order_by("-pk")
    over = ExpressionWrapper(over or Value(False), BooleanField())
    told = told.annotate(
        found_kind=Value(kind, CharField()), found_words=Cast(words, CharField()), found_priority=Cast(priority or Value(""), CharField())
    )
    return told.annotate(found_over=over).values_list("found_kind", "pk", "found_words", "state", "found_priority", "found_over")[:MOST]


def _number(query: str, prefix: str) -> Q:
    """The record of this number, written as `PRB-0001` or `1`; nothing for another text."""
    return Q(pk=_id_of(query, prefix))


def _id_of(query: str, prefix: str) -> int | None:
    number = query.upper().removeprefix(prefix)
    return int(number) if number.isascii() and number.isdigit() and len(number) < 18 else None


def _any(query: str, *fields: str) -> Q:
    found = Q()
    for name in fields:
        found |= Q(**{f"{name}__icontains": query})
    return found
