"""The same judgement again: from the stored inputs, from the runs themselves, and against what the tools said."""

from __future__ import annotations

import copy
import datetime as dt
from collections import defaultdict
from typing import Any

import msgspec

from itsm_backup.common.time import iso, parse_instant
from monitoring import answers, gathering, judging, matching, proving, silence
from monitoring.combining import key_of, seal_of
from monitoring.connectors import reader_of
from monitoring.explaining import runs_of
from monitoring.models import BackupRun, Evaluation, ExpectedRun, ProtectedItem, RunRevision
from monitoring.planning import COUNTED
from monitoring.wording import status_sentence

MOST_RUNS = 5_000


class Repetition(msgspec.Struct, kw_only=True):
    """Whether a judgement repeats. `differences` are sentences; `altered` names runs changed behind the product's back."""

    evaluation: int
    from_inputs: bool
    from_runs: bool
    answer: str
    altered: list[str] = []
    differences: list[str] = []

    @property
    def agrees(self) -> bool:
        return self.from_inputs and self.from_runs and not self.altered


def repeat(evaluation: Evaluation) -> Repetition:
    """Judge again, twice over, and say whether both agree with what was recorded."""
    if evaluation.service is None:
        return _repeat_silence(evaluation)
    again = judging.judge_service(evaluation.inputs)
    runs = _runs_of_period(evaluation)
    rebuilt = _rebuilt(evaluation, runs)
    from_runs = judging.judge_service(rebuilt)
    return Repetition(
        evaluation=evaluation.pk,
        from_inputs=again == evaluation.result,
        from_runs=from_runs == evaluation.result,
        answer=status_sentence(rebuilt, from_runs),
        altered=[sentence for run in runs.values() if (sentence := _alteration(run))],
        differences=_differences("stored inputs", again, evaluation.result) + _differences("the runs", from_runs, evaluation.result),
    )


def _repeat_silence(evaluation: Evaluation) -> Repetition:
    again = silence.judge_tool(evaluation.inputs)
    same = again == evaluation.result
    return Repetition(
        evaluation=evaluation.pk,
        from_inputs=same,
        from_runs=True,
        answer="Silent." if again["silent"] else "Not silent.",
        differences=_differences("stored inputs", again, evaluation.result),
    )


