"""Who is told how tools, storage and hosts behind a service are called, and how texts leave it out for people who only depend on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from django.db.models import Exists, IntegerField, OuterRef, Q, Value

from catalogue.models import Service, ServiceVersion
from monitoring.models import BackupJob, Repository, Tool

Plain = Callable[[str], str]
Owner = tuple[int | None, int | None]  # the service that a row is about, and the tool that told it
LEFT_OUT = "…"
_TOLD = ("monitoring.view_tool", "incidents.change_incident")
_INTERNAL = re.compile(  # paths, addresses and hosts, whatever they are called
    r"(?:^|(?<=[\s(\"'“]))(?:/[\w.@-]+(?:/[\w.@-]*)+|[A-Za-z]:\\\S+|\\\\\S+|[a-z][a-z0-9+.-]*://\S+)"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[\w-]+(?:\.[\w-]+)+\.(?:local|lan|internal|corp|example|org|net|com|io|de|uk|eu)\b"
)


def is_told_all(user: Any) -> bool:
    """Whether the person reads of tools, or works on incidents."""
    return any(user.has_perm(one) for one in _TOLD)


def internal_names(text: str, names: Iterable[str]) -> list[str]:
    """What of the text is for those who work on it only: paths, addresses, hosts, and these names of tools, jobs and storage."""
    found = [one.group(0) for one in _INTERNAL.finditer(text)]
    found += [name for name in names if (pattern := _any_of([name])) and pattern.search(text)]
    return list(dict.fromkeys(found))


def leaving_out(names: Iterable[str]) -> Plain:
    """What puts an ellipsis for each of the names, and for whatever looks like a path, an address or a host."""
    pattern = _any_of(names)

    def plain(text: str) -> str:
        told = pattern.sub(LEFT_OUT, text) if pattern else text
        return _INTERNAL.sub(LEFT_OUT, told)

    return plain


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """The names as one pattern, the longest first: a name may stand in another."""
    told = sorted({name for name in names if len(name) > 2}, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, told))})(?![\w-])", re.IGNORECASE) if told else None


def plain_for(user: Any, *, service: int | None, name: str, may_change: bool = False) -> Plain | None:
    """What leaves names out of a text about the service; None for whoever reads of its tools, works on incidents or writes the entry.

    `may_change` says that it is known already that the person writes it, or sees every tool behind it. Two questions at most.
    """
    if may_change or is_told_all(user) or _told(user, {service}):
        return None
    return leaving_out(_names(Q(service=service), {service: name}))


def plains_for(user: Any, owners: Iterable[Owner]) -> Callable[[Owner], Plain | None]:
    """The same for many rows: as many questions for a hundred owners as for one."""
    if is_told_all(user):
        return lambda owner: None
    wanted = set(owners)
    services = {service for service, _ in wanted if service}
    told = _told(user, services)
    tools = {tool for service, tool in wanted if not service and tool}
    seen = set(Tool.objects.visible_to(user).filter(pk__in=tools).values_list("pk", flat=True)) if tools else set()
    called: dict[int | None, str] = {}
    for service, name in ServiceVersion.objects.filter(service__in=services - told).values_list("service", "name").order_by():
        called[service] = f"{called.get(service, '')} {name}"
    names = set(_names(Q(service__in=services - told) | Q(service=None, tool__in=tools - seen), called))
    plain = leaving_out(names) if wanted else None

    def of(owner: Owner) -> Plain | None:
        service, tool = owner
        return None if (service in told if service else tool in seen) else plain

    return of


def tells_of(user: Any, service: str = "pk") -> Q:
    """Whether the person writes the entry, or sees every tool behind it; `service` is where its id stands in the rows asked of."""
    writes = Exists(Service.objects.visible_to(user, "change").filter(pk=OuterRef(service)))
    jobs = BackupJob.objects.filter(service=OuterRef(service))
    return Q(writes | (Exists(jobs) & ~Exists(jobs.exclude(tool__in=Tool.objects.visible_to(user)))))


def told_rows(user: Any) -> Q:
    """Rows with a service and a tool whose names the person is told, as `plains_for` decides it: what a filter by name may find."""
    if is_told_all(user):
        return Q()
    return tells_of(user, "service") | Q(service__isnull=True, tool__in=Tool.objects.visible_to(user))


def _told(user: Any, services: set[Any]) -> set[int]:
    return set(Service.objects.filter(tells_of(user), pk__in=services).values_list("pk", flat=True))


def _names(which: Q, called: dict[int | None, str]) -> Iterator[str]:
    """How tools, storage and hosts behind these jobs are called; a host called like its service is not left out."""
    jobs = BackupJob.objects.filter(which).order_by()
    declared = Repository.objects.filter(Q(tool__in=jobs.values("tool")) | Q(copy_of__isnull=False)).order_by()
    of_jobs = jobs.values_list("service", "tool__name", "tool__label", "repository_name", "target_name", "name")
    of_places = declared.values_list(Value(None, IntegerField()), "tool__name", "tool__label", "name", Value(""), Value(""))
    for service, tool, label, storage, host, job in of_jobs.union(of_places):
        yield from filter(None, (tool, label, storage, f"{storage or 'unnamed repository'} of {label or tool}"))
        if "/" in job:
            yield job
        if host and host.lower() not in called.get(service, "").lower():
            yield host


def throughout(told: Any, plain: Plain | None) -> Any:
    """Everything that is told, as dicts and lists or as a struct, without names in any of its texts."""
    if plain is None:
        return told
    if isinstance(told, msgspec.Struct):
        return msgspec.convert(throughout(msgspec.to_builtins(told), plain), type(told))
    if isinstance(told, dict):
        return {key: throughout(value, plain) for key, value in told.items()}
    if isinstance(told, list | tuple):
        return [throughout(value, plain) for value in told]
    return plain(told) if isinstance(told, str) else told
