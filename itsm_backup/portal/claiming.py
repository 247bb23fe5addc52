"""Each promise of an entry beside what is measured. A promise that nothing measures yet is said to be unmeasured, never kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from catalogue.counted_days import calendar_of
from catalogue.models import Commitment
from itsm_backup.common.time import duration_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.claiming_copies import claims_of_copies, window_claim
from itsm_backup.portal.framing import Claim, Link
from itsm_backup.portal.method_pages import href_of
from itsm_backup.portal.words import PROVEN, VERDICTS, day, many, percent, short_instant, zone
from monitoring.bridging import Bridged
from monitoring.keeping import Kept
from monitoring.models import BackupRun, Evaluation
from monitoring.trending import Month
from monitoring.unheard import heard_until
from monitoring.wording import left_out

METHODS = {"Recovery point (RPO)": "BM-RPO-EXP", "Recovery time (RTO)": "BM-RTO", "Run success": "BM-SR-WIN", "Done on time": "BM-CIW",
           "Restore test": "BM-RTC"}  # fmt: skip


def claims_of(
    *,
    commitment: Commitment | None,
    evaluation: Evaluation | None,
    moment: Moment,
    month: Month,
    bridged: Bridged | None = None,
    kept: Kept | None = None,
    runs: Sequence[BackupRun] = (),
    code: str,
    zone_name: str = "UTC",
) -> tuple[Claim, ...]:
    """Every promise that the version makes, in the order people ask.

    `month` is what day cells count of this one, `kept` what is known of its copies, `runs` are its newest ones; `bridged` is given
    where the evaluation did not reach the moment.
    """
    if commitment is None:
        return ()
    judged = {claim["claim"]: claim for claim in evaluation.result["claims"]} if evaluation and evaluation.service_id else {}
    why = moment.href("explain", "evaluation", evaluation.pk) if evaluation else ""
    found = []
    if commitment.rpo_s:
        if bridged:
            found.append(_bridged_rpo(commitment.rpo_s, bridged, why, moment))
        else:
            found.append(_rpo(commitment.rpo_s, judged.get("rpo"), why, moment))
    restore = judged.get("restore")
    if commitment.rto_s:
        found.append(_recovery(commitment.rto_s, restore, why))
    if commitment.success_rate is not None:
        found.append(_success(_of_month(commitment.success_rate, commitment), judged.get("success"), evaluation, why))
    if commitment.on_time_rate is not None:
        found.append(_on_time(float(commitment.on_time_rate), _of_month(commitment.on_time_rate, commitment), month))
    if commitment.window_opens and commitment.window_closes:
        found.append(window_claim(commitment, runs, zone_name=zone_name, code=code, moment=moment))
    found += claims_of_copies(commitment, kept, unheard=bool(heard_until(evaluation)), code=code, moment=moment)
    if commitment.restore_test_days:
        found.append(_restore_test(commitment.restore_test_days, restore, why, moment))
    return tuple(replace(one, method=href_of(one.method or METHODS[one.name], "1", moment), runs=_runs(one, code, moment)) for one in found)


def _runs(one: Claim, code: str, moment: Moment) -> Link | None:
    """What is behind the number: the runs themselves, the days that count them, or the restore tests."""
    if one.runs:
        return one.runs
    if one.name in ("Recovery time (RTO)", "Restore test"):
        return Link("Restore tests", moment.href("service", code) + "#restores")
    if one.name in ("Run success", "Done on time"):
        return Link("Days and runs", moment.href("service_calendar", code))
    return Link("Runs", moment.href("runs", code))


def _of_month(rate: Any, commitment: Commitment) -> str:
    """The promised share, with the days on which due backups count where that is not every day."""
    days = calendar_of(commitment.measurement_calendar).words if commitment.measurement_calendar else ""
    return f"{percent(float(rate))} a month{days and f', {days}'}"


def _on_time(promised: float, said: str, month: Month) -> Claim:
    """Of the month's days that are over; below the promise it is at risk, for the month is not over."""
    if not month.total:
        return Claim(
            name="Done on time", promised=said, measured="Not known", evidence="Nothing is settled in this month yet", verdict="no_data"
        )
    kept = month.on_time / month.total >= promised - 1e-9
    return Claim(
        name="Done on time", promised=said, measured=f"{percent(month.on_time / month.total)} so far in {month.first:%B}",
        evidence=f"{month.on_time:,} of {many(month.total, 'due backup')} by their deadline, until yesterday",
        verdict="kept" if kept else "at_risk", verdict_words=VERDICTS["kept" if kept else "at_risk"],
    )  # fmt: skip


