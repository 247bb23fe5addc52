"""A tool's scorecard: what its connector declares, what of it shows in its answers, and what that is worth. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from monitoring.connectors.base import Answer, Reading, Record, Step
from monitoring.connectors.capabilities import Declared, Level

WORTH: dict[str, float] = {"full": 1.0, "part": 0.5, "none": 0.0}
UNSEEN = 0.5  # what is only declared counts half of what was seen


class Found(msgspec.Struct, kw_only=True):
    """One line of a scorecard: declared, and seen where the answers could show it. `missing` is what to do about the difference."""

    name: str
    declared: Level
    declared_words: str
    seen: Level | None = None
    seen_words: str = ""
    missing: str = ""


class Asked(msgspec.Struct, kw_only=True):
    """One question of a trial as it went: what was asked, whether it was answered, what came back, how long it took."""

    name: str
    command: str
    good: bool
    came_back: str
    took_s: float | None = None


class Heard(NamedTuple):
    """Answers of one round with what was read of them."""

    answers: Sequence[Answer]
    readings: Sequence[Reading]

    @property
    def records(self) -> list[Record]:
        return [record for reading in self.readings for record in reading.records]

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(told for reading in self.readings for told in reading.problems))

    @property
    def complete(self) -> bool:
        return any(reading.complete for reading in self.readings)

    @property
    def steps(self) -> list[Step]:
        return [step for answer in self.answers for step in answer.steps]

    @property
    def size_bytes(self) -> int:
        return sum(len(step.stdout or "") for step in self.steps)


def score(lines: Iterable[Found], weights: Mapping[str, int]) -> float | None:
    """0 to 100: what was seen in full, what is only declared at half, each by its weight. None when nothing weighs anything."""
    lines = list(lines)
    total = sum(weights.get(line.name, 0) for line in lines)
    if not total:
        return None
    gained = sum(weights.get(line.name, 0) * (WORTH[line.seen] if line.seen else WORTH[line.declared] * UNSEEN) for line in lines)
    return round(100 * gained / total, 1)


def as_declared(declared: Mapping[str, Declared]) -> list[Found]:
    """The lines of a tool that nobody has asked yet."""
    return [Found(name=name, declared=one.level, declared_words=one.words) for name, one in declared.items()]


def look(
    *, declared: Mapping[str, Declared], first: Heard, again: Heard | None, live: bool, plain_http: bool, has_secret: bool
) -> list[Found]:
    """What the answers show of each capability. `again` is the round that went on where the first one stopped.

    Of answers that were kept (not `live`) sign-in and limits are not told: nobody was asked.
    """
    lines = {line.name: line for line in as_declared(declared)}
    _runs(lines["read_runs"], first)
    _schedules(lines["read_schedules"], first.records)
    _verified(lines["verify_data"], first.records)
    _goes_on(lines["incremental"], first, again)
    if live:
        _let_in(lines["authentication"], first, plain_http=plain_http, has_secret=has_secret)
        _gently(lines["rate_limits"], first)
    return list(lines.values())


def _see(line: Found, seen: Level | None, words: str, missing: str = "") -> None:
    line.seen, line.seen_words, line.missing = seen, words, missing


def _many(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else one + 's'}"


def _runs(line: Found, heard: Heard) -> None:
    records = [record for record in heard.records if record.operation != "other"]
    if not records and not heard.complete and heard.problems:
        return _see(line, "none", "It did not answer in full.", heard.problems[0])
    if not records:
        states = f"{_many(len(heard.records), 'state')}, and no run of a backup." if heard.records else "no run was in it yet."
        return _see(line, None, f"It answered; {states}")
    told = Counter(record.outcome or record.state for record in records)
    words = f"{_many(len(records), 'run')}: " + ", ".join(f"{count:,} {outcome}" for outcome, count in told.most_common()) + "."
    if all(record.evidence_kind == "artefact" for record in records):
        return _see(line, "part", words, "Only copies that still exist are in it. Let the wrapper report what fails.")
    if line.declared == "full" or any(told[one] for one in ("failed", "partial", "cancelled")):
        return _see(line, "full", words)
    return _see(line, "part", words, "No failed run is in it, so it is not shown that failures are told.")


def _schedules(line: Found, records: Sequence[Record]) -> None:
    due = sum(record.scheduled_at is not None for record in records) if line.declared != "none" else 0
    if due:
        _see(line, "full" if due == len(records) else "part", f"{due:,} of {_many(len(records), 'run')} say when they were due.")
    elif records:
        missing = "Enter the schedule of each job here, so that a night without a run is noticed."
        _see(line, "none", "No run says when it was due.", missing)


def _verified(line: Found, records: Sequence[Record]) -> None:
    proofs = [one for one in records if one.operation in ("verify", "restore_test", "restore") or one.verification_state != "none"]
    if proofs:
        _see(line, line.declared if line.declared != "none" else "part", f"Checks or restores in it: {len(proofs):,}.")
    elif records and line.declared == "none":
        _see(line, "none", "No check or restore in it.", "Report restore tests by a push, so that the promise is proven.")
    elif records:
        _see(line, None, "No check or restore in it.", "Run one and report it: until then this is declared and not shown.")


def _goes_on(line: Found, first: Heard, again: Heard | None) -> None:
    if again is None or not first.records or not first.complete:
        return None
    if not again.complete and again.problems:
        _see(line, "none", "Asked again from where it stopped, it did not answer in full.", again.problems[0])
        return None
    known = {(one.evidence_kind, one.identity) for one in first.records}
    repeated = sum((one.evidence_kind, one.identity) in known for one in again.records)
    words = f"Asked again from where it stopped: {repeated:,} of {_many(len(known), 'run')} came again"
    words += f", {again.size_bytes / 1000:,.1f} kB after {first.size_bytes / 1000:,.1f} kB."
    if repeated < len(known):
        return _see(line, "full", words)
    less = again.size_bytes < first.size_bytes * 0.9
    return _see(line, "part" if less else "none", words, "Everything is listed in every round: keep the interval wide where that is much.")


_REFUSED = (401, 403)


def _let_in(line: Found, heard: Heard, *, plain_http: bool, has_secret: bool) -> None:
    answered = any(_is_good(step) for step in heard.steps)
    if heard.steps and (not answered or any(step.exit_code in _REFUSED for step in heard.steps) or (not heard.records and heard.problems)):
        told = heard.problems[0] if heard.problems else "Check address, user and secret."
        _see(line, "none", "It did not let us in, or could not be reached.", told)
    elif answered and plain_http:
        _see(line, "part", "It answers over plain HTTP.", "Anybody on the way can read along: use https.")
    elif answered and not has_secret and line.declared == "full":
        missing = "Set a password or token, if not everybody who reaches the address should read it."
        _see(line, "part", "It answers without a secret of its own.", missing)
    elif answered:
        _see(line, line.declared, "It let us in.")


def _gently(line: Found, heard: Heard) -> None:
    if not any(step.exit_code is not None for step in heard.steps):
        return None
    took = [span for step in heard.steps if (span := took_s(step)) is not None]
    words = _many(len(heard.steps), "question")
    words += f" in {sum(took):.1f} s, the longest {max(took):.1f} s" if took else ""
    if throttled := sum(step.exit_code == 429 for step in heard.steps):
        return _see(line, "part", f"{words}; {throttled} times it asked for fewer.", "Ask less often, or have its limit raised.")
    return _see(line, line.declared, f"{words}; it never asked for fewer.")


def took_s(step: Step) -> float | None:
    """How long one exchange took, where that was measured."""
    span = step.finished_at - step.started_at if step.started_at and step.finished_at else None
    return span.total_seconds() if span is not None and span >= dt.timedelta(0) else None


def told(step: Step, problem: str = "") -> Asked:
    """One exchange in words, without its content."""
    good, size = _is_good(step), len(step.stdout or "")
    came = problem or (f"{size:,} characters" if size else "nothing") if good else problem or _failed(step)
    return Asked(name=step.name, command=(step.command or "")[:500], good=good and not problem, came_back=came[:500], took_s=took_s(step))


def _failed(step: Step) -> str:
    said = (step.stderr or step.stdout or "").strip().partition("\n")[0][:300]
    code = "no answer" if step.exit_code is None else f"ended with {step.exit_code}"
    return f"{code}: {said}" if said else code


def _is_good(step: Step) -> bool:
    return step.exit_code == 0 or (step.exit_code is not None and 200 <= step.exit_code < 300)
