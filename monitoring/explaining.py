"""Why a status, alert or figure is what it is: five references and the arithmetic; and the same answer worked out again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from catalogue import duties
from itsm_backup.common.time import iso
from monitoring import flapping, locking, sizing, wording
from monitoring.models import (
    Alert,
    AttributionCondition,
    AttributionRule,
    BackupRun,
    CauseRule,
    Evaluation,
    RawAnswer,
    RuleVersion,
    StatusWorkflow,
)
from monitoring.naming import Plain, throughout


class RunRead(msgspec.Struct, kw_only=True):
    """One run that a judgement read, as it stands now, and the raw answer it came from."""

    run: int
    occurred_at: str
    outcome: str | None
    message: str | None
    job: str
    answer: int | None
    answer_is_kept: bool


class Reference(msgspec.Struct, kw_only=True):
    """A version of something people decided: its title, what it says, since when, and its history id."""

    title: str
    text: str
    version: int | None = None
    since: str | None = None
    by: str | None = None


class Explanation(msgspec.Struct, kw_only=True):
    """The five references behind an evaluation, in the order people ask: runs, rule, mapping, promise, arithmetic."""

    evaluation: int
    at: str
    subject: str
    answer: str
    verdict: str
    status: str
    runs: list[RunRead]
    rule: Reference
    mapping: list[Reference]
    promise: Reference
    arithmetic: list[str]
    method: str
    methods: list[str]
    digest: str
    inputs: dict[str, Any]
    result: dict[str, Any]
    alert: dict[str, Any] | None = None
    priority: list[str] = []  # of an incident: every step from the promise to its priority


def explain(evaluation: Evaluation, *, alert: Alert | None = None) -> Explanation:
    """The explanation of an evaluation; with `alert`, of that alert: its own runs and the rule that named its cause."""
    runs = list(alert.run_ids) if alert and alert.run_ids else runs_of(evaluation)
    return Explanation(
        evaluation=evaluation.pk,
        at=iso(evaluation.at) or "",
        subject=str(evaluation.version.name if evaluation.version else evaluation.tool),
        answer=alert.title if alert else answer_of(evaluation),
        verdict=evaluation.verdict,
        status=evaluation.status,
        runs=_runs(runs),
        rule=_rule(evaluation, alert),
        mapping=[_mapping(version, evaluation.at) for version in sorted({one for one in evaluation.mapping.values() if one})],
        promise=_promise(evaluation),
        arithmetic=_arithmetic(evaluation, alert),
        method=evaluation.method_version,
        methods=_methods(evaluation, alert),
        digest=bytes(evaluation.inputs_hash).hex(),
        inputs=evaluation.inputs,
        result=evaluation.result,
        alert=_alert(alert) if alert else None,
    )


def plainly(told: Explanation, plain: Plain | None) -> Explanation:
    """The explanation for who is not told names: the same references, sums and results; of what tools said nothing is left."""
    if plain is None:
        return told
    runs = [msgspec.structs.replace(one, message=None, answer_is_kept=False) for one in told.runs]
    return throughout(msgspec.structs.replace(told, runs=runs), plain)  # type: ignore[no-any-return]


def _arithmetic(evaluation: Evaluation, alert: Alert | None) -> list[str]:
    if alert and alert.alert_class in sizing.CLASSES:
        return sizing.arithmetic_of(alert)
    if alert and alert.alert_class == flapping.KIND:
        return flapping.arithmetic_of(alert)
    if alert and alert.alert_class == locking.KIND:
        return locking.arithmetic_of(alert)
    if evaluation.service is None:
        return _silence(evaluation)
    return [*_silent_tools(evaluation), *wording.arithmetic(evaluation.inputs, evaluation.result)]


def _silent_tools(evaluation: Evaluation) -> list[str]:
    """Of each tool behind the service that said nothing: since when, and after how many intervals that counts."""
    silent = {source["tool"]: source for source in evaluation.inputs.get("sources", []) if source["silent"]}
    if not silent:
        return []
    judged = (
        Evaluation.objects.filter(tool__in=silent, service=None, at__lte=evaluation.at)
        .order_by("tool_id", "-at", "-pk")
        .distinct("tool_id")
    )
    found = {one.tool_id: one for one in judged if one.result["silent"]}
    return [wording.silence_sentence(source["name"], found.get(pk)) for pk, source in silent.items()]


def _methods(evaluation: Evaluation, alert: Alert | None) -> list[str]:
    if alert and alert.alert_class in sizing.CLASSES:
        _, figure = sizing.figure_of(alert)
        return [f"{figure.method_id} version {figure.method_version}"] if figure else []
    if alert and alert.alert_class == flapping.KIND:
        return [f"{flapping.METHOD} version {flapping.VERSION}"]
    if alert and alert.alert_class == locking.KIND:
        return [f"{locking.METHOD} version {locking.VERSION}"]
    return [f"{figure.method_id} version {figure.method_version}" for figure in evaluation.figures.order_by("pk")]


def answer_of(evaluation: Evaluation) -> str:
    """The judgement in a sentence."""
    if evaluation.service is not None:
        return wording.status_sentence(evaluation.inputs, evaluation.result)
    if evaluation.result["silent"]:
        return f"No complete answer since {evaluation.result['since'][:16].replace('T', ' ')} UTC. {evaluation.result['problem']}".strip()
    return "It answers again."


def runs_of(evaluation: Evaluation) -> list[int]:
    """Ids of the runs that the judgement read: behind the points of each item, and the latest of each job."""
    inputs = evaluation.inputs
    points = [point["run"] for item in inputs.get("items", []) for point in item["points"]]
    jobs = [job[name] for job in inputs.get("jobs", []) for name in ("latest_run", "latest_problem_run")]
    restore = inputs.get("restore") or {}
    proofs = [proof["run"] for kind in ("tests", "checks") for proof in restore.get(kind, [])]
    return sorted({run for run in [*points, *jobs, *proofs] if run})


def _runs(ids: list[int]) -> list[RunRead]:
    runs = list(BackupRun.objects.filter(pk__in=ids).select_related("job").order_by("occurred_at", "pk"))
    kept = set(RawAnswer.objects.filter(pk__in={run.answer for run in runs if run.answer}).values_list("pk", flat=True))
    return [_run(run, kept) for run in runs]


def _run(run: BackupRun, kept: set[int]) -> RunRead:
    return RunRead(
        run=run.pk,
        occurred_at=iso(run.occurred_at) or "",
        outcome=run.outcome or run.state,
        message=run.message,
        job=run.job.name,
        answer=run.answer,
        answer_is_kept=run.answer in kept,
    )


def _rule(evaluation: Evaluation, alert: Alert | None) -> Reference:
    if alert and alert.cause_rule:
        entry = CauseRule.history.filter(history_id=alert.cause_rule).select_related("history_user").first()
        if entry:
            words = " and ".join(one.words("cause") for one in entry.instance.plain)
            text = f"{words[:1].upper()}{words[1:]}; the fault lies with {entry.component}."
            return _told(entry, f"Cause: {entry.title}", text, _written(alert.cause_rule))
    entry = StatusWorkflow.history.filter(history_id=evaluation.workflow).select_related("history_user").first()
    if entry is None:
        return Reference(title="Status workflow", text="The version used is no longer known.", version=evaluation.workflow)
    text = (
        f"At risk above {entry.at_risk_fraction * 100:.0f}% of the promise; outage above "
        f"{entry.outage_factor_tier_1:g} × (tiers 1, 2) or {entry.outage_factor_tier_3:g} × (tiers 3, 4) of it; "
        f"otherwise it falls after {entry.fall_after} bad and rises after {entry.rise_after} good occurrences."
    )
    if alert and alert.alert_class == flapping.KIND:
        begins, ends = float(entry.flap_start_ratio), float(entry.flap_stop_ratio)
        text = (
            f"A job flaps from a share of {begins:g} changes between good and bad among its latest {entry.flap_window} occurrences on, "
            f"until the share is below {ends:g}."
        )
    return _reference(entry, "Status workflow", text)


def _mapping(version: int, at: dt.datetime) -> Reference:
    entry = AttributionRule.history.filter(history_id=version).select_related("history_user").first()
    if entry is None:
        return Reference(title="Attribution rule", text="The version used is no longer known.", version=version)
    written = _written(version)
    if written:
        conditions = [one.words(written.kind) for one in written.plain]
    else:  # conditions are saved just after their rule, so the rule's own instant would miss them
        rows = AttributionCondition.history.as_of(max(at, entry.history_date + dt.timedelta(seconds=1))).filter(rule_id=entry.id)
        conditions = [str(condition) for condition in rows]
    words = " and ".join(conditions)
    text = words[:1].upper() + words[1:] if words else "Every job of the tool"
    return _told(entry, entry.name, f"{text}.", written)


def _written(version: int) -> RuleVersion | None:
    """The approved version that made this entry of a rule's history."""
    return RuleVersion.objects.filter(decided=version).select_related("author", "approver").first()


