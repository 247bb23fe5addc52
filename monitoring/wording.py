"""Judgements in plain sentences: only what the records prove."""

from __future__ import annotations

import math
from typing import Any

from catalogue.counted_days import calendar_of
from itsm_backup.common.charts.svg import percent_words
from itsm_backup.common.time import duration_words, parse_instant
from monitoring.converting import FIELDS, SECONDS

_REASONS = {
    "held": "Maintenance is under way.",
    "nothing_mapped": "No backup job belongs to this service yet.",
    "no_items": "No backup job belongs to this service yet.",
    "no_jobs": "No backup job belongs to this service yet.",
    "no_commitment": "The service promises neither a recovery point nor a success rate.",
    "unproven": "It promises only a restore, which no test has proven.",
    "no_schedule": "Nobody has said when its backups are due.",
    "source_silent": "Its backup tool has not answered, so nothing is known since then.",
    "nothing_settled": "Nothing was due in this period.",
    "awaiting_more_bad": "Too few occurrences in a row were bad to change the status.",
    "awaiting_more_good": "It waits for more good runs before the status rises.",
    "target_out_of_reach": "The month's success rate can no longer be reached.",
    "success_below_target": "The month's success rate was not reached.",
    "kept": "The promise is kept.",
}


def status_sentence(inputs: dict[str, Any], result: dict[str, Any]) -> str:
    """Why the service has this status, in one or two sentences."""
    rpo = next((claim for claim in result["claims"] if claim["claim"] == "rpo"), None)
    reason = result["status_reason"]
    if reason == "set_by_hand":
        until = parse_instant(inputs["override"]["until"])
        return f"Set by hand until {until.day} {until:%b %Y, %H:%M} UTC: {inputs['override']['reason']}"
    if rpo and reason in ("rpo_exceeded", "rpo_far_exceeded", "rpo_nearly_used"):
        return rpo_sentence(rpo)
    if reason == "source_silent" and not any(source.get("silent_since") for source in inputs["sources"]):
        return "Its backup tool has not answered yet, so nothing is known."
    if rpo and reason == "no_usable_point":
        return "There is no copy that could be restored."
    if reason == "budget_nearly_used":
        return f"Over {inputs['workflow']['at_risk_fraction']:.0%} of the failures that the month allows are used."
    restore = next((claim for claim in result["claims"] if claim["reason"] == "contradicted"), None)
    if restore and reason in ("contradicted", "awaiting_more_bad"):
        return restore_sentence(restore) + (" " + _REASONS[reason] if reason in _REASONS else "")
    return _REASONS.get(reason, reason.replace("_", " ").capitalize() + ".")


def silence_sentence(tool: str, judged: Any) -> str:
    """Why a tool counts as silent, by the judgement of it; of one that never answered there is none."""
    if judged is None:
        return f"{tool}: no complete answer so far"
    every, polls = judged.inputs["poll_interval_s"], judged.inputs["silent_after_polls"]
    allowed = f"{duration_words(every)} × {polls} = {duration_words(every * polls)}"
    since, limit = _clock(judged.result["since"]), _clock(judged.result["limit_at"])
    return f"{tool}: no complete answer since {since}; asked every {allowed}, so silent from {limit} on"


def rpo_sentence(claim: dict[str, Any]) -> str:
    """The recovery point claim in words; raises KeyError for a claim that was not measured."""
    measured, target = claim["measured_s"], claim["target_s"]
    over = measured - target
    if claim["point"] is None:
        return f"Nothing could be restored for {duration_words(measured)}; the promise is {duration_words(target)}."
    words = f"The newest restorable copy is {duration_words(measured)} old; the promise is {duration_words(target)}"
    return f"{words}, so it is {duration_words(over)} over." if over > 0 else f"{words}."


_RESTORES = {
    "damage_found": "A check found damaged copies on {when}.",
    "sample_failed": "The restore of a sample failed on {when}.",
    "test_failed": "The restore test of {when} failed.",
    "too_slow": "The restore test of {when} took {took}; the promise is {promise}.",
    "never_tested": "No test of a full restore is known.",
    "not_verified": "The restore test of {waiting} waits to be verified; no other full one is known.",
    "not_compared": "What came back on {when} was not compared with what was saved.",
    "not_timed": "How long the restore test of {when} took is not known.",
    "too_old": "The restore test of {when} is older than the {days} days that are promised between two.",
    "proven": "The restore test of {when} passed{after}.",
}


