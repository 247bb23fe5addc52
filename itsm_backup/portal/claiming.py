"""Each promise of an entry beside what is measured. A promise that nothing measures yet is said to be unmeasured, never kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from catalogue.models import Commitment
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import VERDICTS, many, percent, zone
from monitoring.models import Evaluation


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


def claims_of(*, commitment: Commitment | None, evaluation: Evaluation | None, moment: Moment) -> tuple[Claim, ...]:
    """Every promise that the version makes, in the order people ask."""
    if commitment is None:
        return ()
    judged = {claim["claim"]: claim for claim in evaluation.result["claims"]} if evaluation and evaluation.service_id else {}
    why = moment.href("explain", "evaluation", evaluation.pk) if evaluation else ""
    found = []
    if commitment.rpo_s:
        found.append(_rpo(commitment.rpo_s, judged.get("rpo"), why, moment))
    if commitment.rto_s:
        found.append(_unmeasured("Recovery time (RTO)", f"{duration_words(commitment.rto_s)} or less", "No restore was measured"))
    if commitment.success_rate is not None:
        found.append(_success(float(commitment.success_rate), judged.get("success"), evaluation, why))
    if commitment.on_time_rate is not None:
        found.append(_unmeasured("Done on time", f"{percent(float(commitment.on_time_rate))} a month", "Not counted yet"))
    if commitment.window_opens and commitment.window_closes:
        window = f"{commitment.window_opens:%H:%M} to {commitment.window_closes:%H:%M}"
        found.append(_unmeasured("Backup window", window, "Not counted yet"))
    if commitment.retention_days:
        found.append(_unmeasured("Retention", f"{commitment.retention_days} d", "Not compared with the tools yet"))
    if commitment.restore_test_days:
        found.append(_unmeasured("Restore test", f"every {commitment.restore_test_days} d", "No restore test is recorded"))
    return tuple(found)


def _unmeasured(name: str, promised: str, evidence: str) -> Claim:
    return Claim(name=name, promised=promised, measured="Not measured", evidence=evidence, verdict="no_data")


def _rpo(promised_s: int, claim: dict[str, Any] | None, why: str, moment: Moment) -> Claim:
    promised = f"{duration_words(promised_s)} or less"
    if claim is None or claim["verdict"] == "no_data":
        reason = "Not judged yet" if claim is None else "Its tool is silent" if claim["reason"] == "source_silent" else "No job is mapped"
        return Claim(name="Recovery point (RPO)", promised=promised, measured="Unknown", evidence=reason, verdict="no_data", why=why)
    begin = parse_instant(claim["captured_at"] or claim["counted_from"])
    age = duration_words(max(0.0, (moment.at - begin).total_seconds()))
    measured = f"{age} {'then' if moment.past else 'now'}" if claim["captured_at"] else f"No copy for {age}"
    items = f", worst of {claim['items']} items" if claim["items"] > 1 else ""
    return Claim(
        name="Recovery point (RPO)",
        promised=promised,
        measured=measured,
        evidence=f"Measured live, from run records{items}",
        verdict=claim["verdict"],
        verdict_words=_since(claim["verdict"], begin + dt.timedelta(seconds=promised_s), moment),
        why=why,
    )


def _since(verdict: str, crossed_at: dt.datetime, moment: Moment) -> str:
    if verdict != "broken":
        return VERDICTS[verdict]
    local = crossed_at.astimezone(zone())
    same_day = local.date() == moment.at.astimezone(zone()).date()
    return f"Broken since {local:%H:%M}" if same_day else f"Broken since {local.day} {local:%b %H:%M}"


def _success(target: float, claim: dict[str, Any] | None, evaluation: Evaluation | None, why: str) -> Claim:
    promised = f"{percent(target)} a month"
    if claim is None or evaluation is None or claim["rate"] is None:
        reason = "Not judged yet" if claim is None else "Nothing is settled in this month yet"
        verdict = claim["verdict"] if claim else "no_data"
        return Claim(name="Run success", promised=promised, measured="Unknown", evidence=reason, verdict=verdict, why=why)
    month = parse_instant(evaluation.inputs["period"][0]).astimezone(zone()) + dt.timedelta(days=1)
    return Claim(
        name="Run success",
        promised=promised,
        measured=f"{percent(claim['rate'])} so far in {month:%B}",
        evidence=f"{claim['good']:,} of {many(claim['settled'], 'due backup')}",
        verdict=claim["verdict"],
        why=why,
    )
