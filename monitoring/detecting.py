"""Changes of the backups behind an entry, found by looking again: they say which entries need a new version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.template.loader import render_to_string

from catalogue import checking, duties
from catalogue.models import ImpactAnalysis, Service, ServiceVersion
from catalogue.refusing import NotReady, WrongState
from itsm_backup.common import outbox
from itsm_backup.common.models import because
from monitoring import translating
from monitoring.attributes import Told, told_by
from monitoring.capability import measured
from monitoring.carrying import each
from monitoring.converting import FIELDS
from monitoring.models import AttributeMapping, BackupJob, DetectedChange, DetectedValue, SettledChange
from monitoring.wording import field_words, schedule_words

LONGEST_ASPECT = 200
MOST_ENTRIES = 500  # looked at in one go, those first that were not looked at for the longest time
LOOK, JOB, REPOSITORY, SCHEDULE, ENCRYPTED, CHECK = "look", "job", "repository", "schedule", "encrypted", "check:"
ASPECTS = {JOB: "Job", REPOSITORY: "Repository", SCHEDULE: "Schedule", ENCRYPTED: "Copies"}
SET_NOT_GROWN = ("value", "words")  # transforms of what a tool is set to; ages and distances move from day to day by themselves
REPLAYED = "Not sent: what it tells of was replayed from recordings."
Key = tuple[int | None, str]


class Said(NamedTuple):
    """What an aspect is compared by, and how it is told."""

    value: str
    words: str


Difference = tuple[Key, str | None, Said]  # what it was is None where it was not known


def aspect_words(aspect: str) -> str:
    """The name of an aspect for people."""
    if aspect.startswith(CHECK):
        return "Promise"
    return ASPECTS.get(aspect) or FIELDS[aspect].label


def may_not_hold(at: dt.datetime, *, past: bool) -> Q:
    """A condition for versions: whether their promise is worth the whole check, by what the last look found and an analysis since."""
    since_look = ~Exists(DetectedValue.objects.filter(service=OuterRef("service"), aspect=LOOK, looked_at__gte=OuterRef("approved_at")))
    analysed = ImpactAnalysis.objects.filter(
        service=OuterRef("service"), state="approved", approved_at__gt=OuterRef("approved_at"), approved_at__lte=at
    )
    if past:
        told = DetectedChange.objects.filter(service=OuterRef("service"), aspect__startswith=CHECK, detected_at__lte=at)
        return Q(Exists(told)) | Q(Exists(analysed))
    found = DetectedValue.objects.filter(service=OuterRef("service"), job=None, aspect__startswith=CHECK).exclude(value="")
    return Q(Exists(found)) | Q(Exists(analysed.filter(since_look)))


def detect_changes(*, at: dt.datetime) -> int:
    """Look at the entries in force again, at most MOST_ENTRIES; returns how many changes were detected. Safe to repeat at any time.

    The first look at an entry remembers what its backups are, and tells of its promise alone where that cannot be held. Its steward
    gets one mail for each look that found something.
    """
    looks = DetectedValue.objects.filter(service=OuterRef("service"), aspect=LOOK, job=None).values("looked_at")
    due = ServiceVersion.objects.in_force(at).annotate(looked_at=Subquery(looks[:1]))
    due = due.order_by(F("looked_at").asc(nulls_first=True), "service")  # what is no longer in force never stands in the way
    rows = due.select_related("service", "commitment", "sla", "ola", "contract", "steward")
    versions = {row.pk: row for row in rows[:MOST_ENTRIES]}
    answers: dict[int, tuple[AttributeMapping | None, Told | None]] = {}
    found: list[int] = []
    each(list(versions), lambda pk: found.append(_look(versions[pk], answers, at)), "looking again at version")
    return sum(found)


def _look(version: ServiceVersion, answers: dict[int, Any], at: dt.datetime) -> int:
    with transaction.atomic():
        row, new = DetectedValue.objects.get_or_create(
            service=version.service, job=None, aspect=LOOK, defaults={"since_at": at, "looked_at": at}
        )  # fmt: skip
        held = DetectedValue.objects.select_for_update(skip_locked=True).filter(pk=row.pk).first()
        if held is None or (held.looked_at >= at and not new):
            return 0  # another worker looks, or has just looked
        kept = {(one.job_id, one.aspect): one for one in DetectedValue.objects.filter(service=version.service).exclude(pk=row.pk)}
        found = _differences(kept, dict(_values(version, kept, answers, at)))
        _remember(version, kept, found, at)
        DetectedValue.objects.filter(pk=row.pk).update(looked_at=at)
        changes = [made for key, before, after in found if before is not None and (made := _change(version, key, before, after, at))]
        if changes:
            _tell(version, changes, at)
    return len(changes)


def _differences(kept: Mapping[Key, DetectedValue], values: Mapping[Key, Said]) -> list[Difference]:
    """Every aspect that is new or another than it was: key, what it was (None: not known until now), what it is."""
    told: list[Difference] = []
    for key, said in values.items():
        row = kept.get(key)
        if row is None:
            told.append((key, "" if key[1].startswith(CHECK) else None, said))
        elif row.value != said.value and not _is_as_bad(key[1], row.value, said.value):
            told.append((key, row.value, said))
    return told


def _is_as_bad(aspect: str, before: str, after: str) -> bool:
    """Whether an inequality is broken by no more than it was when that was told: what is measured drifts a little from day to day."""
    if not aspect.startswith(CHECK) or not before or not after:
        return False
    return float(after) <= float(before) * checking.DRIFT.get(aspect.split(":")[1], 1.0)


def _values(version: ServiceVersion, kept: Mapping[Key, DetectedValue], answers: dict[int, Any], at: dt.datetime) -> Iterator[Any]:
    jobs = BackupJob.objects.filter(service=version.service, first_seen_at__lte=at).select_related("tool", "schedule", "state__latest_run")
    here = set()
    for job in jobs:
        here.add(job.pk)
        yield from (((job.pk, aspect), said) for aspect, said in _of_job(job, answers, at))
    for pk, aspect in kept:
        if aspect == JOB and pk not in here:
            yield (pk, JOB), Said("protects it no longer", "")
    yield from _promise(version, kept, at)


def _of_job(job: BackupJob, answers: dict[int, Any], at: dt.datetime) -> Iterator[tuple[str, Said]]:
    yield JOB, Said("protects it", "")
    if job.repository_name:
        yield REPOSITORY, Said(job.repository_name, "")
    if schedule := getattr(job, "schedule", None):
        yield SCHEDULE, Said(schedule_words(schedule), "")
    run = job.state.latest_run if hasattr(job, "state") else None
    if run is not None and run.encrypted is not None:
        yield ENCRYPTED, Said("encrypted" if run.encrypted else "not encrypted", "")
    if job.tool_id not in answers:
        mapping = translating.in_force(job.tool, at)
        answers[job.tool_id] = mapping, told_by(job.tool, at) if mapping else None
    mapping, told = answers[job.tool_id]
    rows = [row for row in mapping.rows if row["transform"] in SET_NOT_GROWN] if mapping and told else []
    for one in translating.observe(rows=rows, told=told, zone=job.tool.zone, job=job.external_id) if rows else ():
        if one.field and not one.problem:
            yield one.field, Said(field_words(one.field, one.value), "")


def _promise(version: ServiceVersion, kept: Mapping[Key, DetectedValue], at: dt.datetime) -> Iterator[tuple[Key, Said]]:
    """Beside what is promised: each part of it that cannot hold, by how many times over, and those that can again."""
    asked = checking.question_of(version, for_many=True)
    found = checking.findings(asked=asked, measured=measured(version.service, at), at=at)
    stops = {f"{CHECK}{one.code}:{one.subject}"[:LONGEST_ASPECT]: one for one in found if one.stops}
    for aspect, one in stops.items():
        yield (None, aspect), Said(repr(one.size), one.sentence)
    for pk, aspect in kept:
        if aspect.startswith(CHECK) and aspect not in stops:
            yield (pk, aspect), Said("", "")


def _remember(version: ServiceVersion, kept: Mapping[Key, DetectedValue], found: list[Difference], at: dt.datetime) -> None:
    fresh = []
    for (job, aspect), _, said in found:
        row = kept.get((job, aspect)) or DetectedValue(service=version.service, job_id=job, aspect=aspect)
        row.value, row.since_at, row.looked_at = said.value, at, at
        fresh.append(row)
    DetectedValue.objects.bulk_create([row for row in fresh if row.pk is None])
    DetectedValue.objects.bulk_update([row for row in fresh if row.pk is not None], ["value", "since_at", "looked_at"])


def _change(version: ServiceVersion, key: Key, before: str, said: Said, at: dt.datetime) -> DetectedChange | None:
    """The change as a fact; None when it only takes back what still waited."""
    job, aspect = key
    waiting = DetectedChange.objects.waiting(at).filter(service=version.service, job=job, aspect=aspect).order_by("detected_at")
    first = waiting.first()
    holds_again = aspect.startswith(CHECK) and not said.value
    if holds_again or (first is not None and first.before == said.value):
        DetectedChange.objects.filter(pk__in=[row.pk for row in waiting]).update(undone_at=at)
        return None
    if aspect.startswith(CHECK) and before:
        before = "it could not be held either, by less"
    return DetectedChange.objects.create(
        service=version.service, job_id=job, aspect=aspect, before=before, after=said.words or said.value, detected_at=at
    )  # fmt: skip


def _tell(version: ServiceVersion, changes: list[DetectedChange], at: dt.datetime) -> None:
    if not version.steward.email or not version.steward.is_active:
        return
    context = {
        "version": version, "changes": [(aspect_words(one.aspect), one) for one in changes], "organisation": settings.ORGANISATION,
        "address": f"{settings.BASE_URL}/services/detected/?service={version.service.code}",
    }  # fmt: skip
    outbox.write(
        key=f"detected/{version.service_id}/{at:%Y%m%d%H%M%S%f}", thread=f"detected/{version.service_id}", recipient=version.steward.email,
        subject=f"{version.name}: its backups changed after version {version.number} was approved",
        body=render_to_string("monitoring/email/detected.txt", context), at=at, withheld=REPLAYED if _is_replayed(version.service) else "",
    )  # fmt: skip


def _is_replayed(service: Service) -> bool:
    """Whether everything that protects the entry was told by replayed recordings: then nobody is bothered with it."""
    return set(BackupJob.objects.filter(service=service).values_list("tool__replayed", flat=True)) == {True}


def settle(*, change: DetectedChange, by: Any, at: dt.datetime, reason: str) -> SettledChange:
    """No new version is needed for this change, says a steward. Raises NotAllowed, NotReady without a reason, WrongState."""
    duties.check(by=by, act="change", on=change.service, at=at)
    if not reason.strip():
        raise NotReady(["Say why no new version is needed: an auditor reads it beside the change."])
    with transaction.atomic(), because(reason.strip(), by=by):
        held = DetectedChange.objects.select_for_update(of=("self",)).get(pk=change.pk)
        if not DetectedChange.objects.waiting(at).filter(pk=held.pk).exists():
            raise WrongState("This change waits no more: it was undone, settled, or taken up by a new version. Nothing was changed.")
        return SettledChange.objects.create(change=held, reason=reason.strip(), settled_at=at, settled_by=by)
