"""What every page carries around its content: navigation, the rail, the instant it shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, Min, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, JSONObject
from django.http import HttpRequest
from django.utils.safestring import SafeString

from catalogue.models import Service, ServiceVersion
from incidents import publishing_status
from incidents.models import Incident, MajorIncident
from incidents.models.major import GOING_ON
from itsm_backup.common.time import duration_words
from itsm_backup.portal import incident_past
from itsm_backup.portal.asof import PARAMETER, Moment
from itsm_backup.portal.words import clock_within, instant, many, zone
from monitoring.models import Agreement, BackupJob, ToolState

STALE_S = 15 * 60


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How old what the tools told is: state live, stale or down; `lead` is the bold word, `words` the rest of the sentence."""

    state: str
    lead: str
    words: str


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """The instant a page shows. In the past `words` names it; `on` fills the date field, `days_back` the slider."""

    past: bool
    words: str | SafeString
    short: str
    on: str
    days_back: int
    carried: tuple[tuple[str, str], ...] = ()  # the page's other query parameters
    now_href: str = ""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """`section` is the key of the navigation entry the page belongs to."""

    section: str
    as_of: AsOf
    freshness: Freshness
    catalogue_version: int
    watched: str
    watched_href: str
    open_incidents: int
    agreement: str = ""  # in how many services catalogue, CMDB and monitoring say the same; empty where none was compared
    replayed: str = ""  # how many tools are replayed recordings, in words; empty when all are real
    major: str = ""  # how many major incidents are open and when people are told again; empty when there is none
    major_late: bool = False
    as_of_value: str = ""
    as_of_query: str = ""  # appended to links, so that the past stays the past from page to page


@dataclass(frozen=True)
class Link:
    words: str
    href: str


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Age of the newest restorable copy against the promise. `captured` (ISO, UTC) lets the page count on by itself.

    `verdict` is the service's; `of_age` that of the age alone: a young copy is shown as good where something else is broken.
    """

    verdict: str
    of_age: str
    age: str
    promise: str
    tile: str
    bar: SafeString
    known: bool = True
    captured: str = ""
    promise_s: int | None = None


def names_of(services: Iterable[int], moment: Moment) -> dict[int, str]:
    """The names of these services, as they were in force at the moment."""
    return dict(ServiceVersion.objects.in_force(moment.at).filter(service__in=set(services)).values_list("service", "name"))


def frame_of(request: HttpRequest, *, section: str, moment: Moment) -> Frame:
    """The frame of a page: one query, whatever the estate's size."""
    counted = _counted(request.user, moment)
    return Frame(
        section=section,
        as_of=_as_of(request, moment),
        freshness=_freshness(counted, moment.now),
        catalogue_version=counted["versions"],
        watched=f"{counted['watched']:,} of {many(counted['services'], 'service')}",
        watched_href=moment.href("services", watched="no" if counted["watched"] < counted["services"] else ""),
        open_incidents=counted["open_incidents"],
        agreement=f"{counted['agreeing']:,} of {many(counted['compared'], 'service')}" if counted["compared"] else "",
        replayed=_replayed(counted["replayed"], counted["tools"]),
        major=_major(counted["majors"], counted["next_update"], moment),
        major_late=bool(counted["next_update"] and counted["next_update"] < moment.now),
        as_of_value=moment.value,
        as_of_query=f"?{PARAMETER}={moment.value}" if moment.past else "",
    )


def _counted(user: Any, moment: Moment) -> dict[str, Any]:
    """Everything the frame counts, each table read once, as sub-selects of one row."""
    entries = _entries(user, moment)
    watched = BackupJob.objects.filter(service__isnull=False).values("service")
    compared = Agreement.objects.filter(comparison__isnull=False, service__in=entries.values("service"))
    polled = Q(next_poll_at__isnull=False)
    incidents = Incident.objects.visible_to(user)
    incidents = incident_past.open_then(incidents, at=moment.at) if moment.past else incidents.open()
    works = user.has_perm(publishing_status.READS_ALL)
    majors = MajorIncident.objects.filter(state__in=GOING_ON).visible_to(user) if works else publishing_status.told_of(user, at=moment.at)
    found = get_user_model().objects.filter(pk=user.pk).values_list(
        told_as_one(entries, services=Count("*"), watched=Count("service", filter=Q(service__in=watched))),
        told_as_one(compared, compared=Count("*"), agreeing=Count("pk", filter=Q(differing=0))),
        told_as_one(ServiceVersion.objects.approved().filter(approved_at__lte=moment.at), versions=Count("*")),
        told_as_one(incidents, open_incidents=Count("pk")),
        told_as_one(majors, majors=Count("pk"), next_update=Min("next_update_at" if works else "told_next_at")),
        told_as_one(
            ToolState.objects.filter(tool__enabled=True),
            tools=Count("pk"),
            replayed=Count("pk", filter=Q(tool__replayed=True)),
            silent=Count("pk", filter=Q(silent_since__isnull=False)),
            never=Count("pk", filter=polled & Q(latest_answer_at=None)),
            oldest=Min("latest_answer_at", filter=polled),
            newest=Max("latest_answer_at"),
            longest_poll_s=Max(Coalesce("interval_s", "tool__poll_interval_s"), filter=polled),
        ),
    ).get()  # fmt: skip
    told: dict[str, Any] = {name: value for part in found for name, value in part.items()}
    return told | {name: dt.datetime.fromisoformat(told[name]) for name in ("oldest", "newest", "next_update") if told[name]}


