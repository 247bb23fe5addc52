"""Thresholds tried on past days: the judgements of that time, made again from their kept inputs. Nothing is changed by it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from catalogue.models import Service
from itsm_backup.common.time import iso, parse_instant
from monitoring import judging
from monitoring.models import Evaluation

MOST_EVALUATIONS, MOST_STEPS = 5_000, 20  # in all; and by time alone between two evaluations of a service
LATE = dt.timedelta(hours=1)  # a change that was judged no later than this counts as watched
Step = tuple[dt.datetime, str]  # from when on, which status


@dataclass(frozen=True, kw_only=True)
class Course:
    """How one service stood, and how it would have stood: its steps in time, each from an instant on."""

    service_id: int
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    until: dt.datetime

    @property
    def differs(self) -> bool:
        return self.before != self.after

    def seconds(self, steps: Sequence[Step]) -> Mapping[str, float]:
        """Status → how long it stood there."""
        found: dict[str, float] = defaultdict(float)
        for (begin, status), (end, _) in zip(steps, [*steps[1:], (self.until, "")], strict=True):
            found[status] += (end - begin).total_seconds()
        return found


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What the thresholds would have made of the time looked at. `since` is later than asked where there was too much to read."""

    since: dt.datetime
    until: dt.datetime
    evaluations: int
    unwatched: int  # stretches in which nothing was judged when its time came: there the last status stands, in both
    courses: tuple[Course, ...] = field(default=())


def rehearse(*, services: QuerySet[Service], thresholds: Mapping[str, Any], since: dt.datetime, until: dt.datetime) -> Rehearsal:
    """Judge every kept evaluation of these services in that time again under other thresholds (as `workflow.thresholds` gives them)."""
    rows = Evaluation.objects.filter(service__in=services, at__gt=since, at__lte=until).order_by("-at", "-pk")
    found = list(rows.values_list("service", "at", "inputs", "result__next_change_at")[: MOST_EVALUATIONS + 1])
    if len(found) > MOST_EVALUATIONS:
        since = found.pop()[1]
    standing = Evaluation.objects.filter(service=OuterRef("pk"), at__lte=since).order_by("-at", "-pk").values("pk")[:1]
    first = Evaluation.objects.filter(pk__in=services.annotate(held=Subquery(standing)).values("held"))
    by_service: dict[int, list[Any]] = defaultdict(list)
    for service, at, inputs, ahead in [*first.values_list("service", "at", "inputs", "result__next_change_at"), *reversed(found)]:
        by_service[service].append((max(at, since), inputs, parse_instant(ahead) if ahead else None))
    unwatched = sum(not watched for told in by_service.values() for watched in _watched(told, until))
    courses = tuple(_course(pk, told, thresholds, until) for pk, told in sorted(by_service.items()))
    return Rehearsal(since=since, until=until, evaluations=len(found), unwatched=unwatched, courses=courses)


def _course(service_id: int, told: Sequence[Any], thresholds: Mapping[str, Any], until: dt.datetime) -> Course:
    before, after = (_joined(_replayed(told, by, until)) for by in (None, thresholds))  # both by the same steps of time
    return Course(service_id=service_id, before=before, after=after, until=until)


def _replayed(told: Sequence[Any], thresholds: Mapping[str, Any] | None, until: dt.datetime) -> Iterator[Step]:
    """Every status in order, by these thresholds or by those of the time; between two evaluations time alone may bring the next one."""
    previous: dict[str, Any] | None = None
    ends = [at for at, _, _ in told[1:]] + [until]
    for (at, inputs, _), end, watched in zip(told, ends, _watched(told, until), strict=True):
        moment: dt.datetime | None = at
        for _ in range(MOST_STEPS):
            if moment is None or (moment >= end and moment != at):
                break
            asked = {**inputs, "at": iso(moment), "workflow": thresholds or inputs["workflow"]}
            result = judging.judge_service(asked if previous is None else {**asked, "previous": previous})
            yield moment, result["status"]
            by_hand = result["status_reason"] == "set_by_hand"
            previous = None if by_hand else {"status": result["status"], "since": iso(moment), "by_rpo": result["by_rpo"]}
            moment = parse_instant(result["next_change_at"]) if watched and result["next_change_at"] else None


def _watched(told: Sequence[Any], until: dt.datetime) -> list[bool]:
    """Whether each stretch between two evaluations was watched: its next change was judged when its time came, or lay beyond it."""
    ends = [at for at, _, _ in told[1:]] + [until]
    return [ahead is None or ahead >= end - LATE for (_, _, ahead), end in zip(told, ends, strict=True)]


def _joined(steps: Iterator[Step] | Any) -> tuple[Step, ...]:
    kept: list[Step] = []
    for at, status in steps:
        if not kept or kept[-1][1] != status:
            kept.append((at, status))
    return tuple(kept)
