"""Which escalation policy counts for an incident, and what it says, frozen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch

from catalogue.models import ServiceVersion
from incidents.models import EscalationPolicy, EscalationStep
from incidents.models.escalation import Tell
from incidents.timing import Snapshot
from itsm_backup.common.models import because

DEFAULT = "Operations team, once"


def policies() -> list[EscalationPolicy]:
    """Every policy with its steps, in the order they are asked; a fresh installation starts with the shipped default."""
    steps = EscalationStep.objects.select_related("team", "person", "channel").order_by("after_min", "pk")
    found = list(EscalationPolicy.objects.in_order().prefetch_related(Prefetch("steps", queryset=steps)))
    if not any(policy.is_default for policy in found):
        _ship()
        return policies()
    return found


def _ship() -> None:
    """The default: the operations team of the service is told once, at once, at any hour."""
    with because("Shipped policy"):
        policy, made = EscalationPolicy.objects.get_or_create(is_default=True, defaults={"name": DEFAULT})
        if made:
            EscalationStep.objects.create(policy=policy, after_min=0, tell=Tell.OPERATIONS_TEAM)


def choose(
    *, priority: str, tier: int, named: str = "", among: Iterable[EscalationPolicy] | None = None
) -> EscalationPolicy | None:  # fmt: skip
    """The policy that the entry names, whatever tiers it is for otherwise; else the first for this priority and tier. Either is enabled,
    for the priority, and tells anybody; None when even the default tells nobody.
    """
    there = [one for one in (policies() if among is None else among) if one.enabled]
    own = (one for one in there if named and one.name == named and fits(one, priority=priority, tier=None))
    return next(own, None) or next((one for one in there if fits(one, priority=priority, tier=tier)), None)


def fits(policy: EscalationPolicy, *, priority: str, tier: int | None) -> bool:
    """Whether the policy is for incidents of this priority and tier (None: of any), and tells anybody."""
    for_priority = not policy.priorities or priority in policy.priorities
    for_tier = tier is None or not policy.tiers or tier in policy.tiers
    return for_priority and for_tier and bool(policy.steps.all())


def named_by(services: Iterable[int | None], *, at: dt.datetime) -> dict[int | None, str]:
    """Service → the policy that its version in force names, of those that name one."""
    rows = ServiceVersion.objects.in_force(at).filter(service__in=[pk for pk in services if pk]).exclude(escalation_policy="")
    return dict(rows.values_list("service", "escalation_policy"))


def missing(name: str) -> bool:
    """Whether an entry that names this policy names none that counts: it is not there, not enabled, or tells nobody."""
    return bool(name) and not any(one.name == name and one.enabled and one.steps.all() for one in policies())


def snapshot(policy: EscalationPolicy | None) -> Snapshot:
    """What the policy says now, as JSON. Steps with one delay are one level."""
    if policy is None:
        return {"policy": "", "levels": [], "repeat_min": None, "quiet": None, "zone": "UTC", "bypass": []}
    steps = list(policy.steps.all())
    delays = sorted({step.after_min for step in steps})
    quiet = None
    if policy.quiet_from and policy.quiet_to:
        hours = {"from": f"{policy.quiet_from:%H:%M}", "to": f"{policy.quiet_to:%H:%M}"}
        quiet = {**hours, "weekends_all_day": policy.quiet_weekends}
    return {
        "policy": policy.name,
        "levels": [
            {"level": place, "after_min": delay, "targets": [_target(step) for step in steps if step.after_min == delay]}
            for place, delay in enumerate(delays, start=1)
        ],
        "repeat_min": policy.repeat_min,
        "quiet": quiet,
        "zone": policy.zone,
        "bypass": list(policy.bypass),
    }


def _target(step: EscalationStep) -> dict[str, Any]:
    if step.tell == Tell.ON_CALL:
        return {"tell": step.tell, "team": step.team_id, "name": f"on call of {step.team or 'the operations team'}"}
    if step.channel:
        return {"tell": step.tell, "channel": step.channel_id, "name": step.channel.name}
    if step.team:
        return {"tell": step.tell, "team": step.team_id, "name": step.team.name}
    if step.person:
        return {"tell": step.tell, "person": step.person_id, "name": step.person.get_full_name() or step.person.get_username()}
    return {"tell": step.tell}