def _differences(source: str, found: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    return [
        f"From {source}, {name} is {found[name]!r}, recorded was {recorded[name]!r}."
        for name in recorded
        if found.get(name) != recorded[name]
    ]


def _runs_of_period(evaluation: Evaluation) -> dict[int, BackupRun]:
    """Every run the judgement could have read: those it names, and those of its jobs in the period it counted."""
    start, end = (parse_instant(instant) for instant in evaluation.inputs["period"])
    jobs = [job["job"] for job in evaluation.inputs["jobs"]]
    at = evaluation.at
    counted = BackupRun.objects.filter(
        job__in=jobs, occurred_at__gte=start - dt.timedelta(days=2), occurred_at__lt=min(end, at), first_seen_at__lte=at
    )
    named = BackupRun.objects.filter(pk__in=runs_of(evaluation))
    newest = counted.order_by("-occurred_at")[:MOST_RUNS]
    proofs = proving.runs_of_jobs(jobs, at) if evaluation.inputs.get("restore") else []
    return {run.pk: run for run in [*newest, *proofs, *named]}


def _alteration(run: BackupRun) -> str | None:
    """A sentence naming the run if its row no longer carries the seal it was written with, and what the tool had said."""
    if not run.seal or bytes(run.seal) == seal_of(run):
        return None
    told = _told(run)
    said = f" {run.tool.name} had said: {told}." if told else " Its raw answer is no longer kept."
    return f"Run {run.pk} of {run.job.name} was changed outside the product (it now reads {run.outcome or run.state}).{said}"


def _told(run: BackupRun) -> str | None:
    """What the raw answer says of this run."""
    try:
        tool, answer = answers.open_answer(run.answer or 0)
    except answers.AnswerGone:
        return None
    for record in reader_of(answer.kind, tool.kind).read(answer).records:
        if key_of(tool.pk, record) == bytes(run.key) or (record.artefact_id and record.artefact_id == run.artefact_id):
            return f"{record.outcome or record.state}, {iso(record.started_at or record.consistent_at or record.ended_at)}"
    return None


def _rebuilt(evaluation: Evaluation, runs: dict[int, BackupRun]) -> dict[str, Any]:
    """The inputs with points and counts worked out from the runs as they were known then."""
    known = {run.pk: run for run in (_as_known(run, evaluation.at) for run in runs.values())}
    inputs = dict(evaluation.inputs)
    inputs["items"] = [_item(item, known, evaluation.at) for item in inputs["items"]]
    if inputs["success_target"] is not None:
        inputs["occurrences"] = _counts(evaluation, known)
    inputs["jobs"] = [_job(job, known) for job in inputs["jobs"]]
    if inputs.get("restore"):  # judgements of version 1 knew none
        inputs["restore"] = proving.inputs_again(
            recorded=inputs["restore"], runs=known.values(), at=evaluation.at, knows_waiting=_is_since(evaluation, 5)
        )
    return inputs


def _is_since(evaluation: Evaluation, version: int) -> bool:
    return int(evaluation.method_version.removeprefix("judging-")) >= version


def _as_known(run: BackupRun, at: dt.datetime) -> BackupRun:
    """The run with every later revision taken back; the one given stays as it is."""
    run = copy.copy(run)
    for revision in RunRevision.objects.filter(run=run, at__gt=at).order_by("-at", "-pk"):
        for name, value in revision.before.items():
            is_instant = name.endswith("_at") and value is not None
            setattr(run, name, parse_instant(value) if is_instant else value)
    return run


def _item(item: dict[str, Any], known: dict[int, BackupRun], at: dt.datetime) -> dict[str, Any]:
    points = []
    for point in item["points"]:
        run = known.get(point["run"])
        if run is not None and run.is_good and run.captured_at:
            captured, available = run.captured_at, max(run.ended_at or run.captured_at, run.captured_at)
            points.append({**point, "captured_at": iso(captured), "available_at": iso(available)})
    listed = {point["run"] for point in item["points"]}
    newest = max((parse_instant(point["captured_at"]) for point in points), default=None)
    job = ProtectedItem.objects.filter(pk=item["item"]).values_list("job", flat=True).first()
    for run in known.values():
        unlisted = run.job_id == job and run.pk not in listed and run.is_good and run.operation in COUNTED
        if unlisted and run.captured_at and (newest is None or run.captured_at > newest) and _still_usable(run, at):
            available = max(run.ended_at or run.captured_at, run.captured_at)
            points.append({"point": f"run {run.pk}", "run": run.pk, "captured_at": iso(run.captured_at), "available_at": iso(available)})
    return {**item, "points": points}


def _still_usable(run: BackupRun, at: dt.datetime) -> bool:
    point = getattr(run, "point", None)
    if point is None:
        return True  # a good run without its point: the row was changed, or the point was taken away
    return all(instant is None or instant > at for instant in (point.gone_at, point.invalid_from, point.expires_at))


def _job(job: dict[str, Any], known: dict[int, BackupRun]) -> dict[str, Any]:
    latest = known.get(job["latest_run"])
    if latest is None:
        return job
    return {**job, "latest_outcome": latest.outcome, "latest_problem_run": None if latest.is_good else latest.pk}


def _counts(evaluation: Evaluation, known: dict[int, BackupRun]) -> dict[str, int]:
    """Good and bad occurrences of the period, matched anew; what was not settled then stays as it was counted."""
    start, end = (parse_instant(instant) for instant in evaluation.inputs["period"])
    by_job: dict[int, list[matching.Run]] = defaultdict(list)
    for run in known.values():
        if run.operation in COUNTED:
            by_job[run.job_id].append(
                matching.Run(id=run.pk, started_at=run.occurred_at, ended_at=run.ended_at, outcome=run.outcome, state=run.state)
            )
    counts = {**evaluation.inputs["occurrences"], "good": 0, "bad": 0}
    readings = evaluation.inputs.get("complete_readings", {})
    for job in evaluation.inputs["jobs"]:
        rows = list(
            ExpectedRun.objects.filter(job=job["job"], opens_at__gte=start, opens_at__lt=min(end, evaluation.at)).order_by("due_at")
        )
        lines = matching.match(
            [gathering.occurrence_of(row) for row in rows if row.state != "excused" and row.counts],
            by_job[job["job"]],
            at=evaluation.at,
            pushed=str(job["tool"]) not in readings,
            complete_reading_at=parse_instant(read_at) if (read_at := readings.get(str(job["tool"]))) else None,
            monitored_from=start,
        )
        counts["good"] += sum(line.settled_at is not None and line.state in ("satisfied", "satisfied_late") for line in lines)
        counts["bad"] += sum(line.settled_at is not None and line.state == "missed" for line in lines)
    counts["settled"] = counts["good"] + counts["bad"]
    counts["pending"] += evaluation.inputs["occurrences"]["settled"] - counts["settled"]
    return counts
