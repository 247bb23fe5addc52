"""Each objective of a service beside what is measured: a bounded handful of questions, from judgements, day cells and copies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from catalogue.models import Commitment, ServiceVersion
from itsm_backup.common.time import iso, month_bounds, parse_instant
from monitoring import burning, trending, workflow
from monitoring.keeping import Kept, Wanted, kept_of
from monitoring.methods import measure
from monitoring.methods.canonical import rate
from monitoring.methods.statistics import confidence, wilson
from monitoring.models import Evaluation
from monitoring.objectives import Objective, objectives_of
from monitoring.placing import Placed
from monitoring.recovering import MOST_POINTS, Recovery, looks_back_to, recovery_of
from monitoring.tallying import Tally, tally_of
from monitoring.trending import Month
from monitoring.unheard import heard_until
from monitoring.wording import left_out

LEAST_PEERS = 5
NONE_KNOWN = "No full restore test is known"
OF_COPIES = ("rpo_attainment_rate", "encryption", "copy_scheme", "immutability_days")  # what only a tool that answers can tell


class Attainment(msgspec.Struct, kw_only=True):
    """One objective with its standing.

    `part` of `whole` is what was counted, `low` and `high` what it proves (BM-WILSON), `left` the share of the error budget that is
    left, below 0 when more went wrong than may. `detail` says in a few words what the number is about, or why there is none.
    """

    objective: Objective
    status: str = "no_data"
    actual: float | None = None
    part: int | None = None
    whole: int | None = None
    low: float | None = None
    high: float | None = None
    confidence: str = ""
    left: float | None = None
    detail: str = ""
    placed: Placed | None = None  # of copies and places: each part, and the places
    offerings: list[dict[str, Any]] = []  # what offerings promise of it, where they promise something of their own (`packaging.beside`)


class Standing(msgspec.Struct, kw_only=True):
    """Everything the objectives of a service come to at an instant."""

    period: tuple[dt.datetime, dt.datetime]
    attainments: list[Attainment]
    recovery: Recovery | None
    burn: list[dict[str, Any]]  # the rules that count the last occurrences
    months: list[Month]  # oldest first
    trend: dict[str, Any]


def standing_of(*, version: ServiceVersion, evaluation: Evaluation | None, at: dt.datetime, known_at: dt.datetime) -> Standing:
    """Where the version stands at `at`, by the judgement in force then and what was known of copies at `known_at`.

    Day cells are those of days that were over; they count as known today.
    """
    commitment: Commitment | None = getattr(version, "commitment", None)
    claims = {claim["claim"]: claim for claim in evaluation.result["claims"]} if evaluation and evaluation.service_id else {}
    tally = tally_of(version=version, at=at, with_peers=_is_open(commitment, claims.get("success")))
    fraction = float(workflow.current().at_risk_fraction) if tally.at_risk_fraction is None else tally.at_risk_fraction
    wanted = objectives_of(commitment=commitment, default=tally.default, at_risk_fraction=fraction)
    period = month_bounds(at, version.zone)
    by_key = {one.key: one for one in wanted}
    kept, recovery = _kept(version, by_key, period, at, known_at), None
    heard = heard_until(evaluation)
    if _timed(by_key):
        promised = {"rpo_s": int(by_key["rpo_s"].target or 0), "slo": by_key["rpo_attainment_rate"].target or 0}
        promised |= {"copies": kept.copies, "heard_until": heard}  # type: ignore[dict-item]
        recovery = recovery_of(version=version, period=period, at=at, known_at=known_at, **promised)  # type: ignore[arg-type]
    ask = _Asked(version=version, evaluation=evaluation, claims=claims, recovery=recovery, at=at, tally=tally, kept=kept)
    success = by_key.get("success_rate")
    return Standing(
        period=period,
        attainments=[_as_heard(_MEASURES[one.key](one, ask), unheard=bool(heard)) for one in wanted],
        recovery=recovery,
        burn=burning.counted(tally.outcomes, success.target or 0) if success else [],
        months=tally.months,
        trend=trending.trend_of(tally.months),
    )


def _as_heard(found: Attainment, *, unheard: bool) -> Attainment:
    """What of copies is good as far as it is known is not known to be so since a tool fell silent; what is broken stays so."""
    if not unheard or found.objective.key not in OF_COPIES or found.status not in ("kept", "at_risk"):
        return found
    found.status, found.detail = "no_data", f"{found.detail}, as far as known: its backup tool has not answered since"
    return found


def _is_open(commitment: Commitment | None, claim: dict[str, Any] | None) -> bool:
    """Whether so few runs leave open what the promised rate comes to, so that those of its peers are counted, too."""
    if commitment is None or commitment.success_rate is None or claim is None:
        return False
    return confidence(claim["good"], claim["settled"], float(commitment.success_rate)) == "inconclusive"


def _timed(by_key: Mapping[str, Objective]) -> bool:
    """Whether seconds beyond the recovery point are counted."""
    return "rpo_s" in by_key and "rpo_attainment_rate" in by_key


def _kept(
    version: ServiceVersion,
    by_key: Mapping[str, Objective],
    period: tuple[dt.datetime, dt.datetime],
    at: dt.datetime,
    known_at: dt.datetime,
) -> Kept:
    """Everything about copies that the objectives count, in one question."""
    scheme = by_key.get("copy_scheme")
    wanted = Wanted(
        scheme=scheme.scheme if scheme else "", encryption="encryption" in by_key,
        lock_days=_days(by_key.get("immutability_days")), test_days=_days(by_key.get("restore_test_days")),
    )  # fmt: skip
    start = looks_back_to(version, period, at) if _timed(by_key) else at
    return kept_of(version=version, wanted=wanted, start=start, at=at, known_at=known_at, most=MOST_POINTS)


def _days(one: Objective | None) -> int | None:
    return int(one.target) if one and one.target else None


class _Asked(msgspec.Struct, kw_only=True):
    version: ServiceVersion
    evaluation: Evaluation | None
    claims: dict[str, dict[str, Any]]
    recovery: Recovery | None
    at: dt.datetime
    tally: Tally
    kept: Kept

    @property
    def month(self) -> Month:
        """The present one."""
        return self.tally.months[-1]


def _rpo(one: Objective, ask: _Asked) -> Attainment:
    claim = ask.claims.get("rpo")
    since = (claim or {}).get("captured_at") or (claim or {}).get("counted_from")
    if claim is not None and claim["reason"] == "source_silent":
        return Attainment(objective=one, status="no_data", detail="Its backup tool has not answered")
    if claim is None or since is None:
        return Attainment(objective=one, detail="Not judged" if one.promised else "Not promised, so not judged")
    measured_s = max(0.0, (ask.at - parse_instant(since)).total_seconds())
    return Attainment(objective=one, status=claim["verdict"], actual=measured_s, detail="Age of the newest restorable copy")


def _attained(one: Objective, ask: _Asked) -> Attainment:
    """Seconds, not events: every second counts, so nothing has to be inferred from a sample."""
    found = ask.recovery
    if found is None or found.attainment is None or found.budget is None:
        return Attainment(objective=one, detail=found.lacking if found else "No recovery point is promised")
    rate_, consumed = found.attainment["attainment"], found.budget["consumed"]
    broken = found.attainment["noncompliant_seconds"] if consumed is None else consumed > 1
    below = one.target is not None and rate_ < one.target - 1e-9  # the month is not over, so its budget may last: at risk
    near = consumed is not None and consumed > _used(one)
    status = "broken" if broken else "at_risk" if below or near else "kept"
    return Attainment(
        objective=one, status=status, actual=rate_, part=found.attainment["period_seconds"] - found.attainment["noncompliant_seconds"],
        whole=found.attainment["period_seconds"], confidence="measured", left=None if consumed is None else 1 - consumed,
        detail="Worst item",
    )  # fmt: skip


def _used(one: Objective) -> float:
    """The share of the budget from which it is at risk, as the warning level says it."""
    return (1 - (one.warning or 0)) / (1 - one.target) if one.target is not None and one.target < 1 else 1.0


def _success(one: Objective, ask: _Asked) -> Attainment:
    claim = ask.claims.get("success")
    if claim is None:
        _, good, _, total = ask.month
        return _counted(one, good, total, "Due backups, until yesterday")
    found = _counted(one, claim["good"], claim["settled"], f"Due backups that are settled{left_out(claim)}")
    if not claim["settled"]:
        return found  # of the month nothing is known: the claim stands where nothing speaks against it
    found.status, found.left = claim["verdict"], None if claim["used"] is None else 1 - claim["used"]
    if found.confidence == "inconclusive" and one.target is not None:
        found.detail += _pooled(one.target, ask)
    return found


_PROVES = {"met_confirmed": "which confirms it", "breach_confirmed": "which refutes it", "inconclusive": "which proves no more"}


def _pooled(target: float, ask: _Asked) -> str:
    """What its runs prove together with those of its peers, in words; empty with fewer than five of them, which would name them."""
    version, (services, good, total) = ask.version, ask.tally.peers
    if services < LEAST_PEERS or not total:
        return ""
    kind = f"tier {version.tier}" + (f" and type {version.application_type}" if version.application_type else "")
    proves = _PROVES.get(confidence(good, total, target), "")
    return f". Pooled, {services:,} services of {kind}: {good:,} of {total:,}, {proves}"


def _on_time(one: Objective, ask: _Asked) -> Attainment:
    _, _, on_time, total = ask.month
    return _counted(one, on_time, total, "Due backups good by their deadline, until yesterday")


def _counted(one: Objective, part: int, whole: int, detail: str) -> Attainment:
    """A rate so far: below its target it is at risk, for the month is not over; what it proves stands beside it."""
    if not whole or one.target is None:
        return Attainment(
            objective=one, part=part, whole=whole, confidence="insufficient_data", detail="Nothing is settled in this month yet"
        )
    bounds = wilson(part, whole)
    allowed = (1 - one.target) * whole
    return Attainment(
        objective=one, status="kept" if part / whole >= (one.warning or one.target) - 1e-9 else "at_risk", actual=rate(part, whole),
        part=part, whole=whole, low=bounds[0] if bounds else None, high=bounds[1] if bounds else None,
        confidence=confidence(part, whole, one.target), left=1 - (whole - part) / allowed if allowed > 1e-9 else None, detail=detail,
    )  # fmt: skip


def _recovery_time(one: Objective, ask: _Asked) -> Attainment:
    """BM-RTO over the full tests that the judgement read; the claim, which wants the newest one, gives the status."""
    claim, inputs = ask.claims.get("restore"), (ask.evaluation.inputs.get("restore") if ask.evaluation else None) or {}
    if claim is None or not inputs.get("rto_s"):
        return Attainment(objective=one, detail="Not judged" if one.promised else "Not promised, so not judged")
    found = measure("BM-RTO", {"rto_seconds": one.target, "tests": [_test(test) for test in inputs["tests"] if not test.get("waits")]})
    return Attainment(
        objective=one, status=claim["verdict"], actual=claim["measured_s"], part=found["attained"], whole=found["total"],
        low=found["wilson_low"], high=found["wilson_high"], confidence="insufficient_data" if not found["total"] else "bounds",
        detail=_beside("The newest full restore test" if found["total"] else NONE_KNOWN, claim),
    )  # fmt: skip


def _test(test: dict[str, Any]) -> dict[str, Any]:
    """A test as BM-RTO reads it."""
    took_s = test["duration_s"]
    usable_at = iso(parse_instant(test["started_at"]) + dt.timedelta(seconds=took_s)) if took_s is not None else None
    return {
        "scope": test["scope"],
        "result": "pass" if test["outcome"] == "passed" else "fail",
        "integrity_ok": test["verified"],
        "started_at": test["started_at"],
        "service_usable_at": usable_at,
    }


def _tested(one: Objective, ask: _Asked) -> Attainment:
    claim = ask.claims.get("restore")
    if claim is None or claim["tested_at"] is None:
        return Attainment(objective=one, detail=_beside(NONE_KNOWN, claim))
    age_days = (ask.at - parse_instant(claim["tested_at"])).total_seconds() / 86_400
    late = one.target is not None and age_days > one.target
    near = one.warning is not None and age_days > one.warning
    status = (
        "no_data"
        if late or claim["detail"] == "not_compared"
        else "broken"
        if claim["detail"] in _REFUTED
        else "at_risk"
        if near
        else "kept"
    )
    return Attainment(objective=one, status=status, actual=age_days, detail=_beside("Since the newest full restore test", claim))


def _beside(told: str, claim: dict[str, Any] | None) -> str:
    """With the later test that proves nothing yet."""
    if claim is None or not claim.get("waiting_at"):
        return told
    waiting = f"that of {claim['waiting_at'][:10]} waits to be verified"
    return f"No full restore test proves it yet: {waiting}" if told == NONE_KNOWN else f"{told}; {waiting}"


_REFUTED = ("damage_found", "sample_failed", "test_failed")


def _encrypted(one: Objective, ask: _Asked) -> Attainment:
    found = ask.kept.encrypted
    if found is None or not found.total:
        return Attainment(objective=one, detail="No copy is known")
    total, covered, unknown = found.total, found.covered, found.unknown
    status = "kept" if covered == total else "broken" if covered + unknown < total else "no_data"
    told = f"Of {unknown:,} no tool says whether they are" if unknown else "Every copy counts, so nothing is inferred"
    return Attainment(
        objective=one, status=status, actual=rate(covered, total), part=covered, whole=total, confidence="measured", detail=told
    )


def _places(one: Objective, ask: _Asked) -> Attainment:
    """BM-32110, each part with what it rests on; a part that nobody can know is not known, and the scheme is kept only when all are."""
    found = ask.kept.placed
    if found is None or found.why:
        return Attainment(objective=one, detail=found.why if found else "Not looked at", placed=found)
    unknown = sum(part.answer is None for part in found.parts)
    told = f"{unknown} {'part is' if unknown == 1 else 'parts are'} not known" if unknown else "Every part is known"
    return Attainment(objective=one, status=found.status, part=found.passed, whole=len(found.parts), detail=told, placed=found)


def _locked(one: Objective, ask: _Asked) -> Attainment:
    """BM-IMM over the newest copy of each item: locked for long enough, or not known because nobody said."""
    found = ask.kept.locked
    if found is None or not found.total:
        return Attainment(objective=one, detail="No copy that can be restored is known")
    return Attainment(
        objective=one, status=found.status, part=found.covered, whole=found.total, confidence="measured", detail=found.evidence
    )


def _usual(one: Objective, ask: _Asked) -> Attainment:
    """Days of its jobs that were as usual; one that was not says nothing of why."""
    odd, compared, lately = (ask.tally.odd_days[n] for n in ((0, 2, 4) if one.key == "volume" else (1, 3, 5)))
    if not compared:
        return Attainment(objective=one, detail="Too few days are known to say what is usual")
    return Attainment(
        objective=one, status="at_risk" if lately else "kept", actual=rate(compared - odd, compared), part=compared - odd, whole=compared,
        confidence="measured", detail="Days of its jobs as usual",
    )  # fmt: skip


_MEASURES = {
    "rpo_s": _rpo, "rpo_attainment_rate": _attained, "success_rate": _success, "on_time_rate": _on_time, "rto_s": _recovery_time,
    "restore_test_days": _tested, "encryption": _encrypted, "copy_scheme": _places,
    "immutability_days": _locked,
    "volume": _usual, "duration": _usual,
}  # fmt: skip
