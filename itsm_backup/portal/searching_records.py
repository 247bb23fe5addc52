"""What the search finds beside incidents: major incidents, problems, known errors and reviews, by number and by their words."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from incidents import reviewing
from incidents.models import KnownError, Problem
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.known_error_page import holding
from itsm_backup.portal.major_page import rows_for
from itsm_backup.portal.review_list import known_then, named

MOST = 10
Found = list[tuple[Link, str]]


def majors(query: str, user: Any, moment: Moment) -> Found:
    if not user.has_perm("incidents.view_majorincident"):
        return []
    rows = rows_for(user, moment).filter(_number(query, "MAJ-") | Q(told_title__icontains=query)).order_by("-pk")[:MOST]
    return [(_link(moment, "major", one, one.told_title), one.get_state_display().lower()) for one in rows]


def problems(query: str, user: Any, moment: Moment) -> Found:
    if not user.has_perm("incidents.view_problem"):
        return []
    words = _number(query, "PRB-") | _any(query, "title", "root_cause", "workaround", "permanent_fix")
    rows = Problem.objects.visible_to(user).filter(words, proposed_at__lte=moment.at).order_by("-updated_at", "-pk")[:MOST]
    return [(_link(moment, "problem", one, one.title), one.get_state_display().lower()) for one in rows]


def known_errors(query: str, user: Any, moment: Moment) -> Found:
    """Those whose words hold all words of the query, or that are of the kind of failure that it tells."""
    if not user.has_perm("incidents.view_knownerror"):
        return []
    rows = holding(KnownError.objects.visible_to(user), query).order_by("title", "pk")[:MOST]
    return [(_link(moment, "known_error", one, one.title), one.get_state_display().lower()) for one in rows]


def reviews(query: str, user: Any, moment: Moment) -> Found:
    said = _any(query, *reviewing.FIELDS) | Q(incident__title__icontains=query, incident__in=named(user))
    rows = known_then(user, moment).filter(_number(query, "PIR-") | said).defer("facts").order_by("-pk")[:MOST]
    return [(_link(moment, "review", one, f"of {one.incident.number}"), one.get_state_display().lower()) for one in rows]


def _link(moment: Moment, name: str, row: Any, words: str) -> Link:
    return Link(f"{row.number} {words}", moment.href(name, row.number))


def _number(query: str, prefix: str) -> Q:
    """The record of this number, written as `PRB-0001` or `1`; nothing for another text."""
    number = query.upper().removeprefix(prefix)
    return Q(pk=int(number)) if number.isascii() and number.isdigit() and len(number) < 18 else Q(pk=None)


def _any(query: str, *fields: str) -> Q:
    found = Q()
    for name in fields:
        found |= Q(**{f"{name}__icontains": query})
    return found
