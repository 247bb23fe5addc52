"""The bench: what a draft would have done in the last days, against the rules in force. It changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db.models import Q

from monitoring import causes
from monitoring.causes import component_key, fact_of_run
from monitoring.conditions import Condition, Fact, RuleSet, Test, check_of
from monitoring.correlation import asked_of, fact_of, rules_at
from monitoring.following import ERROR_FROM
from monitoring.models import Alert, BackupJob, BackupRun, RuleVersion
from monitoring.planning import COUNTED
from monitoring.recalling import BAD
from monitoring.ruling import rule_named

MOST_JOBS, MOST_JOBS_FOLLOWED, MOST_RUNS, MOST_ALERTS = 20_000, 200, 5_000, 1_000
DAYS = (7, 30, 90)
Span = tuple[str, dt.datetime, dt.datetime | None]  # root component, from, until
Ran = tuple[int, dt.datetime, str | None, str | None, str]  # job, when, outcome, message, operation


class Line(msgspec.Struct, kw_only=True, frozen=True):
    """A job or a failed run, and what the draft makes of it."""

    job: BackupJob
    mark: str  # same, new, lost or moved; near, covered and unmatched in the lists of these
    before: Any = None  # the rule that decides now
    after: Any = None  # the rule that would decide, or the draft
    run: BackupRun | None = None
    why: str = ""


class Trial(msgspec.Struct, kw_only=True):
    """What came of it. `decided` says for every job or run which service, or cause, the draft would leave it with."""

    days: int
    considered: int
    cut: bool = False  # there is more than was looked at
    lines: list[Line] = []
    near: list[Line] = []
    unmatched: list[Line] = []
    unmatched_before: int = 0
    taken: dict[str, int] = {}  # rule → how many it would lose to the draft
    incidents_before: int = 0
    incidents_after: int = 0
    per_day: dict[dt.date, Counter] = {}
    runs_cut: bool = False
    decided: dict[int, Any] = {}

    def count(self, *marks: str) -> int:
        return sum(line.mark in marks for line in self.lines)

    @property
    def matched(self) -> int:
        return self.count("same", "new", "moved")


class _Sides:
    """The rules in force and the same with the draft in its place."""

    def __init__(self, row: RuleVersion, at: dt.datetime) -> None:
        belonging = row.kind == RuleVersion.Kind.ATTRIBUTION
        ours = rule_named(row.kind, row.name)
        self.row, self.ours = row, ours.pk if ours else None
        self.conditions = asked_of(row.tool_id if belonging else None, row.plain)
        held: list[tuple[Any, list[Condition]]] = list(rules_at(at) if belonging else causes.asked_in_order())
        others = [one for one in held if one[0].pk != self.ours]
        counts = row.enabled and bool(self.conditions) and (row.valid_to is None or row.valid_to > at)
        last = ours.pk if ours else float("inf")
        new = [*others, (row, self.conditions)] if counts else others
        new.sort(key=lambda one: (one[0].position, last if one[0] is row else one[0].pk))
        self.before: RuleSet[Any] = RuleSet(held)
        self.after: RuleSet[Any] = RuleSet(new)
        self.tests: list[tuple[Condition, Test]] = [(one, check_of(one)) for one in self.conditions]

    def line(self, job: BackupJob, fact: Fact, run: BackupRun | None = None) -> Line:
        """What it comes to for one fact."""
        before, after = self.before.first(fact), self.after.first(fact)
        mine, was = after is self.row, before is not None and before.pk == self.ours
        same = "moved" if mine and was and self._leads_elsewhere(before) else "same"
        mark = same if mine and was else "new" if mine else "lost" if was else "unmatched" if after is None else "other"
        return Line(job=job, mark=mark, before=before, after=after, run=run)

    def near(self, line: Line, fact: Fact) -> Line | None:
        """The line as a near miss: one condition alone does not hold, or another rule is asked first."""
        failing = [one for one, test in self.tests if not test(fact)]
        if not failing and line.after is not None:
            why = f"{line.after} is asked first"
        elif len(failing) == 1 and len(self.tests) > 1:
            why = f"not: {self._said(failing[0])}"
        else:
            return None
        return msgspec.structs.replace(line, mark="near", why=why)

    def _said(self, one: Condition) -> str:
        return f"job of {self.row.tool}" if one.field == "tool" else one.words(self.row.kind)

    def _leads_elsewhere(self, before: Any) -> bool:
        if self.row.kind == RuleVersion.Kind.ATTRIBUTION:
            return bool(before.service_id != self.row.service_id)
        return bool((before.title, before.component) != (self.row.title, self.row.component))


def try_rule(*, row: RuleVersion, user: Any, at: dt.datetime, days: int = 30) -> Trial:
    """What the draft would make of the jobs, or of the failures of the last days, that the person may see."""
    if row.kind == RuleVersion.Kind.ATTRIBUTION:
        return _of_jobs(_Sides(row, at), user, at, days)
    return _of_failures(_Sides(row, at), user, at, days)


def _sorted_in(trial: Trial, sides: _Sides, line: Line, fact: Fact) -> None:
    if line.mark in ("same", "new", "moved", "lost"):
        trial.lines.append(line)
    if line.mark == "new" and line.before is not None:
        trial.taken[str(line.before)] = trial.taken.get(str(line.before), 0) + 1
    if line.after is None:
        trial.unmatched.append(line)
    trial.unmatched_before += line.before is None
    if line.after is not sides.row and (near := sides.near(line, fact)):
        trial.near.append(near)


def _of_jobs(sides: _Sides, user: Any, at: dt.datetime, days: int) -> Trial:
    jobs = list(BackupJob.objects.visible_to(user).select_related("tool").order_by("pk")[: MOST_JOBS + 1])
    trial = Trial(days=days, considered=min(len(jobs), MOST_JOBS), cut=len(jobs) > MOST_JOBS)
    for job in jobs[:MOST_JOBS]:
        fact = fact_of(job)
        line = sides.line(job, fact)
        trial.decided[job.pk] = line.after.service_id if line.after else None
        _sorted_in(trial, sides, line, fact)
    _follow(trial, at)
    return trial


def _follow(trial: Trial, at: dt.datetime) -> None:
    """The runs of the jobs concerned day by day, and the incidents of those that get a service or lose it."""
    marks = {line.job.pk: line for line in trial.lines}
    wanted = sorted(marks, key=lambda pk: marks[pk].mark == "same")[:MOST_JOBS_FOLLOWED]
    runs = _runs(wanted, at - dt.timedelta(days=trial.days), at)
    trial.runs_cut = len(marks) > MOST_JOBS_FOLLOWED or len(runs) > MOST_RUNS
    rules = causes.rules_of_causes()
    gained, left = [], []
    by_job: dict[int, list[Ran]] = {}
    for ran in runs[:MOST_RUNS]:
        by_job.setdefault(ran[0], []).append(ran)
        trial.per_day.setdefault(ran[1].date(), Counter())[marks[ran[0]].mark] += 1
    for pk, told in by_job.items():
        line = marks[pk]
        if line.before is None:
            gained += _spans(line.job, told[::-1], rules)
        elif line.after is None:
            left += _spans(line.job, told[::-1], rules)
    trial.incidents_before, trial.incidents_after = incidents(left), incidents(gained)


def _runs(jobs: Sequence[int], since: dt.datetime, at: dt.datetime) -> list[Ran]:
    """The newest runs of these jobs, newest first, one more than are looked at."""
    rows = BackupRun.objects.filter(
        job__in=jobs, occurred_at__gte=since, occurred_at__lte=at, state="finished", operation__in=COUNTED,
        outcome__in=[*BAD, *BackupRun.GOOD],
    ).order_by("-occurred_at")  # fmt: skip
    return list(rows.values_list("job", "occurred_at", "outcome", "message", "operation")[: MOST_RUNS + 1])


def _spans(job: BackupJob, runs: Iterable[Ran], rules: RuleSet[Any]) -> list[Span]:
    """When an incident of the job would have been open, by its failures: the second in a row opens it, a good run ends it."""
    found: list[Span] = []
    failures, begun, key = 0, None, ""
    for _, ran_at, outcome, message, operation in runs:
        if outcome in BackupRun.GOOD:
            if begun:
                found.append((key, begun, ran_at))
            failures, begun = 0, None
            continue
        failures += 1
        rule = rules.first(fact_of_run(message, outcome, operation, job))
        key = component_key(rule.component if rule else "job", job)
        begun = begun or (ran_at if failures >= ERROR_FROM else None)
    return [*found, (key, begun, None)] if begun else found


def incidents(spans: Iterable[Span]) -> int:
    """How many incidents these come to: what shares its root component and its time is one."""
    count = 0
    until: dict[str, dt.datetime] = {}
    for key, begun, ended in sorted(spans, key=lambda span: span[1]):
        count += not (key in until and begun <= until[key])
        until[key] = max(until.get(key, begun), ended or dt.datetime.max.replace(tzinfo=dt.UTC))
    return count


def _of_failures(sides: _Sides, user: Any, at: dt.datetime, days: int) -> Trial:
    since = at - dt.timedelta(days=days)
    recent = Alert.objects.visible_to(user).filter(
        Q(resolved_at=None) | Q(resolved_at__gte=since), alert_class__in=("job_failed", "job_flapping"), job__isnull=False
    )
    alerts = list(recent.select_related("job__tool", "service").order_by("-last_seen_at")[: MOST_ALERTS + 1])
    owner = {pk: alert for alert in reversed(alerts[:MOST_ALERTS]) for pk in alert.run_ids}
    newest = sorted(owner, reverse=True)[:MOST_RUNS]
    runs = list(BackupRun.objects.filter(pk__in=newest, occurred_at__gte=since).order_by("-occurred_at", "-pk"))
    trial = Trial(days=days, considered=len(runs), cut=len(alerts) > MOST_ALERTS or len(owner) > MOST_RUNS)
    now_keys: dict[int, str] = {}
    new_keys: dict[int, str] = {}
    for run in runs:
        alert = owner[run.pk]
        job: Any = alert.job
        fact = fact_of_run(run.message, run.outcome, run.operation, job)
        line = sides.line(job, fact, run)
        trial.decided[run.pk] = line.after.name if line.after else None
        now_keys.setdefault(alert.pk, component_key(line.before.component if line.before else "job", job))
        new_keys.setdefault(alert.pk, component_key(line.after.component if line.after else "job", job))
        trial.per_day.setdefault(run.occurred_at.date(), Counter())[line.mark] += 1
        _sorted_in(trial, sides, line, fact)
    grave = [alert for alert in alerts if alert.severity in ("error", "critical") and alert.pk in now_keys]
    trial.incidents_before, trial.incidents_after = (
        incidents((keys[alert.pk], alert.opened_at, alert.resolved_at) for alert in grave) for keys in (now_keys, new_keys)
    )
    return trial
