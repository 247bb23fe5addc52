"""Known errors as they were at an instant of the past, read from their histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from incidents import knowing, signing
from incidents.models import Incident, KnownError
from itsm_backup.portal import known_error_page as present
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.incident_page import rate_of
from itsm_backup.portal.service_list import PAGE, Choice, paging_of
from itsm_backup.portal.words import many

MOST = 100


def find(*, number: str, user: Any, moment: Moment) -> Any:
    """The known error if the user may see it and it was written by then, with the words and the state of then; else None."""
    pk = int(number.upper().removeprefix("KE-"))
    return next(iter(knowing.as_of(KnownError.objects.visible_to(user).filter(pk=pk), at=moment.at)), None)


def known_errors_page(*, user: Any, moment: Moment, view: str, query: str, page: int) -> present.KnownErrorsPage:
    """One page of those that were in a state then, whose words of then hold all words of the query."""
    view = view if view in present.VIEWS else ""
    rows = [
        one
        for one in knowing.as_of(KnownError.objects.visible_to(user), at=moment.at)
        if one.state == present.STATES[view] and _holds(one, query)
    ]
    first = PAGE * (min(max(1, page), max(1, -(-len(rows) // PAGE))) - 1)
    shown = rows[first : first + PAGE]
    return present.KnownErrorsPage(
        sentence=f"{many(len(rows), 'known error')}{(' matches' if len(rows) == 1 else ' match') if query else ''}.",
        rows=tuple(
            present.KnownListRow(
                name=Link(one.title, moment.href("known_error", one.number)),
                number=one.number,
                kind=signing.words_of(one.signature),
                workaround=one.workaround,
                rate=rate_of(one.helped, one.failed),
            )
            for one in shown
        ),
        views=tuple(
            Choice(value=moment.href("known_errors", view=key, q=query), words=words, chosen=key == view)
            for key, words in present.VIEWS.items()
        ),
        view=view,
        query=query,
        paging=paging_of(first, len(shown), len(rows), PAGE, lambda number: moment.href("known_errors", view=view, q=query, page=number)),
    )


def known_error_page(*, known_error: Any, user: Any, moment: Moment) -> present.KnownErrorPage:
    """The page of one that `find` gave: with the incidents, answers and changes of its history that were known then."""
    page = present.known_error_page(known_error=known_error, user=user, moment=moment)
    alike = Incident.objects.filter(signature=known_error.signature, incident_alerts__attached_at__lte=moment.at)
    known = {one.number for one in alike.only("pk").distinct()}
    return replace(
        page,
        facts=tuple((label, many(len(known), "incident") if label == "Seen in" else value) for label, value in page.facts),
        seen=tuple(one for one in page.seen if one.number in known),
    )


def _holds(one: KnownError, query: str) -> bool:
    told = " ".join([one.number, one.title, one.symptom, one.root_cause, one.workaround, one.signature]).casefold()
    return all(word in told for word in query.casefold().split()[:10])