def _told(entry: Any, title: str, text: str, written: RuleVersion | None) -> Reference:
    """The rule as it was; with its number, and who approved it, where it is an approved version."""
    told = _reference(entry, f"{title}, version {written.number}" if written else title, text)
    if written and written.approver:
        who = f"{duties.names([written.author])}, approved by {duties.names([written.approver])}"
        return msgspec.structs.replace(told, by=who)
    return told


def _promise(evaluation: Evaluation) -> Reference:
    version = evaluation.version
    if version is None:
        return Reference(title="Tool settings", text=f"Asked every {evaluation.inputs.get('poll_interval_s')} s.")
    commitment = getattr(version, "commitment", None)
    return Reference(
        title=f"{version.service.code} version {version.number}",
        text=f"Tier {version.tier}. " + wording.commitment_sentence(commitment),
        version=version.number,
        since=iso(version.effective.lower),
        by=version.approver.get_full_name() or version.approver.get_username() if version.approver else None,
    )


def _silence(evaluation: Evaluation) -> list[str]:
    inputs, result = evaluation.inputs, evaluation.result
    limit_s = inputs["poll_interval_s"] * inputs["silent_after_polls"]
    return [
        f"{inputs['poll_interval_s']} s × {inputs['silent_after_polls']} = {limit_s} s without a complete answer are allowed",
        f"latest complete answer {inputs['latest_complete_at'] or 'never'}, limit {result['limit_at']}, looked at {inputs['at']}",
    ]


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "key": alert.dedup_key,
        "class": alert.alert_class,
        "severity": alert.severity,
        "priority": alert.priority,
        "occurrences": alert.occurrences,
        "cause": alert.cause_title,
    }


def _reference(entry: Any, title: str, text: str) -> Reference:
    who = entry.history_user
    return Reference(
        title=title,
        text=text,
        version=entry.history_id,
        since=iso(entry.history_date),
        by=(who.get_full_name() or who.get_username()) if who else None,
    )
