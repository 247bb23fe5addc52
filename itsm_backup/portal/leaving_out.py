"""What pages of a service leave out for people who only depend on it: names of tools, storage and hosts, and what a tool said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from monitoring.naming import Plain

if TYPE_CHECKING:
    from catalogue.chronicle import Event
    from itsm_backup.portal.day_page import DayPage
    from itsm_backup.portal.objectives_page import ObjectivesPage
    from itsm_backup.portal.proof import RunRow
    from itsm_backup.portal.run_page import RunPage
    from itsm_backup.portal.service_page import ServicePage

_INSIDE = ("Tool", "Copy")  # facts of a run that name where it was kept


def from_service(page: ServicePage, plain: Plain | None) -> ServicePage:
    """The page of the service without them."""
    if plain is None:
        return page
    return replace(
        page,
        claims=tuple(replace(one, evidence=plain(one.evidence)) for one in page.claims),
        runs=from_runs(page.runs, plain),
        restores=tuple(replace(one, note=plain(one.note)) for one in page.restores),
        jobs=tuple(replace(one, name=_job(one.name, number, plain), tool="") for number, one in enumerate(page.jobs, 1)),
        problems=tuple(replace(one, name=replace(one.name, words=plain(one.name.words))) for one in page.problems),
        history=tuple(replace(one, note=plain(one.note)) for one in page.history),
        by_hand=plain(page.by_hand),
    )


def _job(name: str, number: int, plain: Plain) -> str:
    """A job by its name; by its number where it is called by a path or a host."""
    return name if "/" not in name and plain(name) == name else f"Job {number}"


def from_day(page: DayPage, plain: Plain | None) -> DayPage:
    """One day of it: causes without names."""
    if plain is None:
        return page
    return replace(
        page,
        facts=tuple((label, plain(words)) for label, words in page.facts),
        due=tuple(replace(one, job=plain(one.job), tool="", cause=plain(one.cause)) for one in page.due),
        others=tuple(replace(one, words=plain(one.words)) for one in page.others),
        promise=replace(page.promise, spans=tuple(map(plain, page.promise.spans))),
        problems=tuple(replace(one, name=replace(one.name, words=plain(one.name.words))) for one in page.problems),
        history=tuple(replace(one, note=plain(one.note)) for one in page.history),
    )


def from_runs(rows: Iterable[RunRow], plain: Plain | None) -> tuple[RunRow, ...]:
    """Runs in a list; of their messages nothing is left."""
    return tuple(rows if plain is None else (replace(one, job=plain(one.job), note="") for one in rows))


def from_run(page: RunPage, plain: Plain | None) -> RunPage:
    """The page of one run: what came of it, not what its tool said."""
    if plain is None:
        return page
    facts = tuple((label, plain(value) if label == "Job" else value) for label, value in page.facts if label not in _INSIDE)
    return replace(page, title=plain(page.title), facts=facts, message="")


def from_objectives(page: ObjectivesPage, plain: Plain | None) -> ObjectivesPage:
    """The objectives: places are numbered."""
    if plain is None:
        return page
    return replace(
        page,
        rows=tuple(replace(one, detail=plain(one.detail)) for one in page.rows),
        parts=tuple(replace(one, told=plain(one.told)) for one in page.parts),
        places=tuple(replace(one, name=f"Place {number}") for number, one in enumerate(page.places, 1)),
    )


def from_event(event: Event, plain: Plain | None) -> Event:
    """One thing that was done to the entry."""
    if plain is None:
        return event
    changes = tuple(one._replace(before=plain(one.before), after=plain(one.after)) for one in event.changes)
    return event._replace(what=plain(event.what), why=plain(event.why), changes=changes)
