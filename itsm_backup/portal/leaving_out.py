"""What pages of a service leave out for people who only depend on it: names of tools, storage and hosts, and what a tool said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q, Value

from catalogue.models import Service
from incidents import withholding
from monitoring.models import BackupJob, Repository, Tool

if TYPE_CHECKING:
    from itsm_backup.portal.day_page import DayPage
    from itsm_backup.portal.objectives_page import ObjectivesPage
    from itsm_backup.portal.proof import RunRow
    from itsm_backup.portal.run_page import RunPage
    from itsm_backup.portal.service_page import ServicePage

Plain = Callable[[str], str]
_INSIDE = ("Tool", "Copy")  # facts of a run that name where it was kept


def plain_for(user: Any, *, service: int | None, name: str, may_change: bool = False) -> Plain | None:
    """What leaves names out of a text about the service; None for whoever reads of its tools, works on incidents or writes the entry.

    `may_change` says that it is known already that the person writes it. Two questions at most.
    """
    if may_change or withholding.is_told_all(user) or _may_read_names(user, service):
        return None
    names = sorted(set(_names(service, name)), key=len, reverse=True)  # the longest first: a name may stand in another
    return lambda text: withholding.without(text, names)


def _may_read_names(user: Any, service: int | None) -> bool:
    """Whether the person writes the entry, or sees every tool behind it."""
    writes = Exists(Service.objects.visible_to(user, "change").filter(pk=OuterRef("pk")))
    jobs = BackupJob.objects.filter(service=OuterRef("pk"))
    sees = Exists(jobs) & ~Exists(jobs.exclude(tool__in=Tool.objects.visible_to(user)))
    return Service.objects.filter(writes | sees, pk=service).exists()


def _names(service: int | None, service_name: str) -> Iterator[str]:
    """How tools, storage and hosts behind the service are called; a host called like the service itself is not left out."""
    jobs = BackupJob.objects.filter(service=service).order_by()
    declared = Repository.objects.filter(Q(tool__in=jobs.values("tool")) | Q(copy_of__isnull=False)).order_by()
    of_jobs = jobs.values_list("tool__name", "tool__label", "repository_name", "target_name", "name")
    of_places = declared.values_list("tool__name", "tool__label", "name", Value(""), Value(""))
    for tool, label, storage, host, job in of_jobs.union(of_places):
        yield from _places(tool, label, storage)
        if "/" in job:
            yield job
        if host and host.lower() not in service_name.lower():
            yield host


def _places(tool: str, label: str, storage: str | None) -> Iterable[str]:
    """The names, and the words that pages use for the place."""
    return filter(None, (tool, label, storage, f"{storage or 'unnamed repository'} of {label or tool}"))


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