def _entries(user: Any, moment: Moment) -> QuerySet[ServiceVersion]:
    """What counts as a service of the estate: an entry from the day on which it takes force, today without those that left the catalogue.

    Asked of the index of versions in force alone, because every page asks it.
    """
    entries = ServiceVersion.objects.in_force(moment.at)
    if not moment.past:
        entries = entries.exclude(service__in=Service.objects.exclude(lifecycle__in=Service.LISTED))
    if user.has_perm("catalogue.view_service"):
        return entries
    return entries.filter(service__in=Service.objects.visible_to(user))


def told_as_one(rows: QuerySet, **aggregates: Any) -> Subquery:
    """What the rows come to, as one JSON object; of no rows, too, because nothing groups them."""
    return Subquery(rows.order_by().annotate(_all=Value(1)).values("_all").annotate(_told=JSONObject(**aggregates)).values("_told"))


def _replayed(replayed: int, tools: int) -> str:
    if not replayed:
        return ""
    return "Demo, replayed from recordings" if replayed == tools else f"Demo: {many(replayed, 'tool')} replayed"


def _major(count: int, due: dt.datetime | None, moment: Moment) -> str:
    if not count or moment.past:
        return ""
    if due is None:
        return many(count, "major incident")
    late = f"update {duration_words((moment.now - due).total_seconds())} overdue"
    return f"{many(count, 'major incident')}, {late if due < moment.now else f'next update {clock_within(due, moment)}'}"


def _freshness(counted: dict[str, Any], now: dt.datetime) -> Freshness:
    """Live while every polled tool answered lately; tools that report by themselves are late only when they are judged silent."""
    tools, silent = counted["tools"], counted["silent"]
    if not tools:
        return Freshness(state="down", lead="No data", words=". No tool is connected")
    if silent:
        return Freshness(state="down", lead=f"{silent} of {many(tools, 'tool')} silent", words="")
    reached = counted["oldest"] or counted["newest"]
    if reached is None or counted["never"]:
        return Freshness(state="stale", lead="Waiting", words=" for the first answer")
    age_s = max(0.0, (now - reached).total_seconds())
    if counted["oldest"] and age_s > max(STALE_S, 2 * (counted["longest_poll_s"] or 0)):
        return Freshness(state="stale", lead=f"Data is {duration_words(age_s)} old", words="")
    told = "Monitoring data" if counted["oldest"] else "Latest report"
    return Freshness(state="live", lead="Live", words=f". {told} {duration_words(age_s)} old")


def _as_of(request: HttpRequest, moment: Moment) -> AsOf:
    local, today = moment.at.astimezone(zone()), moment.now.astimezone(zone()).date()
    carried = tuple((key, value) for key, value in request.GET.items() if key not in (PARAMETER, "page"))
    here = request.GET.copy()
    here.pop(PARAMETER, None)
    return AsOf(
        past=moment.past,
        words=instant(moment.at) if moment.past else "Now",
        short=f"{local.day} {local:%b}" if moment.past else "Now",
        on=local.date().isoformat() if moment.past else "",
        days_back=(today - local.date()).days,
        carried=carried,
        now_href=request.path + (f"?{here.urlencode()}" if here else ""),
    )


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One promise of the entry: what it says, what is measured, from what, and the verdict."""

    name: str
    promised: str
    measured: str
    evidence: str
    verdict: str
    verdict_words: str = ""
    why: str = ""
    method: str = ""  # address of the page that says how it is counted
    runs: Link | None = None  # what is behind the number
