"""The verdict on a service and its operational status: pure, from stored inputs, the same years later in a fresh process.

Verdict of the service: held while a hold is active; else the worst claim, broken > no data > at risk > kept. A restore that
no test has proven yet is said so on its claim and counts for nothing here; one that a test contradicted is a broken promise.

| verdict | wanted status                                                                                             |
|---------|-----------------------------------------------------------------------------------------------------------|
| held    | maintenance                                                                                               |
| no_data | unknown                                                                                                   |
| broken  | degraded; outage when an item past its RPO has no usable point or exceeds outage_factor[tier] × RPO       |
| at_risk | degraded for tier 1, else operational                                                                     |
| kept    | operational                                                                                               |

A breach of the RPO, unknown and maintenance act at once, in both directions. Everything else falls only when a job has
`fall_after` bad occurrences in a row, and rises only when the latest `rise_after` occurrences of every job were good; a job
without any settled occurrence does not hold it back (occurrences, not evaluations; BM-HYST). The occurrences of a restore are
its tests: the status falls to degraded when `fall_after` in a row contradict it, on top of what the other claims ask for, and
rises when a test proves it. Equality with a limit complies.

A status set by hand stands in place of the computed one until it expires; the verdict, the claims and the alerts are as ever.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from itsm_backup.common.time import iso
from monitoring.claims import (
    GOOD,
    WORST_LAST,
    ItemStanding,
    JobInput,
    JudgementInputs,
    Verdict,
    item_standings,
    rpo_claim,
    success_claim,
)
from monitoring.restore_claim import next_change_at, restore_claim

# 2 judges restores, too; 3 knows a status set by hand; 4 tells due backups on days that do not count; 5 tells restore tests that wait to
# be verified and restores that failed. Older inputs hold none of it and give the same results as ever.
VERSION = "5"


class JudgingError(ValueError):
    """Inputs that cannot be judged; the message says what is wrong with them."""


def judge_service(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the judgement of a service. Takes and gives JSON values only: instants as ISO 8601 text, whole seconds.

    Inputs: at · tier · commissioned_at · rpo_s or null · success_target (0 to 1) or null · period [start, end) of the
    success claim · items [item, name, tool, commissioned_at, points [point, run, captured_at, available_at, expires_at,
    invalid_from, gone_at]] · occurrences of the period {settled, good, bad, pending, excused, unconfirmed}, where pending
    includes those still to come, and beside them uncounted, those on days that do not count, where there are any · jobs
    [job, name, tool, scheduled, bad_streak, good_streak, latest_run, latest_outcome
    (of the latest finished run), latest_problem_run, cause, missed_due_at, next_completion_at], where the problem run and
    the missed due time belong to the present row of bad occurrences, else null, and a streak counts occurrences from the
    moment they are good, or missed or failed past their deadline · sources
    [tool, name, silent, silent_since] · holds [window, from, until] · restore {rto_s, test_days, tests, checks} (see
    `restore_claim`) or null · workflow {at_risk_fraction, outage_factor by tier, fall_after, rise_after} · previous {status,
    since, by_rpo} or null · override {override, status, until, reason}, only while somebody has set the status by hand ·
    failed_restore {run, job, at, until}, only while the newest restore in earnest is one that failed less than a day ago: it makes
    everything urgent (BM-PRIO), and changes neither verdict nor status.

    Result: verdict · status · status_reason · by_rpo (whether the status comes from a breach of the RPO; pass it back as
    `previous`) · claims · conditions (what calls for an alert) · unjudged {items, jobs} behind silent tools, whose missing
    conditions do not mean that they are gone · next_change_at, the next instant at which time alone may change the result.

    Raises JudgingError when the inputs are incomplete or of the wrong type.
    """
    try:
        read = msgspec.convert(inputs, JudgementInputs)
    except (msgspec.ValidationError, ValueError) as error:
        raise JudgingError(f"These inputs cannot be judged: {error}.") from error
    if read.rpo_s is not None and str(read.tier) not in read.workflow.outage_factor:
        raise JudgingError(f"The status workflow has no outage factor for tier {read.tier}. Add one.")
    standings = item_standings(read)
    claims = _claims(read, standings)
    verdict, reason = _verdict(read, claims)
    status, status_reason, by_rpo = _status_of_all(read, claims, verdict, reason, standings)
    return {
        "verdict": verdict,
        "status": status,
        "status_reason": status_reason,
        "by_rpo": by_rpo,
        "claims": claims,
        "conditions": _conditions(read, standings, claims, verdict),
        "unjudged": {
            "items": [item.item for item in read.items if read.is_silent(item.tool)],
            "jobs": [job.job for job in read.jobs if read.is_silent(job.tool)],
        },
        "next_change_at": iso(_next_change(read, standings, claims)),
    }


def _claims(inputs: JudgementInputs, standings: list[ItemStanding]) -> list[dict[str, Any]]:
    claims = []
    if inputs.rpo_s is not None:
        claims.append(rpo_claim(inputs, standings))
    if inputs.success_target is not None:
        claims.append(success_claim(inputs))
    if inputs.restore is not None:
        claims.append(restore_claim(inputs.at, inputs.restore))
    return claims


def _verdict(inputs: JudgementInputs, claims: list[dict[str, Any]]) -> tuple[Verdict, str]:
    """The service's verdict and the reason of the claim that decided it."""
    if _active_until(inputs) is not None:
        return "held", "held"
    if not inputs.jobs and not inputs.items:
        return "no_data", "nothing_mapped"
    if inputs.is_silent(None):
        return "no_data", "source_silent"
    counting = [claim for claim in claims if claim["reason"] != "unproven"]
    if not counting:
        return "no_data", "unproven" if claims else "no_commitment"
    worst = max(counting, key=lambda claim: WORST_LAST.index(claim["verdict"]))
    return worst["verdict"], worst["reason"]


