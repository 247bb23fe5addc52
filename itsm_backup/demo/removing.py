"""Taking the demo estate away without trace: what it declared, what was replayed, and all that followed from it. Nobody else's data."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import Q
from guardian.models import UserObjectPermission

from catalogue.models import Agreement, Cmdb, GrantEntry, Label, ScopeLine, Service, ServiceVersion, Team, TeamMember
from incidents.models import Incident, IncidentAlert, KnownError, MajorIncident, PostIncidentReview, Problem, ProblemIncident
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from itsm_backup.demo.amending import amendments
from itsm_backup.demo.clearing import Removal
from itsm_backup.demo.models import Replay
from itsm_backup.demo.world import estate
from itsm_backup.estate.beginning import DEMO_PEOPLE
from itsm_backup.launcher.data_folder import ORGANISATION_FILE
from monitoring.models import Agreement as Compared
from monitoring.models import BackupJob, BackupRun, CauseRule, Comparison, ProtectedItem, RawAnswer, Repository, RuleVersion, Tool
from monitoring.partitions import drop_empty_partitions
from reporting.models import Delivery, Report, ReportedService

log = logging.getLogger(__name__)
_TOLD = {Incident: "incident", MajorIncident: "major", PostIncidentReview: "review", KnownError: "known-error"}  # in the keys of notices
NAME = "demo remove"
# Rows of a person's own tools stay when the demo service that they were given to goes: they belong to no service then.
_DETACHED = {
    (BackupJob, "service"), (ProtectedItem, "service"), (BackupRun, "service"), (Incident, "service"), (Repository, "copy_of"),
}  # fmt: skip


def remove_demo(*, at: dt.datetime, keeps_people: bool = False) -> Counter[str]:
    """Delete the demo estate; returns how many rows of each kind went. Nothing without one.

    Tools of your own, what they told, and your own services stay; jobs of yours that belonged to a demo service belong to none
    afterwards. People of the demo who did something else as well keep their accounts; with `keeps_people` all do. The name of its
    organisation is told until the next start.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [journey.LOCK])  # nobody judges meanwhile, and nobody feeds
        if Replay.objects.select_for_update().first() is None:
            return Counter()
        removal = Removal(detached=_DETACHED)
        _gather(removal)
        _let_go_of_repositories(removal)
        people = [] if keeps_people else _people(removal)
        guards = removal.guards() | {"common.AccountHistory:append_only", "catalogue.GrantEntry:append_only"}
        log.warning("%s at %s: %s rows go, the guards of their tables are lifted for it.", NAME, at.isoformat(), removal.total)
        with pgtrigger.ignore(*sorted(guards)):
            gone = removal.carry_out()
            gone += _forget_people(people)
            gone["raw answers"] = RawAnswer.objects.filter(tool_id__in=removal.of(Tool)).delete()[0] if removal.of(Tool) else 0
            Replay.objects.all().delete()
    drop_empty_partitions(before=at)
    (settings.DATA_DIR / ORGANISATION_FILE).unlink(missing_ok=True)
    return gone