def _rpo(promised_s: int, claim: dict[str, Any] | None, why: str, moment: Moment) -> Claim:
    promised = f"{duration_words(promised_s)} or less"
    if claim is None or claim["verdict"] == "no_data":
        told = "Its tool has not answered" if claim and claim["reason"] == "source_silent" else "No job is mapped"
        reason = told if claim else "Not judged yet"
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


def _bridged_rpo(promised_s: int, bridged: Bridged, why: str, moment: Moment) -> Claim:
    """The recovery point at an instant that no judgement reached; its why is that of the last one."""
    begin, verdict = bridged.counted_from, bridged.rpo or "no_data"
    age = duration_words(max(0.0, (moment.at - begin).total_seconds())) if begin else ""
    return Claim(
        name="Recovery point (RPO)",
        promised=f"{duration_words(promised_s)} or less",
        measured=f"{age} then" if bridged.captured_at else f"No copy for {age}" if begin else "Unknown",
        evidence=f"Computed from what is known today; last judged {short_instant(bridged.judged_at)}",
        verdict=verdict,
        verdict_words=_since(verdict, begin + dt.timedelta(seconds=promised_s), moment) if begin else "",
        why=why,
    )


def _since(verdict: str, crossed_at: dt.datetime, moment: Moment) -> str:
    if verdict != "broken":
        return VERDICTS[verdict]
    local = crossed_at.astimezone(zone())
    same_day = not moment.past and local.date() == moment.at.astimezone(zone()).date()
    return f"Broken since {local:%H:%M}" if same_day else f"Broken since {local.day} {local:%b %H:%M}"


def _recovery(promised_s: int, claim: dict[str, Any] | None, why: str) -> Claim:
    """The time that the newest full restore test took."""
    measured = duration_words(claim["measured_s"]) if claim and claim["measured_s"] is not None else "Not measured"
    return _proven("Recovery time (RTO)", f"{duration_words(promised_s)} or less", measured, claim, why)


def _restore_test(days: int, claim: dict[str, Any] | None, why: str, moment: Moment) -> Claim:
    """How long ago the newest full restore test was; how long it took is the other promise's matter."""
    tested_at = parse_instant(claim["tested_at"]) if claim and claim["tested_at"] else None
    never = "Not measured" if claim is None else "Not verified yet" if claim["detail"] == "not_verified" else "Never"
    measured = f"{duration_words((moment.at - tested_at).total_seconds())} ago" if tested_at else never
    if claim and claim["detail"] == "too_slow":
        late = bool(claim["due_at"]) and moment.at > parse_instant(claim["due_at"])
        claim = {**claim, "detail": "too_old" if late else "proven", "verdict": "no_data" if late else "kept"}
    return _proven("Restore test", f"every {days} d", measured, claim, why)


_LACKING = {
    "damage_found": "A check found damaged copies, {}",
    "sample_failed": "Restore of a sample failed, {}",
    "test_failed": "Restore test failed, {}",
    "not_compared": "Restore test, {}, nobody compared what came back",
    "not_timed": "Restore test, {}, its duration is not known",
    "too_old": "Restore test, {}, too long ago",
    "never_tested": "No full restore test is known",
    "not_verified": "Restore test, {}, waits to be verified",
}


def _proven(name: str, promised: str, measured: str, claim: dict[str, Any] | None, why: str) -> Claim:
    if claim is None:
        return Claim(name=name, promised=promised, measured=measured, evidence="Not judged yet", verdict="no_data", why=why)
    waiting = _local_day(claim.get("waiting_at"))
    on = _local_day(claim["contradicted_at"] or claim["tested_at"]) or waiting
    beside = f"; that of {waiting} waits to be verified" if waiting and waiting != on else ""
    return Claim(
        name=name,
        promised=promised,
        measured=measured,
        evidence=_LACKING.get(claim["detail"], "Restore test, {}").format(on) + beside,
        verdict=claim["verdict"],
        verdict_words=PROVEN[claim["verdict"]],
        why=why,
    )


def _local_day(instant: str | None) -> str:
    return day(parse_instant(instant).astimezone(zone()).date()) if instant else ""


def _success(promised: str, claim: dict[str, Any] | None, evaluation: Evaluation | None, why: str) -> Claim:
    if claim is None or evaluation is None or claim["rate"] is None:
        reason = "Not judged yet" if claim is None else "Nothing is settled in this month yet"
        return Claim(name="Run success", promised=promised, measured="Unknown", evidence=reason, verdict="no_data", why=why)
    month = parse_instant(evaluation.inputs["period"][0]).astimezone(zone()) + dt.timedelta(days=1)
    return Claim(
        name="Run success",
        promised=promised,
        measured=f"{percent(claim['rate'])} so far in {month:%B}",
        evidence=f"{claim['good']:,} of {many(claim['settled'], 'due backup')}{left_out(claim)}",
        verdict=claim["verdict"],
        why=why,
    )
