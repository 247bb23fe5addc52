"""The guide of the first day: four steps, each with its state and the place where it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Q
from django.urls import NoReverseMatch, reverse

from catalogue.duties import names
from catalogue.models import Service, ServiceVersion
from itsm_backup.own_database import keeping
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import many
from monitoring.models import BackupJob, Tool

DECLARE = "python3 manage.py declare_own_database --owner … --steward … --monitoring-admin … --approver …"
NUMBERS = ("None", "One", "Two", "Three", "Four")


@dataclass(frozen=True, kw_only=True)
class Step:
    title: str
    what: str
    done: bool
    state: str
    door: Link | None
    who: str = ""  # who can do it, when this person cannot


@dataclass(frozen=True, kw_only=True)
class GuidePage:
    sentence: str
    steps: tuple[Step, ...]
    complete: bool
    own: OwnDatabase


@dataclass(frozen=True, kw_only=True)
class OwnDatabase:
    """The product's own database: where its backup stands, and how it becomes an entry while it is none."""

    state: str
    service: Link | None
    command: str


def is_empty() -> bool:
    """Whether nothing stands in the catalogue yet, so that there is nothing to show but the first steps."""
    return not Service.objects.listed().exists()


def guide_page(*, user: Any, moment: Moment) -> GuidePage:
    """The four steps as they stand for the whole installation; only counts are told, no names."""
    steps = (_connect(user), _declare(user), _map(user), _promise(user, moment))
    done = sum(step.done for step in steps)
    complete = done == len(steps)
    sentence = "All four steps are done." if complete else f"{NUMBERS[done]} of the four steps {'is' if done < 2 else 'are'} done."
    return GuidePage(sentence=sentence, steps=steps, complete=complete, own=_own_database(user, moment))


def _own_database(user: Any, moment: Moment) -> OwnDatabase:
    job = keeping.own_job()
    service = Service.objects.visible_to(user).filter(pk=job.service_id).first() if job and job.service_id else None
    return OwnDatabase(
        state=keeping.state_in_words() if service or job is None else "declared; those who may see its entry see how it stands",
        service=Link("Open the entry", moment.href("service", service.code)) if service else None,
        command="" if job else DECLARE,
    )


def _connect(user: Any) -> Step:
    counted = Tool.objects.filter(enabled=True).aggregate(
        all=Count("pk"),
        heard=Count("pk", filter=Q(state__latest_answer_at__isnull=False)),
        silent=Count("pk", filter=Q(state__silent_since__isnull=False)),
    )
    state = "no tool is connected"
    if counted["all"]:
        state = f"{many(counted['all'], 'tool')}, {counted['heard']} heard from" + (
            f", {counted['silent']} of them silent now" if counted["silent"] else ""
        )
    return _step(
        user,
        title="Connect a tool",
        what="A tool tells what really happened: restic, borg and pgBackRest are asked on a schedule, scripts ping, the rest uses the API.",
        done=counted["heard"] > 0,
        state=state,
        door=("Connect a tool", "admin:monitoring_tool_add", "monitoring.add_tool"),
    )


def _declare(user: Any) -> Step:
    approved = Service.objects.listed().count()
    waiting = ServiceVersion.objects.filter(state__in=["draft", "in_review"]).count()
    state = f"{many(approved, 'entry', 'entries')} approved" if approved else "no entry is approved"
    return _step(
        user,
        title="Declare services",
        what="An entry says what the service is, who answers for it and how critical it is. A second person approves it.",
        done=approved > 0,
        state=state + (f", {many(waiting, 'version')} waiting" if waiting else ""),
        door=("Declare a service", "admin:catalogue_service_add", "catalogue.add_service"),
    )


def _map(user: Any) -> Step:
    counted = BackupJob.objects.aggregate(all=Count("pk"), mapped=Count("pk", filter=Q(service__isnull=False)))
    loose = counted["all"] - counted["mapped"]
    state = f"{counted['mapped']:,} of {many(counted['all'], 'job')} mapped" if counted["all"] else "no job is known yet"
    return _step(
        user,
        title="Map jobs",
        what="A rule says by identity, never by result, which service a job protects. A schedule on the job says when it is due.",
        done=counted["mapped"] > 0 and loose == 0,
        state=state + (f"; {many(loose, 'job')} belong{'s' if loose == 1 else ''} to no service" if loose else ""),
        door=("See the jobs that wait", "portal:unmatched", "monitoring.change_attributionrule"),
    )


def _promise(user: Any, moment: Moment) -> Step:
    counted = ServiceVersion.objects.in_force(moment.now).aggregate(
        all=Count("pk"), promised=Count("pk", filter=Q(commitment__rpo_s__isnull=False) | Q(commitment__success_rate__isnull=False))
    )
    state = (
        f"{counted['promised']:,} of {many(counted['all'], 'entry', 'entries')} promise something"
        if counted["all"]
        else "no entry is in force"
    )
    return _step(
        user,
        title="Set commitments",
        what="The recovery point (RPO) says how old the newest copy may be; the success rate, how many due backups must succeed.",
        done=counted["all"] > 0 and counted["promised"] == counted["all"],
        state=state,
        door=("Open the entries", "admin:catalogue_service_changelist", "catalogue.change_service"),
    )


def _step(user: Any, *, title: str, what: str, done: bool, state: str, door: tuple[str, str, str]) -> Step:
    words, name, permission = door
    may = user.is_staff and user.has_perm(permission)
    who = "" if may else names(_holders(permission)[:6])
    try:
        link = Link(words, reverse(name)) if may else None
    except NoReverseMatch:
        link = None
    return Step(title=title, what=what, done=done, state=state, door=link, who=f"{who} can do it." if who else "")


def _holders(permission: str) -> Any:
    people = get_user_model().objects.with_perm(permission, backend="django.contrib.auth.backends.ModelBackend", include_superusers=False)
    return people.filter(is_active=True, is_staff=True).order_by("first_name", "last_name", "username")
