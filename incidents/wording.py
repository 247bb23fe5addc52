"""What escalation policies, response targets and working hours say, in sentences."""

from __future__ import annotations

from typing import Any

from incidents.models import EscalationPolicy, ResponseTarget, WorkingHours
from incidents.models.escalation import Tell
from incidents.timing import Snapshot
from itsm_backup.common.time import duration_words


def for_which(policy: EscalationPolicy) -> str:
    """`P1, P2 of tiers 1 and 2`."""
    if policy.is_default:
        return "every incident that no other policy is for"
    priorities = ", ".join(policy.priorities) or "every priority"
    if not policy.tiers:
        return priorities
    numbers = " and ".join(str(tier) for tier in sorted(policy.tiers))
    return f"{priorities} of tier{'s' if len(policy.tiers) > 1 else ''} {numbers}"


def levels(snapshot: Snapshot) -> list[str]:
    """One sentence for each level: `after 30 min Lena Hart`."""
    return [f"{delay(one['after_min'])} {', '.join(map(target, one['targets']))}" for one in snapshot["levels"]]


def delay(minutes: int) -> str:
    return f"after {duration_words(minutes * 60)}" if minutes else "at once"


def target(one: dict[str, Any]) -> str:
    """Whom a step names, in words."""
    if one["tell"] == Tell.ON_CALL:
        return f"whoever is {one['name']}"
    if one["tell"] == Tell.CHANNEL:
        return f"channel {one['name']}"
    return one["name"] if one.get("name") else f"the {Tell(one['tell']).label}"


def repeat(snapshot: Snapshot) -> str:
    if not snapshot["repeat_min"]:
        return "Nobody is told twice."
    return f"The level reached last is told again every {duration_words(snapshot['repeat_min'] * 60)} until it is resolved."


def quiet(snapshot: Snapshot) -> str:
    """The quiet hours and who is not held up by them."""
    if snapshot["quiet"] is None:
        return "No quiet hours: told at any hour."
    hours = snapshot["quiet"]
    weekends = " and at weekends" if hours["weekends_all_day"] else ""
    but = f", but {', '.join(snapshot['bypass'])} at once" if snapshot["bypass"] else ""
    return f"From {hours['from']} to {hours['to']}{weekends} ({snapshot['zone']}) it waits until that is over{but}."


def response(target: ResponseTarget) -> str:
    """`acknowledged within 15 min, resolved within 4 h, around the clock`."""
    parts = [
        f"{word} within {duration_words(minutes * 60)}"
        for word, minutes in (("acknowledged", target.acknowledge_min), ("resolved", target.resolve_min))
        if minutes is not None
    ]
    return f"{', '.join(parts)}, {target.get_counts_display()}" if parts else "at the next review"


def working_hours(hours: WorkingHours) -> str:
    """`Mon, Tue, Wed 09:00 to 17:00 (UTC), free on 2 days`."""
    names = ", ".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day - 1] for day in sorted(hours.days))
    free = f", free on {len(hours.free_days)} day{'s' if len(hours.free_days) > 1 else ''}" if hours.free_days else ""
    return f"{names} {hours.starts:%H:%M} to {hours.ends:%H:%M} ({hours.zone}){free}"
