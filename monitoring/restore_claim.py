"""The claim that copies can be got back in time, judged from restore tests. Pure: no database, no clock.

| what is known                                                                    | verdict, reason       | detail        |
|----------------------------------------------------------------------------------|-----------------------|---------------|
| the newest check that followed every full test found damage                      | broken, contradicted  | damage_found  |
| a sample test failed since the newest full test                                  | broken, contradicted  | sample_failed |
| the newest full test failed, or what came back was wrong                         | broken, contradicted  | test_failed   |
| it took longer than the recovery time promised                                   | broken, contradicted  | too_slow      |
| no full test is known                                                            | no_data, unproven     | never_tested  |
| the only full tests wait until somebody has verified them                        | no_data, unproven     | not_verified  |
| nobody compared what came back                                                   | no_data, unproven     | not_compared  |
| its start or end is not known, and a recovery time is promised                   | no_data, unproven     | not_timed     |
| it is older than the promised interval of tests                                  | no_data, unproven     | too_old       |
| none of these                                                                    | kept, kept            | proven        |

Tests of a sample refute, but never prove: they are not extrapolated. Exactly as long as the recovery time, and exactly as old
as the interval, complies (BM-RTO, BM-RTC). A check that found damage counts until a later one of its job, or a later full
test, is good. A test that waits to be verified is told beside what the others prove, and neither proves nor takes anything away.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from itsm_backup.common.time import iso

Id = int | str
Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class RestoreTestInput(msgspec.Struct, kw_only=True, frozen=True):
    run: Id
    scope: Literal["full", "sample"]
    outcome: Literal["passed", "failed"]
    verified: bool | None = None
    started_at: Instant
    ended_at: Instant
    duration_s: int | None = None
    waits: bool = False  # a person said that it passed in time, and nobody else has verified it yet


class CheckInput(msgspec.Struct, kw_only=True, frozen=True):
    """The newest check of a job's copies that came to a result."""

    run: Id
    job: Id
    at: Instant
    passed: bool


class RestoreInput(msgspec.Struct, kw_only=True, frozen=True):
    """`tests` are the newest conclusive ones: several full ones and one sample, in any order."""

    rto_s: int | None = None
    test_days: int | None = None
    tests: list[RestoreTestInput] = []
    checks: list[CheckInput] = []


def restore_claim(at: dt.datetime, inputs: RestoreInput) -> dict[str, Any]:
    """The claim: verdict, reason, detail, what was measured, the run it rests on, and how many tests in a row contradict it."""
    full = sorted((test for test in inputs.tests if test.scope == "full" and not test.waits), key=_ended_at, reverse=True)
    newest = full[0] if full else None
    waiting = _waiting(inputs, newest)
    damage = _damage(inputs, newest)
    sample = _failed_sample(inputs, newest)
    streak = next((n for n, test in enumerate(full) if not _contradicts(test, inputs)), len(full))
    verdict, reason, detail = _verdict(at, inputs, newest, damage, sample)
    detail = "not_verified" if detail == "never_tested" and waiting else detail
    run = damage.run if damage else sample.run if sample else newest.run if newest else None
    return {
        "claim": "restore",
        "verdict": verdict,
        "reason": reason,
        "detail": detail,
        "measured_s": newest.duration_s if newest else None,
        "target_s": inputs.rto_s,
        "test_days": inputs.test_days,
        "run": run,
        "tested_at": iso(newest.ended_at) if newest else None,
        "contradicted_at": iso(damage.at if damage else sample.ended_at if sample else newest.ended_at if newest else None)
        if reason == "contradicted"
        else None,
        "due_at": iso(_due_at(newest, inputs)),
        "bad_in_a_row": streak + bool(damage) + bool(sample),
        **({"waiting_at": iso(waiting.ended_at)} if waiting else {}),
    }


def _ended_at(test: RestoreTestInput) -> dt.datetime:
    return test.ended_at


def _waiting(inputs: RestoreInput, newest: RestoreTestInput | None) -> RestoreTestInput | None:
    """The newest full test that waits to be verified, where nothing newer is known."""
    latest = max((test for test in inputs.tests if test.scope == "full" and test.waits), key=_ended_at, default=None)
    return latest if latest and (newest is None or latest.ended_at > newest.ended_at) else None


def _verdict(
    at: dt.datetime, inputs: RestoreInput, newest: RestoreTestInput | None, damage: CheckInput | None, sample: RestoreTestInput | None
) -> tuple[str, str, str]:
    refuted = "damage_found" if damage else "sample_failed" if sample else None
    if refuted is None and newest is not None and _contradicts(newest, inputs):
        refuted = "too_slow" if newest.outcome == "passed" and newest.verified is not False else "test_failed"
    if refuted:
        return "broken", "contradicted", refuted
    lacking = _lacking(at, inputs, newest)
    return ("no_data", "unproven", lacking) if lacking else ("kept", "kept", "proven")


def _lacking(at: dt.datetime, inputs: RestoreInput, newest: RestoreTestInput | None) -> str | None:
    if newest is None:
        return "never_tested"
    if newest.verified is None:
        return "not_compared"
    if inputs.rto_s and newest.duration_s is None:
        return "not_timed"
    due_at = _due_at(newest, inputs)
    return "too_old" if due_at is not None and at > due_at else None


def _contradicts(test: RestoreTestInput, inputs: RestoreInput) -> bool:
    too_slow = inputs.rto_s is not None and test.duration_s is not None and test.duration_s > inputs.rto_s
    return test.outcome == "failed" or test.verified is False or too_slow


def _damage(inputs: RestoreInput, newest: RestoreTestInput | None) -> CheckInput | None:
    """The latest check that found damage, unless a full test passed after it."""
    since = newest.started_at if newest and newest.outcome == "passed" and newest.verified is not False else None
    found = [check for check in inputs.checks if not check.passed and (since is None or check.at > since)]
    return max(found, key=lambda check: check.at, default=None)


def _failed_sample(inputs: RestoreInput, newest: RestoreTestInput | None) -> RestoreTestInput | None:
    samples = [test for test in inputs.tests if test.scope == "sample" and not test.waits]
    latest = max(samples, key=_ended_at, default=None)
    later = latest is not None and (newest is None or latest.ended_at > newest.ended_at)
    return latest if later and latest is not None and _failed(latest) else None


def _failed(test: RestoreTestInput) -> bool:
    return test.outcome == "failed" or test.verified is False


def _due_at(newest: RestoreTestInput | None, inputs: RestoreInput) -> dt.datetime | None:
    if newest is None or not inputs.test_days:
        return None
    return newest.ended_at + dt.timedelta(days=inputs.test_days)


def next_change_at(claim: dict[str, Any], at: dt.datetime) -> dt.datetime | None:
    """When time alone makes the newest test too old."""
    if claim["due_at"] is None:
        return None
    due_at = dt.datetime.fromisoformat(claim["due_at"]) + dt.timedelta(seconds=1)
    return due_at if due_at > at else None