def _active_until(inputs: JudgementInputs) -> dt.datetime | None:
    """When the last of the holds active now ends."""
    active = [hold.until for hold in inputs.holds if inputs.at < hold.until and (hold.starts_at is None or hold.starts_at <= inputs.at)]
    return max(active, default=None)


def _status_of_all(
    inputs: JudgementInputs, claims: list[dict[str, Any]], verdict: Verdict, reason: str, standings: list[ItemStanding]
) -> tuple[str, str, bool]:
    """The status set by hand; else that of the other claims, at least degraded while tests in a row contradict the restore."""
    if inputs.override is not None and inputs.at < inputs.override.until:
        return inputs.override.status, "set_by_hand", False
    restore = _contradicted(claims)
    if restore is None or verdict in ("held", "no_data"):
        return _status(inputs, verdict, reason, standings)
    others = [claim for claim in claims if claim is not restore]
    status = _status(inputs, *(_verdict(inputs, others) if others else ("kept", "kept")), standings)
    if status[0] not in ("operational", "unknown"):
        return status
    if restore["bad_in_a_row"] >= inputs.workflow.fall_after:
        return "degraded", "contradicted", False
    return status if status[0] == "unknown" else ("operational", "awaiting_more_bad", False)


def _contradicted(claims: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((claim for claim in claims if claim["reason"] == "contradicted"), None)


def _status(inputs: JudgementInputs, verdict: Verdict, reason: str, standings: list[ItemStanding]) -> tuple[str, str, bool]:
    """(status, reason, by_rpo) by the tables of the module's docstring."""
    if verdict == "held":
        return "maintenance", reason, False
    if verdict == "no_data":
        return "unknown", reason, False
    level = max((standing.level for standing in standings), default=0)
    if level >= 2:
        return ("outage" if level == 3 else "degraded"), reason, True
    previous = inputs.previous
    was_degraded = previous is not None and previous.status in ("degraded", "outage") and not previous.by_rpo
    if verdict == "broken" or (verdict == "at_risk" and inputs.tier == 1):
        falls = any(job.bad_streak >= inputs.workflow.fall_after for job in inputs.jobs)
        return ("degraded", reason, False) if was_degraded or falls else ("operational", "awaiting_more_bad", False)
    if was_degraded and not all(_has_recovered(job, inputs.workflow.rise_after) for job in inputs.jobs):
        return "degraded", "awaiting_more_good", False
    return "operational", reason, False


def _has_recovered(job: JobInput, rise_after: int) -> bool:
    return job.bad_streak == 0 and (job.good_streak >= rise_after or job.good_streak == 0)


def _conditions(
    inputs: JudgementInputs, standings: list[ItemStanding], claims: list[dict[str, Any]], verdict: Verdict
) -> list[dict[str, Any]]:
    """What calls for an alert. A hold silences all but the RPO breach of a tier 1 service."""
    breaches = [_rpo_condition(standing, inputs) for standing in standings if standing.level >= 2]
    if verdict == "held":
        return breaches if inputs.tier == 1 else []
    near = [_rpo_condition(standing, inputs) for standing in standings if standing.level == 1]
    restore = [_restore_condition(claim) for claim in claims if claim["reason"] == "contradicted"]
    return breaches + near + restore + [condition for job in inputs.jobs for condition in _job_conditions(job, inputs)]


def _restore_condition(claim: dict[str, Any]) -> dict[str, Any]:
    """Whoever has to restore would fail: an error at the first test already."""
    same = {name: claim[name] for name in ("detail", "measured_s", "target_s")}
    return {"class": "rto_test_failed", "severity": "error", "runs": [claim["run"]], **same}


def _rpo_condition(standing: ItemStanding, inputs: JudgementInputs) -> dict[str, Any]:
    broken = standing.level >= 2
    return {
        "class": "rpo_breach" if broken else "rpo_at_risk",
        "item": standing.item.item,
        "severity": ("critical" if inputs.tier == 1 else "error") if broken else "warning",
        "runs": [standing.point.run] if standing.point and standing.point.run is not None else [],
        "point": standing.point.point if standing.point else None,
        "measured_s": standing.exposure_s,
        "target_s": inputs.rpo_s,
    }


def _job_conditions(job: JobInput, inputs: JudgementInputs) -> list[dict[str, Any]]:
    """A failed run is known at once, whatever its occurrence comes to; silence counts only while the tool is not silent."""
    severity = "error" if job.bad_streak >= 2 else "warning"
    found: list[dict[str, Any]] = []
    failed = job.latest_outcome is not None and job.latest_outcome not in GOOD
    if job.latest_problem_run is not None and (failed or job.bad_streak):
        found.append({"class": "job_failed", "job": job.job, "severity": severity, "runs": [job.latest_problem_run], "cause": job.cause})
    if job.missed_due_at is not None and job.bad_streak and not inputs.is_silent(job.tool):
        found.append({"class": "job_missed", "job": job.job, "severity": severity, "runs": [], "due_at": iso(job.missed_due_at)})
    return found


def _next_change(inputs: JudgementInputs, standings: list[ItemStanding], claims: list[dict[str, Any]]) -> dt.datetime | None:
    ahead = [standing.next_change_at for standing in standings]
    ahead += [next_change_at(claim, inputs.at) for claim in claims if claim["claim"] == "restore"]
    ahead += [ending.until if ending else None for ending in (inputs.override, inputs.failed_restore)]
    ahead += [_active_until(inputs), *(hold.starts_at for hold in inputs.holds)]
    if inputs.success_target is not None:
        ahead.append(inputs.period[1])
    return min((instant for instant in ahead if instant is not None and instant > inputs.at), default=None)