def restore_sentence(claim: dict[str, Any]) -> str:
    """The restore claim in words."""
    when = claim["contradicted_at"] or claim["tested_at"]
    took = duration_words(claim["measured_s"]) if claim["measured_s"] is not None else ""
    after = f" after {took}" if took else ""
    if took and claim["target_s"]:
        after += f"; the promise is {duration_words(claim['target_s'])}"
    promise = duration_words(claim["target_s"]) if claim["target_s"] else ""
    waiting = _day(claim["waiting_at"]) if claim.get("waiting_at") else ""
    words = {"when": _day(when) if when else "", "took": took, "promise": promise, "days": claim["test_days"], "after": after}
    told = _RESTORES[claim["detail"]].format(**words, waiting=waiting)
    return f"{told} That of {waiting} waits to be verified." if waiting and claim["detail"] != "not_verified" else told


_PLAIN = {
    "MINUTELY": ("Every minute", "minutes"),
    "HOURLY": ("Hourly", "hours"),
    "DAILY": ("Daily", "days"),
    "WEEKLY": ("Weekly", "weeks"),
    "MONTHLY": ("Monthly", "months"),
}
_WEEKDAYS = {"MO": "Mon", "TU": "Tue", "WE": "Wed", "TH": "Thu", "FR": "Fri", "SA": "Sat", "SU": "Sun"}


def rule_words(rrule: str) -> str:
    """`Daily`, `Every 4 hours`, `Hourly at minute 35`, `Weekly on Mon, Thu`; a rule beyond that in its own notation."""
    rule = rrule.upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in rule.split(";") if part)
    plain = _PLAIN.get(parts.pop("FREQ", ""))
    interval, minute, days = parts.pop("INTERVAL", "1"), parts.pop("BYMINUTE", ""), parts.pop("BYDAY", "")
    if plain is None or parts or not all(one.isdigit() for one in minute.split(",") if one):
        return rule
    if any(day not in _WEEKDAYS for day in days.split(",") if day):
        return rule
    words = plain[0] if interval == "1" else f"Every {interval} {plain[1]}"
    words += f" at minute {minute.replace(',', ', ')}" if minute else ""
    return words + (f" on {', '.join(_WEEKDAYS[day] for day in days.split(','))}" if days else "")


def left_out(claim: dict[str, Any]) -> str:
    """What the measurement calendar leaves out of a success claim, to go on with; empty where that is nothing."""
    count = claim.get("uncounted", 0)
    return f", {count:,} left out on {'a day that does' if count == 1 else 'days that do'} not count" if count else ""


def _day(instant: str) -> str:
    at = parse_instant(instant)
    return f"{at.day} {at:%b %Y}"


def arithmetic(inputs: dict[str, Any], result: dict[str, Any]) -> list[str]:
    """The arithmetic of a judgement, one line a step."""
    lines = []
    for claim in result["claims"]:
        if claim["claim"] == "rpo" and claim.get("counted_from"):
            begin = claim["captured_at"] or claim["counted_from"]
            lines.append(f"{_clock(inputs['at'])} − {_clock(begin)} = {duration_words(claim['measured_s'])}")
            lines.append(_against(claim["measured_s"], claim["target_s"]))
            lines += _beyond_limits(inputs, result, claim)
        if claim["claim"] == "success" and claim["settled"]:
            lines.append(
                f"{claim['good']} good ÷ {claim['settled']} due = {percent_words(claim['rate'])}, promise {percent_words(claim['target'])}"
            )
            lines += [left_out(claim).removeprefix(", ")] if left_out(claim) else []
            lines.append(f"{claim['settled'] - claim['good']} bad of {claim['allowed_bad']:g} that the month allows")
        if claim["claim"] == "restore":
            lines += _restore_lines(inputs, claim)
    return lines


def _beyond_limits(inputs: dict[str, Any], result: dict[str, Any], claim: dict[str, Any]) -> list[str]:
    """The share of the promise that is used up, beside the limit that decided the status."""
    flow = inputs["workflow"]
    limits = {
        "rpo_far_exceeded": f"an outage above {flow['outage_factor'][str(inputs['tier'])]:g}",
        "rpo_nearly_used": f"at risk above {flow['at_risk_fraction']:g}",
    }
    if result["status_reason"] not in limits:
        return []
    share = claim["measured_s"] / claim["target_s"]
    words = f"{duration_words(claim['measured_s'])} ÷ {duration_words(claim['target_s'])} = {math.floor(share * 100) / 100:.2f}"
    return [f"{words}, {limits[result['status_reason']]}"]


