"""Who is told when: the policies in their order, in words; and on an incident's page who was told and who is next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from incidents import choosing, escalating, reaching, wording
from incidents.models import Escalation, EscalationPolicy
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import clock, many


@dataclass(frozen=True, kw_only=True)
class PolicyRow:
    name: str
    edit: str
    for_which: str
    levels: tuple[str, ...]
    repeat: str
    quiet: str
    state: str
    verdict: str


@dataclass(frozen=True, kw_only=True)
class EscalationPage:
    sentence: str
    rows: tuple[PolicyRow, ...]
    add: str


def escalation_page(*, user: Any) -> EscalationPage:
    """Every policy in the order in which they are asked."""
    found = choosing.policies()
    in_force = sum(policy.enabled and bool(policy.steps.all()) for policy in found)
    may_change = user.is_staff and user.has_perm("incidents.change_escalationpolicy")
    may_add = user.is_staff and user.has_perm("incidents.add_escalationpolicy")
    return EscalationPage(
        sentence=f"{many(in_force, 'policy says', 'policies say')} who is told when.",
        rows=tuple(_row(policy, may_change) for policy in found),
        add=reverse("admin:incidents_escalationpolicy_add") if may_add else "",
    )


def _row(policy: EscalationPolicy, may_change: bool) -> PolicyRow:
    said = choosing.snapshot(policy)
    state, verdict = ("In force", "kept") if policy.enabled else ("Draft", "no_data")
    if policy.enabled and not said["levels"]:
        state, verdict = "Tells nobody, passed over", "at_risk"
    return PolicyRow(
        name=policy.name,
        edit=reverse("admin:incidents_escalationpolicy_change", args=[policy.pk]) if may_change else "",
        for_which=wording.for_which(policy),
        levels=tuple(one[:1].upper() + one[1:] for one in wording.levels(said)),
        repeat=wording.repeat(said),
        quiet=wording.quiet(said),
        state=state,
        verdict=verdict,
    )


@dataclass(frozen=True, kw_only=True)
class ToldRow:
    when: SafeString
    who: str
    how: str
    at: dt.datetime | None = None  # of what is over


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who was told of an incident, and who is next while nobody acknowledges."""

    policy: str
    rows: tuple[ToldRow, ...]
    ahead: tuple[ToldRow, ...]
    link: Link | None


def told_of(*, incident: Any, user: Any, moment: Moment) -> Told | None:
    """None where no policy counted yet."""
    rows = Escalation.objects.filter(incident=incident, started_at__lte=moment.at).prefetch_related("tellings").order_by("number")
    found = list(rows)
    if not found:
        return None
    told = []
    for row in found:
        for telling in row.tellings.all():
            if telling.at <= moment.at:
                who = ", ".join(reaching.Recipient(**one).words for one in telling.recipients) or "nobody new"
                how = f"Level {telling.level}, {telling.get_kind_display()}"
                told.append(ToldRow(when=clock(telling.at, moment), who=who, how=how, at=telling.at))
    link = Link("Who is told when", moment.href("escalation")) if user.has_perm("incidents.view_escalationpolicy") else None
    ahead = () if moment.past else _ahead(found[-1], incident, moment)
    return Told(policy=found[-1].snapshot["policy"], rows=tuple(told), ahead=ahead, link=link)


def _ahead(row: Escalation, incident: Any, moment: Moment) -> tuple[ToldRow, ...]:
    """What comes next: the levels that are left, or else the next repeat."""
    if row.next_at is None or not incident.is_open or incident.state == "on_hold":
        return ()
    steps = [one for one in escalating.steps_of(row, incident, until=moment.at + escalating.AHEAD) if one.at > moment.at]
    levels = [one for one in steps if one.kind != "repeat"] or steps[:1]
    targets = {one["level"]: ", ".join(wording.target(target) for target in one["targets"]) for one in row.snapshot["levels"]}
    words = {"repeat": "again, until it is resolved"}
    return tuple(
        ToldRow(when=clock(one.at, moment), who=targets[one.level], how=words.get(one.kind, "unless somebody acknowledges"))
        for one in levels
    )
