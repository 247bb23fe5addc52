"""What was due on one local day of a service, what answered it, and when that was learned: bounded reads by job and day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db.models import Case, IntegerField, Value, When
from django.utils.html import format_html
from django.utils.safestring import SafeString

from itsm_backup.common.time import day_bounds, iso
from itsm_backup.portal.asof import Moment
from monitoring import causes
from monitoring.cells import kinds_of
from monitoring.models import BackupRun, ExpectedRun, RunRevision
from monitoring.planning import COUNTED

MOST_DUE, MOST_RUNS = 200, 600
NEWS = dt.timedelta(hours=2)  # so long after its end, news of a run is no late news: tools are asked from time to time


@dataclass(frozen=True)
class LocalDay:
    """One local day of a service, seen at a moment; `until` is where it ends, or the moment if that is earlier."""

    service_id: int
    on: dt.date
    zone: ZoneInfo
    moment: Moment

    @property
    def starts_at(self) -> dt.datetime:
        return day_bounds(self.on, str(self.zone))[0]

    @property
    def ends_at(self) -> dt.datetime:
        return day_bounds(self.on, str(self.zone))[1]

    @property
    def until(self) -> dt.datetime:
        return min(self.ends_at, self.moment.at)

    @property
    def is_over(self) -> bool:
        return self.ends_at <= self.moment.at

    def clock(self, at: dt.datetime) -> SafeString:
        """`<time>`: the hour on this day, with its date on another."""
        return format_html('<time datetime="{}">{}</time>', iso(at), self.clock_words(at))

    def clock_words(self, at: dt.datetime) -> str:
        local = at.astimezone(self.zone)
        twice = f" {local.tzname()}" if _is_twice(local) else ""
        return f"{local:%H:%M}{twice}" if local.date() == self.on else f"{local:%a} {local.day} {local:%b} {local:%H:%M}{twice}"

    @property
    def zone_words(self) -> str:
        """How its times are called; two names where the clocks change on it."""
        first, then = (at.astimezone(self.zone).tzname() or "" for at in (self.starts_at, self.ends_at - dt.timedelta(seconds=1)))
        return first if first == then else f"{first}, and in {then} once the clocks changed"


def _is_twice(local: dt.datetime) -> bool:
    """Whether clocks show this time twice, because they are put back over it."""
    first, second = (local.replace(fold=fold).utcoffset() or dt.timedelta() for fold in (0, 1))
    return first > second


@dataclass(frozen=True)
class Answer:
    """A run with the outcome that was known at the moment, and what was learned about it later."""

    run: BackupRun
    outcome: str | None
    learned_at: dt.datetime | None = None  # set when it was learned well after the day, or after the moment
    corrected_at: dt.datetime | None = None


@dataclass(frozen=True)
class Due:
    row: ExpectedRun
    answers: list[Answer] = field(default_factory=list)

    def kinds(self, moment: Moment) -> list[str]:
        """What it adds to its day, as the day cells count it; nothing that came due after the moment is known."""
        return ["pending"] if self.row.due_at > moment.at else kinds_of(self.row.state, self.row.worst_outcome, self.row.attempts)


@dataclass(frozen=True)
class Ledger:
    due: list[Due]
    others: list[Answer]  # runs of the day that answered nothing due on it
    all_learned_at: dt.datetime | None  # the day's runs were all learned of later, from this instant on
    cut: bool  # there is more than is shown; what was not good stands in it first
    causes: dict[str, str]  # by message


def ledger_of(day: LocalDay) -> Ledger:
    """At most 200 occurrences of the day, in order of time, with their runs: four questions however much there is."""
    rows, cut = _rows(day)
    runs = _runs(day, rows)
    answers = _answers(day, runs)
    due = [Due(row) for row in rows]
    of_job: dict[int, list[Due]] = {}
    for one in due:
        of_job.setdefault(one.row.job_id, []).append(one)
    others = []
    for answer in answers:
        owner = next((one for one in of_job.get(answer.run.job_id, []) if _belongs(answer.run, one.row)), None)
        if owner:
            owner.answers.append(answer)
        elif day.starts_at <= answer.run.occurred_at < day.until:
            others.append(answer)
    bad = (answer.run.message or "" for answer in answers if answer.outcome not in BackupRun.GOOD)
    learned = [answer.learned_at for answer in answers]
    late = min(filter(None, learned), default=None) if len(learned) > 1 and all(learned) else None
    return Ledger(due=due, others=others, all_learned_at=late, cut=cut, causes=causes.titles_of(bad))


def _rows(day: LocalDay) -> tuple[list[ExpectedRun], bool]:
    fine = Case(When(state="satisfied", worst_outcome="success", then=Value(1)), default=Value(0), output_field=IntegerField())
    rows = ExpectedRun.objects.filter(job__service=day.service_id, local_on=day.on).select_related("job", "job__tool")
    found = list(rows.order_by(fine, "due_at", "pk")[: MOST_DUE + 1])
    shown = sorted(found[:MOST_DUE], key=lambda row: (row.due_at, row.job.name, row.pk))
    return shown, len(found) > MOST_DUE


def _runs(day: LocalDay, rows: Sequence[ExpectedRun]) -> list[BackupRun]:
    """Runs of the service's jobs from the first opening of the day to its last cutoff."""
    since = min([day.starts_at, *(row.opens_at for row in rows)])
    until = max([day.ends_at, *(row.cutoff_at for row in rows)])
    runs = BackupRun.objects.filter(job__service=day.service_id, occurred_at__gte=since, occurred_at__lt=min(until, day.moment.at))
    return list(runs.select_related("job").order_by("occurred_at", "pk")[:MOST_RUNS])


def _answers(day: LocalDay, runs: Sequence[BackupRun]) -> list[Answer]:
    revisions: dict[int, list[RunRevision]] = {}
    for revision in RunRevision.objects.filter(run__in=runs).order_by("at", "pk"):
        revisions.setdefault(revision.run_id, []).append(revision)
    return [_answer(day, run, revisions.get(run.pk, [])) for run in runs]


def _answer(day: LocalDay, run: BackupRun, revisions: Sequence[RunRevision]) -> Answer:
    after = [revision for revision in revisions if revision.at > day.moment.at]
    later = [revision for revision in revisions if revision.at >= day.ends_at]
    outcome = after[0].before.get("outcome", run.outcome) if after else run.outcome
    news_until = min(max(day.ends_at, (run.ended_at or run.occurred_at) + NEWS), day.moment.at)
    return Answer(
        run,
        outcome,
        learned_at=run.first_seen_at if run.first_seen_at > news_until else None,
        corrected_at=(after or later)[-1].at if after or later else None,
    )


def _belongs(run: BackupRun, row: ExpectedRun) -> bool:
    return run.operation in COUNTED and row.opens_at <= run.occurred_at < row.cutoff_at