def _restore_lines(inputs: dict[str, Any], claim: dict[str, Any]) -> list[str]:
    lines = [restore_sentence(claim)]
    if claim["measured_s"] is not None and claim["target_s"]:
        lines.append(_against(claim["measured_s"], claim["target_s"]))
    if claim["due_at"]:
        lines.append(f"{_clock(claim['tested_at'])} + {claim['test_days']} d = next test by {_clock(claim['due_at'])}")
    if claim["bad_in_a_row"]:
        fall_after = inputs["workflow"]["fall_after"]
        lines.append(f"{claim['bad_in_a_row']} in a row against it; the status falls at {fall_after}")
    return lines


def commitment_sentence(commitment: Any) -> str:
    """What a version promises, in words."""
    if commitment is None:
        return "It promises nothing yet."
    parts = [
        commitment.rpo_s and f"recovery point (RPO) {duration_words(commitment.rpo_s)}",
        commitment.rto_s and f"recovery time (RTO) {duration_words(commitment.rto_s)}",
        commitment.success_rate and f"run success {percent_words(float(commitment.success_rate))} a month",
        commitment.on_time_rate and f"done on time {percent_words(float(commitment.on_time_rate))} a month",
        commitment.measurement_calendar and f"due backups count on {calendar_of(commitment.measurement_calendar).words}",
        commitment.window_opens and commitment.window_closes
        and f"backups between {commitment.window_opens:%H:%M} and {commitment.window_closes:%H:%M}",
        commitment.retention_days and f"retention {commitment.retention_days} d",
        commitment.encryption not in ("", "none") and f"copies encrypted {commitment.get_encryption_display()}",
        commitment.copy_scheme and f"copies by {commitment.copy_scheme}",
        commitment.immutability_days and f"copies locked for {commitment.immutability_days} d",
        commitment.restore_test_days and f"a restore test every {commitment.restore_test_days} d",
    ]  # fmt: skip
    words = ", ".join(part for part in parts if part)
    return words[:1].upper() + words[1:] + "." if words else "It promises nothing yet."


def _against(measured_s: int, target_s: int) -> str:
    over = measured_s > target_s
    measured, target = _whole_minutes(measured_s), _whole_minutes(target_s)  # else the line would not add up, both sides cut to minutes
    sums = [duration_words(seconds) for seconds in (measured, target, abs(measured - target))]
    return f"{sums[0]} − {sums[1]} = {sums[2]} over" if over else f"{sums[1]} − {sums[0]} = {sums[2]} left"


def _whole_minutes(seconds: int) -> int:
    """As many seconds as the words for them say: days and hours are told without minutes, hours with, less with seconds."""
    unit = 3_600 if seconds > 2 * 86_400 else 60 if seconds >= 60 else 1
    return seconds - seconds % unit


def _clock(instant: str) -> str:
    return instant[:19].replace("T", " ") + "Z"


def times_of(schedule: Any) -> list[str]:
    """The times of a day, from the earliest on, however they were written down."""
    return sorted(part for part in schedule.local_times.replace(" ", "").split(",") if part)


def schedule_words(schedule: Any) -> str:
    """`Daily 01:30 Europe/London, grace 1 h`; rules beyond plain frequencies in their own notation."""
    times = times_of(schedule)
    when = ", ".join(times) if len(times) <= 3 else f"{len(times)} times from {times[0]}"
    return f"{rule_words(schedule.rrule)} {when} {schedule.zone}, grace {duration_words(schedule.grace_s)}"


def field_words(field: str, value: Any) -> str:
    """A value of a catalogue field in words: 26 h, 35 d, 40 d 16 h, 02:30, at rest."""
    meant = FIELDS[field]
    if meant.kind == "duration":
        whole_days = meant.unit == "d" and value == int(value)
        return f"{int(value)} d" if whole_days else duration_words(value * SECONDS[meant.unit])
    return str(value).replace("_", " ").replace("everywhere", "at rest and in transit")


BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size_words(count_bytes: int | None) -> str:
    """Bytes in decimal units, "2.1 TB"; empty when not told."""
    if count_bytes is None:
        return ""
    value, unit = float(count_bytes), 0
    while value >= 1_000 and unit < len(BYTE_UNITS) - 1:
        value, unit = value / 1_000, unit + 1
    return f"{value:.0f} {BYTE_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {BYTE_UNITS[unit]}"