def _gather(removal: Removal) -> None:
    """Everything that hangs on the demo's tools, services and teams, and the stories told of it."""
    declared = estate()
    removal.add(Tool, Tool.objects.filter(replayed=True))
    removal.add(Cmdb, Cmdb.objects.filter(replayed=True))
    if not Cmdb.objects.filter(replayed=False).exists():  # without any, nothing is compared
        removal.add(Comparison, Comparison.objects.all())
        removal.add(Compared, Compared.objects.all())
    removal.add(Service, Service.objects.filter(code__in=[wish["code"] for wish in declared["services"]]))
    rules = [one["rule"]["name"] for one in amendments() if "rule" in one]
    removal.add(RuleVersion, RuleVersion.objects.filter(name__in=rules))
    removal.add(CauseRule, CauseRule.objects.filter(name__in=rules))
    removal.add(ScopeLine, ScopeLine.objects.filter(name__in=[wish["name"] for wish in declared["scope"]]))
    reports = ReportedService.objects.filter(service__in=removal.of(Service)).values("report")
    removal.add(Report, Report.objects.filter(pk__in=reports))
    kept = IncidentAlert.objects.exclude(pk__in=removal.of(IncidentAlert)).values("incident")
    told = IncidentAlert.objects.filter(pk__in=removal.of(IncidentAlert)).values("incident")
    removal.add(Incident, Incident.objects.filter(pk__in=told).exclude(pk__in=kept))
    behind = ProblemIncident.objects.filter(pk__in=removal.of(ProblemIncident)).values("problem")
    others = ProblemIncident.objects.exclude(pk__in=removal.of(ProblemIncident)).values("problem")
    removal.add(Problem, Problem.objects.filter(pk__in=behind).exclude(pk__in=others))
    threads = Q(pk=None)
    for model, word in _TOLD.items():
        for pk in removal.of(model):
            threads |= Q(key__startswith=f"{word}/{pk}/")
    for pk in removal.of(Service):
        threads |= Q(thread=f"detected/{pk}")
    sent = Delivery.objects.filter(pk__in=removal.of(Delivery)).values("notice")
    removal.add(Notice, Notice.objects.filter(threads) | Notice.objects.filter(pk__in=sent))
    teams = Team.objects.filter(name__in=[wish["name"] for wish in declared["teams"]])
    usernames = [*DEMO_PEOPLE, *(wish["username"] for wish in declared["users"])]
    removal.add(TeamMember, TeamMember.objects.filter(team__in=teams, person__username__in=usernames))
    removal.add(Team, [team for team in teams if not removal.is_needed(team)])
    named = Agreement.objects.filter(name__in=[wish["name"] for wish in declared["agreements"]])
    removal.add(Agreement, [row for row in named if not any(removal.is_needed(version) for version in row.versions.all())])
    removal.add(Label, _labels(removal))


def _let_go_of_repositories(removal: Removal) -> None:
    """A place of your own that was said to hold every copy of a place of the demo holds none of it any more; its history says why."""
    with because("The demo estate was taken away, and with it what this place holds every copy of"):
        for row in Repository.objects.filter(copy_of__in=removal.of(Repository)).exclude(pk__in=removal.of(Repository)):
            row.copy_of = None
            row.save()


def _labels(removal: Removal) -> list[Label]:
    """The labels of the demo that no entry of your own bears, and of which nobody of yours said what they mean."""
    meanings = ["", *(wish["meaning"] for wish in estate()["labels"])]
    words = {word for wish in estate()["services"] for word in wish.get("labels", ())}
    yours = ServiceVersion.objects.filter(labels__overlap=sorted(words)).exclude(service__in=removal.of(Service))
    used = {word for labels in yours.values_list("labels", flat=True) for word in labels}
    return list(Label.objects.filter(word__in=words - used, meaning__in=meanings))


def _people(removal: Removal) -> list[Any]:
    """The people of the demo whom nothing that stays needs."""
    usernames = [*DEMO_PEOPLE, *(wish["username"] for wish in estate()["users"])]
    people = list(get_user_model().objects.filter(username__in=usernames).order_by("pk"))
    return [person for person in people if not removal.is_needed(person, ignoring=_forgettable())]


def _forgettable() -> set[type[models.Model]]:
    """What goes with a person: grants, sign-in data and the log about accounts."""
    return {UserObjectPermission, LogEntry, get_user_model().groups.through, get_user_model().user_permissions.through}


def _forget_people(people: list[Any]) -> Counter[str]:
    ids = [str(person.pk) for person in people]
    kind = ContentType.objects.get_for_model(get_user_model())
    about = LogEntry.objects.filter(content_type=kind, object_id__in=ids) | LogEntry.objects.filter(user__in=people)
    about._raw_delete(about.db)
    of_people = GrantEntry.objects.filter(person__in=[person.pk for person in people])
    for person in people:
        person.delete()
    of_people._raw_delete(of_people.db)  # after them: their end is an entry, too
    return Counter({"people": len(people)})
