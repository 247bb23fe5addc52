"""Tell the levels of a policy one after the other until somebody acknowledges, and again until it is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from catalogue import impact
from incidents import announcing, choosing, lapsing, preferring, prioritising, reaching, timing
from incidents.models import Escalation, EscalationPolicy, Incident, Telling
from incidents.reaching import Recipient
from monitoring.carrying import each

AHEAD = dt.timedelta(days=40)  # longer than any delay, repeat or quiet time
BATCH = 200


def tell_due(*, at: dt.datetime) -> int:
    """Tell everybody whose time has come; returns how many escalations were looked at."""
    due = Escalation.objects.filter(next_at__lte=at).order_by("next_at", "pk").values_list("pk", flat=True)
    return each(due[:BATCH], lambda pk: _tell(pk, at), "telling of escalation")


def begin(*, incident: Incident, at: dt.datetime, already: Sequence[Recipient] = (), tier: int | None = None) -> Escalation:
    """The policy for the incident counts from now on, as it stands now; its first level is told at once, unless it is quiet.

    `tier` is the effective one of the service hit hardest, where it is known. Whoever is in `already` has just been told and is passed
    over by the first level. What counted before ends.
    """
    before = Escalation.objects.filter(incident=incident).order_by("-number").first()
    Escalation.objects.filter(incident=incident, ended_at=None).update(ended_at=at, next_at=None)
    policy = _policy_for(incident, tier or tier_of(incident, at=at), at)
    made = Escalation.objects.create(
        incident=incident,
        number=before.number + 1 if before else 1,
        policy=policy,
        policy_version=policy.history.order_by("-history_id").values_list("history_id", flat=True).first() if policy else None,
        snapshot=choosing.snapshot(policy),
        priority=incident.priority,
        started_at=at,
    )
    _carry_on(made, incident, at, already)
    return made


def follow_priority(*, incident: Incident, at: dt.datetime, already: Sequence[Recipient]) -> None:
    """The priority is another one: if another policy is for it, that one begins; else the same one goes on by the new priority."""
    current = Escalation.objects.select_for_update().filter(incident=incident, ended_at=None).first()
    if current is None:
        return
    policy = _policy_for(incident, tier_of(incident, at=at), at)
    same = policy is not None and (policy.pk == current.policy_id or (current.policy_id is None and policy.is_default))
    if not same:
        begin(incident=incident, at=at, already=already)
        return
    current.priority = incident.priority
    _carry_on(current, incident, at, [])


def resume(*, incident: Incident, at: dt.datetime, already: Sequence[Recipient]) -> None:
    """It happens again: who had taken it has it still; where nobody had, the policy for it begins anew."""
    if incident.acknowledged_at and Escalation.objects.filter(incident=incident).exists():
        follow_priority(incident=incident, at=at, already=already)
        look_again(incident=incident, at=at)
    else:
        begin(incident=incident, at=at, already=already)


def look_again(*, incident: Incident, at: dt.datetime) -> None:
    """Somebody acknowledged, held, resolved or went on: what is due next is worked out anew by the journey."""
    Escalation.objects.filter(incident=incident, ended_at=None).update(next_at=at)


def _policy_for(incident: Incident, tier: int, at: dt.datetime) -> EscalationPolicy | None:
    """The policy for its priority and tier, or the one that the entry of the service hit hardest names."""
    named = choosing.named_by([incident.service_id], at=at).get(incident.service_id, "")
    return choosing.choose(priority=incident.priority, tier=tier, named=named)


def tier_of(incident: Incident, *, at: dt.datetime) -> int:
    """The effective tier of the service hit hardest; 5, below the lowest, without one."""
    if incident.service_id is None:
        return 5
    found = impact.effective_tiers([incident.service_id], at=at).get(incident.service_id)
    return found or prioritising.tier_of(incident.service_id, at=at)


@transaction.atomic
def _tell(escalation_id: int, at: dt.datetime) -> bool:
    row = Escalation.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=escalation_id, next_at__lte=at).first()
    if row is None:
        return False
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=row.incident_id)
    _carry_on(row, incident, at, [])
    return True


def _carry_on(row: Escalation, incident: Incident, at: dt.datetime, already: Sequence[Recipient]) -> None:
    """Tell what is due by `at` and note when to look next. Repeats that were missed while nobody looked are told once.

    Where an acknowledgement lapsed, the level reached last is told again.
    """
    lapses_at = lapsing.lapses_at(incident, row)
    if lapsed := lapses_at is not None and lapses_at <= at:
        lapsing.lapse(incident=incident, escalation=row, at=at)
    steps = [] if incident.state in ("on_hold", "cancelled") else steps_of(row, incident, until=at + AHEAD)
    told = list(row.tellings.all())
    levels = {one.level for one in told if one.sequence == 0}
    for step in steps:
        if step.kind != "repeat" and step.at <= at and step.level not in levels:
            _write(row, incident, step, at, already=already if step.kind == "notify" else [], following=_following(steps, step))
            levels.add(step.level)
    latest_at = max((one.at for one in row.tellings.all()), default=None)
    repeats = [step for step in steps if step.kind == "repeat" and (latest_at is None or step.at > latest_at)]
    due = [step for step in repeats if step.at <= at]
    if lapsed and told:
        due = [timing.Step(at=at, level=max(levels), kind="repeat")]
    if due:
        _write(row, incident, due[-1], at, sequence=1 + sum(one.kind == "repeat" for one in told))
    ahead = [step.at for step in repeats if step.at > at]
    ahead += [step.at for step in steps if step.kind != "repeat" and step.level not in levels]
    ahead += [lapses_at] if lapses_at and not lapsed else []
    row.next_at = min(ahead, default=None)
    row.save(update_fields=["priority", "next_at", "paused_s"])


def steps_of(row: Escalation, incident: Incident, *, until: dt.datetime) -> list[timing.Step]:
    """Who of the snapshot is told when, as things stand."""
    return timing.plan(
        row.snapshot,
        priority=row.priority,
        started_at=row.started_at + dt.timedelta(seconds=row.paused_s),
        acknowledged_at=incident.acknowledged_at,
        resolved_at=incident.resolved_at,
        until=until,
    )


def _following(steps: list[timing.Step], step: timing.Step) -> dt.datetime | None:
    """When the level after this one is told, unless somebody acknowledges."""
    return next((one.at for one in steps if one.kind != "repeat" and one.level == step.level + 1), None)


def _write(
    row: Escalation,
    incident: Incident,
    step: timing.Step,
    at: dt.datetime,
    *,
    sequence: int = 0,
    already: Sequence[Recipient] = (),
    following: dt.datetime | None = None,
) -> None:
    """One level, told once: the row is unique, and the messages are written in its transaction."""
    targets = next(one["targets"] for one in row.snapshot["levels"] if one["level"] == step.level)
    known = {one.address for one in already}
    reached = [one for one in reaching.reach(targets, incident=incident, at=at) if one.address not in known]
    bypass, waits = row.snapshot["bypass"], preferring.what_waits()
    recipients = preferring.told_now(reached, priority=row.priority, bypass=bypass, waits=waits)
    told = [one.as_json() for one in recipients]
    Telling.objects.create(escalation=row, level=step.level, sequence=sequence, kind=step.kind, at=at, recipients=told)
    announcing.announce_level(
        incident=incident, escalation=row, step=step, sequence=sequence, recipients=recipients, following=following, at=at
    )
