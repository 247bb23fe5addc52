"""What connectors that run a program share: settings of its calls, masking of what it printed, and a call that is refused beforehand."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from monitoring.connectors import reading, running
from monitoring.connectors.base import Answer, Reject, SettingField, Step
from monitoring.connectors.redaction import redact

DEFAULT_TIMEOUT_S = 120.0
LONGEST_TIMEOUT_S = 240.0  # three calls stay within the quarter of an hour for which a poll is claimed
DEFAULT_SIZES, MOST_SIZES = 30, 1000

SIZES_OF = SettingField(
    name="sizes_of",
    label="Sizes of the newest",
    help="For how many of the newest archives sizes are asked, 0 to 1000. borg computes them anew each time, which takes a while.",
    default=str(DEFAULT_SIZES),
)


def time_limit(call: str) -> SettingField:
    """The setting of how long `call` (one call of borg, …) may take."""
    told = f"How long {call} may take, 1 to 240."
    return SettingField(name="timeout_s", label="Time limit in seconds", help=told, default=f"{DEFAULT_TIMEOUT_S:g}")


def limit_s(settings: Mapping[str, str]) -> float:
    """The time limit that was set, or the default when it is none."""
    return number(settings.get("timeout_s"), DEFAULT_TIMEOUT_S, 1, LONGEST_TIMEOUT_S)


def sizes_of(settings: Mapping[str, str]) -> int:
    """For how many archives sizes are asked."""
    return int(number(settings.get("sizes_of"), DEFAULT_SIZES, 0, MOST_SIZES))


def number(value: str | None, default: float, least: float, most: float) -> float:
    """A setting as a number, or its default when it is none or lies outside the limits."""
    try:
        number = float(value or default)
    except ValueError:
        return default
    return number if least <= number <= most else default


def masked(step: Step, hidden: Collection[str] = ()) -> Step:
    """The step without secrets. The JSON that a good call prints must stay what it is; anything else is masked in full."""
    step.stderr = redact(step.stderr or "", hidden)
    step.stdout = redact(step.stdout or "", hidden, data=step.exit_code == 0)
    return step


def not_started(answer: Answer, *, name: str, command: str, reason: str) -> Answer:
    """The answer of a round whose call must not be made as it is set."""
    answer.steps.append(Step(name=name, command=command, exit_code=running.NOT_RUNNABLE, stderr=reason))
    return answer


def unrecognised(index: int, step: Step, *, what: str, example: str) -> Reject:
    """Why a reported step cannot be read: no call of the program was recognised in it."""
    told = f"the command {reading.excerpt(step.command)!r}" if step.command else f"the step {reading.excerpt(step.name)!r}"
    reason = f"No {what} call was recognised in {told}: send the command as it ran, e.g. '{example}'."
    return Reject(index=index, reason=reason, excerpt=reading.excerpt(step.stdout or step.stderr or ""))


def failed(step: Step, *, program: str, late: str) -> str:
    """What a call that failed is told as; `late` says what to do about one that did not end in time."""
    if step.exit_code in (running.NOT_FOUND, running.NOT_RUNNABLE) and step.stderr:
        return reading.plain(step.stderr)  # it never ran: this is our own sentence
    if step.exit_code == running.TIMED_OUT:
        return f"{program} did not answer in time. {late}"
    said = " ".join(reading.plain(step.stderr or step.stdout or "").split())[:300]
    return f"{program} failed. Check its configuration and the rights of this account. It said: {said or f'exit code {step.exit_code}'}"
